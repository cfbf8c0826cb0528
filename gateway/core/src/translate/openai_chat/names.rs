//! What the names of models tell. OpenAI's own models and the many that are served in its dialect differ in what they
//! refuse with 400, and nothing else says so.

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::translate) struct Takes {
    /// System messages inside the conversation. Templates of open models want one at the beginning and raise errors at
    /// any other (Qwen: `System message must be at the beginning`), and turns of user and model that alternate (Gemma).
    pub(in crate::translate) system_inside: bool,
    /// `max_tokens`. OpenAI's reasoning models refuse it, and many providers of other models know nothing else:
    /// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens>.
    pub(in crate::translate) max_tokens: bool,
}

impl Takes {
    /// What the model of this name takes.
    pub(in crate::translate) fn of(model: &str) -> Takes {
        let name = model.rsplit('/').next().unwrap_or(model);
        let reasons = is_o(name) || gpt_version(name) >= Some((5, 0));
        Takes { system_inside: is_openais(model.strip_prefix("openai/").unwrap_or(model)), max_tokens: !reasons }
    }
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
}
