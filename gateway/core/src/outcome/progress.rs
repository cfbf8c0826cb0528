//! How far an attempt came, which decides what it is charged: a provider also counts calls that it does not answer.

use super::{Outcome, SendError};
use crate::verdict::{Class, ErrorKind, Verdict};

/// The progress of an attempt, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Progress {
    /// Nothing was sent.
    #[default]
    Unsent,
    /// The provider refused it at once, because of the key, the rate or the address, and asked no model. Its limits do
    /// not count that.
    TurnedAway,
    /// The provider took it and did not answer it. Its limits count that as a call, but without tokens. "Unsuccessful
    /// requests contribute to your per-minute limit" (<https://developers.openai.com/api/docs/guides/rate-limits>); one
    /// that "fails with a 400 or 500 error … will still count against your quota"
    /// (<https://ai.google.dev/gemini-api/docs/billing>).
    Failed,
    /// A model may have worked on it.
    WorkedOn,
}

/// How far the attempt with this outcome came.
pub fn progress(outcome: &Outcome, verdict: Verdict) -> Progress {
    match outcome {
        Outcome::NotSent(_) => Progress::Unsent,
        Outcome::Head(_) | Outcome::Contentless(_) => Progress::WorkedOn,
        Outcome::Failed(error) => of_failure(error),
        Outcome::Answered(error) => of_answer(error.status, verdict),
    }
}

/// How far an attempt without an answer came. If its answer fell silent or broke off, a model may have worked on it.
fn of_failure(error: &SendError) -> Progress {
    match error {
        SendError::Connect(_)
        | SendError::Egress(_)
        | SendError::Tunnel(_)
        | SendError::Denied
        | SendError::Tls(_)
        | SendError::Shortage
        | SendError::NoRoom
        | SendError::ConnectTimeout
        | SendError::LookUpTimeout => Progress::Unsent,
        SendError::Reset(_) | SendError::Protocol(_) | SendError::Empty => Progress::Failed,
        SendError::FirstByteTimeout
        | SendError::IdleTimeout
        | SendError::TotalTimeout
        | SendError::Truncated
        | SendError::NoRoomForAnswer
        | SendError::ClientClosed
        | SendError::Drained => Progress::WorkedOn,
    }
}

fn of_answer(status: u16, verdict: Verdict) -> Progress {
    let is_turned_away = matches!(verdict.class, Class::Credential | Class::Egress | Class::Rate)
        || verdict.kind == ErrorKind::UnknownModel
        || matches!(status, 401..=405 | 413 | 429);
    if is_turned_away { Progress::TurnedAway } else { Progress::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::{Skip, SkipReason};
    use crate::dialect::Dialect;
    use crate::outcome::{JudgeContext, UpstreamError, verdict};

    const ASKED: JudgeContext<'_> = JudgeContext { rules: &[], request: b"{}", is_clients_model: false };

    fn of(status: u16, body: &str) -> Progress {
        let (headers, body, dialect) = (Vec::new(), body.as_bytes().to_vec(), Dialect::OpenaiChat);
        let outcome = Outcome::Answered(UpstreamError { status, headers, body, hint: None, dialect });
        progress(&outcome, verdict(&outcome, ASKED))
    }

    #[test]
    fn what_a_provider_took_and_failed_at_is_a_call_to_its_limits() {
        for status in [400, 408, 409, 422, 500, 502, 503, 504, 520] {
            assert_eq!(of(status, "{}"), Progress::Failed, "{status}");
        }
    }

    #[test]
    fn what_a_provider_turned_away_at_its_door_is_none() {
        for status in [401, 402, 403, 404, 405, 413, 429, 529] {
            assert_eq!(of(status, "{}"), Progress::TurnedAway, "{status}");
        }
        for (status, body) in [
            (400, r#"{"error":{"code":400,"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}"#),
            (400, r#"{"error":{"message":"User location is not supported for the API use."}}"#),
            (503, r#"{"error":{"message":"No available channel for model x under group default"}}"#),
        ] {
            assert_eq!(of(status, body), Progress::TurnedAway, "{body}");
        }
    }

    #[test]
    fn what_had_no_connection_is_unsent_and_a_silence_may_be_worked_on() {
        let failed = |error: SendError| {
            let outcome = Outcome::Failed(error);
            progress(&outcome, verdict(&outcome, ASKED))
        };
        let why = String::new;
        for error in [SendError::Connect(why()), SendError::Tls(why()), SendError::Denied] {
            assert_eq!(failed(error), Progress::Unsent);
        }
        for error in [SendError::ConnectTimeout, SendError::LookUpTimeout] {
            assert_eq!(failed(error), Progress::Unsent);
        }
        for error in [SendError::Reset(why()), SendError::Protocol(why()), SendError::Empty] {
            assert_eq!(failed(error), Progress::Failed);
        }
        for error in
            [SendError::FirstByteTimeout, SendError::IdleTimeout, SendError::Truncated, SendError::ClientClosed]
        {
            assert_eq!(failed(error), Progress::WorkedOn);
        }
        let skip = Outcome::NotSent(Skip::new(SkipReason::QuotaSpent, None));
        assert_eq!(progress(&skip, Verdict::of(Class::Gone)), Progress::Unsent);
        assert_eq!(progress(&Outcome::Head(200), Verdict::of(Class::Ok)), Progress::WorkedOn);
    }

    #[test]
    fn the_farthest_of_several_attempts_counts() {
        let all = [Progress::TurnedAway, Progress::Unsent, Progress::Failed];
        assert_eq!(all.into_iter().max(), Some(Progress::Failed));
        assert!(Progress::WorkedOn > Progress::Failed && Progress::TurnedAway > Progress::Unsent);
    }
}
