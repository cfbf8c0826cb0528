//! Step 5: what follows from the outcome of an attempt. It is a machine without clock or I/O, which takes an outcome
//! and returns a decision, so that every sequence of failures is a table test.
//!
//! The order of the candidates was made before the first attempt. What an outcome says about health is its
//! [`verdict`](crate::outcome::verdict), which the caller notes; the machine itself only walks the list.

mod budget;
mod exhausted;
mod key_spent;
mod shaped;

use crate::candidate::{Attempt, Candidate, Skip, SkipReason, Skipped};
use crate::clock::Now;
use crate::dialect::Dialect;
use crate::outcome::{CONTENTLESS, Outcome, SendError, UpstreamError};
use crate::refusal::{Refusal, Reply};
use crate::state::State;
use crate::verdict::{Class, ErrorKind, Verdict};

pub use budget::RetryBudget;
pub use exhausted::{come_back, exhausted};
pub use key_spent::key_spent;

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Decision {
    /// Pass this answer's body to the client as it comes. This is the commit point: there is no failover after it.
    Relay,
    /// Pass the last contentless answer to the client, since no target had more to say.
    RelayContentless,
    /// Make this attempt, after this many milliseconds.
    Try(Attempt, u64),
    /// Answer with this. If the provider wrote it, it is already in the caller's dialect.
    Answer(State, Reply),
    /// Answer with a refusal.
    Refuse(Refusal),
    /// Nothing was sent to any provider, for these reasons.
    Exhausted(Vec<Skipped>),
}

/// What the machine needs to know from outside to decide about another attempt.
pub struct RetryContext<'a> {
    /// Whether the call's total time allows another attempt.
    pub time_left: bool,
    /// The time.
    pub now: Now,
    /// A random number from 0 to 1.
    pub jitter: f64,
    /// The model's retry budget.
    pub budget: &'a mut RetryBudget,
    /// Whether an attempt's target and credential may be used, by what is known now.
    pub able: &'a dyn Fn(&Attempt) -> bool,
    /// Whether the call is its client's own retry of one that failed.
    pub is_repeated: bool,
}

/// Walks the candidates of one call.
#[derive(Debug)]
pub struct Failover {
    /// The dialect of the caller.
    dialect: Dialect,
    /// The id of the call, for errors that name it.
    id: String,
    candidates: Vec<Candidate>,
    position: usize,
    credential: usize,
    attempts_left: u32,
    /// How many more credentials may be refused without costing an attempt.
    spared_left: u32,
    failures: Vec<Failure>,
    not_sent: Vec<Skipped>,
    /// Targets whose failures may be over in a moment; each may be tried once more.
    repeatable: Vec<Attempt>,
    repeats: u32,
    last: Option<Attempt>,
    /// When the last outcome was judged.
    now: Now,
    /// Whether the last failure is one of the only target, and may be over in a moment.
    may_pass: bool,
    /// Whether a target answered with nothing in it, which is better than no answer.
    has_contentless: bool,
    /// The first answer that called the prompt too long, or a translated request wrong. The caller gets it if no other
    /// target accepts the request.
    refused: Option<(UpstreamError, ErrorKind)>,
}

/// How often a call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// The most attempts, whatever their outcomes.
    pub attempts: u32,
    /// How many credentials may be refused besides, if the same target has another one. Each is asked once and is
    /// paused then. Without this, a pool of mostly dead or spent credentials would fail calls that its last good one
    /// could serve.
    pub turned_away: u32,
}

#[derive(Debug)]
struct Failure {
    target: String,
    outcome: Outcome,
    verdict: Verdict,
}

/// The pause before the same target is tried again: a quarter of a second, doubling, with jitter.
const BACKOFF_MS: u64 = 250;

/// The pauses if no other target is left, so that an outage of a second or two is waited out, for three seconds at
/// most. If the client retries by itself, it waits by itself.
const ALONE_PAUSES_MS: [u64; 3] = [700, 1_700, 100];

