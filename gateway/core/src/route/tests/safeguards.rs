//! Calls whose client relies on its provider's review of tool calls.

use super::*;

const PROVIDERS: &str = r#"
    providers = [
        { name = "anthropic", preset = "anthropic", credentials = ["k"] },
        { name = "own", base_url = "https://API.anthropic.com:443", dialect = "anthropic" },
        { name = "bedrock", base_url = "https://b.example", dialect = "anthropic", safeguards = true },
        { name = "without", preset = "anthropic", credentials = ["k"], safeguards = false },
        { name = "relay", base_url = "https://r.example", dialect = "anthropic" },
        { name = "chat", base_url = "https://c.example/v1", safeguards = true },
        { name = "responses", base_url = "https://o.example/v1", dialect = "openai-responses", safeguards = true },
        { name = "gemini", base_url = "https://g.example", dialect = "gemini", safeguards = true },
        { name = "echo", preset = "echo" },
    ]
"#;

fn with_models(models: &str) -> Catalog {
    let text = format!("{PROVIDERS}\nmodels = [{models}]");
    let mut catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    catalog.resolve(None, &|_| None);
    catalog
}

fn served(catalog: &Catalog, operation: Operation, has_safeguards: bool) -> (Vec<String>, Vec<Skipped>) {
    let health = Health::default();
    let request = RouteRequest { operation, has_safeguards, ..ask(catalog, &health, 1) };
    let candidates = route(&request, &mut Rotation::default());
    let mut names: Vec<String> =
        candidates.list.iter().map(|candidate| candidate.target.provider.name.to_string()).collect();
    names.sort_unstable();
    (names, candidates.skipped)
}

#[test]
fn only_targets_that_review_tool_calls_serve_a_client_that_relies_on_it() {
    let targets = r#""anthropic/c", "own/c", "bedrock/c", "without/c", "relay/c", "chat/c", "responses/c", "gemini/c", "echo/c",
        { provider = "relay", model = "reviewed", safeguards = true }, { provider = "own", model = "not", safeguards = false }"#;
    let catalog = with_models(&format!("{{ name = \"m\", targets = [{targets}] }}"));
    let (names, skipped) = served(&catalog, Operation::Messages, true);
    assert_eq!(names, ["anthropic", "bedrock", "own", "relay"]);
    assert_eq!(skipped.len(), 7);
    assert!(skipped.iter().all(|skip| skip.reason == SkipReason::Safeguards), "{skipped:?}");
    assert_eq!(served(&catalog, Operation::Messages, false).0.len(), 11);
    // Nobody else's dialect has a place for them.
    for operation in [Operation::Chat, Operation::Responses, Operation::Generate, Operation::StreamGenerate] {
        assert!(served(&catalog, operation, true).0.is_empty(), "{operation:?}");
        assert!(!served(&catalog, operation, false).0.is_empty(), "{operation:?}");
    }
}

#[test]
fn a_fallback_reviews_tool_calls_as_well_or_does_not_serve() {
    let catalog = with_models(
        r#"{ name = "m", targets = ["anthropic/c"], fallback = ["spare"] }, { name = "spare", targets = ["relay/c", "bedrock/c"] }"#,
    );
    assert_eq!(served(&catalog, Operation::Messages, true).0, ["anthropic", "bedrock"]);
    assert_eq!(served(&catalog, Operation::Messages, false).0, ["anthropic", "bedrock", "relay"]);
}
