//! Step 3: the plan of a call, for the line and for `POST /api/route`, which shows it without sending anything.

use std::rc::Rc;

use gateway_core::accept;
use gateway_core::call::{Call, Demand};
use gateway_core::candidate::{AttemptParts, Candidates, ResponseOwner, Skipped};
use gateway_core::catalog::{Catalog, Key, Model, Strategy};
use gateway_core::health::Health;
use gateway_core::quota::{Estimate, Moment};
use gateway_core::reasoning_seals::Makers;
use gateway_core::route::strategy::Rotation;
use gateway_core::route::{self, RouteRequest, affinity};

use crate::host;
use crate::instance::Instance;
use crate::store::quota::{self as ledger, allowances};
use crate::store::{health, signals, turns};

use super::CallContext;

/// What the plan of a call depends on.
pub(crate) struct PlanRequest<'a> {
    pub(crate) call: &'a Call,
    /// What the call may use and cost.
    pub(crate) estimate: &'a Estimate<'a>,
    /// The model that it asks for.
    pub(crate) model: &'a Model,
    /// The client's session.
    pub(crate) session: Option<&'a str>,
    /// The name of the caller's key.
    pub(crate) key: Option<&'a str>,
    /// The maker of the response that the call continues.
    pub(crate) owner: Option<&'a ResponseOwner>,
    /// Who sealed the reasoning in the call.
    pub(crate) makers: &'a Makers,
    /// The time, in the form that quotas need.
    pub(crate) at: Moment,
}

/// The candidates of a call; `draw` is the random number that orders them.
pub(crate) fn plan(
    instance: &Rc<Instance>,
    request: &PlanRequest<'_>,
    catalog: &Catalog,
    health: &Health,
    draw: u64,
    rotation: &mut Rotation,
) -> Candidates {
    let PlanRequest { call, estimate, model, session, at, .. } = *request;
    let spent = |to: AttemptParts<'_>| {
        ledger::with_spent(instance, |spent| {
            // If nothing is known to be spent, the charges need not be worked out.
            let now_ms = at.now.steady_ms;
            if spent.is_calm(now_ms) { None } else { estimate.of_attempt(to, at).known_spent(spent, now_ms) }
        })
    };
    let expires = |to: AttemptParts<'_>| {
        let charges = estimate.draws_on(to, at);
        allowances::with(instance, |allowances| allowances.expires_ms(&charges, at.now.steady_ms))
    };
    if catalog.may_order_by(Strategy::Quota, model) {
        allowances::refresh(instance, catalog, at);
    }
    if catalog.may_order_by(Strategy::Latency, model) {
        signals::look(instance);
    }
    let key = request.key.and_then(|name| catalog.key_named(name));
    let ask = RouteRequest {
        catalog,
        model,
        requested: &call.model,
        operation: call.operation,
        streamed: call.streamed,
        demand: if catalog.is_demanding(model) { estimate.demand() } else { Demand::default() },
        has_safeguards: call.has_safeguards && call.operation.is_chat(),
        avoid: key.map_or(&[], |key: &Key| key.avoid.as_slice()),
        priced_only: key.is_some_and(Key::has_budget) && !call.operation.counts_tokens(),
        pieces: estimate.pieces(),
        affinity_hash: affinity::of(model.affinity, session, || accept::prompt_beginning(call)),
        makers: Some(request.makers),
        health,
        proxies: instance.host.reads_instructions,
        spent: &spent,
        expires: &expires,
        now: at.now,
        draw,
        owner: request.owner,
    };
    route::route(&ask, rotation)
}

/// Takes over what other instances learnt, as far as a plan for this model depends on it. With `is_call` a turn is taken;
/// otherwise it is only looked at.
pub(crate) async fn recall(instance: &Instance, catalog: &Catalog, model: &Model, at: Moment, is_call: bool) {
    if !host::REMEMBERS {
        if catalog.may_order_by(Strategy::Quota, model) {
            allowances::refresh_now(instance, catalog, at).await;
        }
        if catalog.may_order_by(Strategy::Latency, model) {
            signals::look_at_once(instance).await;
        }
    }
    // The last one, so that no other call of the instance has its turn between this and the plan.
    if !instance.host.is_one_process && model.strategy == Strategy::RoundRobin {
        if is_call { turns::take(instance, model).await } else { turns::look(instance, model).await }
    }
}

impl CallContext<'_> {
    /// Looks at what the plan of this call depends on.
    pub(super) async fn look(&self) {
        health::look(self.instance).await;
        if !self.instance.host.is_one_process {
            let at = ledger::moment(self.instance, self.snapshot);
            // Boxed, so that calls on the runner carry no room for it.
            Box::pin(recall(self.instance, &self.snapshot.catalog, self.model, at, true)).await;
        }
    }

    /// The request for the plan of this call.
    pub(super) fn plan_request(&self) -> PlanRequest<'_> {
        PlanRequest {
            call: self.call,
            estimate: &self.estimate,
            model: self.model,
            session: accept::session_in(self.headers).or(self.call.session.as_deref()),
            key: self.caller.key(),
            owner: self.owner.as_ref(),
            makers: &self.makers,
            at: ledger::moment(self.instance, self.snapshot),
        }
    }

    /// Why no target can be asked at this moment; empty if one can.
    pub(super) fn all_kept_back(&self) -> Vec<Skipped> {
        let request = self.plan_request();
        let candidates = health::rehearse(self.instance, |health, turn| {
            plan(self.instance, &request, &self.snapshot.catalog, health, 0, turn)
        });
        if candidates.list.is_empty() { candidates.skipped } else { Vec::new() }
    }
}
