//! Splices into the client's bytes instead of parsing and writing them again: numbers, order, spacing and fields
//! nobody has heard of survive as they are, and prompt caches keyed on the prefix stay warm.

use std::ops::Range;

use crate::accept::Call;

/// The body of `call` for a target that calls the model `model`: without the member `session_id`, which is the client's
/// word to llmio, and which an API that allows no unknown members would refuse.
pub fn body_for(call: &Call, model: &str) -> Vec<u8> {
    let Some(cut) = &call.session_span else { return splice_model(&call.body, &call.model_span, model) };
    let (before, after) =
        (call.body.get(..cut.start).unwrap_or_default(), call.body.get(cut.end..).unwrap_or_default());
    let mut span = call.model_span.clone();
    if span.start >= cut.end {
        span = span.start - cut.len()..span.end - cut.len();
    }
    splice_model(&[before, after].concat(), &span, model)
}

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
