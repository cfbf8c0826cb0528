//! Numbers and times as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::language::Language;

/// How times are written: in which zone and language, and relative to which time.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Whose days and hours.
    pub zone: TimeZone,
    /// Unix milliseconds.
    pub now_ms: i64,
    /// Dates differ by language.
    pub language: Language,
}

impl Clock {
    /// What the zone is called.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The clock time of today, and the date before that of another day.
    pub(crate) fn short(&self, at_ms: i64) -> String {
        let format = match (self.is_today(at_ms), self.language) {
            (true, _) => "%H:%M:%S",
            (false, Language::English) => "%-d %b %H:%M",
            (false, Language::Chinese) => "%m-%d %H:%M",
        };
        self.write(at_ms, format)
    }

    /// Date and time to the millisecond.
    pub(crate) fn exact(&self, at_ms: i64) -> String {
        let format = match self.language {
            Language::English => "%-d %b %Y %H:%M:%S%.3f",
            Language::Chinese => "%Y-%m-%d %H:%M:%S%.3f",
        };
        self.write(at_ms, format)
    }

    /// Hour and minute.
    pub(crate) fn minute(&self, at_ms: i64) -> String {
        self.write(at_ms, "%H:%M")
    }

    /// The date without its year.
    pub(crate) fn day(&self, at_ms: i64) -> String {
        let format = match self.language {
            Language::English => "%-d %b",
            Language::Chinese => "%m-%d",
        };
        self.write(at_ms, format)
    }

    /// Date, hour and minute.
    pub(crate) fn day_and_minute(&self, at_ms: i64) -> String {
        format!("{} {}", self.day(at_ms), self.minute(at_ms))
    }

    /// Whether a day begins then.
    pub(crate) fn is_midnight(&self, at_ms: i64) -> bool {
        self.minute(at_ms) == "00:00"
    }

    /// For machines, and for people who want to know exactly: RFC 3339 with the zone's offset.
    pub(crate) fn iso(&self, at_ms: i64) -> String {
        self.write(at_ms, "%Y-%m-%dT%H:%M:%S%.3f%:z")
    }

    fn is_today(&self, at_ms: i64) -> bool {
        let date = |ms| Timestamp::from_millisecond(ms).map(|at| at.to_zoned(self.zone.clone()).date()).ok();
        date(at_ms) == date(self.now_ms)
    }

    fn write(&self, at_ms: i64, format: &str) -> String {
        match Timestamp::from_millisecond(at_ms) {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime(format).to_string(),
            // A time beyond the year 9999 cannot be written as a date.
            Err(_) => at_ms.to_string(),
        }
    }
}

/// The zone of who has told none.
pub fn utc() -> TimeZone {
    TimeZone::UTC
}

/// A span: milliseconds, seconds with one digit, or minutes.
pub(crate) fn span(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{} ms", ms.max(0)),
        1_000..100_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// A number with its thousands apart.
pub(crate) fn whole(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count where space is short.
pub(crate) fn count(number: i64) -> String {
    let shortened = |unit: i64, letter: &str| format!("{}.{} {letter}", number / unit, number % unit * 10 / unit);
    match number {
        ..10_000 => whole(number),
        10_000..1_000_000 => shortened(1_000, "k"),
        _ => shortened(1_000_000, "M"),
    }
}

/// A part of a whole in percent, with a digit behind the point where it is small.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let permille = u128::from(part) * 1_000 / u128::from(whole.max(1));
    if permille >= 100 { format!("{} %", permille / 10) } else { format!("{}.{} %", permille / 10, permille % 10) }
}

/// Bytes, in decimal units.
pub(crate) fn bytes(number: i64) -> String {
    match number {
        ..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{}.{} kB", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{} MB", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

/// Nano-dollars, to the cent where there are dollars and to three digits below.
pub(crate) fn money(nano: i64) -> String {
    const DOLLAR: i64 = 1_000_000_000;
    match nano {
        0 => "$0".to_owned(),
        1..1_000 => "<$0.000001".to_owned(),
        1_000..1_000_000 => format!("$0.{:06}", nano / 1_000),
        1_000_000..10_000_000 => format!("$0.{:05}", nano / 10_000),
        10_000_000..DOLLAR => format!("$0.{:03}", nano / 1_000_000),
        _ => format!("${}.{:02}", whole(nano / DOLLAR), (nano % DOLLAR).unsigned_abs() / 10_000_000),
    }
}

/// Billionths of some currency, to its hundredth.
pub(crate) fn billionths(nano: i64) -> String {
    const WHOLE: i64 = 1_000_000_000;
    format!("{}.{:02}", whole(nano / WHOLE), (nano % WHOLE).unsigned_abs() / 10_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_tell_what_they_are_of() {
        for (shown, expected) in [
            (span(0), "0 ms"),
            (span(999), "999 ms"),
            (span(9_949), "9.9 s"),
            (span(125_000), "2 min 5 s"),
            (whole(1_234_567), "1,234,567"),
            (whole(-12), "-12"),
            (whole(100), "100"),
            (count(9_999), "9,999"),
            (count(41_236), "41.2 k"),
            (count(2_450_000), "2.4 M"),
            (bytes(999), "999 B"),
            (bytes(168_400), "168.4 kB"),
            (money(0), "$0"),
            (money(999), "<$0.000001"),
            (money(31_000_000), "$0.031"),
            (money(1_234_000), "$0.00123"),
            (money(12_345), "$0.000012"),
            (money(5_319_999_999), "$5.31"),
            (billionths(14_000_000_000), "14.00"),
            (percent(214, 1862), "11 %"),
            (percent(17, 1862), "0.9 %"),
            (percent(1, 0), "100 %"),
        ] {
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn a_time_is_that_of_the_zone_and_has_a_date_on_other_days() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let now_ms = 1_764_000_000_000; // 2025-11-24T16:00:00Z: already the next day in the zone.
        let clock = |language| Clock { zone: zone.clone(), now_ms, language };
        assert_eq!(clock(Language::English).short(now_ms + 61_000), "00:01:01");
        assert_eq!(clock(Language::English).short(now_ms - 60_000), "24 Nov 23:59");
        assert_eq!(clock(Language::Chinese).short(now_ms - 60_000), "11-24 23:59");
        assert_eq!(clock(Language::Chinese).iso(now_ms), "2025-11-25T00:00:00.000+08:00");
        assert_eq!(clock(Language::English).exact(i64::MAX), i64::MAX.to_string());
    }
}
