//! What a dialect's models take, whoever made them.

use super::{CacheMarks, Dialect, Effort, Fact, OPENAIS, ReasoningMode, Row, Seals, ServedBy, Source, any, read};

const ANTHROPIC_BUDGET: Source =
    read("2026-11-25", "https://platform.claude.com/docs/en/build-with-claude/extended-thinking");
const ANTHROPIC_CACHE: Source =
    read("2026-11-25", "https://platform.claude.com/docs/en/build-with-claude/prompt-caching");
const ANTHROPIC_FORMAT: Source =
    read("2026-11-25", "https://platform.claude.com/docs/en/build-with-claude/structured-outputs");
const GEMINI_REASONING: Source = read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thinking");
const GEMINI_PENALTIES: Source = read("2026-11-25", "https://github.com/BerriAI/litellm/pull/32273");
const GEMINI_SEALS: Source = read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thought-signatures");
const OPENAI_EFFORT: Source = read("2026-11-25", "https://platform.openai.com/docs/guides/reasoning");
const OPENAI_MEMBERS: Source = read("2026-11-25", "https://platform.openai.com/docs/api-reference/responses/create");
const OPENROUTER_SEALS: Source =
    read("2026-11-25", "https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks");

const SEALS_OF_RESPONSES: Source = read("2026-11-30", "https://github.com/pydantic/pydantic-ai/issues/4608");

/// The least Anthropic takes.
pub(super) const BUDGET_MIN: u64 = 1024;

pub(super) const ROWS: &[Row] = &[
    // `xhigh` and `max` are refused by many that are not OpenAI's.
    any(OPENAIS)
        .facts(&[(Fact::Efforts(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High]), OPENAI_EFFORT)]),
    any(&[Dialect::OpenaiResponses]).facts(&[(Fact::OpenaisMembers(true), OPENAI_MEMBERS)]),
    // `The encrypted content … could not be verified.` to another organisation than the one it was made for.
    any(&[Dialect::OpenaiResponses]).facts(&[(Fact::Seals(Seals::OfAccount), SEALS_OF_RESPONSES)]),
    // Seals that nobody said the origin of.
    any(&[Dialect::OpenaiChat])
        .served(ServedBy::ByRelay)
        .facts(&[(Fact::RelayedSeals(Dialect::OpenaiChat), OPENROUTER_SEALS)]),
    any(&[Dialect::OpenaiChat])
        .served(ServedBy::ByRelayAs("anthropic"))
        .facts(&[(Fact::RelayedSeals(Dialect::Anthropic), OPENROUTER_SEALS)]),
    any(&[Dialect::OpenaiChat])
        .served(ServedBy::ByRelayAs("openai"))
        .facts(&[(Fact::RelayedSeals(Dialect::OpenaiResponses), OPENROUTER_SEALS)]),
    any(&[Dialect::OpenaiChat])
        .served(ServedBy::ByRelayAs("google"))
        .facts(&[(Fact::RelayedSeals(Dialect::Gemini), OPENROUTER_SEALS)]),
    // Models of others that speak this dialect take what Claude took when they learnt it.
    any(&[Dialect::Anthropic]).facts(&[
        (Fact::ReasoningMode(ReasoningMode::Budget { least: BUDGET_MIN, most: u64::MAX }), ANTHROPIC_BUDGET),
        (Fact::Format(false), ANTHROPIC_FORMAT),
        (Fact::CacheMarks(CacheMarks::Read), ANTHROPIC_CACHE),
    ]),
    // A name that says no generation is of the newest.
    any(&[Dialect::Gemini]).facts(&[
        (Fact::ReasoningMode(ReasoningMode::Effort), GEMINI_REASONING),
        (Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High]), GEMINI_REASONING),
        // `Penalty is not enabled for this model`
        (Fact::Penalties(false), GEMINI_PENALTIES),
        (Fact::CallSeals(true), GEMINI_SEALS),
    ]),
    any(&[Dialect::Gemini])
        .named(&["flash"])
        .facts(&[(Fact::Efforts(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High]), GEMINI_REASONING)]),
];
