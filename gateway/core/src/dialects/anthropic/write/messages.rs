//! Writes the system prompt and the messages of a request.
//! <https://platform.claude.com/docs/en/api/messages/create#body-messages>

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::neutral::cache::MEMBER;
use crate::neutral::json::{arguments, from_members, text};
use crate::neutral::media::text_of;
use crate::neutral::turns;
use crate::neutral::{CacheFor, Media, Message, Part, ReasoningPart, Role, Seal, ToolCall, Untranslatable, Warnings};
use crate::profile::{NO_REASONING, Profile};

/// The member `system` and the conversation.
pub(super) fn write(
    mut system: Vec<Part>,
    mut messages: Vec<Message>,
    profile: &Profile,
    warnings: &mut Warnings,
) -> Result<(Option<Value>, Vec<Value>), Untranslatable> {
    if messages.is_empty() && !system.is_empty() {
        // A request needs a message, and a system prompt alone means the same as one.
        warnings.changed("system to a user message");
        messages.push(Message { role: Role::User, parts: std::mem::take(&mut system) });
    }
    turns::drop_media_of_model(&mut messages, warnings);
    turns::system_to_user(&mut messages, warnings);
    for message in messages.iter_mut().filter(|message| message.role == Role::Assistant) {
        trim_end(&mut message.parts);
    }
    if !profile.prefill {
        turns::end_with_user(&mut messages, warnings);
    }
    let messages = turns::merge(messages);
    let calls = turns::with_calls(&messages);
    let mut written = Vec::with_capacity(messages.len());
    for (Message { role, parts }, calls) in messages.into_iter().zip(calls) {
        let role = if role == Role::Assistant { "assistant" } else { "user" };
        let mut content = blocks(parts, "messages", profile)?;
        if content.is_empty() {
            continue;
        }
        let is_reasoning = |block: &Value| text(block, "type") == Some("thinking");
        if calls && profile.needs_reasoning && role == "assistant" && !content.iter().any(is_reasoning) {
            content.insert(0, unsigned_reasoning(NO_REASONING.to_owned()));
        }
        if written.is_empty() && role == "assistant" {
            // Bedrock and relays refuse a conversation that begins with the model.
            written.push(from_members([("role", "user".into()), ("content", turns::BEGINNING.into())]));
        }
        written.push(from_members([("role", role.into()), ("content", lone_text(content))]));
    }
    let system = blocks(system, "system", profile)?;
    Ok(((!system.is_empty()).then(|| lone_text(system)), written))
}

/// Removes white space at the end, since Anthropic refuses to continue a text that ends in it. This is done in every turn
/// of the model, so that each stays the same when others follow.
fn trim_end(parts: &mut [Part]) {
    let last = parts.iter_mut().rev().find(|part| !matches!(part, Part::CacheMark(_)));
    if let Some(Part::Text(text)) = last {
        text.truncate(text.trim_end().len());
    }
}

/// Writes a single block of text as a string, as people do.
fn lone_text(mut blocks: Vec<Value>) -> Value {
    match blocks.as_mut_slice() {
        [Value::Object(block)] if block.len() == 2 && block.get("type").is_some_and(|kind| kind == "text") => {
            block.get_mut("text").map(Value::take).unwrap_or_default()
        }
        _ => blocks.into(),
    }
}

fn blocks(parts: Vec<Part>, path: &str, profile: &Profile) -> Result<Vec<Value>, Untranslatable> {
    let mut blocks = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::CacheMark(cache) => mark(blocks.last_mut(), cache),
            part => blocks.extend(block(part, path, profile)?),
        }
    }
    Ok(blocks)
}

/// Adds a mark. Reasoning cannot have one.
fn mark(block: Option<&mut Value>, cache: CacheFor) {
    let block = block.filter(|block| text(block, "type").is_some_and(|kind| !kind.ends_with("thinking")));
    if let Some(members) = block.and_then(Value::as_object_mut) {
        members.insert(MEMBER.to_owned(), cache.write());
    }
}

