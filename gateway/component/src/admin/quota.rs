//! `/api/quota`: every limit of the catalog, what is spent of it, and how long the rest will last; and the limits that
//! providers told themselves.

use std::rc::Rc;

use gateway_core::catalog::Catalog;
use gateway_core::quota::{self, Charge, Learnt, Row, SPENT_MAX, Scope, Unit};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::quota as ledger;
use crate::store::signals;

/// Every limit, in the order of the catalog.
pub(super) async fn list(instance: &Rc<Instance>, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let at = ledger::moment(instance, snapshot);
    let limits = quota::all(&snapshot.catalog, at);
    let rows = ledger::read(instance, &limits).await.map_err(unavailable)?;
    let shown: Vec<Value> = limits.iter().map(|limit| shown(limit, &rows, at.now_ms)).collect();
    signals::look_now(instance).await;
    let learnt: Vec<Value> = signals::with_learnt(instance, |learnt| {
        learnt.all().map(|each| learnt_object(&snapshot.catalog, each, at.now_ms)).collect()
    });
    Ok(Reply::json(200, &json!({ "quota": shown, "learnt": learnt })))
}

/// A limit that a provider told itself. Nothing is counted by it.
fn learnt_object(catalog: &Catalog, learnt: &Learnt, now_ms: i64) -> Value {
    let Learnt { subject, signal, as_of_ms } = learnt;
    json!({
        "subject": subject,
        "name": subject.name(catalog),
        "what": signal.what,
        "per": signal.per,
        "limit": signal.limit,
        "remaining": signal.remaining,
        "resets_at_ms": signal.resets_at_ms,
        "as_of_ms": as_of_ms,
        "over": signal.resets_at_ms.is_some_and(|at_ms| at_ms <= now_ms),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    spent: u64,
}

/// Sets what is spent of one limit within its present window, for instance what was spent without llmio.
pub(super) async fn update(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    parameter: &str,
) -> Result<Reply, Refusal> {
    let wanted: Wanted = super::json(instance, incoming).await?;
    if wanted.spent > SPENT_MAX {
        return Err(Refusal::bad_request(format!("`spent` must be from 0 to {SPENT_MAX}.")));
    }
    let id = decode_parameter(parameter).unwrap_or_default();
    let at = ledger::moment(instance, snapshot);
    let limit = quota::all(&snapshot.catalog, at).into_iter().find(|limit| limit.id == id);
    let limit = limit.ok_or_else(|| {
        Refusal::not_found("quota_not_found", format!("There is no limit with id {id:?}. GET /api/quota lists them."))
    })?;
    ledger::set(instance, &limit, wanted.spent).await.map_err(unavailable)?;
    let limits = [limit];
    let rows = ledger::read(instance, &limits).await.map_err(unavailable)?;
    let [limit] = limits;
    Ok(Reply::json(200, &shown(&limit, &rows, at.now_ms)))
}

fn shown(limit: &Charge, rows: &[Row], now_ms: i64) -> Value {
    let status = quota::status(limit, rows, now_ms);
    json!({
        "id": limit.id,
        "scope": scope(&limit.scope),
        "models": *limit.models,
        "name": limit.limit_name,
        "unit": unit(limit.unit),
        "limit": limit.limit,
        "spent": status.spent,
        "resets_at_ms": status.resets_at_ms,
        "runs_dry_at_ms": status.runs_dry_at_ms,
        "known": limit.source.map(|source| json!({ "as_of": source.as_of, "source": source.url })),
    })
}

/// Whose limit, by the names people gave: never a secret, nor what is derived from one.
fn scope(scope: &Scope) -> Value {
    match scope {
        Scope::Credential { provider, credential } => {
            json!({ "per": "credential", "provider": **provider, "credential": credential })
        }
        Scope::Pool { provider, pool } => json!({ "per": "pool", "provider": **provider, "pool": pool.as_deref() }),
        Scope::Provider { provider } => json!({ "per": "provider", "provider": **provider }),
        Scope::Key { key } => json!({ "per": "key", "key": **key }),
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Calls => "calls",
        Unit::Tokens => "tokens",
        Unit::Points => "points",
        Unit::Money => "nano-dollars",
        Unit::InFlight => "calls under way",
    }
}

fn unavailable(trouble: Trouble) -> Refusal {
    let said = format!("What is spent cannot be read or set now: {trouble}. Try again.");
    Refusal::unavailable("quota_unavailable", said).after(1)
}
