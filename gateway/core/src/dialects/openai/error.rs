//! The bodies of errors, which are the same in both dialects.

use serde_json::{Value, json};

use crate::dialects::status_of;
use crate::dialects::words::ErrorWords;
use crate::neutral::ApiError;
use crate::neutral::json::text;

/// The `type` of an error. OpenAI lists statuses and says what each means
/// (<https://platform.openai.com/docs/guides/error-codes>); the words are those that its API answers with, and for 401, 403
/// and 429 those that name the exceptions listed there.
pub(crate) const WORDS: ErrorWords = ErrorWords {
    documented: &[
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
    ],
    nearest: &[],
    // Codes, which say more than types do. Those of streams are listed in
    // <https://platform.openai.com/docs/api-reference/responses/object#responses/object-error>.
    read: &[
        (400, TOO_LONG),
        (400, "invalid_prompt"),
        (429, QUOTA),
        (429, RATE),
        (503, "server_is_overloaded"),
        (503, "slow_down"),
    ],
    of_caller: "invalid_request_error",
    of_server: "server_error",
};

/// OpenAI gives a spent quota this type and this code.
const QUOTA: &str = "insufficient_quota";

/// The code of a limit that is over by itself.
const RATE: &str = "rate_limit_exceeded";

/// By this code clients know that the conversation is too long.
const TOO_LONG: &str = "context_length_exceeded";

/// An error of these dialects; `None` where the body holds none. Providers write it as an object, as text, or without the member
/// `error`, as vLLM and FastAPI do.
pub(crate) fn read(body: &Value) -> Option<ApiError> {
    let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
    let message = text(error, "message").or_else(|| error.as_str()).or_else(|| text(error, "detail"))?;
    Some(ApiError {
        message: message.to_owned(),
        status: status_of(error).or_else(|| status_in_words(error)),
        code: text(error, "code").filter(|code| !code.is_empty()).map(str::to_owned),
        ..ApiError::default()
    })
}

/// The status that words of a relay's own stand for, such as `upstream_rate_limited`.
fn status_in_words(error: &Value) -> Option<u16> {
    const PARTS: [(&str, u16); 8] = [
        ("rate_limit", 429),
        ("quota", 429),
        ("authentication", 401),
        ("permission", 403),
        ("not_found", 404),
        ("invalid", 400),
        ("context_length", 400),
        ("overloaded", 503),
    ];
    let words = [text(error, "type"), text(error, "code")];
    let says = |part: &str| words.iter().flatten().any(|word| word.contains(part));
    PARTS.iter().find(|(part, _)| says(part)).map(|(_, status)| *status)
}

/// The body of an error answer.
pub(crate) fn write(error: &ApiError, _id: &str) -> Value {
    // Clients tell a limit from a spent quota by it, and other dialects have none.
    let usual = (error.status == Some(429)).then_some(RATE);
    let code = if error.is_too_long { Some(TOO_LONG) } else { error.code.as_deref().or(usual) };
    let is_quota = error.status == Some(429) && code == Some(QUOTA);
    let kind = if is_quota { QUOTA } else { WORDS.word(error.status) };
    json!({ "error": { "message": error.message, "type": kind, "param": error.param, "code": code } })
}
