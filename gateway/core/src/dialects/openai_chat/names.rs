//! What the names of models tell. OpenAI's own models and the many that are served in its dialect differ in what they
//! refuse with 400, and nothing else says so.

mod effort;

use serde_json::Number;

use crate::dialect::Dialect;
use crate::neutral::{Effort, Reasoning, Warnings};

/// Models that read their own thoughts again, in a conversation's `reasoning_content`, by a part of their name:
///
/// - DeepSeek and Kimi refuse a turn with calls that lacks them:
///   <https://api-docs.deepseek.com/guides/thinking_mode#tool-calls>,
///   <https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model>
/// - GLM: <https://docs.z.ai/guides/capabilities/thinking-mode>
/// - Qwen: <https://huggingface.co/Qwen/Qwen3-32B/blob/main/tokenizer_config.json>, the chat template
/// - MiMo: <https://platform.xiaomimimo.com/docs>
/// - MiniMax: <https://platform.minimax.io/docs/guides/text-m2-function-call>
///
/// To all others they are nothing or an error: Groq and Cerebras answer `property 'reasoning_content' is
/// unsupported`.
const READ_THOUGHTS: [&str; 7] = ["deepseek", "kimi", "moonshot", "glm", "qwen", "mimo", "minimax"];

/// Those of them that answer 400 where a turn with calls came without thoughts: `The reasoning_content in the thinking
/// mode must be passed back to the API` (<https://api-docs.deepseek.com/guides/thinking_mode#tool-calls>), `thinking is
/// enabled but reasoning_content is missing in assistant tool call message`
/// (<https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model>).
const NEED_THOUGHTS: [&str; 3] = ["deepseek", "kimi", "moonshot"];

/// Relatives of these that do not think.
const THOUGHTLESS: [&str; 2] = ["instruct", "distill"];

/// What stands for a thought that a client did not give back, where one is needed. DeepSeek and Kimi refuse an empty one:
/// <https://github.com/NousResearch/hermes-agent/pull/18263>.
pub(crate) const NO_THOUGHT: &str = " ";

/// See [`READ_THOUGHTS`].
pub(crate) fn reads_thoughts(model: &str) -> bool {
    is_one_of(&READ_THOUGHTS, model)
}

/// See [`NEED_THOUGHTS`].
pub(crate) fn needs_thoughts(model: &str) -> bool {
    is_one_of(&NEED_THOUGHTS, model) && !is_one_of(&THOUGHTLESS, model)
}

fn is_one_of(families: &[&str], model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    families.iter().any(|family| model.contains(family))
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Takes {
    /// System messages inside the conversation. Templates of open models want one at the beginning and raise errors at
    /// any other (Qwen: `System message must be at the beginning`), and turns of user and model that alternate (Gemma).
    pub(crate) system_inside: bool,
    /// `max_tokens`. OpenAI's reasoning models refuse it, and many providers of other models know nothing else:
    /// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens>.
    pub(crate) max_tokens: bool,
    /// `reasoning_content` in messages; see [`READ_THOUGHTS`].
    pub(crate) thoughts: bool,
    /// A thought with every call; see [`NEED_THOUGHTS`].
    pub(crate) needs_thoughts: bool,
    /// How hard it can be told to reason, from least to most; nothing where it refuses to be told at all.
    pub(crate) efforts: &'static [Effort],
    /// The same beside tools in chat completions, which newer ones do in Responses alone. They reason unless told not to,
    /// and refuse the tools even if nothing is said: <https://github.com/openai/openai-openapi/issues/541>.
    pub(crate) effort_beside_tools: bool,
    /// `temperature`, `top_p` and penalties. OpenAI's reasoning models refuse them
    /// (<https://platform.openai.com/docs/guides/latest-model#gpt-5-parameter-compatibility>), and so does Kimi since
    /// K2.5 where its maker serves it: `invalid temperature: only 1 is allowed for this model`
    /// (<https://platform.kimi.ai/docs/api/models-overview>).
    pub(crate) sampling: bool,
    /// It is one of OpenAI's that reason whether they are told to or not.
    pub(crate) reasons: bool,
    /// `thinking: {"type": "disabled"}`, without which it thinks: DeepSeek and GLM where nobody else's name stands before
    /// theirs. <https://api-docs.deepseek.com/guides/thinking_mode>,
    /// <https://docs.z.ai/guides/capabilities/thinking-mode>
    pub(crate) thinking_switch: bool,
    /// `stop`, which OpenAI's reasoning models refuse but for the oldest and, from 5.5, the newest:
    /// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop>,
    /// <https://github.com/BerriAI/litellm/pull/28655>.
    pub(crate) stop: bool,
    /// OpenRouter's vendor before the name, if the name looks like OpenRouter's.
    vendor: Option<Vendor>,
    /// Gemini's seal on a call: <https://ai.google.dev/gemini-api/docs/thought-signatures#openai-compatibility>.
    pub(crate) call_seals: bool,
}

/// Who made a model that OpenRouter serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vendor {
    /// One that has a dialect of its own, in which it seals thoughts.
    Of(Dialect),
    Other,
}

