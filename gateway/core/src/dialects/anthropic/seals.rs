//! Seals on calls, for which this dialect has no place.

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::neutral::{Part, Seal};

/// Writes the seal on a call. Gemini seals calls and Anthropic does not, so the seal goes to the client, and comes
/// back, as reasoning before the call that only its provider can read.
pub(super) fn write(seal: Seal) -> Value {
    json!({ "type": "redacted_thinking", "data": seal.for_client(Dialect::Anthropic) })
}

/// Puts seals that [`write`](fn@write) wrote back onto their calls.
pub(super) fn read(parts: Vec<Part>) -> Vec<Part> {
    let mut read: Vec<Part> = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let Part::ToolCall(call) = &mut part
            && let Some(Part::Reasoning(reasoning)) = read.last_mut()
            && let Some(seal) = reasoning.sealed.take_if(|seal| seal.by == Dialect::Gemini)
        {
            call.signature = Some(seal);
            read.pop();
        }
        read.push(part);
    }
    read
}
