//! Small facts, and what one event of a stream tells: <https://platform.openai.com/docs/api-reference/chat/streaming>.

use serde_json::Value;

use super::finish::is_broken_off;
use crate::dialects::is_filled;
use crate::dialects::room::EventFacts;

/// See [`Room::keep_alive`](crate::dialects::room::Room::keep_alive).
pub(super) const KEEP_ALIVE: &[u8] = b"\n\n";

/// See [`Room::telling`](crate::dialects::room::Room::telling).
pub(super) const TELLING: &[&[u8]] =
    &[b"\"usage\"", b"\"error\"", b"\"finish_reason\":\"", b"\"finish_reason\": \"", b".done\"", b".completed\""];

/// See [`Room::usage_member`](crate::dialects::room::Room::usage_member).
pub(super) const USAGE_MEMBER: &str = "usage";

/// See [`Room::members`](crate::dialects::room::Room::members).
pub(super) const MEMBERS: &[(&str, &str)] = &[("system", "messages")];

/// See [`Room::shows_pictures`](crate::dialects::room::Room::shows_pictures).
pub(super) const SHOWS_PICTURES: bool = true;

/// See [`Room::messages_are_turns`](crate::dialects::room::Room::messages_are_turns).
pub(super) const MESSAGES_ARE_TURNS: bool = true;

pub(super) fn see(event: &Value) -> EventFacts<'_> {
    let choices = || event.get("choices").and_then(Value::as_array).into_iter().flatten();
    // Streams of speech, transcriptions and images have events with a type instead of choices.
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let ends = kind.ends_with(".done") || kind.ends_with(".completed");
    let is_piece = [".delta", ".segment", ".partial_image"].iter().any(|ending| kind.ends_with(ending));
    let reasons = || choices().filter_map(|choice| choice.get("finish_reason"));
    EventFacts {
        alternatives: Default::default(),
        content: is_piece || ends || choices().any(has_content),
        finish: ends || reasons().any(is_filled),
        failed: reasons().filter_map(Value::as_str).any(is_broken_off),
        excused: reasons()
            .filter_map(Value::as_str)
            .any(|reason| !matches!(reason, "" | "stop") && !is_broken_off(reason)),
        end: false,
        usage: event.get("usage").filter(|usage| usage.is_object()),
        // Some providers write `"error": null` into every chunk; that is no error.
        error: event.get("error").filter(|error| !error.is_null()),
    }
}

/// Providers spell reasoning in two ways.
fn has_content(choice: &Value) -> bool {
    const NAMES: [&str; 7] =
        ["content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "images"];
    let delta = choice.get("delta").or_else(|| choice.get("message"));
    delta.is_some_and(|delta| NAMES.iter().any(|name| delta.get(name).is_some_and(is_filled)))
        || choice.get("text").is_some_and(is_filled)
}
