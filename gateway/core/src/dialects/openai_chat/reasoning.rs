//! Thoughts in messages: `reasoning_content` (or `reasoning`) holds their text, `reasoning_details` their seals.

use serde_json::{Value, json};

use super::names::{NO_THOUGHT, Takes};
use crate::dialect::Dialect;
use crate::neutral::json::{take_list, take_text, text};
use crate::neutral::{Object, Seal, Thought};

/// OpenRouter's word for whose seal it is.
const FORMATS: [(Dialect, &str); 3] = [
    (Dialect::Anthropic, "anthropic-claude-v1"),
    (Dialect::OpenaiResponses, "openai-responses-v1"),
    (Dialect::Gemini, "google-gemini-v1"),
];

/// Takes what a message says of its thoughts.
pub(super) fn take(message: &mut Object) -> Vec<Thought> {
    let text = [take_text(message, "reasoning_content"), take_text(message, "reasoning")];
    let text = text.into_iter().flatten().find(|text| !text.is_empty());
    let details = take_list(message, "reasoning_details").unwrap_or_default();
    let mut thoughts: Vec<Thought> = details.iter().filter_map(read_detail).collect();
    if thoughts.iter().all(|thought| thought.text.is_empty())
        && let Some(text) = text
    {
        match thoughts.iter_mut().find(|thought| thought.sealed.is_none()) {
            // The stream writer gives the seal only: the text has gone before it.
            Some(thought) => thought.text = text,
            None => thoughts.insert(0, Thought { text, ..Thought::default() }),
        }
    }
    thoughts
}

/// One entry of `reasoning_details`; `None` where it says nothing.
pub(super) fn read_detail(detail: &Value) -> Option<Thought> {
    let format = text(detail, "format").unwrap_or_default();
    let by = FORMATS.iter().find(|(_, name)| *name == format).map_or(Dialect::OpenaiChat, |(by, _)| *by);
    let seal = |name: &str| text(detail, name).and_then(|seal| Seal::read(by, seal));
    let words = text(detail, "text").or_else(|| text(detail, "summary")).unwrap_or_default();
    let thought = Thought { text: words.to_owned(), signature: seal("signature"), sealed: seal("data") };
    (thought != Thought::default()).then_some(thought)
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

/// A sealed thought as an entry of `reasoning_details`.
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

/// What a message of a request says of these thoughts: as much as the model takes. `calls`: it belongs to a turn with
/// calls of tools.
pub(super) fn write_for(takes: Takes, thoughts: Vec<Thought>, calls: bool, message: &mut Object) {
    let own = |seal: Option<Seal>| seal.filter(|seal| takes.seals_of(seal.by));
    let thoughts = thoughts.into_iter().map(|thought| Thought {
        text: thought.text,
        signature: own(thought.signature),
        sealed: own(thought.sealed),
    });
    write(thoughts.collect(), message);
    if !takes.thoughts {
        message.shift_remove("reasoning_content");
    } else if calls && takes.needs_thoughts {
        message.entry("reasoning_content").or_insert(NO_THOUGHT.into());
    }
}

/// What a message says of these thoughts.
pub(super) fn write(thoughts: Vec<Thought>, message: &mut Object) {
    let mut whole = String::new();
    let mut details = Vec::new();
    for Thought { text, signature, sealed } in thoughts {
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