impl Takes {
    /// What the model of this name takes.
    pub(crate) fn of(model: &str) -> Takes {
        let name = model.rsplit('/').next().unwrap_or(model);
        let version = gpt_version(name);
        let is_newer = is_o(name) || version >= Some((5, 0));
        let reasons = is_newer && !is_chat(name);
        // A vendor before the name is a relay's, which knows its models by words of its own.
        let is_bare = name == model;
        let lower = model.to_ascii_lowercase();
        Takes {
            system_inside: is_openais_own(model),
            max_tokens: !is_newer,
            thoughts: reads_thoughts(model),
            needs_thoughts: needs_thoughts(model),
            efforts: if refuses_effort(name) { &[] } else { effort::known(name, is_bare) },
            // With a vendor before it the name is a relay's, which asks OpenAI in Responses.
            effort_beside_tools: model.contains('/') || version < Some((5, 4)),
            sampling: !(reasons || is_bare && lower.starts_with("kimi-") && !lower.starts_with("kimi-k2-")),
            reasons,
            thinking_switch: is_bare && ["deepseek", "glm"].iter().any(|series| lower.starts_with(series)),
            stop: !refuses_stop(name),
            vendor: vendor(&lower),
            call_seals: lower.contains("gemini"),
        }
    }

    /// The word for how hard to reason that comes closest to what was asked. `None`: nothing is said. Who asks for no
    /// reasoning means a model that would reason anyway; most others do not, and refuse the word.
    pub(crate) fn effort(self, reasoning: Option<Reasoning>, warnings: &mut Warnings) -> Option<&'static str> {
        let asked = reasoning?.effort_said()?;
        if asked == Effort::None && !self.reasons {
            return None;
        }
        let fitting = self.efforts.iter().find(|known| **known >= asked).or(self.efforts.last())?.word();
        if fitting != asked.word() {
            warnings.changed(&format!("reasoning_effort {} to {fitting}", asked.word()));
        }
        Some(fitting)
    }

    /// A sampling parameter, unless the model refuses it. `default`: what it samples with anyway.
    pub(crate) fn sampled(
        self,
        name: &str,
        number: Option<Number>,
        default: f64,
        warnings: &mut Warnings,
    ) -> Option<Number> {
        let number = number?;
        if self.sampling {
            return Some(number);
        }
        if number.as_f64() != Some(default) {
            warnings.dropped(&format!("{name}, which the model does not take"));
        }
        None
    }

    /// `reasoning_details` with seals of this dialect's provider, which OpenRouter hands to the one that made them:
    /// <https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks>.
    pub(crate) fn seals_of(self, by: Dialect) -> bool {
        match self.vendor {
            Some(Vendor::Of(dialect)) => dialect == by,
            // Seals nobody said the origin of.
            Some(Vendor::Other) => by == Dialect::OpenaiChat,
            None => false,
        }
    }
}

