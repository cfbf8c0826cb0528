//! Reads the system prompt and the messages of a request.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::dialects::anthropic::seals;
use crate::neutral::json::{arguments_text, object, take_flag, take_object, take_text};
use crate::neutral::media::text_of;
use crate::neutral::{
    CacheFor, Media, Message, Object, Part, ReasoningPart, Role, Seal, ToolCall, ToolResult, Untranslatable, Warnings,
};

/// Claude Code puts this before its system prompt for Anthropic's billing. It changes with every request, and would
/// keep other providers from caching what follows.
const BILLING: &str = "x-anthropic-billing-header:";

/// `system`: text, or a list of texts.
pub(super) fn system(system: Value, warnings: &mut Warnings) -> Result<Vec<Part>, Untranslatable> {
    let mut parts = content(system, "system", warnings)?;
    parts.retain(|part| !matches!(part, Part::Text(text) if text.starts_with(BILLING)));
    Ok(parts)
}

/// The conversation.
pub(super) fn messages(messages: Vec<Value>, warnings: &mut Warnings) -> Result<Vec<Message>, Untranslatable> {
    let mut read = Vec::with_capacity(messages.len());
    for (at, message) in messages.into_iter().enumerate() {
        let path = format!("messages[{at}]");
        let mut message = object(message, &path)?;
        let role = match take_text(&mut message, "role").as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => return Err(Untranslatable::new(format!("{path}.role"), "Roles are user, assistant and system.")),
        };
        let value = message.shift_remove("content").unwrap_or_default();
        let parts = seals::read(content(value, &format!("{path}.content"), warnings)?);
        read.push(Message { role, parts });
    }
    Ok(read)
}

fn content(value: Value, path: &str, warnings: &mut Warnings) -> Result<Vec<Part>, Untranslatable> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::Text(text)]),
        Value::Array(blocks) => {
            let mut parts = Vec::with_capacity(blocks.len());
            for (at, item) in blocks.into_iter().enumerate() {
                let path = format!("{path}[{at}]");
                let mut item = object(item, &path)?;
                let mark = CacheFor::take(&mut item).map(Part::CacheMark);
                parts.extend(block(item, &path, warnings)?.into_iter().chain(mark));
            }
            Ok(parts)
        }
        _ => Err(Untranslatable::new(path, "Send text or a list of blocks.")),
    }
}

/// One block of content; `None` if it cannot be translated, which was reported.
fn block(mut block: Object, path: &str, warnings: &mut Warnings) -> Result<Option<Part>, Untranslatable> {
    let kind = take_text(&mut block, "type").unwrap_or_default();
    let text = |block: &mut Object, name: &str| take_text(block, name).unwrap_or_default();
    Ok(Some(match kind.as_str() {
        "text" => Part::Text(text(&mut block, "text")),
        "image" => Part::Image { media: image(block, path)?, detail: None },
        "document" => return document(block, path, warnings),
        "search_result" => return search_result(block, path, warnings),
        "tool_use" => Part::ToolCall(tool_use(block)),
        "tool_result" => {
            let id = text(&mut block, "tool_use_id");
            let is_error = take_flag(&mut block, "is_error").unwrap_or(false);
            let value = block.shift_remove("content").unwrap_or_default();
            let mut parts = content(value, &format!("{path}.content"), warnings)?;
            // Only the block itself can have marks.
            parts.retain(|part| !matches!(part, Part::CacheMark(_)));
            Part::ToolResult(ToolResult { id, name: None, parts, is_error })
        }
        "thinking" => Part::Reasoning(ReasoningPart {
            text: text(&mut block, "thinking"),
            signature: Seal::read(Dialect::Anthropic, text(&mut block, "signature")),
            sealed: None,
        }),
        "redacted_thinking" => Part::Reasoning(ReasoningPart {
            sealed: Seal::read(Dialect::Anthropic, text(&mut block, "data")),
            ..ReasoningPart::default()
        }),
        // The result of a search for tools; the tools themselves are in `tools`.
        // <https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool>
        "tool_reference" => Part::Text(format!("The tool {} is available.", text(&mut block, "tool_name"))),
        "container_upload" => return Err(unknown_file(path)),
        _ => {
            // Anthropic's own tools (`server_tool_use` and its results) and blocks that are newer than this.
            warnings.dropped(&format!("block {kind}"));
            return Ok(None);
        }
    }))
}

