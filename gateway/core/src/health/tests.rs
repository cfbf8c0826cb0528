mod address;
mod egress;
mod requested_models;

use super::*;
use crate::catalog::Document;
use crate::health::standing::LOOK_MS;
use crate::verdict::Hint;

mod latencies;
mod used_up;

const NOW_MS: i64 = 1_800_000_000_000;
const MINUTE_MS: i64 = 60_000;

/// An attempt that took no time.
fn at(now_ms: i64, jitter: f64) -> AttemptTime {
    AttemptTime { started_ms: now_ms, now_ms, jitter }
}

fn subject(key: &str) -> Subject {
    Subject::parse(key).expect("a subject")
}

fn subjects() -> Subjects {
    Subjects::of("p", "m", Some("c-1"), None)
}

fn verdict(class: Class, rest: Option<(u64, bool)>) -> Verdict {
    Verdict { rest: rest.map(|(wait_ms, is_reset)| Hint { wait_ms, is_reset }), ..Verdict::of(class) }
}

/// A health machine, and the time in milliseconds since the test began.
struct Story {
    health: Health,
    now_ms: i64,
}

impl Story {
    fn new() -> Self {
        Story { health: Health::default(), now_ms: NOW_MS }
    }

    fn later(&mut self, ms: i64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    fn note(&mut self, verdict: Verdict) -> &mut Self {
        self.health.note(&subjects(), verdict, "503", at(self.now_ms, 0.5));
        self
    }

    fn class(&mut self, class: Class) -> &mut Self {
        self.note(Verdict::of(class))
    }

    /// Whether target, credential and lane may be used: `yes`, `probe`, or the milliseconds until then.
    fn says(&self) -> [String; 3] {
        let of = subjects();
        let subjects = [of.target, of.credential.expect("a credential"), of.lane];
        subjects.map(|subject| match self.health.availability(&subject, self.now_ms) {
            Availability::Able => "yes".to_owned(),
            Availability::Probe => "probe".to_owned(),
            Availability::Not(_, until_ms) => (until_ms - self.now_ms).to_string(),
        })
    }
}

#[test]
fn five_failures_in_a_row_open_a_breaker_and_one_success_closes_it() {
    let mut story = Story::new();
    for _ in 0..4 {
        story.class(Class::Target);
    }
    assert_eq!(story.says(), ["yes", "yes", "yes"]);
    assert!(story.health.is_failing(&subjects().target));
    story.class(Class::Target);
    assert_eq!(story.says(), ["1000", "yes", "yes"]);
    story.later(1000);
    assert_eq!(story.says()[0], "probe");
    story.class(Class::Ok);
    assert_eq!(story.says()[0], "yes");
    assert!(!story.health.is_failing(&subjects().target));
}

#[test]
fn a_success_in_between_starts_the_count_anew() {
    let mut story = Story::new();
    for _ in 0..10 {
        story.class(Class::Target).class(Class::Target).class(Class::Ok).later(10_000);
    }
    assert_eq!(story.says()[0], "yes");
}

#[test]
fn a_probe_that_fails_doubles_the_wait_up_to_a_minute_with_jitter() {
    let mut story = Story::new();
    for _ in 0..5 {
        story.class(Class::Target);
    }
    for wait in ["2000", "4000", "8000", "16000", "32000", "60000", "60000"] {
        story.later(70_000).class(Class::Target);
        assert_eq!(story.says()[0], wait);
    }
    let waits = |jitter: f64| {
        let mut health = Health::default();
        (0..5).for_each(|_| drop(health.note(&subjects(), Verdict::of(Class::Target), "", at(NOW_MS, jitter))));
        health.standing(&subjects().target).map(|standing| standing.until_ms - NOW_MS)
    };
    assert_eq!((waits(0.0), waits(1.0)), (Some(750), Some(1250)));
}

#[test]
fn one_call_at_a_time_probes_and_a_lost_probe_is_given_up() {
    let mut story = Story::new();
    for _ in 0..5 {
        story.class(Class::Target);
    }
    story.later(1000);
    let target = subjects().target;
    story.health.claim_probe(&target, story.now_ms + PROBE_MS_MAX);
    assert_eq!(story.says()[0], "60000");
    story.later(PROBE_MS_MAX);
    assert_eq!(story.says()[0], "probe");
    story.health.claim_probe(&target, story.now_ms + PROBE_MS_MAX);
    story.class(Class::Gone);
    assert_eq!(story.says()[0], "probe", "a client that left says nothing of the target");
    story.class(Class::Client);
    assert_eq!(story.says()[0], "yes", "a target that refuses a request is up");
}

#[test]
fn calls_under_way_when_a_breaker_opens_do_not_make_it_longer() {
    let mut story = Story::new();
    for _ in 0..50 {
        story.class(Class::Target);
    }
    assert_eq!(story.says()[0], "1000");
    let mut story = Story::new();
    for _ in 0..50 {
        story.class(Class::Rate);
    }
    assert_eq!(story.says()[2], "5000");
}

#[test]
fn a_refused_credential_rests_five_minutes_to_an_hour_and_no_target_does() {
    let mut story = Story::new();
    for minutes in [5, 10, 20, 40, 60, 60] {
        story.class(Class::Credential);
        assert_eq!(story.says(), ["yes".to_owned(), (minutes * MINUTE_MS).to_string(), "yes".to_owned()]);
        story.later(minutes * MINUTE_MS);
    }
    story.class(Class::Ok).class(Class::Credential);
    assert_eq!(story.says()[1], (5 * MINUTE_MS).to_string());
}

#[test]
fn a_credential_that_may_not_use_one_model_rests_on_that_model_only() {
    let mut story = Story::new();
    story.note(Verdict { kind: ErrorKind::ModelDenied, ..Verdict::of(Class::Credential) });
    assert_eq!(story.says(), ["yes", "yes", "300000"]);
}

#[test]
fn spent_money_rests_until_a_told_reset_and_no_mere_wait_shortens_it() {
    let mut story = Story::new();
    story.note(verdict(Class::Credential, Some((7_200_000, true))));
    assert_eq!(story.says()[1], "7200000");
    let mut story = Story::new();
    story.note(verdict(Class::Credential, Some((1000, false))));
    assert_eq!(story.says()[1], "300000");
}

#[test]
fn without_a_credential_a_refusal_rests_the_provider_on_that_model_only() {
    let mut health = Health::default();
    let of = Subjects::of("p", "m", None, None);
    assert_eq!(health.note(&of, Verdict::of(Class::Credential), "401", at(NOW_MS, 0.5)), ["lane/p/m"]);
    assert!(matches!(health.availability(&of.lane, NOW_MS), Availability::Not(Trouble::Resting, _)));
}

#[test]
fn a_rate_limit_cools_one_lane_as_long_as_it_says_and_a_day_at_most() {
    let cooled = |rest| {
        let mut story = Story::new();
        story.note(verdict(Class::Rate, rest));
        story.says()[2].clone()
    };
    assert_eq!(cooled(Some((3000, false))), "3000");
    assert_eq!(cooled(Some((9_000_000, false))), "9000000");
    assert_eq!(cooled(Some((172_800_000, false))), "86400000");
    assert_eq!(cooled(Some((172_800_000, true))), "172800000");
    assert_eq!(cooled(None), "5000");
}

#[test]
fn rests_without_a_told_wait_double_to_5_min_until_a_success() {
    let mut story = Story::new();
    for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
        story.class(Class::Rate);
        assert_eq!(story.says()[2], (wait * 1000).to_string());
        story.later(wait * 1000);
    }
    story.class(Class::Ok).class(Class::Rate);
    assert_eq!(story.says()[2], "5000");
}

