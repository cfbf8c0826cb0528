//! Google Gemini: <https://ai.google.dev/api/generate-content>
//!
//! The model and whether to stream stand in the path, not in the body. Members are read in camel case and snake case,
//! since Google's SDKs send both, and written in camel case.

mod answer;
mod error;
mod facts;
mod finish;
mod read;
mod seals;
mod stream_reader;
mod stream_writer;
mod usage;
mod write;

pub(crate) use seals::NO_SEAL;

super::room::room!();
