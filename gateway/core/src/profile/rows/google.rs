//! Google's models.

use super::{Dialect, Effort, Fact, Family, ReasoningMode, Row, Sampling, Source, of, read};

const GOOGLES: &[Family] = &[Family::Gemini, Family::Gemma];
const SPOKEN: &[Dialect] = &[Dialect::Gemini];

const REASONING: Source = read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thinking");
const FORMAT_BESIDE_TOOLS: Source =
    read("2026-11-25", "https://ai.google.dev/gemini-api/docs/structured-output#structured_outputs_with_tools");
const PENALTIES: Source = read("2026-11-25", "https://github.com/BerriAI/litellm/pull/32273");
const SEALS: Source = read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thought-signatures");
const SEALS_IN_CHAT: Source =
    read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thought-signatures#openai-compatibility");
const NEW_IN_3_6: Source =
    read("2026-11-30", "https://ai.google.dev/gemini-api/docs/generate-content/whats-new-gemini-3.6");
const LEVELS_3_8: Source = read("2026-11-30", "https://github.com/simonw/llm-gemini/releases/tag/0.34");
const GEMINI_4: Source = read("2026-11-30", "https://github.com/iyulab/ironhive/releases/tag/v0.78.0");

pub(super) const ROWS: &[Row] = &[
    of(&[Family::Gemini]).spoken(&[Dialect::OpenaiChat]).facts(&[(Fact::CallSeals(true), SEALS_IN_CHAT)]),
    of(&[Family::Gemini]).spoken(SPOKEN).before(3, 1).facts(&[
        // Nothing between the two.
        (Fact::Efforts(&[Effort::Low, Effort::High]), REASONING),
    ]),
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .before(3, 1)
        .named(&["flash"])
        .facts(&[(Fact::Efforts(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High]), REASONING)]),
    // `Function calling with a response mime type: 'application/json' is unsupported`
    of(GOOGLES).spoken(SPOKEN).before(3, 0).facts(&[
        (Fact::FormatBesideTools(false), FORMAT_BESIDE_TOOLS),
        (Fact::CallSeals(false), SEALS),
        (Fact::Efforts(&[]), REASONING),
        (Fact::ReasoningMode(ReasoningMode::Budget { least: 128, most: 32_768 }), REASONING),
    ]),
    // Flash-Lite reasons only when asked to, with at least 512 tokens.
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .before(3, 0)
        .named(&["flash"])
        .facts(&[(Fact::ReasoningMode(ReasoningMode::Budget { least: 0, most: 24_576 }), REASONING)]),
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .before(2, 5)
        .facts(&[(Fact::ReasoningMode(ReasoningMode::Never), REASONING), (Fact::Penalties(true), PENALTIES)]),
    // The open models are served as those before Gemini 2 were.
    of(&[Family::Gemma]).spoken(SPOKEN).facts(&[
        (Fact::ReasoningMode(ReasoningMode::Never), REASONING),
        (Fact::Efforts(&[]), REASONING),
        (Fact::Penalties(true), PENALTIES),
        (Fact::FormatBesideTools(false), FORMAT_BESIDE_TOOLS),
        (Fact::CallSeals(false), SEALS),
    ]),
    // A conversation that ends with the model's turn is answered with 400.
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .since(3, 5)
        .named(&["flash-lite"])
        .facts(&[(Fact::Prefill(false), NEW_IN_3_6)]),
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .since(3, 6)
        .facts(&[(Fact::Prefill(false), NEW_IN_3_6), (Fact::Sampling(Sampling::Refused), NEW_IN_3_6)]),
    // `minimal` is answered with 400.
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .since(3, 7)
        .facts(&[(Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High]), LEVELS_3_8)]),
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .since(4, 0)
        .named(&["hydrogen"])
        .facts(&[(Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh]), GEMINI_4)]),
];
