//! What the events of a streamed answer told so far, in whatever form they came.
//!
//! Only events that can matter are parsed: until the first content each one, afterwards those that hold one of the
//! texts their dialect tells more with than content.

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::dialects::{RawUsage, status_of};
use crate::neutral::lenient;
use crate::observation::StreamError;
use crate::scan::plain_length;
use crate::usage::Usage;

#[derive(Debug)]
pub(super) struct Events {
    dialect: Dialect,
    pub(super) content_seen: bool,
    pub(super) finish_seen: bool,
    failed_seen: bool,
    pub(super) error: Option<StreamError>,
    pub(super) response_id: Option<String>,
    pub(super) model: Option<String>,
    /// Content that has passed, as it was written, in bytes.
    pub(super) content_bytes: u64,
    /// What stands around the content of an event.
    frame_bytes: usize,
    end_seen: bool,
    /// Alternatives that have said something since they last said why they end, a bit each.
    speaking: u128,
    /// The last event was too long to be read.
    passed_over: bool,
    usage: RawUsage,
}

/// Where an event names the model it is of: OpenAI, Anthropic, Responses, Gemini.
const MODELS: [&str; 4] = ["/model", "/message/model", "/response/model", "/modelVersion"];

/// An event of content holds a token at least.
const TOKEN_BYTES: usize = 4;

impl Events {
    pub(super) fn new(dialect: Dialect) -> Self {
        let usage = RawUsage::default();
        Events {
            dialect,
            content_seen: false,
            finish_seen: false,
            failed_seen: false,
            error: None,
            response_id: None,
            model: None,
            content_bytes: 0,
            frame_bytes: usize::MAX,
            end_seen: false,
            speaking: 0,
            passed_over: false,
            usage,
        }
    }

    /// Takes the data of one event, and its name, which stands for its type where that is left out.
    pub(super) fn take(&mut self, data: &[u8], name: &[u8]) {
        self.passed_over = false;
        if data == b"[DONE]" {
            self.end_seen = true;
            return;
        }
        let tells =
            |place: &[u8]| self.dialect.room().telling.iter().any(|text| memchr::memmem::find(place, text).is_some());
        // Behind a reason to end it matters whether more is said.
        let is_awaited = !self.content_seen || (self.finish_seen && self.is_open_ended());
        let has_content = if is_awaited || tells(data) || tells(name) {
            lenient::event(data).is_some_and(|event| self.read(with_type(event.value, name), data))
        } else {
            // Responses says at the end of each part once more what is in it.
            self.dialect != Dialect::OpenaiResponses || memchr::memmem::find(data, b".delta\"").is_some()
        };
        if has_content {
            self.count(plain_length(data));
        }
    }

    /// An event came that is too long to be read. If none follows, it may have said why.
    pub(super) fn pass_over(&mut self) {
        self.passed_over = true;
    }

    /// Counts the content of an event by its length, so that it need not be parsed: what stands around it is the same in
    /// each of them.
    fn count(&mut self, length: usize) {
        self.frame_bytes = self.frame_bytes.min(length);
        self.content_bytes += (length - self.frame_bytes).max(TOKEN_BYTES) as u64;
    }

    /// Whether there is content in it.
    fn read(&mut self, event: Value, data: &[u8]) -> bool {
        let seen = self.dialect.see(&event);
        if seen.content && !self.content_seen {
            self.frame_bytes = plain_length(data).saturating_sub(text_bytes(&event));
        }
        self.speaking = (self.speaking | seen.alternatives.speaking) & !seen.alternatives.finished;
        self.content_seen |= seen.content;
        self.finish_seen |= seen.finish;
        self.failed_seen |= seen.failed;
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

    /// Whether an answer that ended without content is none: it said no reason, or that the model failed.
    pub(super) fn is_empty(&self) -> bool {
        self.failed_seen || !(self.finish_seen || self.passed_over)
    }

    /// Whether the dialect's last event has come.
    pub(super) fn end_seen(&self) -> bool {
        self.end_seen
    }

    /// Whether nothing is missing if nothing more comes. Where there is no last event that is so when every alternative
    /// that spoke has said why it ends, and has said nothing since.
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

/// An error that does not stand in its event as in the body of an error answer, in that form.
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

/// Some providers name their events and leave the type out.
fn with_type(mut event: Value, name: &[u8]) -> Value {
    if let (Some(members), Ok(name)) = (event.as_object_mut(), std::str::from_utf8(name))
        && !name.is_empty()
    {
        members.entry("type").or_insert_with(|| name.into());
    }
    event
}

/// How long the texts are that an event brings, in any dialect.
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
