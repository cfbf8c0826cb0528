//! Errors, in the shape of google.rpc.Status: <https://cloud.google.com/apis/design/errors>.

use serde_json::{Value, json};

use crate::neutral::Fault;
use crate::refusal::Refusal;

/// The shape of google.rpc.Status, with the details its clients look for:
/// <https://cloud.google.com/apis/design/errors#error_details>.
pub(crate) fn write(refusal: &Refusal, _id: &str) -> Value {
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

/// An error of this dialect. `None`: it is none. Streams that are no event streams answer with a list of one.
pub(crate) fn read(body: &Value) -> Option<Fault> {
    let error = body.get(0).unwrap_or(body).get("error")?;
    let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    Some(Fault {
        message: error.get("message")?.as_str()?.to_owned(),
        status,
        kind: error.get("status").and_then(Value::as_str).map(str::to_owned),
        code: None,
    })
}

/// An error in this dialect: the body of an error answer. The words are those of
/// <https://cloud.google.com/apis/design/errors#handling_errors>.
pub(crate) fn write_fault(fault: &Fault) -> Value {
    // 529 is Anthropic's own; Google's clients know 503 for it.
    let code = match fault.status {
        Some(529) => 503,
        Some(status) => status,
        None => status_of(fault),
    };
    let status = match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        400..=499 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        504 => "DEADLINE_EXCEEDED",
        502 | 503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    json!({ "error": { "code": code, "message": fault.message, "status": status } })
}

/// Errors inside a stream of OpenAI's dialects say by word what their status would have been.
fn status_of(fault: &Fault) -> u16 {
    let words = [fault.kind.as_deref(), fault.code.as_deref()];
    let says = |wanted: &str| words.iter().flatten().any(|word| word.contains(wanted));
    match () {
        () if says("rate_limit") || says("quota") => 429,
        () if says("authentication") => 401,
        () if says("permission") => 403,
        () if says("not_found") => 404,
        () if says("invalid") || says("context_length") => 400,
        () if says("overloaded") => 503,
        () => 500,
    }
}

pub(crate) fn event(error: &Value, _id: &str) -> Vec<u8> {
    format!("data: {error}\n\n").into_bytes()
}
