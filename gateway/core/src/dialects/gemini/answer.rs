//! Whole Gemini answers. <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>

use serde_json::{Value, json};

use super::read::inline_data;
use super::stream_reader::StreamReader;
use super::write::{PICTURE, write_media};
use super::{finish, seals, usage};
use crate::dialect::Dialect;
use crate::dialects::room::ReadStream;
use crate::neutral::AnswerContext;
use crate::neutral::gathered::Gathered;
use crate::neutral::json::{self, from_members};
use crate::neutral::members::Members;
use crate::neutral::sealed::{self, Sealed};
use crate::neutral::{Answer, Choice, Event, Finish, Object, Part, ReasoningPart, ToolCall};

/// Reads the answer in `body`; `None` if it is none. A list is a stream that came as a whole.
pub(super) fn read_answer(response: Value) -> Option<Answer> {
    if let Value::Array(chunks) = response {
        return read_chunks(chunks);
    }
    let blocked = response.pointer("/promptFeedback/blockReason").is_some();
    if response.get("candidates").is_none_or(|it| !it.is_array()) && !blocked {
        return None;
    }
    let usage = response.get("usageMetadata").map(|usage| Dialect::Gemini.usage(usage)).unwrap_or_default();
    let mut response = Members::of(response);
    let mut choices = Vec::new();
    for candidate in response.list("candidates") {
        choices.push(read_candidate(candidate)?);
    }
    if choices.is_empty() && blocked {
        choices.push(Choice { parts: Vec::new(), finish: Some(Finish::Filtered) });
    }
    Some(Answer { id: response.text("responseId"), model: response.text("modelVersion"), choices, usage })
}

fn read_candidate(candidate: Value) -> Option<Choice> {
    let mut candidate = Members::of(candidate);
    let mut parts = Vec::new();
    for part in candidate.object("content").list("parts") {
        read_part(part, &mut parts);
    }
    let reason = candidate.text("finishReason").unwrap_or_default();
    let calls_tools = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let has_words = parts.iter().any(|part| !matches!(part, Part::Reasoning(_)));
    if finish::is_none(&reason, has_words, calls_tools) {
        return None;
    }
    Some(Choice { parts, finish: Some(finish::read(&reason, calls_tools)) })
}

/// Adds a part of an answer; texts that follow each other are one.
pub(super) fn read_part(part: Value, parts: &mut Vec<Part>) {
    let mut part = Members::of(part);
    let seal = part.text("thoughtSignature").and_then(seals::read).map(|sealed| match sealed {
        Sealed::Signature(seal) | Sealed::Whole(seal) | Sealed::Call(_, seal) | Sealed::Own(seal) => seal,
    });
    if part.flag("thought").unwrap_or(false) {
        let text = part.text("text").unwrap_or_default();
        match parts.last_mut() {
            Some(Part::Reasoning(last)) if last.signature.is_none() => {
                last.text.push_str(&text);
                last.signature = seal;
            }
            _ => parts.push(Part::Reasoning(ReasoningPart { text, signature: seal, sealed: None })),
        }
    } else if let Some(text) = part.text("text") {
        match parts.last_mut() {
            // A seal on text is not needed for the next turn, and no other dialect has a place for it.
            Some(Part::Text(last)) => last.push_str(&text),
            _ if text.is_empty() => {}
            _ => parts.push(Part::Text(text)),
        }
    } else if let Some(call) = part.take("functionCall") {
        let mut call = Members::of(call);
        let arguments = call.take("args").map_or_else(|| "{}".to_owned(), json::arguments_text);
        let (id, name) = (call.text("id").unwrap_or_default(), call.text("name").unwrap_or_default());
        parts.push(Part::ToolCall(ToolCall { id, name, arguments, signature: seal }));
    } else if let Some(data) = part.take("inlineData")
        && let Ok(picture @ Part::Image { .. }) = inline_data("", Members::of(data))
    {
        parts.push(picture);
    }
}

/// Combines the chunks of a stream.
fn read_chunks(chunks: Vec<Value>) -> Option<Answer> {
    let mut reader = StreamReader::default();
    let mut events = Vec::new();
    for chunk in chunks {
        reader.read(chunk, &mut events);
    }
    events.extend(reader.end());
    if events.last() != Some(&Event::Done) {
        return None;
    }
    let mut gathered = Gathered::default();
    events.into_iter().for_each(|event| gathered.take(event));
    Some(gathered.into_answer())
}

