//! Small facts, and what one event of a stream tells: <https://platform.claude.com/docs/en/build-with-claude/streaming>.

use serde_json::Value;

use crate::dialects::is_filled;
use crate::dialects::room::EventFacts;

/// See [`Room::keep_alive`](crate::dialects::room::Room::keep_alive).
pub(super) const KEEP_ALIVE: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// See [`Room::telling`](crate::dialects::room::Room::telling).
pub(super) const TELLING: &[&[u8]] = &[b"\"usage\"", b"\"error\"", b"\"stop_reason\"", b"message_stop"];

/// See [`Room::usage_member`](crate::dialects::room::Room::usage_member).
pub(super) const USAGE_MEMBER: &str = "usage";

/// See [`Room::members`](crate::dialects::room::Room::members).
pub(super) const MEMBERS: &[(&str, &str)] = &[("stop", "stop_sequences")];

/// See [`Room::shows_pictures`](crate::dialects::room::Room::shows_pictures).
pub(super) const SHOWS_PICTURES: bool = false;

/// See [`Room::messages_are_turns`](crate::dialects::room::Room::messages_are_turns).
pub(super) const MESSAGES_ARE_TURNS: bool = true;

pub(super) fn see(event: &Value) -> EventFacts<'_> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let delta = event.get("delta");
    let delta_has =
        |names: &[&str]| names.iter().any(|name| delta.and_then(|delta| delta.get(name)).is_some_and(is_filled));
    let block = event.get("content_block").and_then(|block| block.get("type")).and_then(Value::as_str);
    let block_has_words = || {
        let block = event.get("content_block");
        ["text", "thinking"].iter().any(|name| block.and_then(|block| block.get(name)).is_some_and(is_filled))
    };
    let content = match kind {
        "content_block_start" => block.is_some_and(|block| !matches!(block, "text" | "thinking")) || block_has_words(),
        "content_block_delta" => delta_has(&["text", "thinking", "partial_json"]),
        _ => false,
    };
    let finish = kind == "message_delta" && delta_has(&["stop_reason"]);
    EventFacts {
        content,
        finish,
        alternatives: Default::default(),
        failed: false,
        excused: finish && delta.and_then(|delta| delta.get("stop_reason")).is_some_and(|reason| reason != "end_turn"),
        end: matches!(kind, "message_stop" | "error"),
        usage: match kind {
            "message_start" => event.get("message").and_then(|message| message.get("usage")),
            _ => event.get("usage"),
        }
        .filter(|usage| usage.is_object()),
        error: event.get("error").filter(|error| !error.is_null()),
    }
}
