//! The limits that a provider tells with its answers or errors: how much there is, how much is left, and until when, in
//! the headers that the table of [`providers`](crate::providers) names. They are only advice: they are true at the
//! moment of the answer, and some proxies on the way invent them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reset::{Headers, details, google_retry_delay_ms, next_midnight, reset_at_ms, until};
use crate::clock::Now;
use crate::providers::{Counted, LimitForm, LimitHeaders, ResetForm, limit_headers, may_tell_limits};
use crate::verdict::Hint;

pub use crate::providers::Span;

mod draft;

/// A limit as its provider tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSignal {
    /// What is counted, in the provider's word: `requests`, `tokens`, `input-tokens`, `output-tokens`.
    pub what: String,
    /// The span of time that it covers, if the provider says so.
    pub per: Option<Span>,
    /// Whether it covers all models of the credential, and not only this one.
    pub of_account: bool,
    /// The limit.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it is full again: on the wall clock as it is read, on the steady one as it is kept.
    pub resets_at_ms: Option<i64>,
    /// Whether that is the reset of a quota, and not the time when a bucket is full that is refilled all the time.
    #[serde(skip)]
    pub is_reset: bool,
}

/// Whether the headers of an answer tell any limits. Most do not, which a look at their names shows.
pub fn tells(headers: &[(String, Vec<u8>)]) -> bool {
    headers.iter().any(|(name, _)| may_tell_limits(name))
}

/// The limits that an answer, or an error with this body, tells, with times on the steady clock.
pub fn read(headers: &[(String, Vec<u8>)], body: &[u8], now: Now) -> Vec<LimitSignal> {
    let of_headers = if tells(headers) { of_headers(&Headers(headers), now.wall_ms) } else { Vec::new() };
    let in_error = if body.is_empty() { Vec::new() } else { in_error(body, now.wall_ms) };
    let kept_ms = |at_ms: i64| now.kept_ms(at_ms);
    let kept = |signal: LimitSignal| LimitSignal { resets_at_ms: signal.resets_at_ms.map(kept_ms), ..signal };
    of_headers.into_iter().chain(in_error).map(kept).collect()
}

pub(super) fn of_headers(headers: &Headers<'_>, now_ms: i64) -> Vec<LimitSignal> {
    let mut all: Vec<LimitSignal> = Vec::new();
    for LimitHeaders { form, .. } in limit_headers() {
        match form {
            LimitForm::Counted(limits) => all.extend(limits.iter().filter_map(|limit| counted(headers, limit, now_ms))),
            LimitForm::Plan => all.extend(plan(headers, now_ms)),
            LimitForm::Draft => all.extend(draft::read(headers, now_ms)),
        }
    }
    // Relays whose limits are switched off send zeroes.
    all.retain(|signal| signal.limit != Some(0));
    all
}

/// A limit, if anything is known about it.
fn signal(what: &str, per: Option<Span>, limit: Option<f64>, remaining: Option<f64>) -> Option<LimitSignal> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a count")]
    let count = |number: Option<f64>| number.filter(|number| (0.0..=1e15).contains(number)).map(|number| number as u64);
    let (limit, remaining) = (count(limit), count(remaining));
    (limit.is_some() || remaining.is_some()).then(|| LimitSignal {
        what: what.to_owned(),
        per,
        of_account: false,
        limit,
        remaining,
        resets_at_ms: None,
        is_reset: false,
    })
}

