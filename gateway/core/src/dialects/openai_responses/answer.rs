//! Whole Responses answers.
//! <https://platform.openai.com/docs/api-reference/responses/object>

use serde_json::{Value, json};

use super::{finish, tools, usage};
use crate::dialect::Dialect;
use crate::neutral::AnswerContext;
use crate::neutral::json::{self, from_members};
use crate::neutral::members::Members;
use crate::neutral::sealed;
use crate::neutral::{Alias, Answer, Choice, Finish, Media, Object, Part, ReasoningPart, Seal, ToolCall, UNSIGNED};

/// Reads the answer in `body`; `None` if it is none, or reports that the model failed.
pub(super) fn read_answer(response: Value) -> Option<Answer> {
    if response.get("error").is_some_and(|error| !error.is_null()) || !response.get("output")?.is_array() {
        return None;
    }
    let finish = finish::read(&response);
    let usage = response.get("usage").map(|usage| Dialect::OpenaiResponses.usage(usage)).unwrap_or_default();
    let mut response = Members::of(response);
    let mut parts = Vec::new();
    let mut has_words = false;
    for item in response.list("output") {
        let before = parts.len();
        read_item(item, &mut parts);
        let words = parts
            .iter_mut()
            .skip(before)
            .filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        has_words |= separate(words, has_words);
    }
    let finish = finish.unwrap_or_else(|| finish_of(&parts));
    Some(Answer {
        id: response.text("id"),
        model: response.text("model"),
        choices: vec![Choice { parts, finish: Some(finish) }],
        usage,
    })
}

/// Separates the messages of an answer by a blank line, since callers of other dialects get them as one text. Returns
/// whether there is any text.
fn separate<'p>(mut words: impl Iterator<Item = &'p mut String>, has_words: bool) -> bool {
    let Some(first) = words.find(|text| !text.is_empty()) else { return false };
    if has_words {
        first.insert_str(0, "\n\n");
    }
    true
}

fn finish_of(parts: &[Part]) -> Finish {
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    if calls { Finish::ToolCalls } else { Finish::Stop }
}

/// Adds the parts of one item of `output`. Items of tools that ran at the provider are left out, since the text
/// contains what they found.
pub(super) fn read_item(item: Value, parts: &mut Vec<Part>) {
    let mut item = Members::of(item);
    match item.text("type").unwrap_or_default().as_str() {
        "message" => {
            for piece in item.list("content") {
                let mut piece = Members::of(piece);
                let refusal = piece.text("refusal").map(Part::Refusal);
                parts.extend(refusal.or_else(|| piece.text("text").map(Part::Text)));
            }
        }
        "function_call" => {
            let arguments = item.take("arguments").map(json::arguments_text).unwrap_or_default();
            parts.push(read_call(item, arguments));
        }
        "custom_tool_call" => {
            let input = item.take("input").map(json::arguments_text).unwrap_or_default();
            parts.push(read_call(item, tools::freeform_arguments(&input)));
        }
        "reasoning" => {
            let mut texts: Vec<String> = Vec::new();
            for piece in item.list("summary").into_iter().chain(item.list("content")) {
                texts.extend(Members::of(piece).text("text"));
            }
            let text = texts.join("\n\n");
            if !text.is_empty() {
                parts.push(Part::Reasoning(ReasoningPart { text, ..ReasoningPart::default() }));
            }
            // It is a part of its own, as in a stream, where it follows the reasoning: other dialects have reasoning
            // either as text or sealed.
            let sealed = item.text("encrypted_content").and_then(|text| Seal::read(Dialect::OpenaiResponses, text));
            if sealed.is_some() {
                parts.push(Part::Reasoning(ReasoningPart { sealed, ..ReasoningPart::default() }));
            }
        }
        _ => {}
    }
}

fn read_call(mut item: Members, arguments: String) -> Part {
    let id = item.text("call_id").filter(|id| !id.is_empty()).or_else(|| item.text("id")).unwrap_or_default();
    Part::ToolCall(ToolCall { id, name: item.text("name").unwrap_or_default(), arguments, signature: None })
}

/// The answer as JSON.
pub(super) fn write_answer(answer: Answer, context: &AnswerContext) -> Value {
    let mut output = Vec::new();
    // Responses knows no alternatives: its requests cannot ask for more than one.
    let choice = answer.choices.into_iter().next().unwrap_or_default();
    for part in choice.parts {
        write_part(part, context, &mut output);
    }
    let mut response = envelope(context, answer.id.as_deref());
    finish(&mut response, choice.finish.as_ref(), output, usage::write(&answer.usage));
    response.into()
}

fn write_part(part: Part, context: &AnswerContext, output: &mut Vec<Value>) {
    match part {
        Part::Text(text) => output.push(message(context, output.len(), "completed", vec![text_part(text)])),
        Part::Refusal(text) => output.push(message(context, output.len(), "completed", vec![refusal_part(text)])),
        Part::Reasoning(mut sealed_part) => {
            let text = std::mem::take(&mut sealed_part.text);
            let sealed = sealed::of_reasoning(sealed_part, Dialect::OpenaiResponses);
            output.push(reasoning(context, output.len(), text, Some(sealed_or_not(sealed))));
        }
        Part::ToolCall(call) => {
            if let Some(seal) = call.signature {
                let sealed = sealed::of_call(&call.id, seal, Dialect::OpenaiResponses);
                output.push(reasoning(context, output.len(), String::new(), Some(sealed)));
            }
            let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
            output.push(tool_call(context, output.len(), "completed", &call.id, &call.name, arguments));
        }
        Part::Image { media: Media::Base64 { data, .. }, .. } => {
            output.push(picture(context, output.len(), "completed", Some(data)));
        }
        Part::Image { media, .. } => write_part(Part::Text(media.in_words()), context, output),
        Part::File { .. } | Part::Audio(_) | Part::ToolResult(_) | Part::CacheMark(_) => {}
    }
}

