//! Reads an event stream as it passes, split anywhere: usage, first content, finish, errors inside the stream.
//!
//! Own code and no crate: a parser that owned the stream would have to write it again, and what clients get must be
//! the upstream's bytes. Only data lines that can matter are parsed: until the first content each one, afterwards
//! those that mention `usage`, `error` or `finish_reason`.

use serde_json::Value;

use super::Usage;

/// A longer line is passed over: nothing that is looked for is this long, and hundreds of streams share an instance.
const LINE_BYTES_MAX: usize = 128 << 10;

/// What the line's buffer may keep for the next line.
const LINE_BYTES_KEPT: usize = 16 << 10;

#[derive(Debug, Default)]
pub(super) struct Sse {
    line: Vec<u8>,
    /// The current line is too long and is being passed over.
    skipping: bool,
    /// The last byte was a CR: an LF that follows it belongs to the same line end.
    after_cr: bool,
    /// A line other than the blank one has come since the last event ended.
    in_event: bool,
    content_seen: bool,
    finish_seen: bool,
    end_seen: bool,
    usage: Option<Usage>,
    error: Option<StreamError>,
}

/// An error that stood inside a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamError {
    /// What it says.
    pub message: String,
    /// The HTTP status it stands for, where it says one.
    pub status: Option<u16>,
    /// The event's data as it came.
    pub data: Vec<u8>,
}

impl Sse {
    /// Takes the next bytes. True when they hold the first content.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        let before = self.content_seen;
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (part, after) = rest.split_at(end);
            let is_lf = after.first() == Some(&b'\n');
            rest = after.get(1..).unwrap_or_default();
            if std::mem::replace(&mut self.after_cr, !is_lf) && is_lf && part.is_empty() {
                continue;
            }
            if self.line.is_empty() && !self.skipping {
                // The usual case: the whole line came in one piece and need not be copied.
                self.read_line(part);
            } else {
                self.append(part);
                let line = std::mem::take(&mut self.line);
                if !self.skipping {
                    self.read_line(&line);
                }
                self.line = line;
                self.line.clear();
                self.line.shrink_to(LINE_BYTES_KEPT);
                self.skipping = false;
            }
        }
        self.after_cr &= rest.is_empty();
        self.append(rest);
        self.content_seen && !before
    }

    fn append(&mut self, part: &[u8]) {
        if self.skipping || self.line.len() + part.len() > LINE_BYTES_MAX {
            self.skipping = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn read_line(&mut self, line: &[u8]) {
        self.in_event = !line.is_empty();
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.end_seen = true;
            return;
        }
        let matters = !self.content_seen
            || contains(data, b"\"usage\"")
            || contains(data, b"\"error\"")
            || contains(data, b"\"finish_reason\":\"")
            || contains(data, b"\"finish_reason\": \"");
        if matters && let Ok(event) = serde_json::from_slice::<Value>(data) {
            self.read_event(&event, data);
        }
    }

    fn read_event(&mut self, event: &Value, data: &[u8]) {
        if let Some(usage) = event.get("usage").filter(|usage| usage.is_object()) {
            self.usage = Some(Usage::from_openai(usage));
        }
        // Some providers write `"error": null` into every chunk; that is no error.
        if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
            let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
            let message = message.unwrap_or("the provider reported an error").to_owned();
            self.error.get_or_insert_with(|| StreamError { message, status: status_of(error), data: data.to_vec() });
        }
        for choice in event.get("choices").and_then(Value::as_array).into_iter().flatten() {
            self.finish_seen |= choice.get("finish_reason").is_some_and(Value::is_string);
            self.content_seen |= has_content(choice);
        }
    }

    /// Whether the stream stands in the middle of an event.
    pub(super) fn in_event(&self) -> bool {
        self.in_event || !self.line.is_empty() || self.skipping
    }

    pub(super) fn finished(&self) -> bool {
        self.end_seen || self.finish_seen
    }

    pub(super) fn finish_seen(&self) -> bool {
        self.finish_seen
    }

    pub(super) fn error(&self) -> Option<&StreamError> {
        self.error.as_ref()
    }

    pub(super) fn content_seen(&self) -> bool {
        self.content_seen
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage.unwrap_or_default()
    }
}

/// Some providers put the status they would have answered with into `code` or `status`, as a number or as text.
pub(super) fn status_of(error: &Value) -> Option<u16> {
    let numbers = ["code", "status"].iter().filter_map(|name| match error.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    numbers.filter_map(|number| u16::try_from(number).ok()).find(|status| (400..600).contains(status))
}

/// Text, reasoning or a tool call that is not empty. Providers spell reasoning in two ways.
fn has_content(choice: &Value) -> bool {
    let filled = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    };
    let delta = choice.get("delta");
    let names = ["content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal"];
    delta.is_some_and(|delta| names.iter().any(|name| delta.get(name).is_some_and(filled)))
        || choice.get("text").is_some_and(filled)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}
