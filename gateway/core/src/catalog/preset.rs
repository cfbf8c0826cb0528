//! The providers known by name: what `preset = "…"` fills in.
//!
//! A provider that speaks several dialects has an address for each, so that every client's own dialect reaches it
//! untranslated. Addresses change: each row has the page it was taken from. Anything a document says itself wins over
//! its preset.

mod known;

use crate::dialect::{Auth, Dialect};

pub(super) use known::{KnownQuota, known_quotas};

/// A provider known by name.
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// A base URL for each dialect it speaks. None: it answers inside the gateway.
    pub(super) endpoints: &'static [(Dialect, &'static str)],
    /// How it wants its credential, where that is not as each dialect has it.
    pub(super) auth: Option<Auth>,
    /// The provider's own pages that give the addresses.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader; a test asserts that each row has them"))]
    pub(super) sources: &'static [&'static str],
}

/// The preset that answers inside the gateway.
pub(super) const ECHO: &str = "echo";

/// Every preset, in the order a list for choosing shows them.
pub(super) const PRESETS: [Preset; 17] = [
    preset(
        "anthropic",
        &[(Dialect::Anthropic, "https://api.anthropic.com")],
        &["https://platform.claude.com/docs/en/api/overview"],
    ),
    preset(
        "openai",
        &[(Dialect::OpenaiChat, "https://api.openai.com/v1"), (Dialect::OpenaiResponses, "https://api.openai.com/v1")],
        &["https://platform.openai.com/docs/api-reference/introduction"],
    ),
    bearer_preset(
        "openrouter",
        &[(Dialect::OpenaiChat, "https://openrouter.ai/api/v1"), (Dialect::Anthropic, "https://openrouter.ai/api")],
        &["https://openrouter.ai/docs/quickstart", "https://openrouter.ai/docs/guides/guides/claude-code-integration"],
    ),
    bearer_preset(
        "deepseek",
        &[
            (Dialect::OpenaiChat, "https://api.deepseek.com"),
            (Dialect::Anthropic, "https://api.deepseek.com/anthropic"),
        ],
        &["https://api-docs.deepseek.com/", "https://api-docs.deepseek.com/guides/anthropic_api"],
    ),
    bearer_preset(
        "moonshot",
        &[
            (Dialect::OpenaiChat, "https://api.moonshot.cn/v1"),
            (Dialect::Anthropic, "https://api.moonshot.cn/anthropic"),
        ],
        &["https://platform.moonshot.cn/docs/api/chat", "https://platform.moonshot.cn/docs/guide/agent-support"],
    ),
    bearer_preset(
        "dashscope",
        &[
            (Dialect::OpenaiChat, "https://dashscope.aliyuncs.com/compatible-mode/v1"),
            (Dialect::Anthropic, "https://dashscope.aliyuncs.com/apps/anthropic"),
        ],
        &[
            "https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope",
            "https://help.aliyun.com/zh/model-studio/anthropic-api-messages",
        ],
    ),
    bearer_preset(
        "dashscope-intl",
        &[
            (Dialect::OpenaiChat, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
            (Dialect::Anthropic, "https://dashscope-intl.aliyuncs.com/apps/anthropic"),
        ],
        &[
            "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
            "https://www.alibabacloud.com/help/doc-detail/2980295.html",
        ],
    ),
    preset(
        "siliconflow",
        &[(Dialect::OpenaiChat, "https://api.siliconflow.cn/v1")],
        &["https://docs.siliconflow.cn/cn/userguide/quickstart"],
    ),
    preset(
        "modelscope",
        &[(Dialect::OpenaiChat, "https://api-inference.modelscope.cn/v1")],
        &["https://modelscope.cn/docs/model-service/API-Inference/intro"],
    ),
    bearer_preset(
        "zhipu",
        &[
            (Dialect::OpenaiChat, "https://open.bigmodel.cn/api/paas/v4"),
            (Dialect::Anthropic, "https://open.bigmodel.cn/api/anthropic"),
        ],
        &[
            "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction",
            "https://docs.bigmodel.cn/cn/guide/develop/claude",
        ],
    ),
    preset(
        "gemini",
        &[
            (Dialect::OpenaiChat, "https://generativelanguage.googleapis.com/v1beta/openai"),
            (Dialect::Gemini, "https://generativelanguage.googleapis.com"),
        ],
        &["https://ai.google.dev/gemini-api/docs/openai", "https://ai.google.dev/api"],
    ),
    preset(
        "groq",
        &[(Dialect::OpenaiChat, "https://api.groq.com/openai/v1")],
        &["https://console.groq.com/docs/openai"],
    ),
    preset("mistral", &[(Dialect::OpenaiChat, "https://api.mistral.ai/v1")], &["https://docs.mistral.ai/api/"]),
    preset(
        "together",
        &[(Dialect::OpenaiChat, "https://api.together.xyz/v1")],
        &["https://docs.together.ai/docs/openai-api-compatibility"],
    ),
    preset(
        "xai",
        &[(Dialect::OpenaiChat, "https://api.x.ai/v1"), (Dialect::OpenaiResponses, "https://api.x.ai/v1")],
        &["https://docs.x.ai/docs/overview"],
    ),
    bearer_preset(
        "moonshot-intl",
        &[
            (Dialect::OpenaiChat, "https://api.moonshot.ai/v1"),
            (Dialect::Anthropic, "https://api.moonshot.ai/anthropic"),
        ],
        &["https://platform.moonshot.ai/docs/api/chat", "https://platform.moonshot.ai/docs/guide/agent-support"],
    ),
    preset(ECHO, &[], &["this crate"]),
];

/// The preset of this name.
pub(super) fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

type Endpoints = &'static [(Dialect, &'static str)];

const fn preset(name: &'static str, endpoints: Endpoints, sources: &'static [&'static str]) -> Preset {
    Preset { name, endpoints, auth: None, sources }
}

/// Providers that serve Anthropic's dialect beside their own take the same header for both.
const fn bearer_preset(name: &'static str, endpoints: Endpoints, sources: &'static [&'static str]) -> Preset {
    Preset { name, endpoints, auth: Some(Auth::Bearer), sources }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::schema::format;

    #[test]
    fn every_preset_has_valid_addresses_with_a_source_and_a_name_of_its_own() {
        for preset in &PRESETS {
            assert_eq!(PRESETS.iter().filter(|other| other.name == preset.name).count(), 1, "{}", preset.name);
            assert!(!preset.sources.is_empty(), "{}", preset.name);
            assert_eq!(preset.endpoints.is_empty(), preset.name == ECHO, "{}", preset.name);
            for (dialect, url) in preset.endpoints {
                assert_eq!(format::http_url(url).unwrap().scheme, "https", "{url}");
                assert_eq!(preset.endpoints.iter().filter(|(other, _)| other == dialect).count(), 1, "{url}");
            }
        }
    }
}
