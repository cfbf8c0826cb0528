//! One room for each dialect: everything about a dialect is in one folder, in files of the same names.
//!
//! | file | what is in it |
//! |---|---|
//! | `facts` | small facts, and what one event of a streamed answer tells |
//! | `error` | errors, read and written, whole and as the last event of a stream |
//! | `usage` | how tokens are counted, read and written |
//! | `finish` | why an answer ended, read and written |
//! | `read` | a request into the neutral form |
//! | `write` | a request out of the neutral form |
//! | `answer` | a whole answer, read and written |
//! | `stream_reader`, `stream_writer` | a streamed answer, event by event |
//!
//! Rooms know the [neutral form](crate::neutral) and nothing of each other, except that OpenAI's two dialects share
//! `openai`. Translating from one dialect to another is left to [`translate`](crate::translate). The other places that
//! a new dialect must touch are listed in `tests/dialects.rs`.

pub(crate) mod anthropic;
pub(crate) mod gemini;
mod openai;
pub(crate) mod openai_chat;
pub(crate) mod openai_responses;
mod raw_usage;
mod reply;
pub(crate) mod room;
mod words;

use serde_json::Value;

use crate::dialect::Dialect;
use crate::neutral::{ApiError, json};
use crate::usage::{Counts, Usage};
use room::{EventFacts, Room};

pub(crate) use raw_usage::RawUsage;

impl Dialect {
    /// The room of the dialect. This is the only place that names all rooms.
    pub(crate) fn room(self) -> &'static Room {
        match self {
            Self::OpenaiChat => &openai_chat::ROOM,
            Self::OpenaiResponses => &openai_responses::ROOM,
            Self::Anthropic => &anthropic::ROOM,
            Self::Gemini => &gemini::ROOM,
        }
    }

    /// See `Room::keep_alive`.
    pub fn keep_alive(self) -> &'static [u8] {
        self.room().keep_alive
    }

    /// The body of an error. Its message is kept word for word, since clients read it; `id` is the call's.
    pub fn error(self, error: &ApiError, id: &str) -> Value {
        (self.room().write_error)(error, id)
    }

    /// An error's body as the last event of a stream that has begun; `id` is the call's.
    pub fn error_event(self, error: &Value, id: &str) -> Vec<u8> {
        (self.room().error_event)(error, id)
    }

    /// A stream that consists only of an error's body, for a client that has the head already.
    pub fn error_stream(self, error: &Value, id: &str) -> Vec<u8> {
        (self.room().error_stream)(error, id)
    }

    /// Reads a provider's error with this status. A body that is no error of the dialect, such as an HTML page, becomes
    /// one that names the status.
    pub fn read_error(self, status: u16, body: &[u8]) -> ApiError {
        let body = Some(body).filter(|body| !json::is_too_intricate(body));
        let body: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        let message = || format!("The provider answered {status} without an error that can be read.");
        let error = body.and_then(|body| (self.room().read_error)(&body));
        let error = error.unwrap_or_else(|| ApiError { message: message(), ..ApiError::default() });
        ApiError { status: Some(status), ..error }
    }

    /// What one event of a streamed answer tells.
    pub(crate) fn see(self, event: &Value) -> EventFacts<'_> {
        (self.room().see)(event)
    }

    /// The usage, in one form for all dialects.
    pub(crate) fn usage(self, usage: &dyn Counts) -> Usage {
        (self.room().read_usage)(usage)
    }
}

/// The HTTP status that an error stands for, in whatever dialect it is written, since relays mix them. Some providers
/// put the status that they would have answered with into `code` or `status`, as a number or as text; others have a
/// word for it.
pub(crate) fn status_of(error: &Value) -> Option<u16> {
    let numbers = ["code", "status"].iter().filter_map(|name| match error.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let number = numbers.filter_map(|number| u16::try_from(number).ok()).find(|status| (400..600).contains(status));
    let by_word = |word: &str| Dialect::ALL.iter().find_map(|dialect| dialect.room().error_words.status(word));
    number.or_else(|| ["code", "type", "status"].iter().find_map(|name| by_word(error.get(name)?.as_str()?)))
}

/// A text, list or object that is not empty.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
