//! `/api/health`: which subjects are paused, since when and until when, and how an operator ends a pause.

use std::rc::Rc;

use gateway_core::health::Subject;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::{ClearedView, HealthView, LatencyView, SubjectView};
use serde::Deserialize;

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::{health, parameters, shutdowns, signals};

/// Lists the subjects that are in trouble, and the latencies of targets.
pub(super) async fn list(instance: &Rc<Instance>, snapshot: &Rc<Snapshot>) -> Reply {
    Reply::json(200, &view(instance, snapshot).await)
}

/// The same as a view.
pub(crate) async fn view(instance: &Rc<Instance>, snapshot: &Rc<Snapshot>) -> HealthView {
    health::look_now(instance).await;
    let now = host::now();
    let subjects = health::peek(instance, |health| SubjectView::all(health, &snapshot.catalog, now));
    signals::look_now(instance).await;
    let latencies =
        health::latencies(instance).iter().map(|each| LatencyView::of(each, &snapshot.catalog, now)).collect();
    let mut warnings = shutdowns::warnings(instance, &snapshot.catalog).await;
    // A store that does not answer is told elsewhere.
    warnings.extend(super::prices::view(instance, snapshot).await.map(|prices| prices.warnings()).unwrap_or_default());
    let refused_parameters = parameters::refused(instance, &snapshot.catalog).await;
    HealthView { now_ms: now.wall_ms, subjects, latencies, refused_parameters, warnings }
}

/// The subject whose trouble is to be forgotten; all of them if there is none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthReset {
    subject: Option<String>,
}

/// Clears one subject (`{"subject": "credential/c-…"}`) or all (`{}`).
pub(super) async fn reset(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let body: HealthReset = super::json(incoming).await?;
    // A text that is no subject names nothing that could be in trouble.
    let subject = body.subject.as_deref().map(Subject::parse);
    let cleared = match &subject {
        Some(None) => Vec::new(),
        Some(Some(subject)) => health::reset(instance, Some(subject)).await,
        None => health::reset(instance, None).await,
    };
    if let Some(subject) = body.subject.filter(|_| cleared.is_empty()) {
        let message = format!("{subject:?} is in no trouble. GET /api/health lists what is.");
        return Err(Refusal::not_found("subject_not_found", message));
    }
    Ok(Reply::json(200, &ClearedView { cleared }))
}
