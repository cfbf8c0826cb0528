//! `GET /api/host`: what the host is to know of the component. llmio's own runner asks at its start and every minute.

use gateway_core::refusal::Reply;
use gateway_core::views::HostView;

use crate::store::catalog::Snapshot;

/// The answers the host gives where the component cannot, and the peers behind which many clients stand.
pub(super) fn read(snapshot: &Snapshot) -> Reply {
    Reply::json(200, &HostView::of(&snapshot.catalog.settings))
}
