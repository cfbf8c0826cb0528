//! What an attempt's answer told of its provider's own limits.

use gateway_core::health::Subjects;
use gateway_core::outcome::limits::{self, LimitSignal};
use gateway_core::outcome::{Outcome, UpstreamError};

use super::UpstreamAnswer;
use crate::host;
use crate::store::{health, signals};

/// Takes note of it. A lane that a good answer calls used up is left alone without being refused once more. What a
/// refusal says of the lane health has learnt already; the account may be used up as well, on all its models.
pub(super) fn note(of: &Subjects, outcome: &Outcome, answer: Option<&UpstreamAnswer>) {
    match (outcome, answer) {
        (Outcome::Head(_), Some(UpstreamAnswer::Streaming(answer))) if limits::tells(&answer.headers) => {
            let signals = limits::read(&answer.headers, host::unix_ms());
            health::used_up(of, &signals);
            signals::learn(of, signals);
        }
        (Outcome::Answered(UpstreamError { status: 429, headers, body, .. }), _) => {
            let now_ms = host::unix_ms();
            let signals: Vec<LimitSignal> =
                limits::read(headers, now_ms).into_iter().chain(limits::in_error(body, now_ms)).collect();
            let of_account: Vec<LimitSignal> = signals.iter().filter(|signal| signal.of_account).cloned().collect();
            health::used_up(of, &of_account);
            signals::learn(of, signals);
        }
        _ => {}
    }
}
