//! A provider's error as its caller gets it. What was written in the caller's own dialect stays byte for byte, since
//! clients parse upstream messages; everything else gets the shape they expect, and keeps its words.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::outcome::{UpstreamError, excerpt};
use crate::refusal::{Refusal, Reply, Shape};
use crate::state::State;
use crate::translate;
use crate::verdict::ErrorKind;

/// The error for the call `id` of a caller that speaks `dialect`.
pub(super) fn shaped(error: UpstreamError, kind: ErrorKind, dialect: Dialect, id: &str) -> Reply {
    let UpstreamError { status, headers, body, dialect: spoken, .. } = error;
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
    if is_json && spoken.error_is_like(dialect) {
        return Reply { status, headers, body };
    }
    let mut reply = if is_json {
        Reply::json(status, &translated((spoken, dialect), status, kind, &body, id))
    } else {
        let said = match excerpt(&body) {
            text if text.is_empty() => format!("The provider answered {status} without an explanation."),
            text => format!("The provider answered {status}: {text}"),
        };
        let refusal = Refusal { status, ..Refusal::bad_gateway(State::UpstreamError, said) };
        refusal.reply(Shape::Dialect(dialect), id)
    };
    let kept = |name: &str| name.starts_with("retry-after") || name == "x-upstream-request-id";
    reply.headers.retain(|(name, _)| name != "x-should-retry");
    reply.headers.extend(headers.into_iter().filter(|(name, _)| kept(name)));
    reply
}

/// The error in the caller's dialect. Agents look for one thing in it: whether the prompt is too long, since then they
/// make their conversation shorter. Claude Code reads it from the message's first words, OpenAI's clients from a code.
fn translated((spoken, dialect): (Dialect, Dialect), status: u16, kind: ErrorKind, body: &[u8], id: &str) -> Value {
    const WORDS: &str = "prompt is too long";
    let written = translate::error(spoken, dialect, status, body, id);
    let mut error: Value = serde_json::from_slice(&written).unwrap_or_default();
    if kind != ErrorKind::ContextLength {
        return error;
    }
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            if let Some(code) = error.pointer_mut("/error/code") {
                *code = "context_length_exceeded".into();
            }
        }
        Dialect::Anthropic => {
            if let Some(Value::String(message)) = error.pointer_mut("/error/message")
                && !message.starts_with(WORDS)
            {
                message.insert_str(0, &format!("{WORDS}: "));
            }
        }
        Dialect::Gemini => {}
    }
    error
}
