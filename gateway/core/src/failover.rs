//! Step 5: what follows from an attempt's outcome. A machine without clock or I/O: outcome in, decision out, so that
//! every sequence of failures is a table test.
//!
//! Classes are judged here in one place. An outcome never benches anything yet: health and quotas will be further
//! inputs of [`Failover::new`] and further outputs of [`Failover::judge`], the line stays as it is.

use crate::record::State;
use crate::refusal::{Refusal, Reply};
use crate::route::Candidate;

/// One try at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Index into the model's targets.
    pub target: usize,
    /// Index into the provider's credentials.
    pub credential: Option<usize>,
}

/// What came of an attempt before anything reached the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A head that promises an answer: its body can be relayed.
    Head(u16),
    /// An error answer, read as far as it is kept.
    Answered(UpstreamError),
    /// No answer.
    Failed(SendError),
}

/// An upstream's error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// HTTP status, 300 or above.
    pub status: u16,
    /// Response headers as they go downstream.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
}

/// Why there is no answer. The component's shell translates its host's errors into these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The name could not be resolved, or nothing listens there.
    Connect(String),
    /// The address is not public and the provider is not `local`.
    Denied,
    /// The TLS handshake failed.
    Tls(String),
    /// The connection was not made in time.
    ConnectTimeout,
    /// No response head came in time.
    FirstByteTimeout,
    /// Silence between two chunks for too long.
    IdleTimeout,
    /// The call's total time is used up.
    TotalTimeout,
    /// The connection broke.
    Reset(String),
    /// The answer ended before its announced end.
    Truncated,
    /// What came is not HTTP.
    Protocol(String),
    /// The client left; nobody waits for an answer.
    ClientClosed,
    /// The host is shutting down and ended what was under way.
    Drained,
}

impl SendError {
    /// The end state of a call that ends with this.
    pub fn state(&self) -> State {
        match self {
            Self::Connect(_) | Self::Denied | Self::ConnectTimeout => State::UpstreamConnect,
            Self::Tls(_) => State::TlsError,
            Self::FirstByteTimeout => State::FirstByteTimeout,
            Self::IdleTimeout => State::IdleTimeout,
            Self::TotalTimeout => State::TotalTimeout,
            Self::Reset(_) => State::UpstreamReset,
            Self::Truncated => State::UpstreamTruncated,
            Self::Protocol(_) => State::UpstreamError,
            Self::ClientClosed => State::ClientClosed,
            Self::Drained => State::Drained,
        }
    }

    /// What happened, to stand behind a provider's name.
    pub fn describe(&self) -> String {
        match self {
            Self::Connect(why) if why.is_empty() => "could not be reached".into(),
            Self::Connect(why) => format!("could not be reached ({why})"),
            Self::Denied => "is at an address that is not allowed; if a private one is meant set `local = true` on \
                             the provider (under Spin: allowed_outbound_hosts)"
                .into(),
            Self::Tls(why) if why.is_empty() => "failed the TLS handshake".into(),
            Self::Tls(why) => format!("failed the TLS handshake ({why})"),
            Self::ConnectTimeout => "did not accept the connection in time".into(),
            Self::FirstByteTimeout => "did not answer in time".into(),
            Self::IdleTimeout => "fell silent in the middle of its answer".into(),
            Self::TotalTimeout => "was still answering when the call's total time was used up".into(),
            Self::Reset(why) if why.is_empty() => "closed the connection".into(),
            Self::Reset(why) => format!("closed the connection ({why})"),
            Self::Truncated => "ended its answer before the announced end".into(),
            Self::Protocol(why) => format!("did not answer in HTTP ({why})"),
            Self::ClientClosed => "was no longer needed: the client left".into(),
            Self::Drained => "was cut off: llmio is shutting down".into(),
        }
    }
}

