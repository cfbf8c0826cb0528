//! What a call needs of a target, and how its prompt begins. This is a second look at the body, taken only if a catalog
//! needs it.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pieces::pieces;
use crate::call::{Call, Demand};
use crate::pace::Pace;
use crate::scan::plain_length;

/// The members of all dialects that the demand of a call is read from. They are not parsed, because a body is large,
/// and because one member of an unexpected type must not hide the others.
#[derive(serde::Deserialize)]
struct DemandMembers<'b> {
    #[serde(borrow, default)]
    tools: Option<&'b RawValue>,
    /// OpenAI chat.
    #[serde(borrow, default)]
    response_format: Option<&'b RawValue>,
    /// OpenAI Responses.
    #[serde(borrow, default)]
    text: Option<&'b RawValue>,
    /// Anthropic, and its older name.
    #[serde(borrow, default)]
    output_config: Option<&'b RawValue>,
    #[serde(borrow, default)]
    output_format: Option<&'b RawValue>,
    /// Gemini.
    #[serde(borrow, default, alias = "generationConfig")]
    generation_config: Option<&'b RawValue>,
    #[serde(borrow, default, alias = "systemInstruction")]
    system_instruction: Option<&'b RawValue>,
    #[serde(borrow, default)]
    system: Option<&'b RawValue>,
    #[serde(borrow, default)]
    instructions: Option<&'b RawValue>,
    /// The conversation, in the words of OpenAI chat and Anthropic, of Responses, and of Gemini.
    #[serde(borrow, default)]
    messages: Option<&'b RawValue>,
    #[serde(borrow, default)]
    input: Option<&'b RawValue>,
    #[serde(borrow, default)]
    contents: Option<&'b RawValue>,
}

/// The members of an object that say what kind of object it is.
#[derive(serde::Deserialize)]
struct TypedObject<'b> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'b, str>,
    #[serde(borrow, default)]
    format: Option<&'b RawValue>,
    #[serde(borrow, default, alias = "responseSchema", alias = "responseJsonSchema", alias = "response_json_schema")]
    response_schema: Option<&'b RawValue>,
    #[serde(borrow, default, alias = "inlineData")]
    inline_data: Option<&'b RawValue>,
    #[serde(borrow, default, alias = "fileData")]
    file_data: Option<&'b RawValue>,
}

#[derive(serde::Deserialize)]
struct Message<'b> {
    #[serde(borrow, default)]
    role: Cow<'b, str>,
    #[serde(borrow, default)]
    content: Option<&'b RawValue>,
    #[serde(borrow, default)]
    parts: Option<&'b RawValue>,
    /// The tools of the items in which Codex sends them, `additional_tools` and `tool_search_output`.
    #[serde(borrow, default)]
    tools: Option<&'b RawValue>,
}

impl<'b> Message<'b> {
    fn content(&self) -> Option<&'b RawValue> {
        self.content.or(self.parts)
    }
}

impl<'b> DemandMembers<'b> {
    fn tools(&self) -> Option<&'b str> {
        filled(self.tools)
    }

    /// Calls `see` with one message after the other, until it has seen enough.
    fn each_message(&self, mut see: impl FnMut(&Message<'b>) -> ControlFlow<()>) {
        for list in [self.messages, self.input, self.contents] {
            let is_enough = each(list, |message| match serde_json::from_str(message.get()) {
                Ok(message) => see(&message),
                Err(_) => ControlFlow::Continue(()),
            });
            if is_enough.is_break() {
                return;
            }
        }
    }

    fn is_structured(&self) -> bool {
        let is_schema = |raw: &&'b RawValue| typed(raw).is_some_and(|typed| typed.kind == "json_schema");
        let in_format = |raw: &'b RawValue| typed(raw).and_then(|typed| typed.format);
        [
            self.response_format,
            self.output_format,
            self.text.and_then(in_format),
            self.output_config.and_then(in_format),
        ]
        .into_iter()
        .flatten()
        .any(|raw| is_schema(&raw))
            || self.generation_config.and_then(typed).is_some_and(|config| config.response_schema.is_some())
    }
}

/// The text of a list, unless it is empty.
fn filled(list: Option<&RawValue>) -> Option<&str> {
    list.map(RawValue::get).filter(|list| list.starts_with('[') && *list != "[]")
}

