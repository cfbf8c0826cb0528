//! What was seen of an answer: so far, which decides what becomes of its next bytes, and by its end.

use crate::usage::Usage;

/// What was seen by the end.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Observation {
    /// Bytes seen.
    pub bytes: u64,
    /// When the first text, reasoning or tool call passed, in the caller's milliseconds.
    pub first_content_ms: Option<u64>,
    /// What the provider says it used.
    pub usage: Usage,
    /// Content of the answer, in bytes: of an answer that is not streamed, all of it.
    pub content_bytes: u64,
    /// Responses: what its provider calls the answer.
    pub response_id: Option<String>,
    /// The model that it says it is of.
    pub model: Option<String>,
    /// An error inside a stream that had begun with 200.
    pub error: Option<StreamError>,
    /// A streamed answer that ended with neither a finish reason nor its end marker.
    pub unfinished: bool,
}

/// What was seen so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ObservedSoFar {
    /// What it is has been seen in its first bytes.
    pub is_understood: bool,
    /// It is a JSON document.
    pub is_document: bool,
    /// It is an event stream, so that an error event can be added to it.
    pub is_stream: bool,
    /// It has said why it ends, so that nothing but usage can follow.
    pub finish_seen: bool,
    /// Its provider has reported an error inside it.
    pub error_seen: bool,
    /// The last bytes ended in the middle of an event.
    pub in_event: bool,
    /// The dialect's last event has come: whatever comes behind it is none of the answer.
    pub has_ended: bool,
    /// So many of the last bytes came behind it.
    pub behind_end: usize,
    /// Nothing is missing if nothing more comes: however the body ends, the answer is whole.
    pub is_settled: bool,
    /// Nor will more come, if it does not soon: there is no last event to wait for.
    pub ends_in_silence: bool,
}

/// An error that stood inside a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamError {
    /// What it says.
    pub message: String,
    /// The HTTP status it stands for, where it says one.
    pub status: Option<u16>,
    /// It as the body of an error answer, which the event's data mostly is.
    pub data: Vec<u8>,
}
