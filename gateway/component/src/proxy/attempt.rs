//! Steps 4 and 5 for one target: the request it gets, what it has to have before it is sent, and what is learnt of what
//! came.

use gateway_core::accept;
use gateway_core::candidate::{Attempt, Named, Skip};
use gateway_core::catalog::{Egress, Strategy};
use gateway_core::echo;
use gateway_core::failover::{Decision, Failover, RetryContext};
use gateway_core::health::{Subject, Subjects};
use gateway_core::memory;
use gateway_core::outcome::{self, JudgeContext, Outcome, SendError, UpstreamError};
use gateway_core::pace::Pace;
use gateway_core::record::Attempted;
use gateway_core::refusal::Reply;
use gateway_core::rewrite::{self, Destination};
use gateway_core::route::{probed, way_resting};
use gateway_core::verdict::Verdict;

use crate::hold::{Held, TURN_MS_MAX};
use crate::host::{self, Breath};
use crate::send::{self, Answer, Terms};
use crate::store::health::{self, Took};

use super::CallContext;
use super::charges::{self, Charged};
use super::learn::Learner;

/// What a record says when a provider's quota could not be asked.
const QUOTA_UNKNOWN: &str = "quota_unknown";

/// What a record says of an attempt that a credit in money should have paid for, and whose price is not known.
const PRICE_UNKNOWN: &str = "price_unknown";

/// An attempt that was made, but for its outcome.
pub(super) struct Made {
    pub(super) attempt: Attempt,
    /// What messages call its target.
    pub(super) target: String,
    pub(super) subjects: Subjects,
    /// Unix milliseconds.
    pub(super) started_at_ms: i64,
    pub(super) verdict: Verdict,
    /// What can be relayed, where the outcome is a head.
    pub(super) answer: Option<UpstreamAnswer>,
    /// What an answer is charged to; what was reserved for an attempt without one is corrected already.
    pub(super) charged: Option<Charged>,
}

/// An answer that can be relayed.
pub(super) enum UpstreamAnswer {
    /// From an upstream.
    Streaming(Box<Answer>),
    /// From the built-in provider.
    Whole(Reply),
}

/// What came of sending.
struct Sent {
    outcome: Outcome,
    answer: Option<UpstreamAnswer>,
    charged: Option<Charged>,
}

impl Sent {
    fn failed(error: SendError) -> Self {
        Sent { outcome: Outcome::Failed(error), answer: None, charged: None }
    }
}

impl From<Skip> for Sent {
    fn from(skip: Skip) -> Self {
        Sent { outcome: Outcome::NotSent(skip), answer: None, charged: None }
    }
}

