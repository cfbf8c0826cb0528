//! Writes the messages of a request. Text alone is written as a string and not as a list of parts, which several
//! providers of this dialect do not read.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::dialects::openai_chat::{calls, reasoning};
use crate::neutral::cache;
use crate::neutral::json::from_members;
use crate::neutral::turns;
use crate::neutral::{
    Media, Message, Object, Part, ReasoningPart, Role, ToolCall, ToolResult, Untranslatable, Warnings,
};
use crate::profile::{CacheMarks, Profile};

/// The system prompt and the conversation.
pub(super) fn write(
    system: Vec<Part>,
    mut messages: Vec<Message>,
    profile: &Profile,
    warnings: &mut Warnings,
) -> Result<Vec<Value>, Untranslatable> {
    let mut written = Vec::new();
    // A mark may stand between two texts in one request and be gone in the next, so texts stay the same only if they
    // are kept apart.
    let joined = |between| (profile.cache_marks == CacheMarks::No).then_some(between);
    if !system.is_empty() {
        written.push(message("system", content(system, joined("\n\n"), "system")?));
    }
    turns::drop_media_of_model(&mut messages, warnings);
    if !profile.system_inside {
        turns::system_to_user(&mut messages, warnings);
        messages = turns::merge(messages);
    }
    let current_turn = turns::current_turn(&messages);
    let calls = turns::with_calls(&messages);
    for ((at, Message { role, parts }), calls) in messages.into_iter().enumerate().zip(calls) {
        match role {
            Role::System => written.push(message("system", content(parts, joined("\n\n"), "messages")?)),
            Role::User => user(parts, joined("\n"), &mut written, warnings)?,
            Role::Assistant => {
                let kept =
                    if calls || at >= current_turn { KeptReasoning::Whole { calls } } else { KeptReasoning::Nothing };
                written.extend(assistant(parts, kept, profile));
            }
        }
    }
    Ok(written)
}

/// One message for each result of a tool, which have to come first, and one for the rest.
fn user(
    parts: Vec<Part>,
    joined: Option<&str>,
    written: &mut Vec<Value>,
    warnings: &mut Warnings,
) -> Result<(), Untranslatable> {
    let mut shown = Vec::new();
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Part::ToolResult(result) => written.push(tool(result, &mut shown, warnings)),
            // OpenRouter refuses one on a tool's message: <https://github.com/NousResearch/hermes-agent/pull/2391>.
            Part::CacheMark(_) if rest.is_empty() => {}
            part => rest.push(part),
        }
    }
    shown.append(&mut rest);
    if !shown.is_empty() {
        written.push(message("user", content(shown, joined, "messages")?));
    }
    Ok(())
}

/// A tool's message holds text only: pictures and documents go into the user's message behind it.
/// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages>
fn tool(result: ToolResult, shown: &mut Vec<Part>, warnings: &mut Warnings) -> Value {
    let mut texts = Vec::new();
    let mut media = Vec::new();
    for part in result.parts {
        match part {
            Part::Text(text) => texts.push(text),
            part => media.push(part),
        }
    }
    if !media.is_empty() {
        warnings.changed("media of a tool result moved to a user message");
        texts.push("What the tool returned is attached to the next message.".to_owned());
        shown.push(Part::Text(format!("Returned by the tool call {}:", result.id)));
        shown.append(&mut media);
    }
    let mut text = texts.join("\n");
    let says_so = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
    if result.is_error && !says_so {
        text.insert_str(0, "Error: ");
    }
    from_members([("role", "tool".into()), ("tool_call_id", result.id.into()), ("content", text.into())])
}

/// Which reasoning is given back: that of the model's current turn and of turns in which it called tools. DeepSeek and
/// Moonshot ask for that, and nobody reads the rest. <https://api-docs.deepseek.com/guides/thinking_mode#tool-calls>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeptReasoning {
    Nothing,
    Whole { calls: bool },
}

