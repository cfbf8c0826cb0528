//! What a wall clock that is set does to limits: nothing to those of some time, and a day is the one that it tells now.

use super::*;

/// 2026-11-24 12:00:00 UTC.
const NOW_MS: i64 = 1_795_521_600_000;

/// After this long on the steady clock the wall clock tells another time than that by `set_ms`.
fn moment(after_ms: i64, set_ms: i64) -> Moment {
    let steady_ms = NOW_MS + after_ms;
    Moment { now: Now { wall_ms: steady_ms + set_ms, steady_ms }, ..at(NOW_MS) }
}

fn charge(quota: &str, at: Moment) -> Charge {
    let catalog = catalog(&format!("quota = {{ {quota} }}"), "");
    windows(&catalog.providers[0], None, "m", Spend::tokens(1), at).remove(0)
}

/// Whether what was spent at first still counts.
fn counts(quota: &str, first: Moment, then: Moment) -> bool {
    let (spent, asked) = (charge(quota, first), charge(quota, then));
    !over(std::slice::from_ref(&asked), &[row(&asked, spent.bucket, 1)], then.now.steady_ms).is_empty()
}

#[test]
fn a_minute_and_rolling_hours_last_as_long_as_they_were_meant_to() {
    let (minute, hours) = ("rpm = 1", "rolling = { calls = 1, hours = 5 }");
    for set_ms in [0, 8 * HOUR, -8 * HOUR, 56 * 365 * 24 * HOUR] {
        for (quota, after_ms, expected) in [
            (minute, 59_000, true),
            (minute, 66_000, false),
            (hours, 5 * HOUR - 1, true),
            (hours, 5 * HOUR + 6 * MINUTE_MS, false),
        ] {
            let is = counts(quota, moment(0, 0), moment(after_ms, set_ms));
            assert_eq!(is, expected, "{quota} after {after_ms} ms, set by {set_ms}");
            let back = counts(quota, moment(0, set_ms), moment(after_ms, 0));
            assert_eq!(back, expected, "{quota} after {after_ms} ms, set right by {set_ms}");
        }
    }
}

#[test]
fn what_was_spent_before_the_clock_was_set_right_belongs_to_the_day_it_was() {
    let (in_1970, right) = (moment(0, -NOW_MS + HOUR), moment(HOUR, 0));
    for quota in ["rpd = 1", "rpweek = 1", "rpmonth = 1"] {
        assert!(counts(quota, in_1970, right), "{quota}: an hour ago was today");
        assert!(!counts(quota, in_1970, moment(40 * 24 * HOUR, 0)), "{quota}");
    }
    assert!(!counts("rpd = 1", in_1970, moment(13 * HOUR, 0)), "thirteen hours ago was yesterday");
}

#[test]
fn a_day_ends_when_the_wall_clock_says_so() {
    for (set_ms, left_ms) in [(0, 12 * HOUR), (8 * HOUR, 4 * HOUR), (-8 * HOUR, 20 * HOUR), (13 * HOUR, 23 * HOUR)] {
        let moment = moment(0, set_ms);
        let day = charge("rpd = 1", moment);
        let ends = status(&day, &[], NOW_MS).resets_at_ms.expect("a day ends");
        assert_eq!(ends - NOW_MS, left_ms, "set by {set_ms}");
        assert_eq!(moment.now.shown_ms(ends) % (24 * HOUR), 0, "and is shown to at midnight");
    }
    for set_ms in [8 * HOUR, 25 * HOUR, -25 * HOUR] {
        assert!(counts("rpd = 1", moment(0, 0), moment(1, set_ms)), "a moment ago was today");
    }
}

#[test]
fn a_clock_that_is_set_a_little_moves_no_bucket_of_the_calendar() {
    for set_ms in [-20 * MINUTE_MS, -5_000, 0, 5_000, 20 * MINUTE_MS] {
        for quota in ["rpd = 9", "rpweek = 9", "rpmonth = 9"] {
            let (plain, set) = (charge(quota, moment(HOUR / 2, 0)), charge(quota, moment(HOUR / 2, set_ms)));
            assert_eq!((plain.bucket, plain.since, plain.last), (set.bucket, set.since, set.last), "{quota} {set_ms}");
        }
    }
}
