//! The providers known by name: what `preset = "…"` fills in.
//!
//! OpenAI-compatible endpoints only, for that is the dialect spoken so far. Addresses change: each row has the
//! page it was taken from. Anything a document says itself wins over its preset.

/// A provider known by name.
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// `None`: answers inside the gateway.
    pub(super) base_url: Option<&'static str>,
    /// The provider's own page that gives the address.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader; a test asserts that each row has it"))]
    pub(super) source: &'static str,
}

/// The preset that answers inside the gateway.
pub(super) const ECHO: &str = "echo";

/// Every preset, in the order a list for choosing shows them.
pub(super) const PRESETS: [Preset; 16] = [
    preset("openai", "https://api.openai.com/v1", "https://platform.openai.com/docs/api-reference/introduction"),
    preset("openrouter", "https://openrouter.ai/api/v1", "https://openrouter.ai/docs/quickstart"),
    preset("deepseek", "https://api.deepseek.com", "https://api-docs.deepseek.com/"),
    preset("moonshot", "https://api.moonshot.cn/v1", "https://platform.moonshot.cn/docs/api/chat"),
    preset(
        "dashscope",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "https://help.aliyun.com/zh/model-studio/compatibility-of-openai-with-dashscope",
    ),
    preset(
        "dashscope-intl",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
    ),
    preset("siliconflow", "https://api.siliconflow.cn/v1", "https://docs.siliconflow.cn/cn/userguide/quickstart"),
    preset(
        "modelscope",
        "https://api-inference.modelscope.cn/v1",
        "https://modelscope.cn/docs/model-service/API-Inference/intro",
    ),
    preset(
        "zhipu",
        "https://open.bigmodel.cn/api/paas/v4",
        "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction",
    ),
    preset(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "https://ai.google.dev/gemini-api/docs/openai",
    ),
    preset("groq", "https://api.groq.com/openai/v1", "https://console.groq.com/docs/openai"),
    preset("mistral", "https://api.mistral.ai/v1", "https://docs.mistral.ai/api/"),
    preset("together", "https://api.together.xyz/v1", "https://docs.together.ai/docs/openai-api-compatibility"),
    preset("xai", "https://api.x.ai/v1", "https://docs.x.ai/docs/overview"),
    preset("moonshot-intl", "https://api.moonshot.ai/v1", "https://platform.moonshot.ai/docs/api/chat"),
    Preset { name: ECHO, base_url: None, source: "this crate" },
];

/// The preset of this name.
pub(super) fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

const fn preset(name: &'static str, base_url: &'static str, source: &'static str) -> Preset {
    Preset { name, base_url: Some(base_url), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::schema::format;

    #[test]
    fn every_preset_has_a_valid_address_a_source_and_a_name_of_its_own() {
        for preset in &PRESETS {
            assert_eq!(PRESETS.iter().filter(|other| other.name == preset.name).count(), 1, "{}", preset.name);
            assert!(!preset.source.is_empty(), "{}", preset.name);
            match preset.base_url {
                Some(base_url) => assert_eq!(format::http_url(base_url).unwrap().scheme, "https", "{base_url}"),
                None => assert_eq!(preset.name, ECHO),
            }
        }
    }
}
