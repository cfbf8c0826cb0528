//! Models of other makers, most of them open and served by many.

use super::{CallIds, Dialect, Effort, Fact, Family, OPENAIS, Row, Sampling, ServedBy, Source, of, read};

const CHAT: &[Dialect] = &[Dialect::OpenaiChat];
const CHAT_AND_ANTHROPIC: &[Dialect] = &[Dialect::OpenaiChat, Dialect::Anthropic];

const DEEPSEEK: Source = read("2026-11-25", "https://api-docs.deepseek.com/guides/thinking_mode");
const DEEPSEEK_CALLS: Source = read("2026-11-25", "https://api-docs.deepseek.com/guides/thinking_mode#tool-calls");
const KIMI_EFFORT: Source = read("2026-11-25", "https://platform.kimi.ai/docs/guide/use-thinking-effort");
const KIMI_IDS: Source = read("2026-11-25", "https://github.com/MoonshotAI/K2-Vendor-Verifier#suggestions-to-vendors");
const KIMI_MODELS: Source = read("2026-11-25", "https://platform.kimi.ai/docs/api/models-overview");
const KIMI_REASONING: Source = read("2026-11-25", "https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model");
const KIMI_TRIED: Source =
    read("2026-11-30", "https://docs.rs/synaps-engine/0.11.0/src/agent_engine/runtime/openai/catalog/kimi.rs.html");
const DEEPSEEK_AGAIN: Source = read("2026-11-30", "https://api-docs.deepseek.com/guides/thinking_mode");
const GLM_EFFORT: Source = read("2026-11-30", "https://docs.z.ai/api-reference/llm/chat-completion");
const MINIMAX_SWITCH: Source = read("2026-11-30", "https://java.agentscope.io/v2/en/integration/model/minimax");
const MISTRAL_EFFORT: Source = read("2026-11-30", "https://docs.mistral.ai/resources/cookbooks/mistral-reasoning");
const GROK: Source = read("2026-11-30", "https://docs.x.ai/developers/model-capabilities/text/reasoning");
const GROK_4_5: Source = read("2026-11-30", "https://github.com/anomalyco/opencode/issues/39448");
const GROK_4_6: Source = read("2026-11-30", "https://github.com/chenyme/grok2api/pull/901");
/// `Model does not support parameter reasoningEffort`
const GROK_WITHOUT: Source =
    read("2026-11-30", "https://github.com/acedergren/opencode-oci-provider/releases/tag/v0.2.3");
const GLM: Source = read("2026-11-25", "https://docs.z.ai/guides/capabilities/thinking-mode");
const GLM_AT_CEREBRAS: Source = read("2026-11-30", "https://inference-docs.cerebras.ai/capabilities/reasoning");
const MIMO: Source = read("2026-11-25", "https://platform.xiaomimimo.com/docs");
const MINIMAX: Source = read("2026-11-25", "https://platform.minimax.io/docs/guides/text-m2-function-call");
const MISTRAL_IDS: Source = read("2026-11-25", "https://mistralai.github.io/mistral-common/usage/tools/");
/// The chat template.
const QWEN: Source = read("2026-11-25", "https://huggingface.co/Qwen/Qwen3-32B/blob/main/tokenizer_config.json");

