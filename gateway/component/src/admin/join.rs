//! `/api/models/join`: makes public models of what providers offer under different names. A preview asks the providers;
//! the parts of it that are sent back are stored.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::join_all;
use gateway_core::catalog::Provider;
use gateway_core::join::{self, Join, Joined, Offered};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::trial;
use gateway_core::views::{FailedProviderView, JoinPreviewView};
use serde::Deserialize;

use super::catalog::{base, change};
use super::providers::listed;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;

/// How many providers are asked at a time.
const AT_A_TIME: usize = 10;

/// The providers to be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewRequest {
    /// By their names. Default: all that are enabled.
    providers: Option<Vec<String>>,
}

/// Asks providers what they offer, and shows what joining that would do.
pub(super) async fn preview(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
) -> Result<Reply, Refusal> {
    let PreviewRequest { providers } = super::json(incoming).await?;
    let view = planned(instance, incoming, snapshot, providers.as_deref()).await?;
    Ok(Reply::json(200, &view).with("etag", snapshot.etag.clone()))
}

/// The same as a view.
pub(crate) async fn planned(
    instance: &Instance,
    incoming: &Incoming,
    snapshot: &Snapshot,
    chosen: Option<&[String]>,
) -> Result<JoinPreviewView, Refusal> {
    let to_ask = join::providers_to_ask(&snapshot.catalog, chosen)?;
    let (mut offers, mut failed) = (Vec::new(), Vec::new());
    for some in to_ask.chunks(AT_A_TIME) {
        let answers = join_all(some.iter().map(|provider| offered(instance, incoming, provider))).await;
        for (provider, answer) in some.iter().zip(answers) {
            let name = provider.name.to_string();
            match answer {
                Ok(models) => offers.push(Offered { provider: name, models }),
                Err(refusal) => failed.push(FailedProviderView { provider: name, message: refusal.message }),
            }
        }
    }
    Ok(JoinPreviewView { plan: join::plan(&snapshot.document, &offers), failed })
}

async fn offered(instance: &Instance, incoming: &Incoming, provider: &Provider) -> Result<Vec<String>, Refusal> {
    let credential = trial::credential(provider, None)?.map(|credential| &**credential);
    listed(instance, incoming, provider, credential).await
}

/// Stores the chosen parts of a preview.
pub(super) async fn join(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let request: Join = super::json(incoming).await?;
    let (joined, snapshot) = carry_out(instance, incoming, base(incoming), &request).await?;
    Ok(Reply::json(200, &joined).with("etag", snapshot.etag.clone()))
}

/// The same for whoever has read it already.
pub(crate) async fn carry_out(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    request: &Join,
) -> Result<(Joined, Rc<Snapshot>), Refusal> {
    let joined = RefCell::new(Joined::default());
    let edit = |snapshot: &Snapshot| {
        snapshot.is_editable("models", "")?;
        let mut document = snapshot.stored.clone();
        joined.replace(request.apply(&mut document).map_err(|error| Refusal::edit(&error))?);
        Ok(document)
    };
    let snapshot = change(instance, incoming, base, edit).await?;
    Ok((joined.into_inner(), snapshot))
}
