//! The wait that an error tells, in all the ways in which providers write it.
//!
//! The first source that tells something wins: the quota or the date that the body names, then an exact wait, then the
//! window that a header says is empty. A wait that is negative, past, no number or absurdly long tells nothing.

use serde_json::Value;

use super::error_text::ErrorText;
use super::limits;
use super::reset::{
    Headers, WAIT_MS_MAX, details, google_retry_delay_ms, hint, http_date_ms, next_midnight, unix_ms, until,
};
use crate::verdict::Hint;

mod words;

/// The wait for a `retry-after` beyond that: the provider wants to be left alone, and nobody knows how long.
const ABSURD_MS: u64 = 300_000;

/// The wait that an error tells. `now_ms` is the wall clock; a date is compared with the answer's own `date`, so that a
/// provider's wrong clock does no harm, and neither does this machine's.
pub fn read(headers: &[(String, Vec<u8>)], body: &[u8], now_ms: i64) -> Option<Hint> {
    let headers = Headers(headers);
    let now_ms = headers.now_ms(now_ms);
    let message = ErrorText::of(body).message;
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let reset = google_daily_reset(&body, now_ms)
        .or_else(|| words::date(&message, now_ms))
        .or_else(|| limits::plan_reset(&headers, now_ms));
    reset
        .or_else(|| codex_reset(&body, now_ms))
        .or_else(|| hint(headers.number("retry-after-ms")?, false))
        .or_else(|| retry_after(&headers, now_ms))
        .or_else(|| hint(google_retry_delay_ms(&body)?, false))
        .or_else(|| words::wait_ms(&message).and_then(|wait_ms| hint(wait_ms, false)))
        .or_else(|| limits::used_up(&limits::of_headers(&headers, now_ms), now_ms))
        .or_else(|| openrouter_reset(&body, now_ms))
        .or_else(|| words::end_of_window(&message, now_ms))
}

