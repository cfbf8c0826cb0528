//! Reads the `input` of a Responses request: a text, or items of the conversation.
//!
//! Consecutive items of the model (reasoning, text, calls) form one turn, as in every other dialect; so do the results
//! of parallel calls.

use std::collections::HashMap;

use serde_json::Value;

use crate::dialect::Dialect;
use crate::dialects::openai_responses::tools;
use crate::neutral::json;
use crate::neutral::members::Members;
use crate::neutral::sealed::{self, Sealed};
use crate::neutral::{
    Media, Message, Part, ReasoningPart, Request, Role, Seal, ToolCall, ToolResult, Untranslatable, Warnings, refuse,
};

pub(super) fn read(input: Option<Value>, request: &mut Request, warnings: &mut Warnings) -> Result<(), Untranslatable> {
    let mut reader = Reader { request, warnings, seals: HashMap::new() };
    match input {
        Some(Value::String(text)) => reader.say(Role::User, vec![Part::Text(text)]),
        Some(Value::Array(items)) => {
            for (index, item) in items.into_iter().enumerate() {
                reader.item(&format!("input[{index}]"), item)?;
            }
        }
        None => {}
        Some(_) => return refuse("input", "`input` has to be a text or a list of items."),
    }
    reader.seal_calls();
    Ok(())
}

struct Reader<'a> {
    request: &'a mut Request,
    warnings: &'a mut Warnings,
    /// Seals of calls by the call's id.
    seals: HashMap<String, Seal>,
}

impl Reader<'_> {
    fn item(&mut self, path: &str, item: Value) -> Result<(), Untranslatable> {
        let mut item = Members::of(item);
        let kind = item.text("type").unwrap_or_else(|| "message".to_owned());
        match kind.as_str() {
            "message" => self.message(path, item),
            "function_call" => {
                let arguments = item.take("arguments").map(json::arguments_text).unwrap_or_default();
                self.call(item, arguments);
                Ok(())
            }
            "custom_tool_call" => {
                let input = item.take("input").map(json::arguments_text).unwrap_or_default();
                self.call(item, tools::freeform_arguments(&input));
                Ok(())
            }
            "function_call_output" | "custom_tool_call_output" => self.result(path, item),
            "reasoning" => {
                self.reasoning(item);
                Ok(())
            }
            // Codex sends its tools inside the input since 0.144, and both are how a tool found later is declared:
            // <https://developers.openai.com/api/docs/guides/tools-tool-search>.
            "additional_tools" | "tool_search_output" => {
                tools::read(item.list("tools"), self.request, self.warnings);
                Ok(())
            }
            // The AI SDK refers to reasoning wherever `store` is left as it is. A conversation can do without.
            "item_reference" if item.text("id").is_some_and(|id| id.starts_with("rs_")) => {
                self.warnings.dropped("input: item_reference of reasoning");
                Ok(())
            }
            "item_reference" => refuse(
                path,
                "Items can be referred to by id only with the provider that keeps them, and the provider of this model \
                 speaks another API. Send the whole item.",
            ),
            "compaction" | "compaction_summary" => refuse(
                path,
                "A compacted conversation can be read only by the provider that made it, and the provider of this model \
                 speaks another API. Send the conversation itself, or begin a new one.",
            ),
            "compaction_trigger" => refuse(
                path,
                "Only OpenAI compacts a conversation on request, and the provider of this model speaks another API. Let \
                 the client summarise the conversation, or begin a new one.",
            ),
            other => {
                self.warnings.dropped(&format!("input: {other}"));
                Ok(())
            }
        }
    }

    fn message(&mut self, path: &str, mut item: Members) -> Result<(), Untranslatable> {
        let role = match item.text("role").as_deref() {
            Some("assistant") => Role::Assistant,
            Some("system" | "developer") => Role::System,
            Some("user") | None => Role::User,
            Some(_) => return refuse(format!("{path}.role"), "Known roles are user, assistant, system and developer."),
        };
        let parts = self.content(&format!("{path}.content"), item.take("content"))?;
        if role == Role::System && self.request.messages.is_empty() {
            self.request.system.extend(parts);
        } else {
            self.say(role, parts);
        }
        Ok(())
    }

    /// Adds parts to the conversation. Consecutive parts of the model form one message.
    fn say(&mut self, role: Role, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
        let results = parts.iter().all(is_result);
        match self.request.messages.last_mut() {
            Some(last) if last.role == role && role == Role::Assistant => last.parts.extend(parts),
            Some(last) if results && last.role == role && last.parts.iter().all(is_result) => last.parts.extend(parts),
            _ => self.request.messages.push(Message { role, parts }),
        }
    }

    fn content(&mut self, path: &str, content: Option<Value>) -> Result<Vec<Part>, Untranslatable> {
        let pieces = match content {
            Some(Value::String(text)) => return Ok(vec![Part::Text(text)]),
            Some(Value::Array(pieces)) => pieces,
            _ => return Ok(Vec::new()),
        };
        let mut parts = Vec::with_capacity(pieces.len());
        for (index, piece) in pieces.into_iter().enumerate() {
            parts.extend(self.piece(&format!("{path}[{index}]"), Members::of(piece))?);
        }
        Ok(parts)
    }

    fn piece(&mut self, path: &str, mut piece: Members) -> Result<Option<Part>, Untranslatable> {
        let kind = piece.text("type").unwrap_or_default();
        Ok(match kind.as_str() {
            "input_text" | "output_text" | "text" | "summary_text" => piece.text("text").map(Part::Text),
            "refusal" => piece.text("refusal").map(Part::Refusal),
            "input_image" => {
                let detail = piece.text("detail");
                Some(Part::Image { media: image(path, piece)?, detail })
            }
            "input_file" => Some(file(path, piece)?),
            "input_audio" => Some(Part::Audio(audio(piece.object("input_audio")))),
            other => {
                self.warnings.dropped(&format!("input: {other}"));
                None
            }
        })
    }

    fn call(&mut self, mut item: Members, arguments: String) {
        let id = item.text("call_id").or_else(|| item.text("id")).unwrap_or_default();
        let name = tools::shown_name(item.text("namespace").as_deref(), &item.text("name").unwrap_or_default());
        self.say(Role::Assistant, vec![Part::ToolCall(ToolCall { id, name, arguments, signature: None })]);
    }

    fn result(&mut self, path: &str, mut item: Members) -> Result<(), Untranslatable> {
        let id = item.text("call_id").unwrap_or_default();
        let parts = match item.take("output") {
            Some(output @ (Value::String(_) | Value::Array(_))) => {
                self.content(&format!("{path}.output"), Some(output))?
            }
            Some(other) => vec![Part::Text(other.to_string())],
            None => Vec::new(),
        };
        let result = ToolResult { id, name: None, parts, is_error: false };
        self.say(Role::User, vec![Part::ToolResult(result)]);
        Ok(())
    }

    fn reasoning(&mut self, mut item: Members) {
        let mut texts: Vec<String> = Vec::new();
        for piece in item.list("summary").into_iter().chain(item.list("content")) {
            texts.extend(Members::of(piece).text("text"));
        }
        let mut reasoning = ReasoningPart { text: texts.join("\n\n"), ..ReasoningPart::default() };
        let sealed = item.text("encrypted_content");
        match sealed.and_then(|sealed| sealed::read(sealed, Dialect::OpenaiResponses)) {
            Some(Sealed::Signature(seal)) => reasoning.signature = Some(seal),
            Some(Sealed::Whole(seal) | Sealed::Own(seal)) => reasoning.sealed = Some(seal),
            Some(Sealed::Call(id, seal)) => drop(self.seals.insert(id, seal)),
            None => {}
        }
        if reasoning != ReasoningPart::default() {
            self.say(Role::Assistant, vec![Part::Reasoning(reasoning)]);
        }
    }

    fn seal_calls(self) {
        let mut seals = self.seals;
        for part in self.request.messages.iter_mut().flat_map(|message| &mut message.parts) {
            if let Part::ToolCall(call) = part {
                call.signature = seals.remove(&call.id).or_else(|| call.signature.take());
            }
        }
    }
}