/// What a model does not read is left out: strict providers refuse it.
fn assistant(parts: Vec<Part>, kept: KeptReasoning, profile: &Profile) -> Option<Value> {
    let mut texts: Vec<String> = Vec::new();
    let mut tool_calls: Vec<ToolCall> = Vec::new();
    let mut reasoning: Vec<ReasoningPart> = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) | Part::Refusal(text) if !text.is_empty() => texts.push(text),
            Part::ToolCall(mut call) => {
                call.signature = call.signature.filter(|seal| profile.call_seals && seal.by == Dialect::Gemini);
                tool_calls.push(call);
            }
            Part::Reasoning(part) => reasoning.push(part),
            _ => {}
        }
    }
    if texts.is_empty() && tool_calls.is_empty() {
        return None;
    }
    let mut message = Object::new();
    message.insert("role".to_owned(), "assistant".into());
    let text = if texts.is_empty() { Value::Null } else { texts.join("\n").into() };
    message.insert("content".to_owned(), text);
    if let KeptReasoning::Whole { calls } = kept {
        reasoning::write_for(profile, reasoning, calls, &mut message);
    }
    calls::write_all(tool_calls, false, &mut message);
    Some(Value::Object(message))
}

/// A string if there is nothing but text, with this between texts. `None`: several are not joined.
fn content(parts: Vec<Part>, joined: Option<&str>, path: &str) -> Result<Value, Untranslatable> {
    let between = if parts.len() > 1 { joined } else { Some("") };
    if let Some(between) = between.filter(|_| parts.iter().all(|part| matches!(part, Part::Text(_)))) {
        let texts = parts.into_iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        return Ok(texts.collect::<Vec<_>>().join(between).into());
    }
    let mut written: Vec<Value> = Vec::with_capacity(parts.len());
    for part in parts {
        match (part, written.last_mut()) {
            (Part::CacheMark(cache), Some(marked)) => marked[cache::MEMBER] = cache.write(),
            (Part::CacheMark(_), None) => {}
            (part, _) => written.push(content_part(part, path)?),
        }
    }
    Ok(written.into())
}

fn content_part(part: Part, path: &str) -> Result<Value, Untranslatable> {
    Ok(match part {
        Part::Text(text) | Part::Refusal(text) => from_members([("type", "text".into()), ("text", text.into())]),
        Part::Image { media, detail } => {
            let mut written = inner("image_url", [("url", media.into_url().into())]);
            if let Some(detail) = detail {
                written["image_url"]["detail"] = detail.into();
            }
            written
        }
        Part::File { media: media @ Media::Base64 { .. }, name } => {
            let name = name.unwrap_or_else(|| "document.pdf".to_owned());
            inner("file", [("filename", name.into()), ("file_data", media.into_url().into())])
        }
        Part::File { .. } => {
            let message = "The provider's dialect takes documents only inside the request. Send it in base64.";
            return Err(Untranslatable::new(path, message));
        }
        Part::Audio(Media::Base64 { media_type, data }) => {
            let format = match media_type.as_str() {
                "audio/mpeg" | "audio/mp3" => "mp3",
                "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
                _ => return Err(Untranslatable::new(path, "Send recordings as WAV or MP3.")),
            };
            inner("input_audio", [("data", data.into()), ("format", format.into())])
        }
        Part::Audio(Media::Url { .. }) => {
            let message = "The provider's dialect takes recordings only inside the request. Send it in base64.";
            return Err(Untranslatable::new(path, message));
        }
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) | Part::CacheMark(_) => {
            return Err(Untranslatable::new(path, "This part does not belong into a message of this role."));
        }
    })
}

fn message(role: &str, content: Value) -> Value {
    from_members([("role", role.into()), ("content", content)])
}

/// A part whose type is also the name of the member that holds it.
fn inner<const N: usize>(kind: &str, members: [(&str, Value); N]) -> Value {
    from_members([("type", kind.into()), (kind, from_members(members))])
}
