//! OpenAI Responses: <https://platform.openai.com/docs/api-reference/responses>
//!
//! Stateless only: what a provider keeps (`previous_response_id`, `conversation`, `item_reference`) no other provider
//! knows, so it is refused. Thoughts travel in `encrypted_content`, which clients send back as it came.

mod answer;
pub(crate) mod error;
pub(crate) mod facts;
mod finish;
mod read;
mod stream_reader;
mod stream_writer;
mod tools;
pub(crate) mod usage;
mod write;

pub(crate) use answer::{read_answer, write_answer};
pub(crate) use read::read_request;
pub(crate) use stream_reader::StreamReader;
pub(crate) use stream_writer::StreamWriter;
pub(crate) use write::write_request;
