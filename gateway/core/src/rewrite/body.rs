//! Splices into the client's bytes instead of parsing and writing them again: numbers, order, spacing and fields
//! nobody has heard of survive as they are, and prompt caches keyed on the prefix stay warm.

use std::ops::Range;

/// `body` with the bytes of `span`, the value of `model`, replaced by `model` as a JSON string.
pub fn splice_model(body: &[u8], span: &Range<usize>, model: &str) -> Vec<u8> {
    let value = serde_json::Value::from(model).to_string();
    let (before, after) = (body.get(..span.start).unwrap_or(body), body.get(span.end..).unwrap_or_default());
    let mut spliced = Vec::with_capacity(before.len() + value.len() + after.len());
    spliced.extend_from_slice(before);
    spliced.extend_from_slice(value.as_bytes());
    spliced.extend_from_slice(after);
    spliced
}