const FILE_ID: &str = "Files are kept by the provider they were sent to, and the provider of this model speaks another API. \
                       Send the file itself as a data URL.";

fn image(path: &str, mut piece: Members) -> Result<Media, Untranslatable> {
    match piece.take("image_url") {
        Some(Value::String(url)) => from_url(&format!("{path}.image_url"), url),
        _ => refuse(format!("{path}.file_id"), FILE_ID),
    }
}

fn from_url(path: &str, url: String) -> Result<Media, Untranslatable> {
    match Media::from_url(url) {
        Some(media) => Ok(media),
        None => refuse(path, "A data URL has to be in base64: data:image/png;base64,…"),
    }
}

fn file(path: &str, mut piece: Members) -> Result<Part, Untranslatable> {
    let name = piece.text("filename");
    if let Some(data) = piece.text("file_data") {
        let media = if data.starts_with("data:") {
            from_url(&format!("{path}.file_data"), data)?
        } else {
            Media::Base64 { media_type: "application/pdf".to_owned(), data }
        };
        return Ok(Part::File { media, name });
    }
    match piece.text("file_url") {
        Some(url) => Ok(Part::File { media: from_url(&format!("{path}.file_url"), url)?, name }),
        None => refuse(format!("{path}.file_id"), FILE_ID),
    }
}

fn audio(mut audio: Members) -> Media {
    let format = audio.text("format").unwrap_or_else(|| "wav".to_owned());
    Media::Base64 { media_type: format!("audio/{format}"), data: audio.text("data").unwrap_or_default() }
}
