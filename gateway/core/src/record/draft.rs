//! The record of a call while it is under way. The clock is an argument: `now_ms` is the monotonic clock.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{AttemptRecord, DecisionRecord, Record, kept_error, kept_text};
use crate::call::Call;
use crate::candidate::{AttemptParts, Skipped};
use crate::catalog::{Egress, Model};
use crate::clock::Now;
use crate::dialect::Dialect;
use crate::observation::Observation;
use crate::outcome::{CONTENTLESS, Outcome, Progress, SendError};
use crate::price::{Pieces, Priced};
use crate::quota::AnswerSummary;
use crate::refusal::Reply;
use crate::state::State;
use crate::usage::Usage;
use crate::verdict::Class;

/// The status that many servers log for a client that left before it was answered.
const CLIENT_CLOSED_STATUS: u16 = 499;

/// The default total time of a call, which counts until its model is known, and then this long to report its end.
const TOTAL_MS_DEFAULT: i64 = 60 * 60 * 1000;
const GRACE_MS: i64 = 60_000;

/// The warning about a stream that ended with neither a finish reason nor its end marker.
const WITHOUT_FINISH: &str = "stream_ended_without_finish";

/// The warning about an answer that names another model than the one asked for, followed by that model.
const OTHER_MODEL: &str = "other_model";

/// What is known about a call when it is accepted.
#[derive(Debug)]
pub struct Opening<'o> {
    /// The record's id.
    pub id: &'o str,
    /// When it was accepted.
    pub at: Now,
    /// When it was accepted, on the monotonic clock.
    pub start_ms: u64,
    /// The caller's name.
    pub key: &'o str,
    /// The dialect's name; empty if llmio does not read the request.
    pub dialect: &'static str,
    /// The endpoint's name.
    pub endpoint: &'static str,
    /// The session that its headers name.
    pub session: Option<&'o str>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The client's user agent.
    pub user_agent: Option<&'o str>,
}

/// The record of a call that has not ended.
#[derive(Debug)]
pub struct Draft {
    record: Record,
    at: Now,
    start_ms: u64,
    /// What was seen of its answer.
    seen: AnswerSummary,
    /// How far its farthest attempt came.
    progress: Progress,
    /// Whether an attempt is under way.
    is_sent: bool,
    /// Whether a stream is wanted as a JSON array, which cannot hold keep-alive bytes.
    as_array: bool,
}

/// What remains of a call that has ended.
#[derive(Debug)]
pub struct EndedCall {
    /// The record.
    pub record: Record,
    /// What was seen of its answer.
    pub seen: AnswerSummary,
    /// How far it came, as its key's limits count it: however many attempts there were, the key's holder made one call.
    pub progress: Progress,
}

/// How an attempt ended.
#[derive(Debug)]
pub struct AttemptEnd<'a> {
    /// The dialect that the request was translated into.
    pub translated_to: Option<Dialect>,
    /// The outcome.
    pub outcome: &'a Outcome,
    /// The class of the outcome: what it speaks about.
    pub class: Class,
    /// What the provider said of a failure.
    pub words: Option<&'a str>,
    /// When it began, on the monotonic clock.
    pub started_ms: u64,
    /// What the call generates or transcribes apart from text.
    pub pieces: Pieces,
}

/// When a stream should get its head before it has any content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadDue {
    /// The time on the monotonic clock.
    pub at_ms: u64,
    /// After this long a silence the client gets keep-alive bytes.
    pub keep_alive_ms: u64,
}

impl Draft {
    /// Opens the record of a call whose caller is known.
    pub fn begin(opening: &Opening<'_>) -> Self {
        let record = Record {
            id: opening.id.to_owned(),
            at_ms: opening.at.wall_ms,
            key: opening.key.to_owned(),
            model: String::new(),
            catalog_model: None,
            dialect: opening.dialect,
            endpoint: opening.endpoint,
            streamed: false,
            session: opening.session.map(kept_text),
            client: opening.client.map(|address| address.to_string()),
            user_agent: opening.user_agent.map(kept_text),
            state: State::Running,
            status: 0,
            error: None,
            decision: DecisionRecord::default(),
            attempts: Vec::new(),
            served_by: None,
            first_byte_ms: None,
            first_content_ms: None,
            duration_ms: None,
            bytes_in: 0,
            bytes_out: 0,
            usage: Usage::default(),
            priced: None,
            warnings: Vec::new(),
            until_ms: opening.at.steady_ms.saturating_add(TOTAL_MS_DEFAULT),
        };
        Draft {
            record,
            at: opening.at,
            start_ms: opening.start_ms,
            seen: AnswerSummary::default(),
            progress: Progress::Unsent,
            is_sent: false,
            as_array: false,
        }
    }

