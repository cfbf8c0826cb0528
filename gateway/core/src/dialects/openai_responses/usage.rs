//! How tokens are counted: <https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage>.

use serde_json::{Value, json};

pub(super) use crate::dialects::openai::usage::read;
use crate::usage::Usage;

/// `null` where nothing is known; the official SDKs require every member of one that is there.
pub(super) fn write(usage: &Usage) -> Value {
    if usage.is_unknown() {
        return Value::Null;
    }
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let mut details = json!({ "cached_tokens": usage.cache_read_tokens.unwrap_or(0) });
    let written = usage.cache_write_tokens.filter(|count| *count > 0);
    if let (Some(written), Some(details)) = (written, details.as_object_mut()) {
        details.insert("cache_write_tokens".into(), written.into());
    }
    json!({
        "input_tokens": input,
        "input_tokens_details": details,
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning_tokens.unwrap_or(0) },
        "total_tokens": input.saturating_add(output),
    })
}
