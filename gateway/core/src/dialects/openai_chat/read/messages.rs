//! Reads the messages of a request.

use std::collections::HashMap;

use serde_json::Value;

use crate::dialects::openai_chat::answer::reasoning_of;
use crate::dialects::openai_chat::{calls, reasoning};
use crate::neutral::json::{object, take_list, take_object, take_text, text};
use crate::neutral::{CacheFor, Media, Message, Object, Part, Request, Role, ToolResult, Untranslatable, Warnings};

/// Fills the system prompt and the conversation.
pub(super) fn read(messages: Vec<Value>, request: &mut Request, warnings: &mut Warnings) -> Result<(), Untranslatable> {
    let mut legacy_calls: HashMap<String, String> = HashMap::new();
    for (at, message) in messages.into_iter().enumerate() {
        let path = format!("messages[{at}]");
        let mut message = object(message, &path)?;
        let role = take_text(&mut message, "role").unwrap_or_default();
        if message.get("name").is_some_and(|name| !name.is_null()) && role != "function" {
            warnings.dropped("messages[].name");
        }
        let (role, parts) = match role.as_str() {
            "system" | "developer" => {
                let parts = content_without_reasoning(&mut message, &path)?;
                if request.messages.is_empty() {
                    request.system.extend(parts);
                    continue;
                }
                (Role::System, parts)
            }
            "user" => (Role::User, content_without_reasoning(&mut message, &path)?),
            "assistant" => (Role::Assistant, assistant(message, &path, at, &mut legacy_calls, warnings)?),
            "tool" | "function" => {
                let mut parts = content_without_reasoning(&mut message, &path)?;
                let mark = parts.extract_if(.., |part| matches!(part, Part::CacheMark(_))).last();
                let name = take_text(&mut message, "name");
                let id = take_text(&mut message, "tool_call_id");
                let id = id.or_else(|| legacy_calls.remove(name.as_deref()?)).unwrap_or_else(|| legacy_id(at));
                let result = Part::ToolResult(ToolResult { id, name, parts, is_error: false });
                (Role::User, [result].into_iter().chain(mark).collect())
            }
            _ => {
                let reason = "Roles are system, developer, user, assistant, tool and function.";
                return Err(Untranslatable::new(format!("{path}.role"), reason));
            }
        };
        request.messages.push(Message { role, parts });
    }
    Ok(())
}

fn legacy_id(at: usize) -> String {
    format!("call_{at}")
}

fn assistant(
    mut message: Object,
    path: &str,
    at: usize,
    legacy_calls: &mut HashMap<String, String>,
    warnings: &mut Warnings,
) -> Result<Vec<Part>, Untranslatable> {
    let mut parts: Vec<Part> = reasoning::take(&mut message).into_iter().map(Part::Reasoning).collect();
    parts.extend(content(&mut message, path)?);
    parts.extend(take_text(&mut message, "refusal").map(Part::Refusal));
    for (name, member) in [("audio", "messages[].audio"), ("images", "messages[].images")] {
        if message.get(name).is_some_and(|media| !media.is_null()) {
            warnings.dropped(member);
        }
    }
    for (number, call) in take_list(&mut message, "tool_calls").unwrap_or_default().iter().enumerate() {
        let Some(mut call) = calls::read(call) else {
            let reason = "Only calls of functions can be carried to a provider of another dialect.";
            return Err(Untranslatable::new(format!("{path}.tool_calls[{number}]"), reason));
        };
        if call.id.is_empty() {
            call.id = format!("call_{at}_{number}");
        }
        parts.push(Part::ToolCall(call));
    }
    let legacy = message.get("function_call").and_then(calls::read_function);
    if let Some(mut call) = legacy {
        call.id = legacy_id(at);
        legacy_calls.insert(call.name.clone(), call.id.clone());
        parts.push(Part::ToolCall(call));
    }
    Ok(parts)
}

/// The content of a message that is not the model's and so holds no reasoning.
fn content_without_reasoning(message: &mut Object, path: &str) -> Result<Vec<Part>, Untranslatable> {
    let mut parts = content(message, path)?;
    parts.retain(|part| !matches!(part, Part::Reasoning(_)));
    Ok(parts)
}

/// The content of a message: text, or a list of parts. Anthropic's marks of what to keep stand on parts, as OpenRouter has
/// it, or on the message, as LiteLLM does.
/// <https://openrouter.ai/docs/guides/best-practices/prompt-caching>, <https://docs.litellm.ai/docs/completion/prompt_caching>
fn content(message: &mut Object, path: &str) -> Result<Vec<Part>, Untranslatable> {
    let mut parts = unmarked_content(message, path)?;
    parts.extend(CacheFor::take(message).map(Part::CacheMark));
    Ok(parts)
}

