//! Callers and providers of all four dialects: what each says, asks and answers when somebody says hello. Every answer is
//! `one` and used one and seven tokens.

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, TOKEN, chat, streamed_chat};
use crate::upstream::{Upstream, completion, event, last_events};

/// Their names.
pub(crate) const DIALECTS: [&str; 4] = ["openai-chat", "anthropic", "openai-responses", "gemini"];

/// A call of a model in each dialect.
pub(crate) fn calls(model: &str, streamed: bool) -> [(&'static str, Request); 4] {
    let post = |path: &str, body: Value| Request::new("POST", path).key(TOKEN).json(body.to_string());
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let contents = json!([{ "role": "user", "parts": [{ "text": "Hi" }] }]);
    let how = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let anthropic = json!({ "model": model, "max_tokens": 9, "stream": streamed, "messages": messages });
    let responses = json!({ "model": model, "input": "Hi", "stream": streamed });
    [
        ("openai-chat", if streamed { streamed_chat(model) } else { chat(model) }),
        ("anthropic", post("/v1/messages", anthropic)),
        ("openai-responses", post("/v1/responses", responses)),
        ("gemini", post(&format!("/v1beta/models/{model}:{how}"), json!({ "contents": contents }))),
    ]
}

/// A gateway with a model `m0`, `m1`, … for each of these providers of a dialect.
pub(crate) fn gateway(host: Host, providers: &[(&str, Upstream)]) -> Gateway {
    let mut gateway = Gateway::on(host);
    for (number, (dialect, upstream)) in providers.iter().enumerate() {
        let base_url = format!("{}/v1", upstream.url());
        gateway = gateway.catalog(&format!(
            "[[providers]]\nname = \"a{number}\"\nlocal = true\ndialect = \"{dialect}\"\nbase_url = \"{base_url}\"\n"
        ));
        gateway = gateway.model(&format!("m{number}"), &[&format!("a{number}/up")]);
    }
    gateway.start()
}

/// A provider's streamed answer.
pub(crate) fn stream(dialect: &str) -> String {
    match dialect {
        "anthropic" => named(&[
            json!({ "type": "message_start", "message": { "id": "1", "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "one" } }),
            json!({ "type": "content_block_stop", "index": 0 }),
            json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 7 } }),
            json!({ "type": "message_stop" }),
        ]),
        "openai-responses" => named(&[
            json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress", "output": [] } }),
            json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "one" }),
            json!({ "type": "response.completed", "response": response() }),
        ]),
        "gemini" => {
            let first =
                json!({ "candidates": [{ "index": 0, "content": { "role": "model", "parts": [{ "text": "one" }] } }] });
            format!("data: {first}\n\ndata: {}\n\n", generated(""))
        }
        _ => format!("{}{}", event("one"), last_events()),
    }
}

/// A provider's whole answer.
pub(crate) fn answer(dialect: &str) -> String {
    match dialect {
        "anthropic" => json!({ "id": "1", "type": "message", "role": "assistant", "model": "up",
            "content": [{ "type": "text", "text": "one" }], "stop_reason": "end_turn",
            "usage": { "input_tokens": 1, "output_tokens": 7 } })
        .to_string(),
        "openai-responses" => response().to_string(),
        "gemini" => generated("one").to_string(),
        _ => completion("one"),
    }
}

/// What an answer, whole or in events, says.
pub(crate) fn text_of(dialect: &str, text: &str) -> String {
    let documents: Vec<Value> = match serde_json::from_str(text) {
        Ok(whole) => vec![whole],
        Err(_) => text
            .lines()
            .filter_map(|line| line.strip_prefix("data: ").filter(|data| *data != "[DONE]"))
            .map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}")))
            .collect(),
    };
    let places: &[&str] = match dialect {
        "anthropic" => &["/content/0/text", "/delta/text"],
        "openai-responses" => &["/output/0/content/0/text", "/delta"],
        "gemini" => &["/candidates/0/content/parts/0/text"],
        _ => &["/choices/0/message/content", "/choices/0/delta/content"],
    };
    let words =
        documents.iter().flat_map(|document| places.iter().filter_map(|place| document.pointer(place)?.as_str()));
    words.collect()
}

fn named(events: &[Value]) -> String {
    let written =
        events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type")));
    written.collect()
}

fn response() -> Value {
    let item = json!({ "type": "message", "id": "m", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": "one", "annotations": [] }] });
    let usage = json!({ "input_tokens": 1, "output_tokens": 7, "total_tokens": 8 });
    json!({ "id": "r", "object": "response", "status": "completed", "error": null, "output": [item], "usage": usage })
}

fn generated(text: &str) -> Value {
    let content = json!({ "role": "model", "parts": [{ "text": text }] });
    json!({ "candidates": [{ "index": 0, "content": content, "finishReason": "STOP" }],
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 7, "totalTokenCount": 8 } })
}
