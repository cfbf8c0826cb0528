//! The table of providers. Those that came in the autumn of 2026 were looked up on 2026-11-30.

use super::counters::{self, Counter};
use super::limits::{self, LimitHeaders};
use super::quotas::{self, KnownQuota};
use super::{ECHO, KnownProvider, PriceList};
use crate::dialect::{Auth, Dialect};

const CHAT: Dialect = Dialect::OpenaiChat;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const ANTHROPIC: Dialect = Dialect::Anthropic;
const GEMINI: Dialect = Dialect::Gemini;

/// Every provider: first the presets, in the order in which a list for choosing shows them, then those whose address
/// differs for each user.
pub(super) const PROVIDERS: &[KnownProvider] = &[
    preset(
        "anthropic",
        &[(ANTHROPIC, "https://api.anthropic.com")],
        &[
            "https://platform.claude.com/docs/en/api/overview",
            "https://code.claude.com/docs/en/auto-mode-classifier-billing",
        ],
    )
    .reviewing()
    .priced("anthropic", &["api.anthropic.com"])
    .telling(&[limits::ANTHROPIC, limits::CLAUDE_PLAN]),
    preset(
        "openai",
        &[(CHAT, "https://api.openai.com/v1"), (RESPONSES, "https://api.openai.com/v1")],
        &[
            "https://platform.openai.com/docs/api-reference/introduction",
            "https://developers.openai.com/api/docs/deprecations",
        ],
    )
    .announcing()
    .priced("openai", &["api.openai.com"])
    .telling(&[limits::OPENAI]),
    bearer_preset(
        "openrouter",
        &[(CHAT, "https://openrouter.ai/api/v1"), (ANTHROPIC, "https://openrouter.ai/api")],
        &["https://openrouter.ai/docs/quickstart", "https://openrouter.ai/docs/guides/guides/claude-code-integration"],
    )
    .giving(&quotas::OPENROUTER)
    .priced("openrouter", &["openrouter.ai"])
    .telling(&[limits::OPENROUTER])
    .counting(&counters::OPENROUTER),
    bearer_preset(
        "deepseek",
        &[(CHAT, "https://api.deepseek.com"), (ANTHROPIC, "https://api.deepseek.com/anthropic")],
        &["https://api-docs.deepseek.com/", "https://api-docs.deepseek.com/guides/anthropic_api"],
    )
    .priced("deepseek", &["api.deepseek.com"])
    .counting(&counters::DEEPSEEK),
    bearer_preset(
        "moonshot",
        &[(CHAT, "https://api.moonshot.cn/v1"), (ANTHROPIC, "https://api.moonshot.cn/anthropic")],
        &["https://platform.moonshot.cn/docs/api/chat", "https://platform.moonshot.cn/docs/guide/agent-support"],
    )
    .priced("moonshotai", &["api.moonshot.*"]),
    bearer_preset(
        "dashscope",
        &[
            (CHAT, "https://dashscope.aliyuncs.com/compatible-mode/v1"),
            (ANTHROPIC, "https://dashscope.aliyuncs.com/apps/anthropic"),
        ],
        &[
            "https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope",
            "https://help.aliyun.com/zh/model-studio/anthropic-api-messages",
        ],
    ),
    bearer_preset(
        "dashscope-intl",
        &[
            (CHAT, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
            (ANTHROPIC, "https://dashscope-intl.aliyuncs.com/apps/anthropic"),
        ],
        &[
            "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
            "https://www.alibabacloud.com/help/doc-detail/2980295.html",
        ],
    ),
    preset(
        "siliconflow",
        &[(CHAT, "https://api.siliconflow.cn/v1")],
        &["https://docs.siliconflow.cn/cn/userguide/quickstart"],
    )
    .counting(&counters::SILICONFLOW),
    preset(
        "siliconflow-intl",
        &[(CHAT, "https://api.siliconflow.com/v1")],
        &["https://docs.siliconflow.com/en/userguide/quickstart"],
    )
    .counting(&counters::SILICONFLOW_INTL),
    preset(
        "modelscope",
        &[(CHAT, "https://api-inference.modelscope.cn/v1")],
        &["https://modelscope.cn/docs/model-service/API-Inference/intro"],
    )
    .giving(&quotas::MODELSCOPE)
    .telling(&[limits::MODELSCOPE]),
    bearer_preset(
        "zhipu",
        &[(CHAT, "https://open.bigmodel.cn/api/paas/v4"), (ANTHROPIC, "https://open.bigmodel.cn/api/anthropic")],
        &[
            "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction",
            "https://docs.bigmodel.cn/cn/guide/develop/claude",
        ],
    )
    .priced("zhipuai", &["open.bigmodel.cn"]),
    preset(
        "gemini",
        &[
            (CHAT, "https://generativelanguage.googleapis.com/v1beta/openai"),
            (GEMINI, "https://generativelanguage.googleapis.com"),
        ],
        &["https://ai.google.dev/gemini-api/docs/openai", "https://ai.google.dev/api"],
    )
    .priced("google", &["*.googleapis.com"]),
    preset("groq", &[(CHAT, "https://api.groq.com/openai/v1")], &["https://console.groq.com/docs/openai"])
        .priced("groq", &["api.groq.com"])
        .telling(&[limits::OPENAI]),
    preset("mistral", &[(CHAT, "https://api.mistral.ai/v1")], &["https://docs.mistral.ai/api/"])
        .priced("mistral", &["api.mistral.ai"]),
    preset(
        "together",
        &[(CHAT, "https://api.together.xyz/v1")],
        &["https://docs.together.ai/docs/openai-api-compatibility"],
    )
    .priced("together", &["api.together.*"]),
    preset(
        "xai",
        &[(CHAT, "https://api.x.ai/v1"), (RESPONSES, "https://api.x.ai/v1")],
        &["https://docs.x.ai/docs/overview"],
    )
    .priced("x-ai", &["api.x.ai"]),
    bearer_preset(
        "moonshot-intl",
        &[(CHAT, "https://api.moonshot.ai/v1"), (ANTHROPIC, "https://api.moonshot.ai/anthropic")],
        &["https://platform.moonshot.ai/docs/api/chat", "https://platform.moonshot.ai/docs/guide/agent-support"],
    )
    .priced("moonshotai", &[]),
    bearer_preset(
        "zai",
        &[(CHAT, "https://api.z.ai/api/paas/v4"), (ANTHROPIC, "https://api.z.ai/api/anthropic")],
        &["https://docs.z.ai/guides/overview/quick-start", "https://dev.to/hassann/how-to-use-the-glm-54-api-3940"],
    )
    .priced("zai", &["api.z.ai"]),
    // The subscriptions for coding have addresses of their own; calls to the API's address do not count for them.
    bearer_preset(
        "zai-coding",
        &[(CHAT, "https://api.z.ai/api/coding/paas/v4"), (ANTHROPIC, "https://api.z.ai/api/anthropic")],
        &["https://docs.z.ai/devpack/overview", "https://dev.to/hassann/how-to-use-the-glm-54-api-3940"],
    ),
    bearer_preset(
        "zhipu-coding",
        &[(CHAT, "https://open.bigmodel.cn/api/coding/paas/v4"), (ANTHROPIC, "https://open.bigmodel.cn/api/anthropic")],
        &["https://docs.bigmodel.cn/cn/coding-plan/overview", "https://docs.bigmodel.cn/cn/guide/develop/claude"],
    ),
    preset(
        "dashscope-coding",
        &[(CHAT, "https://coding.dashscope.aliyuncs.com/v1")],
        &["https://help.aliyun.com/zh/model-studio/coding-plan"],
    ),
    preset(
        "dashscope-coding-intl",
        &[(CHAT, "https://coding-intl.dashscope.aliyuncs.com/v1")],
        &["https://www.alibabacloud.com/help/en/model-studio/coding-plan"],
    ),
    bearer_preset(
        "kimi-coding",
        &[(ANTHROPIC, "https://api.kimi.com/coding")],
        &["https://www.kimi.com/code/docs/en/third-party-tools/other-coding-agents.html"],
    ),
    preset(
        "tencent-coding",
        &[(CHAT, "https://api.lkeap.cloud.tencent.com/coding/v3")],
        &["https://cloud.tencent.com/document/product/1772/128947"],
    ),
    bearer_preset(
        "minimax",
        &[
            (CHAT, "https://api.minimax.io/v1"),
            (RESPONSES, "https://api.minimax.io/v1"),
            (ANTHROPIC, "https://api.minimax.io/anthropic"),
        ],
        &[
            "https://platform.minimax.io/docs/api-reference/text-openai-api",
            "https://www.developersdigest.tech/reference/api-compatibility/minimax",
        ],
    )
    .priced("minimax", &["api.minimax.io", "api.minimax.com"]),
    bearer_preset(
        "minimax-cn",
        &[(CHAT, "https://api.minimaxi.com/v1"), (ANTHROPIC, "https://api.minimaxi.com/anthropic")],
        &[
            "https://platform.minimaxi.com/docs/api-reference/text-openai-api",
            "https://platform.minimaxi.com/docs/guides/quickstart",
        ],
    )
    .priced("minimax", &["api.minimaxi.com", "api.minimaxi.io"]),
    bearer_preset(
        "mimo",
        &[(CHAT, "https://api.xiaomimimo.com/v1"), (ANTHROPIC, "https://api.xiaomimimo.com/anthropic")],
        &["https://docs.openclaw.ai/providers/xiaomi", "https://docs.molt.bot/providers/xiaomi"],
    ),
    bearer_preset(
        "mimo-plan-cn",
        &[
            (CHAT, "https://token-plan-cn.xiaomimimo.com/v1"),
            (ANTHROPIC, "https://token-plan-cn.xiaomimimo.com/anthropic"),
        ],
        &[
            "https://github.com/anomalyco/models.dev/blob/dev/providers/xiaomi-token-plan-cn/provider.toml",
            "https://github.com/Agents365-ai/dsclaude/blob/main/mmclaude",
        ],
    ),
    preset(
        "volcengine",
        &[(CHAT, "https://ark.cn-beijing.volces.com/api/v3"), (RESPONSES, "https://ark.cn-beijing.volces.com/api/v3")],
        &[
            "https://cloudwego.io/docs/eino/ecosystem/chat_model/chat_model_ark",
            "https://yulab-smu.top/aisdk/reference/create_volcengine.html",
        ],
    ),
    bearer_preset(
        "volcengine-coding",
        &[
            (CHAT, "https://ark.cn-beijing.volces.com/api/coding/v3"),
            (ANTHROPIC, "https://ark.cn-beijing.volces.com/api/coding"),
        ],
        &["https://www.volcengine.com/article/38136"],
    ),
    preset(
        "cerebras",
        &[(CHAT, "https://api.cerebras.ai/v1")],
        &["https://reference-server.pipecat.ai/en/latest/api/pipecat.services.cerebras.llm.html"],
    )
    .priced("cerebras", &["api.cerebras.ai"]),
    preset(
        "cohere",
        &[(CHAT, "https://api.cohere.ai/compatibility/v1")],
        &[
            "https://docs.cohere.com/docs/compatibility-api",
            "https://strandsagents.com/docs/user-guide/concepts/model-providers/cohere/",
        ],
    )
    .refusing_stream_options()
    .priced("cohere", &["api.cohere.ai", "api.cohere.com"]),
    preset("nvidia", &[(CHAT, "https://integrate.api.nvidia.com/v1")], &["https://docs.api.nvidia.com/nim/"]),
    preset(
        "huggingface",
        &[(CHAT, "https://router.huggingface.co/v1")],
        &["https://huggingface.co/docs/inference-providers"],
    ),
    preset(
        "ovh",
        &[(CHAT, "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1")],
        &["https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog/"],
    )
    .priced("ovhcloud", &["oai.endpoints.kepler.ai.cloud.ovh.net"]),
    bearer_preset(
        "ollama-cloud",
        &[(CHAT, "https://ollama.com/v1"), (ANTHROPIC, "https://ollama.com")],
        &["https://docs.ollama.com/cloud", "https://docs.ollama.com/api/anthropic-compatibility"],
    ),
    local_preset(
        "ollama",
        &[
            (CHAT, "http://127.0.0.1:11434/v1"),
            (RESPONSES, "http://127.0.0.1:11434/v1"),
            (ANTHROPIC, "http://127.0.0.1:11434"),
        ],
        &[
            "https://docs.ollama.com/api/anthropic-compatibility",
            "https://www.developersdigest.tech/reference/api-compatibility/ollama",
        ],
    ),
    local_preset(
        "lmstudio",
        &[
            (CHAT, "http://127.0.0.1:1234/v1"),
            (RESPONSES, "http://127.0.0.1:1234/v1"),
            (ANTHROPIC, "http://127.0.0.1:1234"),
        ],
        &["https://lmstudio.ai/docs/developer/openai-compat", "https://lmstudio.ai/docs/developer/anthropic-compat"],
    ),
    local_preset(
        "llamacpp",
        &[(CHAT, "http://127.0.0.1:8080/v1"), (ANTHROPIC, "http://127.0.0.1:8080")],
        &[
            "https://www.mintlify.com/ggml-org/llama.cpp/inference/server",
            "https://huggingface.co/blog/ggml-org/anthropic-messages-api-in-llamacpp",
        ],
    ),
    local_preset(
        "vllm",
        &[(CHAT, "http://127.0.0.1:8000/v1")],
        &["https://huggingface.co/deepseek-ai/DeepSeek-V4-Flash/blob/main/encoding/README.md"],
    ),
    preset(ECHO, &[], &["this crate"]),
    // These have no common address, or nobody asked for a preset.
    charging("azure").priced(
        "azure",
        &["*.openai.azure.com", "*.services.ai.azure.com", "*.cognitiveservices.azure.com", "*.azure-api.net"],
    ),
    charging("bedrock").priced("aws", &["bedrock-runtime.*.amazonaws.com"]),
    charging("arcee").priced("arcee", &["api.arcee.ai"]),
    charging("avian").priced("avian", &["api.avian.io"]),
    charging("baseten").priced("baseten", &["inference.baseten.co"]),
    charging("cloudflare").priced("cloudflare", &["api.cloudflare.com"]),
    charging("databricks")
        .priced("databricks", &["*.cloud.databricks.com", "*.gcp.databricks.com", "*.azuredatabricks.net"]),
    charging("doubleword").priced("doubleword", &["api.doubleword.ai"]),
    charging("fireworks").priced("fireworks", &["api.fireworks.ai"]),
    charging("meta").priced("meta", &["api.meta.ai"]),
    charging("novita").priced("novita", &["api.novita.ai"]),
    charging("perplexity").priced("perplexity", &["api.perplexity.ai"]),
    charging("quicksilverpro").priced("quicksilverpro", &["api.quicksilverpro.io"]),
    charging("typesafe").priced("typesafe", &["api.typesafe.ai"]),
    charging("voyageai").priced("voyageai", &["api.voyageai.com"]),
];

type Endpoints = &'static [(Dialect, &'static str)];