/// A call as it stands in a message or an answer.
pub(in crate::dialects::anthropic) fn tool_use(mut block: Object) -> ToolCall {
    let input = block.shift_remove("input").filter(|input| !input.is_null());
    ToolCall {
        id: take_text(&mut block, "id").unwrap_or_default(),
        name: take_text(&mut block, "name").unwrap_or_default(),
        arguments: input.map_or_else(|| "{}".to_owned(), arguments_text),
        signature: None,
    }
}

fn image(mut block: Object, path: &str) -> Result<Media, Untranslatable> {
    let mut source = take_object(&mut block, "source").unwrap_or_default();
    media(&mut source).ok_or_else(|| unknown_file(path))
}

fn media(source: &mut Object) -> Option<Media> {
    match take_text(source, "type").as_deref() {
        Some("base64") => {
            let media_type = take_text(source, "media_type")?;
            Some(Media::Base64 { media_type, data: take_text(source, "data")? })
        }
        Some("url") => Some(Media::Url { url: take_text(source, "url")?, media_type: None }),
        _ => None,
    }
}

/// <https://platform.claude.com/docs/en/build-with-claude/pdf-support>; plain text and content become text.
fn document(mut block: Object, path: &str, warnings: &mut Warnings) -> Result<Option<Part>, Untranslatable> {
    let mut source = take_object(&mut block, "source").unwrap_or_default();
    let name = take_text(&mut block, "title");
    match source.get("type").and_then(Value::as_str) {
        Some("text") => {
            let text = take_text(&mut source, "data").unwrap_or_default();
            Ok(Some(titled(name, text)))
        }
        Some("content") => {
            let value = source.shift_remove("content").unwrap_or_default();
            let parts = content(value, &format!("{path}.source.content"), warnings)?;
            Ok(Some(titled(name, joined(parts, warnings))))
        }
        Some("url") => {
            let url = take_text(&mut source, "url").ok_or_else(|| unknown_file(path))?;
            let media = Media::Url { url, media_type: Some("application/pdf".to_owned()) };
            Ok(Some(Part::File { media, name }))
        }
        _ => match media(&mut source).ok_or_else(|| unknown_file(path))? {
            Media::Base64 { media_type, data } if media_type.starts_with("text/") => {
                let text = text_of(&data)
                    .ok_or_else(|| Untranslatable::new(path, "This document is not base64 of UTF-8 text."))?;
                Ok(Some(titled(name, text)))
            }
            media => Ok(Some(Part::File { media, name })),
        },
    }
}

/// <https://platform.claude.com/docs/en/build-with-claude/search-results>
fn search_result(mut block: Object, path: &str, warnings: &mut Warnings) -> Result<Option<Part>, Untranslatable> {
    let names = [take_text(&mut block, "title"), take_text(&mut block, "source")];
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let value = block.shift_remove("content").unwrap_or_default();
    let parts = content(value, &format!("{path}.content"), warnings)?;
    Ok(Some(titled(Some(name), joined(parts, warnings))))
}

fn titled(title: Option<String>, text: String) -> Part {
    Part::Text(match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("{title}\n\n{text}"),
        None => text,
    })
}

fn joined(parts: Vec<Part>, warnings: &mut Warnings) -> String {
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => texts.push(text),
            Part::CacheMark(_) => {}
            _ => warnings.dropped("media inside a document"),
        }
    }
    texts.join("\n")
}

fn unknown_file(path: &str) -> Untranslatable {
    let message = "A file is known by its id only to the provider it was uploaded to. Send it in base64 or as a URL.";
    Untranslatable::new(path, message)
}
