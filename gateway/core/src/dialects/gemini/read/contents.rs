//! Reads the `contents` of a Gemini request. <https://ai.google.dev/api/caching#Content>
//!
//! Calls may come without ids. Then each gets one from its place in the conversation, and a response without an id
//! belongs to the first unanswered call of its name, as Google itself matches them.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use crate::dialects::gemini::seals;
use crate::neutral::json;
use crate::neutral::members::Members;
use crate::neutral::sealed::Sealed;
use crate::neutral::{
    Media, Message, Part, ReasoningPart, Request, Role, ToolCall, ToolResult, Untranslatable, Warnings, refuse,
};

/// `systemInstruction`: a content, or a text as the SDKs' helpers take it.
pub(super) fn read_system(system: Value) -> Vec<Part> {
    match system {
        Value::String(text) => vec![Part::Text(text)],
        content => {
            let parts = Members::of(content).list("parts");
            parts.into_iter().filter_map(|part| Members::of(part).text("text")).map(Part::Text).collect()
        }
    }
}

pub(super) fn read(
    contents: Option<Value>,
    request: &mut Request,
    warnings: &mut Warnings,
) -> Result<(), Untranslatable> {
    let contents = match contents {
        Some(Value::Array(contents)) => contents,
        Some(content @ Value::Object(_)) => vec![content],
        Some(Value::String(text)) => vec![serde_json::json!({ "parts": [{ "text": text }] })],
        Some(_) => return refuse("contents", "`contents` has to be a list of contents."),
        None => Vec::new(),
    };
    let mut reader = Reader { warnings, calls: 0, unanswered: Unanswered::default() };
    for (index, content) in contents.into_iter().enumerate() {
        let mut content = Members::of(content);
        let role = match content.text("role").as_deref() {
            Some("model") => Role::Assistant,
            Some("system") => Role::System,
            _ => Role::User,
        };
        let mut parts = Vec::new();
        for (place, part) in content.list("parts").into_iter().enumerate() {
            let part = reader.part(&format!("contents[{index}].parts[{place}]"), Members::of(part))?;
            let part = part.and_then(|part| joined(&mut parts, part));
            parts.extend(part);
        }
        match request.messages.last_mut() {
            _ if parts.is_empty() => {}
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => request.messages.push(Message { role, parts }),
        }
    }
    Ok(())
}

struct Reader<'a> {
    warnings: &'a mut Warnings,
    calls: usize,
    unanswered: Unanswered,
}

/// Calls without a response yet, found by id and by name, since conversations have thousands.
#[derive(Default)]
struct Unanswered {
    /// Ids by the calls' order; `None` once answered.
    ids: Vec<Option<String>>,
    by_id: HashMap<String, VecDeque<usize>>,
    by_name: HashMap<String, VecDeque<usize>>,
}

impl Unanswered {
    fn push(&mut self, id: String, name: String) {
        self.by_id.entry(id.clone()).or_default().push_back(self.ids.len());
        self.by_name.entry(name).or_default().push_back(self.ids.len());
        self.ids.push(Some(id));
    }

    /// Takes the first call of this id, or else the first of this name, and returns its id.
    fn take(&mut self, id: Option<&str>, name: Option<&str>) -> Option<String> {
        let mut first = |calls: Option<&mut VecDeque<usize>>| {
            let calls = calls?;
            // A call that was answered by its id is still listed under its name, and the other way round.
            std::iter::from_fn(|| calls.pop_front()).find_map(|call| self.ids.get_mut(call)?.take())
        };
        let by_id = first(id.and_then(|id| self.by_id.get_mut(id)));
        by_id.or_else(|| first(name.and_then(|name| self.by_name.get_mut(name))))
    }
}

