//! THE LINE: what becomes of a balanced call, one statement per step. Each step takes the value of the one before it;
//! the first refusal ends the line and is answered in the caller's shape.

mod open;

use std::rc::Rc;

use gateway_core::accept::{self, Call, Operation};
use gateway_core::authenticate::{Caller, may_use};
use gateway_core::catalog::Model;
use gateway_core::echo;
use gateway_core::failover::{Attempt, Decision, Failover, Outcome, UpstreamError};
use gateway_core::observe::Observer;
use gateway_core::record::State;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::rewrite::{self, Destination, Named};
use gateway_core::route::{self, Candidates};
use spin_sdk::wasip3::http::types;

use crate::host;
use crate::incoming::Incoming;
use crate::models;
use crate::relay;
use crate::send::{self, Answer};
use crate::store::catalog::{self, Freshness, Snapshot};

use open::OpenCall;

/// Serves a balanced call of a caller who is known.
pub(crate) async fn call(
    operation: Operation,
    incoming: Incoming,
    caller: Caller,
    snapshot: Rc<Snapshot>,
) -> types::Response {
    let open = OpenCall::begin(&incoming, operation, &caller, &snapshot.catalog);
    match line(operation, &incoming, &caller, snapshot, &open).await {
        Ok(response) => response,
        Err(refusal) => {
            let reply = refusal.reply(Shape::Openai);
            open.answered(refusal.state, &reply, Some(refusal.message));
            relay::reply(&incoming, with_ids(reply, &open, None))
        }
    }
}

async fn line(
    operation: Operation,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: Rc<Snapshot>,
    open: &OpenCall,
) -> Result<types::Response, Refusal> {
    if rewrite::hops(&incoming.headers) >= rewrite::HOPS_MAX {
        return Err(Refusal::loop_detected(rewrite::HOPS_MAX));
    }
    let body = incoming.body().await?;
    let call = accept::body(operation, body.bytes)?;
    open.asked(&call);
    let (snapshot, index) = find_model(&call, caller, snapshot).await?;
    let model = snapshot.catalog.models.get(index).ok_or_else(|| models::unknown(&call.model))?;
    let candidates = route::route(&snapshot.catalog, model, operation.dialect(), host::draw());
    open.decided(&snapshot.catalog, model, &call.model, &candidates);
    let mut failover = begin(candidates, model)?;
    let mut attempt = failover.first().ok_or_else(|| no_target(model))?;
    let deadline_ms = incoming.start_ms.saturating_add(model.timeouts.total_ms);
    loop {
        let to = name(attempt, model, &call, &snapshot)?;
        let started_ms = host::now_ms();
        let (outcome, answer) = send_one(&call, incoming, to, model, deadline_ms, started_ms).await?;
        open.attempted(to, &outcome, started_ms);
        let target = format!("{}/{}", to.provider.name, to.upstream_model);
        match failover.judge(&target, outcome, host::now_ms() < deadline_ms) {
            Decision::Relay => return Ok(relay_answer(answer, failover, incoming, open, &target, deadline_ms)),
            Decision::Try(next) => attempt = next,
            Decision::Refuse(refusal) => return Err(refusal),
            Decision::Answer(state, reply) => {
                open.answered(state, &reply, None);
                return Ok(relay::reply(incoming, with_ids(reply, open, Some(&target))));
            }
        }
    }
}

/// The model, from a snapshot that is certain to be new before anything is refused.
async fn find_model(
    call: &Call,
    caller: &Caller,
    mut snapshot: Rc<Snapshot>,
) -> Result<(Rc<Snapshot>, usize), Refusal> {
    let mut found = snapshot.catalog.model(&call.model);
    if found.is_none() {
        snapshot = catalog::current(Freshness::Now).await?;
        found = snapshot.catalog.model(&call.model);
    }
    let index = found.ok_or_else(|| models::unknown(&call.model))?;
    let name = snapshot.catalog.models.get(index).map(|model| model.name.clone()).unwrap_or_default();
    if !may_use(caller, &name, &snapshot.catalog) && !may_use(caller, &call.model, &snapshot.catalog) {
        let said = format!(
            "Key {:?} may not use model {name:?}. Ask for it in the key's `models`, or use one of GET /v1/models.",
            caller.name()
        );
        return Err(Refusal::forbidden("model_not_allowed", said).about("model"));
    }
    Ok((snapshot, index))
}

