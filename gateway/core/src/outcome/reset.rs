//! Waits and times of reset, in the forms in which headers and errors hold them.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::verdict::{self, Hint};

/// The longest wait that is believed: no quota of any provider resets later.
pub(super) const WAIT_MS_MAX: i64 = 32 * 86_400_000;

/// What two clocks that are right may differ by, a date in whole seconds and the way of an answer included.
const CLOCKS_DIFFER_MS: u64 = 60_000;

/// A wait in milliseconds, if it can be believed.
pub(super) fn hint(wait_ms: f64, is_reset: bool) -> Option<Hint> {
    #[expect(clippy::cast_precision_loss, reason = "a month in milliseconds is far below 2^53")]
    let known = wait_ms >= 1.0 && wait_ms <= WAIT_MS_MAX as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within a month")]
    known.then_some(Hint { wait_ms: wait_ms as u64, is_reset })
}

/// The wait until a time, if it is in the future and can be believed.
pub(super) fn until(at_ms: i64, now_ms: i64, is_reset: bool) -> Option<Hint> {
    let wait_ms = u64::try_from(at_ms.checked_sub(now_ms)?).ok()?;
    (1..=WAIT_MS_MAX.unsigned_abs()).contains(&wait_ms).then_some(Hint { wait_ms, is_reset })
}

/// The headers of an answer, read without regard to case.
pub(super) struct Headers<'h>(pub(super) &'h [(String, Vec<u8>)]);

impl Headers<'_> {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok().map(str::trim)
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The time that the answer's other times are to be compared with: its own `date` where that is far from the wall
    /// clock, since one of them is wrong then, and whoever answers goes by its own.
    pub(super) fn now_ms(&self, wall_ms: i64) -> i64 {
        let date_ms = self.text("date").and_then(http_date_ms);
        date_ms.filter(|date_ms| date_ms.abs_diff(wall_ms) > CLOCKS_DIFFER_MS).unwrap_or(wall_ms)
    }
}

/// `google.rpc.RetryInfo` among the details of a Gemini error: `"retryDelay": "34.07s"`.
pub(super) fn google_retry_delay_ms(body: &Value) -> Option<f64> {
    let delay = details(body).find_map(|detail| detail.get("retryDelay")?.as_str())?;
    Some(delay.strip_suffix('s')?.parse::<f64>().ok()? * 1000.0)
}

/// The details of a Gemini error, which is wrapped in a list where the answer would have been a list.
pub(super) fn details(body: &Value) -> impl Iterator<Item = &Value> {
    let error = body.get("error").or_else(|| body.get(0)?.get("error"));
    error.and_then(|error| error.get("details")?.as_array()).into_iter().flatten()
}

/// A duration as Go writes it, up to the longest that is believed.
pub(super) fn go_duration_ms(text: &str) -> Option<i64> {
    hint(verdict::go_duration_ms(text)?, false).and_then(|hint| i64::try_from(hint.wait_ms).ok())
}

/// The reset that a header tells: a duration as Go writes it, Unix time, or seconds from now (Azure, and
/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/> in its first forms).
pub(super) fn reset_at_ms(text: &str, now_ms: i64) -> Option<i64> {
    let in_ms = match text.parse::<f64>() {
        Ok(number) if unix_ms(number).is_some() => return unix_ms(number),
        Ok(seconds) => i64::try_from(hint(seconds * 1000.0, true)?.wait_ms).ok()?,
        Err(_) => go_duration_ms(text)?,
    };
    Some(now_ms.saturating_add(in_ms))
}

/// Parses a date of RFC 9110, which is one of RFC 2822 with `GMT` as its zone.
pub(super) fn http_date_ms(text: &str) -> Option<i64> {
    let zoned = rfc2822::DateTimeParser::new().parse_zoned(text).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// Unix milliseconds from a number of milliseconds, as OpenRouter writes it, or of seconds, as others do.
pub(super) fn unix_ms(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "out of range saturates, and is then too far away")]
    match number {
        number if number >= 1e12 => Some(number as i64),
        number if number >= 1e9 => Some((number * 1000.0) as i64),
        _ => None,
    }
}

/// The wait until the next day begins in a zone.
pub(super) fn next_midnight(zone: &str, now_ms: i64) -> Option<Hint> {
    let zone = TimeZone::get(zone).ok()?;
    let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone());
    let midnight = now.date().tomorrow().ok()?.to_datetime(Time::midnight()).to_zoned(zone).ok()?;
    until(midnight.timestamp().as_millisecond(), now_ms, true)
}
