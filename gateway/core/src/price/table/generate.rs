//! Makes `data.rs` from the crate genai-prices, whose package holds its price list as JSON, and fails when the file
//! that is checked in is another. To write it: `cargo test -p gateway-core --lib price -- --ignored`.
//!
//! What is taken of the list: the prices of the day it was published, without their tiers (that of the shortest
//! prompts), hours of the day, batches and other variants. Of exact names the first model that has it wins, as in the
//! crate, whose own answers the last test compares with ours.
#![expect(clippy::disallowed_methods, reason = "a generator reads and writes files")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use genai_prices::{Calculator, PriceRequest, UsageKey};
use serde_json::Value;

use super::*;
use crate::price::cost;
use crate::providers;
use crate::usage::Usage;

/// The version that `data.rs` was made from and the day it was published, which the crate itself does not tell. After
/// an update of the crate: `pubtime` in its entry of the registry's index, or <https://crates.io/crates/genai-prices>.
const PUBLISHED: (&str, &str) = ("0.2.1", "2026-10-30");
/// That day, at an hour at which no provider has another price.
const PUBLISHED_SECONDS: u64 = 1_793_390_400;

/// Providers that are not taken: other APIs than ours, no host of their own, or paid by subscription.
const LEFT_OUT: [&str; 5] = ["cursor", "elevenlabs", "github-copilot", "modal", "openai-decisions"];
/// Their old addresses had the provider in the path, those of today have it in the model's name.
const LEFT_OUT_PREFIX: &str = "huggingface_";

/// Prices of things that most calls do not use and that llmio cannot see: a model that has them is taken without them.
const PRICES_IGNORED: [&str; 8] = [
    "cache_write_1h_mtok",
    "web_searches_kcount",
    "storage_searches_kcount",
    "input_audio_mtok",
    "input_image_mtok",
    "input_video_mtok",
    "cache_audio_read_mtok",
    "cache_image_read_mtok",
];
/// A model with any other price beside these, such as one of generated audio, would look far too cheap.
const PRICES_TAKEN: [&str; 4] = ["input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok"];

/// A model of the list.
struct Model {
    exact: Vec<String>,
    rules: Vec<Rule>,
    cell: Option<[u32; 4]>,
}

/// What the head of the file tells.
#[derive(Default)]
struct Counts {
    models: usize,
    models_without_price: usize,
    rules_skipped: Vec<String>,
}

fn published() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "wasm32-wasip2"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut packages = metadata["packages"].as_array().expect("packages").iter();
    let package = packages.find(|package| package["name"] == "genai-prices").expect("a dependency for tests");
    assert_eq!(package["version"], PUBLISHED.0, "genai-prices was updated: change PUBLISHED too");
    let manifest = PathBuf::from(package["manifest_path"].as_str().expect("a path"));
    let list = std::fs::read(manifest.with_file_name("data").join("prices.json")).expect("the crate's price list");
    serde_json::from_slice(&list).expect("a list of providers")
}

fn generated() -> (String, Counts) {
    let (mut counts, mut sections) = (Counts::default(), BTreeMap::new());
    for provider in published() {
        let id = provider["id"].as_str().expect("an id").to_owned();
        let reachable = providers::price_lists().any(|list| list.id == id);
        let left_out = LEFT_OUT.contains(&id.as_str()) || id.starts_with(LEFT_OUT_PREFIX);
        assert!(reachable != left_out, "{id} needs a row in `providers` or in LEFT_OUT");
        if reachable {
            let models = models(&provider, &mut counts);
            sections.insert(id.clone(), section(&id, &provider, &models));
        }
    }
    let (count, all): (usize, String) = (sections.len(), sections.into_values().collect());
    let (version, date) = PUBLISHED;
    let text = format!(
        "//! Generated from genai-prices {version} (MIT, Pydantic Services Inc.) by `generate.rs`: do not edit.\n\
         //! {} models, {} of them without a price; rules that ours cannot express: {}.\n\n\
         use super::{{Provider, Rule}};\n\n\
         pub(in crate::price) const NAME: &str = \"genai-prices {date}\";\n\n\
         pub(super) static PROVIDERS: [Provider; {count}] = [\n{all}];\n",
        counts.models,
        counts.models_without_price,
        counts.rules_skipped.len(),
    );
    (text, counts)
}