fn unmarked_content(message: &mut Object, path: &str) -> Result<Vec<Part>, Untranslatable> {
    match message.get_mut("content").map(Value::take) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text(text)]),
        Some(Value::Array(items)) => {
            let mut parts = Vec::with_capacity(items.len());
            for (at, item) in items.into_iter().enumerate() {
                let path = format!("{path}.content[{at}]");
                let mut item = object(item, &path)?;
                let mark = CacheFor::take(&mut item).map(Part::CacheMark);
                parts.extend(part(item, &path)?.into_iter().chain(mark));
            }
            Ok(parts)
        }
        Some(_) => Err(Untranslatable::new(format!("{path}.content"), "Send text or a list of parts.")),
    }
}

/// One part of content. `None`: it says nothing that another dialect has a place for.
fn part(mut item: Object, path: &str) -> Result<Option<Part>, Untranslatable> {
    let kind = take_text(&mut item, "type").unwrap_or_default();
    let missing = |name: &str| Untranslatable::new(format!("{path}.{name}"), format!("`{name}` is missing here."));
    Ok(Some(match kind.as_str() {
        "text" | "input_text" | "output_text" => {
            take_text(&mut item, "text").map(Part::Text).ok_or_else(|| missing("text"))?
        }
        "refusal" => take_text(&mut item, "refusal").map(Part::Refusal).ok_or_else(|| missing("refusal"))?,
        "thinking" => Part::Reasoning(reasoning_of(item.get("thinking"))),
        // The sources of what Mistral's models say: <https://docs.mistral.ai/capabilities/citations/>.
        "reference" => return Ok(None),
        "image_url" => {
            let mut image = take_object(&mut item, "image_url").unwrap_or_default();
            let url = take_text(&mut item, "image_url").or_else(|| take_text(&mut image, "url"));
            let media = from_url(url.ok_or_else(|| missing("image_url"))?, path, "image_url")?;
            Part::Image { media, detail: take_text(&mut image, "detail") }
        }
        "input_audio" => audio(&mut item).ok_or_else(|| missing("input_audio"))?,
        "file" => file(take_object(&mut item, "file").ok_or_else(|| missing("file"))?, path)?,
        // Mistral's: <https://docs.mistral.ai/capabilities/document_ai/document_qna/>.
        "document_url" => {
            let name = take_text(&mut item, "document_name");
            let url = take_text(&mut item, "document_url").ok_or_else(|| missing("document_url"))?;
            Part::File { media: from_url(url, path, "document_url")?, name }
        }
        _ => {
            let message =
                format!("A part of type {kind:?} cannot be carried to a provider of another dialect. Leave it out.");
            return Err(Untranslatable::new(format!("{path}.type"), message));
        }
    }))
}

/// OpenAI writes an object, Mistral the recording itself or its address.
fn audio(item: &mut Object) -> Option<Part> {
    if let Some(data) = take_text(item, "input_audio") {
        let is_url = data.starts_with("https://") || data.starts_with("data:");
        let inline = |data| Media::Base64 { media_type: "audio/mpeg".to_owned(), data };
        return Some(Part::Audio(if is_url { Media::from_url(data)? } else { inline(data) }));
    }
    let mut audio = take_object(item, "input_audio")?;
    let data = take_text(&mut audio, "data")?;
    let media_type = match audio.get("format").and_then(Value::as_str) {
        Some("mp3") => "audio/mpeg".to_owned(),
        format => format!("audio/{}", format.unwrap_or("wav")),
    };
    Some(Part::Audio(Media::Base64 { media_type, data }))
}

fn from_url(url: String, path: &str, name: &str) -> Result<Media, Untranslatable> {
    Media::from_url(url).ok_or_else(|| not_base64(path, name))
}

fn file(mut file: Object, path: &str) -> Result<Part, Untranslatable> {
    let name = take_text(&mut file, "filename");
    let Some(data) = take_text(&mut file, "file_data") else {
        let message = "A file is known by its id only to the provider it was uploaded to. Send `file_data` instead.";
        return Err(Untranslatable::new(format!("{path}.file"), message));
    };
    let media = if data.starts_with("data:") {
        from_url(data, path, "file.file_data")?
    } else {
        // The documentation asks for a data URL; some clients leave its head out.
        Media::Base64 { media_type: "application/pdf".to_owned(), data }
    };
    Ok(Part::File { media, name })
}

fn not_base64(path: &str, name: &str) -> Untranslatable {
    Untranslatable::new(format!("{path}.{name}"), "Write the data URL in base64: data:image/png;base64,…")
}

/// The tool's name a choice such as `{"type":"function","function":{"name":…}}` holds.
pub(super) fn function_name(choice: &Value) -> Option<&str> {
    text(choice.get("function")?, "name")
}
