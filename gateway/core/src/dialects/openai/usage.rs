//! How Responses counts tokens, and so do the endpoints beside chat completions.

use crate::usage::{Counts, Usage};

pub(crate) fn read(usage: &dyn Counts) -> Usage {
    Usage {
        input_tokens: usage.count(&["input_tokens"]),
        cache_read_tokens: usage.count(&["input_tokens_details", "cached_tokens"]),
        cache_write_tokens: usage.count(&["input_tokens_details", "cache_write_tokens"]),
        output_tokens: usage.count(&["output_tokens"]),
        reasoning_tokens: usage.count(&["output_tokens_details", "reasoning_tokens"]),
    }
}
