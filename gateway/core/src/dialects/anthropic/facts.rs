//! What one event of a stream tells: <https://platform.claude.com/docs/en/build-with-claude/streaming>.

use serde_json::Value;

use crate::dialects::{Seen, is_filled};

pub(crate) fn see(event: &Value) -> Seen<'_> {
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