/// Seconds or a date: RFC 9110, section 10.2.3.
fn retry_after(headers: &Headers<'_>, now_ms: i64) -> Option<Hint> {
    let wait_ms = match headers.number("retry-after") {
        Some(seconds) => seconds * 1000.0,
        None => {
            let at_ms = http_date_ms(headers.text("retry-after")?)?;
            let date_ms = headers.text("date").and_then(http_date_ms).unwrap_or(now_ms);
            #[expect(clippy::cast_precision_loss, reason = "what is too large to be exact is absurd")]
            let wait_ms = at_ms.saturating_sub(date_ms) as f64;
            wait_ms
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a month in milliseconds is far below 2^53")]
    let is_absurd = wait_ms > WAIT_MS_MAX as f64;
    if is_absurd { Some(Hint { wait_ms: ABSURD_MS, is_reset: false }) } else { hint(wait_ms, false) }
}

/// The reset of the quota that `google.rpc.QuotaFailure` names. A daily quota resets at midnight Pacific time, whatever
/// `RetryInfo` says: <https://ai.google.dev/gemini-api/docs/rate-limits>.
fn google_daily_reset(body: &Value, now_ms: i64) -> Option<Hint> {
    let violations = details(body).filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    let mut ids = violations.filter_map(|violation| violation.get("quotaId")?.as_str());
    ids.any(|id| id.contains("PerDay")).then(|| next_midnight("America/Los_Angeles", now_ms)).flatten()
}

/// OpenRouter repeats its headers in the body: <https://openrouter.ai/docs/api-reference/limits>.
fn openrouter_reset(body: &Value, now_ms: i64) -> Option<Hint> {
    let repeated = body.get("error")?.get("metadata")?.get("headers")?;
    let value = repeated.get("X-RateLimit-Reset")?;
    let number = value.as_str().map_or_else(|| value.as_f64(), |text| text.trim().parse().ok())?;
    until(unix_ms(number)?, now_ms, true)
}

/// The reset in a `usage_limit_reached` of Codex's plans: `"resets_at":1777936568,"resets_in_seconds":13872`.
fn codex_reset(body: &Value, now_ms: i64) -> Option<Hint> {
    let error = body.get("error")?;
    let in_ms = error.get("resets_in_seconds").and_then(Value::as_f64).and_then(|seconds| hint(seconds * 1000.0, true));
    in_ms.or_else(|| until(unix_ms(error.get("resets_at")?.as_f64()?)?, now_ms, true))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// 2026-11-24 12:00:00 UTC, 04:00 in Los Angeles, 20:00 in Shanghai.
    const NOW_MS: i64 = 1_795_521_600_000;

    fn of(headers: &[(&str, &str)]) -> Option<Hint> {
        with_body(headers, "")
    }

    fn with_body(headers: &[(&str, &str)], body: &str) -> Option<Hint> {
        let headers: Vec<(String, Vec<u8>)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        read(&headers, body.as_bytes(), NOW_MS)
    }

    fn waits(wait_ms: u64) -> Option<Hint> {
        Some(Hint { wait_ms, is_reset: false })
    }

    fn resets(wait_ms: u64) -> Option<Hint> {
        Some(Hint { wait_ms, is_reset: true })
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_against_the_answers_own() {
        assert_eq!(of(&[("retry-after", "3")]), waits(3000));
        assert_eq!(of(&[("Retry-After", " 0.5 ")]), waits(500));
        assert_eq!(of(&[("retry-after-ms", "250"), ("retry-after", "1")]), waits(250));
        let date = ("date", "Tue, 01 Jan 2019 00:00:00 GMT");
        assert_eq!(of(&[("retry-after", "Tue, 01 Jan 2019 00:00:07 GMT"), date]), waits(7000));
        assert_eq!(of(&[("retry-after", "Tue, 24 Nov 2026 12:00:09 GMT")]), waits(9000));
    }

    #[test]
    fn a_reset_is_read_against_the_answers_own_clock_where_ours_is_far_off() {
        let reset = |at: &str| format!(r#"{{"error":{{"metadata":{{"headers":{{"X-RateLimit-Reset":"{at}"}}}}}}}}"#);
        for (date, at_ms, wait_ms) in [
            ("Tue, 24 Nov 2026 04:00:00 GMT", NOW_MS - 7 * 3_600_000, 3_600_000),
            ("Tue, 24 Nov 2026 20:00:00 GMT", NOW_MS + 9 * 3_600_000, 3_600_000),
            ("Tue, 24 Nov 2026 11:59:58 GMT", NOW_MS + 3_600_000, 3_600_000),
        ] {
            assert_eq!(with_body(&[("date", date)], &reset(&at_ms.to_string())), resets(wait_ms), "{date}");
        }
    }

    #[test]
    fn what_is_negative_past_absurd_or_garbage_says_nothing() {
        for value in ["0", "-5", "nan", "inf", "soon", "", "Tue, 24 Nov 2026 11:00:00 GMT"] {
            assert_eq!(of(&[("retry-after", value)]), None, "{value}");
        }
    }

    #[test]
    fn an_absurd_retry_after_is_five_minutes() {
        for value in ["1e9", "1000000000", "99999999999999999999", "Tue, 24 Nov 2099 11:00:00 GMT"] {
            assert_eq!(of(&[("retry-after", value)]), waits(300_000), "{value}");
        }
    }

    #[test]
    fn a_header_may_tell_its_reset_in_plain_seconds() {
        let azure = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "27")];
        assert_eq!(of(&azure), waits(27_000));
        for prefix in ["x-ratelimit", "ratelimit"] {
            let (remaining, reset) = (format!("{prefix}-remaining"), format!("{prefix}-reset"));
            assert_eq!(of(&[(&remaining, "0"), (&reset, "27")]), resets(27_000), "{prefix}");
            assert_eq!(of(&[(&remaining, "1"), (&reset, "27")]), None, "{prefix}");
        }
    }

    #[test]
    fn the_end_of_a_plans_window_is_told_in_the_body() {
        let codex = r#"{"error":{"type":"usage_limit_reached","resets_at":1795525200,"resets_in_seconds":3599}}"#;
        assert_eq!(with_body(&[("retry-after", "5")], codex), resets(3_599_000));
        assert_eq!(with_body(&[], r#"{"error":{"resets_at":1795525200}}"#), resets(3_600_000));
        let zhipu = r#"{"error":{"code":"1308","message":"Your limit will reset at 2026-11-24 21:00:00"}}"#;
        assert_eq!(with_body(&[("retry-after", "5")], zhipu), resets(3_600_000));
        let gemini = r#"{"error":{"code":429,"message":"Resource exhausted. Please retry in 20.5s."}}"#;
        assert_eq!(with_body(&[], gemini), waits(20_500));
        assert_eq!(with_body(&[("retry-after", "3")], gemini), waits(3000));
    }

    #[test]
    fn only_empty_windows_count_and_the_last_to_be_refilled_decides() {
        let full = [("x-ratelimit-remaining-requests", "9"), ("x-ratelimit-reset-requests", "6m0s")];
        assert_eq!(of(&full), None);
        let both = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "8.64s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1m2s"),
        ];
        assert_eq!(of(&both), waits(62_000));
        let anthropic = [
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-24T12:00:30Z"),
        ];
        assert_eq!(of(&anthropic), waits(30_000));
    }

    #[test]
    fn google_tells_a_delay_and_a_daily_quota_comes_back_at_midnight_pacific() {
        let body = |quota: &str| {
            format!(
                r#"{{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","details":[
                {{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"quotaId":"{quota}"}}]}},
                {{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}}]}}}}"#
            )
        };
        assert_eq!(with_body(&[], &body("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")), waits(34_500));
        let daily = body("GenerateRequestsPerDayPerProjectPerModel-FreeTier");
        assert_eq!(with_body(&[], &daily), resets(20 * 3_600_000));
        assert_eq!(with_body(&[], &format!("[{daily}]")), resets(20 * 3_600_000));
    }

    #[test]
    fn openrouter_and_modelscope_tell_the_reset_of_a_day() {
        let at_ms = (NOW_MS + 5000).to_string();
        let empty = ("x-ratelimit-remaining", "0");
        assert_eq!(of(&[("x-ratelimit-reset", &at_ms), empty]), resets(5000));
        assert_eq!(of(&[("x-ratelimit-reset", &(NOW_MS / 1000 + 60).to_string()), empty]), resets(60_000));
        assert_eq!(of(&[("x-ratelimit-reset", &at_ms), ("x-ratelimit-remaining", "7")]), None);
        let body = format!(r#"{{"error":{{"metadata":{{"headers":{{"X-RateLimit-Reset":"{at_ms}"}}}}}}}}"#);
        assert_eq!(with_body(&[], &body), resets(5000));
        assert_eq!(of(&[("modelscope-ratelimit-requests-remaining", "0")]), resets(4 * 3_600_000));
        assert_eq!(of(&[("modelscope-ratelimit-requests-remaining", "7")]), None);
    }

    #[test]
    fn a_day_that_has_an_hour_more_or_less_ends_at_its_own_midnight() {
        // In 2026 clocks in Los Angeles go forward on 8 March and back on 1 November, both at 02:00.
        let at = |text: &str| text.parse::<Timestamp>().expect("a time").as_millisecond();
        let zone = "America/Los_Angeles";
        assert_eq!(next_midnight(zone, at("2026-03-08T08:00:00Z")), resets(23 * 3_600_000));
        assert_eq!(next_midnight(zone, at("2026-11-01T07:00:00Z")), resets(25 * 3_600_000));
    }
}
