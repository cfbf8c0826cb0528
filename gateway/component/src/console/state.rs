//! What is: the overview, quota, how clients are connected, and what is left to a key.

use gateway_console::edit::{Editing, Refused};
use gateway_console::frame::Reader;
use gateway_console::pages::{self, ConnectPage, Counted, MePage, OverviewPage, QuotaPage};
use gateway_core::models;
use gateway_core::record::Filter;
use gateway_core::refusal::Refusal;
use gateway_core::stats::{Narrowed, SeriesSums};
use gateway_core::views::{KeptOfKeyView, LimitView, ScopeView};

use super::catalog::status;
use super::edit::{Failed, is_of_the_form};
use super::{Answer, Visit};
use crate::admin::{self, bodies, unavailable};
use crate::host;
use crate::store::{records, stats};

/// How many calls the overview shows.
const LATEST: i64 = 10;

pub(super) async fn overview(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let health = admin::health(visit.instance, visit.snapshot).await;
    let quota = admin::quota(visit.instance, visit.snapshot).await?;
    let latest = Filter { limit: LATEST, ..Filter::default() };
    let latest = records::list(visit.instance, &latest).await.map_err(unavailable)?;
    let counted = counted(visit, &Narrowed::default()).await?;
    let address = address(visit).await;
    let catalog = &visit.snapshot.catalog;
    let figures = (&visit.query, &counted);
    Ok(visit.page(&OverviewPage::of(&visit.frame, catalog, (&health, &quota), figures, &latest, &address)))
}

/// What the calls of the address's span of time come to, of those that the reader may see.
async fn counted(visit: &Visit<'_>, narrowed: &Narrowed) -> Result<Counted, Refusal> {
    let zone = &visit.snapshot.catalog.settings.zone;
    let (period, before) = pages::periods(&visit.query, zone, visit.incoming.at.wall_ms, narrowed);
    let by_step = stats::by_step(visit.instance, &period).await.map_err(unavailable)?;
    let by_series = stats::by_series(visit.instance, &period).await.map_err(unavailable)?;
    let calls_before = stats::calls(visit.instance, &before).await.map_err(unavailable)?;
    Ok(Counted { period, by_step, by_series, calls_before })
}

/// The calls of the last day. If they cannot be read, rows show none, since everything else can be shown.
pub(super) async fn calls_of_a_day(visit: &Visit<'_>) -> Vec<SeriesSums> {
    let zone = &visit.snapshot.catalog.settings.zone;
    stats::by_series(visit.instance, &pages::last_day(zone, visit.incoming.at.wall_ms)).await.unwrap_or_default()
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
pub(super) fn models_of(visit: &Visit<'_>) -> Vec<String> {
    models::usable(&visit.caller(), &visit.snapshot.catalog).into_iter().map(str::to_owned).collect()
}

/// Where the reader reaches llmio: where the operator says, or as this request came.
async fn address(visit: &Visit<'_>) -> String {
    let public_url = host::variable("public_url").await.filter(|url| !url.is_empty());
    public_url.unwrap_or_else(|| format!("http://{}", visit.incoming.authority().unwrap_or_default()))
}

/// The reader's own key. The admin has none and gets the overview instead.
pub(super) async fn me(visit: &Visit<'_>, failed: Option<Failed<'_>>) -> Result<Answer, Refusal> {
    let Reader::Holder(name) = &visit.frame.reader else { return Ok(visit.to("overview")) };
    let catalog = &visit.snapshot.catalog;
    let gone = || Refusal::unauthorized("key_unknown", "This key was taken back just now.");
    let key = catalog.key_named(name).ok_or_else(gone)?;
    let is_own = |limit: &LimitView| matches!(&limit.scope, ScopeView::Key { key } if key == name);
    let quota = admin::quota(visit.instance, visit.snapshot).await?;
    let limits: Vec<LimitView> = quota.quota.into_iter().filter(is_own).collect();
    let models = models_of(visit);
    let own = Narrowed { key: Some(name.clone()), ..Narrowed::default() };
    let counted = counted(visit, &own).await?;
    let (of_key, figures) = ((&limits[..], &models[..]), (&visit.query, &counted));
    let kept = (catalog.settings.retention.days, &KeptOfKeyView::of(catalog, Some(key)));
    let refused = failed.map(|(sent, refusal)| Refused { sent, refusal, changes: Vec::new() });
    let editing = Editing { refused, locked: None, ..visit.unchanged("keys", name) };
    let page = MePage::of(&visit.frame, key, of_key, figures, kept, &editing);
    Ok(Answer::Page(status(failed), pages::html(&page)))
}

/// Lowers what is kept of the calls of the reader's own key.
pub(super) async fn lower(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let Reader::Holder(name) = &visit.frame.reader else { return Ok(visit.to("overview")) };
    let form = visit.form().await?;
    let level = form.get("record_bodies").unwrap_or_default();
    match bodies::lower(visit.instance, visit.incoming, visit.snapshot, name, level).await {
        Ok(snapshot) => Ok(visit.to(&format!("me?saved={}", snapshot.version))),
        Err(refusal) if is_of_the_form(&refusal) || refusal.status == 403 => me(visit, Some((&form, &refusal))).await,
        Err(refusal) => Err(refusal),
    }
}
