//! Anthropic's models: newer ones refuse with 400 what older ones want.

use super::{
    CacheMarks, Dialect, Effort, Fact, Family, ReasoningMode, ReasoningOff, Row, Sampling, Seals, ServedBy, Source, of,
    read,
};

const CLAUDES: &[Family] = &[Family::Claude];
const SPOKEN: &[Dialect] = &[Dialect::Anthropic];

const ADAPTIVE: Source = read("2026-11-25", "https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking");
const EFFORT: Source = read("2026-11-25", "https://platform.claude.com/docs/en/build-with-claude/effort");
const CACHE: Source = read("2026-11-25", "https://platform.claude.com/docs/en/build-with-claude/prompt-caching");
const CACHE_OF_RELAY: Source =
    read("2026-11-25", "https://openrouter.ai/docs/guides/best-practices/prompt-caching#anthropic-claude");
const FORMAT: Source = read("2026-11-25", "https://platform.claude.com/docs/en/build-with-claude/structured-outputs");
const NEW_IN_4_6: Source =
    read("2026-11-25", "https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6");
const NEW_IN_4_7: Source =
    read("2026-11-25", "https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7");
const OPUS_5_5: Source = read("2026-11-30", "https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5");
const SONNET_5_5: Source =
    read("2026-11-30", "https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5");
const HAIKU_5_5: Source =
    read("2026-11-30", "https://platform.claude.com/docs/en/models/haiku-5-5/whats-new-haiku-5-5");
const FABLE_5_2: Source =
    read("2026-11-30", "https://platform.claude.com/docs/en/models/fable-5-2/whats-new-fable-5-2");
const PRESERVED: Source =
    read("2026-11-30", "https://platform.claude.com/docs/en/build-with-claude/preserved-thinking");

pub(super) const ROWS: &[Row] = &[
    of(CLAUDES).spoken(SPOKEN).facts(&[(Fact::CacheMarks(CacheMarks::Needed), CACHE)]),
    of(CLAUDES)
        .spoken(&[Dialect::OpenaiChat])
        .served(ServedBy::ByRelayAs("anthropic"))
        .facts(&[(Fact::CacheMarks(CacheMarks::Needed), CACHE_OF_RELAY)]),
    of(CLAUDES).spoken(SPOKEN).since(4, 5).facts(&[(Fact::Format(true), FORMAT)]),
    of(CLAUDES).spoken(SPOKEN).since(4, 6).facts(&[
        (Fact::ReasoningMode(ReasoningMode::Effort), ADAPTIVE),
        (Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::Max]), EFFORT),
        (Fact::Prefill(false), NEW_IN_4_6),
    ]),
    of(CLAUDES).spoken(SPOKEN).since(4, 7).facts(&[
        (Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max]), EFFORT),
        (Fact::Sampling(Sampling::Refused), NEW_IN_4_7),
    ]),
    // `"thinking.type.disabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to
    // control thinking behavior.` Opus 5 and Haiku 5.5 take it at an effort of `high` or less, and llmio writes none beside.
    of(CLAUDES).spoken(SPOKEN).since(5, 5).named(&["opus"]).facts(&[
        (Fact::ReasoningOff(ReasoningOff::Never), OPUS_5_5),
        (Fact::Seals(Seals::OfModel), PRESERVED),
        (Fact::BoundToPrefix(true), PRESERVED),
    ]),
    of(CLAUDES).spoken(SPOKEN).since(5, 5).named(&["sonnet"]).facts(&[
        (Fact::ReasoningOff(ReasoningOff::BetweenTools), SONNET_5_5),
        (Fact::Seals(Seals::OfModelAndAccount), PRESERVED),
        (Fact::BoundToPrefix(true), PRESERVED),
    ]),
    // Other models can read its reasoning as well.
    of(CLAUDES)
        .spoken(SPOKEN)
        .since(5, 5)
        .named(&["haiku"])
        .facts(&[(Fact::Seals(Seals::OfAccount), HAIKU_5_5), (Fact::BoundToPrefix(true), HAIKU_5_5)]),
    of(CLAUDES).spoken(SPOKEN).since(5, 1).named(&["fable", "mythos"]).facts(&[
        (Fact::ReasoningOff(ReasoningOff::Never), FABLE_5_2),
        (Fact::Seals(Seals::OfModel), PRESERVED),
        (Fact::BoundToPrefix(true), PRESERVED),
    ]),
    // `tool_choice` `any` and that of a named tool, through relays as well.
    of(CLAUDES).since(5, 5).named(&["opus", "sonnet"]).facts(&[(Fact::ForcedTools(false), OPUS_5_5)]),
    of(CLAUDES).since(5, 1).named(&["fable", "mythos"]).facts(&[(Fact::ForcedTools(false), OPUS_5_5)]),
];
