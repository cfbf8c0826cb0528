//! THE LINE: what becomes of a balanced call, one statement per step. Each step takes the value of the one before it;
//! the first refusal ends the line and is answered in the caller's shape.

mod charges;
mod learn;
mod limits;
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
use gateway_core::candidate::{Attempt, Candidates, Named, ResponseOwner, Skip, Skipped};
use gateway_core::catalog::{Egress, Model, Strategy};
use gateway_core::count;
use gateway_core::dialect::Dialect;
use gateway_core::echo;
use gateway_core::failover::{self, Decision, Failover, RetryContext};
use gateway_core::headers;
use gateway_core::health::{Subject, Subjects};
use gateway_core::models;
use gateway_core::observe::Observer;
use gateway_core::operation::Operation;
use gateway_core::outcome::{self, JudgeContext, Outcome, UpstreamError};
use gateway_core::quota::Seen;
use gateway_core::record::DecisionRecord;
use gateway_core::redact;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::rewrite::{self, Destination};
use gateway_core::route::{egress_resting, probed};
use gateway_core::state::State;
use gateway_core::uri;
use gateway_core::verdict::Verdict;
use spin_sdk::wasip3::http::types;

use crate::host::{self, Pulse};
use crate::incoming::Incoming;
use crate::relay::{self, Ended, Ready};
use crate::send::{self, Answer, Terms};
use crate::store::catalog::{self, Freshness, Snapshot};
use crate::store::health::Took;
use crate::store::{health, quota, responses};

use charges::Charged;
use learn::{end, is_able, learn};
pub(crate) use open::OpenCall;
pub(crate) use plan::{PlanRequest, plan};
pub(crate) use stored::stored;
pub(crate) use trial::Trial;
use wait::Wait;

/// Serves a balanced call of a caller who is known. `parameter` is what stood in the path where a model may stand.
pub(crate) async fn call(
    operation: Operation,
    parameter: &str,
    incoming: Incoming,
    caller: Caller,
    snapshot: Rc<Snapshot>,
) -> types::Response {
    let open = OpenCall::begin(&incoming, operation, &caller, &snapshot.catalog);
    let incoming = Rc::new(incoming);
    let parameter = parameter.to_owned();
    let line = {
        let (incoming, open) = (incoming.clone(), open.clone());
        Box::pin(async move {
            line(operation, &parameter, &incoming, &caller, snapshot, &open).await.unwrap_or_else(|refusal| {
                let reply = refusal.reply(Shape::Dialect(operation.dialect()), &incoming.id);
                open.answered(refusal.state, &reply, Some(refusal.message));
                Ready::Reply(with_ids(reply, &open, None))
            })
        })
    };
    let mut pulse = Pulse::default();
    let first = {
        let head_due = std::pin::pin!(open.head_due(&mut pulse));
        match select(line, head_due).await {
            Either::Left((ready, _)) => Either::Left(ready),
            Either::Right(late) => Either::Right(late),
        }
    };
    match first {
        Either::Left(ready) => relay::respond(&incoming, ready, pulse),
        Either::Right((keep_alive_ms, line)) => {
            open.head(200);
            let dialect = operation.dialect();
            let (id, start_ms, deadline_ms) = (incoming.id.clone(), incoming.start_ms, u64::MAX);
            let is_chat = operation.is_chat();
            let terms = relay::Terms { dialect, id, start_ms, deadline_ms, keep_alive_ms, is_chat };
            let headers = ids(&open, None);
            let left = {
                let open = open.clone();
                move || open.left()
            };
            relay::respond_early(&incoming, headers, terms, line, left)
        }
    }
}

