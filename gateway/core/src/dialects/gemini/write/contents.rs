//! Writes the `contents` of a Gemini request. <https://ai.google.dev/api/caching#Content>

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::dialects::gemini::answer::seal_of_call;
use crate::neutral::json::{self, from_members};
use crate::neutral::turns;
use crate::neutral::{Media, Message, Object, Part, ReasoningPart, Role, ToolCall, ToolResult, Warnings};
use crate::profile::Profile;

pub(super) fn write(mut messages: Vec<Message>, profile: &Profile, warnings: &mut Warnings) -> Vec<Value> {
    turns::system_to_user(&mut messages, warnings);
    if !profile.prefill {
        turns::end_with_user(&mut messages, warnings);
    }
    let seals = profile.call_seals;
    let mut contents = Vec::new();
    for message in turns::merge(messages) {
        let mut writer = Writer { parts: Vec::new(), behind: Vec::new(), warnings, seals, wants_seal: seals };
        for part in message.parts {
            writer.part(part);
        }
        let mut parts = writer.parts;
        parts.append(&mut writer.behind);
        if parts.is_empty() {
            continue;
        }
        let role = if message.role == Role::Assistant { "model" } else { "user" };
        if contents.is_empty() && role == "model" {
            contents.push(json!({ "role": "user", "parts": [{ "text": turns::BEGINNING }] }));
        }
        contents.push(json!({ "role": role, "parts": parts }));
    }
    contents
}

struct Writer<'a> {
    parts: Vec<Value>,
    /// Pictures in tools' results, which must follow all results.
    behind: Vec<Value>,
    warnings: &'a mut Warnings,
    /// Whether the model's generation requires seals, and accepts pictures inside results.
    seals: bool,
    /// Whether the next call must have a seal.
    wants_seal: bool,
}

impl Writer<'_> {
    fn part(&mut self, part: Part) {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                // Google refuses empty texts.
                if !text.is_empty() {
                    self.parts.push(json!({ "text": text }));
                }
            }
            Part::Image { media, .. } => self.parts.push(write_media(media, PICTURE)),
            Part::Audio(media) => self.parts.push(write_media(media, RECORDING)),
            Part::File { media, .. } => self.parts.push(write_media(media, DOCUMENT)),
            Part::ToolCall(call) => self.call(call),
            Part::ToolResult(result) => self.result(result),
            Part::Reasoning(reasoning) => self.reasoning(reasoning),
            Part::CacheMark(_) => {}
        }
    }

    /// Writes reasoning that Google sealed; Gemini reads no other.
    fn reasoning(&mut self, reasoning: ReasoningPart) {
        if let Some(seal) = reasoning.signature.and_then(|seal| seal.for_provider(Dialect::Gemini)) {
            self.parts.push(json!({ "text": reasoning.text, "thought": true, "thoughtSignature": seal }));
        }
    }

    fn call(&mut self, call: ToolCall) {
        let args = json::arguments(&call.arguments);
        let call_of = from_members([("id", call.id.into()), ("name", call.name.into()), ("args", args)]);
        let mut part = from_members([("functionCall", call_of)]);
        let own = call.signature.and_then(|seal| seal.for_provider(Dialect::Gemini));
        // Of parallel calls only the first has a seal.
        let seal = seal_of_call(own, &mut self.wants_seal);
        if let (Some(seal), Some(members)) = (seal, part.as_object_mut()) {
            members.insert("thoughtSignature".into(), seal.into());
        }
        self.parts.push(part);
    }

    fn result(&mut self, result: ToolResult) {
        let mut texts = Vec::new();
        let mut inside = Vec::new();
        for part in result.parts {
            match part {
                Part::Text(text) | Part::Refusal(text) => texts.push(text),
                Part::Image { media, .. } => self.media_of_result(media, PICTURE, &mut inside),
                Part::Audio(media) => self.media_of_result(media, RECORDING, &mut inside),
                Part::File { media, .. } => self.media_of_result(media, DOCUMENT, &mut inside),
                _ => self.warnings.dropped("a part of a tool's result"),
            }
        }
        let text = if texts.len() == 1 { texts.remove(0) } else { texts.join("\n") };
        let mut response = Object::new();
        let name = if result.is_error { "error" } else { "output" };
        response.insert(name.into(), text.into());
        // A result whose call is not in the conversation has no name, and Google wants one.
        let name = result.name.unwrap_or_else(|| result.id.clone());
        let mut written =
            from_members([("id", result.id.into()), ("name", name.into()), ("response", response.into())]);
        if let (false, Some(members)) = (inside.is_empty(), written.as_object_mut()) {
            members.insert("parts".into(), inside.into());
        }
        self.parts.push(from_members([("functionResponse", written)]));
    }

    fn media_of_result(&mut self, media: Media, usual: &str, inside: &mut Vec<Value>) {
        let is_inline = matches!(media, Media::Base64 { .. });
        let place = if self.seals && is_inline { inside } else { &mut self.behind };
        place.push(write_media(media, usual));
    }
}

/// The media type that is assumed if an address does not tell one.
pub(in crate::dialects::gemini) const PICTURE: &str = "image/jpeg";
const RECORDING: &str = "audio/mpeg";
const DOCUMENT: &str = "application/pdf";

/// Vertex refuses a `fileData` without a type, and the other dialects do not say what they refer to.
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference#filedata>
pub(in crate::dialects::gemini) fn write_media(media: Media, usual: &str) -> Value {
    match media {
        Media::Base64 { media_type, data } => json!({ "inlineData": { "mimeType": media_type, "data": data } }),
        Media::Url { url, media_type } => {
            let media_type = media_type.unwrap_or_else(|| guess(&url).unwrap_or(usual).to_owned());
            json!({ "fileData": { "mimeType": media_type, "fileUri": url } })
        }
    }
}

fn guess(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        _ => return None,
    })
}
