//! What every dialect's room offers, as one table: a room that lacks an entry does not compile.

use std::fmt::{self, Debug, Formatter};
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::Value;

use super::words::ErrorWords;
use crate::neutral::{Answer, AnswerContext, ApiError, Event, Request, Untranslatable, Warnings};
use crate::usage::{Counts, Usage};

/// What is known of a dialect, and what reads and writes it.
#[derive(Debug)]
pub(crate) struct Room {
    /// What is sent between two events of a stream that has fallen silent, so that no proxy in between takes it for
    /// dead. A blank line is read over by every client; comments break Gemini's, an empty `data:` OpenAI's.
    pub(crate) keep_alive: &'static [u8],
    /// Texts one of which is in every event that tells more than content.
    pub(crate) telling: LazyLock<Texts>,
    /// The member of a whole answer that says what was used.
    pub(crate) usage_member: &'static str,
    /// Members of a request that have another name than in the neutral form, whose names are OpenAI chat's.
    pub(crate) members: &'static [(&'static str, &'static str)],
    /// Whether a model may show pictures in its answer.
    pub(crate) shows_pictures: bool,
    /// Whether each message of the model in a conversation is a whole turn.
    pub(crate) messages_are_turns: bool,
    /// What one event of a streamed answer tells.
    pub(crate) see: fn(&Value) -> EventFacts<'_>,
    /// What was used, in one form.
    pub(crate) read_usage: fn(&dyn Counts) -> Usage,
    /// Which word errors have for which status.
    pub(crate) error_words: &'static ErrorWords,
    /// An error of the dialect; `None` where the body holds none.
    pub(crate) read_error: fn(&Value) -> Option<ApiError>,
    /// The body of an error; the text is the call's id.
    pub(crate) write_error: fn(&ApiError, &str) -> Value,
    /// The body of an error as the last event of a stream that has begun; the text is the call's id.
    pub(crate) error_event: fn(&Value, &str) -> Vec<u8>,
    /// The same as all there is of a stream.
    pub(crate) error_stream: fn(&Value, &str) -> Vec<u8>,
    /// A request.
    pub(crate) read_request: fn(Value, &mut Warnings) -> Result<Request, Untranslatable>,
    /// A request, or why it cannot be written.
    pub(crate) write_request: fn(Request, &mut Warnings) -> Result<Value, Untranslatable>,
    /// A whole answer; `None` where the body holds none.
    pub(crate) read_answer: fn(Value) -> Option<Answer>,
    /// A whole answer.
    pub(crate) write_answer: fn(Answer, &AnswerContext) -> Value,
    /// A reader of a streamed answer.
    pub(crate) stream_reader: fn() -> Box<dyn ReadStream>,
    /// A writer of a streamed answer.
    pub(crate) stream_writer: fn(&AnswerContext) -> Box<dyn WriteStream>,
}

/// Texts that are looked for in every event. What prepares the search is done once.
#[derive(Debug)]
pub(crate) struct Texts(Vec<Finder<'static>>);

impl Texts {
    pub(super) fn of(texts: &'static [&'static [u8]]) -> Self {
        Texts(texts.iter().map(Finder::new).collect())
    }

    /// Whether one of them is in this place.
    pub(crate) fn are_in(&self, place: &[u8]) -> bool {
        !place.is_empty() && self.0.iter().any(|text| text.find(place).is_some())
    }
}

/// The table of a room. Files and functions have the same names in every room, and so it reads the same in each.
macro_rules! room {
    () => {
        /// What the dialect offers.
        pub(super) static ROOM: crate::dialects::room::Room = crate::dialects::room::Room {
            keep_alive: facts::KEEP_ALIVE,
            telling: std::sync::LazyLock::new(|| crate::dialects::room::Texts::of(facts::TELLING)),
            usage_member: facts::USAGE_MEMBER,
            members: facts::MEMBERS,
            shows_pictures: facts::SHOWS_PICTURES,
            messages_are_turns: facts::MESSAGES_ARE_TURNS,
            see: facts::see,
            read_usage: usage::read,
            error_words: &error::WORDS,
            read_error: error::read,
            write_error: error::write,
            error_event: error::event,
            error_stream: error::stream,
            read_request: read::read_request,
            write_request: write::write_request,
            read_answer: answer::read_answer,
            write_answer: answer::write_answer,
            stream_reader: || Box::new(stream_reader::StreamReader::default()),
            stream_writer: |context| Box::new(stream_writer::StreamWriter::new(context)),
        };
    };
}
pub(super) use room;

/// What one event of a streamed answer tells.
#[derive(Debug, Default)]
pub(crate) struct EventFacts<'e> {
    /// It holds text, reasoning or a tool call.
    pub(crate) content: bool,
    /// It says why the answer ends.
    pub(crate) finish: bool,
    /// Which of the answer's alternatives it is about, where the dialect has no last event.
    pub(crate) alternatives: Alternatives,
    /// The reason is that the model failed: without content there is no answer.
    pub(crate) failed: bool,
    /// The reason says why there may be no content: a limit, a filter, a refusal.
    pub(crate) excused: bool,
    /// Nothing follows it.
    pub(crate) end: bool,
    /// It says what was used so far.
    pub(crate) usage: Option<&'e Value>,
    /// It is an error.
    pub(crate) error: Option<&'e Value>,
}

/// Alternatives of an answer that an event is about: a bit for each of the first 128, more than any provider gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Alternatives {
    /// Those that it has content of.
    pub(crate) speaking: u128,
    /// Those of which it says why they end.
    pub(crate) finished: u128,
}

impl Alternatives {
    /// Those in a list in which each says its `index`, unless there is but one.
    pub(crate) fn of<'e>(
        listed: impl Iterator<Item = &'e Value>,
        speaks: impl Fn(&Value) -> bool,
        ends: impl Fn(&Value) -> bool,
    ) -> Self {
        let mut found = Alternatives::default();
        for each in listed {
            let index = each.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
            let bit = 1_u128.checked_shl(index.unwrap_or(0)).unwrap_or(0);
            found.speaking |= if speaks(each) { bit } else { 0 };
            found.finished |= if ends(each) { bit } else { 0 };
        }
        found
    }
}

/// Reads a streamed answer, event by event.
pub(crate) trait ReadStream {
    /// Takes the provider's next event, by its name and its data.
    fn feed(&mut self, name: &str, data: Value) -> Vec<Event>;

    /// `[DONE]` has come, OpenAI chat's last event, which some servers write in other dialects as well.
    fn end_mark(&mut self) -> Vec<Event> {
        Vec::new()
    }

    /// The provider's stream has ended as it should: what is still to come. An answer without a reason to end was cut,
    /// and gets no [`Event::Done`].
    fn end(&mut self) -> Vec<Event>;
}

/// Writes a streamed answer, step by step.
pub(crate) trait WriteStream {
    /// Appends the bytes of one step.
    fn write(&mut self, event: Event, out: &mut Vec<u8>);

    /// How many bytes are kept for later.
    fn held(&self) -> usize {
        0
    }

    /// How many bytes of those are written at the end, one after the other.
    fn due(&self) -> usize {
        self.held()
    }

    /// How often a text is written that comes with the end of its answer.
    fn times(&self) -> usize {
        1
    }
}

/// What holds one can be shown; what the eight of them keep is not worth the code.
impl Debug for dyn ReadStream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ReadStream")
    }
}

/// As above.
impl Debug for dyn WriteStream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("WriteStream")
    }
}
