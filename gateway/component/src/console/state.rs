//! What is: the overview, quota, how clients are connected, and what is left to a key.

use gateway_console::frame::Reader;
use gateway_console::pages::{ConnectPage, MePage, OverviewPage, QuotaPage};
use gateway_core::authenticate::Caller;
use gateway_core::models;
use gateway_core::record::Filter;
use gateway_core::refusal::Refusal;
use gateway_core::views::{LimitView, ScopeView};

use super::{Answer, Visit};
use crate::admin::{self, unavailable};
use crate::host;
use crate::store::records;

/// How many calls the overview shows.
const LATEST: i64 = 10;

pub(super) async fn overview(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let health = admin::health(visit.instance, visit.snapshot).await;
    let quota = admin::quota(visit.instance, visit.snapshot).await?;
    let latest = Filter { limit: LATEST, ..Filter::default() };
    let latest = records::list(visit.instance, &latest).await.map_err(unavailable)?;
    let address = address(visit).await;
    let catalog = &visit.snapshot.catalog;
    Ok(visit.page(&OverviewPage::of(&visit.frame, catalog, (&health, &quota), &latest, &address)))
}

pub(super) async fn quota(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let quota = admin::quota(visit.instance, visit.snapshot).await?;
    Ok(visit.page(&QuotaPage::of(&visit.frame, &quota)))
}

pub(super) async fn connect(visit: &Visit<'_>) -> Answer {
    let address = address(visit).await;
    let models = models_of(visit);
    visit.page(&ConnectPage::of(&visit.frame, &address, &models, visit.query.get("model")))
}

/// The models that the reader may use.
fn models_of(visit: &Visit<'_>) -> Vec<String> {
    let caller = match &visit.frame.reader {
        Reader::Nobody => Caller::Anyone,
        Reader::Admin => Caller::Admin,
        Reader::Holder(key) => Caller::Key(key.as_str().into()),
    };
    models::usable(&caller, &visit.snapshot.catalog).into_iter().map(str::to_owned).collect()
}

/// Where the reader reaches llmio: where the operator says, or as this request came.
async fn address(visit: &Visit<'_>) -> String {
    let public_url = host::variable("public_url").await.filter(|url| !url.is_empty());
    public_url.unwrap_or_else(|| format!("http://{}", visit.incoming.authority().unwrap_or_default()))
}

/// The reader's own key. The admin has none, and an overview instead.
pub(super) async fn me(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let Reader::Holder(name) = &visit.frame.reader else { return Ok(visit.to("overview")) };
    let catalog = &visit.snapshot.catalog;
    let gone = || Refusal::unauthorized("key_unknown", "This key was taken back just now.");
    let key = catalog.key_named(name).ok_or_else(gone)?;
    let is_own = |limit: &LimitView| matches!(&limit.scope, ScopeView::Key { key } if key == name);
    let quota = admin::quota(visit.instance, visit.snapshot).await?;
    let limits: Vec<LimitView> = quota.quota.into_iter().filter(is_own).collect();
    let models = models_of(visit);
    Ok(visit.page(&MePage::of(&visit.frame, key, &limits, &models, catalog.settings.retention.days)))
}
