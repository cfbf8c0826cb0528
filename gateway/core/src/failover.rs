//! Step 5: what follows from an attempt's outcome. A machine without clock or I/O: outcome in, decision out, so that
//! every sequence of failures is a table test.
//!
//! The order of the candidates was made before the first attempt. What an outcome says of health is its [`verdict`](crate::outcome::verdict), which
//! whoever keeps health notes; the machine itself only walks on.

mod budget;
mod exhausted;
mod key_spent;
mod shaped;

use crate::candidate::{Attempt, Candidate, Skip, SkipReason, Skipped};
use crate::dialect::Dialect;
use crate::outcome::{Outcome, SendError, UpstreamError};
use crate::refusal::{Refusal, Reply};
use crate::state::State;
use crate::verdict::{Class, ErrorKind, Verdict};

pub use budget::RetryBudget;
pub use exhausted::{come_back, exhausted};
pub use key_spent::key_spent;

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Decision {
    /// Give the client this answer's body as it comes. The commit point: there is no failover after it.
    Relay,
    /// Try this one, after so many milliseconds.
    Try(Attempt, u64),
    /// Answer with this; it is already in the caller's dialect where the upstream wrote it.
    Answer(State, Reply),
    /// Answer with a refusal.
    Refuse(Refusal),
    /// Nothing was sent to anybody: these are the reasons.
    Exhausted(Vec<Skipped>),
}

/// What the machine may still do, as far as it does not know itself.
pub struct RetryContext<'a> {
    /// The call's total time allows another attempt.
    pub time_left: bool,
    /// Wall clock, Unix milliseconds.
    pub now_ms: i64,
    /// A draw from 0 to 1.
    pub jitter: f64,
    /// The model's retry budget.
    pub budget: &'a mut RetryBudget,
    /// Whether an attempt's target and credential may be used, by what is known now.
    pub able: &'a dyn Fn(&Attempt) -> bool,
    /// The call is its client's own repetition of one that failed.
    pub is_repeated: bool,
}

/// Walks the candidates of one call.
#[derive(Debug)]
pub struct Failover {
    /// What the caller speaks.
    dialect: Dialect,
    /// The call's id, for errors that name it.
    id: String,
    candidates: Vec<Candidate>,
    position: usize,
    credential: usize,
    attempts_left: u32,
    /// How many credentials more may be turned away without costing an attempt.
    spared_left: u32,
    failures: Vec<Failure>,
    not_sent: Vec<Skipped>,
    /// Targets that failed in a way that may be over in a moment, each to be tried once more.
    repeatable: Vec<Attempt>,
    repeats: u32,
    last: Option<Attempt>,
    /// When the last outcome was judged, Unix milliseconds.
    now_ms: i64,
    /// The last failure is one of the only target, and may be over in a moment.
    may_pass: bool,
    /// The first answer that called the prompt too long, or the request of a translation wrong; what a caller gets when
    /// no other target takes it.
    refused: Option<(UpstreamError, ErrorKind)>,
}

/// How often a call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Attempts, whatever comes of them.
    pub attempts: u32,
    /// Credentials beside them that are turned away at the door, where the same target has another one. Each is asked
    /// once and rests then; without this a pool of which most are dead or used up fails calls that its last good one could
    /// serve.
    pub turned_away: u32,
}

#[derive(Debug)]
struct Failure {
    target: String,
    outcome: Outcome,
    verdict: Verdict,
}

/// Before the same target is tried again: a quarter of a second, doubling, and jitter.
const BACKOFF_MS: u64 = 250;

/// The same where no other target is left, so that an outage of a second or two is waited through, for three seconds at
/// most. A client that repeats calls itself waits itself.
const ALONE_PAUSES_MS: [u64; 3] = [700, 1_700, 100];

