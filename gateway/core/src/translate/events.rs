//! Cuts a stream of bytes into server-sent events, split anywhere: inside UTF-8, between CR and LF, in a field's name.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
//!
//! The observer has its own reader, which looks into few lines and copies none. Here every event is parsed anyway, so
//! that whole events are put together first.

use super::neutral::Fault;

/// An event may have this many bytes of data: a picture in base64 is one event. A longer one ends the stream with an
/// error, since what came of it would be half an answer.
const EVENT_BYTES_MAX: usize = 8 << 20;

/// What the line's buffer may keep for the next line.
const LINE_BYTES_KEPT: usize = 16 << 10;

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct ServerEvent {
    /// What stands behind `event:`; empty where nothing does.
    pub(super) name: String,
    /// The lines behind `data:`, joined by line feeds.
    pub(super) data: Vec<u8>,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    event: ServerEvent,
    has_data: bool,
    /// The last byte was a CR: an LF that follows it belongs to the same line end.
    after_cr: bool,
    /// A line has been read: only before the first may a byte order mark stand.
    is_past_first: bool,
    is_broken: bool,
}

impl Events {
    /// Takes the next bytes and gives the events that are complete. An error ends the stream.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Result<ServerEvent, Fault>> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while !self.is_broken
            && let Some(end) = memchr::memchr2(b'\n', b'\r', rest)
        {
            let (part, after) = rest.split_at(end);
            let is_lf = after.first() == Some(&b'\n');
            rest = after.get(1..).unwrap_or_default();
            if std::mem::replace(&mut self.after_cr, !is_lf) && is_lf && part.is_empty() {
                continue;
            }
            if self.line.is_empty() {
                events.extend(self.take_line(part).map(Ok));
            } else {
                self.line.extend_from_slice(part);
                let mut line = std::mem::take(&mut self.line);
                events.extend(self.take_line(&line).map(Ok));
                line.clear();
                line.shrink_to(LINE_BYTES_KEPT);
                self.line = line;
            }
        }
        self.after_cr &= rest.is_empty();
        if !self.is_broken {
            self.line.extend_from_slice(rest);
            if self.line.len() + self.event.data.len() > EVENT_BYTES_MAX {
                self.is_broken = true;
                self.line = Vec::new();
                let said = format!("The provider sent an event larger than {} MiB.", EVENT_BYTES_MAX >> 20);
                events.push(Err(Fault { message: said, status: Some(502), ..Fault::default() }));
            }
        }
        events
    }

    /// The stream has ended: the last event where its blank line is missing.
    pub(super) fn end(&mut self) -> Option<ServerEvent> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line);
        }
        self.take_line(b"")
    }

    fn take_line(&mut self, line: &[u8]) -> Option<ServerEvent> {
        let is_first = !std::mem::replace(&mut self.is_past_first, true);
        let line = line.strip_prefix(b"\xEF\xBB\xBF").filter(|_| is_first).unwrap_or(line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            b"event" => self.event.name = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        None
    }
}
