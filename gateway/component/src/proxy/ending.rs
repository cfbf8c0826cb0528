//! Steps 6 and 7: how a call ends: with a relayed answer, with an answer whose body is known, or with a refusal.

use std::rc::Rc;

use gateway_core::candidate::{Attempt, ResponseOwner, Skipped};
use gateway_core::clock::Now;
use gateway_core::count;
use gateway_core::dialect::Dialect;
use gateway_core::failover::{self, Failover};
use gateway_core::health::Subjects;
use gateway_core::observe::Observer;
use gateway_core::operation::Operation;
use gateway_core::quota::AnswerSummary;
use gateway_core::reasoning_seals::SealMaker;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::state::State;

use crate::announced;
use crate::counters;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::prices;
use crate::relay::{ReadyAnswer, RelayResult, Terms};
use crate::send::{Answer, RestOfAnswer};
use crate::store::catalog::Snapshot;
use crate::store::{responses, seals};

use super::attempt::{MadeAttempt, UpstreamAnswer};
use super::charges::LedgerCharges;
use super::learn::Learner;
use super::open::USAGE_ESTIMATED;
use super::{CallContext, OpenCall};

/// The warning in a record of a call whose tokens llmio counted itself.
const ESTIMATED: &str = "estimated";

/// A larger request is not kept while its answer is relayed, since there may be thousands at once. An error within the
/// answer is then judged by its codes alone.
const REQUEST_BYTES_KEPT: usize = 8 << 10;

impl CallContext<'_> {
    /// Steps 6 and 7. Taking the failover by value makes this the commit point: no other target can be tried
    /// afterwards.
    pub(super) async fn relay(&self, made: MadeAttempt, _committed: Failover) -> ReadyAnswer {
        let MadeAttempt { attempt, target, subjects, started_at, answer, charged, .. } = made;
        match answer {
            Some(UpstreamAnswer::Streaming(answer)) => {
                let tail = CallEnding {
                    instance: self.instance.clone(),
                    snapshot: self.snapshot.clone(),
                    open: self.open.clone(),
                    kept_for: self.note_owner(&attempt, &answer).await,
                    request: (self.call.body.len() <= REQUEST_BYTES_KEPT).then(|| self.call.body.clone()),
                    maker: SealMaker::of(attempt.parts(), self.call.operation),
                    attempt,
                    subjects,
                    started_at,
                    charged,
                };
                self.relay_stream(answer, &target, tail)
            }
            Some(UpstreamAnswer::Whole(reply)) => self.relay_whole(reply, &target),
            // There is no head without an answer, since `send::attempt` returns both. If it happens all the same, the
            // client gets an error, because a panic would cut off every other stream of the instance.
            None => {
                let refusal = Refusal::bad_gateway(State::UpstreamError, "The provider's answer was lost. Try again.");
                refused(self.open, self.incoming, &refusal, self.call.operation.dialect())
            }
        }
    }

    /// Relays a contentless answer, after which other targets may have been asked in vain.
    pub(super) async fn relay_contentless(&self, made: MadeAttempt, committed: Failover) -> ReadyAnswer {
        self.open.served_by(made.attempt.parts(), self.estimate.pieces());
        self.relay(made, committed).await
    }

    /// Notes who made a response that its provider keeps, as soon as its id is known: it may be asked for once its client
    /// has read it. Returns what is to be noted at the end of the answer, if the id comes only then.
    async fn note_owner(&self, attempt: &Attempt, answer: &Answer) -> Option<StoredResponse> {
        let StoredResponse { key, owner } = self.will_be_kept(attempt)?;
        let Some(id) = answer.observer.response_id().map(str::to_owned) else {
            return Some(StoredResponse { key, owner });
        };
        let instance = self.instance.clone();
        let saving = async move { responses::save(&instance, id, &key, owner).await };
        match answer.rest {
            RestOfAnswer::Ended(_) => saving.await,
            // The rest of the answer takes longer than this.
            RestOfAnswer::Reading(_) => host::spawn(saving),
        }
        None
    }

    fn relay_stream(&self, mut answer: Box<Answer>, target: &str, tail: CallEnding) -> ReadyAnswer {
        self.open.head(answer.status);
        answer.headers.extend(ids(self.open, Some(target)));
        let terms = Terms {
            dialect: self.call.operation.dialect(),
            id: self.incoming.id.clone(),
            start_ms: self.incoming.start_ms,
            deadline_ms: self.deadline_ms(),
            keep_alive_ms: self.model.timeouts.keep_alive_ms,
            is_chat: self.call.operation.is_chat(),
        };
        ReadyAnswer::Answer(answer, terms, Box::new(|ended| Box::pin(tail.finish(ended))))
    }

    /// Answers with the built-in provider's answer.
    fn relay_whole(&self, reply: Reply, target: &str) -> ReadyAnswer {
        let mut observer = Observer::new(self.call.operation.dialect(), self.call.as_array, &reply.headers);
        observer.see(&reply.body, host::now_ms().saturating_sub(self.incoming.start_ms));
        self.open.head(reply.status);
        self.open.observed(&observer.finish());
        self.open.answered(State::Ok, &reply, None);
        ReadyAnswer::Reply(with_ids(reply, self.open, Some(target)))
    }

    /// The key and the owner of a response that the provider will store, if it will.
    fn will_be_kept(&self, attempt: &Attempt) -> Option<StoredResponse> {
        let to = attempt.parts();
        if !self.call.is_stored || self.translated_to(to).is_some() {
            return None;
        }
        let credential = to.credential.map(|credential| credential.id.to_string());
        let owner = ResponseOwner { provider: to.provider.name.to_string(), credential };
        Some(StoredResponse { key: self.caller.name().to_owned(), owner })
    }

    /// Refuses the call because no target could be asked.
    pub(super) fn exhausted(&self, skipped: &[Skipped]) -> Refusal {
        failover::exhausted(&self.model.name, skipped, Some(self.open.id()), host::now())
    }

    /// Ends the call with a provider's error, because there is nothing better for the caller.
    pub(super) fn answered(&self, state: State, mut reply: Reply, target: &str, kept_back: &[Skipped]) -> ReadyAnswer {
        failover::come_back(&mut reply, kept_back, host::now());
        self.open.answered(state, &reply, Some(&format!("{target} answered {}.", reply.status)));
        ReadyAnswer::Reply(with_ids(reply, self.open, Some(target)))
    }

    /// Answers a call that counts tokens when no provider can be asked.
    pub(super) fn estimated(&self) -> ReadyAnswer {
        let reply = count::estimate(self.call);
        self.open.warn(ESTIMATED);
        self.open.answered(State::Ok, &reply, None);
        ReadyAnswer::Reply(with_ids(reply, self.open, None))
    }
}

