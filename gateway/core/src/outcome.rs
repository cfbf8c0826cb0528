//! The outcome of an attempt and what it says: what it speaks about, how long to wait, and how far the request got.
//! What follows for the call is decided in [`failover`](crate::failover).

mod blame;
mod class;
mod error_text;
pub mod hint;
mod lesson;
pub mod limits;
mod parameter;
mod progress;
mod reset;
mod words;

use crate::candidate::Skip;
use crate::dialect::Dialect;
use crate::state::State;
use crate::verdict::{Class, ErrorKind, Hint, Verdict};

pub use blame::NamedEgress;
pub use class::JudgeContext;
pub use lesson::{Lesson, LimitNews, lesson, lesson_of_end, limit_news};
pub use parameter::refused_parameter;
pub use progress::{Progress, progress};
pub(crate) use words::excerpt;
pub use words::{error_message, words};

/// The outcome of an attempt before anything has reached the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A head with a status that promises an answer, whose body can be relayed.
    Head(u16),
    /// A whole answer with nothing in it. Another target may have more to say; if none has, it is better than no answer.
    Contentless(u16),
    /// An error answer, with as much of it as is kept.
    Answered(UpstreamError),
    /// No answer.
    Failed(SendError),
    /// Nothing was sent, because what was free when the candidates were ordered no longer is.
    NotSent(Skip),
}

/// A provider's error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// The HTTP status, 300 or above. For an error inside an answer with status 200, the status that the error stands
    /// for.
    pub status: u16,
    /// The response headers that the client gets.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// The wait that it tells.
    pub hint: Option<Hint>,
    /// The dialect of the body.
    pub dialect: Dialect,
}

impl UpstreamError {
    /// Whether it blames the caller's address, place or conduct, and not only the credential.
    pub(crate) fn blames_asker(&self) -> bool {
        error_text::blames_asker(&self.body)
    }
}

/// The verdict on an outcome.
pub fn verdict(outcome: &Outcome, context: JudgeContext<'_>) -> Verdict {
    match outcome {
        Outcome::Head(_) => Verdict::of(Class::Ok),
        Outcome::Contentless(_) => Verdict::of(Class::Target),
        Outcome::Answered(error) => class::judge(error.status, &error.body, context, error.hint),
        Outcome::Failed(error) if error.is_llmios_own() => Verdict::of(Class::Gone),
        Outcome::NotSent(..) => Verdict::of(Class::Gone),
        Outcome::Failed(SendError::Egress(_)) => Verdict { kind: ErrorKind::Egress, ..Verdict::of(Class::Egress) },
        Outcome::Failed(SendError::Tunnel(_)) => Verdict { kind: ErrorKind::Tunnel, ..Verdict::of(Class::Egress) },
        Outcome::Failed(error) => Verdict { kind: kind_of(error), ..Verdict::of(Class::Target) },
    }
}

/// What an attempt that failed at its target says about the way to it.
fn kind_of(error: &SendError) -> ErrorKind {
    match error {
        SendError::Connect(_) => ErrorKind::Unreachable,
        SendError::ConnectTimeout | SendError::LookUpTimeout => ErrorKind::ConnectTimeout,
        // Something came, although it was no answer.
        SendError::Tls(_) | SendError::Truncated | SendError::Empty => ErrorKind::Plain,
        _ => ErrorKind::NoAnswer,
    }
}

/// What a contentless answer is called behind a provider's name.
pub(crate) const CONTENTLESS: &str = "answered with nothing in it";

/// Why there is no answer. The component translates its host's errors into these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The name could not be resolved, or nothing listens at the address.
    Connect(String),
    /// The egress proxy or relay could not be used: its name, and why.
    Egress(String),
    /// The egress proxy or relay could not reach the provider: its name, and why.
    Tunnel(String),
    /// The address is not public and the provider is not `local`.
    Denied,
    /// The TLS handshake failed.
    Tls(String),
    /// The connection was not made in time.
    ConnectTimeout,
    /// The name was not resolved in time.
    LookUpTimeout,
    /// No response head came in time.
    FirstByteTimeout,
    /// Nothing came between two chunks for too long.
    IdleTimeout,
    /// The call's total time is used up.
    TotalTimeout,
    /// The connection broke.
    Reset(String),
    /// The answer ended before its announced end.
    Truncated,
    /// The answer is not HTTP.
    Protocol(String),
    /// The answer ended without any content.
    Empty,
    /// The client left; nobody waits for an answer.
    ClientClosed,
    /// The host is shutting down, and ended what was under way.
    Drained,
    /// The host has no descriptor left for another connection, which is not the provider's fault.
    Shortage,
    /// There is no memory for the request to be sent.
    NoRoom,
    /// There is no memory for the answer.
    NoRoomForAnswer,
}

