//! What the models of each maker take, as their pages say.

use crate::dialect::Dialect;
use crate::profile::{CacheMarks, Effort, Profile, ReasoningMode, ReasoningOff, Sampling, Seals};

fn chat(model: &str) -> Profile {
    Profile::of(model, Dialect::OpenaiChat)
}

fn anthropic(model: &str) -> Profile {
    Profile::of(model, Dialect::Anthropic)
}

fn gemini(model: &str) -> Profile {
    Profile::of(model, Dialect::Gemini)
}

#[test]
fn openais_own_models_are_known_by_their_names() {
    for own in ["gpt-4o", "gpt-3.5-turbo", "openai/gpt-5.4", "chatgpt-4o-latest", "o1", "o3-pro", "ft:gpt-4.1:us::a"] {
        assert!(chat(own).system_inside, "{own}");
    }
    for other in ["gpt-oss-120b", "openai/gpt-oss-20b", "qwen3-32b", "o1mini", "ollama/gpt-4o", "gpt", "m", ""] {
        assert!(!chat(other).system_inside, "{other}");
    }
}

#[test]
fn openais_reasoning_models_alone_want_the_newer_name_of_max_tokens() {
    for newer in ["o1-mini", "o3", "o4-mini", "gpt-5", "openai/gpt-5.4-mini", "gpt-6"] {
        assert!(!chat(newer).max_tokens, "{newer}");
    }
    for older in ["gpt-4o", "gpt-oss-20b", "chatgpt-4o-latest", "qwen3-32b"] {
        assert!(chat(older).max_tokens, "{older}");
    }
}

#[test]
fn a_model_gets_back_the_thoughts_and_seals_it_reads() {
    for reads in ["deepseek-reasoner", "moonshotai/Kimi-K2-Thinking", "glm-4.7", "Qwen/Qwen3-32B", "MiniMax-M2"] {
        assert!(chat(reads).reads_reasoning, "{reads}");
    }
    for refuses in ["openai/gpt-oss-120b", "llama-3.3-70b-versatile", "gpt-5", "gemini-3-pro", "mistral-large"] {
        assert!(!chat(refuses).reads_reasoning, "{refuses}");
    }
    for needs in ["deepseek-v4-pro", "moonshotai/Kimi-K2.6"] {
        assert!(chat(needs).needs_reasoning, "{needs}");
    }
    for does_without in ["glm-4.7", "kimi-k2-instruct", "deepseek-r1-distill-llama-70b", "gpt-5"] {
        assert!(!chat(does_without).needs_reasoning, "{does_without}");
    }
    let seals = |model| chat(model).relayed_seals.into_iter().collect::<Vec<_>>();
    assert_eq!(seals("anthropic/claude-sonnet-4.5"), [Dialect::Anthropic]);
    assert_eq!(seals("openai/gpt-5.4"), [Dialect::OpenaiResponses]);
    assert_eq!(seals("google/gemini-3-pro"), [Dialect::Gemini]);
    assert_eq!(seals("x-ai/grok-4"), [Dialect::OpenaiChat]);
    for none in ["claude-sonnet-4-5", "models/gemini-3-pro", "accounts/fireworks/models/glm-4p6"] {
        assert_eq!(seals(none), [], "{none}");
    }
    assert!(chat("gemini-3-pro").call_seals && !chat("gpt-5").call_seals);
}

#[test]
fn openais_models_that_do_not_reason_are_not_told_how_hard_to() {
    let refuse = ["gpt-4o-mini", "gpt-4.1", "gpt-3.5-turbo", "openai/gpt-4o", "ft:gpt-4.1:us::a", "chatgpt-4o-latest"];
    for refuses in refuse.into_iter().chain(["gpt-5-chat-latest", "gpt-5.2-chat-latest", "o1-mini"]) {
        assert!(chat(refuses).efforts.is_empty(), "{refuses}");
    }
    for takes in ["gpt-5", "gpt-5.4-mini", "o1", "o3-mini", "gpt-oss-120b", "deepseek-chat", "m"] {
        assert!(!chat(takes).efforts.is_empty(), "{takes}");
    }
    for refuses in ["gpt-5.4", "gpt-5.6-terra", "gpt-6"] {
        assert!(!chat(refuses).effort_beside_tools, "{refuses}");
    }
    for takes in ["gpt-5", "gpt-5.2", "openai/gpt-5.6", "o3", "m"] {
        assert!(chat(takes).effort_beside_tools, "{takes}");
    }
}