#[test]
fn a_used_up_day_whose_end_nobody_told_rests_longer_than_a_minute() {
    let mut story = Story::new();
    let used_up = Verdict { kind: ErrorKind::Quota, ..Verdict::of(Class::Rate) };
    for minutes in [5, 10, 20, 40, 60, 60] {
        story.note(used_up);
        assert_eq!(story.says()[2], (minutes * MINUTE_MS).to_string());
        story.later(minutes * MINUTE_MS);
    }
}

#[test]
fn a_longer_wait_that_is_told_later_is_followed_and_a_shorter_one_is_not() {
    let mut story = Story::new();
    story.note(verdict(Class::Rate, Some((10_000, false)))).later(1000);
    story.note(verdict(Class::Rate, Some((2000, false))));
    assert_eq!(story.says()[2], "9000");
    story.note(verdict(Class::Rate, Some((30_000, false))));
    assert_eq!(story.says()[2], "30000");
}

#[test]
fn an_accounts_quota_cools_its_credential_on_every_model() {
    let mut health = Health::default();
    let spent = Verdict { kind: ErrorKind::AccountQuota, ..Verdict::of(Class::Rate) };
    assert_eq!(health.note(&subjects(), spent, "429", at(NOW_MS, 0.5)), ["credential/c-1"]);
}

