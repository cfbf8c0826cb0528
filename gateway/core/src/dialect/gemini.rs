//! Google Gemini: <https://ai.google.dev/api/generate-content>.

use serde_json::{Value, json};

use super::{Seen, count, is_filled};
use crate::observe::Usage;
use crate::refusal::Refusal;

/// The shape of google.rpc.Status, with the details its clients look for:
/// <https://cloud.google.com/apis/design/errors#error_details>.
pub(super) fn error(refusal: &Refusal, _id: &str) -> Value {
    let mut details = Vec::new();
    if let Some(seconds) = refusal.retry_after_s {
        if refusal.code == Some("insufficient_quota") {
            let violation = json!({ "subject": "llmio", "description": refusal.message });
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [violation],
            }));
        }
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        }));
    }
    if let Some(code) = refusal.code {
        details.push(json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "llmio" }));
    }
    let mut error = json!({ "code": refusal.status, "message": refusal.message, "status": status(refusal.status) });
    if let Some(members) = error.as_object_mut().filter(|_| !details.is_empty()) {
        members.insert("details".into(), details.into());
    }
    json!({ "error": error })
}

/// <https://cloud.google.com/apis/design/errors#handling_errors>
fn status(http: u16) -> &'static str {
    match http {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 | 405 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        502 | 503 | 508 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=498 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

pub(super) fn error_event(error: &Value, _id: &str) -> Vec<u8> {
    format!("data: {error}\n\n").into_bytes()
}

pub(super) fn see(event: &Value) -> Seen<'_> {
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

/// The model tried to call a tool and wrote something that is no call, or else made nothing that could be given away:
/// trying again helps. <https://ai.google.dev/api/generate-content#FinishReason>
pub(crate) fn is_botched(reason: &str) -> bool {
    const REASONS: [&str; 5] = [
        BOTCHED_CALL,
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
    ];
    REASONS.contains(&reason)
}

/// A call was to come and none can be read.
pub(crate) const BOTCHED_CALL: &str = "MALFORMED_FUNCTION_CALL";

/// A part without text is a call, an image or the like.
fn has_content(candidate: &Value) -> bool {
    let parts = candidate.get("content").and_then(|content| content.get("parts")).and_then(Value::as_array);
    parts.into_iter().flatten().filter_map(Value::as_object).any(|part| match part.get("text") {
        Some(text) => is_filled(text),
        None => part.keys().any(|name| name != "thought" && name != "thoughtSignature"),
    })
}

/// Gemini counts thoughts beside the answer, and what tools added to the prompt beside the prompt.
pub(super) fn usage(usage: &Value) -> Usage {
    let reasoning_tokens = count(usage, &["thoughtsTokenCount"]);
    let of_tools = count(usage, &["toolUsePromptTokenCount"]).unwrap_or(0);
    let output = count(usage, &["candidatesTokenCount"]);
    let output = output.or(reasoning_tokens.map(|_| 0));
    Usage {
        input_tokens: count(usage, &["promptTokenCount"]).map(|input| input.saturating_add(of_tools)),
        cache_read_tokens: count(usage, &["cachedContentTokenCount"]),
        cache_write_tokens: None,
        output_tokens: output.map(|output| output.saturating_add(reasoning_tokens.unwrap_or(0))),
        reasoning_tokens,
    }
}
