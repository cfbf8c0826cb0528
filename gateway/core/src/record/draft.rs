//! The record of a call under way, as it fills up. The clock is an argument: `now_ms` is the monotonic clock's.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{AttemptRecord, DecisionRecord, Record, kept_error, kept_text};
use crate::call::Call;
use crate::candidate::{AttemptParts, Skipped};
use crate::catalog::{Egress, Model};
use crate::dialect::Dialect;
use crate::observation::Observation;
use crate::operation::Operation;
use crate::outcome::{Outcome, Progress, SendError};
use crate::price::{Pieces, Priced};
use crate::quota::AnswerSummary;
use crate::refusal::Reply;
use crate::state::State;
use crate::usage::Usage;
use crate::verdict::Class;

/// What many servers log for a client that left before it was answered.
const CLIENT_CLOSED_STATUS: u16 = 499;

/// Until its model is known a call has the default total time, and then this long to say that it is over.
const TOTAL_MS_DEFAULT: i64 = 60 * 60 * 1000;
const GRACE_MS: i64 = 60_000;

/// What a record says of a stream that ended with neither a finish reason nor its end marker.
const WITHOUT_FINISH: &str = "stream_ended_without_finish";

/// What a record says of an answer that names another model than was asked for, and that model.
const OTHER_MODEL: &str = "other_model";

/// A call as it is known when it is accepted.
#[derive(Debug)]
pub struct Opening<'o> {
    /// The record's id.
    pub id: &'o str,
    /// When it was accepted, Unix milliseconds.
    pub at_ms: i64,
    /// The same on the monotonic clock.
    pub start_ms: u64,
    /// The caller's name.
    pub key: &'o str,
    /// The dialect's name; empty where nobody looks into the request.
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
    start_ms: u64,
    /// What was seen of its answer.
    seen: AnswerSummary,
    /// How far its attempts came, the farthest of them.
    progress: Progress,
    /// An attempt is under way.
    is_sent: bool,
    /// A stream is wanted in a form that has no signs of life.
    as_array: bool,
}

/// What is kept of a call that has ended.
#[derive(Debug)]
pub struct EndedCall {
    /// The record.
    pub record: Record,
    /// What was seen of its answer.
    pub seen: AnswerSummary,
    /// How far it came, as its key's limits count it: whatever a provider makes of a call, its holder caused one.
    pub progress: Progress,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct AttemptEnd<'a> {
    /// What was asked of the provider.
    pub operation: Operation,
    /// The outcome.
    pub outcome: &'a Outcome,
    /// Who it speaks of.
    pub class: Class,
    /// What the provider said of a failure.
    pub words: Option<&'a str>,
    /// When it began, on the monotonic clock.
    pub started_ms: u64,
    /// What it was to make or hear that is not words.
    pub pieces: Pieces,
}

/// When a stream should have its head although it has no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadDue {
    /// On the monotonic clock.
    pub at_ms: u64,
    /// After so long a silence its client gets a sign of life.
    pub keep_alive_ms: u64,
}

impl Draft {
    /// Opens the record of a call whose caller is known.
    pub fn begin(opening: &Opening<'_>) -> Self {
        let record = Record {
            id: opening.id.to_owned(),
            at_ms: opening.at_ms,
            key: opening.key.to_owned(),
            model: String::new(),
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
            first_byte_ms: None,
            first_content_ms: None,
            duration_ms: None,
            bytes_in: 0,
            bytes_out: 0,
            usage: Usage::default(),
            priced: None,
            warnings: Vec::new(),
            until_ms: opening.at_ms.saturating_add(TOTAL_MS_DEFAULT),
        };
        Draft {
            record,
            start_ms: opening.start_ms,
            seen: AnswerSummary::default(),
            progress: Progress::Unsent,
            is_sent: false,
            as_array: false,
        }
    }