/// Calls `see` with one item of a list after the other, until it has seen enough. No item is kept, since a body may
/// have millions.
fn each<'b>(list: Option<&'b RawValue>, see: impl FnMut(&'b RawValue) -> ControlFlow<()>) -> ControlFlow<()> {
    let Some(list) = list.map(RawValue::get).filter(|list| list.starts_with('[')) else {
        return ControlFlow::Continue(());
    };
    let mut each = EachItem { see, is_enough: false };
    // An error here means that `see` ended the reading early.
    let _ = (&mut each).deserialize(&mut serde_json::Deserializer::from_str(list));
    if each.is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

struct EachItem<F> {
    see: F,
    is_enough: bool,
}

impl<'b, F: FnMut(&'b RawValue) -> ControlFlow<()>> DeserializeSeed<'b> for &mut EachItem<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'b, F: FnMut(&'b RawValue) -> ControlFlow<()>> Visitor<'b> for &mut EachItem<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'b>>(self, mut items: S) -> Result<(), S::Error> {
        while let Some(item) = items.next_element::<&'b RawValue>()? {
            if (self.see)(item).is_break() {
                self.is_enough = true;
                return Err(serde::de::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

fn typed(raw: &RawValue) -> Option<TypedObject<'_>> {
    serde_json::from_str(raw.get()).ok()
}

/// Whether a part is an image, or one of Gemini's documents, which come in the same member and are read by the same
/// models.
fn is_image(part: &RawValue) -> bool {
    // Most parts are written like this, and need not be parsed.
    !part.get().starts_with(r#"{"type":"text","#)
        && typed(part).is_some_and(|part| {
            matches!(&*part.kind, "image_url" | "input_image" | "image")
                || part.inline_data.is_some()
                || part.file_data.is_some()
        })
}

/// Reads what a call needs of a target. Use it only if some target lacks an ability: in most catalogs none does, and
/// the body would be read a second time for nothing.
pub fn demand(call: &Call, pace: Pace<'_>) -> Demand {
    let pieces = pieces(call);
    let Ok(body) = serde_json::from_slice::<DemandMembers<'_>>(&call.body) else {
        return Demand { pieces, ..Demand::default() };
    };
    pace.step(call.body.len());
    let mut tools = body.tools().is_some();
    let (mut images, mut image_bytes) = (false, 0);
    body.each_message(|message| {
        tools |= filled(message.tools).is_some();
        let _ = each(message.content(), |part| {
            if is_image(part) {
                images = true;
                image_bytes += plain_length(part.get().as_bytes());
            }
            pace.step(part.get().len());
            ControlFlow::Continue(())
        });
        ControlFlow::Continue(())
    });
    Demand {
        tools,
        structured: body.is_structured(),
        images,
        // An image counts as a thousand tokens, not as the millions of its base64.
        tokens: (plain_length(&call.body).saturating_sub(image_bytes) / 4) as u64,
        pieces,
    }
}

/// This much of a prompt tells it from others.
const BEGINNING_BYTES_MAX: usize = 256 << 10;

/// The beginning of a prompt that a provider may have cached: the tools, the system prompt and everything up to the
/// first words of the user. `None` below 1,024 tokens, which no provider caches.
pub fn prompt_beginning(call: &Call) -> Option<Vec<u8>> {
    const TOKENS_MIN: usize = 1024;
    // An escape takes up to six bytes.
    let first = call.body.get(..TOKENS_MIN * 4 * 6).unwrap_or(&call.body);
    if plain_length(first) / 4 < TOKENS_MIN {
        return None;
    }
    let body: DemandMembers<'_> = serde_json::from_slice(&call.body).ok()?;
    let mut beginning = Vec::new();
    let mut add = |text: &str| {
        let left = BEGINNING_BYTES_MAX - beginning.len();
        beginning.extend(text.bytes().take(left));
        beginning.len() == BEGINNING_BYTES_MAX
    };
    add(body.tools().unwrap_or_default());
    for text in [body.system, body.instructions, body.system_instruction].into_iter().flatten() {
        add(text.get());
    }
    body.each_message(|message| {
        let is_full = add(message.content().map_or("", RawValue::get));
        if is_full || message.role == "user" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (!beginning.is_empty()).then_some(beginning)
}

#[cfg(test)]
mod tests {
    use super::super::{Head, call};
    use super::*;
    use crate::operation::Operation;

    fn of(operation: Operation, body: &str) -> Demand {
        let head = Head { model: Some("m".into()), ..Head::default() };
        demand(&call(operation, head, body.as_bytes().to_vec()).expect("a valid body"), Pace::default())
    }

    #[test]
    fn every_dialect_says_in_its_own_words_what_it_needs() {
        for (operation, body) in [
            (
                Operation::Chat,
                r#"{"tools":[{}],"response_format":{"type":"json_schema"},"messages":[{"content":[{"type":"image_url"}]}]}"#,
            ),
            (
                Operation::Responses,
                r#"{"tools":[{}],"text":{"format":{"type":"json_schema"}},"input":[{"content":[{"type":"input_image"}]}]}"#,
            ),
            (
                Operation::Messages,
                r#"{"tools":[{}],"output_config":{"format":{"type":"json_schema"}},"messages":[{"content":[{"type":"image"}]}]}"#,
            ),
            (
                Operation::Generate,
                r#"{"tools":[{}],"generationConfig":{"responseJsonSchema":{}},"contents":[{"parts":[{"inlineData":{}}]}]}"#,
            ),
        ] {
            let Demand { tools, structured, images, .. } = of(operation, body);
            assert!(tools && structured && images, "{operation:?}");
            let nothing = of(operation, r#"{"tools":[],"messages":"x","contents":[{"parts":[{"text":"t"}]}]}"#);
            assert!(!nothing.tools && !nothing.structured && !nothing.images, "{operation:?}");
        }
    }
    #[test]
    fn tools_inside_the_input_are_tools() {
        let body = r#"{"input":[{"type":"additional_tools","tools":[{}]},{"role":"user","content":"Hi"}]}"#;
        assert!(of(Operation::Responses, body).tools);
        assert!(!of(Operation::Responses, &body.replace("[{}]", "[]")).tools);
    }

    #[test]
    fn of_a_long_prompt_only_the_beginning_is_looked_at() {
        let beginning = |body: &str| {
            let read = call(Operation::Chat, Head::default(), body.as_bytes().to_vec()).expect("a valid body");
            prompt_beginning(&read).expect("it is long")
        };
        let body = |long: usize, last: &str| {
            let (system, user) = ("s".repeat(5000), "u".repeat(long));
            format!(
                r#"{{"model":"m","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{user}"}},
                {{"role":"assistant","content":"{last}"}}]}}"#
            )
        };
        assert_eq!(beginning(&body(10, "one")), beginning(&body(10, "other")), "what follows is not part of it");
        assert_ne!(beginning(&body(10, "one")), beginning(&body(11, "one")));
        assert_eq!(beginning(&body(1 << 20, "one")).len(), BEGINNING_BYTES_MAX);
    }
}
