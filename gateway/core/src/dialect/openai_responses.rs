//! OpenAI Responses: <https://platform.openai.com/docs/api-reference/responses>.

use serde_json::{Value, json};

use super::{Seen, count, is_filled, openai_chat};
use crate::observe::Usage;
use crate::refusal::Refusal;

pub(super) fn error(refusal: &Refusal, id: &str) -> Value {
    openai_chat::error(refusal, id)
}

/// Codex reads a stream that ends without one of its last events as a lost connection, and `error` is none of them.
pub(super) fn error_event(error: &Value, id: &str) -> Vec<u8> {
    let said = |name: &str| error.get("error").and_then(|error| error.get(name)).filter(|value| value.is_string());
    let (code, message) = (said("code").or_else(|| said("type")), said("message"));
    let failed = json!({
        "type": "response.failed",
        "response": {
            "id": format!("resp_{id}"),
            "object": "response",
            "status": "failed",
            "error": { "code": code, "message": message },
            "output": [],
        },
    });
    format!("event: response.failed\ndata: {failed}\n\n").into_bytes()
}

pub(super) fn see(event: &Value) -> Seen<'_> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let response = event.get("response");
    let ends = matches!(kind, "response.completed" | "response.incomplete" | "response.failed");
    let begins_call = || {
        let item = event.get("item").and_then(|item| item.get("type")).and_then(Value::as_str).unwrap_or_default();
        kind == "response.output_item.added" && item.ends_with("_call")
    };
    let error = match kind {
        "error" => Some(event.get("error").filter(|error| error.is_object()).unwrap_or(event)),
        "response.failed" => response.and_then(|response| response.get("error")).or(Some(event)),
        // Some relays write an error as chat completions do.
        "" => event.get("error").filter(|error| !error.is_null()),
        _ => None,
    };
    Seen {
        content: (kind.ends_with(".delta") && event.get("delta").is_some_and(is_filled)) || begins_call(),
        finish: ends,
        botched: false,
        end: ends,
        usage: response.filter(|_| ends).and_then(|response| response.get("usage")).filter(|usage| usage.is_object()),
        error,
    }
}

pub(super) fn usage(usage: &Value) -> Usage {
    Usage {
        input_tokens: count(usage, &["input_tokens"]),
        cache_read_tokens: count(usage, &["input_tokens_details", "cached_tokens"]),
        cache_write_tokens: count(usage, &["input_tokens_details", "cache_write_tokens"]),
        output_tokens: count(usage, &["output_tokens"]),
        reasoning_tokens: count(usage, &["output_tokens_details", "reasoning_tokens"]),
    }
}
