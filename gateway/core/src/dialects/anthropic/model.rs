//! What a model of Anthropic's takes, read from its name: newer ones refuse with 400 what older ones want. Models of
//! others that speak this dialect take what Claude took when they learnt it.

use crate::dialects::openai_chat::names;

/// A Claude's version; `None`: it is no Claude.
type Version = Option<(u32, u32)>;

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Takes {
    /// Thinking without a budget: <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>.
    pub(crate) adaptive_thinking: bool,
    /// The effort `xhigh`: <https://platform.claude.com/docs/en/build-with-claude/effort>.
    pub(crate) extra_high_effort: bool,
    /// `temperature`, `top_p` and `top_k`:
    /// <https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7>.
    pub(crate) sampling: bool,
    /// `output_config.format`:
    /// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>. Others that speak this dialect answer as
    /// they like.
    pub(crate) format: bool,
    /// A last message of the assistant that it goes on with:
    /// <https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6>.
    pub(crate) prefill: bool,
    /// Thoughts without a seal. Claude refuses them; others read their own again, whoever passed them on.
    pub(crate) unsigned_thoughts: bool,
    /// A thought with every call: DeepSeek's `content[].thinking in the thinking mode must be passed back to the API`.
    pub(crate) needs_thoughts: bool,
}

impl Takes {
    /// What the model of this name takes.
    pub(crate) fn of(model: &str) -> Takes {
        let since = |first| version(model) >= Some(first);
        Takes {
            adaptive_thinking: since((4, 6)),
            extra_high_effort: since((4, 7)),
            sampling: !since((4, 7)),
            format: since((4, 5)),
            prefill: !since((4, 6)),
            unsigned_thoughts: keeps_unsigned(model),
            needs_thoughts: keeps_unsigned(model) && names::needs_thoughts(model),
        }
    }
}

/// See [`Takes::unsigned_thoughts`].
pub(crate) fn keeps_unsigned(model: &str) -> bool {
    version(model).is_none() && names::reads_thoughts(model)
}

/// The version in a name such as `claude-opus-4-6-20260101` or `anthropic/claude-sonnet-4.5`. A Claude without a number
/// is a preview of the newest.
fn version(model: &str) -> Version {
    let (_, name) = model.split_once("claude-")?;
    let numbers = name.split(['-', '.', '@', ':']).filter(|word| word.len() <= 2).filter_map(|word| word.parse().ok());
    let mut numbers = numbers.fuse();
    Some((numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claudes_version_is_read_from_its_name() {
        assert_eq!(version("claude-opus-4-6-20260101"), Some((4, 6)));
        assert_eq!(version("anthropic/claude-sonnet-4.5"), Some((4, 5)));
        assert_eq!(version("us.anthropic.claude-opus-4-7-v1:0"), Some((4, 7)));
        assert_eq!(version("claude-opus-4@20250514"), Some((4, 0)));
        assert_eq!(version("claude-3-7-sonnet-20250219"), Some((3, 7)));
        assert_eq!(version("claude-sonnet-5"), Some((5, 0)));
        assert_eq!(version("claude-mythos-preview"), Some((u32::MAX, 0)));
        assert_eq!(version("glm-4.6"), None);
    }

    #[test]
    fn a_model_that_is_no_claude_takes_what_older_ones_took() {
        let older = Takes {
            adaptive_thinking: false,
            extra_high_effort: false,
            sampling: true,
            format: false,
            prefill: true,
            unsigned_thoughts: false,
            needs_thoughts: false,
        };
        assert_eq!(Takes::of("upstream-model"), older);
        assert_eq!(Takes::of("glm-4.6"), Takes { unsigned_thoughts: true, ..older });
        assert_eq!(Takes::of("kimi-k2"), Takes { unsigned_thoughts: true, needs_thoughts: true, ..older });
        assert_eq!(Takes::of("claude-deepseek-3-5"), older);
        assert_eq!(Takes::of("claude-sonnet-4"), older);
        assert_eq!(Takes::of("claude-haiku-4-5"), Takes { format: true, ..older });
        assert!(!Takes::of("claude-opus-4-7").sampling);
    }
}