const fn preset(name: &'static str, endpoints: Endpoints, sources: &'static [&'static str]) -> KnownProvider {
    let (quotas, limits): (&[KnownQuota], &[LimitHeaders]) = (&[], &[]);
    let (auth, local, prices, counter) = (None, false, None, None);
    let (refuses_stream_options, safeguards, announces) = (false, false, false);
    KnownProvider {
        name,
        endpoints,
        auth,
        local,
        quotas,
        prices,
        limits,
        counter,
        refuses_stream_options,
        announces,
        safeguards,
        sources,
    }
}

/// A preset whose provider also serves Anthropic's dialect, with the same header for the credential.
const fn bearer_preset(name: &'static str, endpoints: Endpoints, sources: &'static [&'static str]) -> KnownProvider {
    KnownProvider { auth: Some(Auth::Bearer), ..preset(name, endpoints, sources) }
}

/// A server on this machine, at its default port.
const fn local_preset(name: &'static str, endpoints: Endpoints, sources: &'static [&'static str]) -> KnownProvider {
    KnownProvider { local: true, ..bearer_preset(name, endpoints, sources) }
}

/// A provider of which only the prices are known.
const fn charging(name: &'static str) -> KnownProvider {
    preset(name, &[], &["https://github.com/pydantic/genai-prices"])
}

impl KnownProvider {
    const fn refusing_stream_options(self) -> Self {
        KnownProvider { refuses_stream_options: true, ..self }
    }

    const fn announcing(self) -> Self {
        KnownProvider { announces: true, ..self }
    }

    const fn reviewing(self) -> Self {
        KnownProvider { safeguards: true, ..self }
    }

    const fn giving(self, quotas: &'static [KnownQuota]) -> Self {
        KnownProvider { quotas, ..self }
    }

    const fn priced(self, id: &'static str, hosts: &'static [&'static str]) -> Self {
        KnownProvider { prices: Some(PriceList { id, hosts }), ..self }
    }

    const fn telling(self, limits: &'static [LimitHeaders]) -> Self {
        KnownProvider { limits, ..self }
    }

    const fn counting(self, counter: &'static Counter) -> Self {
        KnownProvider { counter: Some(counter), ..self }
    }
}
