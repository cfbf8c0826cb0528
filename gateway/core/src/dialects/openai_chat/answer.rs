//! Whole answers: <https://platform.openai.com/docs/api-reference/chat/object>.

use serde_json::{Value, json};

use super::{calls, finish, reasoning, usage};
use crate::dialect::Dialect;
use crate::neutral::AnswerContext;
use crate::neutral::json::{from_members, object, take_list, take_object, take_text, text};
use crate::neutral::{Answer, Choice, Finish, Media, Object, Part, ReasoningPart};

/// A whole answer of this dialect in the neutral form; `None` where the body holds none.
pub(super) fn read_answer(body: Value) -> Option<Answer> {
    let mut body = object(body, "").ok()?;
    let choices = take_list(&mut body, "choices")?;
    let choices: Vec<Choice> = choices.into_iter().filter_map(read_choice).collect();
    if choices.is_empty() {
        return None;
    }
    Some(Answer {
        id: take_text(&mut body, "id").filter(|id| !id.is_empty()),
        model: take_text(&mut body, "model"),
        choices,
        usage: body.get("usage").map(|usage| Dialect::OpenaiChat.usage(usage)).unwrap_or_default(),
    })
}

/// A choice; `None` where it is none, or one that the provider broke off.
fn read_choice(choice: Value) -> Option<Choice> {
    let mut choice = object(choice, "").ok()?;
    let mut message = take_object(&mut choice, "message")?;
    let mut parts: Vec<Part> = reasoning::take(&mut message).into_iter().map(Part::Reasoning).collect();
    match message.get_mut("content").map(Value::take) {
        Some(Value::String(text)) if !text.is_empty() => parts.push(Part::Text(text)),
        Some(Value::Array(items)) => parts.extend(items.iter().flat_map(content_parts)),
        _ => {}
    }
    parts.extend(take_text(&mut message, "refusal").filter(|text| !text.is_empty()).map(Part::Refusal));
    parts.extend(pictures(&mut message));
    let listed = take_list(&mut message, "tool_calls").unwrap_or_default();
    let legacy = message.get("function_call").and_then(calls::read_function);
    parts.extend(listed.iter().filter_map(calls::read).chain(legacy).map(Part::ToolCall));
    let calls_tools = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = finish::read(text(&Value::Object(choice), "finish_reason").unwrap_or_default()).ok()?;
    Some(Choice { parts, finish: correct(finish, calls_tools) })
}

/// Pictures the model made, as OpenRouter gives them, in a message or a delta.
/// <https://openrouter.ai/docs/features/multimodal/image-generation>
pub(super) fn pictures(message: &mut Object) -> impl Iterator<Item = Part> {
    take_list(message, "images").unwrap_or_default().into_iter().filter_map(|image| {
        let mut image = object(image, "").ok()?;
        let url = take_text(&mut take_object(&mut image, "image_url")?, "url")?;
        Some(match Media::from_url(url)? {
            media @ Media::Base64 { .. } => Part::Image { media, detail: None },
            media @ Media::Url { .. } => Part::Text(media.in_words()),
        })
    })
}

/// See [`pictures`].
pub(super) fn write_picture(media: Media) -> Value {
    from_members([("type", "image_url".into()), ("image_url", from_members([("url", media.into_url().into())]))])
}

/// Several providers leave the reason out although the model calls tools.
pub(super) fn correct(finish: Option<Finish>, calls_tools: bool) -> Option<Finish> {
    finish.or(calls_tools.then_some(Finish::ToolCalls)).map(|finish| finish.of(calls_tools))
}

/// Content as a list, which Mistral's reasoning models use: <https://docs.mistral.ai/capabilities/reasoning/>.
pub(super) fn content_parts(item: &Value) -> Vec<Part> {
    let words = || text(item, "text").filter(|text| !text.is_empty()).map(str::to_owned);
    match text(item, "type") {
        Some("thinking") => vec![Part::Reasoning(reasoning_of(item.get("thinking")))],
        Some("text" | "output_text") | None => words().map(Part::Text).into_iter().collect(),
        Some("refusal") => text(item, "refusal").map(|text| Part::Refusal(text.to_owned())).into_iter().collect(),
        Some(_) => Vec::new(),
    }
}

/// A part of content with the reasoning of Mistral's models: a list of texts, or one text.
pub(super) fn reasoning_of(value: Option<&Value>) -> ReasoningPart {
    let listed = value.and_then(Value::as_array).into_iter().flatten().filter_map(|part| text(part, "text"));
    let text = value.and_then(Value::as_str).into_iter().chain(listed).collect();
    ReasoningPart { text, ..ReasoningPart::default() }
}

/// A whole answer in this dialect.
pub(super) fn write_answer(answer: Answer, context: &AnswerContext) -> Value {
    let choices: Vec<Value> =
        answer.choices.into_iter().enumerate().map(|(index, choice)| write_choice(index, choice, context)).collect();
    let mut written = json!({
        "id": answer.id.unwrap_or_else(|| context.id.clone()),
        "object": "chat.completion",
        "created": context.created_s,
        "model": context.model,
    });
    written["choices"] = choices.into();
    if !answer.usage.is_unknown() {
        written["usage"] = usage::write(&answer.usage);
    }
    written
}

fn write_choice(index: usize, choice: Choice, context: &AnswerContext) -> Value {
    let (mut content, mut refused) = (String::new(), String::new());
    let (mut reasoning, mut tools, mut pictures) = (Vec::new(), Vec::new(), Vec::new());
    for part in choice.parts {
        match part {
            Part::Text(text) => content.push_str(&text),
            Part::Refusal(text) => refused.push_str(&text),
            Part::Reasoning(part) => reasoning.push(part),
            Part::ToolCall(call) => tools.push(call),
            Part::Image { media, .. } => pictures.push(write_picture(media)),
            // An answer of this dialect has no place for them.
            Part::File { .. } | Part::Audio(_) | Part::ToolResult(_) | Part::CacheMark(_) => {}
        }
    }
    let or_null = |text: String| if text.is_empty() { Value::Null } else { text.into() };
    let finish = choice.finish.unwrap_or(Finish::Stop);
    let mut message = Object::new();
    message.insert("role".to_owned(), "assistant".into());
    let is_silent = tools.is_empty() && refused.is_empty();
    // Clients read `content` as text unless there is something in its place.
    message.insert("content".to_owned(), if is_silent { content.into() } else { or_null(content) });
    message.insert("refusal".to_owned(), or_null(refused));
    if !pictures.is_empty() {
        message.insert("images".to_owned(), pictures.into());
    }
    reasoning::write(reasoning, &mut message);
    calls::write_all(tools, context.legacy_functions, &mut message);
    let finish = finish::write(&finish, context.legacy_functions);
    json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish })
}
