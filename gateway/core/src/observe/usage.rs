//! What a provider says a call used, in one form for every spelling of it.

use serde::Serialize;
use serde_json::Value;

/// Token counts of one call. `None` is unknown, which is not zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input_tokens: Option<u64>,
    /// Prompt tokens read from a cache.
    pub cache_read_tokens: Option<u64>,
    /// Prompt tokens written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// Tokens generated, reasoning included.
    pub output_tokens: Option<u64>,
    /// Generated tokens that were reasoning.
    pub reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Reads a `usage` object of the OpenAI shape. Negative, fractional and absurd numbers are unknown.
    /// <https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage>; DeepSeek counts cache reads in
    /// `prompt_cache_hit_tokens`: <https://api-docs.deepseek.com/guides/kv_cache>.
    pub fn from_openai(usage: &Value) -> Self {
        let count = |path: &[&str]| path.iter().try_fold(usage, |value, name| value.get(name)).and_then(tokens);
        Usage {
            input_tokens: count(&["prompt_tokens"]).or_else(|| count(&["input_tokens"])),
            cache_read_tokens: count(&["prompt_tokens_details", "cached_tokens"])
                .or_else(|| count(&["prompt_cache_hit_tokens"])),
            cache_write_tokens: count(&["prompt_tokens_details", "cache_write_tokens"]),
            output_tokens: count(&["completion_tokens"]).or_else(|| count(&["output_tokens"])),
            reasoning_tokens: count(&["completion_tokens_details", "reasoning_tokens"]),
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Usage::default()
    }
}

/// No context window comes near this; a larger number is a mistake and would spoil every total.
const TOKENS_MAX: u64 = 1 << 40;

fn tokens(value: &Value) -> Option<u64> {
    value.as_u64().filter(|count| *count <= TOKENS_MAX)
}
