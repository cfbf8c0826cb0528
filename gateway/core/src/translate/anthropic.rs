//! Anthropic Messages. <https://platform.claude.com/docs/en/api/messages>
//!
//! What is written is for the API version 2023-06-01: later ones refuse sampling parameters
//! (<https://platform.claude.com/docs/en/api/versioning>).

mod answer;
pub(super) mod model;
mod read_messages;
mod read_request;
mod stream_reader;
mod stream_writer;
mod thinking;
mod write_messages;
mod write_request;

use serde_json::{Value, json};

use super::json::text;
use super::neutral::{Fault, Finish, Part, Seal};
use crate::dialect::Dialect;
use crate::observe::Usage;

pub(super) use answer::{read_answer, write_answer};
pub(super) use read_request::read_request;
pub(super) use stream_reader::StreamReader;
pub(super) use stream_writer::StreamWriter;
pub(super) use write_request::write_request;

/// <https://platform.claude.com/docs/en/api/errors>
const ERRORS: [(u16, &str); 11] = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (409, "conflict_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (500, "api_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];

/// An error of this dialect. `None`: it is none.
pub(super) fn read_fault(body: &Value) -> Option<Fault> {
    let error = body.get("error")?;
    let message = text(error, "message").or_else(|| error.as_str())?;
    let kind = text(error, "type");
    let row = ERRORS.iter().find(|(_, name)| Some(*name) == kind);
    Some(Fault {
        message: message.to_owned(),
        status: row.map(|(status, _)| *status),
        kind: kind.map(str::to_owned),
        code: None,
    })
}

/// An error in this dialect: the body of an error answer, and the data of an event inside a stream. `id` is the call's.
pub(super) fn write_fault(fault: &Fault, id: &str) -> Value {
    let by_status = |status: u16| ERRORS.iter().find(|(number, _)| *number == status).map(|(_, name)| *name);
    let by_kind = |kind: &str| ERRORS.iter().find(|(_, name)| *name == kind).map(|(_, name)| *name);
    let kind = fault.status.and_then(by_status).or_else(|| fault.kind.as_deref().and_then(by_kind));
    let kind = kind.unwrap_or(match fault.status {
        Some(400..=499) => "invalid_request_error",
        _ => "api_error",
    });
    json!({ "type": "error", "error": { "type": kind, "message": fault.message }, "request_id": id })
}

/// <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>
fn read_finish(reason: &str, sequence: Option<&str>) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopSequence(sequence.map(str::to_owned)),
        "tool_use" => Finish::ToolCalls,
        "pause_turn" => Finish::Paused,
        "refusal" => Finish::Filtered,
        _ => Finish::Stop,
    }
}

/// The reason and the stop sequence. `refused`: the answer holds the model's words for not answering.
fn write_finish(finish: Finish, refused: bool) -> (&'static str, Option<String>) {
    match finish {
        _ if refused => ("refusal", None),
        // Which sequence it was is not known, and Anthropic always says it.
        Finish::Stop | Finish::StopSequence(None) => ("end_turn", None),
        Finish::StopSequence(sequence) => ("stop_sequence", sequence),
        Finish::Length => ("max_tokens", None),
        Finish::ToolCalls => ("tool_use", None),
        Finish::Filtered => ("refusal", None),
        Finish::Paused => ("pause_turn", None),
    }
}

/// Gemini seals calls and Anthropic does not: the seal goes to the client, and comes back from it, as a thought that only
/// its provider reads, before the call.
fn write_call_seal(seal: Seal) -> Value {
    json!({ "type": "redacted_thinking", "data": seal.for_client(Dialect::Anthropic) })
}

/// Puts seals that [`write_call_seal`] wrote back onto their calls.
fn read_call_seals(parts: Vec<Part>) -> Vec<Part> {
    let mut read: Vec<Part> = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let Part::ToolCall(call) = &mut part
            && let Some(Part::Reasoning(thought)) = read.last_mut()
            && let Some(seal) = thought.sealed.take_if(|seal| seal.by == Dialect::Gemini)
        {
            call.signature = Some(seal);
            read.pop();
        }
        read.push(part);
    }
    read
}

/// Anthropic counts cached tokens beside `input_tokens`. SDKs want all four numbers.
fn write_usage(usage: &Usage) -> Value {
    let (read, write) = (usage.cache_read_tokens.unwrap_or(0), usage.cache_write_tokens.unwrap_or(0));
    let input = usage.input_tokens.unwrap_or(0).saturating_sub(read.saturating_add(write));
    let mut written = json!({
        "input_tokens": input,
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
        "output_tokens": usage.output_tokens.unwrap_or(0),
    });
    if let Some(reasoning) = usage.reasoning_tokens {
        written["output_tokens_details"] = json!({ "thinking_tokens": reasoning });
    }
    written
}
