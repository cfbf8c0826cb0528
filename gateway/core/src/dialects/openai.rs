//! What OpenAI's two dialects write alike: errors, functions, the effort of reasoning, sampling parameters and the
//! user.

pub(super) mod error;
pub(super) mod usage;

use serde_json::Number;
use sha2::{Digest, Sha256};

use crate::neutral::schema;
use crate::neutral::{Effort, Object, Reasoning, Tool, Warnings};
use crate::profile::{Profile, Sampling};

/// The longest text that OpenAI accepts for the user:
/// <https://platform.openai.com/docs/guides/safety-best-practices#safety-identifiers>.
const USER_BYTES_MAX: usize = 64;

/// The user, in both of OpenAI's dialects. Claude Code's texts are longer than OpenAI accepts. A hash, which OpenAI
/// recommends anyway, also tells users apart.
pub(crate) fn write_user(user: String, warnings: &mut Warnings) -> String {
    if user.len() <= USER_BYTES_MAX {
        return user;
    }
    warnings.changed("user, which is too long, to its hash");
    Sha256::digest(user.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A function in both of OpenAI's dialects. A schema that OpenAI does not accept as strict is not marked so; in other
/// dialects, strict schemas may have optional properties.
pub(crate) fn write_function(tool: Tool, warnings: &mut Warnings) -> Object {
    let mut parameters = tool.parameters.unwrap_or_default();
    schema::complete_parameters(&mut parameters);
    let strict = tool.strict.map(|strict| strict && schema::is_strict(&parameters));
    if strict != tool.strict {
        warnings.changed("a tool that OpenAI does not take as strict to one that is not");
    }
    let mut function = Object::new();
    function.insert("name".to_owned(), tool.name.into());
    function.extend(tool.description.map(|text| ("description".to_owned(), text.into())));
    function.insert("parameters".to_owned(), parameters);
    function.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
    function
}

/// The effort that comes closest to the requested one. `None` if none is written: a request for no reasoning concerns
/// models that would reason anyway; most others do not, and refuse the word.
pub(crate) fn write_effort(
    reasoning: Option<Reasoning>,
    profile: &Profile,
    warnings: &mut Warnings,
) -> Option<&'static str> {
    let effort = reasoning?.explicit_effort()?;
    if effort == Effort::None && !profile.reasons && !profile.efforts.contains(&effort) {
        return None;
    }
    let fitting = profile.effort_from(effort)?.word();
    if fitting != effort.word() {
        warnings.changed(&format!("reasoning_effort {} to {fitting}", effort.word()));
    }
    Some(fitting)
}

/// Whether the model accepts sampling parameters at this effort.
pub(crate) fn takes_sampling(profile: &Profile, effort: Option<&str>) -> bool {
    match profile.sampling {
        Sampling::Taken => true,
        Sampling::WithoutReasoning => effort == Some(Effort::None.word()),
        Sampling::Refused => false,
    }
}

/// A sampling parameter, unless the model refuses it. `default` is what the model uses anyway.
pub(crate) fn write_sampled(
    name: &str,
    number: Option<Number>,
    default: f64,
    takes: bool,
    warnings: &mut Warnings,
) -> Option<Number> {
    let number = number?;
    if takes {
        return Some(number);
    }
    if number.as_f64() != Some(default) {
        warnings.dropped(&format!("{name}, which the model does not take"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn chat(model: &str) -> Profile {
        Profile::of(model, Dialect::OpenaiChat)
    }

    fn level_of(model: &str, effort: Effort) -> Option<&'static str> {
        let reasoning = Reasoning { effort: Some(effort), ..Reasoning::default() };
        write_effort(Some(reasoning), &chat(model), &mut Warnings::default())
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
                [Effort::None, Effort::Minimal, Effort::Medium, Effort::ExtraHigh].map(|word| level_of(model, word));
            assert_eq!(words, [none, minimal, medium, extra_high].map(Some), "{model}");
        }
    }

    #[test]
    fn a_model_of_another_maker_is_told_no_word_it_may_not_know() {
        for model in ["glm-4.6", "gpt-oss-120b", "m"] {
            let words = [Effort::None, Effort::Low, Effort::ExtraHigh, Effort::Max].map(|word| level_of(model, word));
            assert_eq!(words, [None, Some("low"), Some("high"), Some("high")], "{model}");
        }
        assert_eq!(level_of("deepseek-v4-pro", Effort::Max), Some("max"));
        assert_eq!(level_of("deepseek/deepseek-v4-pro", Effort::Max), Some("high"));
        assert_eq!(level_of("kimi-k3", Effort::Medium), Some("high"));
    }

    #[test]
    fn another_word_than_was_asked_for_is_reported() {
        let mut warnings = Warnings::default();
        let reasoning = Reasoning { effort: Some(Effort::Max), ..Reasoning::default() };
        assert_eq!(write_effort(Some(reasoning), &chat("gpt-5.2"), &mut warnings), Some("xhigh"));
        assert_eq!(warnings.into_list(), ["changed: reasoning_effort max to xhigh"]);
    }

    #[test]
    fn models_that_refuse_it_are_not_told_how_to_sample() {
        let sampled = |model: &str, number: f64| {
            let mut warnings = Warnings::default();
            let number = write_sampled(
                "top_p",
                Number::from_f64(number),
                1.0,
                takes_sampling(&chat(model), None),
                &mut warnings,
            );
            (number.is_some(), warnings.into_list().len())
        };
        for refuses in ["o1", "o3-mini", "gpt-5", "openai/gpt-5.2", "gpt-5.4-mini", "kimi-k3", "kimi-k2.6"] {
            assert_eq!(sampled(refuses, 0.5), (false, 1), "{refuses}");
            assert_eq!(sampled(refuses, 1.0), (false, 0), "{refuses}");
        }
        let takers = ["gpt-4o", "gpt-5-chat-latest", "gpt-oss-120b", "deepseek-chat", "kimi-k2-turbo-preview", "m"];
        for takes in takers.into_iter().chain(["moonshotai/kimi-k3"]) {
            assert_eq!(sampled(takes, 0.5), (true, 0), "{takes}");
        }
    }
}
