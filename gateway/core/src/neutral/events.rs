//! Cuts a stream of bytes into server-sent events, split anywhere: inside UTF-8, between CR and LF, in a field's name.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
//!
//! The observer has a reader of its own, which looks at few lines and copies none. Here every event is parsed anyway,
//! so events are put together first.

use super::ApiError;
use crate::memory;
use crate::scan::Braces;

/// The most bytes of data in an event: a picture in base64 is one event. A longer event ends the stream with an error,
/// since the client would otherwise get half an answer.
const EVENT_BYTES_MAX: usize = 32 << 20;

/// How much memory the buffer keeps for the next line.
const LINE_BYTES_KEPT: usize = 16 << 10;

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ServerEvent {
    /// The text after `event:`; empty if there is none.
    pub(crate) name: String,
    /// The lines after `data:`, joined by line feeds.
    pub(crate) data: Vec<u8>,
}

/// Puts events together.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    event: ServerEvent,
    has_data: bool,
    /// Whether the last byte was a CR, so that an LF after it belongs to the same line end.
    after_cr: bool,
    /// Whether a line has been read. A byte order mark can only precede the first one.
    is_past_first: bool,
    is_broken: bool,
}

impl Events {
    /// Reads the next bytes and returns the complete events. An error ends the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Result<ServerEvent, ApiError>> {
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
            let has_room = memory::append(&mut self.line, rest);
            if !has_room || self.line.len() + self.event.data.len() > EVENT_BYTES_MAX {
                self.is_broken = true;
                self.line = Vec::new();
                let said = format!("The provider sent an event larger than {} MiB.", EVENT_BYTES_MAX >> 20);
                events.push(Err(ApiError::bad_gateway(said)));
            }
        }
        events
    }

    /// How many bytes of the present event are held.
    pub(crate) fn kept(&self) -> usize {
        self.line.capacity() + self.event.data.capacity()
    }

    /// Ends the stream, and returns the last event if its blank line is missing.
    pub(crate) fn end(&mut self) -> Option<ServerEvent> {
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
            b"id" | b"retry" | b"" => {}
            // Some providers write a line feed inside a text without an escape; then this is the rest of that text.
            _ if self.has_data && !is_whole(&self.event.data) => {
                self.event.data.push(b'\n');
                self.event.data.extend_from_slice(line);
            }
            _ => {}
        }
        None
    }
}

/// Whether the data of an event are complete.
fn is_whole(data: &[u8]) -> bool {
    let mut braces = Braces::default();
    braces.read(&String::from_utf8_lossy(data));
    braces.are_whole() || !data.trim_ascii_start().starts_with(b"{")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut events = Events::default();
        let fed: Vec<_> = pieces.iter().flat_map(|piece| events.feed(piece)).collect();
        let fed = fed.into_iter().filter_map(Result::ok).chain(events.end());
        fed.map(|event| (event.name, String::from_utf8_lossy(&event.data).into_owned())).collect()
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_the_same_for_every_line_end_and_every_split() {
        let stream =
            "\u{feff}: hello\nevent: a\ndata: é\ndata:  two\n\n\n\nid: 7\nretry: 1\ndata:{}\n\nevent: b\n\ndata: last";
        let expected = [event("a", "é\n two"), event("", "{}"), event("", "last")];
        for line_end in ["\n", "\r\n", "\r"] {
            let bytes = stream.replace('\n', line_end).into_bytes();
            assert_eq!(read(&[&bytes]), expected);
            assert_eq!(read(&bytes.chunks(1).collect::<Vec<_>>()), expected);
            for at in 0..=bytes.len() {
                let (first, second) = bytes.split_at(at);
                assert_eq!(read(&[first, second]), expected, "{line_end:?} split at {at}");
            }
        }
    }

    #[test]
    fn a_line_feed_inside_a_text_is_part_of_it() {
        let stream = b"data: {\"a\":\"one\ntwo\rthree\"}\nx-unknown: 1\n\ndata: [1\nx\n\n";
        assert_eq!(read(&[stream]), [event("", "{\"a\":\"one\ntwo\nthree\"}"), event("", "[1")]);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_only_at_the_beginning() {
        assert_eq!(read(&["data: 1\n\n\u{feff}data: 2\n\n".as_bytes()]), [event("", "1")]);
    }

    #[test]
    fn an_event_that_is_too_large_ends_the_stream_with_an_error() {
        let mut events = Events::default();
        let mut given = Vec::new();
        given.extend(events.feed(b"data: "));
        for _ in 0..=EVENT_BYTES_MAX >> 20 {
            given.extend(events.feed(&vec![b'x'; 1 << 20]));
        }
        given.extend(events.feed(b"\n\ndata: more\n\n"));
        assert!(matches!(given.as_slice(), [Err(fault)] if fault.status == Some(502)), "{given:?}");
    }
}
