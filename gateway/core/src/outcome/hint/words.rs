//! When an error's own words say one may come back, where no header and no member of its body does.

use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use crate::outcome::reset::{go_duration_ms, next_midnight, until};
use crate::verdict::Hint;

/// What stands before a date, how the date is written, and where its clock hangs. Zhipu means Beijing's in its English
/// words too: <https://github.com/can1357/oh-my-pi/issues/11014>. Anthropic: a spending limit,
/// <https://github.com/anthropics/claude-code/issues/38035>.
const DATES: [(&str, &str, &str); 3] = [
    ("limit will reset at ", "%Y-%m-%d %H:%M:%S", "Asia/Shanghai"),
    ("限额将在 ", "%Y-%m-%d %H:%M:%S", "Asia/Shanghai"),
    ("regain access on ", "%Y-%m-%d at %H:%M utc", "UTC"),
];

/// What stands before a duration: Gemini, OpenAI and Groq, Azure, GitHub.
const WAITS: [&str; 4] = ["retry in ", "try again in ", "retry after ", "please wait "];

const UNITS_MS: [(&str, f64); 4] =
    [("second", 1000.0), ("minute", 60_000.0), ("hour", 3_600_000.0), ("day", 86_400_000.0)];

/// The date a message in lower case names as the reset of a quota.
pub(super) fn date(message: &str, now_ms: i64) -> Option<Hint> {
    DATES.iter().find_map(|(before, format, zone)| {
        let (_, text) = message.split_once(before)?;
        let (date, _) = BrokenDownTime::parse_prefix(format, text).ok()?;
        let at = date.to_datetime().ok()?.to_zoned(TimeZone::get(zone).ok()?).ok()?;
        until(at.timestamp().as_millisecond(), now_ms, true)
    })
}

/// The wait a message in lower case names: `Please try again in 11m31.2s.`, `Please wait 40123 seconds before retrying.`
pub(super) fn wait_ms(message: &str) -> Option<f64> {
    WAITS.iter().find_map(|before| {
        let (_, text) = message.split_once(before)?;
        let end = text.find(|character: char| !character.is_ascii_alphanumeric() && character != '.');
        let (duration, rest) = text.split_at(end.unwrap_or(text.len()));
        let duration = duration.trim_end_matches('.');
        match duration.parse::<f64>() {
            Ok(number) => {
                let unit = UNITS_MS.iter().find(|(unit, _)| rest.trim_start().starts_with(unit))?;
                Some(number * unit.1)
            }
            #[expect(clippy::cast_precision_loss, reason = "a month in milliseconds is far below 2^53")]
            Err(_) => Some(go_duration_ms(duration)? as f64),
        }
    })
}

/// The end of the window that a message in lower case names, of providers whose windows end at a known time.
pub(super) fn end_of_window(message: &str, now_ms: i64) -> Option<Hint> {
    match message {
        _ if message.contains("today's quota") => next_midnight("Asia/Shanghai", now_ms), // ModelScope
        _ if message.contains("free-models-per-day") => next_midnight("UTC", now_ms),     // OpenRouter
        _ if message.contains("free-models-per-min") => until(now_ms.saturating_add(60_000), now_ms, true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 12:00:00 UTC, 20:00 in Shanghai.
    const NOW_MS: i64 = 1_795_521_600_000;
    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn a_date_is_read_where_its_providers_clock_hangs() {
        let reset = |message: &str| date(message, NOW_MS).map(|hint| (hint.wait_ms, hint.is_reset));
        for zhipu in [
            "[1308][usage limit reached for 5 hour. your limit will reset at 2026-11-24 23:00:00][2026]",
            "已达到 5 小时的使用上限。您的限额将在 2026-11-24 23:00:00 重置。",
        ] {
            assert_eq!(reset(zhipu), Some((3 * HOUR_MS, true)), "{zhipu}");
        }
        let anthropic = "you will regain access on 2026-11-25 at 00:00 utc.";
        assert_eq!(reset(anthropic), Some((12 * HOUR_MS, true)));
        for nothing in ["your limit will reset at 5pm", "your limit will reset at 2020-01-01 00:00:00", "reset at"] {
            assert_eq!(reset(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_wait_is_read_in_every_way_it_is_written() {
        for (message, ms) in [
            ("resource exhausted. please retry in 20.5s.", 20_500.0),
            ("rate limit reached. please try again in 11m31.2s. need more?", 691_200.0),
            ("please try again in 864ms", 864.0),
            ("please retry after 27 seconds.", 27_000.0),
            ("please wait 40123 seconds before retrying.", 40_123_000.0),
            ("try again in 1 minute", 60_000.0),
            ("try again in 2 hours", 7_200_000.0),
        ] {
            assert_eq!(wait_ms(message), Some(ms), "{message}");
        }
        for nothing in ["please try again later", "try again in a few seconds", "retry in 5 of 6 cases", "retry after "]
        {
            assert_eq!(wait_ms(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_window_that_is_named_ends_when_its_provider_ends_it() {
        let ends = |message: &str| end_of_window(message, NOW_MS).map(|hint| hint.wait_ms);
        assert_eq!(ends("you have exceeded today's quota for model x"), Some(4 * HOUR_MS));
        assert_eq!(ends("rate limit exceeded: free-models-per-day. add 10 credits"), Some(12 * HOUR_MS));
        assert_eq!(ends("rate limit exceeded: free-models-per-min. "), Some(60_000));
        assert_eq!(ends("later"), None);
    }
}
