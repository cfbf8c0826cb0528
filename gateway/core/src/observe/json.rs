//! Finds the member with the usage (`usage` or `usageMetadata`) at the top level of a JSON answer of any size, in
//! pieces of any size and in constant memory. It is not a parser: it only follows strings and brackets, so that an
//! answer of many megabytes costs one look at each byte, and a pretty-printed answer is read like any other.

use serde_json::Value;

use super::Preview;
use crate::dialect::Dialect;
use crate::dialects::status_of;
use crate::neutral::{Finish, Part, lenient};
use crate::usage::{Members, Usage};

/// A `usage` object larger than this is not read.
const USAGE_BYTES_MAX: usize = 64 << 10;

/// Longer names cannot be the one that is looked for.
const NAME_BYTES_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct UsageScan {
    dialect: Dialect,
    depth: u32,
    /// Whether the value that forms the body has ended.
    is_whole: bool,
    in_string: bool,
    escaped: bool,
    /// The last string at depth 1, which may turn out to be a member's name.
    name: Vec<u8>,
    /// The value of `usage`, while it is being collected.
    value: Option<Vec<u8>>,
    /// Whether the value being collected is the model's name.
    is_model: bool,
    found: Option<Usage>,
    id: Option<String>,
    model: Option<String>,
    /// How much longer escapes are than what they stand for, as far as their first letter tells.
    escape_bytes: u64,
    /// Whether there is a member called `error`.
    has_error: bool,
}

impl UsageScan {
    pub(super) fn new(dialect: Dialect) -> Self {
        let (name, value, found, id) = (Vec::new(), None, None, None);
        UsageScan {
            dialect,
            depth: 0,
            is_whole: false,
            in_string: false,
            escaped: false,
            name,
            value,
            is_model: false,
            found,
            id,
            model: None,
            escape_bytes: 0,
            has_error: false,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if self.in_string && !self.escaped && byte != b'"' && byte != b'\\' {
                // Most bytes are inside strings, so a whole run of them is passed over at once.
                let run = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                let (passed, after) = rest.split_at(run);
                self.keep(passed);
                if self.depth == 1 && self.name.len() <= NAME_BYTES_MAX {
                    self.name.extend_from_slice(passed.get(..passed.len().min(NAME_BYTES_MAX + 1)).unwrap_or_default());
                }
                rest = after;
                continue;
            }
            self.step(byte);
            rest = tail;
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            self.keep(&[byte]);
            match byte {
                _ if self.escaped => {
                    self.escaped = false;
                    // Six bytes for what is mostly three in UTF-8, or two for one.
                    self.escape_bytes += if byte == b'u' { 3 } else { 1 };
                }
                b'\\' => self.escaped = true,
                _ => self.in_string = false,
            }
            return;
        }
        match byte {
            b'"' => {
                self.keep(&[byte]);
                self.in_string = true;
                if self.depth == 1 {
                    self.name.clear();
                }
            }
            b'{' | b'[' => {
                self.keep(&[byte]);
                self.depth = self.depth.saturating_add(1);
            }
            b'}' | b']' => {
                self.is_whole = self.depth == 1;
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 { self.end_value() } else { self.keep(&[byte]) }
            }
            b':' if self.depth == 1 => {
                self.has_error |= self.name == b"error";
                self.is_model = matches!(self.name.as_slice(), b"model" | b"modelVersion");
                self.value = (self.is_model || self.wants()).then(Vec::new);
            }
            b',' if self.depth == 1 => self.end_value(),
            _ => self.keep(&[byte]),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(value) = &mut self.value {
            value.extend_from_slice(bytes);
            if value.len() > USAGE_BYTES_MAX {
                self.value = None;
            }
        }
    }

    /// Whether the member whose name was just read is one that is looked for.
    fn wants(&self) -> bool {
        self.name == self.dialect.room().usage_member.as_bytes()
            || (self.name == b"id" && self.dialect == Dialect::OpenaiResponses)
    }

    fn end_value(&mut self) {
        let Some(value) = self.value.take() else { return };
        if value.trim_ascii_start().first() == Some(&b'"') {
            let place = if self.is_model { &mut self.model } else { &mut self.id };
            *place = serde_json::from_slice(&value).ok().or(place.take());
        } else if !self.is_model
            && let Ok(usage) = serde_json::from_slice::<Members<'_>>(&value)
        {
            self.found = Some(self.dialect.usage(&usage));
        }
    }

    /// By how many bytes the answer is longer than what it says.
    pub(super) fn escape_bytes(&self) -> u64 {
        self.escape_bytes
    }

    /// The error that some relays write under a status of 200, if this answer is one: see [`error_in`].
    pub(super) fn error(&self, body: &[u8]) -> Option<Preview> {
        if self.has_error { error_in(body) } else { None }
    }

    /// Whether all of the answer has come, whatever comes behind it.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// What a provider of Responses calls its answer, once it has said so.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether tokens of an answer were made, shown or not.
    pub(super) fn has_output(&self) -> bool {
        self.found.as_ref().and_then(|usage| usage.output_tokens).is_some_and(|tokens| tokens > 0)
    }

    /// What was used, what a provider of Responses calls its answer, and which model it says it is of.
    pub(super) fn finish(self) -> (Usage, Option<String>, Option<String>) {
        (self.found.unwrap_or_default(), self.id, self.model)
    }
}

/// An error that some relays write under a status of 200: an object with `error` and nothing that would be an answer, or a
/// response that failed.
fn error_in(body: &[u8]) -> Option<Preview> {
    #[derive(serde::Deserialize)]
    struct Answer {
        error: Option<Value>,
        status: Option<Value>,
    }
    let Answer { error, status } = serde_json::from_slice(body).ok()?;
    let error = error.filter(|error| !error.is_null())?;
    let answer: Value = serde_json::from_slice(body).ok()?;
    let is_filled =
        |name: &&str| answer.get(name).is_some_and(|value| value.as_array().is_none_or(|all| !all.is_empty()));
    let is_answer =
        ["choices", "output", "content", "candidates"].iter().any(is_filled) || answer.get("data").is_some();
    if is_answer && status.is_none_or(|status| status != "failed") {
        return None;
    }
    Some(Preview::Error { status: status_of(&error), body: body.to_vec() })
}

/// Longer documents have content.
const CONTENTLESS_BYTES_MAX: usize = 32 << 10;

/// Whether anything is in a whole answer: words, reasoning, a call, a picture, or a reason why there is nothing.
pub(super) fn has_content(dialect: Dialect, body: &[u8]) -> bool {
    if body.len() > CONTENTLESS_BYTES_MAX {
        return true;
    }
    let Some(answer) = lenient::document(body).and_then(|read| (dialect.room().read_answer)(read.value)) else {
        return false;
    };
    let is_filled = |part: &Part| match part {
        Part::Text(text) | Part::Refusal(text) => !text.is_empty(),
        _ => true,
    };
    let is_plain = |finish: &Option<Finish>| matches!(finish, None | Some(Finish::Stop | Finish::ToolCalls));
    answer.choices.iter().any(|choice| choice.parts.iter().any(is_filled) || !is_plain(&choice.finish))
}
