//! Providers that say with a good answer that it was the last one.

use super::*;
use crate::outcome::limits::{LimitSignal, Span};

fn signal(of_account: bool, remaining: u64, in_ms: i64, is_reset: bool) -> LimitSignal {
    LimitSignal {
        what: "requests".to_owned(),
        per: is_reset.then_some(Span::Day),
        of_account,
        limit: Some(50),
        remaining: Some(remaining),
        resets_at_ms: Some(NOW_MS + in_ms),
        is_reset,
    }
}

impl Story {
    fn used_up(&mut self, signals: &[LimitSignal]) -> Vec<Subject> {
        self.health.used_up(&subjects(), signals, self.now_ms)
    }
}

#[test]
fn a_used_up_lane_rests_until_its_reset_whatever_success_told_of_it() {
    let mut story = Story::new();
    assert_eq!(story.used_up(&[signal(false, 0, 4 * 3_600_000, true)]), ["lane/c-1/m"]);
    story.class(Class::Ok);
    assert_eq!(story.says(), ["yes", "yes", "14400000"]);
    assert_eq!(story.used_up(&[signal(false, 0, 4 * 3_600_000, true)]), [""; 0], "the same again is no news");
    let standing = story.health.standing(&subjects().lane).unwrap();
    assert_eq!(
        (standing.trouble, standing.message.as_str()),
        (Trouble::Spent, "the provider says that 0 of 50 requests are left")
    );
    story.later(4 * 3_600_000);
    assert_eq!(story.says(), ["yes", "yes", "yes"]);
    story.class(Class::Ok);
    assert!(story.health.is_calm());
}

#[test]
fn what_is_used_up_of_an_account_keeps_its_credential_back() {
    let mut story = Story::new();
    assert_eq!(story.used_up(&[signal(true, 0, 1000, true), signal(false, 7, 9000, true)]), ["credential/c-1"]);
    assert_eq!(story.says(), ["yes", "1000", "yes"]);
}

#[test]
fn something_left_or_no_time_to_wait_for_keeps_nobody_back() {
    let mut story = Story::new();
    let past = signal(false, 0, 0, true);
    let never = LimitSignal { resets_at_ms: None, ..past.clone() };
    assert_eq!(story.used_up(&[signal(false, 1, 9000, true), past, never]), [""; 0]);
    assert!(story.health.is_calm());
}

#[test]
fn a_bucket_that_is_refilled_all_the_time_is_waited_for_a_minute_at_most() {
    let mut story = Story::new();
    story.used_up(&[signal(false, 0, 2000, false)]);
    assert_eq!(story.says(), ["yes", "yes", "2000"]);
    story.used_up(&[signal(false, 0, 240_000, false)]);
    assert_eq!(story.says(), ["yes", "yes", "60000"]);
}

#[test]
fn a_refusal_meanwhile_may_make_a_used_up_day_longer_but_not_shorter() {
    let mut story = Story::new();
    story.used_up(&[signal(false, 0, 3_600_000, true)]);
    story.class(Class::Rate);
    assert_eq!(story.says(), ["yes", "yes", "3600000"]);
    story.note(verdict(Class::Rate, Some((7_200_000, true))));
    assert_eq!(story.says(), ["yes", "yes", "7200000"]);
}

#[test]
fn a_used_up_day_is_looked_at_each_hour_and_given_back_once_served() {
    let mut story = Story::new();
    let day = [signal(false, 0, 4 * 3_600_000, true)];
    story.used_up(&day);
    story.later(3_600_000);
    assert_eq!(story.says()[2], "probe");
    story.used_up(&day);
    assert_eq!(story.says()[2], "10800000", "the answer said that nothing is left all the same");
    story.class(Class::Ok);
    assert_eq!(story.says()[2], "10800000");
    story.later(3_600_000);
    story.note(verdict(Class::Rate, Some((1000, false))));
    assert_eq!(story.says()[2], "7200000", "a call that is refused makes it no shorter");
    story.later(3_600_000).class(Class::Ok);
    assert!(story.health.is_calm());
}