async fn line(
    operation: Operation,
    parameter: &str,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: Rc<Snapshot>,
    open: &OpenCall,
) -> Result<Ready, Refusal> {
    if headers::hops(&incoming.headers) >= headers::HOPS_MAX {
        return Err(Refusal::loop_detected(headers::HOPS_MAX));
    }
    let body = incoming.body().await?;
    let head = accept::Head {
        model: if parameter.is_empty() { None } else { Some(uri::decode_parameter(parameter).unwrap_or_default()) },
        content_type: incoming.header("content-type").unwrap_or_default().as_bytes(),
        query: incoming.query.as_deref(),
    };
    let call = accept::call(operation, head, body.bytes)?;
    open.asked(&call);
    let (snapshot, model) = find_model(&call, caller, snapshot).await?;
    health::count_call(&model.name);
    let (is_test, probing) = (false, RefCell::default());
    let owner = responses::owner_before(&call, caller.key()).await?;
    let headers = &incoming.headers;
    let (call, snapshot, wait) = (&call, &snapshot, Wait::new(&model));
    let context =
        CallContext { is_test, probing, wait, call, caller, incoming, headers, open, snapshot, model: &model, owner };
    let mut candidates = context.route().await;
    if operation.counts_tokens() && candidates.list.is_empty() {
        return Ok(context.estimate());
    }
    let asking = (call, incoming.id.as_str());
    open.charged(charges::reserve_key(asking, caller.key(), snapshot, (&model, &candidates)).await?);
    loop {
        match context.walk(candidates).await? {
            WalkResult::Relayed(ready) => return Ok(ready),
            WalkResult::Exhausted(skipped) => {
                if !context.time_left() || !context.wait.for_slot(&skipped).await {
                    return Err(context.exhausted(&skipped));
                }
            }
            WalkResult::Answered(state, mut reply, target) => {
                let is_limit = state == State::RateLimitedUpstream;
                let kept_back = if is_limit { context.all_kept_back() } else { Vec::new() };
                if !is_limit || !context.time_left() || !context.wait.for_slot(&kept_back).await {
                    failover::come_back(&mut reply, &kept_back, host::unix_ms());
                    open.answered(state, &reply, Some(format!("{target} answered {}.", reply.status)));
                    return Ok(Ready::Reply(with_ids(reply, open, Some(&target))));
                }
            }
        }
        candidates = context.route().await;
    }
}

/// The model, from a snapshot that is certain to be new before anything is refused.
async fn find_model(
    call: &Call,
    caller: &Caller,
    mut snapshot: Rc<Snapshot>,
) -> Result<(Rc<Snapshot>, Arc<Model>), Refusal> {
    let mut found = snapshot.catalog.model(&call.model).cloned();
    if found.is_none() {
        snapshot = catalog::current(Freshness::Now).await?;
        found = snapshot.catalog.model(&call.model).cloned();
    }
    let model = found.ok_or_else(|| models::unknown(&call.model))?;
    check_model(caller, &model.name, &call.model, &snapshot.catalog)?;
    Ok((snapshot, model))
}

/// What every attempt of a call has in common.
struct CallContext<'c> {
    /// It is a test by an administrator.
    is_test: bool,
    /// What this call probes, while it does.
    probing: RefCell<Vec<Subject>>,
    /// What it may still wait for a slot.
    wait: Wait,
    call: &'c Call,
    caller: &'c Caller,
    incoming: &'c Incoming,
    /// What the client said beside the body.
    headers: &'c [(String, Vec<u8>)],
    open: &'c OpenCall,
    snapshot: &'c Rc<Snapshot>,
    /// The model asked for.
    model: &'c Model,
    /// Who made the response that the call goes on from.
    owner: Option<ResponseOwner>,
}

/// An attempt and what came of it.
struct AttemptResult {
    attempt: Attempt,
    /// What messages call it.
    target: String,
    subjects: Subjects,
    /// Unix milliseconds.
    started_at_ms: i64,
    outcome: Outcome,
    answer: Option<UpstreamAnswer>,
    verdict: Verdict,
    charged: Option<Charged>,
}

/// What came of all candidates.
enum WalkResult {
    /// One answers.
    Relayed(Ready),
    /// All that there is for the caller is this answer, from this target.
    Answered(State, Reply, String),
    /// None could be asked.
    Exhausted(Vec<Skipped>),
}

/// What came of sending, and the answer where there is one.
type Sent = (Outcome, Option<UpstreamAnswer>);

/// An answer that can be relayed.
enum UpstreamAnswer {
    /// From an upstream.
    Streaming(Box<Answer>),
    /// From the built-in provider.
    Whole(Reply),
}

/// A call that is dropped while it probes leaves the probe to the next one.
impl Drop for CallContext<'_> {
    fn drop(&mut self) {
        self.probing.take().iter().for_each(health::give_up_probe);
    }
}