impl CallContext<'_> {
    /// Steps 4 and 5 for one target, and what health and the record learn of it.
    pub(super) async fn attempt(&self, attempt: Attempt) -> (Made, Outcome) {
        let to = attempt.named();
        let subjects = self.subjects(to);
        let (started_ms, started_at_ms) = (host::now_ms(), host::unix_ms());
        let sent = match self.rewrite(to).await {
            Err(sent) => sent,
            Ok(destination) => match self.reserve(to, &subjects, started_at_ms).await {
                Err(skip) => skip.into(),
                Ok(charged) => {
                    self.wait.served();
                    self.open.sent();
                    Sent { charged, ..self.send(destination, to, started_ms).await }
                }
            },
        };
        let verdict = self.verdict(&sent.outcome, to);
        let target = to.name();
        let charged = self.note_progress(&sent.outcome, verdict, sent.charged);
        let made = Made { attempt, target, subjects, started_at_ms, verdict, answer: sent.answer, charged };
        self.note(&made, &sent.outcome, started_ms);
        (made, sent.outcome)
    }

    /// What an attempt at this is about.
    fn subjects(&self, to: Named<'_>) -> Subjects {
        health::peek(self.instance, |health| Subjects::to(to, self.call.operation, health))
    }

    /// Step 4, as soon as there is room for what it writes, and what it had to leave out.
    async fn rewrite(&self, to: Named<'_>) -> Result<(Destination, Held), Sent> {
        let bytes = self.call.body.len();
        let mut room = self.incoming.holder.nothing();
        if !room.set_in_turn(bytes, TURN_MS_MAX).await || !memory::has_room_to_translate(bytes) {
            return Err(Sent::failed(SendError::NoRoom));
        }
        let breath = Breath::default();
        let step = |bytes| breath.step(bytes);
        let (id, created_s) = (&self.incoming.id, self.incoming.at_ms / 1000);
        let identity = rewrite::ResponseIdentity { id, created_s, pace: Pace::of(&step) };
        let mut destination = rewrite::request(self.call, self.headers, to, identity, self.is_limited())?;
        if let Destination::Http(outgoing) = &mut destination {
            std::mem::take(&mut outgoing.warnings).iter().for_each(|warning| self.open.warn(warning));
            if !room.set(outgoing.body.capacity()) {
                return Err(Sent::failed(SendError::NoRoom));
            }
        }
        Ok((destination, room))
    }

    /// What an attempt has to have before it is sent: a way out, which an earlier attempt of this call may have found
    /// closed, the probe of a target that was out of order, and its quotas.
    async fn reserve(&self, to: Named<'_>, of: &Subjects, now_ms: i64) -> Result<Option<Charged>, Skip> {
        let egress = to.provider.egress_of(to.credential);
        let resting = |health: &_| way_resting(health, of, egress, &self.probing.borrow(), now_ms);
        if let Some(skip) = health::peek(self.instance, resting) {
            return Err(skip);
        }
        // Whoever is tested is tried whatever health says.
        if !self.is_test {
            self.probe(of, egress, now_ms).await?;
        }
        let asking = (&self.estimate, self.incoming.id.as_str());
        let charged = charges::reserve(self.instance, asking, to, self.snapshot).await?;
        if charged.as_ref().is_some_and(Charged::is_late) {
            self.open.warn(QUOTA_UNKNOWN);
        }
        if charged.as_ref().is_some_and(Charged::lacks_price) {
            self.open.warn(PRICE_UNKNOWN);
        }
        Ok(charged)
    }

    /// Step 5, as far as it touches the world.
    async fn send(&self, (destination, room): (Destination, Held), to: Named<'_>, now_ms: u64) -> Sent {
        let incoming = self.incoming;
        let outgoing = match destination {
            Destination::Http(outgoing) => *outgoing,
            Destination::Echo(upstream_model) => {
                let reply = echo::answer(self.call, &upstream_model, &incoming.id, incoming.at_ms / 1000);
                return self.echoed(reply);
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
            holder: &incoming.holder,
        };
        let (outcome, answer) = send::attempt(self.instance, (outgoing, room), &terms).await;
        let answer = answer.map(|answer| UpstreamAnswer::Streaming(Box::new(answer)));
        Sent { outcome, answer, charged: None }
    }

    /// The built-in provider's answer.
    fn echoed(&self, reply: Reply) -> Sent {
        if reply.status < 300 {
            let outcome = Outcome::Head(reply.status);
            return Sent { outcome, answer: Some(UpstreamAnswer::Whole(reply)), charged: None };
        }
        let Reply { status, headers, body } = reply;
        let error = UpstreamError { status, headers, body, hint: None, dialect: self.call.operation.dialect() };
        Sent { outcome: Outcome::Answered(error), answer: None, charged: None }
    }

    fn verdict(&self, outcome: &Outcome, to: Named<'_>) -> Verdict {
        let is_clients_model = to.target.model.is_none();
        outcome::verdict(
            outcome,
            JudgeContext { rules: &to.provider.errors, request: &self.call.body, is_clients_model },
        )
    }

    /// How far it came. What was reserved for an attempt without an answer is corrected at once.
    fn note_progress(&self, outcome: &Outcome, verdict: Verdict, charged: Option<Charged>) -> Option<Charged> {
        let progress = outcome::progress(outcome, verdict);
        self.open.reached(progress);
        if matches!(outcome, Outcome::Head(_)) {
            return charged;
        }
        if let Some(charged) = charged {
            charged.end(progress);
        }
        None
    }

    /// What the record and this instance learn of it.
    fn note(&self, made: &Made, outcome: &Outcome, started_ms: u64) {
        let to = made.attempt.named();
        if let Outcome::NotSent(skip) = outcome {
            self.open.skipped(skip.clone().of(made.target.clone()));
        }
        let words = match outcome {
            Outcome::Answered(error) => outcome::words(error, made.verdict, to.secrets(), &self.call.body),
            _ => None,
        };
        let words = words.as_deref();
        let (operation, class) = (self.call.operation, made.verdict.class);
        let pieces = self.estimate.pieces();
        self.open.attempted(to, &Attempted { operation, outcome, class, words, started_ms, pieces });
        let took_ms = host::now_ms().saturating_sub(started_ms);
        let learner = made.learner(self);
        learner.outcome(outcome, made.verdict, words, self.took(took_ms));
        learner.limits(outcome, made.headers(), took_ms);
    }

    /// Whole answers take as long as they are, so only who orders targets by it wants to know.
    fn took(&self, ms: u64) -> Took {
        match self.call.streamed {
            true => Took::FirstContent(ms),
            false if self.model.strategy == Strategy::Latency => Took::Whole(ms),
            false => Took::Unknown,
        }
    }

    /// When the call has to be over, on the monotonic clock.
    pub(super) fn deadline_ms(&self) -> u64 {
        self.incoming.start_ms.saturating_add(self.model.timeouts.total_ms)
    }

    /// What follows from an outcome.
    pub(super) fn judge(&self, failover: &mut Failover, made: &Made, outcome: Outcome) -> Decision {
        let now_ms = host::unix_ms();
        let decision = health::with_budget(self.instance, &self.model.name, |health, budget| {
            let operation = self.call.operation;
            let able = |attempt: &Attempt| health.is_able(&Subjects::to(attempt.named(), operation, health), now_ms);
            let jitter = self.instance.chance.fraction();
            let is_repeated = accept::is_repeated(&self.incoming.headers);
            let retry = RetryContext { time_left: self.time_left(), now_ms, jitter, budget, able: &able, is_repeated };
            failover.judge(&made.target, outcome, made.verdict, retry)
        });
        self.end_probes(&decision);
        decision
    }

    /// Takes the probes that the attempt needs: one call at a time finds out whether somebody works again. Those that
    /// this call has already are good for its further attempts too.
    async fn probe(&self, of: &Subjects, egress: Option<&Egress>, now_ms: i64) -> Result<(), Skip> {
        let due = health::peek(self.instance, |health| health.probes_due(of.all(), now_ms));
        for subject in due {
            let taken = |until_ms| health::peek(self.instance, |health| probed(health, of, egress, &subject, until_ms));
            health::claim_probe(self.instance, &subject).await.map_err(taken)?;
            self.probing.borrow_mut().push(subject);
        }
        Ok(())
    }

    /// A probe ends when its call leaves whom it tries, or has its answer.
    fn end_probes(&self, decision: &Decision) {
        let next = match decision {
            Decision::Try(next, _) => Some(self.subjects(next.named())),
            _ => None,
        };
        let is_next = |subject: &Subject| next.as_ref().is_some_and(|of| of.all().any(|other| other == subject));
        let (kept, over) = self.probing.take().into_iter().partition::<Vec<_>, _>(is_next);
        over.iter().for_each(|subject| health::give_up_probe(self.instance, subject));
        self.probing.replace(kept);
    }
}

impl Made {
    fn learner<'m>(&'m self, context: &'m CallContext<'_>) -> Learner<'m> {
        Learner { instance: context.instance, subjects: &self.subjects, started_at_ms: self.started_at_ms }
    }

    /// An upstream's headers.
    fn headers(&self) -> Option<&[(String, Vec<u8>)]> {
        match &self.answer {
            Some(UpstreamAnswer::Streaming(answer)) => Some(&answer.headers),
            Some(UpstreamAnswer::Whole(_)) | None => None,
        }
    }
}
