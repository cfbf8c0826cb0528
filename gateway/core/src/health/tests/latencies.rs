//! How quick targets are, as instances tell each other.

use super::*;

fn known(health: &Health, now_ms: i64) -> Vec<(String, f64, i64)> {
    let all = health.latencies(now_ms).into_iter();
    all.map(|each| (each.target, each.first_content_ms, each.as_of_ms - NOW_MS)).collect()
}

#[test]
fn what_another_instance_found_later_counts_and_new_samples_are_mixed_into_it() {
    let (mut one, mut other) = (Health::default(), Health::default());
    one.answered_in("target/p/m", 100, NOW_MS);
    other.answered_in("target/p/m", 900, NOW_MS + 1000);
    one.merge_latencies(other.latencies(NOW_MS + 1000), NOW_MS + 1000);
    other.merge_latencies(one.latencies(NOW_MS + 1000), NOW_MS + 1000);
    assert_eq!(known(&one, NOW_MS + 1000), [("target/p/m".to_owned(), 900.0, 1000)]);
    assert_eq!(known(&one, NOW_MS + 1000), known(&other, NOW_MS + 1000));
    one.answered_in("target/p/m", 100, NOW_MS + 1000);
    assert_eq!(known(&one, NOW_MS + 1000)[0].1, 820.0);
}

#[test]
fn what_is_old_is_not_told_and_what_cannot_be_is_not_believed() {
    let mut health = Health::default();
    health.answered_in("target/p/m", 100, NOW_MS);
    assert_eq!(known(&health, NOW_MS + MINUTE_MS), []);
    let signal = |first_content_ms: f64, as_of_ms: i64| TargetLatency {
        target: "target/p/n".to_owned(),
        first_content_ms,
        as_of_ms,
    };
    let wrong = [signal(f64::NAN, NOW_MS), signal(-1.0, NOW_MS), signal(1e12, NOW_MS), signal(5.0, NOW_MS + MINUTE_MS)];
    health.merge_latencies(wrong.to_vec(), NOW_MS);
    assert_eq!(known(&health, NOW_MS).len(), 1);
}

#[test]
fn a_whole_answer_is_waited_for_as_long_as_whole_answers_take() {
    let (mut health, of) = (Health::default(), subjects());
    let wait_ms = |health: &Health, streamed| health.wait_ms(&of.target, streamed, NOW_MS);
    assert_eq!(wait_ms(&health, false), None);
    health.answered_in(&of.target, 100, NOW_MS);
    assert_eq!((wait_ms(&health, true), wait_ms(&health, false)), (Some(100.0), Some(100.0)), "better than nothing");
    health.answered_in(&whole(&of.target), 900, NOW_MS);
    assert_eq!((wait_ms(&health, true), wait_ms(&health, false)), (Some(100.0), Some(900.0)));
    health.note(&of, Verdict::of(Class::Target), "", at(NOW_MS, 0.5));
    assert!(wait_ms(&health, true) > Some(100.0) && wait_ms(&health, false) > Some(900.0));
}
