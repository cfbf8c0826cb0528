//! Anthropic Messages: <https://platform.claude.com/docs/en/api/messages>
//!
//! What is written is for the API version 2023-06-01: later ones refuse sampling parameters
//! (<https://platform.claude.com/docs/en/api/versioning>).

mod answer;
pub(crate) mod error;
pub(crate) mod facts;
mod finish;
pub(crate) mod model;
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
