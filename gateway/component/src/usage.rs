//! `GET /v1/usage`: what the holder of a key may spend and has used. The key that is presented alone decides whose use is
//! shown; no parameter of the request does.

use std::rc::Rc;

use gateway_core::authenticate::Caller;
use gateway_core::quota::{self, Charge};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::spending::{Period, SpendingView};

use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::quota as ledger;
use crate::store::stats;

/// The usage of the presented key, or of the calls that were made with the admin token.
pub(crate) async fn reply(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: &Snapshot,
) -> Result<Reply, Refusal> {
    let at = ledger::moment(instance, snapshot);
    let period = Period::parse(incoming.query.as_deref(), &snapshot.catalog.settings, at.now.wall_ms)?;
    let key = caller.key().and_then(|name| snapshot.catalog.key_named(name));
    let limits: Vec<Charge> = key.map_or_else(Vec::new, |key| quota::limits_of(key, at));
    let rows = ledger::read(instance, &limits).await.map_err(unavailable)?;
    let found = stats::used(instance, caller.name(), &period).await.map_err(unavailable)?;
    let view = SpendingView::of((caller, key), (&limits, &rows), (&period, &found), at.now);
    Ok(Reply::json(200, &view).with("cache-control", "no-store"))
}

fn unavailable(trouble: Trouble) -> Refusal {
    let refusal = Refusal::unavailable("usage_unavailable", format!("What was used cannot be read now: {trouble}."));
    if matches!(trouble, Trouble::Absent) { refusal.without_retry() } else { refusal.after(1) }
}
