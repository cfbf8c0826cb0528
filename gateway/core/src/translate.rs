//! Between dialects: what a caller writes in one, a provider of another reads, and the other way round.
//!
//! dialect → [`neutral`] form → dialect: each dialect has one reader and one writer of requests, whole answers and
//! streams, in the same order in each file. A stream's reader and writer are pure machines, bytes in and bytes out, and
//! any split of the input gives the same output.

pub mod neutral;

use crate::dialect::Dialect;

use neutral::{Untranslatable, Warnings};

/// What a request has to become.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The caller's dialect.
    pub from: Dialect,
    /// The provider's.
    pub to: Dialect,
    /// The provider's own name for the model.
    pub model: &'a str,
    /// Whether the answer is wanted as a stream: Gemini says so in its path and not in its body.
    pub streamed: bool,
}

/// A request in the provider's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// JSON.
    pub body: Vec<u8>,
    /// What was left out.
    pub warnings: Vec<String>,
}

/// What an answer in the caller's dialect says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The model as the caller named it.
    pub model: String,
    /// The call's id, for answers whose provider gives them none.
    pub id: String,
    /// When it was made, Unix seconds.
    pub created_s: i64,
    /// OpenAI chat: the caller asked for a usage chunk at the end of the stream.
    pub include_usage: bool,
    /// Gemini: the caller asked for a JSON array instead of an event stream.
    pub as_array: bool,
}

/// The request `body` for a provider of another dialect.
pub fn request(asked: Asked<'_>, body: &[u8]) -> Result<Translated, Untranslatable>;

/// A provider's whole answer in the caller's dialect. `None`: it is no answer of the dialect `from`.
pub fn answer(from: Dialect, to: Dialect, told: &Told, body: &[u8]) -> Option<Vec<u8>>;

/// A provider's whole answer as a stream in the caller's dialect, for providers that answer so although a stream was
/// asked for.
pub fn answer_as_stream(from: Dialect, to: Dialect, told: &Told, body: &[u8]) -> Option<Vec<u8>>;

/// A streamed answer on its way from a provider of one dialect to a caller of another.
#[derive(Debug)]
pub struct Stream;

impl Stream {
    /// A stream of the provider's dialect `from` for a caller of the dialect `to`.
    pub fn new(from: Dialect, to: Dialect, told: Told) -> Self;

    /// Takes the provider's next bytes and gives the caller's.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8>;

    /// The provider's stream has ended as it should: the caller's last bytes. Empty where the end was given already.
    pub fn end(&mut self) -> Vec<u8>;

    /// Whether the caller's end marker has been given, so that nothing may follow.
    pub fn is_finished(&self) -> bool;
}
