//! What one event of a stream tells: <https://platform.openai.com/docs/api-reference/responses-streaming>.

use serde_json::Value;

use crate::dialects::{Seen, is_filled};

pub(crate) fn see(event: &Value) -> Seen<'_> {
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