#[test]
fn stop_sequences_go_to_models_that_take_them() {
    for refuses in ["o3", "o3-pro", "o4-mini", "gpt-5", "gpt-5-mini", "openai/gpt-5.4"] {
        assert!(!chat(refuses).stop, "{refuses}");
    }
    for takes in ["o1", "o3-mini", "gpt-4o", "gpt-5-chat-latest", "gpt-5.5", "gpt-6", "gpt-oss-20b", "m"] {
        assert!(chat(takes).stop, "{takes}");
    }
}

#[test]
fn thinking_is_switched_off_where_the_maker_of_the_model_serves_it() {
    for switched in ["deepseek-v4-pro", "GLM-4.6"] {
        assert!(chat(switched).thinking_switch, "{switched}");
    }
    for other in ["deepseek/deepseek-v4-pro", "kimi-k3", "gpt-5", "m"] {
        assert!(!chat(other).thinking_switch, "{other}");
    }
}

#[test]
fn a_model_that_is_no_claude_takes_what_older_ones_took() {
    let older = anthropic("upstream-model");
    assert_eq!(older.reasoning_mode, ReasoningMode::Budget { least: 1024, most: u64::MAX });
    assert!(older.sampling == Sampling::Taken && !older.format && older.prefill);
    assert!(!older.reads_reasoning && !older.needs_reasoning);
    assert_eq!(anthropic("glm-4.6"), Profile { reads_reasoning: true, ..older });
    assert_eq!(anthropic("kimi-k2"), Profile { reads_reasoning: true, needs_reasoning: true, ..older });
    let older = Profile { cache_marks: CacheMarks::Needed, ..older };
    assert_eq!(anthropic("claude-deepseek-3-5"), older);
    assert_eq!(anthropic("claude-sonnet-4"), older);
    assert_eq!(anthropic("claude-haiku-4-5"), Profile { format: true, ..older });
    assert_eq!(anthropic("claude-opus-4-7").sampling, Sampling::Refused);
}

#[test]
fn a_gemini_is_told_to_think_in_the_way_of_its_generation() {
    let reasoning_mode = |model| gemini(model).reasoning_mode;
    assert_eq!(reasoning_mode("gemini-2.0-flash"), ReasoningMode::Never);
    assert_eq!(reasoning_mode("gemma-3-27b-it"), ReasoningMode::Never);
    assert_eq!(reasoning_mode("models/gemini-2.5-flash-lite"), ReasoningMode::Budget { least: 0, most: 24_576 });
    assert_eq!(reasoning_mode("google/gemini-2.5-pro-preview"), ReasoningMode::Budget { least: 128, most: 32_768 });
    let levels = |model| (reasoning_mode(model), gemini(model).efforts);
    assert_eq!(levels("gemini-3-pro-preview"), (ReasoningMode::Effort, &[Effort::Low, Effort::High][..]));
    let three = &[Effort::Low, Effort::Medium, Effort::High][..];
    assert_eq!(levels("gemini-3.1-pro-preview"), (ReasoningMode::Effort, three));
}

#[test]
fn a_gemini_takes_what_its_generation_does() {
    for (name, format_beside_tools, penalties) in [
        ("gemini-2.0-flash", false, true),
        ("models/gemini-2.5-pro", false, false),
        ("gemini-3-pro-preview", true, false),
    ] {
        assert_eq!(gemini(name).format_beside_tools, format_beside_tools, "{name}");
        assert_eq!(gemini(name).penalties, penalties, "{name}");
    }
}

#[test]
fn a_gemini_whose_name_does_not_say_is_of_the_newest_generation() {
    for name in ["gemini-flash-latest", "gemini-pro-latest", "our-gemini", "gemini-", "gemini-99999999999.1"] {
        assert!(gemini(name).format_beside_tools && !gemini(name).penalties, "{name}");
        assert_eq!(gemini(name).reasoning_mode, ReasoningMode::Effort, "{name}");
        assert!(gemini(name).efforts.contains(&Effort::Medium), "{name}");
    }
}

