//! Calls of tools in messages: `tool_calls`, and the older `function_call`.

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::neutral::json::{arguments_text, text};
use crate::neutral::{Object, Seal, ToolCall};

/// Reads one entry of `tool_calls`. Its id may be empty. `None` if it does not call a function.
pub(super) fn read(call: &Value) -> Option<ToolCall> {
    let function = call.get("function")?;
    let mut read = read_function(function)?;
    text(call, "id").unwrap_or_default().clone_into(&mut read.id);
    read.signature = signature(call);
    Some(read)
}

/// A function with its arguments.
pub(super) fn read_function(function: &Value) -> Option<ToolCall> {
    let name = text(function, "name")?.to_owned();
    Some(ToolCall { name, arguments: arguments(function), ..ToolCall::default() })
}

/// Arguments are JSON as text; some providers and clients write the object itself.
pub(super) fn arguments(function: &Value) -> String {
    function.get("arguments").cloned().map(arguments_text).unwrap_or_default()
}

/// Gemini's seal, where its compatible endpoint puts it:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures#openai-compatibility>.
pub(super) fn signature(call: &Value) -> Option<Seal> {
    let seal = call.pointer("/extra_content/google/thought_signature")?.as_str()?;
    Seal::read(Dialect::Gemini, seal)
}

/// One entry of `tool_calls`.
pub(super) fn write(call: ToolCall) -> Value {
    let arguments = if call.arguments.trim().is_empty() { "{}".to_owned() } else { call.arguments };
    let mut written =
        json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } });
    if let Some(seal) = call.signature {
        written["extra_content"] = write_signature(seal);
    }
    written
}

/// See [`signature`].
pub(super) fn write_signature(seal: Seal) -> Value {
    json!({ "google": { "thought_signature": seal.for_client(Dialect::Gemini) } })
}

/// The calls of a message, in the form the client reads.
pub(super) fn write_all(calls: Vec<ToolCall>, legacy_functions: bool, message: &mut Object) {
    let mut calls: Vec<Value> = calls.into_iter().map(write).collect();
    if calls.is_empty() {
        return;
    }
    if legacy_functions {
        // The old form can only hold one call.
        message.insert("function_call".to_owned(), calls.swap_remove(0)["function"].take());
    } else {
        message.insert("tool_calls".to_owned(), calls.into());
    }
}
