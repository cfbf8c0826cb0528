//! How hard a model can be told to reason. Each of OpenAI's knows other words and answers 400 to the rest: `Unsupported
//! value: 'minimal' is not supported with the 'gpt-5.1' model. Supported values are: 'none', 'low', 'medium', and
//! 'high'.` <https://platform.openai.com/docs/guides/reasoning>; what is not said there was tried
//! out for <https://github.com/anomalyco/opencode/pull/26268>.

use super::{gpt_version, is_o};
use crate::neutral::Effort;

const LOW_TO_HIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
const LOW_TO_EXTRA: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh];
const NONE_TO_HIGH: &[Effort] = &[Effort::None, Effort::Low, Effort::Medium, Effort::High];
const NONE_TO_EXTRA: &[Effort] = &[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh];
const MINIMAL_TO_HIGH: &[Effort] = &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];

/// Kimi K3's: <https://platform.kimi.ai/docs/guide/use-thinking-effort>.
const KIMI: &[Effort] = &[Effort::Low, Effort::High, Effort::Max];

/// DeepSeek maps all of OpenAI's words to its own: <https://api-docs.deepseek.com/guides/thinking_mode>.
const DEEPSEEK: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::ExtraHigh, Effort::Max];

/// The words of a model of this name, from least to most. `is_bare`: no vendor stands before it. `xhigh` and `max` are
/// refused by many that are not OpenAI's.
pub(super) fn known(name: &str, is_bare: bool) -> &'static [Effort] {
    let is = |series: &str| name.contains(series);
    let is_own = |series: &str| is_bare && name.to_ascii_lowercase().starts_with(series);
    match gpt_version(name) {
        Some((5, 0)) if is("-pro") => &[Effort::High],
        Some((5, 0 | 1)) if is("-codex-mini") => &[Effort::Medium, Effort::High],
        Some((5, 1)) if is("-codex-max") => LOW_TO_EXTRA,
        Some((5, 0 | 1)) if is("-codex") => LOW_TO_HIGH,
        Some((5, 0)) => MINIMAL_TO_HIGH,
        Some((5, 1)) => NONE_TO_HIGH,
        Some(version) if version > (5, 1) && is("-pro") => &[Effort::Medium, Effort::High, Effort::ExtraHigh],
        Some((5, 2)) if is("-codex") => LOW_TO_EXTRA,
        Some(version) if version > (5, 1) => NONE_TO_EXTRA,
        None if is_o(name) => LOW_TO_HIGH,
        None if is_own("deepseek") => DEEPSEEK,
        None if is_own("kimi") => KIMI,
        _ => MINIMAL_TO_HIGH,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Takes;
    use super::*;
    use crate::neutral::{Reasoning, Warnings};

    fn context(model: &str, effort: Effort) -> Option<&'static str> {
        let reasoning = Reasoning { effort: Some(effort), ..Reasoning::default() };
        Takes::of(model).effort(Some(reasoning), &mut Warnings::default())
    }

    #[test]
    fn a_model_is_told_the_nearest_word_it_knows() {
        for (model, none, minimal, medium, extra_high) in [
            ("o3", "low", "low", "medium", "high"),
            ("gpt-5", "minimal", "minimal", "medium", "high"),
            ("openai/gpt-5-mini", "minimal", "minimal", "medium", "high"),
            ("gpt-5-pro", "high", "high", "high", "high"),
            ("gpt-5-codex", "low", "low", "medium", "high"),
            ("gpt-5.1", "none", "low", "medium", "high"),
            ("gpt-5.1-codex-mini", "medium", "medium", "medium", "high"),
            ("gpt-5.1-codex-max", "low", "low", "medium", "xhigh"),
            ("gpt-5.2", "none", "low", "medium", "xhigh"),
            ("gpt-5.2-pro", "medium", "medium", "medium", "xhigh"),
            ("gpt-5.2-codex", "low", "low", "medium", "xhigh"),
            ("gpt-5.3-codex", "none", "low", "medium", "xhigh"),
            ("gpt-6", "none", "low", "medium", "xhigh"),
        ] {
            let words =
                [Effort::None, Effort::Minimal, Effort::Medium, Effort::ExtraHigh].map(|word| context(model, word));
            assert_eq!(words, [none, minimal, medium, extra_high].map(Some), "{model}");
        }
    }

    #[test]
    fn a_model_of_another_maker_is_told_no_word_it_may_not_know() {
        for model in ["glm-4.6", "gpt-oss-120b", "m"] {
            let words = [Effort::None, Effort::Low, Effort::ExtraHigh, Effort::Max].map(|word| context(model, word));
            assert_eq!(words, [None, Some("low"), Some("high"), Some("high")], "{model}");
        }
        assert_eq!(context("deepseek-v4-pro", Effort::Max), Some("max"));
        assert_eq!(context("deepseek/deepseek-v4-pro", Effort::Max), Some("high"));
        assert_eq!(context("kimi-k3", Effort::Medium), Some("high"));
    }

    #[test]
    fn another_word_than_was_asked_for_is_reported() {
        let mut warnings = Warnings::default();
        let reasoning = Reasoning { effort: Some(Effort::Max), ..Reasoning::default() };
        assert_eq!(Takes::of("gpt-5.2").effort(Some(reasoning), &mut warnings), Some("xhigh"));
        assert_eq!(warnings.into_list(), ["changed: reasoning_effort max to xhigh"]);
    }
}