/// The answer as JSON.
pub(super) fn write_answer(answer: Answer, context: &AnswerContext) -> Value {
    let candidates = answer.choices.into_iter().enumerate().map(|(index, choice)| {
        let mut is_first = true;
        let parts: Vec<Value> = choice.parts.into_iter().filter_map(|part| write_part(part, &mut is_first)).collect();
        let finish = finish::write(choice.finish.as_ref().unwrap_or(&Finish::Stop));
        candidate(index, parts, Some(finish))
    });
    let candidates = candidates.collect();
    let mut response = envelope(context, answer.id.as_deref(), candidates);
    if !answer.usage.is_unknown() {
        response.insert("usageMetadata".into(), usage::write(&answer.usage));
    }
    response.into()
}

fn write_part(part: Part, is_first: &mut bool) -> Option<Value> {
    match part {
        Part::Text(text) | Part::Refusal(text) => Some(from_members([("text", text.into())])),
        Part::ToolCall(call) => {
            let seal = call.signature.map(|seal| seal.for_client(Dialect::Gemini));
            Some(function_call(&call.id, &call.name, &call.arguments, seal_of_call(seal, is_first)))
        }
        Part::Reasoning(mut reasoning) => {
            let text = std::mem::take(&mut reasoning.text);
            Some(reasoning_part(text, sealed::of_reasoning(reasoning, Dialect::Gemini)))
        }
        Part::Image { media, .. } => Some(write_media(media, PICTURE)),
        Part::File { .. } | Part::Audio(_) | Part::ToolResult(_) | Part::CacheMark(_) => None,
    }
}

/// An answer or a chunk of one, without its usage.
pub(super) fn envelope(context: &AnswerContext, id: Option<&str>, candidates: Vec<Value>) -> Object {
    let mut response = Object::new();
    response.insert("candidates".into(), candidates.into());
    response.insert("modelVersion".into(), context.model.clone().into());
    response.insert("responseId".into(), id.unwrap_or(&context.id).into());
    response
}

pub(super) fn candidate(index: usize, parts: Vec<Value>, finish: Option<&str>) -> Value {
    let mut candidate = Object::new();
    candidate.insert("content".into(), json!({ "parts": parts, "role": "model" }));
    candidate.extend(finish.map(|finish| ("finishReason".to_owned(), finish.into())));
    candidate.insert("index".into(), index.into());
    candidate.into()
}

pub(super) fn reasoning_part(text: String, seal: Option<String>) -> Value {
    with_seal(from_members([("text", text.into()), ("thought", true.into())]), seal)
}

pub(super) fn function_call(id: &str, name: &str, text: &str, seal: Option<String>) -> Value {
    with_seal(json!({ "functionCall": { "id": id, "name": name, "args": json::arguments(text) } }), seal)
}

/// The seal of a call. Gemini 3 refuses a turn whose first call has no seal, even if another provider made it.
pub(super) fn seal_of_call(seal: Option<String>, is_first: &mut bool) -> Option<String> {
    let is_first = std::mem::take(is_first);
    seal.or_else(|| is_first.then(|| seals::NO_SEAL.to_owned()))
}

fn with_seal(mut part: Value, seal: Option<String>) -> Value {
    if let (Some(seal), Some(members)) = (seal, part.as_object_mut()) {
        members.insert("thoughtSignature".into(), seals::write(seal).into());
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_ends_in_a_call_nobody_can_read_is_none() {
        let (reasoning, text) = (json!({ "text": "Hm.", "thought": true }), json!({ "text": "I look." }));
        let call = json!({ "functionCall": { "name": "look", "args": {} } });
        let is_answer = |reason: &str, parts: Vec<&Value>| {
            let candidate = json!({ "content": { "parts": parts }, "finishReason": reason });
            read_answer(json!({ "candidates": [candidate] })).is_some()
        };
        for reason in ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"] {
            assert!(!is_answer(reason, vec![]), "{reason}");
            assert!(!is_answer(reason, vec![&reasoning]), "{reason}");
            assert!(is_answer(reason, vec![&reasoning, &text, &call]), "{reason}");
        }
        assert!(!is_answer("MALFORMED_FUNCTION_CALL", vec![&text]), "the call it announces is missing");
        assert!(is_answer("UNEXPECTED_TOOL_CALL", vec![&text]));
        assert!(is_answer("STOP", vec![]), "the model may have nothing to say");
    }
}
