//! What one event of a stream tells: <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>.

use serde_json::Value;

use super::finish::is_botched;
use crate::dialects::{Seen, is_filled};

pub(crate) fn see(event: &Value) -> Seen<'_> {
    let candidates = || event.get("candidates").and_then(Value::as_array).into_iter().flatten();
    let reasons = || candidates().filter_map(|candidate| candidate.get("finishReason"));
    let blocked = event.get("promptFeedback").and_then(|feedback| feedback.get("blockReason"));
    Seen {
        content: candidates().any(has_content),
        finish: blocked.is_some_and(is_filled) || reasons().any(is_filled),
        botched: reasons().filter_map(Value::as_str).any(is_botched),
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
