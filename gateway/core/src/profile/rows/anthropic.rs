//! Anthropic's models: newer ones refuse with 400 what older ones want.

use super::{CacheMarks, Dialect, Effort, Fact, Family, Row, Served, Source, Thinking, of, read};

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

pub(super) const ROWS: &[Row] = &[
    of(CLAUDES).spoken(SPOKEN).facts(&[(Fact::CacheMarks(CacheMarks::Needed), CACHE)]),
    of(CLAUDES)
        .spoken(&[Dialect::OpenaiChat])
        .served(Served::ByRelayAs("anthropic"))
        .facts(&[(Fact::CacheMarks(CacheMarks::Needed), CACHE_OF_RELAY)]),
    of(CLAUDES).spoken(SPOKEN).since(4, 5).facts(&[(Fact::Format(true), FORMAT)]),
    of(CLAUDES).spoken(SPOKEN).since(4, 6).facts(&[
        (Fact::Thinking(Thinking::Effort), ADAPTIVE),
        (Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::Max]), EFFORT),
        (Fact::Prefill(false), NEW_IN_4_6),
    ]),
    of(CLAUDES).spoken(SPOKEN).since(4, 7).facts(&[
        (Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max]), EFFORT),
        (Fact::Sampling(false), NEW_IN_4_7),
    ]),
];
