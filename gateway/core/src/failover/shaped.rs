//! A provider's error as its caller gets it. An error in the caller's own dialect stays byte for byte, since clients
//! parse such messages; any other error gets the form that the caller expects, and keeps its words.

use crate::dialect::Dialect;
use crate::neutral::ApiError;
use crate::outcome::{UpstreamError, excerpt};
use crate::refusal::{RETRY_AFTER_MAX_S, Refusal, Reply, Shape, UNTIL, until};
use crate::state::State;
use crate::verdict::{ErrorKind, Hint};

/// The error for the call `id`, whose caller speaks `dialect`.
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
        let message = match excerpt(&body) {
            text if text.is_empty() => format!("The provider answered {status} without an explanation."),
            text => format!("The provider answered {status}: {text}"),
        };
        let refusal = Refusal { status, ..Refusal::bad_gateway(State::UpstreamError, message) };
        refusal.reply(Shape::Dialect(dialect), id)
    };
    let kept = |name: &str| name.starts_with("retry-after") || name == "x-upstream-request-id";
    reply.headers.retain(|(name, _)| name != "x-should-retry");
    reply.headers.extend(headers.into_iter().filter(|(name, _)| kept(name)));
    reply
}

/// Replaces a wait that is too long for any client by the time when it is over. `hint` is what the provider said about
/// the wait, in whatever way.
pub(super) fn shorten_wait(reply: &mut Reply, hint: Option<Hint>, now_ms: i64) {
    let hint_ms = hint.map(|hint| hint.wait_ms);
    let waits = reply.headers.iter().filter_map(|(name, value)| {
        let number = || std::str::from_utf8(value).ok()?.trim().parse::<f64>().ok();
        match name.as_str() {
            // The value is a date if it is no number.
            "retry-after" => number().map(|seconds| seconds * 1000.0).or_else(|| hint_ms.map(as_f64)),
            "retry-after-ms" => number(),
            _ => None,
        }
    });
    let longest_ms = waits.fold(0.0, f64::max);
    if longest_ms <= as_f64(RETRY_AFTER_MAX_S * 1000) {
        return;
    }
    reply.headers.retain(|(name, _)| !name.starts_with("retry-after"));
    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
    let until = until(now_ms.saturating_add(longest_ms as i64));
    reply.headers.extend(until.map(|until| (UNTIL.to_owned(), until.into_bytes())));
}

#[expect(clippy::cast_precision_loss, reason = "waits are far below 2^53 milliseconds")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
