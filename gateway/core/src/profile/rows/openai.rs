//! OpenAI's models. Each of those that reason knows other words for how hard, and answers 400 to the rest: `Unsupported
//! value: 'minimal' is not supported with the 'gpt-5.1' model. Supported values are: 'none', 'low', 'medium', and 'high'.`

use super::{Dialect, Effort, Fact, Family, OPENAIS, Row, Sampling, Seals, ServedBy, Source, of, read};

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
/// `Function tools with reasoning_effort are not supported`
const TOOLS_IN_CHAT: Source = read(
    "2026-11-30",
    "https://community.openai.com/t/gpt-5-6-chat-completion-reasoning-effort-bug-behavior-change/1386454",
);
const MODELS: Source = read("2026-11-30", "https://developers.openai.com/api/docs/models");
const LATEST: Source = read("2026-11-30", "https://developers.openai.com/api/docs/guides/latest-model");
const SAMPLING_WITHOUT: Source =
    read("2026-11-30", "https://developers.openai.com/api/docs/guides/latest-model#gpt-54-parameter-compatibility");
const OPEN_AT_CEREBRAS: Source = read("2026-11-30", "https://inference-docs.cerebras.ai/capabilities/reasoning");

const MEDIUM_TO_HIGH: &[Effort] = &[Effort::Medium, Effort::High];
const MEDIUM_TO_EXTRA: &[Effort] = &[Effort::Medium, Effort::High, Effort::ExtraHigh];
const LOW_TO_HIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
const LOW_TO_EXTRA: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh];
const NONE_TO_HIGH: &[Effort] = &[Effort::None, Effort::Low, Effort::Medium, Effort::High];
const NONE_TO_EXTRA: &[Effort] = &[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh];
const NONE_TO_MAX: &[Effort] =
    &[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max];
const LOW_TO_MAX: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max];
const MINIMAL_TO_HIGH: &[Effort] = &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];

pub(super) const ROWS: &[Row] = &[
    // What OpenAI serves itself, perhaps through OpenRouter. Templates of open models want a system message at the
    // beginning and raise errors at any other (Qwen: `System message must be at the beginning`), and turns of user and
    // model that alternate (Gemma).
    of(&[Family::Gpt, Family::ChatGpt, Family::O])
        .spoken(CHAT)
        .served(ServedBy::OfMaker("openai"))
        .facts(&[(Fact::SystemInside(true), MESSAGES), (Fact::OpenaisMembers(true), MESSAGES)]),
    of(&[Family::O]).spoken(OPENAIS).facts(&[
        (Fact::Reasons(true), REASONING),
        (Fact::Sampling(Sampling::Refused), PARAMETERS),
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
        (Fact::Sampling(Sampling::Refused), PARAMETERS),
        (Fact::MaxTokens(false), MAX_TOKENS),
        (Fact::Efforts(MINIMAL_TO_HIGH), REASONING),
        (Fact::Stop(false), STOP),
    ]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 5).facts(&[(Fact::Stop(true), STOP_AGAIN)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 1).facts(&[(Fact::Efforts(NONE_TO_HIGH), REASONING)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 2).facts(&[(Fact::Efforts(NONE_TO_EXTRA), REASONING)]),
    of(&[Family::Gpt])
        .spoken(OPENAIS)
        .since(5, 1)
        .facts(&[(Fact::Sampling(Sampling::WithoutReasoning), SAMPLING_WITHOUT)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 6).facts(&[(Fact::Efforts(NONE_TO_MAX), MODELS)]),
    // Those of the largest line cannot be told not to reason, and of the middle one since 6.1.
    of(&[Family::Gpt]).spoken(OPENAIS).since(6, 0).named(&["astra"]).facts(&[(Fact::Efforts(LOW_TO_MAX), MODELS)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(6, 1).named(&["sol"]).facts(&[(Fact::Efforts(LOW_TO_MAX), MODELS)]),
    of(&[Family::Gpt]).spoken(OPENAIS).since(6, 2).facts(&[
        (Fact::Efforts(LOW_TO_MAX), MODELS),
        // It is placed behind the conversation there, so that no later request begins as this one does.
        (Fact::Instructions(false), LATEST),
        // Items are dropped when the history before them, the user or the organisation changes.
        (Fact::Seals(Seals::OfAccount), LATEST),
        (Fact::BoundToPrefix(true), LATEST),
    ]),
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
        .served(ServedBy::ByMaker)
        .facts(&[(Fact::EffortBesideTools(false), BESIDE_TOOLS)]),
    // They reason in any case.
    of(&[Family::Gpt])
        .spoken(CHAT)
        .since(5, 0)
        .named(&["-pro", "-codex"])
        .served(ServedBy::ByMaker)
        .facts(&[(Fact::EffortBesideTools(false), TOOLS_IN_CHAT)]),
    // `gpt-5-chat-latest` and its successors reason as hard as they like or not at all.
    of(&[Family::Gpt]).spoken(OPENAIS).since(5, 0).named(&["-chat"]).facts(&[
        (Fact::Reasons(false), REASONING),
        (Fact::Sampling(Sampling::Taken), PARAMETERS),
        (Fact::Efforts(&[]), REASONING),
        (Fact::Stop(true), STOP),
    ]),
    of(&[Family::ChatGpt]).spoken(OPENAIS).facts(&[(Fact::Efforts(&[]), REASONING)]),
    // It refuses `none` and `minimal` with 400 `wrong_api_format`.
    of(&[Family::GptOss]).spoken(OPENAIS).facts(&[(Fact::Efforts(LOW_TO_HIGH), OPEN_AT_CEREBRAS)]),
];
