//! Small facts, and what one event of a stream tells: <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>.

use serde_json::Value;

use super::finish::is_failure;
use crate::dialects::is_filled;
use crate::dialects::room::{Alternatives, EventFacts};

/// See [`Room::keep_alive`](crate::dialects::room::Room::keep_alive).
pub(super) const KEEP_ALIVE: &[u8] = b"\n\n";

/// See [`Room::telling`](crate::dialects::room::Room::telling).
pub(super) const TELLING: &[&[u8]] = &[b"usageMetadata", b"\"error\"", b"finishReason", b"blockReason"];

/// See [`Room::usage_member`](crate::dialects::room::Room::usage_member).
pub(super) const USAGE_MEMBER: &str = "usageMetadata";

/// See [`Room::members`](crate::dialects::room::Room::members).
pub(super) const MEMBERS: &[(&str, &str)] = &[
    ("system", "systemInstruction"),
    ("messages", "contents"),
    ("stop", "generationConfig.stopSequences"),
    ("n", "generationConfig.candidateCount"),
    ("modalities", "generationConfig.responseModalities"),
];

/// See [`Room::shows_pictures`](crate::dialects::room::Room::shows_pictures).
pub(super) const SHOWS_PICTURES: bool = true;

/// See [`Room::messages_are_turns`](crate::dialects::room::Room::messages_are_turns). Clients keep the
/// chunks of a stream as contents of their own, and the reader joins them.
pub(super) const MESSAGES_ARE_TURNS: bool = false;

pub(super) fn see(event: &Value) -> EventFacts<'_> {
    let candidates = || event.get("candidates").and_then(Value::as_array).into_iter().flatten();
    let reasons = || candidates().filter_map(|candidate| candidate.get("finishReason"));
    let says_why = |candidate: &Value| candidate.get("finishReason").is_some_and(is_filled);
    let blocked = event.get("promptFeedback").and_then(|feedback| feedback.get("blockReason"));
    EventFacts {
        alternatives: Alternatives::of(candidates(), has_content, says_why),
        content: candidates().any(has_content),
        finish: blocked.is_some_and(is_filled) || reasons().any(is_filled),
        failed: reasons().filter_map(Value::as_str).any(is_failure),
        excused: blocked.is_some_and(is_filled) || reasons().filter_map(Value::as_str).any(excuses),
        end: false,
        usage: event.get("usageMetadata").filter(|usage| usage.is_object()),
        error: event.get("error").filter(|error| !error.is_null()),
    }
}

/// A part without text is a call, an image or the like.
fn has_content(candidate: &Value) -> bool {
    let parts = candidate.get("content").and_then(|content| content.get("parts")).and_then(Value::as_array);
    parts.into_iter().flatten().filter_map(Value::as_object).any(|part| match part.get("text") {
        Some(text) => is_filled(text),
        None => part.keys().any(|name| name != "thought" && name != "thoughtSignature"),
    })
}

/// Whether a reason says why there may be no content.
fn excuses(reason: &str) -> bool {
    !matches!(reason, "" | "STOP" | "FINISH_REASON_UNSPECIFIED" | "OTHER") && !is_failure(reason)
}
