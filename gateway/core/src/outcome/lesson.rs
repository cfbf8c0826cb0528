//! What health learns of an attempt: before anything reached the client, and at the end of its answer.

use std::borrow::Cow;

use super::limits::{self, LimitSignal};
use super::words::words_within;
use super::{JudgeContext, Outcome, SendError, UpstreamError, verdict};
use crate::candidate::AttemptParts;
use crate::dialect::Dialect;
use crate::observation::{Observation, StreamError};
use crate::verdict::{Class, Verdict};

/// What an error within an answer counts as when it does not say.
const STATUS_OF_AN_ERROR: u16 = 502;

/// What is learnt of an outcome.
#[derive(Debug, PartialEq, Eq)]
pub enum Lesson {
    /// Nothing: nobody was asked.
    Nothing,
    /// An answer has begun. It may still break off, so it is a success only at its end.
    Begun,
    /// This, and what people are shown of it.
    Noted(Verdict, String),
}

/// What is learnt of an outcome with this verdict; `words` are what the provider said of a failure.
pub fn lesson(outcome: &Outcome, verdict: Verdict, words: Option<&str>) -> Lesson {
    match outcome {
        Outcome::NotSent(_) => Lesson::Nothing,
        Outcome::Head(_) => Lesson::Begun,
        Outcome::Answered(error) => {
            let status = error.status;
            Lesson::Noted(verdict, words.map_or(status.to_string(), |words| format!("{status}: {words}")))
        }
        Outcome::Failed(error) => Lesson::Noted(verdict, error.describe()),
    }
}

/// What is learnt at the end of an answer. What is kept of an error in it is the provider's alone; `request` is what it may
/// repeat, where that is still at hand.
pub fn lesson_of_end(
    observation: &mut Observation,
    error: Option<&SendError>,
    to: AttemptParts<'_>,
    request: Option<&[u8]>,
) -> (Verdict, String) {
    if let Some(error) = &mut observation.error {
        error.message = words_within(error, to.secrets(), request);
    }
    match (error, &mut observation.error) {
        (Some(error), _) => (judged(&Outcome::Failed(error.clone()), &[], to), error.describe()),
        (None, Some(error)) => within_answer(error, to),
        (None, None) => (Verdict::of(Class::Ok), String::new()),
    }
}

fn within_answer(error: &mut StreamError, to: AttemptParts<'_>) -> (Verdict, String) {
    let (status, body) = (error.status.unwrap_or(STATUS_OF_AN_ERROR), std::mem::take(&mut error.data));
    // What an error says in the middle of an answer may be the client's own words: where that may be, all that it says
    // counts as an echo of the request, and only its codes are believed.
    let request = body.clone();
    // Only judged, and judged alike in every dialect.
    let dialect = Dialect::OpenaiChat;
    let outcome = Outcome::Answered(UpstreamError { status, headers: Vec::new(), body, hint: None, dialect });
    (judged(&outcome, &request, to), status.to_string())
}

fn judged(outcome: &Outcome, request: &[u8], to: AttemptParts<'_>) -> Verdict {
    let is_clients_model = to.target.model.is_none();
    verdict(outcome, JudgeContext { rules: &to.provider.errors, request, is_clients_model })
}

/// What an answer or a refusal told of its provider's own limits.
#[derive(Debug, PartialEq, Eq)]
pub struct LimitNews {
    /// All of it.
    pub told: Vec<LimitSignal>,
    /// With a refusal: what it says of the lane is in its verdict.
    is_refused: bool,
}

impl LimitNews {
    /// What keeps the credential, or the credential on this model, back where it is used up.
    pub fn used_up(&self) -> Cow<'_, [LimitSignal]> {
        match self.is_refused {
            // A lane that a good answer calls used up is left alone without being refused once more.
            false => Cow::Borrowed(&self.told),
            // The account may be used up as well, on all its models.
            true => Cow::Owned(self.told.iter().filter(|told| told.of_account).cloned().collect()),
        }
    }
}

/// What was told; `headers` are those of an answer that is relayed. `None`: nothing, as mostly.
pub fn limit_news(outcome: &Outcome, headers: Option<&[(String, Vec<u8>)]>, now_ms: i64) -> Option<LimitNews> {
    match (outcome, headers) {
        (Outcome::Head(_), Some(headers)) if limits::tells(headers) => {
            Some(LimitNews { told: limits::read(headers, now_ms), is_refused: false })
        }
        (Outcome::Answered(UpstreamError { status: 429, headers, body, .. }), _) => {
            let told = limits::read(headers, now_ms).into_iter().chain(limits::in_error(body, now_ms)).collect();
            Some(LimitNews { told, is_refused: true })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
