//! Prices that hold in some hours only. Everywhere else in the week the usual price holds.
//!
//! Public holidays are not known here: DeepSeek's peak does not hold on those of China, so that calls on such a day are
//! counted as dearer than they are, never as cheaper.

use serde::{Deserialize, Serialize};

use super::Price;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: u16 = 24 * 60;
const THURSDAY: i64 = 4;

/// How days of the week are written, Sunday first.
pub const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Hours of a week, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// From the first minute of a day until before the second. A span that ends earlier than it begins ends on the next
    /// day.
    pub spans: Vec<(u16, u16)>,
    /// The days on which they begin, Sunday first.
    pub days: [bool; 7],
}

impl Hours {
    /// Whether this time, in Unix milliseconds, is in them.
    pub fn hold(&self, at_ms: i64) -> bool {
        is_in(&self.spans, self.days, at_ms)
    }

    /// Reads a span of a day such as `01:00-04:00`.
    pub fn span(text: &str) -> Option<(u16, u16)> {
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let is_plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            let (hours, minutes) = Some((hours, minutes)).filter(|(a, b)| is_plain(a) && is_plain(b))?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            let minute = hours * 60 + minutes;
            (minutes < 60 && minute <= DAY_MINUTES).then_some(minute)
        };
        let (from, to) = text.split_once('-')?;
        let span = (minute(from)?, minute(to)?);
        (span.0 != span.1 && span.0 < DAY_MINUTES).then_some(span)
    }
}

fn is_in(spans: &[(u16, u16)], days: [bool; 7], at_ms: i64) -> bool {
    let minutes = at_ms.div_euclid(MINUTE_MS);
    let (day, minute) = (minutes.div_euclid(i64::from(DAY_MINUTES)), minutes.rem_euclid(i64::from(DAY_MINUTES)));
    let is_day = |day: i64| {
        let weekday = usize::try_from((day + THURSDAY).rem_euclid(7)).unwrap_or(0);
        days.get(weekday).copied().unwrap_or(false)
    };
    spans.iter().any(|(from, to)| {
        let (from, to) = (i64::from(*from), i64::from(*to));
        match from < to {
            true => is_day(day) && (from..to).contains(&minute),
            false => is_day(day) && minute >= from || is_day(day - 1) && minute < to,
        }
    })
}

/// A published peak.
struct Peak {
    /// The table's name of the provider.
    provider: &'static str,
    /// How the names of its models begin.
    models: &'static [&'static str],
    spans: &'static [(u16, u16)],
    days: [bool; 7],
    /// How many times the bundled price is paid.
    times: u64,
}

const MONDAY_TO_FRIDAY: [bool; 7] = [false, true, true, true, true, true, false];

/// DeepSeek: 01:00–04:00 and 06:00–10:00 UTC, Monday to Friday; the bundled table has its prices of other hours, which are half
/// of these. <https://api-docs.deepseek.com/quick_start/pricing> (2026-11-30)
const PEAKS: [Peak; 1] = [Peak {
    provider: "deepseek",
    models: &["deepseek-flash", "deepseek-v4"],
    spans: &[(60, 240), (360, 600)],
    days: MONDAY_TO_FRIDAY,
    times: 2,
}];

/// The price at this time of a model that usually costs `price` at the provider of this name in the bundled table.
pub(super) fn published(provider: &str, model: &str, price: Price, at_ms: i64) -> Price {
    let is_of = |peak: &&Peak| {
        peak.provider == provider && peak.models.iter().any(|name| model.to_ascii_lowercase().starts_with(name))
    };
    let peak = PEAKS.iter().filter(is_of).find(|peak| is_in(peak.spans, peak.days, at_ms));
    peak.map_or(price, |peak| price.times(peak.times))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 30 November 2026.
    const MONDAY_MS: i64 = 1_795_996_800_000;

    fn at(day: i64, hours: i64, minutes: i64) -> i64 {
        MONDAY_MS + (day * 24 * 60 + hours * 60 + minutes) * MINUTE_MS
    }

    #[test]
    fn deepseek_costs_twice_as_much_in_its_peak_and_only_there() {
        let usual = Price { input: 150, cache_read: 3, cache_write: 150, output: 600, call: 0 };
        let is_peak = |provider: &str, model: &str, at_ms| published(provider, model, usual, at_ms) != usual;
        for (day, hours, minutes, expected) in [
            (0, 0, 59, false),
            (0, 1, 0, true),
            (0, 3, 59, true),
            (0, 4, 0, false),
            (0, 5, 59, false),
            (0, 6, 0, true),
            (0, 9, 59, true),
            (0, 10, 0, false),
            (4, 2, 0, true),
            (5, 2, 0, false),
            (6, 7, 0, false),
            (7, 7, 0, true),
        ] {
            assert_eq!(
                is_peak("deepseek", "deepseek-v4-pro", at(day, hours, minutes)),
                expected,
                "{day} {hours}:{minutes}"
            );
        }
        assert!(is_peak("deepseek", "DeepSeek-Flash", at(1, 2, 0)));
        assert!(!is_peak("deepseek", "deepseek-v3.2", at(1, 2, 0)), "nobody says so of older ones");
        assert!(!is_peak("openrouter", "deepseek-v4-pro", at(1, 2, 0)));
        let peak = published("deepseek", "deepseek-flash", usual, at(0, 2, 0));
        assert_eq!((peak.input, peak.cache_read, peak.output), (300, 6, 1200));
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_on_which_they_begin() {
        let only_monday = [false, true, false, false, false, false, false];
        let night = Hours { spans: vec![(22 * 60, 2 * 60)], days: only_monday };
        for (day, hours, expected) in
            [(0, 21, false), (0, 22, true), (0, 23, true), (1, 1, true), (1, 2, false), (0, 1, false), (1, 22, false)]
        {
            assert_eq!(night.hold(at(day, hours, 0)), expected, "{day} {hours}");
        }
    }

    #[test]
    fn a_span_is_read_as_it_is_written_and_nothing_else_is() {
        assert_eq!(Hours::span("01:00-04:30"), Some((60, 270)));
        assert_eq!(Hours::span("22:00 - 02:00"), Some((1320, 120)));
        assert_eq!(Hours::span("00:00-24:00"), Some((0, 1440)));
        for wrong in
            ["", "1:00-2:00", "01:60-02:00", "25:00-02:00", "24:00-01:00", "01:00", "01:00-01:00", "+1:00-02:00"]
        {
            assert_eq!(Hours::span(wrong), None, "{wrong}");
        }
    }
}
