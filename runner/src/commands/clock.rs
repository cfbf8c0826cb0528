//! Times as people read them: local to the command, or in UTC on request.

use crate::options::Settings;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time of a command and the zone of its output.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    /// The time of the command.
    pub(super) now: Timestamp,
    /// The zone of its output.
    pub(super) zone: TimeZone,
    is_utc: bool,
}

impl Clock {
    /// The clock that the command line asks for.
    pub(super) fn of(settings: &Settings) -> Clock {
        let zone = if settings.utc { TimeZone::UTC } else { TimeZone::system() };
        Clock { now: Timestamp::now(), zone, is_utc: settings.utc }
    }

    /// A moment: `2026-11-23 20:00:00`, with a `Z` if the command line asks for UTC.
    pub(super) fn show(&self, at: Timestamp) -> String {
        let mark = if self.is_utc { "Z" } else { "" };
        format!("{}{mark}", at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S"))
    }

    /// The same for Unix milliseconds. Empty if they are out of range.
    pub(super) fn show_ms(&self, at_ms: i64) -> String {
        Timestamp::from_millisecond(at_ms).map(|at| self.show(at)).unwrap_or_default()
    }

    /// The same for an RFC 3339 text. Other texts are returned unchanged.
    pub(super) fn show_text(&self, text: &str) -> String {
        text.parse().map_or_else(|_| text.to_owned(), |at| self.show(at))
    }
}

#[cfg(test)]
impl Clock {
    /// A clock that stands still, for tests.
    pub(super) fn at(now: &str, zone: TimeZone, is_utc: bool) -> Clock {
        Clock { now: now.parse().expect("a time"), zone, is_utc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_or_marked_as_utc() {
        let local = Clock::at("2026-11-23T12:00:00Z", TimeZone::fixed(jiff::tz::offset(8)), false);
        let utc = Clock::at("2026-11-23T12:00:00Z", TimeZone::UTC, true);
        assert_eq!(local.show(local.now), "2026-11-23 20:00:00");
        assert_eq!(utc.show(utc.now), "2026-11-23 12:00:00Z");
        assert_eq!(local.show_text("2026-12-31T20:00:00+00:00"), "2027-01-01 04:00:00");
        assert_eq!(local.show_text("soon"), "soon");
        assert_eq!((local.show_ms(0).as_str(), utc.show_ms(i64::MAX).as_str()), ("1970-01-01 08:00:00", ""));
    }
}