#[test]
fn this_autumns_claudes_take_what_their_pages_say() {
    use {ReasoningOff as Off, Seals as S};
    for (model, off, forced_tools, seals, bound) in [
        ("claude-opus-4-8", Off::Disabled, true, S::OfMaker, false),
        ("claude-opus-5", Off::Disabled, true, S::OfMaker, false),
        ("claude-opus-5-5", Off::Never, false, S::OfModel, true),
        ("us.anthropic.claude-opus-5-5-v1:0", Off::Never, false, S::OfModel, true),
        ("claude-sonnet-5", Off::Disabled, true, S::OfMaker, false),
        ("claude-sonnet-5-5", Off::BetweenTools, false, S::OfModelAndAccount, true),
        ("claude-haiku-5-5", Off::Disabled, true, S::OfAccount, true),
        ("claude-fable-5", Off::Disabled, true, S::OfMaker, false),
        ("claude-fable-5-1", Off::Never, false, S::OfModel, true),
        ("claude-mythos-5-2", Off::Never, false, S::OfModel, true),
    ] {
        let profile = anthropic(model);
        let facts = (profile.reasoning_off, profile.forced_tools, profile.seals, profile.bound_to_prefix);
        assert_eq!(facts, (off, forced_tools, seals, bound), "{model}");
        assert_eq!(
            (profile.reasoning_mode, profile.prefill, profile.sampling),
            (ReasoningMode::Effort, false, Sampling::Refused)
        );
    }
    assert!(!chat("anthropic/claude-opus-5.5").forced_tools);
}

#[test]
fn this_autumns_gpts_are_told_the_words_they_know() {
    use Effort::{High, Low, Max, Medium, None};
    for (model, least, most) in [
        ("gpt-5.5", None, Effort::ExtraHigh),
        ("gpt-5.6-terra", None, Max),
        ("gpt-6-astra", Low, Max),
        ("gpt-6-luna", None, Max),
        ("gpt-6.1-sol", Low, Max),
        ("gpt-6.1-terra", None, Max),
        ("gpt-6.2-astra", Low, Max),
        ("gpt-6.2-sol", Low, Max),
        ("gpt-5.4-pro", Medium, Effort::ExtraHigh),
        ("gpt-oss-120b", Low, High),
    ] {
        let efforts = chat(model).efforts;
        assert_eq!((efforts.first(), efforts.last()), (Some(&least), Some(&most)), "{model}");
    }
    assert_eq!(chat("gpt-5").sampling, Sampling::Refused);
    assert_eq!(chat("gpt-5.4").sampling, Sampling::WithoutReasoning);
    let responses = |model| Profile::of(model, Dialect::OpenaiResponses);
    assert!(responses("gpt-6.1-sol").instructions && !responses("gpt-6.2-sol").instructions);
    for only_in_responses in ["gpt-5.4", "gpt-5.3-codex", "gpt-5-pro", "gpt-6.2-astra"] {
        assert!(!chat(only_in_responses).effort_beside_tools, "{only_in_responses}");
    }
}

#[test]
fn this_autumns_geminis_take_what_their_pages_say() {
    let three = &[Effort::Low, Effort::Medium, Effort::High][..];
    for (model, efforts, prefill, sampling) in [
        ("gemini-3.5-flash", 4, true, Sampling::Taken),
        ("gemini-3.5-flash-lite", 4, false, Sampling::Taken),
        ("gemini-3.6-flash", 4, false, Sampling::Refused),
        ("gemini-3.7-flash", 3, false, Sampling::Refused),
        ("gemini-3.8-flash", 3, false, Sampling::Refused),
        ("gemini-4-argon", 3, false, Sampling::Refused),
        ("gemini-4-hydrogen", 4, false, Sampling::Refused),
    ] {
        let profile = gemini(model);
        assert_eq!((profile.efforts.len(), profile.prefill, profile.sampling), (efforts, prefill, sampling), "{model}");
    }
    assert_eq!(gemini("gemini-3.8-flash").efforts, three);
}

#[test]
fn models_of_other_makers_are_told_in_their_own_words() {
    for (model, efforts) in [
        ("deepseek-v4-pro", "low medium high xhigh max"),
        ("glm-4.7", "minimal low medium high"),
        ("glm-5.4", "low medium high xhigh max"),
        ("kimi-k2.6", ""),
        ("kimi-k3.1-pro", "low high max"),
        ("grok-4", ""),
        ("grok-4.20-0309-reasoning", ""),
        ("grok-4.3", "none low medium high"),
        ("grok-4.6", "low medium high xhigh"),
        ("x-ai/grok-4", "minimal low medium high"),
        ("mistral-large-latest", ""),
        ("mistral-small-2603", "none high"),
    ] {
        let words: Vec<&str> = chat(model).efforts.iter().map(|effort| effort.word()).collect();
        assert_eq!(words.join(" "), efforts, "{model}");
    }
    for (model, switch) in [("kimi-k2.6", true), ("kimi-k2.7-code", false), ("kimi-k3", false), ("MiniMax-M3", true)] {
        assert_eq!(chat(model).thinking_switch, switch, "{model}");
    }
    assert_eq!(anthropic("deepseek-v4-pro").efforts, [Effort::Low, Effort::High, Effort::Max]);
}
