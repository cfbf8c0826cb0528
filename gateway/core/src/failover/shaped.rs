//! A provider's error as its caller gets it. What was written in the caller's own dialect stays byte for byte, since
//! clients parse upstream messages; everything else gets the shape they expect, and keeps its words.

use crate::dialect::Dialect;
use crate::neutral::ApiError;
use crate::outcome::{UpstreamError, excerpt};
use crate::refusal::{Refusal, Reply, Shape};
use crate::state::State;
use crate::verdict::ErrorKind;

/// The error for the call `id` of a caller that speaks `dialect`.
pub(super) fn shaped(error: UpstreamError, kind: ErrorKind, dialect: Dialect, id: &str) -> Reply {
    let UpstreamError { status, headers, body, dialect: spoken, .. } = error;
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
    if is_json && spoken.error_is_like(dialect) {
        return Reply { status, headers, body };
    }
    let mut reply = if is_json {
        let error = spoken.read_error(status, &body);
        let error = ApiError { is_too_long: kind == ErrorKind::ContextLength, ..error };
        Reply::json(status, &dialect.error(&error, id))
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
