mod egress;
mod safeguards;
mod session;

use super::*;
use crate::catalog::Document;
use crate::price::Pieces;

fn catalog(targets: &str) -> Catalog {
    catalog_with("", targets)
}

fn catalog_with(fields: &str, targets: &str) -> Catalog {
    let text = format!(
        r#"
        providers = [
            {{ name = "a", base_url = "https://a.example/v1", credentials = ["k1", "k2", "k3"] }},
            {{ name = "b", base_url = "https://b.example/v1" }},
            {{ name = "off", base_url = "https://off.example/v1", enabled = false }},
            {{ name = "keyless", base_url = "https://c.example/v1", credentials = ["${{NOT_SET}}"] }},
            {{ name = "echo", preset = "echo" }},
        ]
        models = [{{ name = "m", {fields} targets = [{targets}] }}]
        "#
    );
    let mut catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    catalog.resolve(None, &|_| None);
    catalog
}

const NOW_MS: i64 = 1_800_000_000_000;

/// What a plain call of the first model asks.
fn ask<'a>(catalog: &'a Catalog, health: &'a Health, draw: u64) -> RouteRequest<'a> {
    RouteRequest {
        catalog,
        model: &catalog.models[0],
        requested: "m",
        operation: Operation::Chat,
        streamed: true,
        demand: Demand::default(),
        has_safeguards: false,
        avoid: &[],
        priced_only: false,
        pieces: Pieces::None,
        affinity_hash: None,
        makers: None,
        health,
        proxies: true,
        spent: &|_| None,
        expires: &|_| 0,
        now: Now::of_wall(NOW_MS),
        draw,
        owner: None,
    }
}

fn routed(catalog: &Catalog, draw: u64) -> Candidates {
    route(&ask(catalog, &Health::default(), draw), &mut Rotation::default())
}

fn order(catalog: &Catalog, draw: u64) -> Vec<usize> {
    places(catalog, &routed(catalog, draw))
}

/// The places of the candidates' targets in the first model.
fn places(catalog: &Catalog, candidates: &Candidates) -> Vec<usize> {
    let targets = &catalog.models[0].targets;
    let place = |each: &Candidate| targets.iter().position(|target| Arc::ptr_eq(target, &each.target));
    candidates.list.iter().map(|each| place(each).expect("a target of the model")).collect()
}

/// The places of a candidate's credentials in its provider's pool.
fn pool_places(candidate: &Candidate) -> Vec<usize> {
    let pool = &candidate.target.provider.credentials;
    let place = |used: &Arc<Credential>| pool.iter().position(|each| Arc::ptr_eq(each, used));
    candidate.credentials.iter().map(|each| place(each).expect("a credential of the provider")).collect()
}

#[test]
fn shares_follow_the_weights_within_two_percent_over_ten_thousand_calls() {
    let targets = r#"{ provider = "a", model = "x", weight = 7 }, { provider = "b", model = "x", weight = 2 }, { provider = "b", model = "y", weight = 1 }"#;
    let catalog = catalog(targets);
    let mut first = [0u32; 3];
    for draw in 0..10_000 {
        first[order(&catalog, draw)[0]] += 1;
    }
    for (count, share) in first.into_iter().zip([0.7, 0.2, 0.1]) {
        assert!((f64::from(count) / 10_000.0 - share).abs() < 0.02, "{first:?}");
    }
}

#[test]
fn every_target_that_can_serve_stands_in_the_order_exactly_once() {
    let catalog = catalog(r#""a/x", "b/x", "b/y", "echo/e""#);
    for draw in 0..200 {
        let mut order = order(&catalog, draw);
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3]);
    }
}