/// `Unrecognized request argument supplied: reasoning_effort`
fn refuses_effort(name: &str) -> bool {
    let is_older = gpt_version(name).is_some_and(|version| version < (5, 0));
    is_older || is_chat(name) || name.starts_with("o1-mini") || name.starts_with("o1-preview")
}

/// `gpt-5-chat-latest` and its successors reason as hard as they like or not at all.
fn is_chat(name: &str) -> bool {
    gpt_version(name).is_some() && name.contains("-chat") || name.starts_with("chatgpt-")
}

fn refuses_stop(name: &str) -> bool {
    let is_gpt = gpt_version(name).is_some_and(|version| ((5, 0)..(5, 5)).contains(&version));
    let is_o = is_o(name) && !["o1", "ft:o1", "o3-mini", "ft:o3-mini"].iter().any(|older| name.starts_with(older));
    is_o || is_gpt && !is_chat(name)
}

/// A Claude under the name that OpenRouter gives it.
pub(crate) fn is_claude_of_a_relay(model: &str) -> bool {
    vendor(&model.to_ascii_lowercase()) == Some(Vendor::Of(Dialect::Anthropic))
}

fn vendor(model: &str) -> Option<Vendor> {
    let (vendor, name) = model.split_once('/')?;
    Some(match vendor {
        // A path, such as `models/gemini-3` and `accounts/fireworks/models/…`, is no name of OpenRouter's.
        "models" | "tunedmodels" => return None,
        _ if name.contains('/') => return None,
        "anthropic" => Vendor::Of(Dialect::Anthropic),
        "openai" => Vendor::Of(Dialect::OpenaiResponses),
        "google" => Vendor::Of(Dialect::Gemini),
        _ => Vendor::Other,
    })
}

/// Whether OpenAI serves the model itself, perhaps through OpenRouter.
pub(crate) fn is_openais_own(model: &str) -> bool {
    is_openais(model.strip_prefix("openai/").unwrap_or(model))
}

/// A model that OpenAI serves itself, from `gpt-4o` to `o4-mini`, fine-tuned ones as well; `gpt-oss` is an open one.
fn is_openais(name: &str) -> bool {
    name.starts_with("chatgpt-") || gpt_version(name).is_some() || is_o(name)
}

