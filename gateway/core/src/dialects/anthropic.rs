//! Anthropic Messages: <https://platform.claude.com/docs/en/api/messages>
//!
//! What is written is for the API version 2023-06-01: later ones refuse sampling parameters
//! (<https://platform.claude.com/docs/en/api/versioning>).

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

super::room::room!();
