//! Calls whose provider speaks another dialect than their caller. What becomes of each member is tested in the core;
//! here it is that the right request reaches the right path with the right headers, and that streams stay streams.

use serde_json::{Value, json};

use crate::common::{End, Gateway, Host, Request, TOKEN, chat, streamed_chat, upstream_key};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    a_call_of_every_dialect_is_answered_by_a_provider_of_another,
    a_stream_of_every_dialect_comes_from_a_provider_of_another,
    an_openai_client_streams_from_a_provider_of_every_dialect,
    a_tool_call_and_its_result_keep_their_id_both_ways,
    an_error_of_another_dialect_keeps_its_words_and_gets_the_callers_shape,
    a_translated_stream_that_breaks_off_ends_with_the_callers_error,
    what_cannot_be_carried_is_refused_and_another_target_is_tried_first,
    what_was_left_out_stands_in_the_record,
    a_target_gets_its_own_members_natively_and_translated,
    the_demo_answers_every_dialect,
    a_provider_that_answers_as_a_whole_is_streamed_all_the_same,
    tokens_no_provider_can_count_are_estimated_and_said_to_be,
    an_answer_that_cannot_be_read_is_left_for_the_next_target,
];

/// A gateway whose one provider speaks this dialect alone.
fn speaking(host: Host, dialect: &str, upstream: &Upstream, target: &str) -> Gateway {
    let (url, key) = (upstream.url(), upstream_key("a"));
    let base_url = if dialect.starts_with("openai") { format!("{url}/v1") } else { url };
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nlocal = true\ndialect = \"{dialect}\"\nbase_url = \"{base_url}\"\n\
         credentials = [\"{key}\"]\n[[models]]\nname = \"m\"\ntargets = [{{ provider = \"a\", model = \"up\"{target} }}]\n"
    );
    Gateway::on(host).catalog(&catalog).start()
}

fn post(path: &str, body: &Value) -> Request {
    Request::new("POST", path).key(TOKEN).json(body.to_string())
}

/// Each caller's way to say hello, and where its answer has its text.
fn hellos(streamed: bool) -> [(Request, &'static str); 3] {
    let anthropic = json!({ "model": "m", "max_tokens": 9, "stream": streamed,
        "messages": [{ "role": "user", "content": "Hello" }] });
    let responses = json!({ "model": "m", "stream": streamed, "input": "Hello" });
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello" }] }] });
    let path = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
    [
        (post("/v1/messages", &anthropic).header("anthropic-beta", "x"), "/content/0/text"),
        (post("/v1/responses", &responses), "/output/0/content/0/text"),
        (post(&format!("/v1beta/models/m:{path}"), &gemini), "/candidates/0/content/parts/0/text"),
    ]
}

fn a_call_of_every_dialect_is_answered_by_a_provider_of_another(host: Host) {
    for (request, text_at) in hellos(false) {
        let upstream = Upstream::answering(Answer::json(200, &completion("Hi")));
        let gateway = speaking(host, "openai-chat", &upstream, "");
        let response = gateway.send(&request);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json().pointer(text_at), Some(&json!("Hi")), "{}", response.text());
        let received = upstream.only();
        assert_eq!(received.line, "POST /v1/chat/completions HTTP/1.1");
        assert_eq!(received.header("authorization"), Some(format!("Bearer {}", upstream_key("a")).as_str()));
        assert_eq!(received.header("anthropic-beta"), None, "the caller's betas mean nothing here");
        let sent: Value = serde_json::from_slice(&received.body).expect("JSON");
        assert_eq!((&sent["model"], &sent["messages"][0]["content"]), (&json!("up"), &json!("Hello")));
        let record = gateway.record(&response);
        assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&json!(11), &json!(7)));
        assert_eq!(record["attempts"][0]["translated_to"], "openai-chat");
    }
}

fn a_stream_of_every_dialect_comes_from_a_provider_of_another(host: Host) {
    for (request, _) in hellos(true) {
        let answer = Answer::stream().chunk(event("one")).wait().chunk(event("two")).chunk(last_events()).end();
        let upstream = Upstream::answering(answer);
        let gateway = speaking(host, "openai-chat", &upstream, "");
        let mut stream = gateway.open(&request);
        assert_eq!((stream.status(), stream.header("content-type").as_deref()), (200, Some("text/event-stream")));
        let id = stream.header("x-llmio-record").expect("a record");
        let first = String::from_utf8(stream.read_until("one")).expect("text");
        assert!(!first.contains("two"), "each event as it comes: {first}");
        upstream.release();
        let rest = stream.finish();
        assert_eq!(rest.end, End::Clean);
        let ends = ["message_stop", "response.completed", "\"finishReason\":\"STOP\""];
        assert!(rest.text().contains("two") && ends.iter().any(|end| rest.text().contains(end)), "{}", rest.text());
        let record = gateway.record_by_id(&id);
        assert_eq!((&record["state"], &record["output_tokens"]), (&json!("ok"), &json!(7)), "{record}");
    }
}