/// A response object without contents. The official SDKs require most of these members.
pub(super) fn envelope(context: &AnswerContext, id: Option<&str>) -> Object {
    let response = json!({
        "id": id.unwrap_or(&context.id),
        "object": "response",
        "created_at": context.created_s,
        "status": "in_progress",
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": null,
        "metadata": {},
        "model": context.model,
        "output": [],
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": { "effort": null, "summary": null },
        "store": false,
        "temperature": null,
        "text": { "format": { "type": "text" } },
        "tool_choice": "auto",
        "tools": [],
        "top_p": null,
        "truncation": "disabled",
        "usage": null,
    });
    match response {
        Value::Object(members) => members,
        _ => Object::new(),
    }
}

/// Completes a response object. The event that announces it is `response.` followed by the returned status.
pub(super) fn finish(response: &mut Object, finish: Option<&Finish>, output: Vec<Value>, usage: Value) -> &'static str {
    let reason = finish::write(finish);
    let status = if reason.is_some() { "incomplete" } else { "completed" };
    response.insert("status".into(), status.into());
    if let Some(reason) = reason {
        response.insert("incomplete_details".into(), json!({ "reason": reason }));
    }
    response.insert("output".into(), output.into());
    response.insert("usage".into(), usage);
    status
}

/// The id of an item: the call's id and the item's place. Clients send items back with their ids.
pub(super) fn item_id(kind: &str, context: &AnswerContext, place: usize) -> String {
    let call = context.id.rsplit('_').next().unwrap_or_default();
    format!("{kind}_{call}_{place}")
}

pub(super) fn text_part(text: String) -> Value {
    let none = || Value::Array(Vec::new());
    from_members([("type", "output_text".into()), ("text", text.into()), ("annotations", none()), ("logprobs", none())])
}

pub(super) fn refusal_part(text: String) -> Value {
    from_members([("type", "refusal".into()), ("refusal", text.into())])
}

pub(super) fn message(context: &AnswerContext, place: usize, status: &str, content: Vec<Value>) -> Value {
    from_members([
        ("id", item_id("msg", context, place).into()),
        ("type", "message".into()),
        ("status", status.into()),
        ("role", "assistant".into()),
        ("content", content.into()),
    ])
}

/// Where OpenAI's own models put what they draw: `data` is in base64.
pub(super) fn picture(context: &AnswerContext, place: usize, status: &str, data: Option<String>) -> Value {
    from_members([
        ("id", item_id("ig", context, place).into()),
        ("type", "image_generation_call".into()),
        ("status", status.into()),
        ("result", data.into()),
    ])
}

pub(super) fn reasoning(context: &AnswerContext, place: usize, text: String, sealed: Option<String>) -> Value {
    let summary: Vec<Value> = if text.is_empty() { Vec::new() } else { vec![summary_part(text)] };
    let id = item_id("rs", context, place);
    let mut item = from_members([("id", id.into()), ("type", "reasoning".into()), ("summary", summary.into())]);
    if let (Some(sealed), Some(item)) = (sealed, item.as_object_mut()) {
        item.insert("encrypted_content".into(), sealed.into());
    }
    item
}

/// Reasoning without a seal gets a mark: OpenAI would look for it among what it stores and refuse the request. The mark
/// lets it be removed when the conversation moves to OpenAI.
pub(super) fn sealed_or_not(sealed: Option<String>) -> String {
    sealed.unwrap_or_else(|| UNSIGNED.to_owned())
}

pub(super) fn summary_part(text: String) -> Value {
    from_members([("type", "summary_text".into()), ("text", text.into())])
}

/// The alias for the tool that the provider knows as `name`.
pub(super) fn alias_of<'a>(context: &'a AnswerContext, name: &str) -> Option<&'a Alias> {
    context.aliases_of(name).first()
}

/// A call in the form and under the name that the caller gave the tool.
pub(super) fn tool_call(
    context: &AnswerContext,
    place: usize,
    status: &str,
    id: &str,
    name: &str,
    arguments: &str,
) -> Value {
    let alias = alias_of(context, name);
    let mut item = Object::new();
    let freeform = alias.is_some_and(|alias| alias.freeform);
    item.insert("id".into(), item_id(if freeform { "ctc" } else { "fc" }, context, place).into());
    item.insert("type".into(), if freeform { "custom_tool_call" } else { "function_call" }.into());
    item.insert("status".into(), status.into());
    item.insert("call_id".into(), id.into());
    item.insert("name".into(), alias.map_or(name, |alias| &alias.name).into());
    if let Some(namespace) = alias.and_then(|alias| alias.namespace.as_deref()) {
        item.insert("namespace".into(), namespace.into());
    }
    if freeform {
        let input = if arguments.is_empty() { String::new() } else { tools::freeform_input(arguments) };
        item.insert("input".into(), input.into());
    } else {
        item.insert("arguments".into(), arguments.into());
    }
    item.into()
}
