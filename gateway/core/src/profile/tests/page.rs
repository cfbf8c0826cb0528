//! The page `gateway/docs/models.md`: model × parameter, in each dialect, as the table says it. To write it anew:
//! `UPDATE_GOLDEN=1 cargo test -p gateway-core --lib profile`.
#![expect(clippy::disallowed_methods, reason = "a page is compared with what is made")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use super::*;

const HEAD: &str = "# Models

What llmio holds a model to take where it is spoken to in a dialect. A request that is translated is fitted to it; one in
the provider's own dialect is not touched, but for reasoning that another model or account sealed, and tools that a model does
not take beside reasoning in chat: they go to Responses where the provider speaks that too. A name is read however it is
written: with a maker before it, a region, a path, a date or `:free` behind it. Where a relay or a deployment gives a model
a name of its own, a target says which one it is: `profile = \"kimi-k2.6\"`.

This page is made from the table in `gateway/core/src/profile/rows`, where each fact stands beside the page it was read on.
";

/// What is told of a model in one dialect: the heading of each column, and what is in it.
type Columns = [(&'static str, fn(&Profile) -> String)];

const OPENAI: &Columns = &[
    ("effort", |profile| words(profile.efforts)),
    ("beside tools in chat", |profile| yes(profile.effort_beside_tools)),
    ("always reasons", |profile| yes(profile.reasons)),
    ("`thinking: disabled`", |profile| yes(profile.thinking_switch)),
    ("sampling", |profile| sampling(profile.sampling)),
    ("stop", |profile| yes(profile.stop)),
    ("`max_tokens`", |profile| yes(profile.max_tokens)),
    ("system inside", |profile| yes(profile.system_inside)),
    ("forced tools", |profile| yes(profile.forced_tools)),
    ("reasoning in history", |profile| history(profile)),
    ("seals", |profile| profile.relayed_seals.map_or("", Dialect::name).to_owned()),
    ("ids of calls", |profile| format!("{:?}", profile.call_ids)),
];
const RESPONSES: &Columns = &[
    ("effort", |profile| words(profile.efforts)),
    ("always reasons", |profile| yes(profile.reasons)),
    ("sampling", |profile| sampling(profile.sampling)),
    ("system prompt", |profile| if profile.instructions { "instructions" } else { "first message" }.to_owned()),
    ("sealed reasoning", |profile| seals(profile)),
];
const ANTHROPIC: &Columns = &[
    ("thinking", |profile| reasoning_mode(profile.reasoning_mode)),
    ("effort", |profile| words(profile.efforts)),
    ("no thinking", |profile| format!("{:?}", profile.reasoning_off)),
    ("sampling", |profile| sampling(profile.sampling)),
    ("schemas", |profile| yes(profile.format)),
    ("prefill", |profile| yes(profile.prefill)),
    ("forced tools", |profile| yes(profile.forced_tools)),
    ("reasoning in history", |profile| history(profile)),
    ("sealed reasoning", |profile| seals(profile)),
    ("cache marks", |profile| format!("{:?}", profile.cache_marks)),
];
const GEMINI: &Columns = &[
    ("thinking", |profile| reasoning_mode(profile.reasoning_mode)),
    ("level", |profile| words(profile.efforts)),
    ("sampling", |profile| sampling(profile.sampling)),
    ("penalties", |profile| yes(profile.penalties)),
    ("prefill", |profile| yes(profile.prefill)),
    ("JSON beside tools", |profile| yes(profile.format_beside_tools)),
    ("seals on calls", |profile| yes(profile.call_seals)),
];

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

fn words(efforts: &[Effort]) -> String {
    efforts.iter().map(|effort| effort.word()).collect::<Vec<_>>().join(" ")
}

fn sampling(sampling: Sampling) -> String {
    match sampling {
        Sampling::Taken => "yes",
        Sampling::WithoutReasoning => "with effort none",
        Sampling::Refused => "no",
    }
    .to_owned()
}

fn history(profile: &Profile) -> String {
    match (profile.reads_reasoning, profile.needs_reasoning) {
        (_, true) => "needed beside calls",
        (true, false) => "read",
        (false, false) => "no",
    }
    .to_owned()
}

fn seals(profile: &Profile) -> String {
    format!("{:?}{}", profile.seals, if profile.bound_to_prefix { ", after the same beginning" } else { "" })
}

fn reasoning_mode(reasoning_mode: ReasoningMode) -> String {
    match reasoning_mode {
        ReasoningMode::Never => "never".to_owned(),
        ReasoningMode::Effort => "by effort".to_owned(),
        ReasoningMode::Budget { least, most: u64::MAX } => format!("{least} tokens or more"),
        ReasoningMode::Budget { least, most } => format!("{least} to {most} tokens"),
    }
}

/// Models that are told the same stand in one row, in the order of their first.
fn table(dialect: Dialect, is_told: fn(Family) -> bool, columns: &Columns, page: &mut String) {
    let _ = writeln!(page, "\n## In the dialect {}\n", dialect.name());
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let _ = writeln!(page, "| model | {} |\n|---|{}", headings.join(" | "), "---|".repeat(headings.len()));
    let mut rows: BTreeMap<usize, (Vec<&str>, String)> = BTreeMap::new();
    for (at, model) in NAMES.iter().copied().enumerate() {
        let lower = model.to_ascii_lowercase();
        if !is_told(ModelName::read(&lower).family) {
            continue;
        }
        let profile = Profile::of(model, dialect);
        let cells: Vec<String> = columns.iter().map(|(_, cell)| cell(&profile)).collect();
        let cells = cells.join(" | ");
        match rows.values_mut().find(|(_, other)| *other == cells) {
            Some((models, _)) => models.push(model),
            None => drop(rows.insert(at, (vec![model], cells))),
        }
    }
    for (models, cells) in rows.into_values() {
        let models: Vec<String> = models.iter().map(|model| format!("`{model}`")).collect();
        let _ = writeln!(page, "| {} | {cells} |", models.join(", "));
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    table(Dialect::OpenaiChat, |_| true, OPENAI, &mut page);
    let is_in_responses = |family| {
        use Family::{ChatGpt, DeepSeek, Gpt, GptOss, Grok, O};
        matches!(family, Gpt | ChatGpt | O | GptOss | DeepSeek | Grok)
    };
    table(Dialect::OpenaiResponses, is_in_responses, RESPONSES, &mut page);
    let is_in_anthropic = |family| {
        use Family::{Claude, DeepSeek, Glm, Kimi, MiMo, MiniMax, Qwen};
        matches!(family, Claude | DeepSeek | Glm | Kimi | MiMo | MiniMax | Qwen)
    };
    table(Dialect::Anthropic, is_in_anthropic, ANTHROPIC, &mut page);
    table(Dialect::Gemini, |family| matches!(family, Family::Gemini | Family::Gemma), GEMINI, &mut page);
    page
}

#[test]
fn the_page_of_models_is_what_the_table_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/models.md");
    let made = page();
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(&path, &made).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "gateway/docs/models.md is not what the table says; see the head of this file");
}
