//! Step 3 for whoever asks: the line, and `POST /api/route`, which answers what the line would do without doing it.

use gateway_core::accept;
use gateway_core::call::{Call, Demand};
use gateway_core::candidate::{Candidates, Named, ResponseOwner};
use gateway_core::catalog::{Affinity, Capabilities, Catalog, Key, Model, Strategy};
use gateway_core::health::Health;
use gateway_core::quota::Moment;
use gateway_core::route::strategy::Rotation;
use gateway_core::route::{self, RouteRequest, affinity};

use crate::host;
use crate::store::quota::{self as ledger, allowances};
use crate::store::signals;

use super::charges::{expires_ms, known_spent};

/// A call as far as its way depends on it.
pub(crate) struct PlanRequest<'a> {
    pub(crate) call: &'a Call,
    /// The model it asks for.
    pub(crate) model: &'a Model,
    /// The client's session.
    pub(crate) session: Option<&'a str>,
    /// The caller's key, by name.
    pub(crate) key: Option<&'a str>,
    /// Who made the response it goes on from.
    pub(crate) owner: Option<&'a ResponseOwner>,
    /// The time, as quotas see it.
    pub(crate) at: Moment,
}

/// The candidates of a call, drawn from `draw`.
pub(crate) fn plan(
    asked: &PlanRequest<'_>,
    catalog: &Catalog,
    health: &Health,
    draw: u64,
    rotation: &mut Rotation,
) -> Candidates {
    let model = asked.model;
    let spent = |to: Named<'_>| ledger::with_spent(|spent| known_spent(spent, asked.call, to, asked.at));
    let expires = |to: Named<'_>| expires_ms(asked.call, to, asked.at);
    if uses(Strategy::Quota, catalog, model) {
        allowances::refresh(catalog, asked.at);
    }
    if uses(Strategy::Latency, catalog, model) {
        signals::look();
    }
    let key = asked.key.and_then(|name| catalog.keys.iter().find(|key| &*key.name == name));
    let ask = RouteRequest {
        catalog,
        model,
        asked: &asked.call.model,
        operation: asked.call.operation,
        streamed: asked.call.streamed,
        demand: demand(asked.call, catalog, model),
        avoid: key.map_or(&[], |key: &Key| key.avoid.as_slice()),
        priced_only: key.is_some_and(Key::has_budget) && !asked.call.operation.counts_tokens(),
        affinity_hash: affinity_hash(asked, model),
        health,
        proxies: host::is_runner(),
        spent: &spent,
        expires: &expires,
        now_ms: asked.at.now_ms,
        draw,
        owner: asked.owner,
    };
    route::route(&ask, rotation)
}

/// Whether a call of this model may be ordered by this strategy.
fn uses(strategy: Strategy, catalog: &Catalog, model: &Model) -> bool {
    catalog.with_fallbacks(model).any(|model| model.strategy == strategy)
}

/// Only where some target lacks something is the body looked at once more.
fn demand(call: &Call, catalog: &Catalog, model: &Model) -> Demand {
    let mut targets = catalog.with_fallbacks(model).flat_map(|model| &model.targets);
    let is_limited = targets.any(|target| target.capabilities != Capabilities::default());
    if is_limited || model.strategy == Strategy::Cost { accept::demand(call) } else { Demand::default() }
}

fn affinity_hash(asked: &PlanRequest<'_>, model: &Model) -> Option<u64> {
    match model.affinity {
        Affinity::None => None,
        Affinity::Session => asked.session.map(|session| affinity::hash(session.as_bytes())),
        Affinity::PromptCache => accept::prompt_beginning(asked.call).map(|beginning| affinity::hash(&beginning)),
    }
}