    /// The record as it stands now.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How long the call has been open.
    pub fn open_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.start_ms)
    }

    /// Notes what the body asked for.
    pub fn set_call(&mut self, call: &Call) {
        self.as_array = call.as_array;
        let record = &mut self.record;
        record.model = kept_text(&call.model);
        record.streamed = call.streamed;
        record.bytes_in = call.body.len() as u64;
        if record.session.is_none() {
            record.session = call.session.as_deref().map(kept_text);
        }
    }

    /// Notes the candidates, and why others were skipped. Returns when the head is due; `None` if the call is no stream
    /// that can hold keep-alive bytes.
    pub fn decided(&mut self, model: &Model, decision: DecisionRecord) -> Option<HeadDue> {
        let record = &mut self.record;
        record.until_ms = self.at.after(model.timeouts.total_ms).steady_ms.saturating_add(GRACE_MS);
        record.decision = decision;
        record.catalog_model = Some(model.name.clone());
        (record.streamed && !self.as_array).then_some(HeadDue {
            at_ms: self.start_ms.saturating_add(model.head_after_ms),
            keep_alive_ms: model.timeouts.keep_alive_ms,
        })
    }

    /// Notes that an attempt is being sent. If the call is dropped from now on, the provider may have worked on it.
    pub fn sent(&mut self) {
        self.is_sent = true;
    }

    /// Notes how far that attempt came.
    pub fn reached(&mut self, progress: Progress) {
        self.is_sent = false;
        self.progress = self.progress.max(progress);
    }

    /// Notes a candidate that could not be asked after all, and why.
    pub fn skipped(&mut self, skipped: Skipped) {
        let known = &mut self.record.decision.skipped;
        if !known.contains(&skipped) {
            known.push(skipped);
        }
    }

    /// Notes a warning for the reader of the record.
    pub fn warn(&mut self, warning: &str) {
        let known = &mut self.record.warnings;
        if !known.iter().any(|each| each == warning) {
            known.push(warning.to_owned());
        }
    }

    /// Notes how an attempt ended. One that was not sent is no attempt.
    pub fn attempted(&mut self, to: AttemptParts<'_>, attempted: &AttemptEnd<'_>, now_ms: u64) {
        let AttemptEnd { translated_to, outcome, class, words, started_ms, pieces } = *attempted;
        let (status, error) = match outcome {
            Outcome::Head(status) => (Some(*status), None),
            Outcome::Contentless(status) => (Some(*status), Some(CONTENTLESS.to_owned())),
            Outcome::Answered(error) => (Some(error.status), words.map(str::to_owned)),
            Outcome::Failed(error) => (None, Some(error.describe())),
            Outcome::NotSent(..) => return,
        };
        let began_ms = started_ms.saturating_sub(self.start_ms);
        self.record.priced =
            to.target.priced(to.upstream_model, pieces, self.record.at_ms.saturating_add_unsigned(began_ms));
        self.record.attempts.push(AttemptRecord {
            provider: to.provider.name.to_string(),
            model: to.upstream_model.to_owned(),
            credential: to.credential.map(|credential| credential.label.clone()),
            translated_to: translated_to.map(Dialect::name).map(Cow::Borrowed),
            egress: to.provider.egress_of(to.credential).and_then(Egress::name),
            status,
            class: class.name().into(),
            error,
            start_ms: began_ms,
            end_ms: self.open_ms(now_ms),
        });
    }

    /// Notes that the client gets the answer of this attempt although others were made after it.
    pub fn served_by(&mut self, to: AttemptParts<'_>, pieces: Pieces) {
        let label = to.credential.map(|credential| &credential.label);
        let is_it = |attempt: &AttemptRecord| {
            attempt.provider == *to.provider.name
                && attempt.model == to.upstream_model
                && attempt.credential.as_ref() == label
        };
        self.record.served_by = self.record.attempts.iter().rposition(is_it);
        let served = self.record.served_by.and_then(|place| self.record.attempts.get(place));
        let began_ms = served.map_or(0, |attempt| attempt.start_ms);
        self.record.priced =
            to.target.priced(to.upstream_model, pieces, self.record.at_ms.saturating_add_unsigned(began_ms));
    }

    /// Notes that another model answered, and its price, if it is known.
    pub fn served_other(&mut self, model: &str, priced: Option<Priced>) {
        self.warn(&format!("{OTHER_MODEL}: {}", kept_text(model)));
        self.record.priced = priced.or(self.record.priced.take());
    }

    /// Notes what the origin of a relay answered to `request_line`, a method and a path, or what kept the origin from
    /// answering.
    pub fn passed_by(&mut self, relay: &str, request_line: &str, answered: OriginResult, started_ms: u64, now_ms: u64) {
        let OriginResult { status, class, error } = answered;
        self.record.attempts.push(AttemptRecord {
            provider: relay.to_owned(),
            model: kept_text(request_line),
            credential: None,
            translated_to: None,
            egress: None,
            status,
            class: class.name().into(),
            error,
            start_ms: started_ms.saturating_sub(self.start_ms),
            end_ms: self.open_ms(now_ms),
        });
    }

    /// Notes that this many bytes of the client's body were passed on.
    pub fn received(&mut self, bytes: u64) {
        self.record.bytes_in = self.record.bytes_in.saturating_add(bytes);
    }

    /// Notes that the client got this many bytes of the answer.
    pub fn handed_over(&mut self, bytes: u64) {
        self.record.bytes_out = bytes;
    }

    /// Notes the status that the client gets, unless it has one already.
    pub fn head(&mut self, status: u16, now_ms: u64) {
        let open_ms = self.open_ms(now_ms);
        self.record.status = status;
        self.record.first_byte_ms.get_or_insert(open_ms);
    }

    /// Notes what was seen of the answer, and returns what of it is charged.
    pub fn observed(&mut self, observation: &Observation) -> AnswerSummary {
        self.seen = AnswerSummary::from(observation);
        let record = &mut self.record;
        // Content is found before its head is sent, but nobody gets it before.
        let head_ms = record.first_byte_ms.unwrap_or(0);
        record.first_content_ms = observation.first_content_ms.map(|ms| ms.max(head_ms));
        record.bytes_out = observation.bytes;
        record.usage = observation.usage;
        if observation.unfinished {
            record.warnings.push(WITHOUT_FINISH.to_owned());
        }
        self.seen
    }

    /// Notes an answer whose body is known.
    pub fn answered(&mut self, state: State, reply: &Reply) {
        let record = &mut self.record;
        (record.status, record.bytes_out) = match state {
            // The client has left, and gets nothing.
            State::ClientClosed => (CLIENT_CLOSED_STATUS, 0),
            // The client has a head already, which cannot be changed.
            _ if record.first_byte_ms.is_some() => (record.status, reply.body.len() as u64),
            _ => (reply.status, reply.body.len() as u64),
        };
    }

    /// Ends the record.
    pub fn end(self, state: State, error: Option<&str>, now_ms: u64) -> EndedCall {
        let duration_ms = self.open_ms(now_ms);
        let Draft { mut record, seen, progress, is_sent, .. } = self;
        record.state = state;
        record.error = error.map(kept_error);
        record.duration_ms = Some(duration_ms);
        let progress = match progress {
            _ if is_sent => Progress::WorkedOn,
            Progress::TurnedAway => Progress::Failed,
            progress => progress,
        };
        EndedCall { record, seen, progress }
    }
}

/// What the origin of a relay answered, or what kept it from answering.
#[derive(Debug)]
pub struct OriginResult {
    /// The status that it answered.
    pub status: Option<u16>,
    /// The class of the outcome: what it speaks about.
    pub class: Class,
    /// What went wrong.
    pub error: Option<String>,
}

/// How a call ends whose answer was relayed to its end, and why it did not end well.
pub fn end_of_answer(observation: &Observation, error: Option<&SendError>) -> (State, Option<String>) {
    match (error, &observation.error) {
        (Some(error), _) => (error.state(), Some(error.describe())),
        (None, Some(error)) => (State::UpstreamError, Some(error.message.clone())),
        (None, None) => (State::Ok, None),
    }
}

#[cfg(test)]
mod tests;
