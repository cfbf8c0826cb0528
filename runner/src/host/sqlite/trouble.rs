//! The facts about a database that cannot be written, which the component reports on `/readyz`. They are counted here
//! and not in each instance, so that the figures hold for the whole process and disappear when the trouble is over.

use serde::Serialize;
use std::time::{Duration, Instant};

/// How long a statement has to wait before it is reported. Shorter locks are normal.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What keeps statements from being written, and the consequences.
pub(super) struct Trouble {
    pub(super) since: Instant,
    pub(super) why: String,
    /// Statements that were lost although nobody waits for them.
    pub(super) lost: u64,
    /// Callers who waited for rows and were refused.
    pub(super) turned_away: u64,
}

impl Trouble {
    /// Trouble that begins now.
    pub(super) fn now(why: &str) -> Trouble {
        Trouble { since: Instant::now(), why: why.to_owned(), lost: 0, turned_away: 0 }
    }
}

/// The form for the component.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TroubleReport {
    /// For how long nothing could be written.
    pub(crate) for_ms: u64,
    /// Why not, in the words of the database.
    pub(crate) why: String,
    /// Statements that wait to be written.
    pub(crate) queued: u64,
    /// Statements that were not kept.
    pub(crate) lost: u64,
    /// Callers who were refused because the database does not answer.
    pub(crate) turned_away: u64,
    /// Whether nothing has been written for so long that calls that need a row are refused as well.
    pub(crate) stuck: bool,
}

/// Trouble is reported once somebody was refused, a statement was lost, or the first one has waited too long.
pub(super) fn trouble_of(
    trouble: Option<&Trouble>,
    busy_since: Option<Instant>,
    queued: u64,
    now: Instant,
) -> Option<TroubleReport> {
    let waited = busy_since.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
    let stuck = waited >= WAIT_MAX;
    let (since, why, lost, turned_away) = match trouble {
        Some(trouble) if stuck || trouble.lost > 0 || trouble.turned_away > 0 => {
            (trouble.since, trouble.why.as_str(), trouble.lost, trouble.turned_away)
        }
        None if stuck => (busy_since?, "the disk does not answer", 0, 0),
        _ => return None,
    };
    let for_ms = u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX);
    Some(TroubleReport { for_ms, why: why.to_owned(), queued, lost, turned_away, stuck })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_one_turned_away_or_lost_is_told_at_once() {
        let mut trouble = Trouble::now("locked");
        let now = trouble.since + SECOND;
        assert_eq!(trouble_of(Some(&trouble), Some(trouble.since), 1, now), None, "a short lock hurts nobody");
        trouble.turned_away = 1;
        let one = trouble_of(Some(&trouble), None, 0, now).expect("somebody was turned away");
        assert_eq!((one.turned_away, one.for_ms, one.stuck), (1, 1_000, false));
        (trouble.turned_away, trouble.lost) = (0, 1);
        assert_eq!(trouble_of(Some(&trouble), None, 0, now).map(|trouble_of| trouble_of.lost), Some(1));
    }

    #[test]
    fn what_has_waited_for_five_seconds_is_told_whatever_the_reason() {
        let start = Instant::now();
        assert_eq!(trouble_of(None, Some(start), 1, start + 4 * SECOND), None);
        let hung = trouble_of(None, Some(start), 1, start + 5 * SECOND).expect("it waits");
        assert!(hung.stuck && hung.queued == 1 && hung.why.contains("disk"), "{hung:?}");
        assert_eq!(trouble_of(None, None, 0, start + 500 * SECOND), None);
    }
}
