//! Targets that send on whatever name is asked.

use super::*;
use crate::candidate::AttemptParts;
use crate::catalog::{Catalog, Document};
use crate::health::lanes::REQUESTED_LANES_MAX;
use crate::health::subjects::{REQUESTED_TARGETS_MAX, REQUESTED_WINDOWS_MAX};
use crate::operation::Operation;

fn requested(name: &str) -> Subjects {
    Subjects::of("p", "*", Some("c-1"), None).of_requested("c-1", name)
}

fn cooled(health: &mut Health, name: &str, now_ms: i64) {
    health.note(&requested(name), Verdict::of(Class::Rate), "429", at(now_ms, 0.5));
}

fn is_able(health: &Health, name: &str) -> bool {
    requested(name).beside_target().all(|subject| health.availability(subject, NOW_MS + 100) == Availability::Able)
}

#[test]
fn a_quota_of_one_asked_name_is_not_that_of_the_others() {
    let mut health = Health::default();
    cooled(&mut health, "pro", NOW_MS);
    assert_eq!((is_able(&health, "pro"), is_able(&health, "flash")), (false, true));
}

#[test]
fn names_beyond_those_kept_apart_share_one_lane() {
    let mut health = Health::default();
    for number in 0..1000 {
        cooled(&mut health, &format!("n-{number}"), NOW_MS + number / 20);
    }
    assert_eq!(health.troubled().count(), REQUESTED_LANES_MAX + 1);
    assert!(!is_able(&health, "n-999") && !is_able(&health, "never-seen"));
    let other = Subjects::of("p", "*", Some("c-2"), None).of_requested("c-2", "n-1");
    assert!(other.beside_target().all(|subject| health.availability(subject, NOW_MS) == Availability::Able));
}

#[test]
fn free_models_that_clients_name_share_what_is_free() {
    let mut health = Health::default();
    let spent = Verdict { kind: ErrorKind::FreeQuota, ..Verdict::of(Class::Rate) };
    health.note(&requested("a:free"), spent, "429", at(NOW_MS, 0.5));
    assert!(!is_able(&health, "b:free") && is_able(&health, "a"));
}

#[test]
fn names_a_credential_may_not_use_never_rest_it_on_all_the_others() {
    let mut health = Health::default();
    for number in 0..1000 {
        let denied = Verdict { kind: ErrorKind::ModelDenied, ..Verdict::of(Class::Credential) };
        health.note(&requested(&format!("n-{number}")), denied, "403", at(NOW_MS, 0.5));
    }
    assert_eq!(health.troubled().count(), REQUESTED_LANES_MAX);
    assert!(!is_able(&health, "n-1") && is_able(&health, "never-seen"));
}

/// A target without a name of its own.
fn any() -> Catalog {
    let text = "providers = [{ name = \"p\", base_url = \"https://p.example/v1\" }]\n\
                models = [{ name = \"m\", aliases = [\"m-*\"], targets = [\"p/*\"] }]";
    Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog")
}

fn to(catalog: &Catalog, health: &Health, name: &str) -> Subjects {
    let (target, provider) = (&catalog.models[0].targets[0], &catalog.providers[0]);
    Subjects::to(AttemptParts { target, provider, upstream_model: name, credential: None }, Operation::Chat, health)
}

fn fails(catalog: &Catalog, health: &mut Health, name: &str) {
    let of = to(catalog, health, name);
    (0..5).for_each(|_| drop(health.note(&of, Verdict::of(Class::Target), "503", at(NOW_MS, 0.5))));
}

#[test]
fn a_model_that_is_broken_does_not_open_the_breaker_of_the_others() {
    let (catalog, mut health) = (any(), Health::default());
    fails(&catalog, &mut health, "broken");
    let is_open = |name: &str| health.availability(&to(&catalog, &health, name).target, NOW_MS) != Availability::Able;
    assert!(is_open("broken") && !is_open("fine"));
}

#[test]
fn names_beyond_those_kept_apart_share_one_breaker() {
    let (catalog, mut health) = (any(), Health::default());
    for number in 0..100 {
        fails(&catalog, &mut health, &format!("n-{number}"));
    }
    assert_eq!(health.troubled().count(), REQUESTED_TARGETS_MAX + 1);
    assert_eq!(to(&catalog, &health, "n-0").target, "target/p/n-0");
    assert_eq!(to(&catalog, &health, "never-seen").target, "target/p/*");
    let mut health = Health::default();
    for number in 0..1000 {
        let of = to(&catalog, &health, &format!("n-{number}"));
        health.note(&of, Verdict::of(Class::Ok), "", at(NOW_MS, 0.5));
    }
    assert_eq!(health.windows.keys().filter(|known| known.kind() == "target").count(), REQUESTED_WINDOWS_MAX + 1);
}
