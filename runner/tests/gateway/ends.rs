//! The end of an answer is its dialect's last event, and not its connection's: what comes or does not come behind it
//! changes neither the client's answer nor the record.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{End, Gateway, Host, Request, Response, TOKEN, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    behind_the_last_event_nothing_changes_an_answer,
    an_answer_that_has_said_why_it_ends_is_whole_however_its_body_ends,
    geminis_answer_ends_when_a_second_passes_behind_its_reason,
    a_whole_answer_ends_with_its_last_bracket,
];

/// The end of a body as it should not be.
fn endings(answer: &Answer) -> Vec<(&'static str, Answer)> {
    vec![
        ("open", answer.clone().wait()),
        ("cut", answer.clone().cut()),
        ("reset", answer.clone().reset()),
        ("malformed", answer.clone().raw("nonsense\r\n").cut()),
    ]
}

/// Less than the idle limit, after which an open body would be given up.
const SOON: Duration = Duration::from_secs(20);

fn events(all: &[Value]) -> String {
    all.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type"))).collect()
}

fn anthropic() -> String {
    events(&[
        json!({ "type": "message_start", "message": { "id": "1", "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "one" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 7 } }),
        json!({ "type": "message_stop" }),
    ])
}

fn responses(last: &str) -> String {
    let content = json!([{ "type": "output_text", "text": "one" }]);
    let item = json!({ "type": "message", "id": "m", "role": "assistant", "content": content });
    let usage = json!({ "input_tokens": 1, "output_tokens": 7 });
    let response = json!({ "id": "r", "status": "completed", "output": [item], "usage": usage });
    events(&[
        json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress", "output": [] } }),
        json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "one" }),
        json!({ "type": last, "response": response }),
    ])
}

/// A streamed call of a model in each dialect, by the dialect's name.
fn calls(model: &str) -> [(&'static str, Request); 4] {
    let post = |path: &str, body: Value| Request::new("POST", path).key(TOKEN).json(body.to_string());
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    let contents = json!([{ "role": "user", "parts": [{ "text": "Hi" }] }]);
    let gemini = format!("/v1beta/models/{model}:streamGenerateContent?alt=sse");
    let anthropic = json!({ "model": model, "max_tokens": 9, "stream": true, "messages": messages });
    [
        ("openai-chat", streamed_chat(model)),
        ("anthropic", post("/v1/messages", anthropic)),
        ("openai-responses", post("/v1/responses", json!({ "model": model, "input": "Hi", "stream": true }))),
        ("gemini", post(&gemini, json!({ "contents": contents }))),
    ]
}

/// A gateway with a model `m0`, `m1`, … for each of these providers.
fn gateway(host: Host, providers: &[(&str, Upstream)]) -> Gateway {
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

/// The answer is whole, soon, and the record says so.
fn ends_well(gateway: &Gateway, call: &Request, what: &str) -> Response {
    let begun = Instant::now();
    let response = gateway.send(call);
    assert_eq!((response.status, response.end), (200, End::Clean), "{what}: {}", response.text());
    assert!(begun.elapsed() < SOON, "{what}: it ended after {:?}", begun.elapsed());
    assert!(
        response.text().contains("one") && !response.text().contains("The answer is incomplete"),
        "{what}: {}",
        response.text()
    );
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["output_tokens"]), (&json!("ok"), &json!(7)), "{what}: {record}");
    response
}

fn behind_the_last_event_nothing_changes_an_answer(host: Host) {
    let chat = format!("{}{}", event("one"), last_events());
    let mut cases = Vec::new();
    for (dialect, stream) in [
        ("openai-chat", chat),
        ("anthropic", anthropic()),
        ("openai-responses", responses("response.completed")),
        ("openai-responses", responses("response.done")),
    ] {
        let answers = endings(&Answer::stream().chunk(&stream));
        cases.extend(answers.into_iter().map(|(how, answer)| (dialect, stream.clone(), how, answer)));
    }
    let providers: Vec<_> =
        cases.iter().map(|(dialect, _, _, answer)| (*dialect, Upstream::answering(answer.clone()))).collect();
    let gateway = gateway(host, &providers);
    for (number, (dialect, stream, how, _)) in cases.iter().enumerate() {
        for (spoken, call) in calls(&format!("m{number}")) {
            let is_native = spoken == *dialect;
            if is_native || *how == "open" {
                let response = ends_well(&gateway, &call, &format!("{how}, {spoken} from {dialect}"));
                assert!(!is_native || response.text() == *stream, "{how}, {dialect}: {}", response.text());
            }
        }
    }
}

fn an_answer_that_has_said_why_it_ends_is_whole_however_its_body_ends(host: Host) {
    let without_done = format!("{}{}", event("one"), last_events()).replace("data: [DONE]\n\n", "");
    let answers = endings(&Answer::stream().chunk(&without_done));
    let answers: Vec<_> = answers.into_iter().filter(|(how, _)| *how != "open").collect();
    let providers: Vec<_> =
        answers.iter().map(|(_, answer)| ("openai-chat", Upstream::answering(answer.clone()))).collect();
    let gateway = gateway(host, &providers);
    for (number, (how, _)) in answers.iter().enumerate() {
        for (_, call) in calls(&format!("m{number}")).iter().take(2) {
            ends_well(&gateway, call, how);
        }
    }
}

fn geminis_answer_ends_when_a_second_passes_behind_its_reason(host: Host) {
    let usage = json!({ "promptTokenCount": 1, "candidatesTokenCount": 7 });
    let chunk = |text: &str, reason: Value| {
        let mut candidate = json!({ "index": 0, "content": { "role": "model", "parts": [{ "text": text }] } });
        if reason.is_string() {
            candidate["finishReason"] = reason;
        }
        format!("data: {}\n\n", json!({ "candidates": [candidate], "usageMetadata": usage }))
    };
    let answers = endings(&Answer::stream().chunk(chunk("one", Value::Null)).chunk(chunk("", "STOP".into())));
    let providers: Vec<_> = answers.iter().map(|(_, answer)| ("gemini", Upstream::answering(answer.clone()))).collect();
    let gateway = gateway(host, &providers);
    for (number, (how, _)) in answers.iter().enumerate() {
        for (_, call) in calls(&format!("m{number}")).iter().skip(if *how == "open" { 1 } else { 3 }) {
            ends_well(&gateway, call, how);
        }
    }
}

fn a_whole_answer_ends_with_its_last_bracket(host: Host) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let answers = endings(&Answer::nothing().raw(head).chunk(completion("one")));
    let providers: Vec<_> =
        answers.iter().map(|(_, answer)| ("openai-chat", Upstream::answering(answer.clone()))).collect();
    let gateway = gateway(host, &providers);
    for (number, (how, _)) in answers.iter().enumerate() {
        let model = format!("m{number}");
        ends_well(&gateway, &chat(&model), how);
        let messages = json!([{ "role": "user", "content": "Hi" }]);
        let body = json!({ "model": model, "max_tokens": 9, "messages": messages });
        ends_well(&gateway, &Request::new("POST", "/v1/messages").key(TOKEN).json(body.to_string()), how);
    }
}

/// The connection is kept where the body ends soon after the last event.
#[test]
fn a_body_that_ends_soon_after_its_last_event_leaves_its_connection_for_the_next_call() {
    let stream = format!("{}{}", event("one"), last_events());
    let upstream = Upstream::answering(Answer::stream().chunk(&stream).end());
    let gateway =
        Gateway::on(Host::Runner).arg("--threads").arg("1").provider("a", &upstream).model("m", &["a/up"]).start();
    for _ in 0..3 {
        ends_well(&gateway, &streamed_chat("m"), "kept");
    }
    assert_eq!(upstream.connections(), 1);
}
