//! THE LINE: how a balanced call is served, one statement for each step. Each step takes the value of the one before
//! it; the first refusal ends the line and is answered in the caller's dialect.

mod attempt;
mod charges;
mod ending;
mod learn;
mod open;
mod plan;
mod stored;
mod trial;
mod wait;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::{Either, select};
use gateway_core::accept;
use gateway_core::authenticate::{Caller, check_model};
use gateway_core::call::Call;
use gateway_core::candidate::{Candidates, ResponseOwner, Skipped};
use gateway_core::catalog::{Key, Model};
use gateway_core::failover::{AttemptLimits, Decision, Failover};
use gateway_core::headers;
use gateway_core::health::Subject;
use gateway_core::models;
use gateway_core::operation::Operation;
use gateway_core::outcome::Outcome;
use gateway_core::pace::Pace;
use gateway_core::quota::Estimate;
use gateway_core::reasoning_seals::Makers;
use gateway_core::record::DecisionRecord;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::state::State;
use gateway_core::uri;

use crate::hold::HeldBytes;
use crate::host::{self, StreamTimer, YieldPoint};
use crate::incoming::{Body, Incoming};
use crate::instance::Instance;
use crate::relay::{self, ReadyAnswer};
use crate::response::Response;
use crate::store::catalog::{self, Freshness, Snapshot};
use crate::store::{health, kept, seals};

pub(crate) use open::{OpenCall, OpenCalls};
pub(crate) use plan::{PlanRequest, plan, recall};
pub(crate) use stored::{account, pass_on, stored};
pub(crate) use trial::Trial;
pub(crate) use wait::Lines;
use wait::Wait;

/// Serves a balanced call. `parameter` is the part of the path that may name a model.
pub(crate) async fn call(
    instance: &Rc<Instance>,
    operation: Operation,
    parameter: &str,
    incoming: Incoming,
    caller: Caller,
    snapshot: Rc<Snapshot>,
) -> Response {
    let open = OpenCall::begin(instance, &incoming, operation, &caller, &snapshot.catalog);
    let incoming = Rc::new(incoming);
    let parameter = parameter.to_owned();
    let line = {
        let (instance, incoming, open) = (instance.clone(), incoming.clone(), open.clone());
        Box::pin(async move {
            let ended = line(&instance, operation, &parameter, &incoming, &caller, snapshot, &open).await;
            ended.unwrap_or_else(|refusal| ending::refused(&open, &incoming, &refusal, operation.dialect()))
        })
    };
    let mut timer = StreamTimer::default();
    let first = {
        let head_due = std::pin::pin!(open.head_due(&mut timer));
        match select(line, head_due).await {
            Either::Left((ready, _)) => Either::Left(ready),
            Either::Right(late) => Either::Right(late),
        }
    };
    match first {
        Either::Left(ready) => relay::respond(instance, &incoming, ready, timer).await,
        Either::Right((keep_alive_ms, line)) => {
            let terms = ending::early_terms(&incoming, operation, keep_alive_ms);
            open.head(200);
            let headers = ending::ids(&open, None);
            relay::respond_early(instance.clone(), &incoming, headers, terms, line, move || open.left())
        }
    }
}

/// Steps 1 to 7.
async fn line(
    instance: &Rc<Instance>,
    operation: Operation,
    parameter: &str,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: Rc<Snapshot>,
    open: &OpenCall,
) -> Result<ReadyAnswer, Refusal> {
    // The memory that the body takes is given back when the call has its answer.
    let (call, _held) = accept(operation, parameter, incoming, &snapshot).await?;
    open.set_call(&call);
    let (snapshot, model) = find_model(instance, &call, caller, snapshot).await?;
    health::count_call(instance, &model.name);
    let yields = YieldPoint::default();
    let pace = |bytes| yields.step(bytes);
    let look = |call: &Call| accept::demand(call, Pace::of(&pace));
    let context = CallContext {
        instance,
        call: &call,
        estimate: Estimate::of(&call, &look),
        caller,
        incoming,
        headers: &incoming.headers,
        open,
        snapshot: &snapshot,
        model: &model,
        owner: kept::owner_of_call(instance, &call, caller.key(), &snapshot.catalog).await?,
        makers: seals::makers(instance, &call).await,
        is_test: false,
        probing: RefCell::default(),
        wait: Wait::new(instance, &model),
    };
    let candidates = context.route().await;
    if operation.counts_tokens() && candidates.list.is_empty() {
        return Ok(context.estimated());
    }
    context.reserve_key(&candidates).await?;
    context.serve(candidates).await
}

/// The rest of step 1: reads the body, and what the call asks for.
async fn accept(
    operation: Operation,
    parameter: &str,
    incoming: &Incoming,
    snapshot: &Snapshot,
) -> Result<(Call, HeldBytes), Refusal> {
    if headers::hops(&incoming.headers) >= headers::HOPS_MAX {
        return Err(Refusal::loop_detected(headers::HOPS_MAX));
    }
    let Body { bytes, held } = incoming.body().await?;
    let yields = YieldPoint::default();
    let pace = |bytes| yields.step(bytes);
    let head = accept::Head {
        model: if parameter.is_empty() { None } else { Some(uri::decode_parameter(parameter).unwrap_or_default()) },
        default_model: snapshot.catalog.default_model(operation).map(str::to_owned),
        content_type: incoming.header("content-type").unwrap_or_default().as_bytes(),
        query: incoming.query.as_deref(),
        pace: Pace::of(&pace),
    };
    Ok((accept::call(operation, head, bytes)?, held))
}

