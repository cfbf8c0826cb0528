//! When a day begins and ends where a provider counts it, daylight saving included.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::catalog::Day;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The beginning of the day that `now_ms` belongs to, and of the next one, in Unix milliseconds.
pub(super) fn bounds(day: &Day, now_ms: i64) -> (i64, i64) {
    zoned(day, now_ms).unwrap_or_else(|| {
        // Beyond the calendar there are days all the same.
        let start = super::floor(now_ms, DAY_MS);
        (start, start.saturating_add(DAY_MS))
    })
}

fn zoned(day: &Day, now_ms: i64) -> Option<(i64, i64)> {
    let today = day.zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?).date();
    let start = start_of(day, today)?;
    if start <= now_ms {
        Some((start, start_of(day, today.tomorrow().ok()?)?))
    } else {
        Some((start_of(day, today.yesterday().ok()?)?, start))
    }
}

/// A reset time that the clock skips comes when the clock has skipped it; of one it shows twice, the first counts.
fn start_of(day: &Day, date: Date) -> Option<i64> {
    let start = day.zone.to_ambiguous_timestamp(date.to_datetime(day.reset)).compatible().ok()?;
    Some(start.as_millisecond())
}