impl Failover {
    /// A machine over candidates in their order, for the call `id` of a caller that speaks `dialect`.
    pub fn new(candidates: Vec<Candidate>, most: AttemptLimits, dialect: Dialect, id: String) -> Self {
        Failover {
            dialect,
            id,
            candidates,
            position: 0,
            credential: 0,
            attempts_left: most.attempts,
            spared_left: most.turned_away,
            failures: Vec::new(),
            not_sent: Vec::new(),
            repeatable: Vec::new(),
            repeats: 0,
            last: None,
            now_ms: 0,
            may_pass: false,
            refused: None,
        }
    }

    /// The first attempt, or `None` when there is nothing to try. To be called once, before any outcome is judged.
    pub fn first(&mut self) -> Option<Attempt> {
        self.take()
    }

    /// Judges the outcome of the last attempt; `target` is what messages call it.
    pub fn judge(&mut self, target: &str, outcome: Outcome, verdict: Verdict, retry: RetryContext<'_>) -> Decision {
        let class = verdict.class;
        let walk = walk_after(&outcome, verdict);
        self.now_ms = retry.now_ms;
        match (class, outcome) {
            (_, Outcome::NotSent(skip)) => return self.not_sent(target, skip, retry),
            (Class::Ok, Outcome::Head(_)) => return Decision::Relay,
            (Class::Gone, Outcome::Failed(SendError::Drained)) => return Decision::Refuse(shutting_down()),
            (Class::Gone, Outcome::Failed(SendError::Shortage)) => return Decision::Refuse(busy()),
            (Class::Gone, Outcome::Failed(SendError::NoRoom)) => return Decision::Refuse(Refusal::no_room()),
            (Class::Gone, Outcome::Failed(error @ SendError::NoRoomForAnswer)) => {
                let said = format!("{target} {}. Try again in a moment.", error.describe());
                return Decision::Refuse(Refusal::bad_gateway(error.state(), said));
            }
            (Class::Gone, _) => return Decision::Refuse(client_closed()),
            (Class::Client, Outcome::Answered(error)) => {
                if retry.time_left
                    && self.refused.is_none()
                    && let Some(attempt) = self.another_for(&error, verdict.kind)
                {
                    self.refused = Some((error, verdict.kind));
                    return Decision::Try(attempt, 0);
                }
                let (error, kind) = self.refused.take().unwrap_or((error, verdict.kind));
                return Decision::Answer(State::ClientError, self.shaped(error, kind));
            }
            (_, outcome) => {
                self.may_pass = may_pass(&outcome, verdict) && self.is_alone();
                if let Some(last) = self.last.take_if(|_| may_pass(&outcome, verdict)) {
                    self.repeatable.push(last);
                }
                self.failures.push(Failure { target: target.to_owned(), outcome, verdict });
            }
        }
        let is_kept = self.advance(if walk == Walk::Ends { Class::Target } else { class });
        if is_kept && walk == Walk::IsFree && self.spared_left > 0 {
            self.spared_left -= 1;
            self.attempts_left = self.attempts_left.saturating_add(1);
        }
        self.next(retry)
    }

    /// An attempt that was not made costs nothing: the next one is looked for as if it had never been a candidate.
    fn not_sent(&mut self, target: &str, skip: Skip, retry: RetryContext<'_>) -> Decision {
        self.attempts_left = self.attempts_left.saturating_add(1);
        self.advance(match skip.reason {
            SkipReason::QuotaSpent | SkipReason::Cooling | SkipReason::CredentialsResting => Class::Credential,
            SkipReason::EgressResting | SkipReason::Unreachable => Class::Egress,
            _ => Class::Target,
        });
        self.not_sent.push(skip.of(target.to_owned()));
        self.next(retry)
    }

