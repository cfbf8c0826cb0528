//! Step 6: what an answer's bytes tell as they pass. The observer only looks: it never holds a byte back, never ends a
//! stream, and gives up on what it cannot read ("unknown") rather than on the answer.

mod array;
mod events;
mod json;
mod sse;

use array::Array;
use events::Events;
use json::UsageScan;
use sse::Sse;

use crate::dialect::Dialect;
use crate::headers;
use crate::observation::{Observation, SoFar};
use crate::scan::unescaped;

/// An answer that has said why it ends, in a dialect without a last event, ends when so long nothing more comes.
pub const SETTLED_MS: u64 = 1000;

/// How an answer's body is read.
#[derive(Debug)]
enum Reader {
    Json(UsageScan),
    Sse(Sse),
    /// Gemini's other form of a stream.
    Array(Array),
    /// Neither JSON nor an event stream, or compressed: only counted.
    Opaque,
}

/// Watches one answer.
#[derive(Debug)]
pub struct Observer {
    dialect: Dialect,
    reader: Reader,
    bytes: u64,
    first_content_ms: Option<u64>,
    is_page: bool,
    /// It is JSON or an event stream, or it is no answer.
    is_chat: bool,
    is_encoded: bool,
}

/// How an answer looks before its first content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preview {
    /// Too early to tell.
    Wait,
    /// There is content, or what is there need not have any.
    Good,
    /// It ended without any.
    Empty,
    /// It is an error in spite of its status; the status it stands for, where it says so.
    Error {
        /// From 400 to 599.
        status: Option<u16>,
        /// What it says, as JSON where the provider wrote JSON.
        body: Vec<u8>,
    },
    /// A web page came where an API was expected.
    Page,
    /// It cannot be read, and why.
    Unreadable(&'static str),
}

impl Observer {
    /// An observer for an answer of this dialect with these headers. `as_array`: the stream was asked for as a JSON array.
    pub fn new(dialect: Dialect, as_array: bool, headers: &[(String, Vec<u8>)]) -> Self {
        let encoded =
            headers::value(headers, "content-encoding").is_some_and(|value| !value.eq_ignore_ascii_case(b"identity"));
        let media_type = headers::value(headers, "content-type").unwrap_or_default();
        let is =
            |wanted: &[u8]| media_type.len() >= wanted.len() && media_type[..wanted.len()].eq_ignore_ascii_case(wanted);
        let reader = match () {
            () if encoded => Reader::Opaque,
            () if is(b"text/event-stream") => Reader::Sse(Sse::new(dialect)),
            () if is(b"application/json") && as_array => Reader::Array(Array::new(dialect)),
            () if is(b"application/json") => Reader::Json(UsageScan::new(dialect)),
            () => Reader::Opaque,
        };
        Observer {
            dialect,
            reader,
            bytes: 0,
            first_content_ms: None,
            is_page: is(b"text/html"),
            is_chat: false,
            is_encoded: encoded,
        }
    }

    /// The answer is one of a conversation: JSON or events, whatever its header says.
    pub fn of_chat(self, is_chat: bool) -> Self {
        Observer { is_chat, ..self }
    }

    /// What decides what becomes of the bytes that come next.
    pub fn so_far(&self) -> SoFar {
        SoFar {
            is_stream: self.is_stream(),
            finish_seen: self.finish_seen(),
            error_seen: self.error_seen(),
            in_event: self.in_event(),
            has_ended: matches!(&self.reader, Reader::Sse(sse) if sse.has_ended),
            is_settled: self.is_settled(),
            ends_in_silence: self.ends_in_silence(),
        }
    }

    fn is_settled(&self) -> bool {
        match &self.reader {
            Reader::Json(scan) => self.is_chat && scan.is_whole(),
            Reader::Sse(sse) => sse.events.is_settled(),
            Reader::Array(array) => array.is_whole(),
            Reader::Opaque => false,
        }
    }

    /// OpenAI's and Anthropic's last event is waited for where the reason to end has come, since what was used may
    /// follow; Gemini has none. Behind an error or a last event without its blank line anything may be missing, and a JSON
    /// document tells itself where it ends.
    fn ends_in_silence(&self) -> bool {
        self.is_settled()
            && match &self.reader {
                Reader::Sse(Sse { events, .. }) => {
                    self.dialect == Dialect::Gemini || events.end_seen() || events.error.is_some()
                }
                _ => true,
            }
    }

    fn is_stream(&self) -> bool {
        matches!(self.reader, Reader::Sse(_))
    }

    fn finish_seen(&self) -> bool {
        matches!(&self.reader, Reader::Sse(sse) if sse.events.finish_seen)
    }

    /// Whether a stream of a conversation that ends here breaks off: it says neither why it ends nor that it does, nor that
    /// something went wrong.
    pub fn breaks_off(&self) -> bool {
        self.events().is_some_and(|events| !events.finished() && events.error.is_none())
    }

