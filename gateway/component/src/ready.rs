//! `GET /readyz`: whether calls can be served, and what is in trouble without stopping them.

use std::rc::Rc;

use gateway_core::readiness::StoreTrouble;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::ReadyView;

use crate::host;
use crate::instance::Instance;
use crate::store::{self, catalog::Snapshot};

/// 200 with what is degraded and whose calls are refused; 503 only while draining. Without a valid catalog the caller
/// never gets here.
pub(crate) async fn reply(instance: &Instance, snapshot: &Rc<Snapshot>) -> Result<Reply, Refusal> {
    if host::variable("draining").await.is_some_and(|draining| draining == "true") {
        return Err(Refusal::unavailable("draining", "llmio is shutting down. Use another instance."));
    }
    // A host that counts for all instances knows more than this one, which knows of itself only.
    let counted = instance.host.tells_store_trouble;
    let mut degraded = if counted { Vec::new() } else { store::records::trouble(instance) };
    let trouble = host::variable("store_trouble").await.and_then(|text| StoreTrouble::read(&text));
    let zone = &snapshot.catalog.settings.zone;
    degraded.extend(trouble.as_ref().map(|trouble| trouble.degraded(host::unix_ms(), zone)));
    degraded.extend(snapshot.missing());
    // What the host says of a catalog file it could not publish.
    degraded.extend(host::variable("catalog_trouble").await.filter(|trouble| !trouble.is_empty()));
    let refusing = trouble.as_ref().and_then(StoreTrouble::refusing).into_iter().collect();
    Ok(Reply::json(200, &ReadyView::of(degraded, refusing, snapshot.etag.clone())))
}
