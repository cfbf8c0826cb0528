//! Targets that send on whatever name is asked.

use super::*;

fn asked(name: &str) -> Subjects {
    Subjects::of("p", "*", Some("c-1"), None).asked("c-1", name)
}

fn cooled(health: &mut Health, name: &str, now_ms: i64) {
    health.note(&asked(name), Verdict::of(Class::Rate), "429", at(now_ms, 0.5));
}

fn is_able(health: &Health, name: &str) -> bool {
    asked(name).beside_target().all(|key| health.availability(key, NOW_MS + 100) == Availability::Able)
}

#[test]
fn a_quota_of_one_asked_name_is_not_that_of_the_others() {
    let mut health = Health::default();
    cooled(&mut health, "pro", NOW_MS);
    assert_eq!((is_able(&health, "pro"), is_able(&health, "flash")), (false, true));
    assert_eq!(asked("pro").target, asked("flash").target, "the breaker is one");
}

#[test]
fn names_beyond_those_kept_apart_share_one_lane() {
    let mut health = Health::default();
    for number in 0..1000 {
        cooled(&mut health, &format!("n-{number}"), NOW_MS + number / 20);
    }
    assert_eq!(health.troubled().count(), ASKED_LANES_MAX + 1);
    assert!(!is_able(&health, "n-999") && !is_able(&health, "never-seen"));
    let other = Subjects::of("p", "*", Some("c-2"), None).asked("c-2", "n-1");
    assert!(other.beside_target().all(|key| health.availability(key, NOW_MS) == Availability::Able));
}

#[test]
fn free_models_that_clients_name_share_what_is_free() {
    let mut health = Health::default();
    let spent = Verdict { nature: Nature::FreeQuota, ..Verdict::of(Class::Rate) };
    health.note(&asked("a:free"), spent, "429", at(NOW_MS, 0.5));
    assert!(!is_able(&health, "b:free") && is_able(&health, "a"));
}

#[test]
fn names_a_credential_may_not_use_never_rest_it_on_all_the_others() {
    let mut health = Health::default();
    for number in 0..1000 {
        let denied = Verdict { nature: Nature::ModelDenied, ..Verdict::of(Class::Credential) };
        health.note(&asked(&format!("n-{number}")), denied, "403", at(NOW_MS, 0.5));
    }
    assert_eq!(health.troubled().count(), ASKED_LANES_MAX);
    assert!(!is_able(&health, "n-1") && is_able(&health, "never-seen"));
}
