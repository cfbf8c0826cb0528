use super::*;
use crate::price::{Price, PriceSource};

#[test]
fn every_state_has_its_own_name_and_is_found_by_it() {
    for state in State::ALL {
        assert_eq!(State::named(state.name()), Some(state));
        let written = serde_json::to_value(state).expect("JSON");
        assert_eq!(written, state.name(), "the name in JSON and in SQL is the same");
    }
    assert_eq!(State::named("done"), None);
}

#[test]
fn a_clients_text_is_capped_and_cannot_forge_log_lines() {
    assert_eq!(kept_text("a\r\n\u{1b}[31mb"), "a\u{fffd}\u{fffd}\u{fffd}[31mb");
    assert_eq!(kept_text(&"ä".repeat(1000)).chars().count(), 256);
}

fn ended(first_content_ms: Option<u64>, duration_ms: Option<u64>, output_tokens: Option<u64>) -> Record {
    Record {
        id: String::new(),
        at_ms: 0,
        key: String::new(),
        model: String::new(),
        catalog_model: None,
        dialect: "openai-chat",
        endpoint: "chat/completions",
        streamed: true,
        session: None,
        client: None,
        user_agent: None,
        state: State::Ok,
        status: 200,
        error: None,
        decision: DecisionRecord::default(),
        attempts: Vec::new(),
        served_by: None,
        first_byte_ms: Some(100),
        first_content_ms,
        duration_ms,
        bytes_in: 0,
        bytes_out: 0,
        usage: Usage { output_tokens, ..Usage::default() },
        priced: None,
        warnings: Vec::new(),
        until_ms: 0,
    }
}

#[test]
fn a_cost_is_known_when_price_and_usage_are() {
    let price = Price { input: 1_000_000_000, cache_read: 0, cache_write: 0, output: 2_000_000_000, call: 0 };
    let priced = Some(Priced { price, source: PriceSource::Catalog });
    let usage = Usage { input_tokens: Some(11), output_tokens: Some(7), ..Usage::default() };
    assert_eq!(Record { priced: priced.clone(), usage, ..ended(None, None, None) }.cost_nano(), Some(25_000));
    assert_eq!(Record { priced, ..ended(None, None, None) }.cost_nano(), None);
    assert_eq!(Record { usage, ..ended(None, None, None) }.cost_nano(), None);
}

#[test]
fn speed_is_that_of_the_generation_and_unknown_without_its_parts() {
    assert_eq!(ended(Some(500), Some(2500), Some(100)).tokens_per_second(), Some(50.0));
    assert_eq!(ended(None, Some(1100), Some(100)).tokens_per_second(), None);
    let whole = Record { streamed: false, ..ended(None, Some(2000), Some(100)) };
    assert_eq!(whole.tokens_per_second(), Some(50.0));
    assert_eq!(ended(Some(500), Some(500), Some(100)).tokens_per_second(), None);
    assert_eq!(ended(Some(500), Some(400), Some(100)).tokens_per_second(), None);
    assert_eq!(ended(Some(500), None, Some(100)).tokens_per_second(), None);
    assert_eq!(ended(Some(500), Some(2500), None).tokens_per_second(), None);
}