fn begin(candidates: Candidates, model: &Model) -> Result<Failover, Refusal> {
    if !candidates.list.is_empty() {
        return Ok(Failover::new(candidates.list, model.attempts));
    }
    let each = candidates.skipped.iter().map(|skipped| {
        let reason = serde_json::to_value(skipped.reason).ok().and_then(|value| value.as_str().map(str::to_owned));
        format!("{}: {}", skipped.target, reason.unwrap_or_default().replace('_', " "))
    });
    let each = each.collect::<Vec<_>>().join("; ");
    let said = format!("No target of model {:?} can be used now ({each}). Mend the catalog.", model.name);
    Err(Refusal::unavailable("no_target", said).ended(State::NoTarget))
}

fn no_target(model: &Model) -> Refusal {
    let said = format!("Model {:?} has no target. Add one in the catalog.", model.name);
    Refusal::unavailable("no_target", said).ended(State::NoTarget)
}

fn name<'s>(attempt: Attempt, model: &'s Model, call: &'s Call, snapshot: &'s Snapshot) -> Result<Named<'s>, Refusal> {
    rewrite::named(attempt, model, &call.model, &snapshot.catalog).ok_or_else(|| no_target(model))
}

/// Steps 4 and 5 for one target.
async fn send_one(
    call: &Call,
    incoming: &Incoming,
    to: Named<'_>,
    model: &Model,
    deadline_ms: u64,
    now_ms: u64,
) -> Result<(Outcome, Option<Given>), Refusal> {
    match rewrite::request(call, &incoming.headers, to)? {
        Destination::Echo(upstream_model) => {
            let reply = echo::answer(call, &upstream_model, &incoming.id, incoming.at_ms / 1000);
            if reply.status >= 300 {
                let Reply { status, headers, body } = reply;
                return Ok((Outcome::Answered(UpstreamError { status, headers, body }), None));
            }
            Ok((Outcome::Head(reply.status), Some(Given::Whole(reply))))
        }
        Destination::Http(outgoing) => {
            let left_ms = deadline_ms.saturating_sub(now_ms).max(1);
            let (mut outcome, answer) =
                send::attempt(outgoing, &model.timeouts, call.streamed, left_ms, &incoming.id).await;
            if let Outcome::Answered(error) = &mut outcome {
                rewrite::hide_secret(&mut error.body, to.credential);
            }
            Ok((outcome, answer.map(Given::Streaming)))
        }
    }
}

/// An answer that can be relayed.
enum Given {
    /// From an upstream.
    Streaming(Answer),
    /// From the built-in provider.
    Whole(Reply),
}

/// Steps 6 and 7. Taking the failover by value is what makes this the commit point.
fn relay_answer(
    given: Option<Given>,
    _committed: Failover,
    incoming: &Incoming,
    open: &OpenCall,
    target: &str,
    deadline_ms: u64,
) -> types::Response {
    match given {
        Some(Given::Streaming(mut answer)) => {
            open.head(answer.status);
            answer.headers.extend(ids(open, Some(target)));
            if incoming.header("origin").is_some() {
                answer.headers.push(("access-control-allow-origin".into(), b"*".to_vec()));
            }
            let open = open.clone();
            relay::answer(answer, incoming.start_ms, deadline_ms, move |ended| open.relayed(ended))
        }
        Some(Given::Whole(reply)) => {
            let mut observer = Observer::new(&reply.headers);
            observer.see(&reply.body, host::now_ms().saturating_sub(incoming.start_ms));
            open.head(reply.status);
            open.observed(observer.finish());
            open.answered(State::Ok, &reply, None);
            relay::reply(incoming, with_ids(reply, open, Some(target)))
        }
        None => relay::reply(incoming, no_answer(open)),
    }
}

/// A head without an answer cannot be: [`send::attempt`] gives both. Answered all the same, since a trap would cut
/// every other stream of the instance.
fn no_answer(open: &OpenCall) -> Reply {
    let refusal = Refusal::bad_gateway(State::UpstreamError, "The provider's answer was lost. Try again.");
    let reply = refusal.reply(Shape::Openai);
    open.answered(refusal.state, &reply, Some(refusal.message));
    reply
}

fn with_ids(mut reply: Reply, open: &OpenCall, target: Option<&str>) -> Reply {
    reply.headers.extend(ids(open, target));
    reply
}

/// What a client can quote when it asks what happened.
fn ids(open: &OpenCall, target: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let id = open.id();
    let mut headers =
        vec![("x-llmio-record".to_owned(), id.clone().into_bytes()), ("x-request-id".to_owned(), id.into_bytes())];
    if let Some(target) = target {
        headers.push(("x-llmio-target".to_owned(), target.as_bytes().to_vec()));
    }
    headers
}
