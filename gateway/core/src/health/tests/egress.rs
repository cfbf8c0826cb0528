//! The way out: judged apart from the provider behind it and the credential that uses it.

use super::*;

fn through(provider: &str, credential: &str) -> Subjects {
    Subjects::of(provider, "m", Some(credential), Some("proxy.example:80"))
}

fn of_proxy(kind: ErrorKind) -> Verdict {
    Verdict { kind, ..Verdict::of(Class::Egress) }
}

#[test]
fn a_refused_place_rests_for_its_providers_credentials_and_nobody_else() {
    let mut health = Health::default();
    health.note(&through("p", "c-1"), Verdict::of(Class::Egress), "400", at(NOW_MS, 0.5));
    assert!(!health.is_able(&through("p", "c-1"), NOW_MS));
    assert!(!health.is_able(&through("p", "c-2"), NOW_MS + 4 * MINUTE_MS), "it comes out at the same place");
    let elsewhere = Subjects::of("p", "m", Some("c-1"), Some("other.example:80"));
    assert!(health.is_able(&elsewhere, NOW_MS), "the credential is not to blame");
    assert!(health.is_able(&through("q", "c-3"), NOW_MS), "nor is the proxy");
    assert!(health.is_able(&through("p", "c-1"), NOW_MS + 5 * MINUTE_MS));
}

#[test]
fn a_failing_proxy_rests_for_all_behind_it_and_opens_no_breaker() {
    let mut health = Health::default();
    for _ in 0..4 {
        assert!(health.note(&through("p", "c-1"), of_proxy(ErrorKind::Egress), "refused", at(NOW_MS, 0.5)).is_empty());
    }
    assert!(health.is_able(&through("p", "c-1"), NOW_MS), "one failure or four say little");
    health.note(&through("p", "c-1"), of_proxy(ErrorKind::Egress), "refused", at(NOW_MS, 0.5));
    assert!(!health.is_able(&through("q", "c-3"), NOW_MS));
    let target = through("p", "c-1").target;
    assert_eq!(health.availability(&target, NOW_MS), Availability::Able);
    assert!(!health.is_failing(&target));
    assert!(health.is_able(&Subjects::of("p", "m", Some("c-1"), None), NOW_MS), "without the proxy it is reached");
    assert!(health.is_able(&through("q", "c-3"), NOW_MS + 1_000));
}

#[test]
fn a_provider_the_proxy_cannot_reach_takes_no_other_provider_down() {
    let mut health = Health::default();
    for _ in 0..5 {
        health.note(&through("p", "c-1"), of_proxy(ErrorKind::Tunnel), "unsuccessful", at(NOW_MS, 0.5));
    }
    assert!(!health.is_able(&through("p", "c-2"), NOW_MS));
    assert!(health.is_able(&through("q", "c-3"), NOW_MS));
}

#[test]
fn a_success_through_the_proxy_clears_it_and_ends_the_row_of_failures() {
    let mut health = Health::default();
    for _ in 0..4 {
        health.note(&through("p", "c-1"), of_proxy(ErrorKind::Egress), "refused", at(NOW_MS, 0.5));
    }
    health.note(&through("q", "c-3"), Verdict::of(Class::Ok), "", at(NOW_MS, 0.5));
    assert!(health.note(&through("p", "c-1"), of_proxy(ErrorKind::Egress), "refused", at(NOW_MS, 0.5)).is_empty());
    (0..4)
        .for_each(|_| drop(health.note(&through("p", "c-1"), of_proxy(ErrorKind::Egress), "refused", at(NOW_MS, 0.5))));
    assert!(!health.is_able(&through("q", "c-3"), NOW_MS));
    let cleared = health.note(&through("q", "c-3"), Verdict::of(Class::Ok), "", at(NOW_MS, 0.5));
    assert_eq!(cleared, ["egress/proxy.example:80"]);
}
