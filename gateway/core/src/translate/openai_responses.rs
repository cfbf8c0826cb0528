//! OpenAI Responses ⇄ neutral form. <https://platform.openai.com/docs/api-reference/responses>
//!
//! Stateless only: what a provider keeps (`previous_response_id`, `conversation`, `item_reference`) no other provider
//! knows, so it is refused. Thoughts travel in `encrypted_content`, which clients send back as it came.

mod answer;
mod items;
mod read;
mod stream_reader;
mod stream_writer;
mod tools;
mod write;

pub(super) use answer::{read_answer, write_answer};
pub(super) use read::read_request;
pub(super) use stream_reader::StreamReader;
pub(super) use stream_writer::StreamWriter;
pub(super) use write::write_request;

use serde_json::{Value, json};

use crate::observe::Usage;

use super::neutral::{Fault, Finish, Untranslatable};
use super::openai_chat;

/// An error of this dialect. `None`: it is none. Both of OpenAI's dialects have the same.
pub(super) fn read_fault(body: &Value) -> Option<Fault> {
    openai_chat::read_fault(body)
}

/// An error in this dialect: the body of an error answer.
pub(super) fn write_fault(fault: &Fault) -> Value {
    openai_chat::write_fault(fault)
}

fn refuse<T>(param: impl Into<String>, message: &str) -> Result<T, Untranslatable> {
    Err(Untranslatable::new(param, message))
}

/// `null` where nothing is known; the official SDKs require every member of one that is there.
fn write_usage(usage: &Usage) -> Value {
    if usage.is_unknown() {
        return Value::Null;
    }
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let mut details = json!({ "cached_tokens": usage.cache_read_tokens.unwrap_or(0) });
    let written = usage.cache_write_tokens.filter(|count| *count > 0);
    if let (Some(written), Some(details)) = (written, details.as_object_mut()) {
        details.insert("cache_write_tokens".into(), written.into());
    }
    json!({
        "input_tokens": input,
        "input_tokens_details": details,
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning_tokens.unwrap_or(0) },
        "total_tokens": input.saturating_add(output),
    })
}

/// What a response object says of its end, `None` where it went well or goes on.
fn read_finish(response: &Value) -> Option<Finish> {
    let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
    match (response.get("status").and_then(Value::as_str), reason) {
        (_, Some("content_filter")) => Some(Finish::Filtered),
        (Some("incomplete"), _) => Some(Finish::Length),
        _ => None,
    }
}

/// The `incomplete_details.reason` of an answer that ended so.
fn incomplete_reason(finish: Option<&Finish>) -> Option<&'static str> {
    match finish {
        Some(Finish::Length) => Some("max_output_tokens"),
        Some(Finish::Filtered) => Some("content_filter"),
        _ => None,
    }
}
