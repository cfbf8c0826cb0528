//! Steps 6 and 7: how a call ends, with an answer that is relayed, with one that is known as a whole, or with a refusal.

use std::rc::Rc;

use gateway_core::candidate::{Attempt, ResponseOwner, Skipped};
use gateway_core::count;
use gateway_core::dialect::Dialect;
use gateway_core::failover::{self, Failover};
use gateway_core::health::Subjects;
use gateway_core::observe::Observer;
use gateway_core::operation::Operation;
use gateway_core::quota::Seen;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::state::State;

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::relay::{Ended, Ready, Terms};
use crate::send::Answer;
use crate::store::responses;

use super::attempt::{Made, UpstreamAnswer};
use super::charges::Charged;
use super::learn::Learner;
use super::open::USAGE_ESTIMATED;
use super::{CallContext, OpenCall};

/// What a record says of a call whose tokens llmio counted itself.
const ESTIMATED: &str = "estimated";

/// A larger request is not kept while its answer is relayed: there may be thousands at once, and what an error within the
/// answer says is then known by its codes alone.
const REQUEST_BYTES_KEPT: usize = 8 << 10;

impl CallContext<'_> {
    /// Steps 6 and 7. Taking the failover by value is what makes this the commit point.
    pub(super) fn relay(&self, made: Made, _committed: Failover) -> Ready {
        let Made { attempt, target, subjects, started_at_ms, answer, charged, .. } = made;
        match answer {
            Some(UpstreamAnswer::Streaming(answer)) => {
                let tail = Tail {
                    instance: self.instance.clone(),
                    open: self.open.clone(),
                    kept_for: self.will_be_kept(&attempt),
                    request: (self.call.body.len() <= REQUEST_BYTES_KEPT).then(|| self.call.body.clone()),
                    attempt,
                    subjects,
                    started_at_ms,
                    charged,
                };
                self.relay_stream(answer, &target, tail)
            }
            Some(UpstreamAnswer::Whole(reply)) => self.relay_whole(reply, &target),
            // A head without an answer cannot be: `send::attempt` gives both. Answered all the same, since a trap would
            // cut every other stream of the instance.
            None => {
                let refusal = Refusal::bad_gateway(State::UpstreamError, "The provider's answer was lost. Try again.");
                refused(self.open, &refusal, self.call.operation.dialect())
            }
        }
    }

    fn relay_stream(&self, mut answer: Box<Answer>, target: &str, tail: Tail) -> Ready {
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
        Ready::Answer(answer, terms, Box::new(|ended| Box::pin(tail.finish(ended))))
    }

    /// The built-in provider's answer.
    fn relay_whole(&self, reply: Reply, target: &str) -> Ready {
        let mut observer = Observer::new(self.call.operation.dialect(), self.call.as_array, &reply.headers);
        observer.see(&reply.body, host::now_ms().saturating_sub(self.incoming.start_ms));
        self.open.head(reply.status);
        self.open.observed(&observer.finish());
        self.open.answered(State::Ok, &reply, None);
        Ready::Reply(with_ids(reply, self.open, Some(target)))
    }

    /// For whom, and by whom, an answer is made that its provider keeps.
    fn will_be_kept(&self, attempt: &Attempt) -> Option<KeptFor> {
        let to = attempt.named();
        if !self.call.is_stored || to.translated_to(self.call.operation).is_some() {
            return None;
        }
        let credential = to.credential.map(|credential| credential.id.to_string());
        let owner = ResponseOwner { provider: to.provider.name.to_string(), credential };
        Some(KeptFor { key: self.caller.name().to_owned(), owner })
    }

    /// An error of a provider's that is all there is for the caller.
    pub(super) fn answered(&self, state: State, mut reply: Reply, target: &str, kept_back: &[Skipped]) -> Ready {
        failover::come_back(&mut reply, kept_back, host::unix_ms());
        self.open.answered(state, &reply, Some(&format!("{target} answered {}.", reply.status)));
        Ready::Reply(with_ids(reply, self.open, Some(target)))
    }

    /// The answer to a call that counts tokens, of which no provider can be asked.
    pub(super) fn estimated(&self) -> Ready {
        let reply = count::estimate(self.call);
        self.open.warn(ESTIMATED);
        self.open.answered(State::Ok, &reply, None);
        Ready::Reply(with_ids(reply, self.open, None))
    }
}

/// Whose response it is that a provider keeps, and who made it.
struct KeptFor {
    key: String,
    owner: ResponseOwner,
}

/// What is left to do once an answer has been relayed.
struct Tail {
    instance: Rc<Instance>,
    open: OpenCall,
    attempt: Attempt,
    subjects: Subjects,
    /// Unix milliseconds.
    started_at_ms: i64,
    /// The request, where it is small: an error within the answer may repeat it.
    request: Option<Vec<u8>>,
    kept_for: Option<KeptFor>,
    charged: Option<Charged>,
}

impl Tail {
    async fn finish(self, mut ended: Ended) {
        let Tail { instance, open, attempt, subjects, started_at_ms, request, kept_for, charged } = self;
        Learner { instance: &instance, subjects: &subjects, started_at_ms }.end(
            &mut ended,
            &attempt,
            request.as_deref(),
        );
        let to = attempt.named();
        if let Some(served) = ended.observation.model.take().filter(|served| !to.is_asked(served)) {
            open.served_other(&served, to.priced_as(&served));
        }
        if let (Some(KeptFor { key, owner }), Some(id)) = (kept_for, ended.observation.response_id.take()) {
            responses::save(&instance, id, &key, owner).await;
        }
        // First, since somebody may wait for the slot.
        if let Some(charged) = charged {
            let seen = Seen::from(&ended.observation);
            if charged.is_estimated(&seen) {
                open.warn(USAGE_ESTIMATED);
            }
            charged.settle(&seen).await;
        }
        open.relayed(ended).await;
    }
}

/// A refusal in the caller's dialect.
pub(super) fn refused(open: &OpenCall, refusal: &Refusal, dialect: Dialect) -> Ready {
    let reply = refusal.reply(Shape::Dialect(dialect), open.id());
    open.answered(refusal.state, &reply, Some(&refusal.message));
    Ready::Reply(with_ids(reply, open, None))
}

/// How the answer to a call is relayed whose client has its head before there is one: until then nothing limits it but the
/// line itself.
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

/// What a client can quote when it asks what happened.
pub(super) fn ids(open: &OpenCall, target: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let id = open.id();
    // OpenAI's clients look for the one name, Anthropic's for the other.
    let names = ["x-llmio-record", "x-request-id", "request-id"];
    let mut headers: Vec<_> = names.map(|name| (name.to_owned(), id.as_bytes().to_vec())).into();
    if let Some(target) = target {
        headers.push(("x-llmio-target".to_owned(), target.as_bytes().to_vec()));
    }
    headers
}
