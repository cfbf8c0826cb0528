//! Leaves out the usage chunk of a stream if its client did not ask for one. llmio asks for it always, to know what a
//! call used, but some clients fail on its empty `choices`.
//!
//! Only what follows the finish reason is held until its event is complete; until then every byte passes at once.

use serde_json::Value;

/// A larger event cannot be a usage chunk, and passes.
const EVENT_BYTES_MAX: usize = 16 << 10;

/// Filters one stream.
#[derive(Debug, Default)]
pub struct UsageChunk {
    /// The present event, while it is held.
    held: Vec<u8>,
    /// Whether the bytes since the last line end contain anything but a CR.
    in_line: bool,
    /// Whether the present event is passing.
    in_event: bool,
    /// Whether the finish reason has passed.
    armed: bool,
}

impl UsageChunk {
    /// Whether the next bytes pass unchanged. `finished` says that the finish reason comes before their end.
    pub fn lets_pass(&mut self, bytes: &[u8], finished: bool) -> bool {
        self.armed |= finished;
        if !self.armed {
            self.follow(bytes);
        }
        !self.armed
    }

    /// What the client gets of bytes that do not pass unchanged.
    pub fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends_event = !self.in_line && line.ends_with(b"\n") && matches!(line, b"\n" | b"\r\n");
            self.in_line = !line.ends_with(b"\n") && (self.in_line || line != b"\r");
            if self.in_event {
                passed.extend_from_slice(line);
                self.in_event = !ends_event;
                continue;
            }
            self.held.extend_from_slice(line);
            if ends_event {
                let event = std::mem::take(&mut self.held);
                if !is_usage_chunk(&event) {
                    passed.extend_from_slice(&event);
                }
            } else if self.held.len() > EVENT_BYTES_MAX {
                passed.append(&mut self.held);
                self.in_event = true;
            }
        }
        passed
    }

    /// Whether an event is held, so that what has passed ends before it.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// How many bytes are held.
    pub fn kept(&self) -> usize {
        self.held.capacity()
    }

    /// The bytes that are still held when the stream has ended.
    pub fn end(&mut self) -> Vec<u8> {
        let event = std::mem::take(&mut self.held);
        if is_usage_chunk(&event) { Vec::new() } else { event }
    }

    /// Follows where events end while everything passes.
    fn follow(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_blank = !self.in_line && matches!(line, b"\n" | b"\r\n");
            self.in_line = !line.ends_with(b"\n") && (self.in_line || line != b"\r");
            self.in_event = !is_blank;
        }
    }
}

/// Whether an event is a chunk with usage and nothing else.
fn is_usage_chunk(event: &[u8]) -> bool {
    let mut lines = event.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"));
    let (Some(data), None) = (lines.next(), lines.next()) else { return false };
    if memchr::memmem::find(data, b"\"usage\"").is_none() {
        return false;
    }
    let Ok(chunk) = serde_json::from_slice::<Value>(data.trim_ascii()) else { return false };
    let is_empty = |choices: &Value| choices.as_array().is_some_and(Vec::is_empty);
    chunk.get("usage").is_some_and(Value::is_object) && chunk.get("choices").is_some_and(is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n";
    const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n";
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    /// What a client gets of a stream that comes in these pieces.
    fn passed(pieces: &[&[u8]]) -> String {
        let mut filter = UsageChunk::default();
        let (mut passed, mut seen) = (Vec::new(), Vec::new());
        for piece in pieces {
            seen.extend_from_slice(piece);
            let finished = memchr::memmem::find(&seen, b"finish_reason\":\"stop\"}]}").is_some();
            if filter.lets_pass(piece, finished) {
                passed.extend_from_slice(piece);
            } else {
                passed.extend(filter.pass(piece));
            }
        }
        passed.extend(filter.end());
        String::from_utf8(passed).expect("text")
    }

    #[test]
    fn only_the_usage_chunk_is_left_out_however_the_stream_is_split() {
        let stream = format!("{TEXT}{FINISH}: note\n\n{USAGE}{DONE}");
        let expected = format!("{TEXT}{FINISH}: note\n\n{DONE}");
        for first in 0..stream.len() {
            for second in first..stream.len() {
                let bytes = stream.as_bytes();
                assert_eq!(passed(&[&bytes[..first], &bytes[first..second], &bytes[second..]]), expected);
            }
        }
    }

    #[test]
    fn usage_that_stands_beside_choices_passes() {
        let both =
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\n";
        assert_eq!(passed(&[format!("{both}{DONE}").as_bytes()]), format!("{both}{DONE}"));
    }

    #[test]
    fn a_stream_that_breaks_off_passes_as_far_as_it_came() {
        let stream = format!("{FINISH}data: {{\"cho");
        assert_eq!(passed(&[stream.as_bytes()]), stream);
    }
}
