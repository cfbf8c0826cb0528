//! What the events of a streamed answer have told so far, in whatever form they came.
//!
//! Only events that can matter are parsed: until the first content each one, afterwards those that hold one of the
//! texts their dialect tells more with than content.

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::dialects::{RawUsage, status_of};
use crate::neutral::lenient;
use crate::observation::StreamError;
use crate::reasoning_seals::{SealId, SealScan, has_trace};
use crate::scan::plain_length;
use crate::usage::Usage;

#[derive(Debug)]
pub(super) struct Events {
    dialect: Dialect,
    pub(super) content_seen: bool,
    pub(super) finish_seen: bool,
    failed_seen: bool,
    excused_seen: bool,
    pub(super) error: Option<StreamError>,
    pub(super) response_id: Option<String>,
    pub(super) model: Option<String>,
    /// The bytes of content that have passed, as they were written.
    pub(super) content_bytes: u64,
    /// How many bytes of an event surround its content.
    frame_bytes: usize,
    end_seen: bool,
    /// The alternatives that have said something since they last gave a finish reason, one bit for each.
    speaking: u128,
    /// Whether the last event was too long to be read.
    passed_over: bool,
    usage: RawUsage,
    /// The seals that have passed.
    pub(super) seals: Vec<SealId>,
}

/// Seals that are remembered of one answer.
const SEALS_MAX: usize = 4096;

/// Where an event names its model: in OpenAI chat, Anthropic, Responses and Gemini.
const MODELS: [&str; 4] = ["/model", "/message/model", "/response/model", "/modelVersion"];

/// An event with content holds at least one token.
const TOKEN_BYTES: usize = 4;

impl Events {
    pub(super) fn new(dialect: Dialect) -> Self {
        let usage = RawUsage::default();
        Events {
            dialect,
            content_seen: false,
            finish_seen: false,
            failed_seen: false,
            excused_seen: false,
            error: None,
            response_id: None,
            model: None,
            content_bytes: 0,
            frame_bytes: usize::MAX,
            end_seen: false,
            speaking: 0,
            passed_over: false,
            usage,
            seals: Vec::new(),
        }
    }

    /// Reads the data of one event, and its name, which stands for the type if the data have none.
    pub(super) fn take(&mut self, data: &[u8], name: &[u8]) {
        self.passed_over = false;
        if data == b"[DONE]" {
            self.end_seen = true;
            return;
        }
        if has_trace(data) && self.seals.len() < SEALS_MAX {
            let mut scan = SealScan::default();
            scan.feed(data);
            self.seals.append(&mut scan.take());
        }
        let tells = |place: &[u8]| self.dialect.room().telling.are_in(place);
        // After a finish reason it matters whether more is said.
        let is_awaited = !self.content_seen || (self.finish_seen && self.is_open_ended());
        let has_content = if is_awaited || tells(data) || tells(name) {
            lenient::event(data).is_some_and(|event| self.read(with_type(event.value, name), data))
        } else {
            true
        };
        // At the end of each part, Responses repeats all that is in it.
        let is_again = || self.dialect == Dialect::OpenaiResponses && memchr::memmem::find(data, b".delta\"").is_none();
        if has_content && (self.content_bytes == 0 || !is_again()) {
            self.count(plain_length(data));
        }
    }

    /// Notes an event that is too long to be read. If no other follows, it may have held the finish reason.
    pub(super) fn pass_over(&mut self) {
        self.passed_over = true;
    }

    /// Counts the content of an event by its length, so that it need not be parsed: what surrounds the content is
    /// equally long in all of them.
    fn count(&mut self, length: usize) {
        self.frame_bytes = self.frame_bytes.min(length);
        self.content_bytes += (length - self.frame_bytes).max(TOKEN_BYTES) as u64;
    }

