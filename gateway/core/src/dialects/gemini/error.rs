//! Errors, in the shape of google.rpc.Status: <https://cloud.google.com/apis/design/errors>.

use serde_json::{Value, json};

use crate::dialects::status_of;
use crate::dialects::words::ErrorWords;
use crate::neutral::ApiError;

/// The words of google.rpc.Code: <https://cloud.google.com/apis/design/errors#handling_errors>. Of
/// several words with one status, the one that claims least is written and all are read.
pub(super) const WORDS: ErrorWords = ErrorWords {
    documented: &[
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (409, "ABORTED"),
        (429, "RESOURCE_EXHAUSTED"),
        (499, "CANCELLED"),
        (500, "INTERNAL"),
        (501, "UNIMPLEMENTED"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ],
    // Money is a resource as quotas are, and what has no such method is not there. For a bad gateway see
    // <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>.
    nearest: &[(402, "RESOURCE_EXHAUSTED"), (405, "NOT_FOUND"), (502, "UNAVAILABLE")],
    read: &[
        (400, "FAILED_PRECONDITION"),
        (400, "OUT_OF_RANGE"),
        (409, "ALREADY_EXISTS"),
        (500, "UNKNOWN"),
        (500, "DATA_LOSS"),
    ],
    of_caller: "INVALID_ARGUMENT",
    of_server: "INTERNAL",
};

/// An error of this dialect; `None` where the body holds none. Streams that are no event streams answer with a list of one.
pub(super) fn read(body: &Value) -> Option<ApiError> {
    let error = body.get(0).unwrap_or(body).get("error")?;
    let message = error.get("message")?.as_str()?.to_owned();
    Some(ApiError { message, status: status_of(error), ..ApiError::default() })
}

/// The body of an error answer, and the data of an event inside a stream.
pub(super) fn write(error: &ApiError, _id: &str) -> Value {
    // 529 is Anthropic's own; Google's clients know 503 for it.
    let status = error.status.map_or(500, |status| if status == 529 { 503 } else { status });
    let mut written = json!({ "code": status, "message": error.message, "status": WORDS.word(Some(status)) });
    let details = details(error);
    if let Some(members) = written.as_object_mut().filter(|_| !details.is_empty()) {
        members.insert("details".into(), details.into());
    }
    json!({ "error": written })
}

/// The quota that is named where waiting is no use. Gemini CLI (0.61.0) stops at once at one whose id holds `PerDay`; at any
/// other 429 it tries again for minutes, whatever else the answer says.
const FINAL_QUOTA: &str = "LlmioQuotaPerDay";

/// What Google's clients look for in errors of llmio's own:
/// <https://cloud.google.com/apis/design/errors#error_details>.
fn details(error: &ApiError) -> Vec<Value> {
    let mut details = Vec::new();
    let Some(own) = error.own else { return details };
    if error.code.as_deref() == Some("insufficient_quota") {
        let violation = json!({ "subject": "llmio", "description": error.message, "quotaId": FINAL_QUOTA });
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [violation],
        }));
    }
    if let Some(seconds) = own.retry_after_s {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        }));
    }
    if let Some(code) = &error.code {
        details.push(json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "llmio" }));
    }
    details
}

/// The event that holds such a body.
pub(super) fn event(body: &Value, _id: &str) -> Vec<u8> {
    format!("data: {body}\n\n").into_bytes()
}

/// Nothing has to come before it.
pub(super) use event as stream;
