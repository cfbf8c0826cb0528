//! Errors: <https://platform.claude.com/docs/en/api/errors>.

use serde_json::{Value, json};

use crate::dialects::status_of;
use crate::dialects::words::ErrorWords;
use crate::neutral::ApiError;
use crate::neutral::json::text;

/// The documentation uses 529 for an API that is overloaded, for which RFC 9110 has 503
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4>), and `invalid_request_error` for all other 4xx.
pub(super) const WORDS: ErrorWords = ErrorWords {
    documented: &[
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, BILLING),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
    nearest: &[(503, "overloaded_error")],
    read: &[],
    of_caller: "invalid_request_error",
    of_server: "api_error",
};

/// Claude Code shows this as a spent budget.
const BILLING: &str = "billing_error";

/// The first words of a message by which Claude Code recognises that the conversation is too long.
const TOO_LONG: &str = "prompt is too long";

/// Reads an error; `None` if the body contains none.
pub(super) fn read(body: &Value) -> Option<ApiError> {
    let error = body.get("error")?;
    let message = text(error, "message").or_else(|| error.as_str())?;
    Some(ApiError { message: message.to_owned(), status: status_of(error), ..ApiError::default() })
}

/// The body of an error answer, and the data of an event inside a stream. `id` is the call's.
///
/// A spent budget is a matter of billing only where it is the key's own: a provider's spent quota must not make Claude
/// Code say that its user has to pay.
pub(super) fn write(error: &ApiError, id: &str) -> Value {
    let is_budget = error.status == Some(429) && error.own.is_some_and(|own| own.is_budget);
    let word = if is_budget { BILLING } else { WORDS.word(error.status) };
    let message = match &error.message {
        message if error.is_too_long && !message.starts_with(TOO_LONG) => format!("{TOO_LONG}: {message}"),
        message => message.clone(),
    };
    json!({ "type": "error", "error": { "type": word, "message": message }, "request_id": id })
}

/// The event with such a body. The official SDKs ignore events without a name.
pub(super) fn event(body: &Value, _id: &str) -> Vec<u8> {
    format!("event: error\ndata: {body}\n\n").into_bytes()
}

/// Nothing has to come before it.
pub(super) use event as stream;
