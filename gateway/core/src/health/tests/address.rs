//! The address of a host: judged apart from the models, providers and credentials that are asked there.

use super::*;

const ADDRESS: &str = "http://host.example:8080";

fn there(provider: &str, model: &str, credential: &str) -> Subjects {
    Subjects::of(provider, model, Some(credential), None).at(ADDRESS)
}

fn failure(kind: ErrorKind) -> Verdict {
    Verdict { kind, ..Verdict::of(Class::Target) }
}

fn noted(health: &mut Health, kind: ErrorKind, now_ms: i64) -> Vec<Subject> {
    health.note(&there("p", "m", "c-1"), failure(kind), "could not be reached", at(now_ms, 0.5))
}

/// Whether the address may be used: `yes`, `probe`, or the milliseconds until then.
fn says(health: &Health, now_ms: i64) -> String {
    match health.availability(&Subject::Address(ADDRESS.into()), now_ms) {
        Availability::Able => "yes".to_owned(),
        Availability::Probe => "probe".to_owned(),
        Availability::Not(_, until_ms) => (until_ms - now_ms).to_string(),
    }
}

/// An address that is open for a second.
fn timed_out() -> Health {
    let mut health = Health::default();
    assert_eq!(noted(&mut health, ErrorKind::ConnectTimeout, NOW_MS), [format!("address/{ADDRESS}").as_str()]);
    health
}

#[test]
fn refused_connections_of_all_who_are_sent_there_count_together() {
    let mut health = Health::default();
    for (index, (provider, model)) in [("p", "m"), ("p", "n"), ("q", "m"), ("q", "n")].into_iter().enumerate() {
        let of = there(provider, model, &format!("c-{index}"));
        assert!(health.note(&of, failure(ErrorKind::Unreachable), "refused", at(NOW_MS, 0.5)).is_empty());
    }
    assert_eq!(says(&health, NOW_MS), "yes", "four say little");
    assert!(health.is_failing(&Subject::Address(ADDRESS.into())));
    noted(&mut health, ErrorKind::Unreachable, NOW_MS);
    assert_eq!(says(&health, NOW_MS), "1000");
    let target = there("p", "m", "c-1").target;
    assert!(!health.is_failing(&target), "no target is to blame");
    let behind_proxy = Subjects::of("p", "m", Some("c-1"), Some("proxy.example:80"));
    assert!(behind_proxy.all().all(|subject| health.availability(subject, NOW_MS) == Availability::Able));
}

#[test]
fn a_connect_time_out_opens_its_address_at_once_each_for_twice_as_long() {
    let (mut health, mut now_ms) = (Health::default(), NOW_MS);
    for wait_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        noted(&mut health, ErrorKind::ConnectTimeout, now_ms);
        assert_eq!(says(&health, now_ms), wait_ms.to_string());
        now_ms += wait_ms;
        assert_eq!(says(&health, now_ms), "probe");
    }
}

#[test]
fn connects_under_way_when_it_was_opened_make_it_no_longer() {
    let mut health = timed_out();
    for later_ms in [1, 999, 1_000, 4_999] {
        let at = AttemptTime { started_ms: NOW_MS - 1, now_ms: NOW_MS + later_ms, jitter: 0.5 };
        assert!(health.note(&there("q", "n", "c-2"), failure(ErrorKind::ConnectTimeout), "", at).is_empty());
    }
    assert_eq!(says(&health, NOW_MS), "1000");
}

#[test]
fn one_call_at_a_time_finds_out_whether_a_host_is_back() {
    let mut health = timed_out();
    let (of, back_ms) = (there("q", "n", "c-2"), NOW_MS + 1_000);
    assert_eq!(health.probes_due(of.all(), back_ms), [format!("address/{ADDRESS}").as_str()]);
    health.claim_probe(&Subject::Address(ADDRESS.into()), back_ms + PROBE_MS_MAX);
    assert_eq!(says(&health, back_ms), PROBE_MS_MAX.to_string());
    assert_eq!(health.begun(&of, at(back_ms, 0.5)), [format!("address/{ADDRESS}").as_str()]);
    assert_eq!(says(&health, back_ms), "yes");
}

#[test]
fn anything_that_comes_from_the_host_clears_its_address() {
    let refused = |class| Verdict::of(class);
    let later = at(NOW_MS + 1_000, 0.5);
    for (verdict, is_cleared) in [
        (refused(Class::Ok), true),
        (refused(Class::Client), true),
        (refused(Class::Credential), true),
        (refused(Class::Rate), true),
        (refused(Class::Egress), true),
        (refused(Class::Target), true),
        (failure(ErrorKind::Request), true),
        (failure(ErrorKind::UnknownModel), true),
        (failure(ErrorKind::NoAnswer), false),
        (refused(Class::Gone), false),
    ] {
        let mut health = timed_out();
        health.note(&there("q", "n", "c-2"), verdict, "", later);
        assert_eq!(says(&health, later.now_ms) == "yes", is_cleared, "{verdict:?}");
    }
}

#[test]
fn an_answer_that_was_asked_for_before_says_nothing_of_an_address() {
    let mut health = timed_out();
    let earlier = AttemptTime { started_ms: NOW_MS - 1, now_ms: NOW_MS + 1, jitter: 0.5 };
    assert!(health.begun(&there("q", "n", "c-2"), earlier).is_empty());
    assert_eq!(says(&health, NOW_MS + 1), "999");
}

#[test]
fn answers_end_a_row_of_refused_connects_but_half_of_twenty_still_open() {
    let mut health = Health::default();
    for _ in 0..2 {
        (0..4).for_each(|_| drop(noted(&mut health, ErrorKind::Unreachable, NOW_MS)));
        (0..4).for_each(|_| drop(health.begun(&there("q", "n", "c-2"), at(NOW_MS, 0.5))));
    }
    (0..3).for_each(|_| drop(noted(&mut health, ErrorKind::Unreachable, NOW_MS)));
    assert_eq!(says(&health, NOW_MS), "yes", "nineteen are too few to tell");
    noted(&mut health, ErrorKind::Unreachable, NOW_MS);
    assert_eq!(says(&health, NOW_MS), "1000");
}
