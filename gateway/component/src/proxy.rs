//! THE LINE: what becomes of a balanced call, one statement per step. Each step takes the value of the one before it;
//! the first refusal ends the line and is answered in the caller's shape.

mod charges;
mod open;
mod plan;

use std::rc::Rc;

use gateway_core::accept::{self, Call, Operation};
use gateway_core::authenticate::{Caller, may_use};
use gateway_core::catalog::Model;
use gateway_core::echo;
use gateway_core::failover::{
    self, Attempt, Chance, Class, Decision, Failover, Outcome, SendError, UpstreamError, Verdict,
};
use gateway_core::observe::{Observer, Usage};
use gateway_core::record::{DecisionRecord, State};
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::rewrite::{self, Destination, Named};
use gateway_core::route::health::{Availability, Health, Subjects};
use gateway_core::route::{Skip, SkipReason, Skipped};
use spin_sdk::wasip3::{self, http::types};

use crate::host;
use crate::incoming::Incoming;
use crate::models;
use crate::relay::{self, Ended};
use crate::send::{self, Answer, Terms};
use crate::store::catalog::{self, Freshness, Snapshot};
use crate::store::{health, quota};

use charges::Charged;
use open::OpenCall;
pub(crate) use plan::{Asked, plan};

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
    health::look().await;
    health::count_call(&model.name);
    let session = accept::session_in(&incoming.headers).or(call.session.as_deref());
    let asked = Asked { call: &call, index, session, key: caller.key(), at: quota::moment(&snapshot) };
    let candidates = health::with(|health, rotation| plan(&asked, &snapshot.catalog, health, host::draw(), rotation));
    open.decided(model, DecisionRecord::of(&candidates, &snapshot.catalog, index, &call.model));
    let course = Course { call: &call, incoming, open, snapshot: &snapshot, index, model };
    open.charged(charges::reserve_key(&call, caller.key(), &snapshot).await?);
    let mut failover = Failover::new(candidates.list, model.attempts);
    let mut attempt = failover.first().ok_or_else(|| course.exhausted(&candidates.skipped, Vec::new()))?;
    loop {
        let tried = course.attempt(attempt).await?;
        match course.judge(&mut failover, &tried) {
            Decision::Relay => return Ok(course.relay(tried, failover)),
            Decision::Try(next, after_ms) => {
                if after_ms > 0 {
                    host::wait_ms(after_ms).await;
                }
                attempt = next;
            }
            Decision::Refuse(refusal) => return Err(refusal),
            Decision::Exhausted(not_sent) => return Err(course.exhausted(&candidates.skipped, not_sent)),
            Decision::Answer(state, reply) => {
                open.answered(state, &reply, None);
                return Ok(relay::reply(incoming, with_ids(reply, open, Some(&tried.target))));
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

/// What every attempt of a call has in common.
struct Course<'c> {
    call: &'c Call,
    incoming: &'c Incoming,
    open: &'c OpenCall,
    snapshot: &'c Rc<Snapshot>,
    /// The model asked for.
    index: usize,
    model: &'c Model,
}

/// An attempt and what came of it.
struct Tried {
    attempt: Attempt,
    /// What messages call it.
    target: String,
    subjects: Subjects,
    outcome: Outcome,
    given: Option<Given>,
    verdict: Verdict,
    charged: Option<Charged>,
}

/// An answer that can be relayed.
enum Given {
    /// From an upstream.
    Streaming(Answer),
    /// From the built-in provider.
    Whole(Reply),
}

impl Course<'_> {
    fn deadline_ms(&self) -> u64 {
        self.incoming.start_ms.saturating_add(self.model.timeouts.total_ms)
    }

    fn named(&self, attempt: Attempt) -> Option<Named<'_>> {
        rewrite::named(attempt, self.index, &self.call.model, &self.snapshot.catalog)
    }

    /// Steps 4 and 5 for one target, and what health and the record learn of it.
    async fn attempt(&self, attempt: Attempt) -> Result<Tried, Refusal> {
        let to = self.named(attempt).ok_or_else(|| self.exhausted(&[], Vec::new()))?;
        let subjects = subjects(to);
        let target = format!("{}/{}", to.provider.name, to.upstream_model);
        let started_ms = host::now_ms();
        let (outcome, given, charged) = match self.reserve(attempt, to, &subjects).await {
            Err(skip) => (Outcome::NotSent(skip), None, None),
            Ok(charged) => {
                let (outcome, given) = self.send(to, started_ms).await?;
                (outcome, given, charged)
            }
        };
        let verdict = failover::verdict(&outcome, &to.provider.errors);
        self.open.attempted(to, &outcome, verdict.class, started_ms);
        learn(attempt, &subjects, &outcome, verdict, host::now_ms().saturating_sub(started_ms));
        let charged = charged.and_then(|charged| give_back(charged, &outcome));
        Ok(Tried { attempt, target, subjects, outcome, given, verdict, charged })
    }

    /// What an attempt has to have before it is sent: the probe of a target that was out of order, and its quotas.
    async fn reserve(&self, attempt: Attempt, to: Named<'_>, of: &Subjects) -> Result<Option<Charged>, Skip> {
        if attempt.probe {
            let taken = |until_ms| Skip::new(SkipReason::Probing, Some(until_ms));
            health::claim_probe(&of.target).await.map_err(taken)?;
        }
        let reserved = charges::reserve(self.call, to, self.snapshot).await;
        match &reserved {
            Err(_) if attempt.probe => health::give_up_probe(&of.target),
            Ok(Some(charged)) if charged.is_late => self.open.warn(charges::QUOTA_UNKNOWN),
            _ => {}
        }
        reserved
    }

    async fn send(&self, to: Named<'_>, now_ms: u64) -> Result<(Outcome, Option<Given>), Refusal> {
        let incoming = self.incoming;
        let outgoing = match rewrite::request(self.call, &incoming.headers, to)? {
            Destination::Http(outgoing) => outgoing,
            Destination::Echo(upstream_model) => {
                let reply = echo::answer(self.call, &upstream_model, &incoming.id, incoming.at_ms / 1000);
                if reply.status >= 300 {
                    let Reply { status, headers, body } = reply;
                    return Ok((Outcome::Answered(UpstreamError { status, headers, body, hint: None }), None));
                }
                return Ok((Outcome::Head(reply.status), Some(Given::Whole(reply))));
            }
        };
        let terms = Terms {
            timeouts: &self.model.timeouts,
            streamed: self.call.streamed,
            left_ms: self.deadline_ms().saturating_sub(now_ms).max(1),
            start_ms: incoming.start_ms,
            id: &incoming.id,
            error_match: &to.provider.error_match,
        };
        let (mut outcome, answer) = send::attempt(outgoing, &terms).await;
        if let Outcome::Answered(error) = &mut outcome {
            rewrite::hide_secret(&mut error.body, to.credential);
        }
        Ok((outcome, answer.map(Given::Streaming)))
    }

    fn judge(&self, failover: &mut Failover, tried: &Tried) -> Decision {
        let now_ms = host::unix_ms();
        health::with_budget(&self.model.name, |health, budget| {
            let able =
                |attempt: &Attempt| self.named(*attempt).is_some_and(|to| is_able(health, &subjects(to), now_ms));
            let chance = Chance {
                time_left: host::now_ms() < self.deadline_ms(),
                now_ms,
                jitter: host::fraction(),
                budget,
                able: &able,
            };
            failover.judge(&tried.target, tried.outcome.clone(), tried.verdict, chance)
        })
    }

    /// Steps 6 and 7. Taking the failover by value is what makes this the commit point.
    fn relay(&self, tried: Tried, _committed: Failover) -> types::Response {
        let (incoming, open) = (self.incoming, self.open);
        match tried.given {
            Some(Given::Streaming(mut answer)) => {
                open.head(answer.status);
                answer.headers.extend(ids(open, Some(&tried.target)));
                if incoming.header("origin").is_some() {
                    answer.headers.push(("access-control-allow-origin".into(), b"*".to_vec()));
                }
                let (open, snapshot) = (open.clone(), self.snapshot.clone());
                let Tried { attempt, subjects, charged, .. } = tried;
                let ended = move |mut ended: Ended| async move {
                    end(&mut ended, attempt, &subjects, &snapshot);
                    let usage = ended.observation.usage;
                    open.relayed(ended).await;
                    if let Some(charged) = charged {
                        charged.settle(&usage).await;
                    }
                };
                relay::answer(answer, incoming.start_ms, self.deadline_ms(), ended)
            }
            Some(Given::Whole(reply)) => {
                let mut observer = Observer::new(&reply.headers);
                observer.see(&reply.body, host::now_ms().saturating_sub(incoming.start_ms));
                open.head(reply.status);
                open.observed(observer.finish());
                open.answered(State::Ok, &reply, None);
                relay::reply(incoming, with_ids(reply, open, Some(&tried.target)))
            }
            None => relay::reply(incoming, no_answer(open)),
        }
    }

    fn exhausted(&self, skipped: &[Skipped], not_sent: Vec<Skipped>) -> Refusal {
        let all: Vec<Skipped> = skipped.iter().cloned().chain(not_sent).collect();
        failover::exhausted(&self.model.name, &all, &self.open.id(), host::unix_ms())
    }
}

