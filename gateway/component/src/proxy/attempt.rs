//! Steps 4 and 5 for one target: its request is written, quotas and probes are taken, the request is sent, and health
//! learns from the outcome.

use gateway_core::accept;
use gateway_core::candidate::{Attempt, AttemptParts, Skip};
use gateway_core::catalog::{Egress, Key, Strategy, Translation};
use gateway_core::clock::Now;
use gateway_core::dialect::Dialect;
use gateway_core::echo;
use gateway_core::failover::{Decision, Failover, RetryContext};
use gateway_core::health::{Subject, Subjects};
use gateway_core::memory;
use gateway_core::outcome::{self, JudgeContext, Outcome, SendError, UpstreamError};
use gateway_core::pace::Pace;
use gateway_core::record::AttemptEnd;
use gateway_core::refusal::Reply;
use gateway_core::rewrite::{self, Destination};
use gateway_core::route::{probed, way_resting};
use gateway_core::verdict::{Class, Verdict};

use crate::counters;
use crate::hold::{ANSWER_MS_MAX, HeldBytes, TURN_MS_MAX};
use crate::host::{self, YieldPoint};
use crate::send::{self, Answer, Terms};
use crate::store::health::{self, AnswerTime};

use super::CallContext;
use super::charges::{self, LedgerCharges};
use super::learn::Learner;

/// The warning in a record whose provider quota could not be checked.
const QUOTA_UNKNOWN: &str = "quota_unknown";

/// The warning in a record of an attempt that should have been paid from a credit, but whose price is not known.
const PRICE_UNKNOWN: &str = "price_unknown";

/// An attempt that was made, without its outcome.
pub(super) struct MadeAttempt {
    pub(super) attempt: Attempt,
    /// The name of its target in messages.
    pub(super) target: String,
    pub(super) subjects: Subjects,
    /// When it began.
    pub(super) started_at: Now,
    pub(super) verdict: Verdict,
    /// The answer that can be relayed, if the outcome is a response head or a contentless answer.
    pub(super) answer: Option<UpstreamAnswer>,
    /// The charges that the answer will settle. Those of an attempt without an answer are settled already.
    pub(super) charged: Option<LedgerCharges>,
}

/// An answer that can be relayed.
pub(super) enum UpstreamAnswer {
    /// The answer of a provider.
    Streaming(Box<Answer>),
    /// The answer of the built-in provider.
    Whole(Reply),
}

/// The result of sending a request.
struct SendResult {
    outcome: Outcome,
    answer: Option<UpstreamAnswer>,
    charged: Option<LedgerCharges>,
}

impl SendResult {
    fn failed(error: SendError) -> Self {
        SendResult { outcome: Outcome::Failed(error), answer: None, charged: None }
    }
}

impl From<Skip> for SendResult {
    fn from(skip: Skip) -> Self {
        SendResult { outcome: Outcome::NotSent(skip), answer: None, charged: None }
    }
}

