use super::*;
use Family::{
    ChatGpt, Claude, DeepSeek, Gemini, Gemma, Glm, Gpt, GptOss, Grok, Kimi, MiMo, MiniMax, Mistral, Moonshot, O, Other,
    Qwen,
};

const BARE: Place<'_> = Place::Bare;

type Read = (&'static str, Place<'static>, &'static str, Family, Option<Version>, Option<&'static str>);

/// Names, and what they are taken apart into.
const READ: &[Read] = &[
    ("claude-opus-5-5", BARE, "claude-opus-5-5", Claude, Some((5, 5)), None),
    ("claude-opus-4-6-20260101", BARE, "claude-opus-4-6-20260101", Claude, Some((4, 6)), None),
    ("claude-3-7-sonnet-20250219", BARE, "claude-3-7-sonnet-20250219", Claude, Some((3, 7)), None),
    ("claude-sonnet-5", BARE, "claude-sonnet-5", Claude, Some((5, 0)), None),
    ("claude-sonnet-5[1m]", BARE, "claude-sonnet-5", Claude, Some((5, 0)), Some("1m")),
    ("claude-opus-4@20250514", BARE, "claude-opus-4", Claude, Some((4, 0)), Some("20250514")),
    ("claude-mythos-preview", BARE, "claude-mythos-preview", Claude, None, None),
    ("anthropic/claude-sonnet-4.5", Place::Relay("anthropic"), "claude-sonnet-4.5", Claude, Some((4, 5)), None),
    ("~anthropic/claude-opus-latest", Place::Relay("anthropic"), "claude-opus-latest", Claude, None, None),
    (
        "us.anthropic.claude-opus-4-7-v1:0",
        Place::Cloud("anthropic"),
        "claude-opus-4-7-v1",
        Claude,
        Some((4, 7)),
        Some("0"),
    ),
    ("anthropic.claude-v2:1", Place::Cloud("anthropic"), "claude-v2", Claude, Some((2, 0)), Some("1")),
    ("openrouter/anthropic/claude-opus-5", Place::Path, "claude-opus-5", Claude, Some((5, 0)), None),
    ("gpt-5.4-mini", BARE, "gpt-5.4-mini", Gpt, Some((5, 4)), None),
    ("gpt-5-2025-08-07", BARE, "gpt-5-2025-08-07", Gpt, Some((5, 0)), None),
    ("gpt-4o-2024-11-20", BARE, "gpt-4o-2024-11-20", Gpt, Some((4, 0)), None),
    ("gpt-35-turbo", BARE, "gpt-35-turbo", Gpt, Some((3, 5)), None),
    ("ft:gpt-4.1:us::a", BARE, "gpt-4.1", Gpt, Some((4, 1)), Some("us::a")),
    ("~openai/gpt-sol-latest", Place::Relay("openai"), "gpt-sol-latest", Gpt, None, None),
    ("openai.gpt-5.4", Place::Cloud("openai"), "gpt-5.4", Gpt, Some((5, 4)), None),
    ("gpt-image-1", BARE, "gpt-image-1", Other, None, None),
    ("chatgpt-4o-latest", BARE, "chatgpt-4o-latest", ChatGpt, Some((4, 0)), None),
    ("openai/gpt-oss-120b:free", Place::Relay("openai"), "gpt-oss-120b", GptOss, None, Some("free")),
    ("o4-mini", BARE, "o4-mini", O, Some((4, 0)), None),
    ("o1mini", BARE, "o1mini", Other, None, None),
    ("models/gemini-2.5-pro", Place::Path, "gemini-2.5-pro", Gemini, Some((2, 5)), None),
    ("gemini-flash-latest", BARE, "gemini-flash-latest", Gemini, None, None),
    ("gemma-3-27b-it", BARE, "gemma-3-27b-it", Gemma, Some((3, 0)), None),
    ("deepseek-v3.2-exp", BARE, "deepseek-v3.2-exp", DeepSeek, Some((3, 2)), None),
    ("deepseek/deepseek-chat-v3-0324", Place::Relay("deepseek"), "deepseek-chat-v3-0324", DeepSeek, Some((3, 0)), None),
    ("deepseek-flash", BARE, "deepseek-flash", DeepSeek, None, None),
    ("deepseek.r1-v1:0", Place::Cloud("deepseek"), "r1-v1", DeepSeek, Some((1, 0)), Some("0")),
    ("deepseek-r1-distill-qwen-32b", BARE, "deepseek-r1-distill-qwen-32b", DeepSeek, Some((1, 0)), None),
    ("kimi-k2.6", BARE, "kimi-k2.6", Kimi, Some((2, 6)), None),
    ("kimi-k2-0905-preview", BARE, "kimi-k2-0905-preview", Kimi, Some((2, 0)), None),
    ("accounts/fireworks/models/kimi-k2p7-code", Place::Path, "kimi-k2p7-code", Kimi, Some((2, 7)), None),
    ("moonshotai/kimi-k2-thinking", Place::Relay("moonshotai"), "kimi-k2-thinking", Kimi, Some((2, 0)), None),
    ("moonshotai/moonlight-16b-a3b", Place::Relay("moonshotai"), "moonlight-16b-a3b", Moonshot, None, None),
    ("moonshot-v1-8k", BARE, "moonshot-v1-8k", Moonshot, Some((1, 0)), None),
    ("glm-4.5v", BARE, "glm-4.5v", Glm, Some((4, 5)), None),
    ("accounts/fireworks/models/glm-5p2", Place::Path, "glm-5p2", Glm, Some((5, 2)), None),
    ("glm-4-9b-chat", BARE, "glm-4-9b-chat", Glm, Some((4, 0)), None),
    ("qwen/qwen3-235b-a22b:free", Place::Relay("qwen"), "qwen3-235b-a22b", Qwen, Some((3, 0)), Some("free")),
    ("qwen3:32b", BARE, "qwen3", Qwen, Some((3, 0)), Some("32b")),
    ("qwen-72b-chat", BARE, "qwen-72b-chat", Qwen, None, None),
    ("qwen2.5-vl-72b-instruct", BARE, "qwen2.5-vl-72b-instruct", Qwen, Some((2, 5)), None),
    ("qwen/qwq-32b", Place::Relay("qwen"), "qwq-32b", Qwen, None, None),
    ("minimax-m2.1", BARE, "minimax-m2.1", MiniMax, Some((2, 1)), None),
    ("mimo-v2.5-pro", BARE, "mimo-v2.5-pro", MiMo, Some((2, 5)), None),
    ("grok-4-fast-reasoning", BARE, "grok-4-fast-reasoning", Grok, Some((4, 0)), None),
    ("mixtral-8x7b-32768", BARE, "mixtral-8x7b-32768", Mistral, None, None),
    ("mistral-small-2603", BARE, "mistral-small-2603", Mistral, None, None),
    (
        "@cf/mistralai/mistral-small-3.1-24b-instruct",
        Place::Path,
        "mistral-small-3.1-24b-instruct",
        Mistral,
        None,
        None,
    ),
    ("our-deployment", BARE, "our-deployment", Other, None, None),
    ("", BARE, "", Other, None, None),
];

#[test]
fn a_name_is_taken_apart_however_it_is_written() {
    for (whole, place, name, family, version, tag) in READ.iter().copied() {
        assert_eq!(ModelName::read(whole), ModelName { place, name, family, version, tag }, "{whole}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_name(whole in "(ft:|models/|us\\.|anthropic[./]|claude-|gpt-|o1|gemini|kimi-k)?[a-z0-9./:@\\[\\]~é-]{0,24}") {
        let name = ModelName::read(&whole);
        proptest::prop_assert!(whole.contains(name.name));
    }
}
