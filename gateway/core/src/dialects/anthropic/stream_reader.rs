//! Reads a stream: <https://platform.claude.com/docs/en/build-with-claude/streaming>.

use std::collections::HashMap;

use serde_json::Value;

use super::answer::words;
use super::{error, finish};
use crate::dialect::Dialect;
use crate::dialects::room::ReadStream;
use crate::dialects::{RawUsage, is_filled};
use crate::neutral::json::{arguments_text, text};
use crate::neutral::{Event, Finish, PartKind, Seal};

/// Reads a stream of this dialect.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    has_started: bool,
    is_done: bool,
    /// Anthropic's open blocks, by their index, with the part that each became.
    open: HashMap<u64, Block>,
    parts: usize,
    usage: RawUsage,
    finish: Option<Finish>,
}

#[derive(Debug)]
struct Block {
    part: usize,
    /// The input of a call, which some providers give with its start and not in deltas.
    input: Option<String>,
}

impl ReadStream for StreamReader {
    fn feed(&mut self, name: &str, data: Value) -> Vec<Event> {
        let mut out = Vec::new();
        if self.is_done {
            return out;
        }
        let kind = text(&data, "type").unwrap_or(name);
        let index = data.get("index").and_then(Value::as_u64).unwrap_or(0);
        match kind {
            "message_start" => self.start(data.get("message").unwrap_or(&Value::Null), &mut out),
            "content_block_start" => {
                self.begin(index, data.get("content_block").unwrap_or(&Value::Null), &mut out);
            }
            "content_block_delta" => self.delta(index, data.get("delta").unwrap_or(&Value::Null), &mut out),
            "content_block_stop" => self.stop(index, &mut out),
            "message_delta" => {
                let delta = data.get("delta").unwrap_or(&Value::Null);
                if let Some(reason) = text(delta, "stop_reason") {
                    self.finish = Some(finish::read(reason, text(delta, "stop_sequence")));
                }
                out.extend(data.get("usage").map(|usage| self.update_usage(usage)));
            }
            "message_stop" => self.complete(&mut out),
            "error" => self.fail(&data, &mut out),
            // Some providers leave the type out.
            _ if data.get("error").is_some_and(|error| !error.is_null()) => self.fail(&data, &mut out),
            // `ping`, and events that are newer than this.
            _ => {}
        }
        out
    }

    /// Ends the stream. An answer without a finish reason was cut off.
    fn end(&mut self) -> Vec<Event> {
        let mut out = Vec::new();
        if self.finish.is_some() {
            self.complete(&mut out);
        }
        out
    }
}

impl StreamReader {
    fn update_usage(&mut self, usage: &Value) -> Event {
        self.usage.update(usage);
        Event::Usage(self.usage.read(Dialect::Anthropic))
    }

    fn start(&mut self, message: &Value, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.has_started, true) {
            out.push(Event::Start { id: words(message, "id"), model: words(message, "model") });
            out.extend(message.get("usage").map(|usage| self.update_usage(usage)));
        }
    }

    fn begin(&mut self, index: u64, block: &Value, out: &mut Vec<Event>) {
        self.start(&Value::Null, out);
        let kind = match text(block, "type") {
            Some("text") => PartKind::Text,
            Some("thinking") => PartKind::Reasoning { sealed: None },
            Some("redacted_thinking") => {
                let sealed = text(block, "data").and_then(|data| Seal::read(Dialect::Anthropic, data));
                PartKind::Reasoning { sealed }
            }
            Some("tool_use") => PartKind::ToolCall {
                id: words(block, "id").unwrap_or_default(),
                name: words(block, "name").unwrap_or_default(),
            },
            // The use of Anthropic's own tools was not asked for and cannot be translated.
            _ => return,
        };
        self.stop(index, out);
        let part = self.parts;
        self.parts += 1;
        out.push(Event::Begin { part, choice: 0, kind });
        let first = words(block, "text").or_else(|| words(block, "thinking"));
        out.extend(first.map(|text| Event::Delta { part, text }));
        let input = block.get("input").filter(|input| is_filled(input)).cloned();
        self.open.insert(index, Block { part, input: input.map(arguments_text) });
    }

    fn delta(&mut self, index: u64, delta: &Value, out: &mut Vec<Event>) {
        let Some(block) = self.open.get_mut(&index) else { return };
        let part = block.part;
        let added = match text(delta, "type") {
            Some("text_delta") => words(delta, "text"),
            Some("thinking_delta") => words(delta, "thinking"),
            Some("input_json_delta") => {
                let added = words(delta, "partial_json");
                block.input = if added.is_some() { None } else { block.input.take() };
                added
            }
            Some("signature_delta") => {
                let seal = text(delta, "signature").and_then(|seal| Seal::read(Dialect::Anthropic, seal));
                out.extend(seal.map(|signature| Event::Signature { part, signature }));
                None
            }
            // `citations_delta` has no counterpart.
            _ => None,
        };
        out.extend(added.map(|text| Event::Delta { part, text }));
    }

    fn stop(&mut self, index: u64, out: &mut Vec<Event>) {
        if let Some(Block { part, input }) = self.open.remove(&index) {
            out.extend(input.map(|text| Event::Delta { part, text }));
            out.push(Event::End { part });
        }
    }

    fn fail(&mut self, data: &Value, out: &mut Vec<Event>) {
        self.is_done = true;
        out.push(Event::Error(error::read(data).unwrap_or_default()));
    }

    fn complete(&mut self, out: &mut Vec<Event>) {
        if std::mem::replace(&mut self.is_done, true) {
            return;
        }
        self.start(&Value::Null, out);
        let mut open: Vec<u64> = self.open.keys().copied().collect();
        open.sort_unstable();
        for index in open {
            self.stop(index, out);
        }
        out.push(Event::Finish { choice: 0, finish: self.finish.take().unwrap_or(Finish::Stop) });
        out.push(Event::Done);
    }
}
