//! OpenAI Responses: <https://platform.openai.com/docs/api-reference/responses>
//!
//! Stateless only: what a provider keeps (`previous_response_id`, `conversation`, `item_reference`) no other provider
//! knows, so it is refused. Reasoning travels in `encrypted_content`, which clients send back as it came.

mod answer;
mod error;
mod facts;
mod finish;
mod read;
mod stream_reader;
mod stream_writer;
mod tools;
mod usage;
mod write;

super::room::room!();