impl Reader<'_> {
    fn part(&mut self, path: &str, mut part: Members) -> Result<Option<Part>, Untranslatable> {
        let seal = part.text("thoughtSignature").and_then(seals::read);
        if part.flag("thought").unwrap_or(false) {
            return Ok(reasoning(part.text("text").unwrap_or_default(), seal));
        }
        if let Some(text) = part.text("text") {
            return Ok((!text.is_empty()).then_some(Part::Text(text)));
        }
        if let Some(data) = part.take("inlineData") {
            return inline_data(path, Members::of(data)).map(Some);
        }
        if let Some(data) = part.take("fileData") {
            return file_data(path, Members::of(data)).map(Some);
        }
        if let Some(call) = part.take("functionCall") {
            return Ok(Some(self.call(Members::of(call), seal)));
        }
        if let Some(response) = part.take("functionResponse") {
            return self.response(path, Members::of(response)).map(Some);
        }
        part.drop_rest("contents: ", self.warnings);
        Ok(None)
    }

    fn call(&mut self, mut call: Members, seal: Option<Sealed>) -> Part {
        let name = call.text("name").unwrap_or_default();
        let id = call.text("id").filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{}", self.calls));
        self.calls += 1;
        self.unanswered.push(id.clone(), name.clone());
        let arguments = call.take("args").map_or_else(|| "{}".to_owned(), json::arguments_text);
        let signature = match seal {
            Some(Sealed::Signature(seal) | Sealed::Own(seal) | Sealed::Call(_, seal)) => Some(seal),
            Some(Sealed::Whole(_)) | None => None,
        };
        Part::ToolCall(ToolCall { id, name, arguments, signature })
    }

    fn response(&mut self, path: &str, mut response: Members) -> Result<Part, Untranslatable> {
        let name = response.text("name");
        let id = self.answered(response.text("id"), name.as_deref());
        let (text, is_error) = result_text(response.take("response"));
        let mut parts: Vec<Part> = text.map(Part::Text).into_iter().collect();
        for (index, piece) in response.list("parts").into_iter().enumerate() {
            let mut piece = Members::of(piece);
            let path = format!("{path}.functionResponse.parts[{index}]");
            if let Some(data) = piece.take("inlineData") {
                parts.push(inline_data(&path, Members::of(data))?);
            } else if let Some(data) = piece.take("fileData") {
                parts.push(file_data(&path, Members::of(data))?);
            }
        }
        Ok(Part::ToolResult(ToolResult { id, name, parts, is_error }))
    }

    /// Takes the call that a response belongs to.
    fn answered(&mut self, id: Option<String>, name: Option<&str>) -> String {
        let id = id.filter(|id| !id.is_empty());
        self.unanswered.take(id.as_deref(), name).or(id).unwrap_or_else(|| {
            self.calls += 1;
            format!("call_{}", self.calls - 1)
        })
    }
}

/// Joins reasoning that the client sends back in the pieces in which it was streamed. The signature is in the last
/// piece and only holds for the whole. Returns a part that is no further piece.
fn joined(parts: &mut [Part], part: Part) -> Option<Part> {
    match (parts.last_mut(), part) {
        (Some(Part::Reasoning(last)), Part::Reasoning(next))
            if last.signature.is_none() && last.sealed.is_none() && next.sealed.is_none() =>
        {
            last.text.push_str(&next.text);
            last.signature = next.signature;
            None
        }
        (_, part) => Some(part),
    }
}

fn reasoning(text: String, seal: Option<Sealed>) -> Option<Part> {
    let mut reasoning = ReasoningPart { text, ..ReasoningPart::default() };
    match seal {
        Some(Sealed::Signature(seal) | Sealed::Own(seal)) => reasoning.signature = Some(seal),
        Some(Sealed::Whole(seal)) => reasoning.sealed = Some(seal),
        Some(Sealed::Call(..)) | None => {}
    }
    (reasoning != ReasoningPart::default()).then_some(Part::Reasoning(reasoning))
}

/// `output` and `error` are the names Google gives to what a function returns and why it fails; any other object is the
/// output itself. <https://ai.google.dev/api/caching#FunctionResponse>
fn result_text(response: Option<Value>) -> (Option<String>, bool) {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    match response {
        Some(Value::Object(mut members)) if members.len() == 1 => {
            if let Some(output) = members.remove("output") {
                (Some(text(output)), false)
            } else if let Some(error) = members.remove("error") {
                (Some(text(error)), true)
            } else {
                (Some(Value::Object(members).to_string()), false)
            }
        }
        Some(other) => (Some(text(other)), false),
        None => (None, false),
    }
}

pub(in crate::dialects::gemini) fn inline_data(path: &str, mut data: Members) -> Result<Part, Untranslatable> {
    let media_type = data.text("mimeType").unwrap_or_default();
    let name = data.text("displayName");
    // Protobuf's JSON accepts the URL-safe alphabet too, and Google's Python SDK uses it; no other API does.
    let bytes = data.text("data").unwrap_or_default().replace('-', "+").replace('_', "/");
    let media = Media::Base64 { media_type: media_type.clone(), data: bytes };
    as_part(path, &media_type, media, name)
}