impl Failover {
    /// A machine for these candidates in their order, for the call `id` of a caller that speaks `dialect`.
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
            now: Now::of_wall(0),
            may_pass: false,
            has_contentless: false,
            refused: None,
        }
    }

    /// The first attempt, or `None` if there is none. Call it once, before any outcome is judged.
    pub fn first(&mut self) -> Option<Attempt> {
        self.take()
    }

    /// Judges the outcome of the last attempt; `target` is its name in messages.
    pub fn judge(&mut self, target: &str, outcome: Outcome, verdict: Verdict, retry: RetryContext<'_>) -> Decision {
        let class = verdict.class;
        let walk = walk_after(&outcome, verdict);
        self.now = retry.now;
        match (class, outcome) {
            (_, Outcome::NotSent(skip)) => return self.not_sent(target, skip, retry),
            (Class::Ok, Outcome::Head(_)) => return Decision::Relay,
            (Class::Gone, Outcome::Failed(SendError::Drained)) => return Decision::Refuse(shutting_down()),
            (Class::Gone, Outcome::Failed(SendError::Shortage)) => return Decision::Refuse(busy()),
            (Class::Gone, Outcome::Failed(SendError::NoRoom)) => return Decision::Refuse(Refusal::no_room()),
            (Class::Gone, Outcome::Failed(error @ SendError::NoRoomForAnswer)) => {
                let message = format!("{target} {}. Try again in a moment.", error.describe());
                return Decision::Refuse(Refusal::bad_gateway(error.state(), message));
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
                self.has_contentless |= matches!(outcome, Outcome::Contentless(_));
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

    /// Handles an attempt that was not sent. It costs nothing: the next one is chosen as if this had never been a
    /// candidate.
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
            if self.has_contentless {
                return Decision::RelayContentless;
            }
            return Decision::Refuse(Refusal::timed_out(
                State::TotalTimeout,
                self.explain("The call's total time is used up"),
            ));
        }
        // Moving on to a target that works costs no budget, since the last target is paused now. Moving to one that is
        // failing does, or an outage of all targets would be multiplied by their number.
        while let Some(candidate) = self.candidates.get(self.position) {
            let is_free = !candidate.failing || self.failures.is_empty() || self.credential > 0;
            if is_free || retry.budget.spend(retry.now.steady_ms) {
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

    /// Moves to the next attempt. A failing credential leaves the target to its other credentials, and a failing egress
    /// to those with another one. Any other failure leaves the target, except a rate limit, which may concern only one
    /// credential. Returns whether the target is kept.
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

    /// After all were asked: one whose failure may be over is asked once more, after a pause, if the budget allows it.
    fn repeat(&mut self, retry: RetryContext<'_>) -> Option<Decision> {
        if self.attempts_left == 0 {
            return None;
        }
        let position = self.repeatable.iter().position(|attempt| (retry.able)(attempt))?;
        let after_ms = self.pause_ms(&retry)?;
        if !retry.budget.spend(retry.now.steady_ms) {
            return None;
        }
        let attempt = self.repeatable.remove(position);
        self.attempts_left -= 1;
        self.last = Some(attempt.clone());
        self.repeats += 1;
        Some(Decision::Try(attempt, after_ms))
    }

    /// The pause before the next retry; `None` if there is to be none.
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

    /// Whether no other target serves the model.
    fn is_alone(&self) -> bool {
        self.candidates.len() == 1
    }

    /// Another target for a request that was refused, if one may accept it: a target with a larger context window, or,
    /// if a translation may have been at fault, the next target.
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

    /// A target for a prompt that is too long, whose context window is known to be larger.
    fn larger_context(&mut self) -> Option<Attempt> {
        let context = self.candidates.get(self.position)?.context.unwrap_or(0);
        let larger = |candidate: &Candidate| candidate.context.is_some_and(|other| other > context);
        let after = self.position + 1;
        let offset = self.candidates.get(after..)?.iter().position(larger)?;
        (self.position, self.credential) = (after + offset, 0);
        self.take()
    }

    /// The last provider's answer that the caller can act on, or else a refusal that names every attempt.
    fn give_up(&mut self) -> Decision {
        if let Some((error, kind)) = self.refused.take() {
            return Decision::Answer(State::ClientError, self.shaped(error, kind));
        }
        if self.has_contentless {
            return Decision::RelayContentless;
        }
        if let Some(refusal) = self.for_operator() {
            return Decision::Refuse(refusal);
        }
        let actionable = |failure: &Failure| match &failure.outcome {
            // An error about llmio's own choices (the name of a model, an address) would mislead the caller.
            Outcome::Answered(error) => match failure.verdict.class {
                Class::Rate => true,
                Class::Target if failure.verdict.kind == ErrorKind::Request => error.status != 403,
                Class::Target => error.status >= 500 && failure.verdict.kind == ErrorKind::Plain,
                _ => false,
            },
            Outcome::Head(_) | Outcome::Contentless(_) | Outcome::Failed(_) | Outcome::NotSent(..) => false,
        };
        if let Some(position) = self.failures.iter().rposition(actionable)
            && let Failure { outcome: Outcome::Answered(error), verdict, .. } = self.failures.swap_remove(position)
        {
            let state = if verdict.class == Class::Rate { State::RateLimitedUpstream } else { State::UpstreamError };
            let mut reply = self.shaped(error, verdict.kind);
            // Some providers report it with a status that would blame the request.
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
        // A client that retries may have more patience than the outage.
        Decision::Refuse(Refusal { should_retry: refusal.should_retry.filter(|_| !self.may_pass), ..refusal })
    }

    /// The refusal if only the operator, or the person who pays for the account, can repair every failure.
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
        shaped::shorten_wait(&mut reply, hint, self.now.wall_ms);
        reply
    }

    fn explain(&self, what: &str) -> String {
        let each = self.failures.iter().map(|failure| match &failure.outcome {
            Outcome::Failed(error) => format!("{} {}", failure.target, error.describe()),
            Outcome::Answered(error) => {
                format!("{} {}", failure.target, describe_answer(error.status, failure.verdict))
            }
            Outcome::Head(status) => format!("{} answered {status}", failure.target),
            Outcome::Contentless(_) => format!("{} {CONTENTLESS}", failure.target),
            Outcome::NotSent(..) => format!("{} was not asked", failure.target),
        });
        // The credentials of a pool may all have reported the same.
        let mut counted: Vec<(String, usize)> = Vec::new();
        for text in each {
            match counted.iter_mut().find(|(known, _)| *known == text) {
                Some((_, times)) => *times += 1,
                None => counted.push((text, 1)),
            }
        }
        let counted =
            counted.into_iter().map(|(text, times)| if times > 1 { format!("{text} ({times} times)") } else { text });
        format!("{what}: {}.", counted.collect::<Vec<_>>().join("; "))
    }
}

/// How the next credential of a target is tried after an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// The next one is tried, as an attempt.
    GoesOn,
    /// The next one is tried, and this one costs no attempt, since it was refused before anything was done.
    IsFree,
    /// No other is tried: the failure concerns the caller whoever it is, and trying one key after the other would make
    /// it worse.
    Ends,
}

fn walk_after(outcome: &Outcome, verdict: Verdict) -> Walk {
    let Outcome::Answered(error) = outcome else { return Walk::GoesOn };
    match (verdict.class, error.status) {
        (Class::Credential | Class::Rate, _) if error.blames_asker() => Walk::Ends,
        // An overload with another status concerns the provider as a whole.
        (Class::Credential, _) | (Class::Rate, 429) => Walk::IsFree,
        _ => Walk::GoesOn,
    }
}

/// Whether a failure may be over in a moment. A silence has used its whole time limit already, and a wrong address or
/// certificate stays wrong.
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
        Outcome::Head(_) | Outcome::Contentless(_) | Outcome::NotSent(..) => false,
    }
}

/// The provider's text is not shown for a refused credential, since providers repeat parts of the key in it.
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
    let message = "llmio has as many connections as it may have. Try again in a second.";
    Refusal::unavailable("busy", message).after(1)
}

fn shutting_down() -> Refusal {
    Refusal::unavailable("draining", "llmio is shutting down. Try again.").after(1).ended(State::Drained)
}

#[cfg(test)]
mod tests;
