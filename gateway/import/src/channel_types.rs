//! The numbers by which one-api and new-api call kinds of channels. Up to 24 they are the same; later ones differ.
//!
//! Sources: `relay/channeltype/{define,url}.go` of songquanpeng/one-api, `constant/channel.go` and the adaptors of
//! QuantumNous/new-api, looked up on 2026-11-30.

use super::Kind;

/// How the channels of one number are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChannelType {
    number: i64,
    /// What its channels are called there.
    pub(super) name: &'static str,
    /// How llmio speaks with them. `None`: it cannot.
    pub(super) speaks: Option<Speaks>,
}

/// An address and what is spoken there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaks {
    /// The preset for a channel without an address of its own.
    pub(super) preset: Option<&'static str>,
    /// The address of a channel without its own, where there is no preset.
    pub(super) address: &'static str,
    /// The dialect at an address of its own.
    pub(super) dialect: &'static str,
    /// What is added to an address of its own that has no version.
    pub(super) path: &'static str,
}

/// The kind of a channel.
pub(super) fn of(kind: Kind, number: i64) -> Option<&'static ChannelType> {
    let own = if kind == Kind::OneApi { OF_ONE_API } else { OF_NEW_API };
    own.iter().chain(OF_BOTH).find(|known| known.number == number)
}

/// Azure has its version and deployment in the address, which differs for each model.
pub(super) const AZURE: i64 = 3;

const OF_BOTH: &[ChannelType] = &[
    preset(1, "OpenAI", "openai", "/v1"),
    at(3, "Azure", ""),
    at(6, "OpenAI Max", "https://api.openaimax.com"),
    at(7, "OhMyGPT", "https://api.ohmygpt.com"),
    at(8, "custom", ""),
    at(9, "AILS", "https://api.caipacity.com"),
    at(10, "AI Proxy", "https://api.aiproxy.io"),
    at(12, "API2GPT", "https://api.api2gpt.com"),
    at(13, "AIGC2D", "https://api.aigc2d.com"),
    speaking(preset(14, "Anthropic", "anthropic", ""), "anthropic"),
    none(15, "Baidu"),
    none(16, "Zhipu (v3)"),
    preset(17, "Ali", "dashscope", "/compatible-mode/v1"),
    none(18, "Xunfei"),
    at(19, "360", "https://api.360.cn"),
    preset(20, "OpenRouter", "openrouter", "/v1"),
    none(21, "AI Proxy library"),
    at(22, "FastGPT", "https://fastgpt.run/api/openapi"),
    none(23, "Tencent"),
    speaking(preset(24, "Gemini", "gemini", ""), "gemini"),
    preset(25, "Moonshot", "moonshot", "/v1"),
    at(31, "01.AI", "https://api.lingyiwanwu.com"),
    none(33, "AWS"),
];

const OF_NEW_API: &[ChannelType] = &[
    none(2, "Midjourney"),
    preset(4, "Ollama", "ollama", "/v1"),
    none(5, "Midjourney Plus"),
    none(11, "PaLM"),
    preset(26, "Zhipu", "zhipu", "/api/paas/v4"),
    exactly(27, "Perplexity", "https://api.perplexity.ai"),
    exactly(34, "Cohere", "https://api.cohere.ai/compatibility/v1"),
    preset(35, "MiniMax", "minimax-cn", "/v1"),
    none(36, "Suno"),
    none(37, "Dify"),
    at(38, "Jina", "https://api.jina.ai"),
    none(39, "Cloudflare"),
    preset(40, "SiliconFlow", "siliconflow", "/v1"),
    none(41, "Vertex AI"),
    preset(42, "Mistral", "mistral", "/v1"),
    preset(43, "DeepSeek", "deepseek", "/v1"),
    at(44, "MokaAI", "https://api.moka.ai"),
    preset(45, "VolcEngine", "volcengine", "/api/v3"),
    exactly(46, "Baidu v2", "https://qianfan.baidubce.com/v2"),
    at(47, "Xinference", ""),
    preset(48, "xAI", "xai", "/v1"),
    none(49, "Coze"),
    at(53, "Submodel", "https://llm.submodel.ai"),
];

const OF_ONE_API: &[ChannelType] = &[
    none(2, "API2D"),
    at(4, "CloseAI", "https://api.closeai-proxy.xyz"),
    at(5, "OpenAI-SB", "https://api.openai-sb.com"),
    none(11, "PaLM"),
    at(26, "Baichuan", "https://api.baichuan-ai.com"),
    preset(27, "MiniMax", "minimax-cn", "/v1"),
    preset(28, "Mistral", "mistral", "/v1"),
    preset(29, "Groq", "groq", "/v1"),
    preset(30, "Ollama", "ollama", "/v1"),
    at(32, "StepFun", "https://api.stepfun.com"),
    none(34, "Coze"),
    none(35, "Cohere"),
    preset(36, "DeepSeek", "deepseek", "/v1"),
    none(37, "Cloudflare"),
    none(38, "DeepL"),
    preset(39, "Together AI", "together", "/v1"),
    preset(40, "Doubao", "volcengine", "/api/v3"),
    exactly(41, "Novita", "https://api.novita.ai/v3/openai"),
    none(42, "Vertex AI"),
    none(43, "Proxy"),
    preset(44, "SiliconFlow", "siliconflow", "/v1"),
    preset(45, "xAI", "xai", "/v1"),
    none(46, "Replicate"),
    exactly(47, "Baidu v2", "https://qianfan.baidubce.com/v2"),
    at(48, "Xunfei v2", "https://spark-api-open.xf-yun.com"),
    preset(49, "Ali Bailian", "dashscope", "/compatible-mode/v1"),
    at(50, "OpenAI compatible", ""),
    exactly(51, "Gemini (OpenAI)", "https://generativelanguage.googleapis.com/v1beta/openai"),
];

const fn preset(number: i64, name: &'static str, preset: &'static str, path: &'static str) -> ChannelType {
    let speaks = Speaks { preset: Some(preset), address: "", dialect: "openai-chat", path };
    ChannelType { number, name, speaks: Some(speaks) }
}

/// An OpenAI address without its version.
const fn at(number: i64, name: &'static str, address: &'static str) -> ChannelType {
    let speaks = Speaks { preset: None, address, dialect: "openai-chat", path: "/v1" };
    ChannelType { number, name, speaks: Some(speaks) }
}

/// An address that is used as it is.
const fn exactly(number: i64, name: &'static str, address: &'static str) -> ChannelType {
    let speaks = Speaks { preset: None, address, dialect: "openai-chat", path: "" };
    ChannelType { number, name, speaks: Some(speaks) }
}

const fn none(number: i64, name: &'static str) -> ChannelType {
    ChannelType { number, name, speaks: None }
}

const fn speaking(known: ChannelType, dialect: &'static str) -> ChannelType {
    match known.speaks {
        Some(speaks) => ChannelType { speaks: Some(Speaks { dialect, ..speaks }), ..known },
        None => known,
    }
}
