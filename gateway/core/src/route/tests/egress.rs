//! Which ways out a call may take.

use super::*;
use crate::health::AttemptTime;
use crate::verdict::{Class, ErrorKind, Verdict};

fn behind_proxies() -> Catalog {
    let text = r#"
        models = [{ name = "m", targets = ["a/x"] }]
        [[providers]]
        name = "a"
        base_url = "https://a.example/v1"
        egress = "http://one.example:80"
        credentials = ["k1", "k2", { value = "k3", egress = "http://two.example:80" }, { value = "k4", egress = "${NOT_SET}" }]
    "#;
    let mut catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
    catalog.resolve(None, &|_| None);
    catalog
}

fn refused_at(egress: &str) -> Health {
    let mut health = Health::default();
    let at = AttemptTime { started_ms: NOW_MS, now_ms: NOW_MS, jitter: 0.5 };
    health.note(&Subjects::of("a", "x", Some("c-0"), Some(egress)), Verdict::of(Class::Egress), "400", at);
    health
}

fn routed_with(health: &Health, proxies: bool) -> Candidates {
    let catalog = behind_proxies();
    route(&RouteRequest { proxies, ..ask(&catalog, health, 1) }, &mut Rotation::default())
}

#[test]
fn a_credential_whose_egress_is_not_known_is_never_sent_another_way() {
    let list = routed_with(&Health::default(), true).list;
    let mut credentials = pool_places(&list[0]);
    credentials.sort_unstable();
    assert_eq!(credentials, [0, 1, 2]);
}

#[test]
fn credentials_say_which_of_them_share_a_way_out() {
    let candidate = routed_with(&Health::default(), true).list.remove(0);
    let way_of = |credential: usize| {
        let position = pool_places(&candidate).iter().position(|each| *each == credential).expect("a candidate");
        candidate.egress_groups[position]
    };
    assert!(way_of(0) == way_of(1) && way_of(0) != way_of(2), "{candidate:?}");
}

#[test]
fn a_way_out_that_rests_keeps_back_every_credential_that_takes_it() {
    let candidates = routed_with(&refused_at("one.example:80"), true);
    assert_eq!(pool_places(&candidates.list[0]), [2]);
}

#[test]
fn a_host_that_can_use_no_proxy_skips_who_needs_one_and_says_so() {
    let candidates = routed_with(&Health::default(), false);
    assert!(candidates.list.is_empty());
    assert_eq!(candidates.skipped[0].reason, SkipReason::EgressUnsupported);
    assert_eq!(candidates.skipped[0].until_ms, None);
}

#[test]
fn an_unreachable_host_keeps_back_who_goes_there_directly_and_is_named() {
    let text = r#"
        models = [{ name = "m", targets = ["a/x", "b/x", "c/x"] }]
        providers = [
            { name = "a", base_url = "http://Down.example/v1" },
            { name = "b", base_url = "http://down.example:80/other", credentials = ["k1", { value = "k2", egress = "http://proxy.example:80" }] },
            { name = "c", base_url = "https://down.example/v1" },
        ]
    "#;
    let mut catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
    catalog.resolve(None, &|_| None);
    let mut health = Health::default();
    let at = |now_ms| AttemptTime { started_ms: now_ms, now_ms, jitter: 0.5 };
    let of = Subjects::of("a", "x", None, None).at("http://down.example:80");
    let timed_out = Verdict { kind: ErrorKind::ConnectTimeout, ..Verdict::of(Class::Target) };
    health.note(&of, timed_out, "did not accept the connection in time", at(NOW_MS));
    let routed = |now_ms| {
        route(&RouteRequest { now: Now::of_wall(now_ms), ..ask(&catalog, &health, 1) }, &mut Rotation::default())
    };
    let candidates = routed(NOW_MS);
    let address = Some("http://down.example:80".to_owned());
    let skip = Skip { reason: SkipReason::Unreachable, until_ms: Some(NOW_MS + 1_000), message: address };
    assert_eq!(candidates.skipped, [skip.of("a/x".to_owned())]);
    let mut left = places(&catalog, &candidates);
    left.sort_unstable();
    assert_eq!(left, [1, 2], "another port is another address");
    let behind_proxy = candidates.list.iter().find(|each| !each.credentials.is_empty()).expect("b");
    assert_eq!((pool_places(behind_proxy), behind_proxy.failing), (vec![1], false));
    // Then it is tried again, and an attempt there is one at a target that fails.
    let candidates = routed(NOW_MS + 1_000);
    let failing = |place: usize| {
        let at = places(&catalog, &candidates).iter().position(|other| *other == place).expect("a candidate");
        candidates.list[at].failing
    };
    assert_eq!([0, 1, 2].map(failing), [true, true, false]);
}

#[test]
fn a_target_out_of_reach_tells_which_way_out_rests_and_until_when() {
    let text = r#"{ provider = "a", model = "x" }"#;
    let catalog = catalog(text);
    let mut health = Health::default();
    let at = AttemptTime { started_ms: NOW_MS, now_ms: NOW_MS, jitter: 0.5 };
    health.note(&Subjects::of("a", "x", Some("c-0"), None), Verdict::of(Class::Egress), "400", at);
    let candidates = route(&ask(&catalog, &health, 1), &mut Rotation::default());
    let skipped = &candidates.skipped[0];
    assert_eq!((skipped.reason, skipped.message.as_deref()), (SkipReason::EgressResting, Some("direct")));
    assert_eq!(skipped.until_ms, Some(NOW_MS + 300_000));
}
