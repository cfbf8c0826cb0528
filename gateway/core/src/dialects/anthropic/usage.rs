//! How tokens are counted: what came from a cache and what went into one stands beside the input, not in it.

use serde_json::{Value, json};

use crate::usage::{Counts, Usage};

/// Anthropic counts what came from a cache and what went into one beside the input, not in it.
pub(super) fn read(usage: &dyn Counts) -> Usage {
    let cache_read_tokens = usage.count(&["cache_read_input_tokens"]);
    let cache_write_tokens = usage.count(&["cache_creation_input_tokens"]);
    let cached = cache_read_tokens.unwrap_or(0).saturating_add(cache_write_tokens.unwrap_or(0));
    Usage {
        input_tokens: usage.count(&["input_tokens"]).map(|input| input.saturating_add(cached)),
        cache_read_tokens,
        cache_write_tokens,
        output_tokens: usage.count(&["output_tokens"]),
        reasoning_tokens: usage.count(&["output_tokens_details", "thinking_tokens"]),
    }
}

/// Anthropic counts cached tokens beside `input_tokens`. SDKs want all four numbers.
pub(super) fn write(usage: &Usage) -> Value {
    let (read, write) = (usage.cache_read_tokens.unwrap_or(0), usage.cache_write_tokens.unwrap_or(0));
    let input = usage.input_tokens.unwrap_or(0).saturating_sub(read.saturating_add(write));
    let mut written = json!({
        "input_tokens": input,
        "cache_creation_input_tokens": write,
        "cache_read_input_tokens": read,
        "output_tokens": usage.output_tokens.unwrap_or(0),
    });
    if let Some(reasoning) = usage.reasoning_tokens {
        written["output_tokens_details"] = json!({ "thinking_tokens": reasoning });
    }
    written
}
