//! `GET /api/host`: what the host needs to know of the component. llmio's own runner asks at its start and every
//! minute.

use gateway_core::refusal::Reply;
use gateway_core::views::HostView;

use crate::store::catalog::Snapshot;

/// Answers with the bodies that the host sends where the component cannot answer, the trusted proxies,
/// and where providers are called.
pub(super) fn read(snapshot: &Snapshot) -> Reply {
    Reply::json(200, &HostView::of(&snapshot.catalog))
}