    /// Reads an event, and returns whether there is content in it.
    fn read(&mut self, event: Value, data: &[u8]) -> bool {
        let seen = self.dialect.see(&event);
        if seen.content && !self.content_seen {
            self.frame_bytes = plain_length(data).saturating_sub(text_bytes(&event));
        }
        self.speaking = (self.speaking | seen.alternatives.speaking) & !seen.alternatives.finished;
        self.content_seen |= seen.content;
        self.finish_seen |= seen.finish;
        self.failed_seen |= seen.failed;
        self.excused_seen |= seen.excused;
        self.end_seen |= seen.end;
        if self.response_id.is_none() && self.dialect == Dialect::OpenaiResponses {
            self.response_id = event.pointer("/response/id").and_then(Value::as_str).map(str::to_owned);
        }
        if self.model.is_none() {
            let named = MODELS.iter().find_map(|place| event.pointer(place).and_then(Value::as_str));
            self.model = named.filter(|name| !name.is_empty()).map(str::to_owned);
        }
        if let Some(usage) = seen.usage {
            self.usage.update(usage);
        }
        if let Some(error) = seen.error {
            let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
            let message = message.unwrap_or("the provider reported an error").to_owned();
            let data = error_body(&event, error).unwrap_or_else(|| data.to_vec());
            self.error.get_or_insert_with(|| StreamError { message, status: status_of(error), data });
        }
        seen.content
    }

    /// Whether an answer that ended without content is no answer: it gave no finish reason, or said that the model
    /// failed.
    pub(super) fn is_empty(&self) -> bool {
        self.failed_seen || !(self.finish_seen || self.passed_over)
    }

    /// Whether there is a reason for an answer without content: a limit, a filter, or tokens that are not shown.
    pub(super) fn is_excused(&self) -> bool {
        self.excused_seen || self.passed_over || self.usage().output_tokens.is_some_and(|tokens| tokens > 0)
    }

    /// Whether the dialect's last event has come.
    pub(super) fn end_seen(&self) -> bool {
        self.end_seen
    }

    /// Whether the answer is complete if nothing more comes. Without a last event, this is so when every alternative
    /// that spoke has given its finish reason and has said nothing since.
    pub(super) fn is_settled(&self) -> bool {
        let has_reasons = self.is_open_ended() && self.finish_seen && self.speaking == 0;
        self.end_seen || self.error.is_some() || has_reasons
    }

    /// Whether the dialect has no last event.
    fn is_open_ended(&self) -> bool {
        self.dialect == Dialect::Gemini
    }

    pub(super) fn finished(&self) -> bool {
        self.end_seen || self.finish_seen || self.passed_over
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage.read(self.dialect)
    }
}

/// An error in the form of an error answer's body, if the event holds it in another form.
fn error_body(event: &Value, error: &Value) -> Option<Vec<u8>> {
    if event.get("error").is_some_and(Value::is_object) {
        return None;
    }
    let mut error = error.clone();
    if let Some(members) = error.as_object_mut() {
        members.retain(|name, value| match name.as_str() {
            "type" => value != "error" && value != "response.failed",
            "sequence_number" | "response" => false,
            _ => true,
        });
    }
    Some(json!({ "error": error }).to_string().into_bytes())
}

/// Adds the type to an event, since some providers name their events and leave the type out.
fn with_type(mut event: Value, name: &[u8]) -> Value {
    if let (Some(members), Ok(name)) = (event.as_object_mut(), std::str::from_utf8(name))
        && !name.is_empty()
    {
        members.entry("type").or_insert_with(|| name.into());
    }
    event
}

/// The length of the texts that an event brings, in any dialect.
fn text_bytes(event: &Value) -> usize {
    const NAMES: [&str; 9] = [
        "content",
        "text",
        "delta",
        "reasoning_content",
        "reasoning",
        "thinking",
        "arguments",
        "partial_json",
        "refusal",
    ];
    match event {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if NAMES.contains(&name.as_str()) => text.len(),
                value => text_bytes(value),
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_bytes).sum(),
        _ => 0,
    }
}
