//! What health learns of an attempt, before anything reached the client and at the end of its answer.

use gateway_core::candidate::Attempt;
use gateway_core::dialect::Dialect;
use gateway_core::health::{Availability, Health, Subjects};
use gateway_core::outcome::{self, JudgeContext, Outcome, UpstreamError};
use gateway_core::redact;
use gateway_core::verdict::{Class, Verdict};

use crate::relay::Ended;
use crate::store::health::{self, Took};

pub(super) fn is_able(health: &Health, of: &Subjects, now_ms: i64) -> bool {
    let mut subjects = of.beside_target().chain([&of.target]);
    subjects.all(|subject| health.availability(subject, now_ms) == Availability::Able)
}

/// What health learns of an outcome before anything reached the client. An answer that has begun may still break off, so
/// it is a success only at its end.
pub(super) fn learn(
    of: &Subjects,
    outcome: &Outcome,
    verdict: Verdict,
    words: Option<&str>,
    started_at_ms: i64,
    took: Took,
) {
    match outcome {
        Outcome::NotSent(..) => {}
        Outcome::Head(_) => health::begun(of, started_at_ms, took),
        Outcome::Answered(error) => {
            let said = words.map_or(error.status.to_string(), |words| format!("{}: {words}", error.status));
            health::note(of, verdict, &said, started_at_ms);
        }
        Outcome::Failed(error) => health::note(of, verdict, &error.describe(), started_at_ms),
    }
}

/// What health learns of the end of an answer; and what is recorded of an error in it loses the credential it may repeat.
pub(super) fn end(ended: &mut Ended, attempt: &Attempt, of: &Subjects, started_at_ms: i64) {
    let to = attempt.named();
    // What an error says in the middle of an answer may be the client's own words: where that may be, all that it says
    // counts as an echo of the request, and only its codes are believed.
    let judged = |outcome: Outcome| {
        let said = match &outcome {
            Outcome::Answered(error) => error.body.clone(),
            _ => Vec::new(),
        };
        let is_clients_model = to.target.model.is_none();
        outcome::verdict(&outcome, JudgeContext { rules: &to.provider.errors, request: &said, is_clients_model })
    };
    let (verdict, said) = match (&ended.error, &mut ended.observation.error) {
        (Some(error), _) => (judged(Outcome::Failed(error.clone())), error.describe()),
        (None, Some(error)) => {
            error.message = redact::without_secret(&error.message, to.credential);
            let (status, body) = (error.status.unwrap_or(502), std::mem::take(&mut error.data));
            // Only judged, and judged alike in every dialect.
            let dialect = Dialect::OpenaiChat;
            (
                judged(Outcome::Answered(UpstreamError { status, headers: Vec::new(), body, hint: None, dialect })),
                status.to_string(),
            )
        }
        (None, None) => (Verdict::of(Class::Ok), String::new()),
    };
    health::note(of, verdict, &said, started_at_ms);
}