impl SendError {
    /// Whether it says nothing about the provider, because the client left or llmio itself could not go on.
    pub fn is_llmios_own(&self) -> bool {
        matches!(self, Self::ClientClosed | Self::Drained | Self::Shortage | Self::NoRoom | Self::NoRoomForAnswer)
    }

    /// The end state of a call that ends with this error.
    pub fn state(&self) -> State {
        match self {
            Self::Connect(_)
            | Self::Egress(_)
            | Self::Tunnel(_)
            | Self::Denied
            | Self::ConnectTimeout
            | Self::LookUpTimeout => State::UpstreamConnect,
            Self::Tls(_) => State::TlsError,
            Self::FirstByteTimeout => State::FirstByteTimeout,
            Self::IdleTimeout => State::IdleTimeout,
            Self::TotalTimeout => State::TotalTimeout,
            Self::Reset(_) => State::UpstreamReset,
            Self::Truncated => State::UpstreamTruncated,
            Self::Protocol(_) => State::UpstreamError,
            Self::Empty => State::UpstreamTruncated,
            Self::ClientClosed => State::ClientClosed,
            Self::Drained => State::Drained,
            Self::Shortage | Self::NoRoom => State::Rejected,
            Self::NoRoomForAnswer => State::UpstreamError,
        }
    }

    /// What happened, worded to follow a provider's name.
    pub fn describe(&self) -> String {
        match self {
            Self::Connect(why) if why.is_empty() => "could not be reached".into(),
            Self::Connect(why) => format!("could not be reached ({why})"),
            Self::Egress(why) | Self::Tunnel(why) => format!("was not reached: the egress {why}"),
            Self::Denied => "is at an address that is not allowed; if a private one is meant set `local = true` on \
                             the provider (under Spin: allowed_outbound_hosts)"
                .into(),
            Self::Tls(why) if why.is_empty() => "failed the TLS handshake".into(),
            Self::Tls(why) => format!("failed the TLS handshake ({why})"),
            Self::ConnectTimeout => "did not accept the connection in time".into(),
            Self::LookUpTimeout => "could not be reached (its name was not resolved in time)".into(),
            Self::FirstByteTimeout => "did not answer in time".into(),
            Self::IdleTimeout => "fell silent in the middle of its answer".into(),
            Self::TotalTimeout => "was still answering when the call's total time was used up".into(),
            Self::Reset(why) if why.is_empty() => "closed the connection".into(),
            Self::Reset(why) => format!("closed the connection ({why})"),
            Self::Truncated => "ended its answer before it was complete".into(),
            Self::Protocol(why) => format!("gave no answer that can be used ({why})"),
            Self::Empty => "ended its answer before any content".into(),
            Self::ClientClosed => "was no longer needed: the client left".into(),
            Self::Drained => "was cut off: llmio is shutting down".into(),
            Self::Shortage => "was not asked: llmio has as many connections as it may have".into(),
            Self::NoRoom => "was not asked: llmio keeps as much for its calls as it may".into(),
            Self::NoRoomForAnswer => "answered with more than llmio has room for at the moment".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_whether_its_host_was_reached() {
        let context = JudgeContext { rules: &[], request: b"{}", is_clients_model: false };
        let why = String::new;
        for (error, kind) in [
            (SendError::Connect(why()), ErrorKind::Unreachable),
            (SendError::ConnectTimeout, ErrorKind::ConnectTimeout),
            (SendError::LookUpTimeout, ErrorKind::ConnectTimeout),
            (SendError::Tls(why()), ErrorKind::Plain),
            (SendError::Truncated, ErrorKind::Plain),
            (SendError::Empty, ErrorKind::Plain),
            // The request may not have left, or may have left on a connection that was kept.
            (SendError::Denied, ErrorKind::NoAnswer),
            (SendError::Protocol(why()), ErrorKind::NoAnswer),
            (SendError::Reset(why()), ErrorKind::NoAnswer),
            (SendError::FirstByteTimeout, ErrorKind::NoAnswer),
            (SendError::IdleTimeout, ErrorKind::NoAnswer),
            (SendError::TotalTimeout, ErrorKind::NoAnswer),
        ] {
            let judged = verdict(&Outcome::Failed(error.clone()), context);
            assert_eq!((judged.class, judged.kind), (Class::Target, kind), "{error:?}");
            assert_eq!(judged.is_answer(), kind == ErrorKind::Plain, "{error:?}");
        }
    }
}