    fn error_seen(&self) -> bool {
        self.events().is_some_and(|events| events.error.is_some())
    }

    /// Looks at the next bytes; `now_ms` is the time they came.
    pub fn see(&mut self, bytes: &[u8], now_ms: u64) {
        self.bytes += bytes.len() as u64;
        match &mut self.reader {
            Reader::Json(scan) => scan.feed(bytes),
            Reader::Sse(sse) => {
                sse.feed(bytes);
                self.first_content_ms = self.first_content_ms.or(sse.events.content_seen.then_some(now_ms));
            }
            Reader::Array(array) => {
                array.feed(bytes);
                self.first_content_ms = self.first_content_ms.or(array.events.content_seen.then_some(now_ms));
            }
            Reader::Opaque => {}
        }
    }

    fn events(&self) -> Option<&Events> {
        match &self.reader {
            Reader::Sse(sse) => Some(&sse.events),
            Reader::Array(array) => Some(&array.events),
            Reader::Json(_) | Reader::Opaque => None,
        }
    }

    fn in_event(&self) -> bool {
        matches!(&self.reader, Reader::Sse(sse) if sse.in_event())
    }

    /// How an answer that begins with 200 looks so far, before anything of it was given away. `held` is all that has
    /// come, `ended` whether that is all, and `spoilt_by` are texts that make it a failure.
    pub fn preview(&self, held: &[u8], ended: bool, spoilt_by: &[String]) -> Preview {
        // Some say it in what looks like content, so this comes first.
        if is_spoilt(held, spoilt_by) {
            return Preview::Error { status: None, body: held.to_vec() };
        }
        if let Reader::Sse(sse) = &self.reader {
            if sse.runs_together {
                return Preview::Unreadable("its events came without the blank lines between them");
            }
            if sse.is_unended() && !ended {
                return Preview::Wait;
            }
        }
        if self.events().is_some_and(|events| events.content_seen) {
            return Preview::Good;
        }
        match (self.events(), &self.reader) {
            (Some(events), _) => match &events.error {
                Some(error) => Preview::Error { status: error.status, body: error.data.clone() },
                None if ended && events.is_empty() => Preview::Empty,
                None if ended => Preview::Good,
                None => Preview::Wait,
            },
            (None, Reader::Json(_)) if ended => {
                // A conversation is answered with an object; elsewhere any value is an answer.
                let signs: &[&[u8]] = if self.is_chat { &[b"{", b"["] } else { &[b"{", b"[", b"\""] };
                json::error_in(held).unwrap_or_else(|| begun(held, signs).unwrap_or(Preview::Empty))
            }
            (None, Reader::Json(_)) => Preview::Wait,
            (None, _) if self.is_page => Preview::Page,
            (None, _) if self.is_chat && !self.is_encoded => {
                let nothing = if ended { Preview::Empty } else { Preview::Wait };
                begun(held, &[b"{", b"[", b":", b"data", b"event", b"id", b"retry"]).unwrap_or(nothing)
            }
            (None, _) => Preview::Good,
        }
    }

    /// What was seen.
    pub fn finish(self) -> Observation {
        let mut observation =
            Observation { bytes: self.bytes, first_content_ms: self.first_content_ms, ..Observation::default() };
        match self.reader {
            Reader::Json(scan) => {
                observation.content_bytes = self.bytes.saturating_sub(scan.escape_bytes());
                (observation.usage, observation.response_id) = scan.finish();
            }
            Reader::Sse(Sse { events, .. }) | Reader::Array(Array { events, .. }) => {
                observation.unfinished = !events.finished();
                observation.content_bytes = events.content_bytes;
                observation.usage = events.usage();
                observation.error = events.error;
                observation.response_id = events.response_id;
            }
            Reader::Opaque => {}
        }
        observation
    }
}

/// What a body is by its first bytes, of which one of `signs` is to be expected; `None` without any.
fn begun(held: &[u8], signs: &[&[u8]]) -> Option<Preview> {
    let begun = held.strip_prefix(b"\xef\xbb\xbf").unwrap_or(held).trim_ascii_start();
    let first = begun.first()?;
    if signs.iter().any(|sign| begun.starts_with(sign) || sign.starts_with(begun)) {
        return Some(Preview::Good);
    }
    Some(match first {
        b'<' => Preview::Page,
        _ => Preview::Unreadable("what came is neither JSON nor an event stream"),
    })
}

/// Whether one of the texts stands there, as it is written or with the escapes of JSON.
fn is_spoilt(held: &[u8], spoilt_by: &[String]) -> bool {
    if spoilt_by.is_empty() {
        return false;
    }
    let plain = unescaped(held);
    let holds = |place: &[u8], text: &String| memchr::memmem::find(place, text.as_bytes()).is_some();
    spoilt_by.iter().any(|text| holds(held, text) || holds(&plain, text))
}

#[cfg(test)]
mod tests;
