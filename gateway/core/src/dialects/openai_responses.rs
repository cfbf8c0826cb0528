//! OpenAI Responses: <https://platform.openai.com/docs/api-reference/responses>
//!
//! Only the stateless form is translated: what a provider stores (`previous_response_id`, `conversation`,
//! `item_reference`) is unknown to every other provider, so it is refused. Reasoning travels in `encrypted_content`,
//! which clients send back unchanged.

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
