//! When a day, a week and a month begin and end in a time zone, daylight saving included.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::catalog::Day;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The beginning of the day that `now_ms` belongs to, and of the next one, in Unix milliseconds.
pub(super) fn bounds(day: &Day, now_ms: i64) -> (i64, i64) {
    around(day, now_ms, Some, |date| date.tomorrow().ok()).unwrap_or_else(|| {
        // Times beyond the calendar have plain days.
        let start = super::floor(now_ms, DAY_MS);
        (start, start.saturating_add(DAY_MS))
    })
}

/// The beginning of the week and of the next one. A week begins on Monday, as in ISO 8601.
pub(super) fn week_bounds(day: &Day, now_ms: i64) -> (i64, i64) {
    let first = |date: Date| date.checked_sub(jiff::Span::new().days(date.weekday().to_monday_zero_offset())).ok();
    let next = |date: Date| date.checked_add(jiff::Span::new().days(7)).ok();
    around(day, now_ms, first, next).unwrap_or_else(|| {
        let start = super::floor(now_ms, 7 * DAY_MS);
        (start, start.saturating_add(7 * DAY_MS))
    })
}

/// The beginning of the month and of the next one.
pub(super) fn month_bounds(day: &Day, now_ms: i64) -> (i64, i64) {
    let next = |date: Date| date.checked_add(jiff::Span::new().months(1)).ok();
    around(day, now_ms, |date| Some(date.first_of_month()), next).unwrap_or_else(|| {
        let start = super::floor(now_ms, 30 * DAY_MS);
        (start, start.saturating_add(30 * DAY_MS))
    })
}

/// The period around `now_ms`: `first` is its first date, given one of its dates, and `next` that of the one after.
fn around(
    day: &Day,
    now_ms: i64,
    first: impl Fn(Date) -> Option<Date>,
    next: impl Fn(Date) -> Option<Date>,
) -> Option<(i64, i64)> {
    let today = day.zone.to_datetime(Timestamp::from_millisecond(now_ms).ok()?).date();
    // Before a day's reset it is still the day before.
    let today = if start_of(day, today)? <= now_ms { today } else { today.yesterday().ok()? };
    let first = first(today)?;
    Some((start_of(day, first)?, start_of(day, next(first)?)?))
}

/// When a day begins. A reset time that the clock skips comes right after the gap; of one that the clock shows twice,
/// the first counts.
fn start_of(day: &Day, date: Date) -> Option<i64> {
    let start = day.zone.to_ambiguous_timestamp(date.to_datetime(day.reset)).compatible().ok()?;
    Some(start.as_millisecond())
}
