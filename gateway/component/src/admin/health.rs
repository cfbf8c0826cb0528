//! `/api/health`: which targets, credentials and lanes (a credential on one model) are kept back, since when and until
//! when; and taking that back.

use std::rc::Rc;

use gateway_core::catalog::Catalog;
use gateway_core::health::{Standing, Subject, TargetLatency};
use gateway_core::refusal::{Refusal, Reply};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::{health, signals};

/// Every subject in trouble. What is not listed can be used. And how quick targets have been within the last minute.
pub(super) async fn list(instance: &Rc<Instance>, snapshot: &Rc<Snapshot>) -> Reply {
    health::look_now(instance).await;
    let now_ms = host::unix_ms();
    let subjects: Vec<Value> = health::peek(instance, |health| {
        health.troubled().map(|(subject, standing)| object(&snapshot.catalog, subject, standing, now_ms)).collect()
    });
    signals::look_now(instance).await;
    let latencies: Vec<Value> =
        health::latencies(instance).iter().map(|each| latency(each, &snapshot.catalog)).collect();
    Reply::json(200, &json!({ "now_ms": now_ms, "subjects": subjects, "latencies": latencies }))
}

/// How long streams of a target take to their first content, or other answers to come, as the strategy `latency` sees it.
fn latency(of: &TargetLatency, catalog: &Catalog) -> Value {
    json!({
        "target": of.target.name(catalog),
        "streamed": of.is_streamed,
        "first_content_ms": of.first_content_ms.round(),
        "as_of_ms": of.as_of_ms,
    })
}

/// What is to be cleared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    subject: Option<String>,
}

/// Clears one subject (`{"subject": "credential/c-…"}`) or all (`{}`).
pub(super) async fn reset(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let wanted: Wanted = super::json(instance, incoming).await?;
    // What is no subject is in no trouble.
    let subject = wanted.subject.as_deref().map(Subject::parse);
    let cleared = match &subject {
        Some(None) => Vec::new(),
        Some(Some(subject)) => health::reset(instance, Some(subject)).await,
        None => health::reset(instance, None).await,
    };
    if let Some(subject) = wanted.subject.filter(|_| cleared.is_empty()) {
        let said = format!("{subject:?} is in no trouble. GET /api/health lists what is.");
        return Err(Refusal::not_found("subject_not_found", said));
    }
    Ok(Reply::json(200, &json!({ "cleared": cleared })))
}

fn object(catalog: &Catalog, subject: &Subject, standing: &Standing, now_ms: i64) -> Value {
    json!({
        "subject": subject,
        "kind": subject.kind(),
        "name": subject.name(catalog),
        "trouble": standing.trouble,
        "said": standing.said,
        "since_ms": standing.at_ms,
        "until_ms": standing.ends_ms(now_ms),
        "over": standing.until_ms <= now_ms,
        "in_a_row": standing.step.saturating_add(1),
    })
}
