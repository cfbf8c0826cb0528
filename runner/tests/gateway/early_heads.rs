//! Signs of life: in the silence of a stream, and before it has begun.

use serde_json::json;

use crate::common::{End, Gateway, Host, Request, TOKEN, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    a_silent_stream_gets_blank_lines_and_only_between_events,
    thoughts_that_are_left_out_of_a_stream_are_silence,
    a_stream_without_content_gets_its_head_and_then_its_answer,
    a_stream_that_has_its_head_is_told_of_a_failure_in_an_event,
    a_whole_answer_behind_an_early_head_comes_as_events,
];

fn a_silent_stream_gets_blank_lines_and_only_between_events(host: Host) {
    let two = event("two");
    let (begun, rest) = two.split_at(9);
    let answer = Answer::stream().chunk(event("one")).wait().chunk(begun).wait().chunk(rest).chunk(last_events()).end();
    let upstream = Upstream::answering(answer);
    let fields = "timeouts = { keep_alive = \"1s\" }";
    let silent = Upstream::answering(Answer::stream().chunk(event("one")).wait());
    let gateway = Gateway::on(host).provider("a", &upstream).provider("b", &silent);
    let gateway = gateway.model_with("m", fields, &["a/up"]).model_with("silent", fields, &["b/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    assert_eq!(stream.read_until("\n\n\n\n"), format!("{}\n\n", event("one")).into_bytes());
    upstream.release();
    stream.read_until(begun);
    // Long enough for a sign of life, had there been one to give: the next request has had one meanwhile.
    let mut other = gateway.open(&streamed_chat("silent"));
    other.read_until("\n\n\n\n");
    drop(other);
    upstream.release();
    upstream.release();
    let last = stream.finish();
    assert_eq!((last.text(), last.end), (format!("{rest}{}", last_events()), End::Clean));
}

fn thoughts_that_are_left_out_of_a_stream_are_silence(host: Host) {
    let thought = json!({ "choices": [{ "index": 0, "delta": { "reasoning_content": "Hm. " } }] });
    let upstream = Upstream::answering(Answer::stream().drip(&format!("data: {thought}\n\n")));
    let fields = "timeouts = { keep_alive = \"1s\" }";
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", fields, &["a/up"]).start();
    let body =
        json!({ "model": "m", "max_tokens": 9, "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    let mut stream = gateway.open(&Request::new("POST", "/v1/messages").key(TOKEN).json(body.to_string()));
    let text = stream.read_until("event: ping");
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("message_start") && !text.contains("Hm."), "{text}");
}

fn a_stream_without_content_gets_its_head_and_then_its_answer(host: Host) {
    let upstream = Upstream::answering(
        Answer::nothing()
            .wait()
            .raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            .chunk(event("one"))
            .chunk(last_events())
            .end(),
    );
    let fields = "head_after = \"1s\"\ntimeouts = { keep_alive = \"1s\" }";
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", fields, &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    assert_eq!((stream.status(), stream.header("content-type").as_deref()), (200, Some("text/event-stream")));
    let id = stream.header("x-llmio-record").expect("a record");
    stream.read_until("\n\n");
    upstream.release();
    let rest = stream.finish();
    assert_eq!(rest.end, End::Clean);
    assert_eq!(rest.text().trim_start(), format!("{}{}", event("one"), last_events()));
    let record = gateway.record_by_id(&id);
    assert_eq!((&record["state"], &record["output_tokens"]), (&json!("ok"), &json!(7)));
    let [head_ms, content_ms] = ["first_byte_ms", "first_content_ms"].map(|name| record[name].as_u64());
    assert!(head_ms >= Some(1000) && content_ms >= head_ms, "{record}");
}

fn a_stream_that_has_its_head_is_told_of_a_failure_in_an_event(host: Host) {
    let upstream = Upstream::answering(Answer::nothing().wait().raw(
        "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\ncontent-length: 32\r\n\r\n{\"error\":{\"message\":\"no model\"}}",
    ));
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", "head_after = \"1s\"", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    upstream.release();
    let rest = stream.finish();
    assert_eq!(rest.text().trim_start(), "data: {\"error\":{\"message\":\"no model\"}}\n\n");
    assert_eq!(rest.end, End::Cut);
    let state = eventually("the record", || gateway.record_by_id(&id)["state"].as_str().map(str::to_owned));
    assert_eq!(state, "client_error");
}

fn a_whole_answer_behind_an_early_head_comes_as_events(host: Host) {
    let body = completion("Hi");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let upstream = Upstream::answering(Answer::nothing().wait().raw(head).raw(body));
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", "head_after = \"1s\"", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    assert_eq!(stream.status(), 200);
    upstream.release();
    let rest = stream.finish();
    assert_eq!(rest.end, End::Clean);
    assert!(rest.text().contains("\"content\":\"Hi\"") && rest.text().ends_with("data: [DONE]\n\n"), "{}", rest.text());
}
