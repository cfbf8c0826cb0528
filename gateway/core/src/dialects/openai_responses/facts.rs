//! Small facts, and what one event of a stream tells: <https://platform.openai.com/docs/api-reference/responses-streaming>.

use serde_json::Value;

use crate::dialects::is_filled;
use crate::dialects::room::EventFacts;

/// See [`Room::keep_alive`](crate::dialects::room::Room::keep_alive).
pub(super) const KEEP_ALIVE: &[u8] = b"\n\n";

/// See [`Room::telling`](crate::dialects::room::Room::telling).
pub(super) const TELLING: &[&[u8]] =
    &[b"\"usage\"", b"\"error\"", b"response.incomplete", b"response.completed", b"response.failed", b"response.done"];

/// See [`Room::usage_member`](crate::dialects::room::Room::usage_member).
pub(super) const USAGE_MEMBER: &str = "usage";

/// See [`Room::members`](crate::dialects::room::Room::members).
pub(super) const MEMBERS: &[(&str, &str)] = &[("system", "instructions"), ("messages", "input")];

/// See [`Room::shows_pictures`](crate::dialects::room::Room::shows_pictures).
pub(super) const SHOWS_PICTURES: bool = false;

/// See [`Room::messages_are_turns`](crate::dialects::room::Room::messages_are_turns). One answer has several items.
pub(super) const MESSAGES_ARE_TURNS: bool = false;

pub(super) fn see(event: &Value) -> EventFacts<'_> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
    let response = event.get("response");
    let ends = is_last(kind);
    let begins_call = || {
        let item = event.get("item").and_then(|item| item.get("type")).and_then(Value::as_str).unwrap_or_default();
        kind == "response.output_item.added" && item.ends_with("_call")
    };
    let is_told =
        || ["text", "refusal", "arguments", "input"].iter().any(|name| event.get(name).is_some_and(is_filled));
    let output =
        || response.and_then(|response| response.get("output")).and_then(Value::as_array).into_iter().flatten();
    let content = (kind.ends_with(".delta") && event.get("delta").is_some_and(is_filled))
        || begins_call()
        || (kind.ends_with(".done") && (is_told() || event.get("item").is_some_and(has_content)))
        || (ends && output().any(has_content));
    let is_incomplete =
        || response.and_then(|it| it.get("incomplete_details")).is_some_and(|details| !details.is_null());
    let error_of_response = || response.and_then(|response| response.get("error")).filter(|error| !error.is_null());
    let error = match kind {
        "error" => Some(event.get("error").filter(|error| error.is_object()).unwrap_or(event)),
        "response.failed" => error_of_response().or(Some(event)),
        "response.done" => error_of_response(),
        // Some relays write an error as chat completions do.
        "" => event.get("error").filter(|error| !error.is_null()),
        _ => None,
    };
    EventFacts {
        content,
        finish: ends,
        alternatives: Default::default(),
        failed: false,
        excused: kind == "response.incomplete" || (ends && is_incomplete()),
        end: ends || kind == "error",
        usage: response.filter(|_| ends).and_then(|response| response.get("usage")).filter(|usage| usage.is_object()),
        error,
    }
}

/// Whether an event is the last of its response. `response.done` is what servers write that follow OpenAI's realtime
/// events (<https://platform.openai.com/docs/api-reference/realtime-server-events/response/done>).
pub(super) fn is_last(kind: &str) -> bool {
    matches!(kind, "response.completed" | "response.incomplete" | "response.failed" | "response.done")
}

/// Whether there is anything in an item.
fn has_content(item: &Value) -> bool {
    let pieces = |name: &str| item.get(name).and_then(Value::as_array).into_iter().flatten();
    let is_spoken = |piece: &Value| ["text", "refusal"].iter().any(|name| piece.get(name).is_some_and(is_filled));
    match item.get("type").and_then(Value::as_str) {
        Some("message") => pieces("content").any(is_spoken),
        Some("reasoning") => {
            item.get("encrypted_content").is_some_and(is_filled)
                || pieces("summary").chain(pieces("content")).any(is_spoken)
        }
        kind => kind.is_some(),
    }
}