#[test]
fn a_quota_of_free_models_cools_those_and_leaves_the_paid_ones() {
    let mut health = Health::default();
    let spent = Verdict { kind: ErrorKind::FreeQuota, ..Verdict::of(Class::Rate) };
    let of = |model: &str, credential: &str| Subjects::of("p", model, Some(credential), None);
    assert_eq!(health.note(&of("q/coder:free", "c-1"), spent, "429", at(NOW_MS, 0.5)), ["lane/c-1/*:free"]);
    let is_able = |health: &Health, of: Subjects| {
        of.beside_target().all(|subject| health.availability(subject, NOW_MS + 1) == Availability::Able)
    };
    assert!(!is_able(&health, of("q/coder:free", "c-1")) && !is_able(&health, of("d/chat:free", "c-1")));
    assert!(is_able(&health, of("q/coder", "c-1")) && is_able(&health, of("q/coder:free", "c-2")));
    health.note(&of("d/chat:free", "c-1"), Verdict::of(Class::Ok), "", at(NOW_MS + 2, 0.5));
    assert!(health.is_calm());
}

#[test]
fn a_model_its_provider_does_not_know_rests_ten_minutes_at_once() {
    let mut story = Story::new();
    story.note(Verdict { kind: ErrorKind::UnknownModel, ..Verdict::of(Class::Target) });
    assert_eq!(story.says()[0], "600000");
}

#[test]
fn a_breaker_is_never_probed_before_the_wait_its_target_told() {
    let mut story = Story::new();
    story.note(verdict(Class::Target, Some((20_000, false))));
    assert_eq!(story.says()[0], "20000");
    story.later(20_000).note(verdict(Class::Target, Some((1, false))));
    assert_eq!(story.says()[0], "2000", "nor before its own");
}

#[test]
fn a_rest_from_before_the_clock_was_set_back_is_looked_at_by_one_call() {
    let mut story = Story::new();
    story.class(Class::Rate).class(Class::Credential).later(-8 * 3_600_000);
    assert_eq!(story.says(), ["yes", "probe", "probe"]);
    let lane = subjects().lane;
    story.health.claim_probe(&lane, story.now_ms + PROBE_MS_MAX);
    assert_ne!(story.says()[2], "probe", "another call does");
    story.class(Class::Rate);
    assert_eq!(story.says()[2], "5000", "and begins anew where it is right");
    story.class(Class::Ok);
    assert!(story.health.is_calm());
}

#[test]
fn a_rest_is_as_long_as_it_was_meant_to_be_whatever_the_wall_clock_says() {
    let mut story = Story::new();
    story.class(Class::Rate).later(1_000);
    for hours in [8, 0, 24 * 365 * 56, 0] {
        story.health.set_ahead(hours * 3_600_000);
        assert_eq!(story.says()[2], "4000", "{hours} h ahead, or set right again");
    }
    story.health.set_ahead(8 * 3_600_000);
    assert_eq!(story.later(4_000).says()[2], "yes");
}

#[test]
fn what_failed_before_the_wall_clock_was_set_back_is_looked_at_by_one_call() {
    let mut story = Story::new();
    story.health.set_ahead(8 * 3_600_000);
    story.class(Class::Credential).later(1_000);
    assert_eq!(story.says()[1], "299000");
    story.health.set_ahead(0);
    assert_eq!(story.says()[1], "probe", "its clock may have been the reason");
    story.class(Class::Credential).later(1_000);
    assert_eq!(story.says()[1], "299000", "it was not");
    story.later(299_000);
    assert_eq!(story.says()[1], "yes");
}