fn is_o(name: &str) -> bool {
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let rest = ["o1", "o3", "o4"].iter().find_map(|series| name.strip_prefix(series));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The version in a name such as `gpt-5.4-mini`.
fn gpt_version(name: &str) -> Option<(u32, u32)> {
    let rest = name.strip_prefix("ft:").unwrap_or(name).strip_prefix("gpt-")?;
    let number = rest.split(|letter: char| letter != '.' && !letter.is_ascii_digit()).next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openais_own_models_are_known_by_their_names() {
        for own in
            ["gpt-4o", "gpt-3.5-turbo", "openai/gpt-5.4", "chatgpt-4o-latest", "o1", "o3-pro", "ft:gpt-4.1:us::a"]
        {
            assert!(Takes::of(own).system_inside, "{own}");
        }
        for other in ["gpt-oss-120b", "openai/gpt-oss-20b", "qwen3-32b", "o1mini", "ollama/gpt-4o", "gpt", "m", ""] {
            assert!(!Takes::of(other).system_inside, "{other}");
        }
    }

    #[test]
    fn openais_reasoning_models_alone_want_the_newer_name_of_max_tokens() {
        for newer in ["o1-mini", "o3", "o4-mini", "gpt-5", "openai/gpt-5.4-mini", "gpt-6"] {
            assert!(!Takes::of(newer).max_tokens, "{newer}");
        }
        for older in ["gpt-4o", "gpt-oss-20b", "chatgpt-4o-latest", "qwen3-32b"] {
            assert!(Takes::of(older).max_tokens, "{older}");
        }
    }

    #[test]
    fn a_model_gets_back_the_thoughts_and_seals_it_reads() {
        for reads in ["deepseek-reasoner", "moonshotai/Kimi-K2-Thinking", "glm-4.7", "Qwen/Qwen3-32B", "MiniMax-M2"] {
            assert!(Takes::of(reads).thoughts, "{reads}");
        }
        for refuses in ["openai/gpt-oss-120b", "llama-3.3-70b-versatile", "gpt-5", "gemini-3-pro", "mistral-large"] {
            assert!(!Takes::of(refuses).thoughts, "{refuses}");
        }
        for needs in ["deepseek-v4-pro", "moonshotai/Kimi-K2.6"] {
            assert!(Takes::of(needs).needs_thoughts, "{needs}");
        }
        for does_without in ["glm-4.7", "kimi-k2-instruct", "deepseek-r1-distill-llama-70b", "gpt-5"] {
            assert!(!Takes::of(does_without).needs_thoughts, "{does_without}");
        }
        let seals = |model| Dialect::ALL.into_iter().filter(|by| Takes::of(model).seals_of(*by)).collect::<Vec<_>>();
        assert_eq!(seals("anthropic/claude-sonnet-4.5"), [Dialect::Anthropic]);
        assert_eq!(seals("openai/gpt-5.4"), [Dialect::OpenaiResponses]);
        assert_eq!(seals("google/gemini-3-pro"), [Dialect::Gemini]);
        assert_eq!(seals("x-ai/grok-4"), [Dialect::OpenaiChat]);
        for none in ["claude-sonnet-4-5", "models/gemini-3-pro", "accounts/fireworks/models/glm-4p6"] {
            assert_eq!(seals(none), [], "{none}");
        }
        assert!(Takes::of("gemini-3-pro").call_seals && !Takes::of("gpt-5").call_seals);
    }

    #[test]
    fn openais_models_that_do_not_reason_are_not_told_how_hard_to() {
        let refuse =
            ["gpt-4o-mini", "gpt-4.1", "gpt-3.5-turbo", "openai/gpt-4o", "ft:gpt-4.1:us::a", "chatgpt-4o-latest"];
        for refuses in refuse.into_iter().chain(["gpt-5-chat-latest", "gpt-5.2-chat-latest", "o1-mini"]) {
            assert!(Takes::of(refuses).efforts.is_empty(), "{refuses}");
        }
        for takes in ["gpt-5", "gpt-5.4-mini", "o1", "o3-mini", "gpt-oss-120b", "deepseek-chat", "m"] {
            assert!(!Takes::of(takes).efforts.is_empty(), "{takes}");
        }
        for refuses in ["gpt-5.4", "gpt-5.6-terra", "gpt-6"] {
            assert!(!Takes::of(refuses).effort_beside_tools, "{refuses}");
        }
        for takes in ["gpt-5", "gpt-5.2", "openai/gpt-5.6", "o3", "m"] {
            assert!(Takes::of(takes).effort_beside_tools, "{takes}");
        }
    }

    #[test]
    fn models_that_refuse_it_are_not_told_how_to_sample() {
        let sampled = |model: &str, number: f64| {
            let mut warnings = Warnings::default();
            let number = Takes::of(model).sampled("top_p", Number::from_f64(number), 1.0, &mut warnings);
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

    #[test]
    fn stop_sequences_go_to_models_that_take_them() {
        for refuses in ["o3", "o3-pro", "o4-mini", "gpt-5", "gpt-5-mini", "openai/gpt-5.4"] {
            assert!(!Takes::of(refuses).stop, "{refuses}");
        }
        for takes in ["o1", "o3-mini", "gpt-4o", "gpt-5-chat-latest", "gpt-5.5", "gpt-6", "gpt-oss-20b", "m"] {
            assert!(Takes::of(takes).stop, "{takes}");
        }
    }

    #[test]
    fn thinking_is_switched_off_where_the_maker_of_the_model_serves_it() {
        for switched in ["deepseek-v4-pro", "GLM-4.6"] {
            assert!(Takes::of(switched).thinking_switch, "{switched}");
        }
        for other in ["deepseek/deepseek-v4-pro", "kimi-k3", "gpt-5", "m"] {
            assert!(!Takes::of(other).thinking_switch, "{other}");
        }
    }
}
