//! OpenAI chat completions: <https://platform.openai.com/docs/api-reference/chat>.

use serde_json::{Value, json};

use super::{Seen, count, is_filled};
use crate::observe::Usage;
use crate::refusal::Refusal;

pub(super) fn error(refusal: &Refusal, _id: &str) -> Value {
    let Refusal { message, kind, param, code, .. } = refusal;
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

pub(super) fn error_event(error: &Value, _id: &str) -> Vec<u8> {
    format!("data: {error}\n\n").into_bytes()
}

pub(super) fn see(event: &Value) -> Seen<'_> {
    let choices = || event.get("choices").and_then(Value::as_array).into_iter().flatten();
    // Streams of speech, transcriptions and images have events with a type instead of choices.
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let ends = kind.ends_with(".done") || kind.ends_with(".completed");
    let is_piece = [".delta", ".segment", ".partial_image"].iter().any(|ending| kind.ends_with(ending));
    let reasons = || choices().filter_map(|choice| choice.get("finish_reason"));
    Seen {
        content: is_piece || ends || choices().any(has_content),
        finish: ends || reasons().any(is_filled),
        botched: reasons().filter_map(Value::as_str).any(is_broken_off),
        end: false,
        usage: event.get("usage").filter(|usage| usage.is_object()),
        // Some providers write `"error": null` into every chunk; that is no error.
        error: event.get("error").filter(|error| !error.is_null()),
    }
}

/// The reason of a provider that broke the answer off: DeepSeek's
/// (<https://api-docs.deepseek.com/api/create-chat-completion>), GLM's
/// (<https://docs.z.ai/api-reference/llm/chat-completion>) and Mistral's (<https://docs.mistral.ai/api/endpoint/chat>).
pub(crate) fn is_broken_off(reason: &str) -> bool {
    matches!(reason, "insufficient_system_resource" | "network_error" | "error")
}

/// Providers spell reasoning in two ways.
fn has_content(choice: &Value) -> bool {
    const NAMES: [&str; 7] =
        ["content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "images"];
    let delta = choice.get("delta");
    delta.is_some_and(|delta| NAMES.iter().any(|name| delta.get(name).is_some_and(is_filled)))
        || choice.get("text").is_some_and(is_filled)
}

/// DeepSeek counts cache reads in `prompt_cache_hit_tokens`: <https://api-docs.deepseek.com/guides/kv_cache>. Endpoints
/// beside the chat count in the words of Responses.
pub(super) fn usage(usage: &Value) -> Usage {
    let responses = super::openai_responses::usage(usage);
    Usage {
        input_tokens: count(usage, &["prompt_tokens"]).or(responses.input_tokens),
        cache_read_tokens: count(usage, &["prompt_tokens_details", "cached_tokens"])
            .or_else(|| count(usage, &["prompt_cache_hit_tokens"]))
            .or(responses.cache_read_tokens),
        cache_write_tokens: count(usage, &["prompt_tokens_details", "cache_write_tokens"])
            .or(responses.cache_write_tokens),
        output_tokens: count(usage, &["completion_tokens"]).or(responses.output_tokens),
        reasoning_tokens: count(usage, &["completion_tokens_details", "reasoning_tokens"])
            .or(responses.reasoning_tokens),
    }
}
