//! The APIs spoken between clients, llmio and providers. What differs between them stands in one file each, the same
//! functions in the same order: how an error is written, whole and inside a stream, what one event of a streamed answer
//! tells, and how usage is counted.

pub(crate) mod anthropic;
pub(crate) mod gemini;
pub(crate) mod openai_chat;
pub(crate) mod openai_responses;

use serde_json::Value;

use crate::catalog::Auth;
use crate::observe::Usage;
use crate::refusal::Refusal;

/// An API dialect. One word, the same in the catalog, in records and in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI chat completions and the endpoints beside them.
    OpenaiChat,
    /// OpenAI Responses.
    OpenaiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Google Gemini.
    Gemini,
}

/// What one event of a streamed answer tells.
#[derive(Debug, Default)]
pub(crate) struct Seen<'e> {
    /// It holds text, reasoning or a tool call.
    pub(crate) content: bool,
    /// It says why the answer ends.
    pub(crate) finish: bool,
    /// The reason is that the model failed: without content there is no answer.
    pub(crate) botched: bool,
    /// Nothing follows it.
    pub(crate) end: bool,
    /// It says what was used so far.
    pub(crate) usage: Option<&'e Value>,
    /// It is an error.
    pub(crate) error: Option<&'e Value>,
}

impl Dialect {
    /// Every dialect, in the order the documentation lists them.
    pub const ALL: [Dialect; 4] = [Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic, Self::Gemini];

    /// The dialect's name in catalogs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// How a credential is presented, where a catalog does not say.
    pub fn auth(self) -> Auth {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses => Auth::Bearer,
            Self::Anthropic => Auth::XApiKey,
            Self::Gemini => Auth::XGoogApiKey,
        }
    }

    /// What is added to a base URL none of whose path segments is a version. OpenAI's is used as it is given: its
    /// relays put theirs anywhere.
    pub(crate) fn version(self) -> Option<&'static str> {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses => None,
            Self::Anthropic => Some("/v1"),
            Self::Gemini => Some("/v1beta"),
        }
    }

    /// The other dialects, the one that carries most of a conversation of this one first.
    pub(crate) fn nearest(self) -> &'static [Dialect] {
        match self {
            Self::OpenaiChat => &[Self::OpenaiResponses, Self::Anthropic, Self::Gemini],
            Self::OpenaiResponses => &[Self::OpenaiChat, Self::Anthropic, Self::Gemini],
            Self::Anthropic => &[Self::OpenaiChat, Self::OpenaiResponses, Self::Gemini],
            Self::Gemini => &[Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic],
        }
    }

    /// The body of an error; `id` is the call's.
    pub fn error(self, refusal: &Refusal, id: &str) -> Value {
        match self {
            Self::OpenaiChat => openai_chat::error(refusal, id),
            Self::OpenaiResponses => openai_responses::error(refusal, id),
            Self::Anthropic => anthropic::error(refusal, id),
            Self::Gemini => gemini::error(refusal, id),
        }
    }

    /// Whether errors of this dialect read like those of the other.
    pub(crate) fn error_is_like(self, other: Dialect) -> bool {
        let is_openai = |dialect: Dialect| matches!(dialect, Self::OpenaiChat | Self::OpenaiResponses);
        self == other || (is_openai(self) && is_openai(other))
    }

    /// An error's body as the last event of a stream that has begun; `id` is the call's.
    pub fn error_event(self, error: &Value, id: &str) -> Vec<u8> {
        match self {
            Self::OpenaiChat => openai_chat::error_event(error, id),
            Self::OpenaiResponses => openai_responses::error_event(error, id),
            Self::Anthropic => anthropic::error_event(error, id),
            Self::Gemini => gemini::error_event(error, id),
        }
    }

    /// What is sent between two events of a stream that has fallen silent, so that no proxy in between takes it for
    /// dead. A blank line is read over by every client; comments break Gemini's, an empty `data:` OpenAI's.
    pub fn keep_alive(self) -> &'static [u8] {
        match self {
            Self::Anthropic => b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
            Self::OpenaiChat | Self::OpenaiResponses | Self::Gemini => b"\n\n",
        }
    }

    /// What one event of a streamed answer tells.
    pub(crate) fn see(self, event: &Value) -> Seen<'_> {
        match self {
            Self::OpenaiChat => openai_chat::see(event),
            Self::OpenaiResponses => openai_responses::see(event),
            Self::Anthropic => anthropic::see(event),
            Self::Gemini => gemini::see(event),
        }
    }

    /// Texts one of which is in every event that tells more than content.
    pub(crate) fn telling(self) -> &'static [&'static [u8]] {
        match self {
            Self::OpenaiChat => &[
                b"\"usage\"",
                b"\"error\"",
                b"\"finish_reason\":\"",
                b"\"finish_reason\": \"",
                b".done\"",
                b".completed\"",
            ],
            Self::OpenaiResponses => &[b"\"usage\"", b"\"error\"", b"response.incomplete", b"response.completed"],
            Self::Anthropic => &[b"\"usage\"", b"\"error\"", b"\"stop_reason\"", b"message_stop"],
            Self::Gemini => &[b"usageMetadata", b"\"error\"", b"finishReason", b"blockReason"],
        }
    }

    /// The member of a whole answer that says what was used.
    pub(crate) fn usage_member(self) -> &'static str {
        if self == Self::Gemini { "usageMetadata" } else { "usage" }
    }

    /// What was used, in one form.
    pub(crate) fn usage(self, usage: &Value) -> Usage {
        match self {
            Self::OpenaiChat => openai_chat::usage(usage),
            Self::OpenaiResponses => openai_responses::usage(usage),
            Self::Anthropic => anthropic::usage(usage),
            Self::Gemini => gemini::usage(usage),
        }
    }
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

/// The count at the end of a path of names.
fn count(value: &Value, path: &[&str]) -> Option<u64> {
    path.iter().try_fold(value, |value, name| value.get(name)).and_then(crate::observe::tokens)
}

#[cfg(test)]
mod tests;
