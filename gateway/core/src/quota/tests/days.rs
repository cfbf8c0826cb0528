//! Days where providers count them.

use proptest::prelude::*;

use super::*;
use crate::catalog::Day;

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn day(zone: &str, reset: &str) -> Day {
    let toml = format!("quota = {{ rpd = 1, zone = \"{zone}\", reset = \"{reset}\" }}");
    match &catalog(&toml, "").providers[0].quotas[0].limits[0].window {
        Window::Day(day) => day.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_day_begins_at_its_reset_where_the_provider_is() {
    for (zone, reset, now, start, next) in [
        ("UTC", "00:00", "2026-05-05T23:59:59Z", "2026-05-05T00:00:00Z", "2026-05-06T00:00:00Z"),
        ("Asia/Shanghai", "00:00", "2026-05-05T15:59:59Z", "2026-05-04T16:00:00Z", "2026-05-05T16:00:00Z"),
        ("Asia/Shanghai", "00:00", "2026-05-05T16:00:00Z", "2026-05-05T16:00:00Z", "2026-05-06T16:00:00Z"),
        ("Asia/Shanghai", "08:00", "2026-05-05T00:00:00Z", "2026-05-05T00:00:00Z", "2026-05-06T00:00:00Z"),
        ("Asia/Shanghai", "08:00", "2026-05-04T23:59:59Z", "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"),
        // The clock goes forward at 2:00 on 2026-03-08: that day has 23 hours.
        ("America/Los_Angeles", "00:00", "2026-03-08T20:00:00Z", "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z"),
        // A reset the clock skips comes when the clock has skipped it, at 3:30.
        ("America/Los_Angeles", "02:30", "2026-03-08T10:29:59Z", "2026-03-07T10:30:00Z", "2026-03-08T10:30:00Z"),
        ("America/Los_Angeles", "02:30", "2026-03-08T10:30:00Z", "2026-03-08T10:30:00Z", "2026-03-09T09:30:00Z"),
        // The clock goes back at 2:00 on 2026-11-01: that day has 25 hours.
        ("America/Los_Angeles", "00:00", "2026-11-01T20:00:00Z", "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z"),
        // Of a reset the clock shows twice, the first counts.
        ("America/Los_Angeles", "01:30", "2026-11-01T09:15:00Z", "2026-11-01T08:30:00Z", "2026-11-02T09:30:00Z"),
        // Samoa had no 2011-12-30.
        ("Pacific/Apia", "00:00", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "00:00", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
    ] {
        assert_eq!(day::bounds(&day(zone, reset), ms(now)), (ms(start), ms(next)), "{zone} {reset} at {now}");
    }
}

#[test]
fn yesterday_does_not_count_and_today_counts_to_its_end() {
    let lines = "quota = { rpd = 100, zone = \"America/Los_Angeles\" }";
    let of = |now: &str| charges(lines, ms(now)).remove(0);
    let (evening, night) = (of("2026-11-02T07:59:59Z"), of("2026-11-02T08:00:00Z"));
    assert!(evening.bucket < night.since, "the first call of a day sees none of the day before");
    let morning = of("2026-11-01T07:00:00Z");
    assert_eq!((morning.bucket, morning.since), (evening.since, evening.since));
    let rows = [row(&evening, morning.bucket, 60), row(&evening, evening.bucket, 40)];
    let found = over(&[evening], &rows, ms("2026-11-02T07:59:59Z"));
    assert_eq!(found[0].until_ms, Some(ms("2026-11-02T08:00:00Z")));
    assert_eq!(over(&[night], &rows, ms("2026-11-02T08:00:00Z")), []);
}

#[test]
fn times_beyond_the_calendar_have_days_too() {
    for now_ms in [i64::MIN, i64::MAX, ms("9999-12-30T22:00:00Z")] {
        let (start, next) = day::bounds(&day("Asia/Shanghai", "08:00"), now_ms);
        assert!(start <= now_ms.max(i64::MIN + 1) && next >= start, "{now_ms}");
    }
}

proptest! {
    #[test]
    fn every_moment_is_in_one_day_of_23_to_25_hours(
        zone in prop::sample::select(vec!["UTC", "Asia/Shanghai", "America/Los_Angeles", "Europe/Berlin"]),
        hours in 0..24u8,
        now_ms in 1_600_000_000_000..1_900_000_000_000i64,
    ) {
        let day = day(zone, &format!("{hours:02}:30"));
        let (start, next) = day::bounds(&day, now_ms);
        prop_assert!(start <= now_ms && now_ms < next);
        prop_assert!((23 * HOUR..=25 * HOUR).contains(&(next - start)));
        prop_assert_eq!(day::bounds(&day, start), (start, next));
        prop_assert_eq!(day::bounds(&day, next - 1), (start, next));
        prop_assert_eq!(day::bounds(&day, next).0, next);
    }
}
