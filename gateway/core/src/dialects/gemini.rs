//! Google Gemini: <https://ai.google.dev/api/generate-content>
//!
//! The model and whether to stream stand in the path, not in the body. Members are read in camel case and snake case,
//! since Google's SDKs send both, and written in camel case.

mod answer;
pub(crate) mod error;
pub(crate) mod facts;
mod finish;
pub(crate) mod names;
mod read;
mod seals;
mod stream_reader;
mod stream_writer;
pub(crate) mod usage;
mod write;

pub(crate) use answer::{read_answer, write_answer};
pub(crate) use read::read_request;
pub(crate) use stream_reader::StreamReader;
pub(crate) use stream_writer::StreamWriter;
pub(crate) use write::write_request;