fn models(provider: &Value, counts: &mut Counts) -> Vec<Model> {
    let mut models = Vec::new();
    if provider["id"] == "openrouter" {
        models.push(Model { exact: Vec::new(), rules: vec![Rule::Suffix(":free")], cell: Some([0; 4]) });
    }
    for raw in provider["models"].as_array().expect("models") {
        let mut model = Model { exact: Vec::new(), rules: Vec::new(), cell: cell(&raw["prices"]) };
        read_match(&raw["match"], &mut model, counts);
        counts.models += 1;
        counts.models_without_price += usize::from(model.cell.is_none());
        models.push(model);
    }
    models
}

fn read_match(matching: &Value, model: &mut Model, counts: &mut Counts) {
    let (kind, value) = matching.as_object().and_then(|rule| rule.iter().next()).expect("a rule");
    let text = || leaked(&value.as_str().expect("a text").to_lowercase());
    match kind.as_str() {
        "or" => value.as_array().expect("rules").iter().for_each(|rule| read_match(rule, model, counts)),
        "equals" => model.exact.push(text().to_owned()),
        "starts_with" => model.rules.push(Rule::Prefix(text())),
        "ends_with" => model.rules.push(Rule::Suffix(text())),
        "contains" => model.rules.push(Rule::Part(text())),
        "regex" if read_regex(value.as_str().expect("a text"), model) => {}
        "and" if value[1]["regex"] == "^(?!.*-[tT][tT][sS](?:$|-))" => {
            model.rules.push(Rule::SilentPrefix(leaked(value[0]["starts_with"].as_str().expect("a prefix"))));
        }
        _ => counts.rules_skipped.push(matching.to_string()),
    }
}

/// `false` when there is no rule of ours for it.
fn read_regex(regex: &str, model: &mut Model) -> bool {
    let Some(regex) = regex.strip_prefix('^') else { return false };
    let dated = regex.strip_suffix(r"\d{8}$").or_else(|| regex.strip_suffix(r"\d{4}-\d{2}-\d{2}$"));
    if let Some(prefixes) = dated {
        let (stem, ends) = match prefixes.strip_suffix("[-@]") {
            Some(stem) => (stem, ["-", "@"].as_slice()),
            None => (prefixes, [""].as_slice()),
        };
        let Some(stem) = literal(stem) else { return false };
        model.rules.extend(ends.iter().map(|end| Rule::Dated(leaked(&format!("{stem}{end}")))));
        return true;
    }
    if let Some(prefix) = regex.strip_suffix(r"\d").and_then(literal) {
        model.rules.push(Rule::Numbered(leaked(&prefix)));
        return true;
    }
    match regex.strip_suffix('$').and_then(literal) {
        Some(name) => model.exact.push(name),
        None => return false,
    }
    true
}

/// The text that a regular expression without any choice stands for.
fn literal(regex: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = regex.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next().filter(char::is_ascii_punctuation)?),
            '.' | '[' | ']' | '(' | ')' | '{' | '}' | '?' | '*' | '+' | '|' | '^' | '$' => return None,
            other => text.push(other),
        }
    }
    Some(text.to_lowercase())
}

/// Rules hold static texts; a test may leave its own behind.
fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn cell(prices: &Value) -> Option<[u32; 4]> {
    let prices = match prices {
        Value::Array(rows) => &rows.iter().rev().find(|row| of_the_day(&row["constraint"]))?["prices"],
        prices => prices,
    };
    let known = |name: &&String| PRICES_TAKEN.contains(&name.as_str()) || PRICES_IGNORED.contains(&name.as_str());
    if !prices.as_object()?.keys().all(|name| known(&name)) {
        return None;
    }
    let [input, cache_read, cache_write, output] = PRICES_TAKEN.map(|name| match &prices[name] {
        Value::Object(tiers) => tiers["base"].as_f64(),
        price => price.as_f64(),
    });
    let input = input?;
    let usd = [input, cache_read.unwrap_or(input), cache_write.unwrap_or(input), output.unwrap_or(0.0)];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "prices, checked")]
    Some(usd.map(|usd| {
        assert!((0.0..4000.0).contains(&usd), "{usd} USD for a million tokens");
        (usd * 1e6).round() as u32
    }))
}

