//! The built-in provider: it answers inside the gateway by repeating what it was told, so that llmio can be tried
//! before there is a provider. It behaves like a real one: streamed or not, with usage.

use serde_json::{Value, json};

use crate::call::Call;
use crate::dialect::Dialect;
use crate::headers;
use crate::operation::Operation;
use crate::reasoning_seals::Readable;
use crate::refusal::{Refusal, Reply, Shape};
use crate::scan::plain_length;
use crate::translate::{self, AnswerContext, Direction, Stream};

/// The largest body. An answer is made from all of it at once, and the demo is only for trying things out.
const BODY_BYTES_MAX: usize = 256 << 10;

/// The most that is repeated. Each word becomes an event: a book would be hundreds of megabytes of events.
const CHARACTERS_MAX: usize = 4096;

/// Whether the provider can answer such calls.
pub fn serves(operation: Operation) -> bool {
    operation.is_chat() || matches!(operation, Operation::Completions | Operation::Embeddings)
}

/// The answer to a call, in the caller's dialect. It contains `id` and `now_s` (Unix seconds) as a provider's answer
/// would.
pub fn answer(call: &Call, upstream_model: &str, id: &str, now_s: i64) -> Reply {
    let dialect = call.operation.dialect();
    let refuse = |refusal: Refusal| refusal.reply(Shape::Dialect(dialect), id);
    if call.body.len() > BODY_BYTES_MAX {
        let message = format!(
            "The built-in provider takes bodies of at most {} KiB. Enter a real provider for more.",
            BODY_BYTES_MAX >> 10
        );
        return refuse(Refusal { status: 413, ..Refusal::bad_request(message) });
    }
    let as_chat = Direction {
        from: dialect,
        to: Dialect::OpenaiChat,
        model: upstream_model,
        profile: upstream_model,
        streamed: call.streamed,
        readable: Readable::default(),
    };
    let translated = (call.operation.is_chat() && dialect != Dialect::OpenaiChat)
        .then(|| translate::request(as_chat, &call.body))
        .transpose();
    let translated = match translated {
        Ok(translated) => translated,
        Err(cannot) => return refuse(Refusal::bad_request(cannot.message)),
    };
    let head = Head { operation: call.operation, id, now_s, model: upstream_model };
    let Some(translated) = translated else { return of_openai(&head, call, &call.body, call.include_usage) };
    let reply = of_openai(&Head { operation: Operation::Chat, ..head }, call, &translated.body, true);
    let context = AnswerContext {
        model: call.model.clone(),
        id: id.to_owned(),
        created_s: now_s,
        aliases: translated.aliases,
        as_array: call.as_array,
        ..AnswerContext::default()
    };
    if !call.streamed {
        let body = translate::answer(Dialect::OpenaiChat, dialect, &context, &reply.body).unwrap_or_default();
        return Reply { body, ..reply };
    }
    let media_type = if call.as_array { "application/json" } else { "text/event-stream" };
    let mut stream = Stream::new(Dialect::OpenaiChat, dialect, context);
    let body = [stream.feed(&reply.body), stream.end()].concat();
    stream_reply(reply.status, media_type, body)
}

fn stream_reply(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    let mut reply = Reply::new(status, media_type, body);
    headers::unbuffered(&mut reply.headers);
    reply
}

