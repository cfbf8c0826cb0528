//! `POST /api/maintain`: what has to be done now and then. The runner calls it at its start and every minute; on other
//! hosts it can be called by anything that keeps time.

use std::rc::Rc;

use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::MaintenanceView;

use super::unavailable;
use crate::instance::Instance;
use crate::prices;
use crate::store::catalog::Snapshot;
use crate::store::records;

/// Deletes records past their retention, marks calls that an earlier start of the host left running, and renews prices.
pub(super) async fn run(instance: &Rc<Instance>, snapshot: &Rc<Snapshot>) -> Result<Reply, Refusal> {
    let settings = &snapshot.catalog.settings;
    let kept = (settings.retention, settings.bodies);
    let (records_deleted, records_interrupted) = records::maintain(instance, kept).await.map_err(unavailable)?;
    prices::renew_if_due(instance, snapshot).await;
    Ok(Reply::json(200, &MaintenanceView { records_deleted, records_interrupted }))
}