fn file_data(path: &str, mut data: Members) -> Result<Part, Untranslatable> {
    let url = data.text("fileUri").unwrap_or_default();
    let is_public = url.starts_with("https://") || url.starts_with("http://");
    if !is_public || url.contains("generativelanguage.googleapis.com") {
        return refuse(
            format!("{path}.fileData.fileUri"),
            "Files are kept by Google, and the provider of this model speaks another API. Send the file itself as \
             inlineData, or a public https address of it.",
        );
    }
    let media_type = data.text("mimeType");
    let name = data.text("displayName");
    let kind = media_type.clone().unwrap_or_default();
    as_part(path, &kind, Media::Url { url, media_type }, name)
}

fn as_part(path: &str, media_type: &str, media: Media, name: Option<String>) -> Result<Part, Untranslatable> {
    match media_type.split('/').next() {
        Some("image") => Ok(Part::Image { media, detail: None }),
        Some("audio") => Ok(Part::Audio(media)),
        Some("video") => refuse(
            path,
            "The provider of this model speaks another API, which takes no video. Use a model of Google, or send pictures \
             of it.",
        ),
        _ => Ok(Part::File { media, name }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(contents: Value) -> Vec<String> {
        let mut request = Request::default();
        read(Some(contents), &mut request, &mut Warnings::default()).expect("it can be carried");
        let parts = request.messages.into_iter().flat_map(|message| message.parts);
        let id = |part| match part {
            Part::ToolCall(call) => Some(format!("call {}", call.id)),
            Part::ToolResult(result) => Some(format!("result {}", result.id)),
            _ => None,
        };
        parts.filter_map(id).collect()
    }

    #[test]
    fn a_response_without_an_id_answers_the_first_open_call_of_its_name() {
        let call = |name: &str| json!({ "functionCall": { "name": name, "args": {} } });
        let response = |name: &str| json!({ "functionResponse": { "name": name, "response": {} } });
        let contents = json!([
            { "role": "model", "parts": [call("a"), call("b"), call("a")] },
            { "role": "user", "parts": [response("b"), response("a"), response("a")] },
            { "role": "model", "parts": [call("a")] },
            { "role": "user", "parts": [response("a"), response("a")] },
        ]);
        let expected = [
            "call call_0",
            "call call_1",
            "call call_2",
            "result call_1",
            "result call_0",
            "result call_2",
            "call call_3",
            "result call_3",
            "result call_4",
        ];
        assert_eq!(ids(contents), expected);
    }

    #[test]
    fn a_response_with_an_id_answers_that_call_whatever_its_name() {
        let contents = json!([
            { "role": "model", "parts": [{ "functionCall": { "id": "x", "name": "a" } }, { "functionCall": { "id": "y", "name": "a" } }] },
            { "role": "user", "parts": [{ "functionResponse": { "id": "y", "name": "a" } }, { "functionResponse": { "name": "a" } }] },
        ]);
        assert_eq!(ids(contents), ["call x", "call y", "result y", "result x"]);
    }

    /// Guards against looking through all calls for each response.
    #[test]
    fn every_response_finds_its_call_among_many() {
        let call = |number: usize| json!({ "functionCall": { "name": format!("f{number}") } });
        let response = |number: usize| json!({ "functionResponse": { "name": format!("f{number}") } });
        let calls: Vec<Value> = (0..20_000).map(call).collect();
        let responses: Vec<Value> = (0..20_000).rev().map(response).collect();
        let ids = ids(json!([{ "role": "model", "parts": calls }, { "role": "user", "parts": responses }]));
        assert_eq!(ids.last().map(String::as_str), Some("result call_0"));
    }

    #[test]
    fn a_seal_of_another_provider_is_read_in_either_alphabet_of_base64() {
        let written = seals::write("llmio:signature:llmio:anthropic:a>b?c~".to_owned());
        for signature in [written.clone(), written.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()]
        {
            let Some(Sealed::Signature(seal)) = seals::read(signature) else { panic!("it is a signature") };
            assert_eq!((seal.by.name(), seal.text.as_str()), ("anthropic", "a>b?c~"));
        }
    }
}