    fn next(&mut self, retry: RetryContext<'_>) -> Decision {
        if !retry.time_left {
            return Decision::Refuse(Refusal::timed_out(
                State::TotalTimeout,
                self.explain("The call's total time is used up"),
            ));
        }
        // A first move to a target that works is free, since leaving the last one benches it. One that is failing itself
        // is paid for, or an outage of all would be multiplied by their number.
        while let Some(candidate) = self.candidates.get(self.position) {
            let is_free = !candidate.failing || self.failures.is_empty() || self.credential > 0;
            if is_free || retry.budget.spend(retry.now_ms) {
                break;
            }
            self.position += 1;
            self.credential = 0;
        }
        match self.take() {
            Some(attempt) => Decision::Try(attempt, 0),
            None => self.repeat(retry).unwrap_or_else(|| self.give_up()),
        }
    }

    fn take(&mut self) -> Option<Attempt> {
        let candidate = self.candidates.get(self.position)?;
        self.attempts_left = self.attempts_left.checked_sub(1)?;
        let attempt = candidate.attempt(self.credential);
        self.last = Some(attempt.clone());
        Some(attempt)
    }

    /// A failing credential leaves the target to its other credentials, and a failing way out to those with another
    /// one; any other failure leaves the target, but for a rate limit, which may be that of one credential. Whether the
    /// target is kept.
    fn advance(&mut self, class: Class) -> bool {
        let next = self.candidates.get(self.position).and_then(|candidate| {
            let egress = candidate.egress_groups.get(self.credential);
            let mut others = self.credential + 1..candidate.credentials.len();
            match class {
                Class::Credential | Class::Rate => others.next(),
                Class::Egress => others.find(|other| candidate.egress_groups.get(*other) != egress),
                _ => None,
            }
        });
        match next {
            Some(credential) => self.credential = credential,
            None => (self.position, self.credential) = (self.position + 1, 0),
        }
        next.is_some()
    }

    /// Once everybody was asked: one that failed in passing is asked once more, after a pause, if the budget allows it.
    fn repeat(&mut self, retry: RetryContext<'_>) -> Option<Decision> {
        if self.attempts_left == 0 {
            return None;
        }
        let position = self.repeatable.iter().position(|attempt| (retry.able)(attempt))?;
        let after_ms = self.pause_ms(&retry)?;
        if !retry.budget.spend(retry.now_ms) {
            return None;
        }
        let attempt = self.repeatable.remove(position);
        self.attempts_left -= 1;
        self.last = Some(attempt.clone());
        self.repeats += 1;
        Some(Decision::Try(attempt, after_ms))
    }

    /// Before the next repetition; `None`: it is waited for no longer.
    fn pause_ms(&self, retry: &RetryContext<'_>) -> Option<u64> {
        let jitter = retry.jitter.clamp(0.0, 1.0);
        let (pause_ms, factor) = if self.is_alone() && !retry.is_repeated {
            (*ALONE_PAUSES_MS.get(self.repeats as usize)?, 0.8 + 0.4 * jitter)
        } else {
            (BACKOFF_MS << self.repeats.min(6), 0.5 + jitter)
        };
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let pause_ms = (pause_ms as f64 * factor) as u64;
        Some(pause_ms)
    }

    /// Nobody else serves the model.
    fn is_alone(&self) -> bool {
        self.candidates.len() == 1
    }

    /// A request that was refused goes once to another target where that may take it: one whose context window is larger,
    /// and, where a translation may have been at fault, the next one.
    fn another_for(&mut self, error: &UpstreamError, kind: ErrorKind) -> Option<Attempt> {
        match kind {
            ErrorKind::ContextLength => self.larger_context(),
            _ if matches!(error.status, 400 | 422) && !error.dialect.error_is_like(self.dialect) => {
                (self.position, self.credential) = (self.position + 1, 0);
                self.take()
            }
            _ => None,
        }
    }

    /// A prompt too long for one target goes once to a target whose context window is known to be larger.
    fn larger_context(&mut self) -> Option<Attempt> {
        let context = self.candidates.get(self.position)?.context.unwrap_or(0);
        let larger = |candidate: &Candidate| candidate.context.is_some_and(|other| other > context);
        let after = self.position + 1;
        let offset = self.candidates.get(after..)?.iter().position(larger)?;
        (self.position, self.credential) = (after + offset, 0);
        self.take()
    }