/// A block; `None` if Anthropic has no such block and nothing is lost without it.
fn block(part: Part, path: &str, profile: &Profile) -> Result<Option<Value>, Untranslatable> {
    Ok(Some(match part {
        Part::Text(text) | Part::Refusal(text) => {
            if text.trim().is_empty() {
                return Ok(None);
            }
            from_members([("type", "text".into()), ("text", text.into())])
        }
        Part::Image { media, .. } => from_members([("type", "image".into()), ("source", source(media))]),
        Part::File { media, name } => document(media, name, path)?,
        Part::Audio(_) => {
            let message = "The provider's dialect takes no recordings. Send text, or use a model whose providers do.";
            return Err(Untranslatable::new(path, message));
        }
        Part::ToolCall(call) => tool_use(call),
        Part::ToolResult(result) => {
            let mut written = vec![("type", "tool_result".into()), ("tool_use_id", result.id.into())];
            let content = blocks(result.parts, path, profile)?;
            if !content.is_empty() {
                written.push(("content", lone_text(content)));
            }
            if result.is_error {
                written.push(("is_error", true.into()));
            }
            written.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        }
        Part::Reasoning(reasoning) => return Ok(reasoning_block(reasoning, profile)),
        Part::CacheMark(_) => return Ok(None),
    }))
}

/// Reasoning. Claude refuses reasoning with a foreign seal, and loses nothing without it.
fn reasoning_block(reasoning: ReasoningPart, profile: &Profile) -> Option<Value> {
    let own = |seal: Option<Seal>| seal?.for_provider(Dialect::Anthropic);
    if let Some(data) = own(reasoning.sealed) {
        return Some(json!({ "type": "redacted_thinking", "data": data }));
    }
    match own(reasoning.signature) {
        Some(signature) => Some(json!({ "type": "thinking", "thinking": reasoning.text, "signature": signature })),
        None if profile.reads_reasoning && !reasoning.text.is_empty() => Some(unsigned_reasoning(reasoning.text)),
        None => None,
    }
}

/// Reasoning without a seal. The member `signature` is required, but DeepSeek and Kimi do not check it.
fn unsigned_reasoning(text: String) -> Value {
    json!({ "type": "thinking", "thinking": text, "signature": "" })
}

fn tool_use(call: ToolCall) -> Value {
    from_members([
        ("type", "tool_use".into()),
        ("id", call.id.into()),
        ("name", call.name.into()),
        ("input", arguments(&call.arguments)),
    ])
}

fn source(media: Media) -> Value {
    match media {
        Media::Url { url, .. } => from_members([("type", "url".into()), ("url", url.into())]),
        Media::Base64 { media_type, data } => from_members([
            ("type", "base64".into()),
            // Browsers use a name that is not the registered one.
            ("media_type", if media_type == "image/jpg" { "image/jpeg".into() } else { media_type.into() }),
            ("data", data.into()),
        ]),
    }
}

/// <https://platform.claude.com/docs/en/build-with-claude/pdf-support>
fn document(media: Media, name: Option<String>, path: &str) -> Result<Value, Untranslatable> {
    let source = match media {
        Media::Base64 { media_type, data } if media_type.starts_with("text/") => {
            let text = text_of(&data)
                .ok_or_else(|| Untranslatable::new(path, "This document is not base64 of UTF-8 text."))?;
            from_members([("type", "text".into()), ("media_type", "text/plain".into()), ("data", text.into())])
        }
        Media::Base64 { media_type, .. } if media_type != "application/pdf" => {
            let message = format!("The provider's dialect takes PDF and text documents, not {media_type}.");
            return Err(Untranslatable::new(path, message));
        }
        media => source(media),
    };
    let mut written = from_members([("type", "document".into()), ("source", source)]);
    if let Some(name) = name {
        written["title"] = name.into();
    }
    Ok(written)
}
