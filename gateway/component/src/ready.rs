//! `GET /readyz`: whether calls can be served, and what is in trouble without stopping them.

use std::rc::Rc;

use gateway_core::refusal::{Refusal, Reply};
use serde_json::json;

use crate::host;
use crate::instance::Instance;
use crate::store::{self, catalog::Snapshot};

/// 200 with what is degraded; 503 only while draining. Without a valid catalog the caller never gets here.
pub(crate) async fn reply(instance: &Instance, snapshot: &Rc<Snapshot>) -> Result<Reply, Refusal> {
    if host::variable("draining").await.is_some_and(|draining| draining == "true") {
        return Err(Refusal::unavailable("draining", "llmio is shutting down. Use another instance."));
    }
    let mut degraded = store::records::trouble(instance);
    degraded.extend(snapshot.warnings());
    // What the host says of a catalog file it could not publish.
    degraded.extend(host::variable("catalog_trouble").await.filter(|trouble| !trouble.is_empty()));
    let status = if degraded.is_empty() { "ok" } else { "degraded" };
    Ok(Reply::json(200, &json!({ "status": status, "degraded": degraded, "catalog": snapshot.etag })))
}
