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
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Usage::default()
    }
}

/// No context window comes near this; a larger number is a mistake and would spoil every total.
const TOKENS_MAX: u64 = 1 << 40;

/// A count of tokens. Negative, fractional and absurd numbers are unknown.
pub(crate) fn tokens(value: &Value) -> Option<u64> {
    value.as_u64().filter(|count| *count <= TOKENS_MAX)
}
