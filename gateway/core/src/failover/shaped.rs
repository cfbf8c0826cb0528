//! A provider's error as its caller gets it. What was written in the caller's own dialect stays byte for byte, since
//! clients parse upstream messages; everything else gets the shape they expect, and keeps its words.

use serde_json::Value;

use super::{Nature, UpstreamError};
use crate::dialect::Dialect;
use crate::record::State;
use crate::refusal::{Refusal, Reply, Shape};

/// The error for the call `id` of a caller that speaks `dialect`.
pub(super) fn shaped(error: UpstreamError, nature: Nature, dialect: Dialect, id: &str) -> Reply {
    let body = serde_json::from_slice::<Value>(&error.body).ok();
    if body.is_some() && error.dialect.error_is_like(dialect) {
        return Reply { status: error.status, headers: error.headers, body: error.body };
    }
    let said = body.as_ref().and_then(message_of).map(str::to_owned).unwrap_or_else(|| match excerpt(&error.body) {
        text if text.is_empty() => format!("The provider answered {} without an explanation.", error.status),
        text => format!("The provider answered {}: {text}", error.status),
    });
    let mut refusal = Refusal { status: error.status, ..Refusal::bad_gateway(State::UpstreamError, said) };
    if body.is_some() {
        (refusal.kind, refusal.code) = words(error.status, nature);
    }
    if nature == Nature::ContextLength {
        refusal.message = too_long(refusal.message, dialect);
    }
    let mut reply = refusal.reply(Shape::Dialect(dialect), id);
    let kept = |name: &str| name.starts_with("retry-after") || name == "x-upstream-request-id";
    reply.headers.retain(|(name, _)| name != "x-should-retry");
    reply.headers.extend(error.headers.into_iter().filter(|(name, _)| kept(name)));
    reply
}

/// OpenAI's `type` and `code` for an error that another dialect's provider reported.
fn words(status: u16, nature: Nature) -> (&'static str, Option<&'static str>) {
    match (nature, status) {
        (Nature::ContextLength, _) => ("invalid_request_error", Some("context_length_exceeded")),
        (Nature::Spent, _) => ("insufficient_quota", Some("insufficient_quota")),
        (_, 401) => ("authentication_error", None),
        (_, 403) => ("permission_error", None),
        (_, 429) => ("rate_limit_error", Some("rate_limit_exceeded")),
        (_, 400..=499) => ("invalid_request_error", None),
        _ => ("server_error", None),
    }
}

/// Claude Code makes its conversation shorter where a message begins with these words, and gives up where none does.
fn too_long(message: String, dialect: Dialect) -> String {
    const WORDS: &str = "prompt is too long";
    if dialect == Dialect::Anthropic && !message.starts_with(WORDS) { format!("{WORDS}: {message}") } else { message }
}

/// The words of an error, wherever its dialect or relay has them. Gemini's errors may come as the only item of a list.
fn message_of(body: &Value) -> Option<&str> {
    let body = body.as_array().and_then(|items| items.first()).unwrap_or(body);
    let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
    let named = |value: &'_ Value| ["message", "msg", "detail"].into_iter().find(|name| value.get(name).is_some());
    error.as_str().or_else(|| error.get(named(error)?)?.as_str()).filter(|message| !message.is_empty())
}

/// The first words of a text or HTML page, without its tags.
fn excerpt(body: &[u8]) -> String {
    const CHARACTERS_MAX: usize = 300;
    let text = String::from_utf8_lossy(body.get(..body.len().min(8192)).unwrap_or_default()).into_owned();
    let mut words = String::new();
    let mut in_tag = false;
    for character in text.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                words.push(' ');
            }
            _ if !in_tag && !character.is_control() => words.push(character),
            _ => words.push(' '),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(CHARACTERS_MAX).collect()
}