/// Who an outcome speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It worked.
    Ok,
    /// This credential: another one may do.
    Credential,
    /// This target: another one may do.
    Target,
    /// Too much for now: another one may do.
    Rate,
    /// The request itself: nobody else will do better.
    Client,
    /// The client is gone, or the host is going.
    Gone,
}

impl Class {
    /// What records call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Credential => "credential",
            Self::Target => "target",
            Self::Rate => "rate",
            Self::Client => "client",
            Self::Gone => "gone",
        }
    }

    /// The class of an error status.
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            401..=403 => Self::Credential,
            429 | 529 => Self::Rate,
            400..=499 => Self::Client,
            // Redirects are never followed: a key must not travel to where a response points.
            _ => Self::Target,
        }
    }

    /// The class of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Head(status) => Self::of_status(*status),
            Outcome::Answered(error) => Self::of_status(error.status),
            Outcome::Failed(SendError::ClientClosed | SendError::Drained) => Self::Gone,
            Outcome::Failed(_) => Self::Target,
        }
    }
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Give the client this answer's body as it comes. The commit point: there is no failover after it.
    Relay,
    /// Try this one.
    Try(Attempt),
    /// Answer with this; it is already in the caller's dialect where the upstream wrote it.
    Answer(State, Reply),
    /// Answer with a refusal.
    Refuse(Refusal),
}

/// Walks the candidates of one call.
#[derive(Debug)]
pub struct Failover {
    candidates: Vec<Candidate>,
    position: usize,
    credential: usize,
    attempts_left: u32,
    failures: Vec<(String, Outcome)>,
}

impl Failover {
    /// A machine over candidates in their order. `attempts` is the most that are made.
    pub fn new(candidates: Vec<Candidate>, attempts: u32) -> Self {
        Failover { candidates, position: 0, credential: 0, attempts_left: attempts, failures: Vec::new() }
    }

    /// The first attempt, or `None` when there is nothing to try. To be called once, before any outcome is judged.
    pub fn first(&mut self) -> Option<Attempt> {
        self.take()
    }

    /// Judges the outcome of the last attempt; `target` is what messages call it. `time_left` says whether the call's
    /// total time allows another attempt.
    pub fn judge(&mut self, target: &str, outcome: Outcome, time_left: bool) -> Decision {
        let class = Class::of(&outcome);
        match (class, outcome) {
            (Class::Ok, Outcome::Head(_)) => return Decision::Relay,
            (Class::Client, Outcome::Answered(error)) => return Decision::Answer(State::ClientError, shaped(error)),
            (Class::Gone, Outcome::Failed(SendError::Drained)) => return Decision::Refuse(shutting_down()),
            (Class::Gone, _) => return Decision::Refuse(client_closed()),
            (_, outcome) => self.failures.push((target.to_owned(), outcome)),
        }
        self.advance(class);
        if !time_left {
            return Decision::Refuse(Refusal::timed_out(
                State::TotalTimeout,
                self.explain("The call's total time is used up"),
            ));
        }
        match self.take() {
            Some(attempt) => Decision::Try(attempt),
            None => self.give_up(),
        }
    }

    fn take(&mut self) -> Option<Attempt> {
        let candidate = self.candidates.get(self.position)?;
        self.attempts_left = self.attempts_left.checked_sub(1)?;
        Some(Attempt { target: candidate.target, credential: candidate.credentials.get(self.credential).copied() })
    }

    /// A failing credential leaves the target to its other credentials; any other failure leaves the target.
    fn advance(&mut self, class: Class) {
        let pool = self.candidates.get(self.position).map_or(0, |candidate| candidate.credentials.len());
        if class == Class::Credential && self.credential + 1 < pool {
            self.credential += 1;
        } else {
            self.position += 1;
            self.credential = 0;
        }
    }