fn subjects(to: Named<'_>) -> Subjects {
    Subjects::of(&to.provider.name, to.upstream_model, to.credential.map(|credential| credential.id.as_str()))
}

fn is_able(health: &Health, of: &Subjects, now_ms: i64) -> bool {
    let keys = [&of.target, &of.lane].into_iter().chain(&of.credential);
    keys.into_iter().all(|key| health.availability(key, now_ms) == Availability::Able)
}

/// What was reserved for an attempt that used nothing goes back at once: one that reached nobody or was refused. What
/// fell silent or broke off may have been worked on, so it stays charged.
fn give_back(charged: Charged, outcome: &Outcome) -> Option<Charged> {
    match outcome {
        Outcome::Head(_) => return Some(charged),
        Outcome::Failed(SendError::FirstByteTimeout | SendError::IdleTimeout | SendError::TotalTimeout)
        | Outcome::Failed(SendError::Truncated | SendError::ClientClosed | SendError::Drained) => {
            wasip3::spawn(async move { charged.settle(&Usage::default()).await });
        }
        Outcome::Failed(_) | Outcome::Answered(_) | Outcome::NotSent(_) => charged.refund(),
    }
    None
}

/// What health learns of an outcome before anything reached the client. An answer that has begun may still break off, so
/// it is a success only at its end.
fn learn(attempt: Attempt, of: &Subjects, outcome: &Outcome, verdict: Verdict, took_ms: u64) {
    match outcome {
        Outcome::NotSent(..) => return,
        Outcome::Head(_) => health::begun(of, took_ms),
        Outcome::Answered(error) => health::note(of, verdict, &error.status.to_string()),
        Outcome::Failed(error) => health::note(of, verdict, &error.describe()),
    }
    if attempt.probe {
        health::end_probe(&of.target);
    }
}

/// What health learns of the end of an answer; and what is recorded of an error in it loses the credential it may repeat.
fn end(ended: &mut Ended, attempt: Attempt, of: &Subjects, snapshot: &Snapshot) {
    let Some(to) = rewrite::named(attempt, attempt.model, "", &snapshot.catalog) else { return };
    let rules = &to.provider.errors;
    let (verdict, said) = match (&ended.error, &mut ended.observation.error) {
        (Some(error), _) => (failover::verdict(&Outcome::Failed(error.clone()), rules), error.describe()),
        (None, Some(error)) => {
            error.message = rewrite::without_secret(&error.message, to.credential);
            let (status, body) = (error.status.unwrap_or(502), std::mem::take(&mut error.data));
            let answered = Outcome::Answered(UpstreamError { status, headers: Vec::new(), body, hint: None });
            (failover::verdict(&answered, rules), status.to_string())
        }
        (None, None) => (Verdict::of(Class::Ok), String::new()),
    };
    health::note(of, verdict, &said);
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
