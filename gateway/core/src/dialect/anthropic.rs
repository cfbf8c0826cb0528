//! Anthropic Messages: <https://platform.claude.com/docs/en/api/messages>.

use serde_json::{Value, json};

use super::{Seen, count, is_filled};
use crate::observe::Usage;
use crate::refusal::Refusal;

pub(super) fn error(refusal: &Refusal, id: &str) -> Value {
    let error = json!({ "type": kind(refusal), "message": refusal.message });
    json!({ "type": "error", "error": error, "request_id": id })
}

/// <https://platform.claude.com/docs/en/api/errors>. A spent budget is a matter of billing only where it is the key's
/// own: a provider's spent quota must not make Claude Code say that its user has to pay.
fn kind(refusal: &Refusal) -> &'static str {
    match refusal.status {
        401 => "authentication_error",
        402 => "billing_error",
        429 if refusal.is_budget => "billing_error",
        403 => "permission_error",
        404 | 405 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 | 503 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// The official SDKs read over events without a name.
pub(super) fn error_event(error: &Value, _id: &str) -> Vec<u8> {
    format!("event: error\ndata: {error}\n\n").into_bytes()
}

pub(super) fn see(event: &Value) -> Seen<'_> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let delta = event.get("delta");
    let delta_has =
        |names: &[&str]| names.iter().any(|name| delta.and_then(|delta| delta.get(name)).is_some_and(is_filled));
    let block = event.get("content_block").and_then(|block| block.get("type")).and_then(Value::as_str);
    Seen {
        content: match kind {
            "content_block_start" => block.is_some_and(|block| !matches!(block, "text" | "thinking")),
            "content_block_delta" => delta_has(&["text", "thinking", "partial_json"]),
            _ => false,
        },
        finish: kind == "message_delta" && delta_has(&["stop_reason"]),
        botched: false,
        end: kind == "message_stop",
        usage: match kind {
            "message_start" => event.get("message").and_then(|message| message.get("usage")),
            _ => event.get("usage"),
        }
        .filter(|usage| usage.is_object()),
        error: event.get("error").filter(|error| !error.is_null()),
    }
}

/// Anthropic counts what came from a cache and what went into one beside the input, not in it.
pub(super) fn usage(usage: &Value) -> Usage {
    let cache_read_tokens = count(usage, &["cache_read_input_tokens"]);
    let cache_write_tokens = count(usage, &["cache_creation_input_tokens"]);
    let cached = cache_read_tokens.unwrap_or(0).saturating_add(cache_write_tokens.unwrap_or(0));
    Usage {
        input_tokens: count(usage, &["input_tokens"]).map(|input| input.saturating_add(cached)),
        cache_read_tokens,
        cache_write_tokens,
        output_tokens: count(usage, &["output_tokens"]),
        reasoning_tokens: count(usage, &["output_tokens_details", "thinking_tokens"]),
    }
}
