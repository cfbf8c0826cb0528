//! Step 6: what the bytes of an answer tell while they pass. The observer never holds a byte back and never ends a
//! stream. If it cannot read something, it reports that as unknown and leaves the answer alone.

mod array;
mod events;
mod form;
mod json;
mod sse;

use array::Array;
use events::Events;
use form::{FirstBytes, Form};
use json::UsageScan;
use sse::Sse;

use std::fmt;

use crate::dialect::Dialect;
use crate::headers;
use crate::observation::{Observation, ObservedSoFar};
use crate::reasoning_seals::SealScan;
use crate::scan::unescaped;

/// In a dialect without a last event, an answer that gave its finish reason has ended when nothing more comes for this
/// long.
pub const SETTLED_MS: u64 = 1000;

/// How an answer's body is read.
#[derive(Debug)]
enum Reader {
    /// The answer of a conversation, of which too little has come to tell its form.
    Unknown(FirstBytes),
    Json(UsageScan),
    Sse(Sse),
    /// A JSON array of events, Gemini's other form of a stream.
    Array(Array),
    /// Neither JSON nor events, in a call that is no conversation. Its bytes are only counted.
    Opaque,
    /// A web page, which no conversation is answered with.
    Page,
    Unreadable,
}

/// Observes one answer.
#[derive(Debug)]
pub struct Observer {
    dialect: Dialect,
    as_array: bool,
    /// Whether the content type announces an event stream.
    says_events: bool,
    says_page: bool,
    reader: Reader,
    bytes: u64,
    /// How many of the last bytes came after the dialect's last event.
    behind_end: usize,
    first_content_ms: Option<u64>,
    /// The seals in the JSON document that is the answer.
    seals: SealScan,
    /// Whether the call is a conversation, so that only JSON or an event stream can be an answer.
    is_chat: bool,
    /// Whether seals are looked for in a JSON document.
    is_sealed: bool,
    tap: Option<Tap>,
}

/// Something that is shown the bytes of an answer as well, as they come.
pub struct Tap(Box<Shown>);

type Shown = dyn FnMut(&[u8]);

