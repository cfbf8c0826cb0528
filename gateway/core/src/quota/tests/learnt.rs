//! What is news of what providers tell, and whose word counts.

use super::*;
use crate::health::Subjects;
use crate::outcome::limits::{LimitSignal, Span};

fn signal(limit: u64, remaining: u64, resets_at_ms: i64) -> LimitSignal {
    LimitSignal {
        what: "requests".to_owned(),
        per: Some(Span::Day),
        of_account: false,
        limit: Some(limit),
        remaining: Some(remaining),
        resets_at_ms: Some(resets_at_ms),
        is_reset: true,
    }
}

fn subjects() -> Subjects {
    Subjects::of("p", "m", Some("c-1"), None)
}

#[test]
fn one_less_is_no_news_and_the_first_the_last_and_another_day_are() {
    let mut limits = LearntLimits::default();
    let mut is_news = |signal: LimitSignal| limits.learn(&subjects(), vec![signal], 5);
    assert!(is_news(signal(50, 9, HOUR)));
    assert!(!is_news(signal(50, 8, HOUR + 1000)));
    assert!(is_news(signal(50, 0, HOUR)));
    assert!(is_news(signal(50, 49, 25 * HOUR)));
    assert!(is_news(signal(1000, 48, 25 * HOUR)));
    let minute = |resets_at_ms| LimitSignal { per: None, ..signal(60, 9, resets_at_ms) };
    assert!(is_news(minute(0)));
    assert!(!is_news(minute(9 * HOUR)), "a minute ends all the time");
}

#[test]
fn limits_of_an_account_are_its_credentials_and_the_rest_is_its_lanes() {
    let mut limits = LearntLimits::default();
    limits.learn(&subjects(), vec![LimitSignal { of_account: true, ..signal(2000, 9, HOUR) }, signal(500, 9, HOUR)], 5);
    let known: Vec<(String, Option<u64>)> = limits.all().map(|each| (each.subject.key(), each.signal.limit)).collect();
    assert_eq!(known, [("credential/c-1".to_owned(), Some(2000)), ("lane/c-1/m".to_owned(), Some(500))]);
}

#[test]
fn the_newer_word_counts_and_an_old_one_is_forgotten() {
    let mut limits = LearntLimits::default();
    let now_ms = 100 * HOUR;
    limits.learn(&subjects(), vec![signal(50, 9, now_ms)], now_ms);
    let other =
        |as_of_ms, remaining| Learnt { subject: subjects().lane, signal: signal(50, remaining, now_ms), as_of_ms };
    let remaining = |limits: &LearntLimits| limits.all().map(|each| each.signal.remaining).collect::<Vec<_>>();
    limits.merge(vec![other(now_ms - 1, 10)], now_ms);
    assert_eq!(remaining(&limits), [Some(9)]);
    limits.merge(vec![other(now_ms + 1, 8), other(now_ms + 10 * HOUR, 1)], now_ms + 1);
    assert_eq!(remaining(&limits), [Some(8)], "nobody has heard it hours from now");
    limits.merge(Vec::new(), now_ms + 49 * HOUR);
    assert_eq!(remaining(&limits), []);
}

#[test]
fn no_more_is_remembered_than_the_bound() {
    let mut limits = LearntLimits::default();
    for index in 0..1100i64 {
        limits.learn(&Subjects::of("p", &format!("m{index}"), None, None), vec![signal(1, 1, 0)], index);
    }
    assert_eq!((limits.all().count(), limits.all().map(|each| each.as_of_ms).min()), (1024, Some(76)));
}
