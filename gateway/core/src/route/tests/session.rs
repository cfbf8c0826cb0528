//! What keeps a session together.

use std::collections::HashMap;

use super::*;
use crate::reasoning_seals::SealId;

fn with_affinity() -> Catalog {
    catalog_with("affinity = \"session\",", r#""a/x""#)
}

/// The place of the credential that serves a session first, with the credentials at these places resting.
fn serving(catalog: &Catalog, session: u64, draw: u64, resting: &[usize]) -> usize {
    let health = Health::default();
    let pool = &catalog.providers[0].credentials;
    let spent = |to: AttemptParts<'_>| {
        let is_resting = resting.iter().any(|place| to.credential.is_some_and(|each| each.id == pool[*place].id));
        is_resting.then(|| Skip::new(SkipReason::QuotaSpent, None))
    };
    let affinity_hash = Some(affinity::hash(&session.to_be_bytes()));
    let request = RouteRequest { affinity_hash, spent: &spent, ..ask(catalog, &health, draw) };
    pool_places(&route(&request, &mut Rotation::default()).list[0])[0]
}

#[test]
fn a_key_that_rests_moves_only_its_own_sessions() {
    let catalog = with_affinity();
    let mut counts = [0u32; 3];
    for session in 0..600 {
        let own = serving(&catalog, session, session, &[]);
        counts[own] += 1;
        assert_eq!(serving(&catalog, session, session + 1, &[]), own);
        for resting in 0..3 {
            let now = serving(&catalog, session, session, &[resting]);
            assert_eq!(now == own, resting != own, "session {session} moved from {own} to {now} as {resting} rested");
        }
    }
    assert!(counts.iter().all(|count| (150..250).contains(count)), "{counts:?}");
}

/// The makers of a conversation whose last reasoning this credential of the first provider sealed.
fn makers(catalog: &Catalog, place: usize, profile: &str) -> Makers {
    let account = Some(catalog.providers[0].credentials[place].account.to_string());
    let maker = |place: &str| crate::reasoning_seals::SealMaker {
        place: place.to_owned(),
        account: account.clone(),
        profile: profile.to_owned(),
    };
    let seals = [SealId(1), SealId(2), SealId(3)];
    Makers::new(&seals, HashMap::from([(seals[0], maker("elsewhere.example")), (seals[1], maker("a.example"))]))
}

fn with_pool_in(dialect: &str, targets: &str) -> Catalog {
    let text = format!(
        r#"
        providers = [
            {{ name = "a", dialect = "{dialect}", base_url = "https://a.example/v1", credentials = ["k1", "k2", "k3"] }},
            {{ name = "b", dialect = "{dialect}", base_url = "https://b.example/v1" }},
        ]
        models = [{{ name = "m", targets = [{targets}] }}]
        "#
    );
    let mut catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    catalog.resolve(None, &|_| None);
    catalog
}

#[test]
fn a_session_goes_on_where_its_last_reasoning_can_be_read() {
    for (dialect, operation, model, first) in [
        ("openai-responses", Operation::Responses, "gpt-5.5", vec![1]),
        ("anthropic", Operation::Messages, "claude-sonnet-5-5", vec![1]),
        // The account does not matter to these, so that a pool is shared out as ever.
        ("anthropic", Operation::Messages, "claude-opus-5-5", vec![0, 1, 2]),
        ("gemini", Operation::StreamGenerate, "gemini-3.8-flash", vec![0, 1, 2]),
    ] {
        let catalog = with_pool_in(dialect, &format!("\"b/{model}\", \"a/{model}\", \"a/other-model\""));
        let (health, makers) = (Health::default(), makers(&catalog, 1, model));
        for draw in 0..40 {
            let request = RouteRequest { operation, makers: Some(&makers), ..ask(&catalog, &health, draw) };
            let candidates = route(&request, &mut Rotation::default());
            assert_eq!(candidates.list.len(), 3, "the others stay for failover");
            assert_eq!(&*candidates.list[0].upstream_model, model, "{dialect}");
            assert_eq!(&*candidates.list[0].target.provider.name, "a");
            assert!(first.contains(&pool_places(&candidates.list[0])[0]), "{dialect}");
        }
    }
}

#[test]
fn who_can_read_the_reasoning_does_not_come_before_a_lower_tier() {
    let targets = r#""b/gpt-5.5", { provider = "a", model = "gpt-5.5", tier = 2 }"#;
    let catalog = with_pool_in("openai-responses", targets);
    let (health, makers) = (Health::default(), makers(&catalog, 1, "gpt-5.5"));
    let operation = Operation::Responses;
    let request = RouteRequest { operation, makers: Some(&makers), ..ask(&catalog, &health, 1) };
    let candidates = route(&request, &mut Rotation::default());
    assert_eq!((places(&catalog, &candidates), candidates.affinity), (vec![0, 1], None));
}