fn named(events: &[Value]) -> String {
    let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", name(event))).collect()
}

/// A provider's dialect, the path it is called at, and its stream of `Hi`.
fn streams() -> [(&'static str, &'static str, String); 3] {
    let anthropic = named(&[
        json!({ "type": "message_start", "message": { "id": "1", "usage": { "input_tokens": 11, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hi" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 7 } }),
        json!({ "type": "message_stop" }),
    ]);
    let usage = json!({ "input_tokens": 11, "output_tokens": 7, "total_tokens": 18 });
    let item = json!({ "type": "message", "id": "i", "role": "assistant",
        "content": [{ "type": "output_text", "text": "Hi", "annotations": [] }] });
    let responses = named(&[
        json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress", "output": [] } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": { "type": "message", "id": "i", "role": "assistant", "content": [] } }),
        json!({ "type": "response.content_part.added", "item_id": "i", "output_index": 0, "content_index": 0,
            "part": { "type": "output_text", "text": "" } }),
        json!({ "type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "Hi" }),
        json!({ "type": "response.output_text.done", "item_id": "i", "output_index": 0, "content_index": 0, "text": "Hi" }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed",
            "response": { "id": "r", "status": "completed", "output": [item], "usage": usage } }),
    ]);
    let gemini = json!({ "candidates": [{ "content": { "role": "model", "parts": [{ "text": "Hi" }] },
        "finishReason": "STOP" }], "usageMetadata": { "promptTokenCount": 11, "candidatesTokenCount": 7 } });
    [
        ("anthropic", "/v1/messages", anthropic),
        ("openai-responses", "/v1/responses", responses),
        ("gemini", "/v1beta/models/up:streamGenerateContent?alt=sse", format!("data: {gemini}\n\n")),
    ]
}

fn streamed_without_usage() -> Request {
    post(
        "/v1/chat/completions",
        &json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "Hello" }] }),
    )
}

fn an_openai_client_streams_from_a_provider_of_every_dialect(host: Host) {
    for (dialect, path, stream) in streams() {
        let pieces = stream.as_bytes().chunks(11);
        let upstream = Upstream::answering(pieces.fold(Answer::stream(), |answer, piece| answer.chunk(piece)).end());
        let gateway = speaking(host, dialect, &upstream, "");
        let response = gateway.send(&streamed_without_usage());
        assert_eq!((response.status, response.end), (200, End::Clean), "{dialect}");
        let text = response.text();
        assert!(text.contains("\"content\":\"Hi\"") && text.ends_with("data: [DONE]\n\n"), "{dialect}: {text}");
        assert!(!text.contains("prompt_tokens"), "no usage was asked for: {text}");
        let received = upstream.only();
        assert_eq!(received.line, format!("POST {path} HTTP/1.1"));
        if dialect == "anthropic" {
            assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));
        }
        let record = gateway.record(&response);
        let known = ["state", "input_tokens", "output_tokens"].map(|name| record[name].clone());
        assert_eq!(known, [json!("ok"), json!(11), json!(7)], "{dialect}");
    }
}

