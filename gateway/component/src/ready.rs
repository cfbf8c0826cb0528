//! `GET /readyz`: whether calls can be served, and what is in trouble although they can.

use std::rc::Rc;

use gateway_core::readiness::StoreTrouble;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::ReadyView;

use crate::host;
use crate::instance::Instance;
use crate::settings;
use crate::store::{self, catalog::Snapshot};

/// Answers 200 with what is degraded and which calls are refused. Only a gateway that is shutting down answers 503.
/// Without a valid catalog this is never reached.
pub(crate) async fn reply(instance: &Instance, snapshot: &Rc<Snapshot>) -> Result<Reply, Refusal> {
    if host::variable("draining").await.is_some_and(|draining| draining == "true") {
        return Err(Refusal::unavailable("draining", "llmio is shutting down. Use another instance."));
    }
    // A host that counts for all instances knows more than this instance, which only knows about itself.
    let counted = instance.host.tells_store_trouble;
    let mut degraded = if counted { Vec::new() } else { store::records::trouble(instance) };
    let trouble = host::variable("store_trouble").await.and_then(|text| StoreTrouble::read(&text));
    let zone = &snapshot.catalog.settings.zone;
    degraded.extend(trouble.as_ref().map(|trouble| trouble.degraded(host::unix_ms(), zone)));
    degraded.extend(settings::troubles(instance, &snapshot.token).await);
    degraded.extend(snapshot.missing());
    if snapshot.catalog.keeps_bodies() && !matches!(store::catalog::sealer().await, Ok(Some(_))) {
        degraded.push("bodies: not kept, there is no master key to seal them with".to_owned());
    }
    // The host's message about a catalog file that it could not publish.
    degraded.extend(host::variable("catalog_trouble").await.filter(|trouble| !trouble.is_empty()));
    let refusing = trouble.as_ref().and_then(StoreTrouble::refusing).into_iter().collect();
    Ok(Reply::json(200, &ReadyView::of(degraded, refusing, snapshot.etag.clone())))
}
