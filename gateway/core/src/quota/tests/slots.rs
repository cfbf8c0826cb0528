//! What calls under way hold, and until when.

use super::slot::SLOT_MIN;
use super::*;

const NOW_MS: i64 = 1_795_521_600_000;

/// An id as a host makes it at this time.
fn id(at_ms: i64, retry: &str) -> String {
    let time = format!("{at_ms:012x}");
    format!("{}-{}-7abc-8def-0123456{retry}", &time[..8], &time[8..])
}

fn held(at: Moment) -> Charge {
    let catalog = catalog("concurrent = 1", "");
    windows(&catalog.providers[0], None, "m", Spend::default(), at).remove(0)
}

fn fits(at: Moment, rows: &[Row]) -> bool {
    over(&[held(at)], rows, at.now.steady_ms).is_empty()
}

#[test]
fn a_call_holds_a_slot_of_its_own() {
    let at = |retry: &str| held(at(NOW_MS + 500).of_call(&id(NOW_MS, retry)));
    let (first, second) = (at("00000"), at("fffff"));
    assert_eq!((first.bucket, second.bucket), (NOW_MS << 20, (NOW_MS << 20) + 0xf_ffff));
    assert_eq!(slot(&id(NOW_MS, "fffff"), Now::of_wall(NOW_MS)), Some(second.bucket), "whoever knows the id finds it");
    assert_eq!(born_ms(&id(NOW_MS, "fffff")), Some(NOW_MS));
    assert!(second.bucket < first_slot(NOW_MS + 1));
}

#[test]
fn what_is_no_such_id_holds_a_slot_of_the_moment() {
    for other in ["", "r-1", "ffffffff", "zzzzzzzz-zzzz-7abc-8def-012345678901", "é-é-é-é-é-é-é-é"] {
        assert_eq!(slot(other, Now::of_wall(NOW_MS)), None, "{other}");
        assert_eq!(held(at(NOW_MS).of_call(other)).bucket, first_slot(NOW_MS));
    }
}

#[test]
fn what_is_under_way_counts_until_it_must_have_ended() {
    let total_ms = i64::try_from(TOTAL_MS).unwrap();
    let began = held(at(NOW_MS).of_call(&id(NOW_MS, "00000")));
    let rows = [row(&began, began.bucket, 1)];
    let refused = over(std::slice::from_ref(&began), &rows, NOW_MS);
    assert_eq!((refused[0].spent, refused[0].until_ms), (1, None));
    assert!(!fits(at(NOW_MS + total_ms + MINUTE_MS), &rows));
    assert!(fits(at(NOW_MS + total_ms + MINUTE_MS + 1), &rows));
}

#[test]
fn what_an_earlier_start_of_the_only_process_left_under_way_is_over() {
    let cut_off = held(at(NOW_MS - 2).of_call(&id(NOW_MS - 2, "fffff")));
    let rows = [row(&cut_off, cut_off.bucket, 1)];
    assert!(!fits(at(NOW_MS), &rows), "where there may be other processes nobody knows");
    let restarted = Moment { boot_ms: Some(NOW_MS - 1), ..at(NOW_MS) };
    assert!(fits(restarted, &rows));
    let own = held(restarted.of_call(&id(NOW_MS, "00000")));
    assert!(!fits(restarted, &[row(&own, own.bucket, 1)]));
}

#[test]
fn a_call_holds_its_slot_whatever_becomes_of_the_wall_clock() {
    let began = held(at(NOW_MS).of_call(&id(NOW_MS, "00000")));
    let rows = [row(&began, began.bucket, 1)];
    for hours in [-8, 8, 24 * 365 * 56] {
        let set = Now { wall_ms: NOW_MS + 1_000 + hours * HOUR, steady_ms: NOW_MS + 1_000 };
        let moment = Moment { now: set, ..at(NOW_MS) };
        assert!(!fits(moment, &rows), "{hours}");
        let next = held(moment.of_call(&id(set.wall_ms, "00000")));
        assert_eq!(next.bucket, first_slot(NOW_MS + 1_000), "{hours}");
        assert_eq!(slot(&id(set.wall_ms, "00000"), set), Some(next.bucket), "{hours}");
    }
}

#[test]
fn a_clock_that_was_set_back_hides_no_call_from_its_limit() {
    let set_back = Moment { boot_ms: Some(NOW_MS), ..at(NOW_MS - HOUR) };
    let own = held(set_back.of_call(&id(NOW_MS - HOUR, "00000")));
    assert!(!fits(set_back, &[row(&own, own.bucket, 1)]));
}

#[test]
fn rows_of_older_versions_and_of_clocks_before_all_calls_are_no_slots() {
    let of_a_minute = NOW_MS - NOW_MS % MINUTE_MS;
    let own = held(at(NOW_MS));
    assert!(fits(at(NOW_MS), &[row(&own, of_a_minute, 9)]), "a version before this kept them by the minute");
    assert!(held(at(0)).bucket >= SLOT_MIN);
}