/// The answer in OpenAI's dialect; `body` is the request in it.
fn of_openai(head: &Head<'_>, call: &Call, body: &[u8], include_usage: bool) -> Reply {
    let body_bytes = plain_length(&call.body);
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let prompt = match head.operation {
        Operation::Chat => last_user_text(&body),
        Operation::Embeddings => return embeddings(&body, body_bytes, head.model),
        _ => text_of(body.get("prompt").unwrap_or(&Value::Null)),
    };
    let text = format!("You said: {}", prompt.chars().take(CHARACTERS_MAX).collect::<String>());
    let usage = json!({
        "prompt_tokens": tokens(body_bytes),
        "completion_tokens": tokens(text.len()),
        "total_tokens": tokens(body_bytes) + tokens(text.len()),
    });
    if call.streamed {
        let usage = include_usage.then_some(&usage);
        return stream_reply(200, "text/event-stream", stream(head, &text, usage));
    }
    let choice = match head.operation {
        Operation::Chat => {
            json!({ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" })
        }
        _ => json!({ "index": 0, "text": text, "logprobs": null, "finish_reason": "stop" }),
    };
    Reply::json(200, &head.object(false, json!([choice]), Some(&usage)))
}

struct Head<'a> {
    operation: Operation,
    id: &'a str,
    now_s: i64,
    model: &'a str,
}

impl Head<'_> {
    fn object(&self, chunk: bool, choices: Value, usage: Option<&Value>) -> Value {
        let (prefix, object) = match (self.operation, chunk) {
            (Operation::Chat, false) => ("chatcmpl", "chat.completion"),
            (Operation::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
            _ => ("cmpl", "text_completion"),
        };
        let mut answer = json!({
            "id": format!("{prefix}-{}", self.id),
            "object": object,
            "created": self.now_s,
            "model": self.model,
            "choices": choices,
        });
        if let (Some(usage), Some(members)) = (usage, answer.as_object_mut()) {
            members.insert("usage".into(), usage.clone());
        }
        answer
    }

    fn event(&self, delta: &str, first: bool, finish: Option<&str>) -> String {
        let choice = match self.operation {
            Operation::Chat if finish.is_some() => json!({ "index": 0, "delta": {}, "finish_reason": finish }),
            Operation::Chat if first => {
                json!({ "index": 0, "delta": { "role": "assistant", "content": delta }, "finish_reason": null })
            }
            Operation::Chat => json!({ "index": 0, "delta": { "content": delta }, "finish_reason": null }),
            _ => json!({ "index": 0, "text": delta, "logprobs": null, "finish_reason": finish }),
        };
        format!("data: {}\n\n", self.object(true, json!([choice]), None))
    }
}

/// The stream: one event for each word, then the finish, the usage if it was asked for, and the end marker.
fn stream(head: &Head<'_>, text: &str, usage: Option<&Value>) -> String {
    let mut events = String::new();
    for (index, word) in text.split_inclusive(' ').enumerate() {
        events.push_str(&head.event(word, index == 0, None));
    }
    events.push_str(&head.event("", false, Some("stop")));
    if usage.is_some() {
        events.push_str(&format!("data: {}\n\n", head.object(true, json!([]), usage)));
    }
    events.push_str("data: [DONE]\n\n");
    events
}

/// A vector made of the text's bytes: equal texts have equal vectors, and different texts have different ones.
fn embeddings(body: &Value, body_bytes: usize, model: &str) -> Reply {
    let input = body.get("input").unwrap_or(&Value::Null);
    let texts: Vec<String> = match input {
        Value::Array(items) if items.iter().any(|item| item.is_string() || item.is_array()) => {
            items.iter().map(text_of).collect()
        }
        other => vec![text_of(other)],
    };
    let base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": vector(text, base64) }))
        .collect();
    let used = tokens(body_bytes);
    let usage = json!({ "prompt_tokens": used, "total_tokens": used });
    Reply::json(200, &json!({ "object": "list", "data": data, "model": model, "usage": usage }))
}

/// SDKs ask for base64 by default: little-endian 32-bit floats.
fn vector(text: &str, base64: bool) -> Value {
    use base64::Engine;
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    let numbers: Vec<f32> = digest.iter().map(|byte| f32::from(*byte) / 128.0 - 1.0).collect();
    if base64 {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        return base64::engine::general_purpose::STANDARD.encode(bytes).into();
    }
    numbers.into()
}

fn last_user_text(body: &Value) -> String {
    let messages = body.get("messages").and_then(Value::as_array);
    let from_user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let last = messages.and_then(|messages| messages.iter().rfind(from_user));
    text_of(last.and_then(|message| message.get("content")).unwrap_or(&Value::Null))
}

/// The text of a string, of content parts, or of a list of those.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "),
        Value::Object(part) => part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) => String::new(),
    }
}

/// An estimate of tokens: the usual four bytes for each.
fn tokens(bytes: usize) -> usize {
    bytes.div_ceil(4)
}

#[cfg(test)]
mod tests;
