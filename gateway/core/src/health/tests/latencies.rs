//! How quick targets are, as instances tell each other.

use super::*;

fn known(health: &Health, now_ms: i64) -> Vec<(String, f64, i64)> {
    let all = health.latencies(now_ms).into_iter();
    all.map(|each| (each.target.key(), each.first_content_ms, each.as_of_ms - NOW_MS)).collect()
}

#[test]
fn what_another_instance_found_later_counts_and_mixes_with_new_samples() {
    let (mut one, mut other, target) = (Health::default(), Health::default(), subject("target/p/m"));
    one.answered_in(&target, true, 100, NOW_MS);
    other.answered_in(&target, true, 900, NOW_MS + 1000);
    one.merge_latencies(other.latencies(NOW_MS + 1000), NOW_MS + 1000);
    other.merge_latencies(one.latencies(NOW_MS + 1000), NOW_MS + 1000);
    assert_eq!(known(&one, NOW_MS + 1000), [("target/p/m".to_owned(), 900.0, 1000)]);
    assert_eq!(known(&one, NOW_MS + 1000), known(&other, NOW_MS + 1000));
    one.answered_in(&target, true, 100, NOW_MS + 1000);
    assert_eq!(known(&one, NOW_MS + 1000)[0].1, 820.0);
}

#[test]
fn what_is_old_is_not_told_and_what_cannot_be_is_not_believed() {
    let mut health = Health::default();
    health.answered_in(&subject("target/p/m"), true, 100, NOW_MS);
    assert_eq!(known(&health, NOW_MS + MINUTE_MS), []);
    let latency = |first_content_ms: f64, as_of_ms: i64| TargetLatency {
        target: subject("target/p/n"),
        is_streamed: true,
        first_content_ms,
        as_of_ms,
    };
    let wrong =
        [latency(f64::NAN, NOW_MS), latency(-1.0, NOW_MS), latency(1e12, NOW_MS), latency(5.0, NOW_MS + MINUTE_MS)];
    health.merge_latencies(wrong.to_vec(), NOW_MS);
    assert_eq!(known(&health, NOW_MS).len(), 1);
}

#[test]
fn a_whole_answer_is_waited_for_as_long_as_whole_answers_take() {
    let (mut health, of) = (Health::default(), subjects());
    let wait_ms = |health: &Health, streamed| health.wait_ms(&of.target, streamed, NOW_MS);
    assert_eq!(wait_ms(&health, false), None);
    health.answered_in(&of.target, true, 100, NOW_MS);
    assert_eq!((wait_ms(&health, true), wait_ms(&health, false)), (Some(100.0), Some(100.0)), "better than nothing");
    health.answered_in(&of.target, false, 900, NOW_MS);
    assert_eq!((wait_ms(&health, true), wait_ms(&health, false)), (Some(100.0), Some(900.0)));
    health.note(&of, Verdict::of(Class::Target), "", at(NOW_MS, 0.5));
    assert!(wait_ms(&health, true) > Some(100.0) && wait_ms(&health, false) > Some(900.0));
}

#[test]
fn a_latency_is_published_under_the_key_of_streams_or_of_whole_answers() {
    let latency = |is_streamed| TargetLatency {
        target: subject("target/p/m"),
        is_streamed,
        first_content_ms: 5.5,
        as_of_ms: NOW_MS,
    };
    for (is_streamed, name) in [(true, "target/p/m"), (false, "whole/p/m")] {
        let text = serde_json::to_string(&latency(is_streamed)).expect("JSON");
        assert_eq!(text, format!(r#"{{"target":"{name}","first_content_ms":5.5,"as_of_ms":1800000000000}}"#));
        assert_eq!(serde_json::from_str::<TargetLatency>(&text).expect("a latency"), latency(is_streamed));
    }
}