/// Finds the model. Before it is refused as unknown, the newest catalog is read.
async fn find_model(
    instance: &Rc<Instance>,
    call: &Call,
    caller: &Caller,
    mut snapshot: Rc<Snapshot>,
) -> Result<(Rc<Snapshot>, Arc<Model>), Refusal> {
    let mut found = snapshot.catalog.model(&call.model).cloned();
    if found.is_none() {
        snapshot = catalog::current(instance, Freshness::Now).await?;
        found = snapshot.catalog.model(&call.model).cloned();
    }
    let model = found.ok_or_else(|| models::unknown(&call.model))?;
    check_model(caller, &model.name, &call.model, &snapshot.catalog)?;
    Ok((snapshot, model))
}

/// What all attempts of a call have in common.
struct CallContext<'c> {
    instance: &'c Rc<Instance>,
    call: &'c Call,
    /// What the call may use and cost, worked out once.
    estimate: Estimate<'c>,
    caller: &'c Caller,
    incoming: &'c Incoming,
    /// The headers of the client's request.
    headers: &'c [(String, Vec<u8>)],
    open: &'c OpenCall,
    snapshot: &'c Rc<Snapshot>,
    /// The model that was asked for.
    model: &'c Model,
    /// The maker of the response that the call continues, if it continues one.
    owner: Option<ResponseOwner>,
    makers: Makers,
    /// Whether this is a test by an administrator.
    is_test: bool,
    /// The subjects that this call is probing now.
    probing: RefCell<Vec<Subject>>,
    /// How long it may still wait for a free slot.
    wait: Wait,
}

/// How walking the candidates ended.
enum WalkResult {
    /// One of them answers.
    Relayed(ReadyAnswer),
    /// None answers, and this answer of this target is the best there is for the caller.
    Answered(State, Reply, String),
    /// None of them could be asked.
    Exhausted(Vec<Skipped>),
}

/// If a call is dropped while it probes a subject, the next call may probe it.
impl Drop for CallContext<'_> {
    fn drop(&mut self) {
        self.probing.take().iter().for_each(|subject| health::give_up_probe(self.instance, subject));
    }
}

impl CallContext<'_> {
    /// Walks the candidates until one answers. If all are busy and the call may wait, it waits and walks again.
    async fn serve(&self, mut candidates: Candidates) -> Result<ReadyAnswer, Refusal> {
        loop {
            match self.walk(candidates).await? {
                WalkResult::Relayed(ready) => return Ok(ready),
                WalkResult::Exhausted(skipped) => {
                    if !self.time_left() || !self.wait.for_slot(&skipped).await {
                        return Err(self.exhausted(&skipped));
                    }
                }
                WalkResult::Answered(state, reply, target) => {
                    let is_limit = state == State::RateLimitedUpstream;
                    let kept_back = if is_limit { self.all_kept_back() } else { Vec::new() };
                    if !is_limit || !self.time_left() || !self.wait.for_slot(&kept_back).await {
                        return Ok(self.answered(state, reply, &target, &kept_back));
                    }
                }
            }
            candidates = self.route().await;
        }
    }

    /// Step 3: the candidates of the call, in order.
    async fn route(&self) -> Candidates {
        self.look().await;
        let (request, catalog) = (self.plan_request(), &self.snapshot.catalog);
        let draw = self.instance.random.draw();
        let candidates = health::with(self.instance, |health, rotation| {
            plan(self.instance, &request, catalog, health, draw, rotation)
        });
        let decision = DecisionRecord::of(&candidates, self.model.strategy, self.snapshot.version, host::now());
        self.open.decided(self.model, DecisionRecord { waited_ms: self.wait.waited_ms(), ..decision });
        candidates
    }

    /// Steps 4 and 5 for one candidate after the other, until one answers.
    async fn walk(&self, candidates: Candidates) -> Result<WalkResult, Refusal> {
        let dialect = self.call.operation.dialect();
        let turned_away = self.snapshot.catalog.settings.turned_away_max;
        let limits = AttemptLimits { attempts: self.model.attempts, turned_away };
        let mut failover = Failover::new(candidates.list, limits, dialect, self.incoming.id.clone());
        let Some(mut attempt) = failover.first() else { return Ok(WalkResult::Exhausted(candidates.skipped)) };
        let mut contentless = None;
        loop {
            let (made, outcome) = self.attempt(attempt).await;
            let is_contentless = matches!(outcome, Outcome::Contentless(_));
            match self.judge(&mut failover, &made, outcome) {
                Decision::Relay => return Ok(WalkResult::Relayed(self.relay(made, failover).await)),
                Decision::RelayContentless => {
                    let kept = if is_contentless { made } else { contentless.unwrap_or(made) };
                    return Ok(WalkResult::Relayed(self.relay_contentless(kept, failover).await));
                }
                Decision::Try(next, after_ms) => {
                    if is_contentless {
                        contentless = Some(made);
                    }
                    if after_ms > 0 {
                        host::wait_ms(after_ms).await;
                    }
                    attempt = next;
                }
                Decision::Refuse(refusal) => return Err(refusal),
                Decision::Exhausted(not_sent) => {
                    return Ok(WalkResult::Exhausted(candidates.skipped.into_iter().chain(not_sent).collect()));
                }
                Decision::Answer(state, reply) => return Ok(WalkResult::Answered(state, reply, made.target)),
            }
        }
    }

    /// Reserves what the call may use of its key's limits, before anything is sent.
    async fn reserve_key(&self, candidates: &Candidates) -> Result<(), Refusal> {
        let asking = (self.call, &self.estimate, self.incoming.id.as_str());
        let key = self.key();
        let charged = charges::reserve_key(self.instance, asking, key, self.snapshot, (self.model, candidates)).await?;
        self.open.charged(charged);
        Ok(())
    }

    /// The key the call was made with, if it was made with one.
    fn key(&self) -> Option<&Key> {
        self.caller.key().and_then(|name| self.snapshot.catalog.key_named(name))
    }
}
