//! What came of one attempt, and what it says: of whom it speaks, when one may come back, how far the request got.
//! What follows for the call is decided in [`failover`](crate::failover).

mod blame;
mod class;
mod error_text;
pub mod hint;
mod lesson;
pub mod limits;
mod progress;
mod words;

use crate::candidate::Skip;
use crate::dialect::Dialect;
use crate::state::State;
use crate::verdict::{Class, ErrorKind, Hint, Verdict};

pub use blame::NamedEgress;
pub use class::JudgeContext;
pub use lesson::{Lesson, LimitNews, lesson, lesson_of_end, limit_news};
pub use progress::{Progress, progress};
pub(crate) use words::excerpt;
pub use words::{told, words};

/// What came of an attempt before anything reached the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A head that promises an answer: its body can be relayed.
    Head(u16),
    /// An error answer, read as far as it is kept.
    Answered(UpstreamError),
    /// No answer.
    Failed(SendError),
    /// Nothing was sent: what was free when the candidates were ordered is not free any more.
    NotSent(Skip),
}

/// An upstream's error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// HTTP status, 300 or above. Of an error inside an answer that began with 200, the one it stands for.
    pub status: u16,
    /// Response headers as they go downstream.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// When it says one may come back.
    pub hint: Option<Hint>,
    /// What the body is written in.
    pub dialect: Dialect,
}

impl UpstreamError {
    /// Whether it speaks of whoever asks, by address, place or conduct, and not of the credential alone.
    pub(crate) fn blames_asker(&self) -> bool {
        error_text::blames_asker(&self.body)
    }
}

/// What an outcome says of the target, the credential and the rate.
pub fn verdict(outcome: &Outcome, asked: JudgeContext<'_>) -> Verdict {
    match outcome {
        Outcome::Head(_) => Verdict::of(Class::Ok),
        Outcome::Answered(error) => class::judge(error.status, &error.body, asked, error.hint),
        Outcome::Failed(error) if error.is_llmios_own() => Verdict::of(Class::Gone),
        Outcome::NotSent(..) => Verdict::of(Class::Gone),
        Outcome::Failed(SendError::Egress(_)) => Verdict { kind: ErrorKind::Egress, ..Verdict::of(Class::Egress) },
        Outcome::Failed(SendError::Tunnel(_)) => Verdict { kind: ErrorKind::Tunnel, ..Verdict::of(Class::Egress) },
        Outcome::Failed(error) => Verdict { kind: kind_of(error), ..Verdict::of(Class::Target) },
    }
}

/// What an attempt that failed at its target says of the way there.
fn kind_of(error: &SendError) -> ErrorKind {
    match error {
        SendError::Connect(_) => ErrorKind::Unreachable,
        SendError::ConnectTimeout | SendError::LookUpTimeout => ErrorKind::ConnectTimeout,
        // Something came, if not an answer.
        SendError::Tls(_) | SendError::Truncated | SendError::Empty => ErrorKind::Plain,
        _ => ErrorKind::NoAnswer,
    }
}

/// Why there is no answer. The component's shell translates its host's errors into these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The name could not be resolved, or nothing listens there.
    Connect(String),
    /// The egress proxy or relay could not be used. Its name, and why.
    Egress(String),
    /// The egress proxy or relay did not get through to the provider. Its name, and why.
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
    /// The answer ended without any content.
    Empty,
    /// The client left; nobody waits for an answer.
    ClientClosed,
    /// The host is shutting down and ended what was under way.
    Drained,
    /// The host has no descriptor for another connection: nobody else's fault.
    Shortage,
    /// There is no room for the request that was to be sent.
    NoRoom,
    /// There is no room for the answer.
    NoRoomForAnswer,
}

impl SendError {
    /// Whether it says nothing of the provider: the client left, or llmio itself could not go on.
    pub fn is_llmios_own(&self) -> bool {
        matches!(self, Self::ClientClosed | Self::Drained | Self::Shortage | Self::NoRoom | Self::NoRoomForAnswer)
    }

    /// The end state of a call that ends with this.
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

    /// What happened, to stand behind a provider's name.
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
        let asked = JudgeContext { rules: &[], request: b"{}", is_clients_model: false };
        let why = String::new;
        for (error, kind) in [
            (SendError::Connect(why()), ErrorKind::Unreachable),
            (SendError::ConnectTimeout, ErrorKind::ConnectTimeout),
            (SendError::LookUpTimeout, ErrorKind::ConnectTimeout),
            (SendError::Tls(why()), ErrorKind::Plain),
            (SendError::Truncated, ErrorKind::Plain),
            (SendError::Empty, ErrorKind::Plain),
            // The request may have been turned away before it left, or have left on a connection that was kept.
            (SendError::Denied, ErrorKind::NoAnswer),
            (SendError::Protocol(why()), ErrorKind::NoAnswer),
            (SendError::Reset(why()), ErrorKind::NoAnswer),
            (SendError::FirstByteTimeout, ErrorKind::NoAnswer),
            (SendError::IdleTimeout, ErrorKind::NoAnswer),
            (SendError::TotalTimeout, ErrorKind::NoAnswer),
        ] {
            let judged = verdict(&Outcome::Failed(error.clone()), asked);
            assert_eq!((judged.class, judged.kind), (Class::Target, kind), "{error:?}");
            assert_eq!(judged.is_answer(), kind == ErrorKind::Plain, "{error:?}");
        }
    }
}
