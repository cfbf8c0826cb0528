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

/// A longer line is used as it is, without a copy.
const LINE_BYTES_COPIED: usize = 1 << 20;

/// What is said where there is no memory for more of an answer.
pub(crate) const NO_ROOM: &str = "The provider sent more at once than llmio has room for now. Try again in a moment.";

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
    /// How much of the event's data [`is_whole`](Self::is_whole) has looked at.
    looked_at: LookedAt,
    /// The last byte was a CR: an LF that follows it belongs to the same line end.
    after_cr: bool,
    /// Whether a line has been read. A byte order mark can only precede the first one.
    is_past_first: bool,
    broken: Option<Broken>,
}

impl Events {
    /// Takes the next bytes and gives the events that are complete. An error ends the stream, and what it kept is gone.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Result<ServerEvent, ApiError>> {
        let was_broken = self.broken.is_some();
        let mut events = Vec::new();
        let mut rest = bytes;
        while self.broken.is_none()
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
                self.begin_line(part);
                events.extend(self.take_whole_line().map(Ok));
            }
        }
        self.after_cr &= rest.is_empty();
        if self.broken.is_none() {
            self.begin_line(rest);
        }
        if let (Some(broken), false) = (self.broken, was_broken) {
            (self.line, self.event) = (Vec::new(), ServerEvent::default());
            events.push(Err(ApiError::bad_gateway(broken.message())));
        }
        events
    }

    /// Keeps more of a line.
    fn begin_line(&mut self, part: &[u8]) {
        self.check(part.len());
        if self.broken.is_none() && !memory::append(&mut self.line, part) {
            self.broken = Some(Broken::NoRoom);
        }
    }

    /// Takes the line that is kept.
    fn take_whole_line(&mut self) -> Option<ServerEvent> {
        let mut line = std::mem::take(&mut self.line);
        if line.len() > LINE_BYTES_COPIED && !self.has_data && line.starts_with(b"data:") {
            line.drain(..b"data:".len() + usize::from(line.get(b"data:".len()) == Some(&b' ')));
            (self.has_data, self.is_past_first) = (true, true);
            self.event.data = line;
            return None;
        }
        let event = self.take_line(&line);
        line.clear();
        line.shrink_to(LINE_BYTES_KEPT);
        self.line = line;
        event
    }

    /// Marks the event as too large if so many more bytes would exceed the limit.
    fn check(&mut self, more: usize) {
        if self.line.len() + self.event.data.len() + more > EVENT_BYTES_MAX {
            self.broken.get_or_insert(Broken::TooLarge);
        }
    }

    /// More data of the event that has begun.
    fn add(&mut self, data: &[u8]) {
        self.check(data.len());
        if self.broken.is_none() && !memory::append(&mut self.event.data, data) {
            self.broken = Some(Broken::NoRoom);
        }
    }

    /// Bytes of the event that has begun.
    pub(crate) fn kept(&self) -> usize {
        self.line.capacity() + self.event.data.capacity()
    }

    /// Ends the stream, and returns the last event if its blank line is missing.
    pub(crate) fn end(&mut self) -> Option<ServerEvent> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.line = line;
            self.take_whole_line();
        }
        if self.broken.is_some() { None } else { self.take_line(b"") }
    }

    fn take_line(&mut self, line: &[u8]) -> Option<ServerEvent> {
        let is_first = !std::mem::replace(&mut self.is_past_first, true);
        let line = line.strip_prefix(b"\xEF\xBB\xBF").filter(|_| is_first).unwrap_or(line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            self.looked_at = LookedAt::default();
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.add(b"\n");
                }
                self.add(value);
            }
            b"event" => self.event.name = String::from_utf8_lossy(value).into_owned(),
            b"id" | b"retry" | b"" => {}
            // Some providers write a line feed inside a text as it is: then this is the rest of that text.
            _ if self.has_data && !self.is_whole() => {
                self.add(b"\n");
                self.add(line);
            }
            _ => {}
        }
        None
    }

    /// Whether nothing can be missing of the event's data.
    fn is_whole(&mut self) -> bool {
        let LookedAt { bytes, braces, first } = &mut self.looked_at;
        let new = self.event.data.get(*bytes..).unwrap_or_default();
        *bytes = self.event.data.len();
        *first = first.or_else(|| new.trim_ascii_start().first().copied());
        braces.read(new);
        braces.are_whole() || *first != Some(b'{')
    }
}

/// No byte is looked at twice: an event may have a million lines.
#[derive(Debug, Default)]
struct LookedAt {
    bytes: usize,
    braces: Braces,
    /// The first that is no blank.
    first: Option<u8>,
}

/// Why no event follows.
#[derive(Debug, Clone, Copy)]
enum Broken {
    TooLarge,
    NoRoom,
}

impl Broken {
    fn message(self) -> String {
        match self {
            Self::TooLarge => format!("The provider sent an event larger than {} MiB.", EVENT_BYTES_MAX >> 20),
            Self::NoRoom => NO_ROOM.to_owned(),
        }
    }
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
    fn an_event_of_many_lines_is_too_large_as_well() {
        for line in ["data: ", "data: {\"a\":\""] {
            let mut events = Events::default();
            let mut read = events.feed(line.as_bytes());
            let begun = if line.ends_with('"') { "\n" } else { "\ndata: " };
            let lines = format!("{begun}{}", "x".repeat(1 << 10)).repeat(1 << 10);
            for _ in 0..=EVENT_BYTES_MAX >> 20 {
                read.extend(events.feed(lines.as_bytes()));
            }
            read.extend(events.feed(b"\n\ndata: more\n\n"));
            assert!(matches!(read.as_slice(), [Err(fault)] if fault.status == Some(502)), "{read:?}");
            assert_eq!(events.kept(), 0);
        }
    }

    #[test]
    fn an_event_that_is_too_large_ends_the_stream_with_an_error() {
        let mut events = Events::default();
        let mut read = Vec::new();
        read.extend(events.feed(b"data: "));
        for _ in 0..=EVENT_BYTES_MAX >> 20 {
            read.extend(events.feed(&vec![b'x'; 1 << 20]));
        }
        read.extend(events.feed(b"\n\ndata: more\n\n"));
        assert!(matches!(read.as_slice(), [Err(fault)] if fault.status == Some(502)), "{read:?}");
    }
}
