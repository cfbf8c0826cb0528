//! Errors: <https://platform.openai.com/docs/guides/error-codes>. Both of OpenAI's dialects have the same bodies; in a
//! stream an error is the end of a response.

use serde_json::{Value, json};

use super::answer::envelope;
pub(super) use crate::dialects::openai::error::{WORDS, read, write};
use crate::dialects::status_of;
use crate::neutral::json::text;
use crate::neutral::{AnswerContext, ApiError};

/// Reads the events `error` and `response.failed`.
pub(super) fn read_event(data: &Value) -> ApiError {
    let error = data.pointer("/response/error").or_else(|| data.get("error")).filter(|error| error.is_object());
    let error = error.unwrap_or(data);
    ApiError {
        message: text(error, "message").unwrap_or("The provider reported an error without a message.").to_owned(),
        status: status_of(error).or(Some(500)),
        code: text(error, "code").map(str::to_owned),
        ..ApiError::default()
    }
}

/// The `code` of a response that failed, which has to be there:
/// <https://platform.openai.com/docs/api-reference/responses/object#responses/object-error>.
pub(super) fn code(error: &ApiError) -> &str {
    let by_status = if error.status == Some(429) { "rate_limit_exceeded" } else { "server_error" };
    error.code.as_deref().unwrap_or(by_status)
}

/// A stream that consists only of such an error. Clients wait for a response to begin before it fails.
pub(super) fn stream(body: &Value, id: &str) -> Vec<u8> {
    let context = AnswerContext { id: format!("resp_{id}"), ..AnswerContext::default() };
    let created = json!({ "type": "response.created", "sequence_number": 0, "response": envelope(&context, None) });
    let mut begun = format!("event: response.created\ndata: {created}\n\n").into_bytes();
    begun.extend(event(body, id));
    begun
}

/// The event with such a body. Codex takes a stream without one of its last events for a lost connection, and `error`
/// is none of them.
pub(super) fn event(body: &Value, id: &str) -> Vec<u8> {
    let word = |name: &str| body.get("error").and_then(|error| error.get(name)).filter(|value| value.is_string());
    let (code, message) = (word("code").or_else(|| word("type")), word("message"));
    let failed = json!({
        "type": "response.failed",
        "response": {
            "id": format!("resp_{id}"),
            "object": "response",
            "status": "failed",
            "error": { "code": code, "message": message },
            "output": [],
        },
    });
    format!("event: response.failed\ndata: {failed}\n\n").into_bytes()
}