impl CallContext<'_> {
    /// Makes an attempt, steps 4 and 5, and lets health and the record know its outcome.
    pub(super) async fn attempt(&self, attempt: Attempt) -> (MadeAttempt, Outcome) {
        let to = attempt.parts();
        let subjects = self.subjects(to);
        let (started_ms, started_at) = (host::now_ms(), host::now());
        let sent = match self.rewrite(to).await {
            Err(sent) => sent,
            Ok(destination) => match self.reserve(to, &subjects, started_at.steady_ms).await {
                Err(skip) => skip.into(),
                Ok(charged) => {
                    self.wait.served();
                    self.open.sent();
                    SendResult { charged, ..self.send(destination, to, started_ms).await }
                }
            },
        };
        let verdict = self.verdict(&sent.outcome, to);
        let target = to.name();
        let charged = self.note_progress(&sent.outcome, verdict, sent.charged);
        let made = MadeAttempt { attempt, target, subjects, started_at, verdict, answer: sent.answer, charged };
        self.note(&made, &sent.outcome, started_ms);
        (made, sent.outcome)
    }

    /// Whether the caller's key limits models or money, so that its holder must not choose what a provider serves.
    fn is_limited(&self) -> bool {
        self.key().is_some_and(Key::is_limited)
    }

    /// The dialect that the request for this target is written in, if it is not the caller's.
    pub(super) fn translated_to(&self, to: AttemptParts<'_>) -> Option<Dialect> {
        rewrite::translated_to(self.call, to, self.translates())
    }

    fn translates(&self) -> bool {
        self.model.translation != Translation::Off
    }

    /// The subjects of health that an attempt at this target is about.
    fn subjects(&self, to: AttemptParts<'_>) -> Subjects {
        health::peek(self.instance, |health| Subjects::to(to, self.call.operation, health))
    }

    /// Step 4: writes the request as soon as there is memory for it, and notes what had to be left out.
    async fn rewrite(&self, to: AttemptParts<'_>) -> Result<(Destination, HeldBytes), SendResult> {
        let bytes = self.call.body.len();
        let mut room = self.incoming.holder.nothing();
        let fits =
            if self.translated_to(to).is_some() { memory::has_room_to_translate } else { memory::has_room_to_copy };
        // What others write at the moment is gone the next; what they keep may stay longer than is worth waiting for.
        if !room.set_in_turn(bytes, TURN_MS_MAX).await || !room.until(|_| fits(bytes), ANSWER_MS_MAX).await {
            return Err(SendResult::failed(SendError::NoRoom));
        }
        let yields = YieldPoint::default();
        let step = |bytes| yields.step(bytes);
        let (id, created_s) = (&self.incoming.id, self.incoming.at.wall_ms / 1000);
        let identity = rewrite::ResponseIdentity {
            id,
            created_s,
            pace: Pace::of(&step),
            makers: Some(&self.makers),
            translates: self.translates(),
        };
        let mut destination = rewrite::request(self.call, self.headers, to, identity, self.is_limited())?;
        if let Destination::Http(outgoing) = &mut destination {
            std::mem::take(&mut outgoing.warnings).iter().for_each(|warning| self.open.warn(warning));
            if !room.set(outgoing.body.capacity()) {
                return Err(SendResult::failed(SendError::NoRoom));
            }
        }
        Ok((destination, room))
    }

    /// Takes what an attempt needs before it is sent: an egress that this call has not found closed, the probe of a
    /// target that is recovering, and its quotas.
    async fn reserve(&self, to: AttemptParts<'_>, of: &Subjects, now_ms: i64) -> Result<Option<LedgerCharges>, Skip> {
        let egress = to.provider.egress_of(to.credential);
        let resting = |health: &_| way_resting(health, of, egress, &self.probing.borrow(), now_ms);
        if let Some(skip) = health::peek(self.instance, resting) {
            return Err(skip);
        }
        // A test is sent whatever health says.
        if !self.is_test {
            self.probe(of, egress, now_ms).await?;
        }
        let asking = (&self.estimate, self.incoming.id.as_str());
        let charged = charges::reserve(self.instance, asking, to, self.snapshot).await?;
        if charged.as_ref().is_some_and(LedgerCharges::is_late) {
            self.open.warn(QUOTA_UNKNOWN);
        }
        if charged.as_ref().is_some_and(LedgerCharges::lacks_price) {
            self.open.warn(PRICE_UNKNOWN);
        }
        Ok(charged)
    }

    /// Step 5: sends the request.
    async fn send(
        &self,
        (destination, room): (Destination, HeldBytes),
        to: AttemptParts<'_>,
        now_ms: u64,
    ) -> SendResult {
        let incoming = self.incoming;
        let outgoing = match destination {
            Destination::Http(outgoing) => *outgoing,
            Destination::Echo(upstream_model) => {
                let reply = echo::answer(self.call, &upstream_model, &incoming.id, incoming.at.wall_ms / 1000);
                return self.echoed(reply);
            }
        };
        let timeouts = to.target.timeouts.within(&self.model.timeouts);
        let terms = Terms {
            timeouts: &timeouts,
            streamed: self.call.streamed,
            left_ms: self.deadline_ms().saturating_sub(now_ms).max(1),
            start_ms: incoming.start_ms,
            id: Some(&incoming.id),
            error_match: &to.provider.error_match,
            is_chat: self.call.operation.is_chat(),
            is_sealed: self.call.operation.is_answered_sealed(),
            holder: &incoming.holder,
            bodies: self.open.sending(to, &outgoing, self.call.operation.is_chat()),
        };
        let (outcome, answer) = send::attempt(self.instance, (outgoing, room), &terms).await;
        let answer = answer.map(|answer| UpstreamAnswer::Streaming(Box::new(answer)));
        SendResult { outcome, answer, charged: None }
    }

    /// The answer of the built-in provider.
    fn echoed(&self, reply: Reply) -> SendResult {
        if reply.status < 300 {
            let outcome = Outcome::Head(reply.status);
            return SendResult { outcome, answer: Some(UpstreamAnswer::Whole(reply)), charged: None };
        }
        let Reply { status, headers, body } = reply;
        let error = UpstreamError { status, headers, body, hint: None, dialect: self.call.operation.dialect() };
        SendResult { outcome: Outcome::Answered(error), answer: None, charged: None }
    }

    fn verdict(&self, outcome: &Outcome, to: AttemptParts<'_>) -> Verdict {
        let is_clients_model = to.target.model.is_none();
        outcome::verdict(
            outcome,
            JudgeContext { rules: &to.provider.errors, request: &self.call.body, is_clients_model },
        )
    }

    /// Notes how far the attempt came. Charges of an attempt without an answer are settled at once.
    fn note_progress(
        &self,
        outcome: &Outcome,
        verdict: Verdict,
        charged: Option<LedgerCharges>,
    ) -> Option<LedgerCharges> {
        let progress = outcome::progress(outcome, verdict);
        self.open.reached(progress);
        if matches!(outcome, Outcome::Head(_) | Outcome::Contentless(_)) {
            return charged;
        }
        if let Some(charged) = charged {
            charged.end(progress);
        }
        None
    }

    /// Lets the record and this instance learn from the outcome.
    fn note(&self, made: &MadeAttempt, outcome: &Outcome, started_ms: u64) {
        let to = made.attempt.parts();
        if let Outcome::NotSent(skip) = outcome {
            self.open.skipped(skip.clone().of(made.target.clone()));
        }
        let words = match outcome {
            Outcome::Answered(error) => outcome::words(error, made.verdict, to.secrets(), &self.call.body),
            _ => None,
        };
        let words = words.as_deref();
        let (translated_to, class) = (self.translated_to(to), made.verdict.class);
        let pieces = self.estimate.pieces();
        self.open.attempted(to, &AttemptEnd { translated_to, outcome, class, words, started_ms, pieces });
        let took_ms = host::now_ms().saturating_sub(started_ms);
        let learner = made.learner(self);
        learner.outcome(outcome, made.verdict, words, self.took(took_ms));
        learner.limits(outcome, made.headers(), took_ms);
        if let (Outcome::Answered(error), Class::Client, None) = (outcome, class, translated_to)
            && let Some(parameter) = outcome::refused_parameter(error, &self.call.body)
        {
            learner.parameter(to, parameter);
        }
        // The account may have nothing left.
        if matches!(outcome, Outcome::Answered(_)) {
            counters::after(self.instance, self.snapshot, &made.attempt);
        }
    }

    /// How long the answer took. A whole answer takes as long as it is long, so that its time only matters to models
    /// whose strategy orders targets by latency.
    fn took(&self, ms: u64) -> AnswerTime {
        match self.call.streamed {
            true => AnswerTime::FirstContent(ms),
            false if self.model.strategy == Strategy::Latency => AnswerTime::Whole(ms),
            false => AnswerTime::Unknown,
        }
    }

    /// Whether the call may take longer.
    pub(super) fn time_left(&self) -> bool {
        host::now_ms() < self.deadline_ms()
    }

    /// When the call must be over, on the monotonic clock.
    pub(super) fn deadline_ms(&self) -> u64 {
        self.incoming.start_ms.saturating_add(self.model.timeouts.total_ms)
    }

    /// What follows from an outcome.
    pub(super) fn judge(&self, failover: &mut Failover, made: &MadeAttempt, outcome: Outcome) -> Decision {
        let now = host::now();
        let decision = health::with_budget(self.instance, &self.model.name, |health, budget| {
            let operation = self.call.operation;
            let able =
                |attempt: &Attempt| health.is_able(&Subjects::to(attempt.parts(), operation, health), now.steady_ms);
            let jitter = self.instance.random.fraction();
            let is_repeated = accept::is_repeated(&self.incoming.headers);
            let retry = RetryContext { time_left: self.time_left(), now, jitter, budget, able: &able, is_repeated };
            failover.judge(&made.target, outcome, made.verdict, retry)
        });
        self.end_probes(&decision);
        decision
    }

    /// Takes the probes that the attempt needs, since only one call at a time may find out whether a subject works
    /// again. A probe that the call already holds covers its further attempts.
    async fn probe(&self, of: &Subjects, egress: Option<&Egress>, now_ms: i64) -> Result<(), Skip> {
        let due = health::peek(self.instance, |health| health.probes_due(of.all(), now_ms));
        for subject in due {
            let taken = |until_ms| health::peek(self.instance, |health| probed(health, of, egress, &subject, until_ms));
            health::claim_probe(self.instance, &subject).await.map_err(taken)?;
            self.probing.borrow_mut().push(subject);
        }
        Ok(())
    }

    /// Ends the probes of subjects that the call no longer tries, or has an answer from.
    fn end_probes(&self, decision: &Decision) {
        let next = match decision {
            Decision::Try(next, _) => Some(self.subjects(next.parts())),
            _ => None,
        };
        let is_next = |subject: &Subject| next.as_ref().is_some_and(|of| of.all().any(|other| other == subject));
        let (kept, over) = self.probing.take().into_iter().partition::<Vec<_>, _>(is_next);
        over.iter().for_each(|subject| health::give_up_probe(self.instance, subject));
        self.probing.replace(kept);
    }
}

impl MadeAttempt {
    fn learner<'m>(&'m self, context: &'m CallContext<'_>) -> Learner<'m> {
        Learner { instance: context.instance, subjects: &self.subjects, started_at: self.started_at }
    }

    /// The response headers of the provider.
    fn headers(&self) -> Option<&[(String, Vec<u8>)]> {
        match &self.answer {
            Some(UpstreamAnswer::Streaming(answer)) => Some(&answer.headers),
            Some(UpstreamAnswer::Whole(_)) | None => None,
        }
    }
}