fn of_the_day(constraint: &Value) -> bool {
    match constraint["start_date"].as_str() {
        Some(date) => date <= PUBLISHED.1,
        None => constraint.is_null(),
    }
}

fn section(id: &str, provider: &Value, models: &[Model]) -> String {
    let by_rule = |name: &str| models.iter().find(|model| model.rules.iter().any(|rule| rule.matches(name)));
    let mut exact = BTreeMap::new();
    for name in models.iter().flat_map(|model| &model.exact) {
        let is_first = |model: &&Model| model.exact.contains(name) || model.rules.iter().any(|rule| rule.matches(name));
        let cell = models.iter().find(is_first).expect("the model it is of").cell;
        if by_rule(name).map(|model| model.cell) != Some(cell) {
            exact.insert(name.as_str(), cell);
        }
    }
    let fallbacks = match &provider["fallback_model_providers"] {
        Value::Array(ids) => Value::from(ids.clone()).to_string(),
        _ => "[]".to_owned(),
    };
    let mut text =
        format!("    Provider {{\n        id: {id:?},\n        fallbacks: &{fallbacks},\n        exact: &[\n");
    for (name, cell) in exact {
        let _ = writeln!(text, "            ({name:?}, {}),", written(cell));
    }
    text.push_str("        ],\n        rules: &[\n");
    for model in models {
        for rule in &model.rules {
            let _ = writeln!(text, "            (Rule::{rule:?}, {}),", written(model.cell));
        }
    }
    text.push_str("        ],\n    },\n");
    text
}

fn written(cell: Option<[u32; 4]>) -> String {
    cell.map_or_else(|| "None".to_owned(), |prices| format!("Some(&{prices:?})"))
}

#[test]
fn the_table_is_the_one_of_the_crate() {
    let (text, counts) = generated();
    assert!(text == include_str!("data.rs"), "stale: cargo test -p gateway-core --lib price -- --ignored");
    assert!(counts.rules_skipped.len() < 10, "{:#?}", counts.rules_skipped);
}

#[test]
#[ignore = "writes data.rs"]
fn write_the_table() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/price/table/data.rs");
    std::fs::write(file, generated().0).expect("data.rs can be written");
}

/// Names that a provider's models are sold under.
fn samples(provider: &Provider) -> Vec<String> {
    let by_rule = provider.rules.iter().map(|(rule, _)| match rule {
        Rule::Prefix(text) | Rule::Suffix(text) | Rule::Part(text) | Rule::SilentPrefix(text) => (*text).to_owned(),
        Rule::Dated(text) => format!("{text}20260930"),
        Rule::Numbered(text) => format!("{text}1"),
    });
    let names = provider.exact.iter().map(|(name, _)| (*name).to_owned()).chain(by_rule);
    // `:free` at OpenRouter is a rule of ours and not a model of theirs.
    names.filter(|name| name != ":free").collect()
}

#[test]
fn every_price_is_the_one_the_crate_calculates() {
    let usage = Usage {
        input_tokens: Some(1000),
        cache_read_tokens: Some(300),
        cache_write_tokens: Some(200),
        output_tokens: Some(100),
        reasoning_tokens: None,
    };
    let theirs = genai_prices::Usage::from([
        (UsageKey::INPUT_TOKENS, 1000.0),
        (UsageKey::CACHE_READ_TOKENS, 300.0),
        (UsageKey::CACHE_WRITE_TOKENS, 200.0),
        (UsageKey::OUTPUT_TOKENS, 100.0),
    ]);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(PUBLISHED_SECONDS);
    let (mut compared, mut different) = (0, Vec::new());
    for provider in &data::PROVIDERS {
        for name in samples(provider) {
            let Some(price) = find(provider.id, &name) else { continue };
            let request = PriceRequest::new(&name, &theirs).with_provider_id(provider.id).with_timestamp(at);
            let theirs = Calculator::bundled().calculate(&request).map(|found| found.total_price * 1e9);
            let ours = cost(&price, &usage).expect("every count is there");
            compared += 1;
            if !theirs.as_ref().is_ok_and(|theirs| (theirs - ours as f64).abs() < 1.0) {
                different.push(format!("{} {name}: {ours}, not {theirs:?}", provider.id));
            }
        }
    }
    assert!(different.is_empty(), "{} of {compared}: {different:#?}", different.len());
    assert!(compared > 2000, "{compared}");
}
