//! `/api/quota`: every limit of the catalog, what is spent of it and how long the rest will last; the limits that
//! providers told in their answers; and what providers count themselves.

use std::rc::Rc;

use gateway_core::quota::{self, SPENT_MAX};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use gateway_core::views::{LearntView, LimitView, QuotaView, ReportedLimitView};
use serde::Deserialize;

use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::quota as ledger;
use crate::store::signals;

/// Lists every limit in the order of the catalog.
pub(super) async fn list(instance: &Rc<Instance>, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    Ok(Reply::json(200, &view(instance, snapshot).await?))
}

/// The same as a view.
pub(crate) async fn view(instance: &Rc<Instance>, snapshot: &Snapshot) -> Result<QuotaView, Refusal> {
    let at = ledger::moment(instance, snapshot);
    let limits = quota::all(&snapshot.catalog, at);
    let rows = ledger::read(instance, &limits).await.map_err(unavailable)?;
    let quota = limits.iter().map(|limit| LimitView::of(limit, &rows, at.now)).collect();
    signals::look_now(instance).await;
    let learnt = signals::with_learnt(instance, |learnt| {
        learnt.all().map(|each| LearntView::of(each, &snapshot.catalog, at.now)).collect()
    });
    let reported = signals::with_reported(instance, |reported| {
        reported.all().filter_map(|each| ReportedLimitView::of(each, &snapshot.catalog, at.now)).collect()
    });
    Ok(QuotaView { quota, learnt, reported })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotaUpdate {
    spent: u64,
}

/// Sets how much of a limit counts as spent within its present window, for instance because it was spent without llmio.
pub(super) async fn update(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    parameter: &str,
) -> Result<Reply, Refusal> {
    let body: QuotaUpdate = super::json(incoming).await?;
    if body.spent > SPENT_MAX {
        return Err(Refusal::bad_request(format!("`spent` must be from 0 to {SPENT_MAX}.")));
    }
    let id = decode_parameter(parameter).unwrap_or_default();
    let at = ledger::moment(instance, snapshot);
    let limit = quota::all(&snapshot.catalog, at).into_iter().find(|limit| limit.id == id);
    let limit = limit.ok_or_else(|| {
        Refusal::not_found("quota_not_found", format!("There is no limit with id {id:?}. GET /api/quota lists them."))
    })?;
    ledger::set(instance, &limit, body.spent).await.map_err(unavailable)?;
    let limits = [limit];
    let rows = ledger::read(instance, &limits).await.map_err(unavailable)?;
    let [limit] = limits;
    Ok(Reply::json(200, &LimitView::of(&limit, &rows, at.now)))
}

fn unavailable(trouble: Trouble) -> Refusal {
    let message = format!("What is spent cannot be read or set now: {trouble}. Try again.");
    Refusal::unavailable("quota_unavailable", message).after(1)
}
