//! Google's models.

use super::{Dialect, Effort, Fact, Family, Row, Source, Thinking, of, read};

const GOOGLES: &[Family] = &[Family::Gemini, Family::Gemma];
const SPOKEN: &[Dialect] = &[Dialect::Gemini];

const THINKING: Source = read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thinking");
const FORMAT_BESIDE_TOOLS: Source =
    read("2026-11-25", "https://ai.google.dev/gemini-api/docs/structured-output#structured_outputs_with_tools");
const PENALTIES: Source = read("2026-11-25", "https://github.com/BerriAI/litellm/pull/32273");
const SEALS: Source = read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thought-signatures");
const SEALS_IN_CHAT: Source =
    read("2026-11-25", "https://ai.google.dev/gemini-api/docs/thought-signatures#openai-compatibility");

pub(super) const ROWS: &[Row] = &[
    of(&[Family::Gemini]).spoken(&[Dialect::OpenaiChat]).facts(&[(Fact::CallSeals(true), SEALS_IN_CHAT)]),
    of(&[Family::Gemini]).spoken(SPOKEN).before(3, 1).facts(&[
        // Nothing between the two.
        (Fact::Efforts(&[Effort::Low, Effort::High]), THINKING),
    ]),
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .before(3, 1)
        .named(&["flash"])
        .facts(&[(Fact::Efforts(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High]), THINKING)]),
    // `Function calling with a response mime type: 'application/json' is unsupported`
    of(GOOGLES).spoken(SPOKEN).before(3, 0).facts(&[
        (Fact::FormatBesideTools(false), FORMAT_BESIDE_TOOLS),
        (Fact::CallSeals(false), SEALS),
        (Fact::Efforts(&[]), THINKING),
        (Fact::Thinking(Thinking::Budget { least: 128, most: 32_768 }), THINKING),
    ]),
    // Flash-Lite thinks only when told to, with 512 tokens at least.
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .before(3, 0)
        .named(&["flash"])
        .facts(&[(Fact::Thinking(Thinking::Budget { least: 0, most: 24_576 }), THINKING)]),
    of(&[Family::Gemini])
        .spoken(SPOKEN)
        .before(2, 5)
        .facts(&[(Fact::Thinking(Thinking::Never), THINKING), (Fact::Penalties(true), PENALTIES)]),
    // The open models are served as those before Gemini 2 were.
    of(&[Family::Gemma]).spoken(SPOKEN).facts(&[
        (Fact::Thinking(Thinking::Never), THINKING),
        (Fact::Efforts(&[]), THINKING),
        (Fact::Penalties(true), PENALTIES),
        (Fact::FormatBesideTools(false), FORMAT_BESIDE_TOOLS),
        (Fact::CallSeals(false), SEALS),
    ]),
];
