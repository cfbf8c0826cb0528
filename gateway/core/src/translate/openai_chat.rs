//! OpenAI chat completions, and the many providers that speak it with an accent.
//! <https://platform.openai.com/docs/api-reference/chat>
//!
//! OpenAI's own API shows no thoughts. What is read and written for them is what its followers agreed on: DeepSeek's
//! `reasoning_content` (<https://api-docs.deepseek.com/guides/reasoning_model>), and OpenRouter's `reasoning_details` for
//! seals (<https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks>).

mod answer;
mod calls;
pub(super) mod names;
mod read_messages;
mod read_request;
mod stream_reader;
mod stream_writer;
mod thoughts;
mod write_messages;
mod write_request;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::json::text;
use super::neutral::{Fault, Finish, Object, Tool, Warnings};
use super::schema;
use crate::dialect::openai_chat::is_broken_off;
use crate::observe::Usage;

pub(super) use answer::{read_answer, write_answer};
pub(super) use read_request::read_request;
pub(super) use stream_reader::StreamReader;
pub(super) use stream_writer::StreamWriter;
pub(super) use write_request::write_request;

/// An error of this dialect. `None`: it is none. Providers write it as an object, as text, or without the member
/// `error`, as vLLM and FastAPI do.
pub(super) fn read_fault(body: &Value) -> Option<Fault> {
    let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
    let message = text(error, "message").or_else(|| error.as_str()).or_else(|| text(error, "detail"))?;
    let word = |name: &str| text(error, name).filter(|word| !word.is_empty()).map(str::to_owned);
    let number = ["code", "status"].iter().find_map(|name| match error.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    Some(Fault {
        message: message.to_owned(),
        status: number.and_then(|number| u16::try_from(number).ok()).filter(|status| (400..600).contains(status)),
        kind: word("type"),
        code: word("code"),
    })
}

/// An error in this dialect: the body of an error answer, and the data of an event inside a stream.
/// <https://platform.openai.com/docs/guides/error-codes>
pub(super) fn write_fault(fault: &Fault) -> Value {
    let kind = match fault.status {
        Some(401) => "authentication_error",
        Some(403) => "permission_error",
        Some(429) => "rate_limit_error",
        Some(400..=499) => "invalid_request_error",
        Some(_) => "server_error",
        None => fault.kind.as_deref().unwrap_or("server_error"),
    };
    json!({ "error": { "message": fault.message, "type": kind, "param": null, "code": fault.code } })
}

/// Why an answer ended; some providers write an empty reason into every chunk, which is none. The words OpenAI does not
/// have are DeepSeek's (<https://api-docs.deepseek.com/api/create-chat-completion>), GLM's
/// (<https://docs.z.ai/api-reference/llm/chat-completion>) and Mistral's (<https://docs.mistral.ai/api/endpoint/chat>).
/// `Err`: the provider broke the answer off, and what came of it is not the whole.
fn read_finish(reason: &str) -> Result<Option<Finish>, Fault> {
    Ok(Some(match reason {
        "" => return Ok(None),
        "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" | "sensitive" => Finish::Filtered,
        reason if is_broken_off(reason) => {
            let message = format!("The provider broke the answer off ({reason}).");
            return Err(Fault { message, status: Some(503), ..Fault::default() });
        }
        _ => Finish::Stop,
    }))
}

fn write_finish(finish: &Finish, legacy_functions: bool) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Paused => "stop",
        Finish::Length => "length",
        Finish::ToolCalls if legacy_functions => "function_call",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

/// The characters OpenAI takes to say who the user is:
/// <https://platform.openai.com/docs/guides/safety-best-practices#safety-identifiers>.
const USER_BYTES_MAX: usize = 64;

/// Who the user is, in both of OpenAI's dialects. Claude Code says it in more characters than OpenAI takes, and the hash
/// that OpenAI recommends anyway tells users apart as well.
pub(super) fn write_user(user: String, warnings: &mut Warnings) -> String {
    if user.len() <= USER_BYTES_MAX {
        return user;
    }
    warnings.changed("user, which is too long, to its hash");
    Sha256::digest(user.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A function in both of OpenAI's dialects. A schema that OpenAI does not take as strict is not marked as such: in other
/// dialects one with optional properties may be.
pub(super) fn write_function(tool: Tool, warnings: &mut Warnings) -> Object {
    let mut parameters = tool.parameters.unwrap_or_default();
    schema::complete_parameters(&mut parameters);
    let strict = tool.strict.map(|strict| strict && schema::is_strict(&parameters));
    if strict != tool.strict {
        warnings.changed("a tool that OpenAI does not take as strict to one that is not");
    }
    let mut function = Object::new();
    function.insert("name".to_owned(), tool.name.into());
    function.extend(tool.description.map(|text| ("description".to_owned(), text.into())));
    function.insert("parameters".to_owned(), parameters);
    function.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
    function
}

/// <https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage>. What is not known is left out of the
/// details and zero in the totals, which clients add up.
fn write_usage(usage: &Usage) -> Value {
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let mut written = json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input.saturating_add(output),
    });
    if let Some(cached) = usage.cache_read_tokens {
        written["prompt_tokens_details"] = json!({ "cached_tokens": cached });
    }
    if let Some(reasoning) = usage.reasoning_tokens {
        written["completion_tokens_details"] = json!({ "reasoning_tokens": reasoning });
    }
    written
}
