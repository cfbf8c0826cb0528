//! What an attempt's answer told of its provider's own limits.

use gateway_core::failover::{Outcome, UpstreamError, told};
use gateway_core::route::health::Subjects;

use super::Given;
use crate::host;
use crate::store::{health, signals};

/// Takes note of it. A lane that a good answer calls used up is left alone without being refused once more; what a
/// refusal says of that health has learnt already.
pub(super) fn note(of: &Subjects, outcome: &Outcome, given: Option<&Given>) {
    match (outcome, given) {
        (Outcome::Head(_), Some(Given::Streaming(answer))) if told::tells(&answer.headers) => {
            let told = told::read(&answer.headers, host::unix_ms());
            health::used_up(of, &told);
            signals::learn(of, told);
        }
        (Outcome::Answered(UpstreamError { status: 429, headers, body, .. }), _) => {
            let now_ms = host::unix_ms();
            let told = told::read(headers, now_ms).into_iter().chain(told::in_error(body, now_ms)).collect();
            signals::learn(of, told);
        }
        _ => {}
    }
}
