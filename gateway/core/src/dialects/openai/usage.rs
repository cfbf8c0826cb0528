//! How Responses counts tokens, and so do the endpoints beside chat completions.

use serde_json::Value;

use crate::dialects::count;
use crate::usage::Usage;

pub(crate) fn read(usage: &Value) -> Usage {
    Usage {
        input_tokens: count(usage, &["input_tokens"]),
        cache_read_tokens: count(usage, &["input_tokens_details", "cached_tokens"]),
        cache_write_tokens: count(usage, &["input_tokens_details", "cache_write_tokens"]),
        output_tokens: count(usage, &["output_tokens"]),
        reasoning_tokens: count(usage, &["output_tokens_details", "reasoning_tokens"]),
    }
}
