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
    /// Takes over what a later report of the same call knows. A zero does not replace a number: some providers write
    /// zeros into every report but one.
    pub fn update(&mut self, later: Usage) {
        let newer = |old: Option<u64>, new: Option<u64>| new.filter(|count| *count > 0 || old.is_none()).or(old);
        self.input_tokens = newer(self.input_tokens, later.input_tokens);
        self.cache_read_tokens = newer(self.cache_read_tokens, later.cache_read_tokens);
        self.cache_write_tokens = newer(self.cache_write_tokens, later.cache_write_tokens);
        self.output_tokens = newer(self.output_tokens, later.output_tokens);
        self.reasoning_tokens = newer(self.reasoning_tokens, later.reasoning_tokens);
    }

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