#[test]
fn the_same_draw_gives_the_same_order() {
    let catalog = catalog(r#""a/x", "b/x", "b/y""#);
    let once = routed(&catalog, 42);
    let again = routed(&catalog, 42);
    assert_eq!(once.list, again.list);
    assert_eq!(once.draw, 42);
}

#[test]
fn a_lower_tier_comes_first_whatever_the_weights() {
    let targets =
        r#"{ provider = "a", model = "x", tier = 2, weight = 1000 }, { provider = "b", model = "x", tier = 1 }"#;
    let catalog = catalog(targets);
    for draw in 0..200 {
        assert_eq!(order(&catalog, draw), [1, 0]);
    }
}

#[test]
fn a_target_that_cannot_serve_is_skipped_with_its_reason() {
    let targets = r#"{ provider = "a", model = "x", enabled = false }, "off/x", "keyless/x", "b/x""#;
    let catalog = catalog(targets);
    let candidates = routed(&catalog, 1);
    assert_eq!(places(&catalog, &candidates), [3]);
    let reasons: Vec<_> = candidates.skipped.iter().map(|each| (each.target.as_str(), each.reason)).collect();
    assert_eq!(
        reasons,
        [
            ("a/x", SkipReason::TargetDisabled),
            ("off/x", SkipReason::ProviderDisabled),
            ("keyless/x", SkipReason::NoCredential),
        ]
    );
}

/// What becomes of a call of Anthropic's dialect where one target's provider speaks it and the other's does not.
fn routed_as(operation: Operation, translation: &str, draw: u64) -> (Vec<usize>, Candidates) {
    let text = format!(
        r#"
        providers = [
            {{ name = "chat", base_url = "https://a.example/v1" }},
            {{ name = "native", dialect = "anthropic", base_url = "https://b.example" }},
        ]
        models = [{{ name = "m", {translation}targets = [
            {{ provider = "chat", model = "x", weight = 1000 }}, {{ provider = "native", model = "x", tier = 2 }},
        ] }}]
        "#
    );
    let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    let health = Health::default();
    let candidates = route(&RouteRequest { operation, ..ask(&catalog, &health, draw) }, &mut Rotation::default());
    (places(&catalog, &candidates), candidates)
}

#[test]
fn a_conversation_goes_to_any_dialect_unless_its_model_forbids_it() {
    for draw in 0..20 {
        assert_eq!(routed_as(Operation::Messages, "", draw).0, [0, 1]);
        let (last, _) = routed_as(Operation::Messages, "translation = \"last-resort\", ", draw);
        assert_eq!(last, [1, 0], "behind all tiers");
        let (targets, off) = routed_as(Operation::Messages, "translation = \"off\", ", draw);
        assert_eq!((targets, off.skipped[0].reason), (vec![1], SkipReason::Dialect));
    }
}

#[test]
fn a_call_that_goes_on_from_a_response_goes_to_whoever_made_it() {
    let catalog = catalog(r#""a/x", "b/x""#);
    let health = Health::default();
    let credential = catalog.providers[0].credentials[1].id.clone();
    let owner = ResponseOwner { provider: "a".into(), credential: Some(credential.to_string()) };
    for draw in 0..20 {
        let candidates =
            route(&RouteRequest { owner: Some(&owner), ..ask(&catalog, &health, draw) }, &mut Rotation::default());
        assert_eq!((candidates.list.len(), pool_places(&candidates.list[0])), (1, vec![1]));
        assert_eq!(candidates.skipped[0].reason, SkipReason::OtherOwner);
    }
}

#[test]
fn what_is_no_conversation_goes_only_to_providers_of_its_dialect() {
    let (targets, count) = routed_as(Operation::CountTokens, "", 1);
    assert_eq!((targets, count.skipped[0].reason), (vec![1], SkipReason::Dialect));
    assert_eq!(routed_as(Operation::Embeddings, "", 1).0, [0]);
}

#[test]
fn the_credentials_of_a_pool_are_drawn_evenly() {
    let catalog = catalog(r#""a/x""#);
    let mut first = [0u32; 3];
    for draw in 0..3000 {
        let candidates = routed(&catalog, draw);
        assert_eq!(candidates.list[0].credentials.len(), 3);
        first[pool_places(&candidates.list[0])[0]] += 1;
    }
    assert!(first.iter().all(|count| (850..1150).contains(count)), "{first:?}");
}

#[test]
fn a_key_with_a_budget_goes_only_where_the_price_is_known() {
    let catalog = catalog(r#""a/x", { provider = "b", model = "y", price = { input = 1, output = 2 } }"#);
    let health = Health::default();
    let plain = route(&ask(&catalog, &health, 1), &mut Rotation::default());
    assert_eq!((plain.list.len(), plain.skipped.len()), (2, 0));
    let candidates = route(&RouteRequest { priced_only: true, ..ask(&catalog, &health, 1) }, &mut Rotation::default());
    assert_eq!(places(&catalog, &candidates), [1]);
    let skipped = &candidates.skipped[0];
    assert_eq!((skipped.target.as_str(), skipped.reason, skipped.until_ms), ("a/x", SkipReason::Unpriced, None));
}

#[test]
fn a_call_may_cost_what_its_dearest_candidate_does() {
    let targets = r#"
        { provider = "b", model = "cheap", price = { input = 1, output = 2 } },
        { provider = "b", model = "dear", price = { input = 10, output = 2 }, tier = 2 },
        { provider = "b", model = "images", price = { input = 99, output = 2 }, capabilities = { images = false } },
        { provider = "b", model = "off", price = { input = 999, output = 2 }, enabled = false },
        "a/x""#;
    let catalog = catalog(targets);
    let health = Health::default();
    let demand = Demand { images: true, ..Demand::default() };
    let candidates = route(&RouteRequest { demand, ..ask(&catalog, &health, 1) }, &mut Rotation::default());
    let input = |candidates: &Candidates| {
        dearest(&catalog, &catalog.models[0], "m", candidates, (Pieces::None, NOW_MS), |price| {
            price.input / 1_000_000_000
        })
    };
    assert_eq!(input(&candidates), 10);
    assert_eq!(input(&Candidates::default()), 99, "where none is free now any that may be later");
}

#[test]
fn of_spent_credentials_the_one_that_comes_back_by_itself_says_when() {
    let catalog = catalog(r#""a/x""#);
    let health = Health::default();
    let spent = |to: AttemptParts<'_>| {
        let is_first = to.credential.and_then(|each| each.value.known()).is_some_and(|key| key.expose() == "k1");
        Some(Skip::new(SkipReason::QuotaSpent, (!is_first).then_some(NOW_MS + 5)))
    };
    let candidates = route(&RouteRequest { spent: &spent, ..ask(&catalog, &health, 1) }, &mut Rotation::default());
    assert_eq!(candidates.skipped[0].until_ms, Some(NOW_MS + 5));
}

#[test]
fn what_expires_soonest_goes_first_and_of_equals_one_by_weight() {
    let targets = r#""a/late", "b/soon", "b/never", { provider = "b", model = "same", weight = 3 }"#;
    let catalog = catalog_with("strategy = \"quota\",", targets);
    let health = Health::default();
    let expires = |to: AttemptParts<'_>| match (to.upstream_model, to.credential.and_then(|each| each.value.known())) {
        ("soon" | "same", _) => 1,
        ("late", Some(key)) if key.expose() == "k2" => 2,
        ("late", _) => 9,
        _ => i64::MAX,
    };
    let mut first = [0u32; 4];
    for draw in 0..2000 {
        let candidates =
            route(&RouteRequest { expires: &expires, ..ask(&catalog, &health, draw) }, &mut Rotation::default());
        let order = places(&catalog, &candidates);
        assert_eq!(order[2..], [0, 2], "{order:?}");
        assert_eq!(pool_places(&candidates.list[2])[0], 1, "the second key expires first");
        first[order[0]] += 1;
    }
    assert!(first[1].abs_diff(500) < 80 && first[3].abs_diff(1500) < 80, "{first:?}");
}