pub(super) const ROWS: &[Row] = &[
    // To all others what they reasoned is nothing or an error when it comes back: Groq and Cerebras answer `property
    // 'reasoning_content' is unsupported`.
    of(&[Family::DeepSeek]).spoken(CHAT_AND_ANTHROPIC).facts(&[
        (Fact::ReadsReasoning(true), DEEPSEEK_CALLS),
        // `The reasoning_content in the thinking mode must be passed back to the API`, and in Anthropic's dialect
        // `content[].thinking in the thinking mode must be passed back to the API`
        (Fact::NeedsReasoning(true), DEEPSEEK_CALLS),
    ]),
    of(&[Family::Kimi, Family::Moonshot]).spoken(CHAT_AND_ANTHROPIC).facts(&[
        (Fact::ReadsReasoning(true), KIMI_REASONING),
        // `thinking is enabled but reasoning_content is missing in assistant tool call message`
        (Fact::NeedsReasoning(true), KIMI_REASONING),
    ]),
    // They take their cue for the next id from those they are shown (`functions.search:0`).
    of(&[Family::Kimi, Family::Moonshot]).spoken(CHAT).facts(&[(Fact::CallIds(CallIds::Any), KIMI_IDS)]),
    // Relatives of these that do not reason.
    of(&[Family::DeepSeek, Family::Kimi, Family::Moonshot])
        .spoken(CHAT_AND_ANTHROPIC)
        .named(&["instruct", "distill"])
        .facts(&[(Fact::NeedsReasoning(false), DEEPSEEK)]),
    of(&[Family::Glm]).spoken(CHAT_AND_ANTHROPIC).facts(&[(Fact::ReadsReasoning(true), GLM)]),
    of(&[Family::Qwen]).spoken(CHAT_AND_ANTHROPIC).facts(&[(Fact::ReadsReasoning(true), QWEN)]),
    of(&[Family::MiMo]).spoken(CHAT_AND_ANTHROPIC).facts(&[(Fact::ReadsReasoning(true), MIMO)]),
    of(&[Family::MiniMax]).spoken(CHAT_AND_ANTHROPIC).facts(&[(Fact::ReadsReasoning(true), MINIMAX)]),
    // It maps all of OpenAI's words to its own.
    of(&[Family::DeepSeek]).spoken(OPENAIS).served(ServedBy::ByMaker).facts(&[
        (Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max]), DEEPSEEK),
        (Fact::ThinkingSwitch(true), DEEPSEEK),
    ]),
    of(&[Family::Glm]).spoken(OPENAIS).served(ServedBy::ByMaker).facts(&[(Fact::ThinkingSwitch(true), GLM)]),
    // Cerebras's name for it: there `reasoning_effort` is `none`.
    of(&[Family::Glm]).spoken(OPENAIS).named(&["zai-glm"]).facts(&[(Fact::ThinkingSwitch(false), GLM_AT_CEREBRAS)]),
    of(&[Family::Kimi]).spoken(OPENAIS).served(ServedBy::ByMaker).facts(&[
        (Fact::Efforts(&[Effort::Low, Effort::High, Effort::Max]), KIMI_EFFORT),
        // `invalid temperature: only 1 is allowed for this model`
        (Fact::Sampling(Sampling::Refused), KIMI_MODELS),
    ]),
    of(&[Family::Kimi])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .before(2, 5)
        .facts(&[(Fact::Sampling(Sampling::Taken), KIMI_MODELS)]),
    // `Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9`, and so do the templates of the open ones.
    of(&[Family::Mistral]).spoken(CHAT).facts(&[(Fact::CallIds(CallIds::NineLetters), MISTRAL_IDS)]),
    // In Responses `none` switches reasoning off.
    of(&[Family::DeepSeek])
        .spoken(&[Dialect::OpenaiResponses])
        .served(ServedBy::ByMaker)
        .facts(&[(Fact::Efforts(&[Effort::None, Effort::Low, Effort::High, Effort::Max]), DEEPSEEK_AGAIN)]),
    // Beside the switch, which it reads as older models of Anthropic's do but for the number of tokens.
    of(&[Family::DeepSeek])
        .spoken(&[Dialect::Anthropic])
        .facts(&[(Fact::Efforts(&[Effort::Low, Effort::High, Effort::Max]), DEEPSEEK_AGAIN)]),
    of(&[Family::Glm]).spoken(OPENAIS).served(ServedBy::ByMaker).since(5, 2).facts(&[(
        Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max]),
        GLM_EFFORT,
    )]),
    // K2 has a switch in place of such a word, except for its coding models, which always reason, as K3 does.
    of(&[Family::Kimi])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .before(3, 0)
        .facts(&[(Fact::Efforts(&[]), KIMI_TRIED)]),
    of(&[Family::Kimi])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .since(2, 5)
        .before(2, 7)
        .facts(&[(Fact::ThinkingSwitch(true), KIMI_TRIED)]),
    of(&[Family::MiniMax])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .since(3, 0)
        .facts(&[(Fact::ThinkingSwitch(true), MINIMAX_SWITCH)]),
    of(&[Family::Mistral]).spoken(OPENAIS).served(ServedBy::ByMaker).facts(&[(Fact::Efforts(&[]), MISTRAL_EFFORT)]),
    of(&[Family::Mistral])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .named(&[
            "mistral-small-2603",
            "mistral-small-latest",
            "mistral-medium-2604",
            "mistral-medium-3-5",
            "mistral-medium-3.5",
            "mistral-medium-latest",
        ])
        .facts(&[(Fact::Efforts(&[Effort::None, Effort::High]), MISTRAL_EFFORT)]),
    of(&[Family::Grok]).spoken(OPENAIS).served(ServedBy::ByMaker).facts(&[(Fact::Efforts(&[]), GROK_WITHOUT)]),
    of(&[Family::Grok])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .named(&["grok-3-mini"])
        .facts(&[(Fact::Efforts(&[Effort::Low, Effort::High]), GROK)]),
    of(&[Family::Grok])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .named(&["grok-4.3"])
        .facts(&[(Fact::Efforts(&[Effort::None, Effort::Low, Effort::Medium, Effort::High]), GROK)]),
    of(&[Family::Grok])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .named(&["grok-4.5"])
        .facts(&[(Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High]), GROK_4_5)]),
    of(&[Family::Grok])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .named(&["grok-4.6", "grok-latest"])
        .facts(&[(Fact::Efforts(&[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh]), GROK_4_6)]),
    // They reason in any case.
    of(&[Family::Kimi])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .since(3, 0)
        .facts(&[(Fact::Reasons(true), KIMI_TRIED)]),
    of(&[Family::Grok])
        .spoken(OPENAIS)
        .served(ServedBy::ByMaker)
        .named(&["grok-4.5", "grok-4.6", "grok-latest"])
        .facts(&[(Fact::Reasons(true), GROK_4_5)]),
];