#[test]
fn a_probe_claimed_before_the_clock_was_set_back_keeps_nobody_out() {
    let mut story = Story::new();
    story.note(verdict(Class::Rate, Some((36_000_000, true)))).later(LOOK_MS);
    story.health.claim_probe(&subjects().lane, story.now_ms + PROBE_MS_MAX);
    story.later(-LOOK_MS / 2);
    assert_eq!(story.says()[2], (36_000_000 - LOOK_MS / 2).to_string());
    story.later(LOOK_MS);
    story.health.claim_probe(&subjects().lane, story.now_ms + 10 * PROBE_MS_MAX);
    assert_eq!(story.says()[2], "probe");
}

#[test]
fn what_is_long_over_on_a_clock_that_was_ahead_is_forgotten() {
    let mut story = Story::new();
    story.class(Class::Rate).later(-8 * 3_600_000);
    assert_eq!(story.health.forget(story.now_ms), [subjects().lane]);
}

#[test]
fn a_long_rest_is_looked_at_once_an_hour_and_ends_when_it_is_over_early() {
    let mut story = Story::new();
    story.note(verdict(Class::Rate, Some((36_000_000, true)))).later(LOOK_MS - 1);
    assert_eq!(story.says()[2], (36_000_001 - LOOK_MS).to_string());
    story.later(1);
    assert_eq!(story.says()[2], "probe");
    story.note(verdict(Class::Rate, Some((36_000_000 - LOOK_MS as u64, true))));
    assert_eq!(story.says()[2], (36_000_000 - LOOK_MS).to_string(), "it is as long as it was");
    story.later(LOOK_MS);
    assert_eq!(story.says()[2], "probe");
    story.class(Class::Ok);
    assert_eq!(story.says()[2], "yes");
}

#[test]
fn what_others_publish_is_taken_over_and_own_unpublished_news_is_kept() {
    let mut one = Health::default();
    let mut other = Health::default();
    let changed = one.note(&subjects(), Verdict::of(Class::Credential), "401", at(NOW_MS, 0.5));
    assert_eq!(changed, ["credential/c-1"]);
    let published = || BTreeMap::from([(changed[0].clone(), one.standing(&changed[0]).cloned().expect("it"))]);
    other.note(&Subjects::of("q", "m", None, None), Verdict::of(Class::Rate), "429", at(NOW_MS, 0.5));
    other.merge(published(), |unpublished| *unpublished == "lane/q/m");
    assert_eq!(other.troubled().map(|(known, _)| known.key()).collect::<Vec<_>>(), ["credential/c-1", "lane/q/m"]);
    other.merge(BTreeMap::new(), |_| false);
    assert_eq!(other.troubled().count(), 0);
}

