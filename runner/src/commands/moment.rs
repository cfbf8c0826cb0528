//! Points in time as people type them: `1h` and `30d`, `2027-01-01T00:00:00Z`, or a local date and time.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use std::str::FromStr;

/// A point in time that may depend on when the command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A distance from now, never negative. A day has 24 hours.
    Distance(SignedDuration),
    /// A point in time with its own zone.
    At(Timestamp),
    /// A local date and time.
    Local(DateTime),
}

impl Moment {
    /// The time, with a distance counted back from now.
    pub(super) fn before(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        self.resolve(now, zone, |distance| now.checked_sub(distance))
    }

    /// The time, with a distance counted forward from now.
    pub(super) fn after(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        self.resolve(now, zone, |distance| now.checked_add(distance))
    }

    fn resolve(
        self,
        now: Timestamp,
        zone: &TimeZone,
        from_now: impl FnOnce(SignedDuration) -> Result<Timestamp, jiff::Error>,
    ) -> Result<Timestamp, String> {
        let resolved = match self {
            Self::Distance(distance) => from_now(distance),
            Self::At(timestamp) => Ok(timestamp),
            Self::Local(datetime) => zone.to_timestamp(datetime),
        };
        resolved.map_err(|error| format!("no such time, counted from {now:.0}: {error}"))
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let text = text.trim();
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Ok(Self::At(timestamp));
        }
        if let Ok(datetime) = text.parse::<DateTime>() {
            return Ok(Self::Local(datetime));
        }
        let distance = text.parse::<Span>().ok();
        let distance = distance.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        match distance.filter(|distance| !distance.is_negative()) {
            Some(distance) => Ok(Self::Distance(distance)),
            None => Err("give a span such as 90m, 1h, 30d or 2w, or a time such as 2027-01-01T00:00:00Z".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(text: &str) -> String {
        let moment: Moment = text.parse().expect("a moment");
        moment.before(now(), &TimeZone::UTC).expect("a time").to_string()
    }

    fn after(text: &str) -> String {
        let moment: Moment = text.parse().expect("a moment");
        moment.after(now(), &TimeZone::UTC).expect("a time").to_string()
    }

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().expect("a time")
    }

    #[test]
    fn spans_count_from_now_in_the_direction_that_makes_sense() {
        assert_eq!(before("1h"), "2026-11-23T11:00:00Z");
        assert_eq!(before("90m"), "2026-11-23T10:30:00Z");
        assert_eq!(before("1d 12h"), "2026-11-22T00:00:00Z");
        assert_eq!(after("30d"), "2026-12-23T12:00:00Z");
        assert_eq!(after("2w"), "2026-12-07T12:00:00Z");
    }

    #[test]
    fn times_with_an_offset_are_what_they_say_and_others_are_local() {
        assert_eq!(after("2027-01-01T00:00:00+08:00"), "2026-12-31T16:00:00Z");
        assert_eq!(before("2026-11-01"), "2026-11-01T00:00:00Z");
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let moment: Moment = "2026-11-01T08:00".parse().expect("a moment");
        assert_eq!(moment.before(now(), &zone).map(|time| time.to_string()), Ok("2026-11-01T00:00:00Z".to_owned()));
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for text in ["", "soon", "-1h", "1h ago", "2 months", "1y", "30", "2026-13-01", "99999999999d"] {
            let error = text.parse::<Moment>().err().unwrap_or_else(|| panic!("{text:?} is accepted"));
            assert!(error.contains("30d"), "{error}");
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_refused_and_does_not_panic() {
        let moment: Moment = "100000w".parse().expect("a long span");
        assert!(moment.before(now(), &TimeZone::UTC).is_ok());
        let moment: Moment = "1000000w".parse().expect("a longer span");
        assert!(moment.after(now(), &TimeZone::UTC).is_err());
    }
}