impl CallContext<'_> {
    fn deadline_ms(&self) -> u64 {
        self.incoming.start_ms.saturating_add(self.model.timeouts.total_ms)
    }

    fn time_left(&self) -> bool {
        host::now_ms() < self.deadline_ms()
    }

    fn plan_request(&self) -> PlanRequest<'_> {
        let session = accept::session_in(self.headers).or(self.call.session.as_deref());
        let (call, model, key) = (self.call, self.model, self.caller.key());
        PlanRequest { call, model, session, key, owner: self.owner.as_ref(), at: quota::moment(self.snapshot) }
    }

    /// Step 3.
    async fn route(&self) -> Candidates {
        health::look().await;
        let (request, catalog) = (self.plan_request(), &self.snapshot.catalog);
        let candidates = health::with(|health, rotation| plan(&request, catalog, health, host::draw(), rotation));
        let decision = DecisionRecord::of(&candidates);
        self.open.decided(self.model, DecisionRecord { waited_ms: self.wait.waited_ms(), ..decision });
        candidates
    }

    /// Why no target could be asked at this moment; nothing where one could.
    fn all_kept_back(&self) -> Vec<Skipped> {
        let request = self.plan_request();
        let candidates = health::rehearse(|health, turn| plan(&request, &self.snapshot.catalog, health, 0, turn));
        if candidates.list.is_empty() { candidates.skipped } else { Vec::new() }
    }

    /// Steps 4 and 5 for one candidate after the other, until one answers.
    async fn walk(&self, candidates: Candidates) -> Result<WalkResult, Refusal> {
        let dialect = self.call.operation.dialect();
        let mut failover = Failover::new(candidates.list, self.model.attempts, dialect, self.incoming.id.clone());
        let Some(mut attempt) = failover.first() else { return Ok(WalkResult::Exhausted(candidates.skipped)) };
        loop {
            let mut result = self.attempt(attempt).await;
            match self.judge(&mut failover, &mut result) {
                Decision::Relay => return Ok(WalkResult::Relayed(self.relay(result, failover))),
                Decision::Try(next, after_ms) => {
                    if after_ms > 0 {
                        host::wait_ms(after_ms).await;
                    }
                    attempt = next;
                }
                Decision::Refuse(refusal) => return Err(refusal),
                Decision::Exhausted(not_sent) => {
                    return Ok(WalkResult::Exhausted(candidates.skipped.into_iter().chain(not_sent).collect()));
                }
                Decision::Answer(state, reply) => return Ok(WalkResult::Answered(state, reply, result.target)),
            }
        }
    }

    /// Steps 4 and 5 for one target, and what health and the record learn of it.
    async fn attempt(&self, attempt: Attempt) -> AttemptResult {
        let to = attempt.named();
        let subjects = health::peek(|health| Subjects::to(to, health));
        let target = to.name();
        let started_ms = host::now_ms();
        let started_at_ms = host::unix_ms();
        let (outcome, answer, charged) = match self.rewrite(to) {
            Err(skip) => (Outcome::NotSent(skip), None, None),
            Ok(destination) => match self.reserve(to, &subjects).await {
                Err(skip) => (Outcome::NotSent(skip), None, None),
                Ok(charged) => {
                    self.wait.served();
                    self.open.sent();
                    let (outcome, answer) = self.send(destination, to, started_ms).await;
                    (outcome, answer, charged)
                }
            },
        };
        let verdict = self.verdict(&outcome, to);
        let progress = outcome::progress(&outcome, verdict);
        self.open.reached(progress);
        if let Outcome::NotSent(skip) = &outcome {
            self.open.skipped(skip.clone().of(target.clone()));
        }
        let words = match &outcome {
            Outcome::Answered(error) => outcome::words(error, verdict, to.credential),
            _ => None,
        };
        self.open.attempted(to, self.call.operation, &outcome, verdict.class, words.as_deref(), started_ms);
        let took = self.took(host::now_ms().saturating_sub(started_ms));
        learn(&subjects, &outcome, verdict, words.as_deref(), started_at_ms, took);
        limits::note(&subjects, &outcome, answer.as_ref());
        // What was reserved for an attempt without an answer is corrected at once.
        let charged = charged.and_then(|charged| match outcome {
            Outcome::Head(_) => Some(charged),
            _ => {
                charged.end(progress);
                None
            }
        });
        AttemptResult { attempt, target, subjects, started_at_ms, outcome, answer, verdict, charged }
    }

    /// Whole answers take as long as they are, so only who orders targets by it wants to know.
    fn took(&self, ms: u64) -> Took {
        match self.call.streamed {
            true => Took::FirstContent(ms),
            false if self.model.strategy == Strategy::Latency => Took::Whole(ms),
            false => Took::Unknown,
        }
    }

    fn verdict(&self, outcome: &Outcome, to: Named<'_>) -> Verdict {
        let is_clients_model = to.target.model.is_none();
        outcome::verdict(
            outcome,
            JudgeContext { rules: &to.provider.errors, request: &self.call.body, is_clients_model },
        )
    }

    /// What an attempt has to have before it is sent: a way out, which an earlier attempt of this call may have found
    /// closed, the probe of a target that was out of order, and its quotas.
    async fn reserve(&self, to: Named<'_>, of: &Subjects) -> Result<Option<Charged>, Skip> {
        let egress = to.provider.egress_of(to.credential);
        let held = self.probing.borrow().clone();
        if let Some(skip) = health::peek(|health| egress_resting(health, of, egress, &held, host::unix_ms())) {
            return Err(skip);
        }
        // Whoever is tested is tried whatever health says.
        if !self.is_test {
            self.probe(of, egress).await?;
        }
        let reserved = charges::reserve((self.call, &self.incoming.id), to, self.snapshot).await;
        if let Ok(Some(charged)) = &reserved {
            if charged.is_late {
                self.open.warn(charges::QUOTA_UNKNOWN.to_owned());
            }
            if charged.lacks_price() {
                self.open.warn(charges::PRICE_UNKNOWN.to_owned());
            }
        }
        reserved
    }

    /// Takes the probes that the attempt needs: one call at a time finds out whether somebody works again. Those that
    /// this call has already are good for its further attempts too.
    async fn probe(&self, of: &Subjects, egress: Option<&Egress>) -> Result<(), Skip> {
        for subject in health::peek(|health| health.probes_due(of.all(), host::unix_ms())) {
            let taken = |until_ms| health::peek(|health| probed(health, of, egress, &subject, until_ms));
            health::claim_probe(&subject).await.map_err(taken)?;
            self.probing.borrow_mut().push(subject);
        }
        Ok(())
    }

    /// A probe ends when its call leaves whom it tries, or has its answer.
    fn end_probes(&self, decision: &Decision) {
        let next = match decision {
            Decision::Try(next, _) => Some(health::peek(|health| Subjects::to(next.named(), health))),
            _ => None,
        };
        let is_next = |subject: &Subject| next.as_ref().is_some_and(|of| of.all().any(|other| other == subject));
        let (kept, over) = self.probing.take().into_iter().partition::<Vec<_>, _>(is_next);
        over.iter().for_each(health::give_up_probe);
        self.probing.replace(kept);
    }

    /// Step 4, and what it had to leave out.
    fn rewrite(&self, to: Named<'_>) -> Result<Destination, Skip> {
        let identity = rewrite::ResponseIdentity { id: &self.incoming.id, created_s: self.incoming.at_ms / 1000 };
        let mut destination = rewrite::request(self.call, self.headers, to, identity)?;
        if let Destination::Http(outgoing) = &mut destination {
            std::mem::take(&mut outgoing.warnings).into_iter().for_each(|warning| self.open.warn(warning));
        }
        Ok(destination)
    }

    async fn send(&self, destination: Destination, to: Named<'_>, now_ms: u64) -> Sent {
        let incoming = self.incoming;
        let outgoing = match destination {
            Destination::Http(outgoing) => outgoing,
            Destination::Echo(upstream_model) => {
                let reply = echo::answer(self.call, &upstream_model, &incoming.id, incoming.at_ms / 1000);
                if reply.status >= 300 {
                    let Reply { status, headers, body } = reply;
                    let dialect = self.call.operation.dialect();
                    return (Outcome::Answered(UpstreamError { status, headers, body, hint: None, dialect }), None);
                }
                return (Outcome::Head(reply.status), Some(UpstreamAnswer::Whole(reply)));
            }
        };
        let terms = Terms {
            timeouts: &self.model.timeouts,
            streamed: self.call.streamed,
            left_ms: self.deadline_ms().saturating_sub(now_ms).max(1),
            start_ms: incoming.start_ms,
            id: &incoming.id,
            error_match: &to.provider.error_match,
            is_chat: self.call.operation.is_chat(),
        };
        let (mut outcome, answer) = send::attempt(outgoing, &terms).await;
        if let Outcome::Answered(error) = &mut outcome {
            redact::hide_secret(&mut error.body, to.credential);
        }
        (outcome, answer.map(|answer| UpstreamAnswer::Streaming(Box::new(answer))))
    }

    fn judge(&self, failover: &mut Failover, result: &mut AttemptResult) -> Decision {
        let now_ms = host::unix_ms();
        // The head stays for whoever relays; everything else is the machine's.
        let outcome = std::mem::replace(&mut result.outcome, Outcome::Head(200));
        let decision = health::with_budget(&self.model.name, |health, budget| {
            let able = |attempt: &Attempt| is_able(health, &Subjects::to(attempt.named(), health), now_ms);
            let retry =
                RetryContext { time_left: self.time_left(), now_ms, jitter: host::fraction(), budget, able: &able };
            failover.judge(&result.target, outcome, result.verdict, retry)
        });
        self.end_probes(&decision);
        decision
    }

    /// Steps 6 and 7. Taking the failover by value is what makes this the commit point.
    fn relay(&self, result: AttemptResult, _committed: Failover) -> Ready {
        let (incoming, open, dialect) = (self.incoming, self.open, self.call.operation.dialect());
        match result.answer {
            Some(UpstreamAnswer::Streaming(mut answer)) => {
                open.head(answer.status);
                answer.headers.extend(ids(open, Some(&result.target)));
                let open = open.clone();
                let made = self.will_be_kept(&result.attempt);
                let AttemptResult { attempt, subjects, started_at_ms, charged, .. } = result;
                let ended = move |mut ended: Ended| async move {
                    end(&mut ended, &attempt, &subjects, started_at_ms);
                    if let (Some((key, owner)), Some(id)) = (made, ended.observation.response_id.take()) {
                        responses::save(id, &key, owner).await;
                    }
                    // First, since somebody may wait for the slot.
                    if let Some(charged) = charged {
                        let seen = Seen::from(&ended.observation);
                        if charged.is_estimated(&seen) {
                            open.warn(charges::USAGE_ESTIMATED.to_owned());
                        }
                        charged.settle(&seen).await;
                    }
                    open.relayed(ended).await;
                };
                let terms = relay::Terms {
                    dialect,
                    id: incoming.id.clone(),
                    start_ms: incoming.start_ms,
                    deadline_ms: self.deadline_ms(),
                    keep_alive_ms: self.model.timeouts.keep_alive_ms,
                    is_chat: self.call.operation.is_chat(),
                };
                Ready::Answer(answer, terms, Box::new(|seen| Box::pin(ended(seen))))
            }
            Some(UpstreamAnswer::Whole(reply)) => {
                let mut observer = Observer::new(dialect, self.call.as_array, &reply.headers);
                observer.see(&reply.body, host::now_ms().saturating_sub(incoming.start_ms));
                open.head(reply.status);
                open.observed(observer.finish());
                open.answered(State::Ok, &reply, None);
                Ready::Reply(with_ids(reply, open, Some(&result.target)))
            }
            None => Ready::Reply(no_answer(open, dialect)),
        }
    }

    /// For whom, and by whom, an answer is made that its provider keeps.
    fn will_be_kept(&self, attempt: &Attempt) -> Option<(String, ResponseOwner)> {
        let to = attempt.named();
        if !self.call.is_stored || to.translated_to(self.call.operation).is_some() {
            return None;
        }
        let credential = to.credential.map(|credential| credential.id.to_string());
        Some((self.caller.name().to_owned(), ResponseOwner { provider: to.provider.name.to_string(), credential }))
    }

    /// The answer to a call that counts tokens, of which no provider can be asked.
    fn estimate(&self) -> Ready {
        let reply = count::estimate(self.call);
        self.open.warn("estimated".to_owned());
        self.open.answered(State::Ok, &reply, None);
        Ready::Reply(with_ids(reply, self.open, None))
    }

    fn exhausted(&self, skipped: &[Skipped]) -> Refusal {
        failover::exhausted(&self.model.name, skipped, Some(&self.open.id()), host::unix_ms())
    }
}

/// A head without an answer cannot be: [`send::attempt`] gives both. Answered all the same, since a trap would cut
/// every other stream of the instance.
fn no_answer(open: &OpenCall, dialect: Dialect) -> Reply {
    let refusal = Refusal::bad_gateway(State::UpstreamError, "The provider's answer was lost. Try again.");
    let reply = refusal.reply(Shape::Dialect(dialect), &open.id());
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
    // OpenAI's clients look for the one name, Anthropic's for the other.
    let names = ["x-llmio-record", "x-request-id", "request-id"];
    let mut headers: Vec<_> = names.map(|name| (name.to_owned(), id.clone().into_bytes())).into();
    if let Some(target) = target {
        headers.push(("x-llmio-target".to_owned(), target.as_bytes().to_vec()));
    }
    headers
}