impl Tap {
    /// A tap of this.
    pub fn of(shown: impl FnMut(&[u8]) + 'static) -> Self {
        Tap(Box::new(shown))
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

/// What an answer looks like before its first content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preview {
    /// Too early to tell.
    Wait,
    /// There is content, or no content is needed.
    Good,
    /// It ended without content.
    Empty,
    /// It ended as answers do, with nothing in it.
    Contentless,
    /// It is an error in spite of its status. The status that it stands for, if it names one.
    Error {
        /// From 400 to 599.
        status: Option<u16>,
        /// The error, as JSON if the provider wrote JSON.
        body: Vec<u8>,
    },
    /// It is a web page, where an API should answer.
    Page,
    /// It cannot be read, for this reason.
    Unreadable(&'static str),
}

impl Observer {
    /// An observer for an answer of this dialect with these headers, whose body is decoded. `as_array` says that the
    /// stream was asked for as a JSON array.
    pub fn new(dialect: Dialect, as_array: bool, headers: &[(String, Vec<u8>)]) -> Self {
        let media_type = headers::value(headers, "content-type").unwrap_or_default();
        let is = |expected: &[u8]| {
            media_type.len() >= expected.len() && media_type[..expected.len()].eq_ignore_ascii_case(expected)
        };
        let (says_events, says_json) = (is(b"text/event-stream"), is(b"application/json"));
        let mut observer = Observer {
            dialect,
            as_array,
            says_events,
            says_page: is(b"text/html"),
            reader: Reader::Opaque,
            bytes: 0,
            behind_end: 0,
            first_content_ms: None,
            seals: SealScan::default(),
            is_chat: false,
            is_sealed: false,
            tap: None,
        };
        match () {
            () if says_events => observer.read_as(Form::Events),
            () if says_json => observer.read_as(Form::List),
            () => {}
        }
        observer
    }

    /// Says whether the call is a conversation. The form of its answer is then told by the first bytes, whatever the
    /// header says.
    pub fn of_chat(self, is_chat: bool) -> Self {
        let reader = if is_chat { Reader::Unknown(FirstBytes::default()) } else { self.reader };
        Observer { is_chat, reader, ..self }
    }

    /// Says whether seals are looked for if the answer is a JSON document.
    pub fn of_sealed(self, is_sealed: bool) -> Self {
        Observer { is_sealed, ..self }
    }

    /// Shows the bytes to this as well.
    pub fn tapped(self, tap: Option<Tap>) -> Self {
        Observer { tap, ..self }
    }

    fn read_as(&mut self, form: Form) {
        self.reader = match form {
            Form::Events => Reader::Sse(Sse::new(self.dialect)),
            Form::Object | Form::List if self.as_array => Reader::Array(Array::new(self.dialect)),
            Form::Object | Form::List => Reader::Json(UsageScan::new(self.dialect)),
            Form::Page => Reader::Page,
            Form::Unreadable => Reader::Unreadable,
        };
    }

    /// What was seen so far, which decides about the next bytes.
    pub fn so_far(&self) -> ObservedSoFar {
        ObservedSoFar {
            is_understood: !matches!(self.reader, Reader::Unknown(_)),
            is_stream: self.is_stream(),
            is_document: matches!(self.reader, Reader::Json(_)),
            finish_seen: self.finish_seen(),
            error_seen: self.error_seen(),
            in_event: self.in_event(),
            has_ended: self.has_ended(),
            behind_end: self.behind_end,
            is_settled: self.is_settled(),
            ends_in_silence: self.ends_in_silence(),
        }
    }

    /// How many bytes are held until more has come.
    pub fn kept(&self) -> usize {
        match &self.reader {
            Reader::Sse(sse) => sse.kept(),
            Reader::Array(array) => array.kept(),
            _ => 0,
        }
    }

    fn is_settled(&self) -> bool {
        match &self.reader {
            Reader::Json(scan) => self.is_chat && scan.is_whole(),
            Reader::Sse(sse) => sse.events.is_settled(),
            Reader::Array(array) => array.is_whole(),
            Reader::Unknown(_) | Reader::Opaque | Reader::Page | Reader::Unreadable => false,
        }
    }

    /// Whether silence ends the answer: after an error or a last event without its blank line, after a whole JSON
    /// document, and where there is no last event to wait for.
    fn ends_in_silence(&self) -> bool {
        self.is_settled() && !self.has_ended()
    }

    fn has_ended(&self) -> bool {
        matches!(&self.reader, Reader::Sse(sse) if sse.has_ended)
    }

    fn is_stream(&self) -> bool {
        matches!(self.reader, Reader::Sse(_))
    }

    fn finish_seen(&self) -> bool {
        matches!(&self.reader, Reader::Sse(sse) if sse.events.finish_seen)
    }

    /// Whether a conversation's stream that ends now was cut off: it gave no finish reason, no end marker, and no
    /// error.
    pub fn breaks_off(&self) -> bool {
        self.events().is_some_and(|events| !events.finished() && events.error.is_none())
    }

    fn error_seen(&self) -> bool {
        self.events().is_some_and(|events| events.error.is_some())
    }

    /// Reads the next bytes; `now_ms` is the time when they came.
    pub fn see(&mut self, bytes: &[u8], now_ms: u64) {
        self.bytes += bytes.len() as u64;
        if let Some(Tap(shown)) = &mut self.tap {
            shown(bytes);
        }
        if let Reader::Unknown(first) = &mut self.reader {
            let Some(form) = first.add(bytes, self.says_events) else { return };
            let begun = first.take();
            self.read_as(form);
            return self.read(&begun, now_ms);
        }
        self.read(bytes, now_ms);
    }

    fn read(&mut self, bytes: &[u8], now_ms: u64) {
        match &mut self.reader {
            Reader::Json(scan) => {
                scan.feed(bytes);
                if self.is_sealed {
                    self.seals.feed(bytes);
                }
            }
            Reader::Sse(sse) => {
                self.behind_end = sse.feed(bytes);
                self.bytes = self.bytes.saturating_sub(self.behind_end as u64);
                self.first_content_ms = self.first_content_ms.or(sse.events.content_seen.then_some(now_ms));
            }
            Reader::Array(array) => {
                array.feed(bytes);
                self.first_content_ms = self.first_content_ms.or(array.events.content_seen.then_some(now_ms));
            }
            Reader::Unknown(_) | Reader::Opaque | Reader::Page | Reader::Unreadable => {}
        }
    }

    fn events(&self) -> Option<&Events> {
        match &self.reader {
            Reader::Sse(sse) => Some(&sse.events),
            Reader::Array(array) => Some(&array.events),
            Reader::Unknown(_) | Reader::Json(_) | Reader::Opaque | Reader::Page | Reader::Unreadable => None,
        }
    }

    /// The error that the provider has reported inside the answer.
    pub fn failure(&self) -> Option<Preview> {
        let error = self.events()?.error.as_ref()?;
        Some(Preview::Error { status: error.status, body: error.data.clone() })
    }

    fn in_event(&self) -> bool {
        matches!(&self.reader, Reader::Sse(sse) if sse.in_event())
    }

    /// What an answer with status 200 looks like so far, before anything of it was passed on. `held` is all that has
    /// come, `ended` says whether that is all, and `spoilt_by` are texts that make it a failure.
    pub fn preview(&self, held: &[u8], ended: bool, spoilt_by: &[String]) -> Preview {
        // This comes first, because some errors look like content.
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
        if let Some(events) = self.events() {
            let nothing = || match () {
                () if events.is_empty() => Preview::Empty,
                () if self.is_chat && !events.is_excused() => Preview::Contentless,
                () => Preview::Good,
            };
            return self.failure().unwrap_or_else(|| if ended { nothing() } else { Preview::Wait });
        }
        match &self.reader {
            Reader::Page => Preview::Page,
            Reader::Unreadable => Preview::Unreadable("what came is neither JSON nor an event stream"),
            Reader::Json(_) if !ended => Preview::Wait,
            Reader::Json(scan) if self.is_chat && !scan.is_whole() => {
                Preview::Unreadable("what came ends before its last bracket")
            }
            Reader::Json(scan) if self.is_chat => match scan.error(held) {
                Some(error) => error,
                None if scan.has_output() || json::has_content(self.dialect, held) => Preview::Good,
                None => Preview::Contentless,
            },
            // If it is no conversation, any value is an answer.
            Reader::Json(scan) => {
                scan.error(held).or_else(|| begun(held, &[b"{", b"[", b"\""])).unwrap_or(Preview::Empty)
            }
            Reader::Unknown(_) if ended => Preview::Empty,
            Reader::Unknown(_) => Preview::Wait,
            _ if self.says_page => Preview::Page,
            _ => Preview::Good,
        }
    }

    /// What a provider of Responses calls its answer, once it has said so.
    pub fn response_id(&self) -> Option<&str> {
        match &self.reader {
            Reader::Json(scan) => scan.id(),
            Reader::Sse(Sse { events, .. }) | Reader::Array(Array { events, .. }) => events.response_id.as_deref(),
            Reader::Unknown(_) | Reader::Opaque | Reader::Page | Reader::Unreadable => None,
        }
    }

    /// Ends the observation.
    pub fn finish(mut self) -> Observation {
        let mut observation =
            Observation { bytes: self.bytes, first_content_ms: self.first_content_ms, ..Observation::default() };
        match self.reader {
            Reader::Json(scan) => {
                observation.content_bytes = self.bytes.saturating_sub(scan.escape_bytes());
                observation.seals = self.seals.take();
                (observation.usage, observation.response_id, observation.model) = scan.finish();
            }
            Reader::Sse(Sse { events, .. }) | Reader::Array(Array { events, .. }) => {
                observation.unfinished = !events.finished();
                observation.content_bytes = events.content_bytes;
                observation.usage = events.usage();
                observation.seals = events.seals;
                observation.error = events.error;
                observation.response_id = events.response_id;
                observation.model = events.model;
            }
            Reader::Unknown(_) | Reader::Opaque | Reader::Page | Reader::Unreadable => {}
        }
        observation
    }
}

/// What a body is by its first bytes, which should be one of `signs`; `None` if there are no bytes yet.
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

/// Whether one of the texts occurs, plainly or with JSON's escapes.
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