#[test]
fn a_standing_survives_being_written_and_read() {
    let mut health = Health::default();
    health.note(&subjects(), verdict(Class::Rate, Some((3000, false))), "429", at(NOW_MS, 0.5));
    let standing = health.standing(&subjects().lane).expect("a standing");
    let text = serde_json::to_string(standing).expect("JSON");
    assert_eq!(text, r#"{"trouble":"cooling","until_ms":1800000003000,"at_ms":1800000000000,"step":0,"said":"429"}"#);
    assert_eq!(serde_json::from_str::<Standing>(&text).expect("a standing"), *standing);
}

#[test]
fn a_reset_clears_one_subject_or_all_and_old_trouble_is_forgotten() {
    let mut health = Health::default();
    let troubled = |health: &mut Health| {
        health.note(&subjects(), Verdict::of(Class::Credential), "", at(NOW_MS, 0.5));
        health.note(&subjects(), Verdict::of(Class::Rate), "", at(NOW_MS, 0.5));
    };
    troubled(&mut health);
    assert_eq!(health.reset(Some(&subject("lane/c-1/m"))), ["lane/c-1/m"]);
    assert_eq!(health.reset(None), ["credential/c-1"]);
    troubled(&mut health);
    assert!(health.forget(NOW_MS + 7_000_000).is_empty());
    assert_eq!(health.forget(NOW_MS + 7_300_000), ["lane/c-1/m"]);
}

#[test]
fn latency_follows_the_answers_and_a_failure_counts_as_five_seconds() {
    let mut health = Health::default();
    let target = subjects().target;
    assert_eq!(health.latency_ms(&target, NOW_MS), None);
    health.answered_in(&target, true, 200, NOW_MS);
    assert_eq!(health.latency_ms(&target, NOW_MS), Some(200.0));
    health.note(&subjects(), Verdict::of(Class::Target), "", at(NOW_MS + 60_000, 0.5));
    assert!(health.latency_ms(&target, NOW_MS + 60_000) > Some(4900.0));
}

#[test]
fn an_attempt_that_began_before_the_trouble_does_not_clear_it() {
    let mut story = Story::new();
    story.note(verdict(Class::Rate, Some((72_000_000, true)))).later(2000);
    let long = AttemptTime { started_ms: story.now_ms - 5000, now_ms: story.now_ms, jitter: 0.5 };
    assert!(story.health.note(&subjects(), Verdict::of(Class::Ok), "", long).is_empty());
    assert_eq!(story.says()[2], "71998000");
    let after = AttemptTime { started_ms: story.now_ms - 1000, ..long };
    assert_eq!(story.health.note(&subjects(), Verdict::of(Class::Ok), "", after), [subjects().lane]);
}

#[test]
fn what_is_said_of_one_request_benches_nobody() {
    let mut story = Story::new();
    for _ in 0..20 {
        story.note(Verdict { kind: ErrorKind::Request, ..Verdict::of(Class::Target) });
    }
    assert_eq!(story.says(), ["yes", "yes", "yes"]);
}

#[test]
fn no_more_than_a_bounded_number_of_subjects_is_kept() {
    let mut health = Health::default();
    for number in 0..3000 {
        let of = Subjects::of("p", &format!("m-{number}"), None, None);
        health.note(&of, Verdict::of(Class::Rate), "429", at(NOW_MS + number, 0.5));
    }
    assert_eq!(health.troubled().count(), standing::TROUBLED_MAX);
}

#[test]
fn a_provider_that_is_reached_elsewhere_begins_anew() {
    let catalog = |url: &str, auth: &str| {
        let text = format!(
            "providers = [{{ name = \"a\", base_url = \"{url}\", auth = \"{auth}\", credentials = [\"k\"] }}, \
             {{ name = \"b\", base_url = \"https://b.example/v1\" }}]\n\
             models = [{{ name = \"m\", targets = [\"a/x\", \"b/x\"] }}]"
        );
        Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog")
    };
    let older = catalog("https://wrong.example/v1", "bearer");
    let mut health = Health::default();
    let id = &older.providers[0].credentials[0].id;
    let (of, other) = (Subjects::of("a", "x", Some(id), None), Subjects::of("b", "x", None, None));
    for (class, kind) in [
        (Class::Target, ErrorKind::UnknownModel),
        (Class::Credential, ErrorKind::Plain),
        (Class::Rate, ErrorKind::Plain),
        (Class::Egress, ErrorKind::Plain),
    ] {
        health.note(&of, Verdict { kind, ..Verdict::of(class) }, "", at(NOW_MS, 0.5));
    }
    health.note(&other, Verdict::of(Class::Rate), "", at(NOW_MS, 0.5));
    assert_eq!(health.troubled().count(), 5);
    for newer in [catalog("https://right.example/v1", "bearer"), catalog("https://wrong.example/v1", "api-key")] {
        let moved: Vec<&str> = newer.moved_since(&older).map(|provider| &*provider.name).collect();
        assert_eq!(moved, ["a"]);
    }
    assert_eq!(catalog("https://wrong.example/v1", "bearer").moved_since(&older).count(), 0);
    assert_eq!(health.forget_provider(&older.providers[0]).len(), 4);
    assert_eq!(health.troubled().map(|(known, _)| known.clone()).collect::<Vec<_>>(), [other.lane]);
}
