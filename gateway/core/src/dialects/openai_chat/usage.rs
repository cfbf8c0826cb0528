//! How tokens are counted: <https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage>.

use serde_json::{Value, json};

use crate::dialects::openai;
use crate::usage::{Counts, Usage};

/// DeepSeek counts cache reads in `prompt_cache_hit_tokens`: <https://api-docs.deepseek.com/guides/kv_cache>. Endpoints other
/// than chat use the member names of Responses.
pub(super) fn read(usage: &dyn Counts) -> Usage {
    let responses = openai::usage::read(usage);
    Usage {
        input_tokens: usage.count(&["prompt_tokens"]).or(responses.input_tokens),
        cache_read_tokens: usage
            .count(&["prompt_tokens_details", "cached_tokens"])
            .or_else(|| usage.count(&["prompt_cache_hit_tokens"]))
            .or(responses.cache_read_tokens),
        cache_write_tokens: usage
            .count(&["prompt_tokens_details", "cache_write_tokens"])
            .or(responses.cache_write_tokens),
        output_tokens: usage.count(&["completion_tokens"]).or(responses.output_tokens),
        reasoning_tokens: usage
            .count(&["completion_tokens_details", "reasoning_tokens"])
            .or(responses.reasoning_tokens),
    }
}

/// <https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage>. What is not known is left out of the
/// details and zero in the totals, which clients add up.
pub(super) fn write(usage: &Usage) -> Value {
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let mut written = json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input.saturating_add(output),
    });
    let cache_written = usage.cache_write_tokens.filter(|count| *count > 0);
    if usage.cache_read_tokens.is_some() || cache_written.is_some() {
        written["prompt_tokens_details"] = json!({ "cached_tokens": usage.cache_read_tokens.unwrap_or(0) });
    }
    // OpenRouter's name for it: <https://openrouter.ai/docs/use-cases/usage-accounting>.
    if let Some(cached) = cache_written {
        written["prompt_tokens_details"]["cache_write_tokens"] = cached.into();
    }
    if let Some(reasoning) = usage.reasoning_tokens {
        written["completion_tokens_details"] = json!({ "reasoning_tokens": reasoning });
    }
    written
}
