//! What the observer has seen of an answer: while it passes, which decides about its next bytes, and at its end.

use crate::reasoning_seals::SealId;
use crate::usage::Usage;

/// What was seen of an answer by its end.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Observation {
    /// The number of bytes.
    pub bytes: u64,
    /// When the first text, reasoning or tool call passed, in the caller's milliseconds.
    pub first_content_ms: Option<u64>,
    /// The usage that the provider reported.
    pub usage: Usage,
    /// The bytes of content. If the answer is not streamed, these are all its bytes.
    pub content_bytes: u64,
    /// Responses: the id that the provider gave the response.
    pub response_id: Option<String>,
    /// The model that the answer names.
    pub model: Option<String>,
    /// The seals on reasoning that are in the answer.
    pub seals: Vec<SealId>,
    /// An error inside a stream whose status was 200.
    pub error: Option<StreamError>,
    /// Whether a stream ended with neither a finish reason nor its end marker.
    pub unfinished: bool,
}

/// What was seen of an answer so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ObservedSoFar {
    /// Whether the first bytes have shown what kind of answer it is.
    pub is_understood: bool,
    /// Whether it is a JSON document.
    pub is_document: bool,
    /// Whether it is an event stream, so that an error event can be added to it.
    pub is_stream: bool,
    /// Whether it has given its finish reason, so that only usage can follow.
    pub finish_seen: bool,
    /// Whether the provider has reported an error inside it.
    pub error_seen: bool,
    /// Whether the last bytes ended in the middle of an event.
    pub in_event: bool,
    /// Whether the dialect's last event has come. Whatever follows does not belong to the answer.
    pub has_ended: bool,
    /// How many of the last bytes came after the dialect's last event.
    pub behind_end: usize,
    /// Whether the answer is complete if nothing more comes, however its body ends.
    pub is_settled: bool,
    /// Whether nothing more will come if nothing comes soon, because there is no last event to wait for.
    pub ends_in_silence: bool,
}

/// An error inside a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamError {
    /// The message of the error.
    pub message: String,
    /// The HTTP status that the error stands for, if it names one.
    pub status: Option<u16>,
    /// The error in the form of an error answer's body, which most event data have already.
    pub data: Vec<u8>,
}