    /// The last upstream answer a caller can act on, else a refusal that names every attempt.
    fn give_up(&mut self) -> Decision {
        if let Some((error, kind)) = self.refused.take() {
            return Decision::Answer(State::ClientError, self.shaped(error, kind));
        }
        if let Some(refusal) = self.for_operator() {
            return Decision::Refuse(refusal);
        }
        let actionable = |failure: &Failure| match &failure.outcome {
            // An error that names llmio's own choice (a model name, an address) would send the caller looking in vain.
            Outcome::Answered(error) => match failure.verdict.class {
                Class::Rate => true,
                Class::Target if failure.verdict.kind == ErrorKind::Request => error.status != 403,
                Class::Target => error.status >= 500 && failure.verdict.kind == ErrorKind::Plain,
                _ => false,
            },
            Outcome::Head(_) | Outcome::Failed(_) | Outcome::NotSent(..) => false,
        };
        if let Some(position) = self.failures.iter().rposition(actionable)
            && let Failure { outcome: Outcome::Answered(error), verdict, .. } = self.failures.swap_remove(position)
        {
            let state = if verdict.class == Class::Rate { State::RateLimitedUpstream } else { State::UpstreamError };
            let mut reply = self.shaped(error, verdict.kind);
            // Some say it under a status that would blame the request.
            if verdict.class == Class::Rate && reply.status != 529 {
                reply.status = 429;
            }
            reply.headers.retain(|(name, _)| name != "x-should-retry");
            let reply = if self.may_pass { reply } else { reply.with("x-should-retry", "false") };
            return Decision::Answer(state, reply);
        }
        let message = self.explain("No provider answered");
        let Some(last) = self.failures.last() else {
            return Decision::Exhausted(std::mem::take(&mut self.not_sent));
        };
        let refusal = match &last.outcome {
            Outcome::Failed(error @ (SendError::FirstByteTimeout | SendError::IdleTimeout)) => {
                Refusal::timed_out(error.state(), message)
            }
            Outcome::Failed(error) => Refusal::bad_gateway(error.state(), message),
            _ if last.verdict.class == Class::Credential => Refusal::bad_gateway(State::UpstreamAuth, message),
            _ => Refusal::bad_gateway(State::UpstreamError, message),
        };
        // Its client's own patience may be longer than an outage.
        Decision::Refuse(Refusal { should_retry: refusal.should_retry.filter(|_| !self.may_pass), ..refusal })
    }

    /// What is told where nothing but the keeper of the catalog, or who pays the account, can mend any failure.
    fn for_operator(&self) -> Option<Refusal> {
        let is_final = |failure: &Failure| match failure.verdict.class {
            Class::Credential => true,
            _ => failure.verdict.kind == ErrorKind::UnknownModel,
        };
        let all_final = self.failures.iter().all(is_final);
        let others_final = self.not_sent.iter().all(|skipped| exhausted::needs_operator(skipped.reason));
        let last = self.failures.last().filter(|_| all_final && others_final)?;
        let state = if last.verdict.class == Class::Credential { State::UpstreamAuth } else { State::UpstreamError };
        Some(Refusal::needs_operator(self.explain("No provider answered")).ended(state))
    }

    fn shaped(&self, error: UpstreamError, kind: ErrorKind) -> Reply {
        let hint = error.hint;
        let mut reply = shaped::shaped(error, kind, self.dialect, &self.id);
        shaped::shorten_wait(&mut reply, hint, self.now_ms);
        reply
    }

