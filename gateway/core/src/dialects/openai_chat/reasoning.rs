//! Reasoning in messages: `reasoning_content` (or `reasoning`) holds its text, `reasoning_details` its seals.

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::neutral::json::{take_list, take_text, text};
use crate::neutral::{Object, ReasoningPart, Seal};
use crate::profile::{NO_REASONING, Profile};

/// OpenRouter's word for whose seal it is.
const FORMATS: [(Dialect, &str); 3] = [
    (Dialect::Anthropic, "anthropic-claude-v1"),
    (Dialect::OpenaiResponses, "openai-responses-v1"),
    (Dialect::Gemini, "google-gemini-v1"),
];

/// Takes the reasoning out of a message.
pub(super) fn take(message: &mut Object) -> Vec<ReasoningPart> {
    let text = [take_text(message, "reasoning_content"), take_text(message, "reasoning")];
    let text = text.into_iter().flatten().find(|text| !text.is_empty());
    let details = take_list(message, "reasoning_details").unwrap_or_default();
    let mut parts: Vec<ReasoningPart> = details.iter().filter_map(read_detail).collect();
    if parts.iter().all(|reasoning| reasoning.text.is_empty())
        && let Some(text) = text
    {
        match parts.iter_mut().find(|reasoning| reasoning.sealed.is_none()) {
            // The stream writer gives the seal only: the text has gone before it.
            Some(reasoning) => reasoning.text = text,
            None => parts.insert(0, ReasoningPart { text, ..ReasoningPart::default() }),
        }
    }
    parts
}

/// One entry of `reasoning_details`; `None` where it says nothing.
pub(super) fn read_detail(detail: &Value) -> Option<ReasoningPart> {
    let format = text(detail, "format").unwrap_or_default();
    let by = FORMATS.iter().find(|(_, name)| *name == format).map_or(Dialect::OpenaiChat, |(by, _)| *by);
    let seal = |name: &str| text(detail, name).and_then(|seal| Seal::read(by, seal));
    let words = text(detail, "text").or_else(|| text(detail, "summary")).unwrap_or_default();
    let reasoning = ReasoningPart { text: words.to_owned(), signature: seal("signature"), sealed: seal("data") };
    (reasoning != ReasoningPart::default()).then_some(reasoning)
}

/// A seal as an entry of `reasoning_details`. `text` is left out where it has been given already.
pub(super) fn write_signature(signature: Seal, text: Option<&str>, index: usize) -> Value {
    let mut detail = json!({ "type": "reasoning.text" });
    if let Some(text) = text {
        detail["text"] = text.into();
    }
    write_seal(&mut detail, "signature", signature, index);
    detail
}

/// Sealed reasoning as an entry of `reasoning_details`.
pub(super) fn write_sealed(sealed: Seal, index: usize) -> Value {
    let mut detail = json!({ "type": "reasoning.encrypted" });
    write_seal(&mut detail, "data", sealed, index);
    detail
}

fn write_seal(detail: &mut Value, name: &str, seal: Seal, index: usize) {
    if let Some((_, format)) = FORMATS.iter().find(|(by, _)| *by == seal.by) {
        detail["format"] = (*format).into();
    }
    detail[name] = seal.text.into();
    detail["index"] = index.into();
}

/// Puts reasoning into a message of a request, as much as the model takes. `calls`: it belongs to a turn with
/// calls of tools.
pub(super) fn write_for(profile: &Profile, parts: Vec<ReasoningPart>, calls: bool, message: &mut Object) {
    let own = |seal: Option<Seal>| seal.filter(|seal| profile.relayed_seals == Some(seal.by));
    let parts = parts.into_iter().map(|reasoning| ReasoningPart {
        text: reasoning.text,
        signature: own(reasoning.signature),
        sealed: own(reasoning.sealed),
    });
    write(parts.collect(), message);
    if !profile.reads_reasoning {
        message.shift_remove("reasoning_content");
    } else if calls && profile.needs_reasoning {
        message.entry("reasoning_content").or_insert(NO_REASONING.into());
    }
}

/// Puts reasoning into a message.
pub(super) fn write(parts: Vec<ReasoningPart>, message: &mut Object) {
    let mut whole = String::new();
    let mut details = Vec::new();
    for ReasoningPart { text, signature, sealed } in parts {
        whole.push_str(&text);
        let index = details.len();
        details.extend(sealed.map(|sealed| write_sealed(sealed, index)));
        details.extend(signature.map(|signature| write_signature(signature, Some(&text), index)));
    }
    if !whole.is_empty() {
        message.insert("reasoning_content".to_owned(), whole.into());
    }
    if !details.is_empty() {
        message.insert("reasoning_details".to_owned(), details.into());
    }
}
