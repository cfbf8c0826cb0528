//! What `/readyz` reports about a database that cannot be written. The host provides the facts, since it sees all
//! instances.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// The content of the host's variable `store_trouble`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoreTrouble {
    /// For how long nothing could be written.
    pub for_ms: i64,
    /// Why not, in the words of the database.
    pub why: String,
    /// Statements that wait to be written.
    pub queued: u64,
    /// Statements that were not kept.
    pub lost: u64,
    /// Callers that were refused because the database does not answer.
    pub turned_away: u64,
    /// Whether nothing has been written for so long that calls that need a row are refused as well.
    pub stuck: bool,
}

impl StoreTrouble {
    /// Reads the variable. `None` if there is no trouble.
    pub fn read(text: &str) -> Option<StoreTrouble> {
        serde_json::from_str(text).ok()
    }

    /// One line for the answer of `/readyz`. Its times are in this zone.
    pub fn degraded(&self, now_ms: i64, zone: &TimeZone) -> String {
        let since = Timestamp::from_millisecond(now_ms.saturating_sub(self.for_ms));
        let since = since.map(|since| since.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string());
        let counted = |count: u64, what: &str| (count > 0).then(|| format!(", {count} {what}"));
        let waiting = counted(self.queued, "wait to be written").unwrap_or_default();
        let lost = counted(self.lost, "not kept").unwrap_or_default();
        format!("records: {} since {}{waiting}{lost}", self.why, since.unwrap_or_default())
    }

    /// Which calls are refused because of it.
    pub fn refusing(&self) -> Option<&'static str> {
        let refused = self.turned_away > 0 || self.stuck;
        refused.then_some("keys with limits: their calls get 503, as what they spend cannot be counted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(more: &str) -> StoreTrouble {
        let text = format!(r#"{{"for_ms": 60000, "why": "disk full", {more}}}"#);
        StoreTrouble::read(&text).expect("trouble")
    }

    #[test]
    fn nothing_told_is_no_trouble() {
        assert_eq!(StoreTrouble::read(""), None);
    }

    #[test]
    fn a_line_says_why_since_when_and_what_is_lost() {
        let lost = trouble(r#""queued": 10000, "lost": 312, "turned_away": 0, "stuck": false"#);
        let noon_ms = 1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 + 43_200_000;
        let line = lost.degraded(noon_ms, &TimeZone::UTC);
        assert_eq!(line, "records: disk full since 11:59:00, 10000 wait to be written, 312 not kept");
        let bare = trouble(r#""queued": 0, "lost": 0, "turned_away": 1, "stuck": false"#);
        assert_eq!(bare.degraded(noon_ms, &TimeZone::UTC), "records: disk full since 11:59:00");
    }

    #[test]
    fn keys_with_limits_are_refused_after_one_refusal_or_long_without_a_write() {
        let with = |turned_away: u64, stuck: bool| {
            trouble(&format!(r#""queued": 1, "lost": 0, "turned_away": {turned_away}, "stuck": {stuck}"#))
        };
        assert!(with(1, false).refusing().is_some() && with(0, true).refusing().is_some());
        assert_eq!(with(0, false).refusing(), None);
    }
}
