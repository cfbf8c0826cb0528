//! Reads a stream: <https://platform.openai.com/docs/api-reference/chat/streaming>.
//!
//! The finish of a choice is reported only at the end of the stream: providers repeat the reason, give it before the
//! last delta or send usage after it.

mod calls;
mod deltas;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{error, finish};
use crate::dialect::Dialect;
use crate::dialects::room::ReadStream;
use crate::neutral::Event;
use crate::neutral::json::{object, take_list, take_object, take_text, text};

use deltas::ChoiceState;

/// Alternatives of one answer; OpenAI makes 128 at most.
const CHOICES_MAX: usize = 128;

/// Reads a stream of this dialect.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    has_started: bool,
    is_done: bool,
    choices: BTreeMap<usize, ChoiceState>,
    /// Parts of the whole answer so far.
    parts: usize,
}

impl ReadStream for StreamReader {
    fn feed(&mut self, _name: &str, data: Value) -> Vec<Event> {
        let mut out = Vec::new();
        if !self.is_done {
            self.chunk(data, &mut out);
        }
        out
    }

    fn end_mark(&mut self) -> Vec<Event> {
        let mut out = Vec::new();
        self.finish(&mut out);
        out
    }

    /// The connection ended as it should. Several providers leave `[DONE]` out; an answer without a finish reason was
    /// cut.
    fn end(&mut self) -> Vec<Event> {
        let mut out = Vec::new();
        if self.choices.values().any(|choice| choice.finish.is_some()) {
            self.finish(&mut out);
        }
        out
    }
}

impl StreamReader {
    fn chunk(&mut self, chunk: Value, out: &mut Vec<Event>) {
        let has_error = chunk.get("error").is_some_and(|error| !error.is_null());
        if has_error || text(&chunk, "object") == Some("error") {
            self.is_done = true;
            out.push(Event::Error(error::read(&chunk).unwrap_or_default()));
            return;
        }
        let Ok(mut chunk) = object(chunk, "") else { return };
        let choices = take_list(&mut chunk, "choices").unwrap_or_default();
        if !self.has_started && !choices.is_empty() {
            self.has_started = true;
            let id = take_text(&mut chunk, "id").filter(|id| !id.is_empty());
            out.push(Event::Start { id, model: take_text(&mut chunk, "model") });
        }
        for choice in choices {
            let Ok(mut choice) = object(choice, "") else { continue };
            let index = choice.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok());
            let index = index.unwrap_or(0);
            if index >= CHOICES_MAX {
                continue;
            }
            let state = self.choices.entry(index).or_default();
            // Some providers give the whole message instead of what is added to it.
            let delta = take_object(&mut choice, "delta").or_else(|| take_object(&mut choice, "message"));
            if let Some(delta) = delta {
                state.read(delta, index, &mut self.parts, out);
            }
            match finish::read(choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default()) {
                Ok(reason) => state.read_reason(reason),
                Err(fault) => {
                    self.is_done = true;
                    out.push(Event::Error(fault));
                    return;
                }
            }
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            out.push(Event::Usage(Dialect::OpenaiChat.usage(usage)));
        }
    }

    fn finish(&mut self, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.is_done, true) {
            return;
        }
        for (index, choice) in std::mem::take(&mut self.choices) {
            choice.finish(index, &mut self.parts, out);
        }
        out.push(Event::Done);
    }
}