/// A response that its provider stores: the key it belongs to, and the account that made it.
struct StoredResponse {
    key: String,
    owner: ResponseOwner,
}

/// What remains to be done when an answer has been relayed.
struct CallEnding {
    instance: Rc<Instance>,
    snapshot: Rc<Snapshot>,
    open: OpenCall,
    attempt: Attempt,
    subjects: Subjects,
    /// When the attempt began.
    started_at: Now,
    /// The request, if it is small: an error within the answer may repeat parts of it.
    request: Option<Vec<u8>>,
    kept_for: Option<StoredResponse>,
    /// Who sealed the reasoning in the answer, if it holds any.
    maker: Option<SealMaker>,
    charged: Option<LedgerCharges>,
}

impl CallEnding {
    async fn finish(self, mut ended: RelayResult) {
        let CallEnding { instance, snapshot, open, attempt, subjects, started_at, request, .. } = self;
        let (kept_for, maker, charged) = (self.kept_for, self.maker, self.charged);
        Learner { instance: &instance, subjects: &subjects, started_at }.end(&mut ended, &attempt, request.as_deref());
        if let Some(maker) = maker.filter(|_| !ended.observation.seals.is_empty()) {
            seals::save(&instance, &ended.observation.seals, maker).await;
        }
        let to = attempt.parts();
        if let Some(served) = ended.observation.model.take().filter(|served| !to.is_asked(served)) {
            open.served_other(&served, to.priced_as(&served, started_at.wall_ms));
        }
        if let (Some(StoredResponse { key, owner }), Some(id)) = (kept_for, ended.observation.response_id.take()) {
            responses::save(&instance, id, &key, owner).await;
        }
        // This comes first, since another call may be waiting for the slot.
        if let Some(charged) = charged {
            let seen = AnswerSummary::from(&ended.observation);
            if charged.is_estimated(&seen) {
                open.warn(USAGE_ESTIMATED);
            }
            charged.settle(&seen).await;
        }
        open.relayed(ended).await;
        counters::after(&instance, &snapshot, &attempt);
        announced::after(&instance, &attempt);
        prices::after(&instance, &snapshot);
    }
}

/// Ends the call with a refusal in the caller's dialect.
pub(super) fn refused(open: &OpenCall, incoming: &Incoming, refusal: &Refusal, dialect: Dialect) -> ReadyAnswer {
    let refusal = refusal.under(&incoming.base_path);
    let reply = refusal.reply(Shape::Dialect(dialect), open.id());
    open.answered(refusal.state, &reply, Some(&refusal.message));
    ReadyAnswer::Reply(with_ids(reply, open, None))
}

/// The terms of relaying an answer whose client got its head early. Until the answer comes, only the line itself limits
/// how long that takes.
pub(super) fn early_terms(incoming: &Incoming, operation: Operation, keep_alive_ms: u64) -> Terms {
    Terms {
        dialect: operation.dialect(),
        id: incoming.id.clone(),
        start_ms: incoming.start_ms,
        deadline_ms: u64::MAX,
        keep_alive_ms,
        is_chat: operation.is_chat(),
    }
}

fn with_ids(mut reply: Reply, open: &OpenCall, target: Option<&str>) -> Reply {
    reply.headers.extend(ids(open, target));
    reply
}

/// The ids that a client can quote when it asks what happened to a call.
pub(super) fn ids(open: &OpenCall, target: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let id = open.id();
    // Clients of OpenAI look for one name, those of Anthropic for the other.
    let names = ["x-llmio-record", "x-request-id", "request-id"];
    let mut headers: Vec<_> = names.map(|name| (name.to_owned(), id.as_bytes().to_vec())).into();
    if let Some(target) = target {
        headers.push(("x-llmio-target".to_owned(), target.as_bytes().to_vec()));
    }
    headers
}
