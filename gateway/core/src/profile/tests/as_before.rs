//! What the table says of every sample is what the code that it takes the place of said.

use super::samples::MODELS;
use crate::dialect::Dialect;
use crate::dialects::{anthropic, gemini, openai_chat};
use crate::profile::{CacheMarks, CallIds, Effort, Profile, Thinking};
use crate::translate::ids_of_calls;

/// Names that the former code misread, so that what it said of them was wrong, and the table's word is another.
const MISREAD: &[&str] = &[
    // Capital letters hid OpenAI's models, and `2` at the end hid Kimi's older ones.
    "GPT-5",
    "kimi-k2",
    // Azure's way to write 3.5 was read as version 35.
    "gpt-35-turbo",
    // Clouds put the maker before a model, and OpenRouter a mark before the maker of its aliases.
    "openai.gpt-5.4",
    "deepseek.r1-v1:0",
    "~openai/gpt-sol-latest",
    "~anthropic/claude-opus-latest",
    // The number behind `v` was not read, so that the oldest Claude was the newest.
    "claude-v2",
];

fn is_as_before(model: &str) -> bool {
    let chat = openai_chat::names::Takes::of(model);
    let profile = |dialect| Profile::of(model, dialect);
    let of_chat = profile(Dialect::OpenaiChat);
    let seals = |by| chat.seals_of(by) == (of_chat.relayed_seals == Some(by));
    let samples = of_chat.system_inside == chat.system_inside
        && of_chat.max_tokens == chat.max_tokens
        && of_chat.reads_reasoning == chat.thoughts
        && of_chat.needs_reasoning == chat.needs_thoughts
        && of_chat.efforts == chat.efforts
        && of_chat.effort_beside_tools == chat.effort_beside_tools
        && of_chat.sampling == chat.sampling
        && of_chat.reasons == chat.reasons
        && of_chat.thinking_switch == chat.thinking_switch
        && of_chat.stop == chat.stop
        && of_chat.call_seals == chat.call_seals
        && Dialect::ALL.into_iter().all(seals)
        && of_chat.openais_members == openai_chat::names::is_openais_own(model);
    let responses = profile(Dialect::OpenaiResponses);
    let same_in_responses = responses.efforts == chat.efforts
        && responses.sampling == chat.sampling
        && responses.reasons == chat.reasons
        && responses.openais_members;
    samples
        && same_in_responses
        && is_as_before_in_anthropic(model)
        && is_as_before_in_gemini(model)
        && marks(model)
        && ids(model)
}

fn is_as_before_in_anthropic(model: &str) -> bool {
    let former = anthropic::model::Takes::of(model);
    let profile = Profile::of(model, Dialect::Anthropic);
    let effort = |asked| match asked {
        Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
        Effort::ExtraHigh if !former.extra_high_effort => Effort::High,
        asked => asked,
    };
    let all =
        [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max];
    let is_adaptive = profile.thinking == Thinking::Effort;
    let budget = Thinking::Budget { least: 1024, most: u64::MAX };
    is_adaptive == former.adaptive_thinking
        && (is_adaptive || profile.thinking == budget)
        && (!is_adaptive || all.into_iter().all(|asked| profile.effort_up_to(asked) == Some(effort(asked))))
        && profile.sampling == former.sampling
        && profile.format == former.format
        && profile.prefill == former.prefill
        && profile.reads_reasoning == former.unsigned_thoughts
        && profile.needs_reasoning == former.needs_thoughts
        && profile.reads_reasoning == anthropic::model::keeps_unsigned(model)
}

fn is_as_before_in_gemini(model: &str) -> bool {
    use gemini::names;
    let profile = Profile::of(model, Dialect::Gemini);
    let all =
        [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max];
    let is_same = match names::thinking(model) {
        names::Thinking::Never => profile.thinking == Thinking::Never,
        names::Thinking::Budget { least, most } => profile.thinking == Thinking::Budget { least, most },
        names::Thinking::Level { flash, two_only } => {
            let level = |asked| match asked {
                Effort::None | Effort::Minimal if flash => Effort::Minimal,
                Effort::None | Effort::Minimal | Effort::Low => Effort::Low,
                Effort::Medium if !two_only => Effort::Medium,
                _ => Effort::High,
            };
            profile.thinking == Thinking::Effort
                && all.into_iter().all(|asked| profile.effort_from(asked) == Some(level(asked)))
        }
    };
    is_same
        && profile.format_beside_tools == names::takes_format_beside_tools(model)
        && profile.penalties == names::takes_penalties(model)
        && profile.call_seals == names::wants_seals(model)
}

fn marks(model: &str) -> bool {
    let is_relay = openai_chat::names::is_claude_of_a_relay(model);
    let is_claude = is_relay || model.to_ascii_lowercase().contains("claude");
    let former = |dialect| match dialect {
        Dialect::Anthropic if is_claude => CacheMarks::Needed,
        Dialect::Anthropic => CacheMarks::Read,
        Dialect::OpenaiChat if is_relay => CacheMarks::Needed,
        _ => CacheMarks::No,
    };
    Dialect::ALL.into_iter().all(|dialect| Profile::of(model, dialect).cache_marks == former(dialect))
}

fn ids(model: &str) -> bool {
    let profile = Profile::of(model, Dialect::OpenaiChat);
    let long = "x".repeat(41);
    let expected = match profile.call_ids {
        CallIds::Any => 41,
        CallIds::NineLetters => 9,
        CallIds::OfDialect => 40,
    };
    ids_of_calls(&long, model).len() == expected
}

#[test]
fn the_table_says_what_the_code_before_it_said() {
    let differ: Vec<&&str> = MODELS.iter().filter(|model| !is_as_before(model)).collect();
    assert!(differ.is_empty(), "{differ:?}");
    let same: Vec<&&str> = MISREAD.iter().filter(|model| is_as_before(model)).collect();
    assert!(same.is_empty(), "{same:?}");
}
