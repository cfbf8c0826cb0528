//! Errors of providers that speak Responses, which come in events of a stream that began with 200.

use serde_json::{Value, json};

use crate::callers::{calls, gateway};
use crate::common::{Host, Request, TOKEN};
use crate::upstream::{Answer, Upstream};

both_hosts![
    an_error_before_any_content_is_judged_like_a_status,
    an_error_of_the_provider_before_any_content_keeps_its_words,
    an_error_of_a_whole_response_keeps_its_words,
    a_stream_that_has_its_head_begins_before_it_fails,
];

const TOO_LONG: &str = "Your input exceeds the context window of this model.";

fn stream(events: &[Value]) -> Answer {
    let created =
        json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress", "output": [] } });
    let written = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type"));
    Answer::stream().chunk(written(&created)).chunk(events.iter().map(written).collect::<String>()).end()
}

fn failed(code: &str, message: &str) -> Value {
    let error = json!({ "code": code, "message": message });
    json!({ "type": "response.failed", "response": { "id": "r", "status": "failed", "error": error, "output": [] } })
}

fn an_error_before_any_content_is_judged_like_a_status(host: Host) {
    let flat = json!({ "type": "error", "code": "context_length_exceeded", "message": TOO_LONG, "param": "input",
        "sequence_number": 1 });
    let mut done = failed("context_length_exceeded", TOO_LONG);
    done["type"] = "response.done".into();
    let answers = [failed("context_length_exceeded", TOO_LONG), flat, done];
    let providers = answers.map(|event| ("openai-responses", Upstream::answering(stream(&[event]))));
    let gateway = gateway(host, &providers);
    for number in 0..providers.len() {
        for (dialect, call) in calls(&format!("m{number}"), true) {
            let response = gateway.send(&call);
            assert_eq!(response.status, 400, "{number}, {dialect}: {}", response.text());
            let body = response.json();
            let message = body["error"]["message"].as_str().unwrap_or_else(|| panic!("{number}, {dialect}: {body}"));
            assert!(message.contains(TOO_LONG), "{number}, {dialect}: {message}");
            assert_eq!(
                message.starts_with("prompt is too long"),
                dialect == "anthropic",
                "{number}, {dialect}: {message}"
            );
            let record = gateway.record(&response);
            assert_eq!((&record["state"], &record["attempts"][0]["class"]), (&json!("client_error"), &json!("client")));
        }
    }
}

/// Each caller has a provider of its own: one that keeps failing is left alone.
fn keeps_its_words(host: Host, answer: &Answer, words: &str, streamed: bool) {
    let provider = || ("openai-responses", Upstream::answering(answer.clone()));
    let gateway = gateway(host, &[provider(), provider(), provider(), provider()]);
    for number in 0..4 {
        let (dialect, call) = calls(&format!("m{number}"), streamed)[number].clone();
        let response = gateway.send(&call);
        assert!(response.status >= 500, "{dialect}: {}", response.status);
        assert!(response.text().contains(words), "{dialect}: {}", response.text());
    }
}

fn an_error_of_the_provider_before_any_content_keeps_its_words(host: Host) {
    let words = "The model is overloaded just now.";
    keeps_its_words(host, &stream(&[failed("server_is_overloaded", words)]), words, true);
}

fn an_error_of_a_whole_response_keeps_its_words(host: Host) {
    let response = json!({ "id": "r", "object": "response", "status": "failed", "output": [],
        "error": { "code": "server_error", "message": "The model went away." } });
    keeps_its_words(host, &Answer::json(200, &response.to_string()), "The model went away.", false);
}

fn a_stream_that_has_its_head_begins_before_it_fails(host: Host) {
    let refused = "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\ncontent-length: 32\r\n\r\n{\"error\":{\"message\":\"no model\"}}";
    let upstream = Upstream::answering(Answer::nothing().wait().raw(refused));
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nlocal = true\ndialect = \"openai-responses\"\nbase_url = \"{}/v1\"\n",
        upstream.url()
    );
    let gateway = crate::common::Gateway::on(host).catalog(&catalog);
    let gateway = gateway.model_with("m", "head_after = \"1s\"", &["a/up"]).start();
    let body = json!({ "model": "m", "input": "Hi", "stream": true });
    let mut stream = gateway.open(&Request::new("POST", "/v1/responses").key(TOKEN).json(body.to_string()));
    assert_eq!(stream.status(), 200);
    upstream.release();
    let text = stream.finish().text();
    let types: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(types, ["response.created", "response.failed"], "{text}");
    assert!(text.contains("no model"), "{text}");
}