    /// As it stands now.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How long it has been open.
    pub fn open_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.start_ms)
    }

    /// What the body asked for.
    pub fn asked(&mut self, call: &Call) {
        self.as_array = call.as_array;
        let record = &mut self.record;
        record.model = kept_text(&call.model);
        record.streamed = call.streamed;
        record.bytes_in = call.body.len() as u64;
        if record.session.is_none() {
            record.session = call.session.as_deref().map(kept_text);
        }
    }

    /// Where it may go, and why not elsewhere. Says when a head is due; `None`: it is no stream that a sign of life can be
    /// given.
    pub fn decided(&mut self, model: &Model, decision: DecisionRecord) -> Option<HeadDue> {
        let record = &mut self.record;
        record.until_ms = record.at_ms.saturating_add_unsigned(model.timeouts.total_ms).saturating_add(GRACE_MS);
        record.decision = decision;
        (record.streamed && !self.as_array).then_some(HeadDue {
            at_ms: self.start_ms.saturating_add(model.head_after_ms),
            keep_alive_ms: model.timeouts.keep_alive_ms,
        })
    }

    /// An attempt is being sent. Should nothing be heard of it any more, it may have been worked on.
    pub fn sent(&mut self) {
        self.is_sent = true;
    }

    /// How far that attempt came.
    pub fn reached(&mut self, progress: Progress) {
        self.is_sent = false;
        self.progress = self.progress.max(progress);
    }

    /// A candidate that could not be asked after all, and why.
    pub fn skipped(&mut self, skipped: Skipped) {
        let known = &mut self.record.decision.skipped;
        if !known.contains(&skipped) {
            known.push(skipped);
        }
    }

    /// What the reader of the record should know.
    pub fn warn(&mut self, warning: &str) {
        let known = &mut self.record.warnings;
        if !known.iter().any(|each| each == warning) {
            known.push(warning.to_owned());
        }
    }

    /// What came of an attempt; one that was not sent is none.
    pub fn attempted(&mut self, to: AttemptParts<'_>, attempted: &AttemptEnd<'_>, now_ms: u64) {
        let AttemptEnd { operation, outcome, class, words, started_ms, pieces } = *attempted;
        let (status, error) = match outcome {
            Outcome::Head(status) => (Some(*status), None),
            Outcome::Answered(error) => (Some(error.status), words.map(str::to_owned)),
            Outcome::Failed(error) => (None, Some(error.describe())),
            Outcome::NotSent(..) => return,
        };
        self.record.priced = to.target.priced(to.upstream_model, pieces);
        self.record.attempts.push(AttemptRecord {
            provider: to.provider.name.to_string(),
            model: to.upstream_model.to_owned(),
            credential: to.credential.map(|credential| credential.label.clone()),
            translated_to: to.translated_to(operation).map(Dialect::name).map(Cow::Borrowed),
            egress: to.provider.egress_of(to.credential).and_then(Egress::name),
            status,
            class: class.name().into(),
            error,
            start_ms: started_ms.saturating_sub(self.start_ms),
            end_ms: self.open_ms(now_ms),
        });
    }

    /// The answer is of another model, which costs this, where that is known.
    pub fn served_other(&mut self, model: &str, priced: Option<Priced>) {
        self.warn(&format!("{OTHER_MODEL}: {}", kept_text(model)));
        self.record.priced = priced.or(self.record.priced);
    }

    /// What the origin of a relay answered to `asked`, a method and a path, or who kept it from that and how.
    pub fn passed_by(&mut self, relay: &str, asked: &str, answered: OriginResult, started_ms: u64, now_ms: u64) {
        let OriginResult { status, class, error } = answered;
        self.record.attempts.push(AttemptRecord {
            provider: relay.to_owned(),
            model: kept_text(asked),
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

    /// So many bytes of the client's body were passed on.
    pub fn received(&mut self, bytes: u64) {
        self.record.bytes_in = self.record.bytes_in.saturating_add(bytes);
    }

    /// So many bytes of the answer were handed over.
    pub fn handed_over(&mut self, bytes: u64) {
        self.record.bytes_out = bytes;
    }

    /// The head goes to the client, unless it has one.
    pub fn head(&mut self, status: u16, now_ms: u64) {
        let open_ms = self.open_ms(now_ms);
        self.record.status = status;
        self.record.first_byte_ms.get_or_insert(open_ms);
    }

    /// Takes note of what was seen of the answer, and says what of it is charged.
    pub fn observed(&mut self, observation: &Observation) -> AnswerSummary {
        self.seen = AnswerSummary::from(observation);
        let record = &mut self.record;
        // Content is found before its head is given away, but reaches nobody before.
        let head_ms = record.first_byte_ms.unwrap_or(0);
        record.first_content_ms = observation.first_content_ms.map(|ms| ms.max(head_ms));
        record.bytes_out = observation.bytes;
        record.usage = observation.usage;
        if observation.unfinished {
            record.warnings.push(WITHOUT_FINISH.to_owned());
        }
        self.seen
    }

    /// An answer that is known as a whole goes to the client.
    pub fn answered(&mut self, state: State, reply: &Reply) {
        let record = &mut self.record;
        (record.status, record.bytes_out) = match state {
            // Nobody was there to get it.
            State::ClientClosed => (CLIENT_CLOSED_STATUS, 0),
            // The client has a head already, which nothing can change.
            _ if record.first_byte_ms.is_some() => (record.status, reply.body.len() as u64),
            _ => (reply.status, reply.body.len() as u64),
        };
    }

    /// It has ended.
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

/// What an origin answered, or who kept it from that and how.
#[derive(Debug)]
pub struct OriginResult {
    /// The status it answered.
    pub status: Option<u16>,
    /// Who the outcome speaks of.
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
