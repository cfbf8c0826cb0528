//! OpenAI's models. Each of those that reason knows other words for how hard, and answers 400 to the rest: `Unsupported
//! value: 'minimal' is not supported with the 'gpt-5.1' model. Supported values are: 'none', 'low', 'medium', and 'high'.`

use super::{Dialect, Effort, Fact, Family, OPENAIS, Row, Served, Source, of, read};

const CHAT: &[Dialect] = &[Dialect::OpenaiChat];

const MAX_TOKENS: Source =
    read("2026-11-25", "https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens");
const STOP: Source = read("2026-11-25", "https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop");
const STOP_AGAIN: Source = read("2026-11-25", "https://github.com/BerriAI/litellm/pull/28655");
const MESSAGES: Source =
    read("2026-11-25", "https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages");
const PARAMETERS: Source =
    read("2026-11-25", "https://platform.openai.com/docs/guides/latest-model#gpt-5-parameter-compatibility");
const REASONING: Source = read("2026-11-25", "https://platform.openai.com/docs/guides/reasoning");
/// What is not said on that page was tried out here.
const TRIED: Source = read("2026-11-25", "https://github.com/anomalyco/opencode/pull/26268");
const BESIDE_TOOLS: Source = read("2026-11-25", "https://github.com/openai/openai-openapi/issues/541");

const MEDIUM_TO_HIGH: &[Effort] = &[Effort::Medium, Effort::High];
const MEDIUM_TO_EXTRA: &[Effort] = &[Effort::Medium, Effort::High, Effort::ExtraHigh];
const LOW_TO_HIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
const LOW_TO_EXTRA: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh];
const NONE_TO_HIGH: &[Effort] = &[Effort::None, Effort::Low, Effort::Medium, Effort::High];
const NONE_TO_EXTRA: &[Effort] = &[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh];
const MINIMAL_TO_HIGH: &[Effort] = &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];

pub(super) const ROWS: &[Row] = &[
    // What OpenAI serves itself, perhaps through OpenRouter. Templates of open models want a system message at the
    // beginning and raise errors at any other (Qwen: `System message must be at the beginning`), and turns of user and
    // model that alternate (Gemma).
    of(&[Family::Gpt, Family::ChatGpt, Family::O])
        .spoken(CHAT)
        .served(Served::OfMaker("openai"))
        .facts(&[(Fact::SystemInside(true), MESSAGES), (Fact::OpenaisMembers(true), MESSAGES)]),
    of(&[Family::O]).spoken(OPENAIS).facts(&[
        (Fact::Reasons(true), REASONING),
        (Fact::Sampling(false), PARAMETERS),
        (Fact::MaxTokens(false), MAX_TOKENS),
        (Fact::Efforts(LOW_TO_HIGH), REASONING),
        (Fact::Stop(false), STOP),
    ]),
    of(&[Family::O]).spoken(OPENAIS).before(2, 0).facts(&[(Fact::Stop(true), STOP)]),
    of(&[Family::O]).spoken(OPENAIS).named(&["o3-mini"]).facts(&[(Fact::Stop(true), STOP)]),
    // `Unrecognized request argument supplied: reasoning_effort`
    of(&[Family::O]).spoken(OPENAIS).named(&["o1-mini", "o1-preview"]).facts(&[(Fact::Efforts(&[]), REASONING)]),
    of(&[Family::Gpt]).spoken(OPENAIS).before(5, 0).facts(&[(Fact::Efforts(&[]), REASONING)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 0).facts(&[
        (Fact::Reasons(true), REASONING),
        (Fact::Sampling(false), PARAMETERS),
        (Fact::MaxTokens(false), MAX_TOKENS),
        (Fact::Efforts(MINIMAL_TO_HIGH), REASONING),
        (Fact::Stop(false), STOP),
    ]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 5).facts(&[(Fact::Stop(true), STOP_AGAIN)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 1).facts(&[(Fact::Efforts(NONE_TO_HIGH), REASONING)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 2).facts(&[(Fact::Efforts(NONE_TO_EXTRA), REASONING)]),
    of(&[Family::Gpt])
        .spoken(OPENAIS)
        .since(5, 0)
        .before(5, 2)
        .named(&["-codex"])
        .facts(&[(Fact::Efforts(LOW_TO_HIGH), TRIED)]),
    of(&[Family::Gpt])
        .spoken(OPENAIS)
        .since(5, 0)
        .before(5, 2)
        .named(&["-codex-mini"])
        .facts(&[(Fact::Efforts(MEDIUM_TO_HIGH), TRIED)]),
    of(&[Family::Gpt])
        .spoken(OPENAIS)
        .since(5, 1)
        .before(5, 2)
        .named(&["-codex-max"])
        .facts(&[(Fact::Efforts(LOW_TO_EXTRA), TRIED)]),
    of(&[Family::Gpt])
        .spoken(OPENAIS)
        .since(5, 2)
        .before(5, 3)
        .named(&["-codex"])
        .facts(&[(Fact::Efforts(LOW_TO_EXTRA), TRIED)]),
    of(&[Family::Gpt])
        .spoken(OPENAIS)
        .since(5, 0)
        .before(5, 1)
        .named(&["-pro"])
        .facts(&[(Fact::Efforts(&[Effort::High]), REASONING)]),
    of(&[Family::Gpt])
        .spoken(OPENAIS)
        .since(5, 2)
        .named(&["-pro"])
        .facts(&[(Fact::Efforts(MEDIUM_TO_EXTRA), REASONING)]),
    // In chat completions they reason unless they are told not to, and refuse tools even if nothing is said. With a vendor
    // before it the name is a relay's, which asks OpenAI in Responses.
    of(&[Family::Gpt])
        .spoken(CHAT)
        .since(5, 4)
        .served(Served::ByMaker)
        .facts(&[(Fact::EffortBesideTools(false), BESIDE_TOOLS)]),
    // `gpt-5-chat-latest` and its successors reason as hard as they like or not at all.
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 0).named(&["-chat"]).facts(&[
        (Fact::Reasons(false), REASONING),
        (Fact::Sampling(true), PARAMETERS),
        (Fact::Efforts(&[]), REASONING),
        (Fact::Stop(true), STOP),
    ]),
    of(&[Family::ChatGpt]).spoken(OPENAIS).facts(&[(Fact::Efforts(&[]), REASONING)]),
];
