//! How tokens are counted: reasoning stands beside the answer, and what tools added to the prompt beside the prompt.

use serde_json::{Value, json};

use crate::usage::{Counts, Usage};

/// The neutral form counts both in: reasoning with the answer, and what tools added with the prompt.
pub(super) fn read(usage: &dyn Counts) -> Usage {
    let reasoning_tokens = usage.count(&["thoughtsTokenCount"]);
    let of_tools = usage.count(&["toolUsePromptTokenCount"]).unwrap_or(0);
    let output = usage.count(&["candidatesTokenCount"]);
    let output = output.or(reasoning_tokens.map(|_| 0));
    Usage {
        input_tokens: usage.count(&["promptTokenCount"]).map(|input| input.saturating_add(of_tools)),
        cache_read_tokens: usage.count(&["cachedContentTokenCount"]),
        cache_write_tokens: None,
        output_tokens: output.map(|output| output.saturating_add(reasoning_tokens.unwrap_or(0))),
        reasoning_tokens,
    }
}

pub(super) fn write(usage: &Usage) -> Value {
    let (input, output) = (usage.input_tokens.unwrap_or(0), usage.output_tokens.unwrap_or(0));
    let reasoning = usage.reasoning_tokens.unwrap_or(0);
    let mut written = json!({
        "promptTokenCount": input,
        "candidatesTokenCount": output.saturating_sub(reasoning),
        "totalTokenCount": input.saturating_add(output),
    });
    let known = [("cachedContentTokenCount", usage.cache_read_tokens), ("thoughtsTokenCount", usage.reasoning_tokens)];
    if let Some(members) = written.as_object_mut() {
        for (name, count) in known {
            members.extend(count.filter(|count| *count > 0).map(|count| (name.to_owned(), count.into())));
        }
    }
    written
}
