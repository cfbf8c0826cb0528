//! `GET /api/host`: what the host is to know of the component. llmio's own runner asks at its start and every minute.

use gateway_core::accept::host::{self, ID_PLACE};
use gateway_core::refusal::Reply;
use serde_json::json;

use crate::store::catalog::Snapshot;

/// The answers the host gives where the component cannot, and the peers behind which many clients stand.
pub(super) fn read(snapshot: &Snapshot) -> Reply {
    let trusted: Vec<String> =
        snapshot.catalog.settings.trusted_proxies.iter().map(|network| network.to_string()).collect();
    let told = json!({ "id_place": ID_PLACE, "answers": host::answers(), "trusted_proxies": trusted });
    Reply::json(200, &told)
}