/// A limit that is told by its size, what is left, and until when.
fn counted(headers: &Headers<'_>, limit: &Counted, now_ms: i64) -> Option<LimitSignal> {
    let Counted { before, behind, what, per, of_account, reset } = *limit;
    let name = |part: &str| format!("{before}{part}{behind}");
    let signal = signal(what, per, headers.number(&name("limit")), headers.number(&name("remaining")))?;
    let name = name("reset");
    let value = || headers.text(&name);
    let (resets_at_ms, is_reset) = match reset {
        ResetForm::Bucket => (value().and_then(|at| reset_at_ms(at, now_ms)), false),
        ResetForm::BucketTime => {
            let at: Option<Timestamp> = value().and_then(|at| at.parse().ok());
            (at.map(Timestamp::as_millisecond).filter(|at_ms| *at_ms > now_ms), false)
        }
        ResetForm::Window => {
            let at_ms = value().and_then(|at| reset_at_ms(at, now_ms));
            (at_ms.filter(|at_ms| until(*at_ms, now_ms, true).is_some()), true)
        }
        ResetForm::Midnight(zone) => (midnight(zone, now_ms), true),
    };
    let is_far = resets_at_ms.is_some_and(|at_ms| at_ms.saturating_sub(now_ms) > 60_000);
    let per = if reset == ResetForm::Window && is_far { Some(Span::Day) } else { per };
    Some(LimitSignal { per, of_account, resets_at_ms, is_reset, ..signal })
}

/// The limit of a plan of which one window is used up.
fn plan(headers: &Headers<'_>, now_ms: i64) -> Option<LimitSignal> {
    if !headers.text("anthropic-ratelimit-unified-status")?.eq_ignore_ascii_case("rejected") {
        return None;
    }
    let reset = headers.text("anthropic-ratelimit-unified-reset")?;
    let resets_at_ms = reset_at_ms(reset, now_ms).filter(|at_ms| *at_ms > now_ms);
    let what = "requests of the plan".to_owned();
    Some(LimitSignal {
        what,
        per: None,
        of_account: true,
        limit: None,
        remaining: Some(0),
        resets_at_ms,
        is_reset: true,
    })
}

fn midnight(zone: &str, now_ms: i64) -> Option<i64> {
    Some(now_ms.saturating_add_unsigned(next_midnight(zone, now_ms)?.wait_ms))
}

/// The limits in a Gemini error: each violation of its `QuotaFailure` names a quota that is used up, and most name its
/// size: <https://ai.google.dev/gemini-api/docs/rate-limits>.
fn in_error(body: &[u8], now_ms: i64) -> Vec<LimitSignal> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let retry_at_ms = google_retry_delay_ms(&body).filter(|ms| (0.0..1e9).contains(ms)).map(|ms| {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within days")]
        now_ms.saturating_add(ms as i64)
    });
    let violations = details(&body).filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    let all = violations.filter_map(|violation| {
        let id = violation.get("quotaId")?.as_str()?;
        let what = match id {
            id if id.contains("InputTokens") => "input-tokens",
            id if id.contains("Tokens") => "tokens",
            id if id.contains("Requests") => "requests",
            _ => return None,
        };
        let (per, resets_at_ms) = match id {
            id if id.contains("PerDay") => (Some(Span::Day), midnight("America/Los_Angeles", now_ms)),
            id if id.contains("PerMinute") => (Some(Span::Minute), retry_at_ms),
            _ => (None, retry_at_ms),
        };
        let size = violation.get("quotaValue");
        let limit = size.and_then(|size| size.as_str().map_or_else(|| size.as_f64(), |text| text.parse().ok()));
        Some(LimitSignal { resets_at_ms, is_reset: per == Some(Span::Day), ..signal(what, per, limit, Some(0.0))? })
    });
    all.collect()
}

/// When the used-up window of a plan ends.
pub(super) fn plan_reset(headers: &Headers<'_>, now_ms: i64) -> Option<Hint> {
    until(plan(headers, now_ms)?.resets_at_ms?, now_ms, true)
}

/// When something is left again of the limits that are used up; the last of them decides.
pub fn used_up(signals: &[LimitSignal], now_ms: i64) -> Option<Hint> {
    let used_up = signals.iter().filter(|each| each.remaining == Some(0));
    used_up.filter_map(|each| until(each.resets_at_ms?, now_ms, each.is_reset)).max_by_key(|hint| hint.wait_ms)
}

#[cfg(test)]
mod tests;