    /// The last upstream answer a caller can act on, else a refusal that names every attempt.
    fn give_up(&mut self) -> Decision {
        let actionable = |(_, outcome): &(String, Outcome)| match outcome {
            Outcome::Answered(error) => {
                matches!(Class::of_status(error.status), Class::Rate | Class::Target) && error.status >= 400
            }
            Outcome::Head(_) | Outcome::Failed(_) => false,
        };
        if let Some(position) = self.failures.iter().rposition(actionable)
            && let (_, Outcome::Answered(error)) = self.failures.swap_remove(position)
        {
            let state = if error.status == 429 { State::RateLimitedUpstream } else { State::UpstreamError };
            let mut reply = shaped(error);
            reply.headers.retain(|(name, _)| name != "x-should-retry");
            return Decision::Answer(state, reply.with("x-should-retry", "false"));
        }
        let message = self.explain("No provider answered");
        Decision::Refuse(match self.failures.last() {
            Some((_, Outcome::Failed(error @ (SendError::FirstByteTimeout | SendError::IdleTimeout)))) => {
                Refusal::timed_out(error.state(), message)
            }
            Some((_, Outcome::Failed(error))) => Refusal::bad_gateway(error.state(), message),
            Some((_, Outcome::Answered(error))) if Class::of_status(error.status) == Class::Credential => {
                Refusal::bad_gateway(State::UpstreamAuth, message)
            }
            _ => Refusal::bad_gateway(State::UpstreamError, message),
        })
    }

    fn explain(&self, what: &str) -> String {
        let each = self.failures.iter().map(|(target, outcome)| match outcome {
            Outcome::Failed(error) => format!("{target} {}", error.describe()),
            Outcome::Answered(error) => format!("{target} {}", describe_status(error.status)),
            Outcome::Head(status) => format!("{target} answered {status}"),
        });
        format!("{what}: {}.", each.collect::<Vec<_>>().join("; "))
    }
}

/// The upstream's text is not shown for a refused credential: providers echo parts of the key in it.
fn describe_status(status: u16) -> String {
    match status {
        401..=403 => format!("refused llmio's credential ({status}); check it in the catalog"),
        300..=399 => format!("answered with a redirect ({status}), which is never followed; mend its base_url"),
        _ => format!("answered {status}"),
    }
}

fn client_closed() -> Refusal {
    Refusal::bad_gateway(State::ClientClosed, "The client closed the connection before the answer.")
}

fn shutting_down() -> Refusal {
    Refusal::unavailable("draining", "llmio is shutting down. Try again.").after(1).ended(State::Drained)
}

/// JSON stays byte for byte, since clients parse upstream messages; anything else gets the shape they expect.
fn shaped(error: UpstreamError) -> Reply {
    if serde_json::from_slice::<serde::de::IgnoredAny>(&error.body).is_ok() {
        return Reply { status: error.status, headers: error.headers, body: error.body };
    }
    let said = match excerpt(&error.body) {
        text if text.is_empty() => format!("The provider answered {} without an explanation.", error.status),
        text => format!("The provider answered {}: {text}", error.status),
    };
    let refusal = Refusal { status: error.status, ..Refusal::bad_gateway(State::UpstreamError, said) };
    let mut reply = refusal.reply(crate::refusal::Shape::Openai);
    let kept = |name: &str| name.starts_with("retry-after") || name == "x-upstream-request-id";
    reply.headers.retain(|(name, _)| name != "x-should-retry");
    reply.headers.extend(error.headers.into_iter().filter(|(name, _)| kept(name)));
    reply
}

/// The first words of a text or HTML page, without its tags.
fn excerpt(body: &[u8]) -> String {
    const CHARACTERS_MAX: usize = 300;
    let text = String::from_utf8_lossy(body.get(..body.len().min(8192)).unwrap_or_default()).into_owned();
    let mut words = String::new();
    let mut in_tag = false;
    for character in text.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                words.push(' ');
            }
            _ if !in_tag && !character.is_control() => words.push(character),
            _ => words.push(' '),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests;