fn a_tool_call_and_its_result_keep_their_id_both_ways(host: Host) {
    let tool_use = json!({ "type": "tool_use", "id": "toolu_1", "name": "look", "input": { "at": "it" } });
    let answer = json!({ "type": "message", "id": "1", "role": "assistant", "content": [tool_use],
        "stop_reason": "tool_use", "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let upstream = Upstream::answering(Answer::json(200, &answer.to_string()));
    let gateway = speaking(host, "anthropic", &upstream, "");
    let tools = json!([{ "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } }]);
    let ask = json!({ "role": "user", "content": "Look at it" });
    let first = json!({ "model": "m", "tools": tools, "messages": [ask] });
    let message = gateway.send(&post("/v1/chat/completions", &first)).json()["choices"][0]["message"].clone();
    assert_eq!(message["tool_calls"][0]["id"], "toolu_1");
    let result = json!({ "role": "tool", "tool_call_id": "toolu_1", "content": "seen" });
    gateway.send(&post(
        "/v1/chat/completions",
        &json!({ "model": "m", "tools": tools, "messages": [ask, message, result] }),
    ));
    let sent: Value = serde_json::from_slice(&upstream.received()[1].body).expect("JSON");
    assert_eq!(sent["messages"][1]["content"][0]["id"], "toolu_1");
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
}

fn an_error_of_another_dialect_keeps_its_words_and_gets_the_callers_shape(host: Host) {
    let error =
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "messages: too odd" } });
    let upstream = Upstream::answering(Answer::json(400, &error.to_string()));
    let gateway = speaking(host, "anthropic", &upstream, "");
    let response = gateway.send(&chat("m"));
    assert_eq!(response.status, 400);
    let openai = response.openai_error();
    assert_eq!((openai.message.as_str(), openai.kind.as_str()), ("messages: too odd", "invalid_request_error"));
    let long = json!({ "error": { "message": "This model's maximum context length is 8 tokens.",
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded" } });
    let upstream = Upstream::answering(Answer::json(400, &long.to_string()));
    let gateway = speaking(host, "openai-chat", &upstream, "");
    let [(request, _), ..] = hellos(false);
    let response = gateway.send(&request);
    let error = response.json()["error"].clone();
    assert_eq!((response.status, &error["type"]), (400, &json!("invalid_request_error")));
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.starts_with("prompt is too long") && message.ends_with("is 8 tokens."),
        "Claude Code reads it: {message}"
    );
}

fn a_translated_stream_that_breaks_off_ends_with_the_callers_error(host: Host) {
    for (request, _) in hellos(true) {
        for answer in [Answer::stream().chunk(event("one")).cut(), Answer::stream().chunk(event("one")).end()] {
            let upstream = Upstream::answering(answer);
            let gateway = speaking(host, "openai-chat", &upstream, "");
            let response = gateway.send(&request);
            assert_eq!(response.end, End::Cut, "{}", response.text());
            let text = response.text();
            let is_told = ["event: error\n", "event: response.failed\n", "data: {\"error\""]
                .iter()
                .any(|error| text.contains(error));
            assert!(text.contains("one") && is_told, "{text}");
            assert_ne!(gateway.record(&response)["state"], "ok");
        }
    }
}

fn what_cannot_be_carried_is_refused_and_another_target_is_tried_first(host: Host) {
    let audio = json!([{ "type": "input_audio", "input_audio": { "data": "AAAA", "format": "wav" } }]);
    let spoken = json!({ "model": "m", "messages": [{ "role": "user", "content": audio }] });
    let upstream = Upstream::saying("never");
    let gateway = speaking(host, "anthropic", &upstream, "");
    let response = gateway.send(&post("/v1/chat/completions", &spoken));
    assert_eq!(
        (response.status, response.openai_error().code.as_str()),
        (400, "untranslatable"),
        "{}",
        response.text()
    );
    assert_eq!(response.header("x-should-retry"), Some("false"));
    assert!(upstream.received().is_empty());
    assert_eq!(gateway.record(&response)["state"], "untranslatable");
    let (other, native) = (Upstream::saying("never"), Upstream::saying("heard"));
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nlocal = true\ndialect = \"anthropic\"\nbase_url = \"{}\"\n\
         [[providers]]\nname = \"b\"\nlocal = true\nbase_url = \"{}\"\n\
         [[models]]\nname = \"m\"\ntargets = [\"a/up\", {{ provider = \"b\", model = \"up\", tier = 2 }}]\n",
        other.url(),
        native.url()
    );
    let gateway = Gateway::on(host).catalog(&catalog).start();
    let response = gateway.send(&post("/v1/chat/completions", &spoken));
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(other.received().is_empty() && native.received().len() == 1);
}

fn what_was_left_out_stands_in_the_record(host: Host) {
    let (dialect, _, stream) = &streams()[0];
    let upstream = Upstream::answering(Answer::stream().chunk(stream).end());
    let gateway = speaking(host, dialect, &upstream, "");
    let body = json!({ "model": "m", "stream": true, "seed": 7, "messages": [{ "role": "user", "content": "Hello" }] });
    let response = gateway.send(&post("/v1/chat/completions", &body));
    assert_eq!(gateway.record(&response)["warnings"], json!(["dropped: seed"]));
}

fn a_target_gets_its_own_members_natively_and_translated(host: Host) {
    let target = ", set = { temperature = 0.2 }, default = { max_tokens = 77 }, remove = [\"seed\"]";
    let body = r#"{"model":"m", "seed":7,"messages":[{"role":"user","content":"Hello"}]}"#;
    let upstream = Upstream::saying("Hi");
    let gateway = speaking(host, "openai-chat", &upstream, target);
    gateway.send(&chat("m").body(body));
    let expected =
        r#"{"model":"up", "messages":[{"role":"user","content":"Hello"}],"max_tokens":77,"temperature":0.2}"#;
    assert_eq!(String::from_utf8(upstream.only().body).expect("text"), expected);
    let (dialect, _, stream) = &streams()[0];
    let upstream = Upstream::answering(Answer::stream().chunk(stream).end());
    let gateway = speaking(host, dialect, &upstream, target);
    gateway.send(&chat("m").body(body.replace("\"seed\"", "\"stream\":true,\"seed\"")));
    let sent: Value = serde_json::from_slice(&upstream.only().body).expect("JSON");
    assert_eq!((&sent["max_tokens"], &sent["temperature"]), (&json!(77), &json!(0.2)));
}

fn the_demo_answers_every_dialect(host: Host) {
    let gateway = Gateway::on(host)
        .catalog("[[providers]]\npreset = \"echo\"\n[[models]]\nname = \"m\"\ntargets = [\"echo/up\"]\n");
    let gateway = gateway.start();
    for ((whole, text_at), (streamed, _)) in hellos(false).into_iter().zip(hellos(true)) {
        let response = gateway.send(&whole);
        assert_eq!(response.json().pointer(text_at), Some(&json!("You said: Hello")), "{}", response.text());
        let streamed = gateway.send(&streamed);
        assert_eq!((streamed.status, streamed.end), (200, End::Clean));
        assert!(streamed.text().contains("Hello"), "{}", streamed.text());
        let record = gateway.record(&streamed);
        assert!(record["output_tokens"].is_u64() && record["state"] == "ok", "{record}");
    }
}

fn a_provider_that_answers_as_a_whole_is_streamed_all_the_same(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = speaking(host, "openai-chat", &upstream, "");
    let [(request, _), ..] = hellos(true);
    let response = gateway.send(&request);
    assert_eq!((response.header("content-type"), response.end), (Some("text/event-stream"), End::Clean));
    assert!(
        response.text().contains("\"Hi\"") && response.text().contains("event: message_stop"),
        "{}",
        response.text()
    );
}

fn tokens_no_provider_can_count_are_estimated_and_said_to_be(host: Host) {
    let upstream = Upstream::saying("never");
    let gateway = speaking(host, "openai-chat", &upstream, "");
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "word ".repeat(80) }] });
    let response = gateway.send(&post("/v1/messages/count_tokens", &body));
    assert_eq!((response.status, response.header("x-llmio-estimated")), (200, Some("true")));
    assert!(response.json()["input_tokens"].as_u64().is_some_and(|count| (90..140).contains(&count)));
    assert_eq!(gateway.record(&response)["warnings"], json!(["estimated"]));
    let responses = gateway.send(&post("/v1/responses/input_tokens", &json!({ "model": "m", "input": "words" })));
    assert_eq!(responses.json()["object"], "response.input_tokens");
    let gemini = gateway.send(&post("/v1beta/models/m:countTokens", &json!({ "contents": [] })));
    assert!(gemini.json()["totalTokens"].is_u64());
    assert!(upstream.received().is_empty());
}

fn an_answer_that_cannot_be_read_is_left_for_the_next_target(host: Host) {
    let botched = json!({ "candidates": [{ "finishReason": "MALFORMED_FUNCTION_CALL" }] }).to_string();
    let event = format!("data: {botched}\n\n");
    for (answer, request) in
        [(Answer::json(200, &botched), chat("m")), (Answer::stream().chunk(event).end(), streamed_chat("m"))]
    {
        let (first, second) = (Upstream::answering(answer), Upstream::saying("Hi"));
        let catalog = format!(
            "[[providers]]\nname = \"a\"\nlocal = true\ndialect = \"gemini\"\nbase_url = \"{}\"\n\
             [[providers]]\nname = \"b\"\nlocal = true\nbase_url = \"{}\"\n\
             [[models]]\nname = \"m\"\ntargets = [\"a/up\", {{ provider = \"b\", model = \"up\", tier = 2 }}]\n",
            first.url(),
            second.url()
        );
        let response = Gateway::on(host).catalog(&catalog).start().send(&request);
        let counts = (first.received().len(), second.received().len());
        assert_eq!((response.status, response.end, counts), (200, End::Clean, (1, 1)), "{}", response.text());
        assert!(response.text().contains("\"Hi\""), "{}", response.text());
    }
}