    fn explain(&self, what: &str) -> String {
        let each = self.failures.iter().map(|failure| match &failure.outcome {
            Outcome::Failed(error) => format!("{} {}", failure.target, error.describe()),
            Outcome::Answered(error) => {
                format!("{} {}", failure.target, describe_answer(error.status, failure.verdict))
            }
            Outcome::Head(status) => format!("{} answered {status}", failure.target),
            Outcome::NotSent(..) => format!("{} was not asked", failure.target),
        });
        // A pool may have said the same many times.
        let mut said: Vec<(String, usize)> = Vec::new();
        for text in each {
            match said.iter_mut().find(|(known, _)| *known == text) {
                Some((_, times)) => *times += 1,
                None => said.push((text, 1)),
            }
        }
        let said =
            said.into_iter().map(|(text, times)| if times > 1 { format!("{text} ({times} times)") } else { text });
        format!("{what}: {}.", said.collect::<Vec<_>>().join("; "))
    }
}

/// How the credentials of a target are walked after an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// The next one is asked, as an attempt.
    GoesOn,
    /// The next one is asked, and this one costs no attempt: it was turned away before anything was done.
    IsFree,
    /// None is asked any more: what was said is of whoever asks, and one key after the other would make it worse.
    Ends,
}

fn walk_after(outcome: &Outcome, verdict: Verdict) -> Walk {
    let Outcome::Answered(error) = outcome else { return Walk::GoesOn };
    match (verdict.class, error.status) {
        (Class::Credential | Class::Rate, _) if error.blames_asker() => Walk::Ends,
        // An overload under another status is the provider's as a whole.
        (Class::Credential, _) | (Class::Rate, 429) => Walk::IsFree,
        _ => Walk::GoesOn,
    }
}

/// Whether a failure may be over in a moment. A silence has cost its whole limit already, and what is wrong with an
/// address or a certificate stays wrong.
fn may_pass(outcome: &Outcome, verdict: Verdict) -> bool {
    match outcome {
        Outcome::Answered(error) => {
            let is_of_target = verdict.class == Class::Target && verdict.kind == ErrorKind::Plain;
            is_of_target && matches!(error.status, 408 | 409 | 425 | 500..=599)
        }
        Outcome::Failed(error) => matches!(
            error,
            SendError::Egress(_)
                | SendError::Tunnel(_)
                | SendError::Connect(_)
                | SendError::Reset(_)
                | SendError::Truncated
                | SendError::Protocol(_)
                | SendError::Empty
        ),
        Outcome::Head(_) | Outcome::NotSent(..) => false,
    }
}

/// The upstream's text is not shown for a refused credential: providers echo parts of the key in it.
fn describe_answer(status: u16, verdict: Verdict) -> String {
    match (verdict.class, status) {
        (Class::Target, _) if verdict.kind == ErrorKind::UnknownModel => {
            format!("does not serve a model of that name ({status}); mend the target in the catalog")
        }
        (Class::Credential, _) if verdict.kind == ErrorKind::Spent => {
            format!("says that the account of llmio's credential has nothing left ({status}); top it up or add another")
        }
        (Class::Credential, _) if verdict.kind == ErrorKind::ModelDenied => {
            format!("does not let llmio's credential use this model ({status}); check what the key may use")
        }
        (Class::Credential, _) => format!("refused llmio's credential ({status}); check it in the catalog"),
        (Class::Egress, _) => format!("does not serve the place llmio calls from ({status}); give it an egress"),
        (_, 300..=399) => format!("answered with a redirect ({status}), which is never followed; mend its base_url"),
        _ => format!("answered {status}"),
    }
}

fn client_closed() -> Refusal {
    Refusal::bad_gateway(State::ClientClosed, "The client closed the connection before the answer.")
}

fn busy() -> Refusal {
    let said = "llmio has as many connections as it may have. Try again in a second.";
    Refusal::unavailable("busy", said).after(1)
}

fn shutting_down() -> Refusal {
    Refusal::unavailable("draining", "llmio is shutting down. Try again.").after(1).ended(State::Drained)
}

#[cfg(test)]
mod tests;
