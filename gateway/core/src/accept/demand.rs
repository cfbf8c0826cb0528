//! What a call needs of a target, and what its prompt begins with: a second look at the body, taken only where a catalog
//! asks for it.

use serde_json::value::RawValue;

use super::pieces::pieces;
use crate::call::{Call, Demand};
use crate::scan::plain_length;

/// The members a call's demand is read from, of every dialect, unparsed: a body is large, and a member of another shape
/// than its dialect says must not hide the others.
#[derive(serde::Deserialize)]
struct Demanding<'b> {
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

/// An object as far as it says what it is.
#[derive(serde::Deserialize)]
struct Typed<'b> {
    #[serde(rename = "type", default)]
    kind: String,
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
    #[serde(default)]
    role: String,
    #[serde(borrow, default)]
    content: Option<&'b RawValue>,
    #[serde(borrow, default)]
    parts: Option<&'b RawValue>,
    /// Of the items in which Codex brings its tools, `additional_tools` and `tool_search_output`.
    #[serde(borrow, default)]
    tools: Option<&'b RawValue>,
}

impl<'b> Message<'b> {
    fn said(&self) -> Option<&'b RawValue> {
        self.content.or(self.parts)
    }
}

impl<'b> Demanding<'b> {
    fn tools(&self) -> Option<&'b str> {
        filled(self.tools)
    }

    fn messages(&self) -> impl Iterator<Item = Message<'b>> {
        let all = [self.messages, self.input, self.contents].into_iter().flat_map(list);
        all.filter_map(|message| serde_json::from_str(message.get()).ok())
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

/// A list with something in it.
fn filled(list: Option<&RawValue>) -> Option<&str> {
    list.map(RawValue::get).filter(|list| list.starts_with('[') && *list != "[]")
}

fn list(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn typed(raw: &RawValue) -> Option<Typed<'_>> {
    serde_json::from_str(raw.get()).ok()
}

/// Gemini's documents come in the same member as its images; whoever reads one reads the other.
fn is_image(part: &RawValue) -> bool {
    typed(part).is_some_and(|part| {
        matches!(part.kind.as_str(), "image_url" | "input_image" | "image")
            || part.inline_data.is_some()
            || part.file_data.is_some()
    })
}

/// Reads what a call needs of a target. Asked only where some target lacks something: most catalogs have none, and the
/// body would be read a second time for nothing.
pub fn demand(call: &Call) -> Demand {
    let pieces = pieces(call);
    let Ok(body) = serde_json::from_slice::<Demanding<'_>>(&call.body) else {
        return Demand { pieces, ..Demand::default() };
    };
    let mut tools = body.tools().is_some();
    let (mut images, mut image_bytes) = (false, 0);
    for message in body.messages() {
        tools |= filled(message.tools).is_some();
        for image in list(message.said()).into_iter().filter(|part| is_image(part)) {
            images = true;
            image_bytes += plain_length(image.get().as_bytes());
        }
    }
    Demand {
        tools,
        structured: body.is_structured(),
        images,
        // An image is worth a thousand tokens, not the millions of its base64.
        tokens: (plain_length(&call.body).saturating_sub(image_bytes) / 4) as u64,
        pieces,
    }
}

/// The beginning of a prompt that a provider may have cached: the tools, the system prompt and everything up to the
/// first words of the user. `None` below 1,024 tokens, which no provider caches.
pub fn prompt_beginning(call: &Call) -> Option<Vec<u8>> {
    const TOKENS_MIN: usize = 1024;
    if plain_length(&call.body) / 4 < TOKENS_MIN {
        return None;
    }
    let body: Demanding<'_> = serde_json::from_slice(&call.body).ok()?;
    let mut beginning = body.tools().unwrap_or_default().as_bytes().to_vec();
    for said in [body.system, body.instructions, body.system_instruction].into_iter().flatten() {
        beginning.extend_from_slice(said.get().as_bytes());
    }
    for message in body.messages() {
        beginning.extend_from_slice(message.said().map_or("", RawValue::get).as_bytes());
        if message.role == "user" {
            break;
        }
    }
    (!beginning.is_empty()).then_some(beginning)
}

#[cfg(test)]
mod tests {
    use super::super::{Head, call};
    use super::*;
    use crate::operation::Operation;

    fn of(operation: Operation, body: &str) -> Demand {
        let head = Head { model: Some("m".into()), ..Head::default() };
        demand(&call(operation, head, body.as_bytes().to_vec()).expect("a valid body"))
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
}
