//! What health learns from an attempt: before anything has reached the client, and at the end of its answer.

use std::borrow::Cow;

use super::limits::{self, LimitSignal};
use super::words::words_within;
use super::{CONTENTLESS, JudgeContext, Outcome, SendError, UpstreamError, verdict};
use crate::candidate::AttemptParts;
use crate::clock::Now;
use crate::dialect::Dialect;
use crate::observation::{Observation, StreamError};
use crate::verdict::{Class, Verdict};

/// The status of an error within an answer that does not tell one.
const STATUS_OF_AN_ERROR: u16 = 502;

/// What is learned from an outcome.
#[derive(Debug, PartialEq, Eq)]
pub enum Lesson {
    /// Nothing, because no provider was asked.
    Nothing,
    /// An answer has begun. It may still break off, so it only counts as a success at its end.
    Begun,
    /// This verdict, with the message that people are shown.
    Noted(Verdict, String),
}

/// What is learned from an outcome with this verdict; `words` are the provider's words about a failure.
pub fn lesson(outcome: &Outcome, verdict: Verdict, words: Option<&str>) -> Lesson {
    match outcome {
        Outcome::NotSent(_) => Lesson::Nothing,
        Outcome::Head(_) => Lesson::Begun,
        Outcome::Contentless(_) => Lesson::Noted(verdict, CONTENTLESS.to_owned()),
        Outcome::Answered(error) => {
            let status = error.status;
            Lesson::Noted(verdict, words.map_or(status.to_string(), |words| format!("{status}: {words}")))
        }
        Outcome::Failed(error) => Lesson::Noted(verdict, error.describe()),
    }
}

/// What is learned at the end of an answer. Only the provider's own words about an error in it are kept; `request` is
/// the request, if it was kept, since the error may repeat it.
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
    // An error in the middle of an answer may repeat the client's words. Without the request, the whole text counts as
    // an echo and only the codes are believed.
    let request = body.clone();
    // The dialect does not matter for judging.
    let dialect = Dialect::OpenaiChat;
    let outcome = Outcome::Answered(UpstreamError { status, headers: Vec::new(), body, hint: None, dialect });
    (judged(&outcome, &request, to), status.to_string())
}

fn judged(outcome: &Outcome, request: &[u8], to: AttemptParts<'_>) -> Verdict {
    let is_clients_model = to.target.model.is_none();
    verdict(outcome, JudgeContext { rules: &to.provider.errors, request, is_clients_model })
}

/// The limits that an answer or a refusal told.
#[derive(Debug, PartialEq, Eq)]
pub struct LimitNews {
    /// All of them.
    pub signals: Vec<LimitSignal>,
    /// Whether they came with a refusal, whose verdict already covers the lane.
    is_refused: bool,
}

impl LimitNews {
    /// The limits that are used up, and pause the credential or its lane.
    pub fn used_up(&self) -> Cow<'_, [LimitSignal]> {
        match self.is_refused {
            // A lane that is used up according to a good answer is paused without another refusal.
            false => Cow::Borrowed(&self.signals),
            // The whole account may be used up too, on all its models.
            true => Cow::Owned(self.signals.iter().filter(|signal| signal.of_account).cloned().collect()),
        }
    }
}

/// The limits that were told; `headers` are those of an answer that is relayed. `None` if there are none, which is
/// usual.
pub fn limit_news(outcome: &Outcome, headers: Option<&[(String, Vec<u8>)]>, now: Now) -> Option<LimitNews> {
    match (outcome, headers) {
        (Outcome::Head(_) | Outcome::Contentless(_), Some(headers)) if limits::tells(headers) => {
            Some(LimitNews { signals: limits::read(headers, b"", now), is_refused: false })
        }
        (Outcome::Answered(UpstreamError { status: 429, headers, body, .. }), _) => {
            Some(LimitNews { signals: limits::read(headers, body, now), is_refused: true })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
