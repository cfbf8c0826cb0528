use super::*;
use crate::accept;
use crate::dialect::Dialect;
use crate::observe::Observer;

fn ask(operation: Operation, body: &str) -> Reply {
    let call = accept::call(operation, accept::Head::default(), body.as_bytes().to_vec()).expect("a valid body");
    answer(&call, "parrot", "1", 7)
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}

#[test]
fn a_chat_is_answered_with_what_was_said_last() {
    let body = r#"{"model":"demo","messages":[{"role":"user","content":"one"},{"role":"assistant","content":"x"},
        {"role":"user","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}]}]}"#;
    let answer = json_of(&ask(Operation::Chat, body));
    assert_eq!(answer["choices"][0]["message"]["content"], "You said: two three");
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "parrot");
    assert!(answer["usage"]["prompt_tokens"].as_u64() > Some(0));
}

#[test]
fn a_stream_has_all_that_clients_depend_on() {
    let reply = ask(
        Operation::Chat,
        r#"{"model":"demo","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"a b"}]}"#,
    );
    let text = String::from_utf8(reply.body.clone()).expect("text");
    let events: Vec<&str> = text.split("\n\n").filter(|event| !event.is_empty()).collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    assert!(events[0].contains(r#""role":"assistant""#));
    assert!(events[..events.len() - 1].iter().all(|event| event.contains("chat.completion.chunk")));
    let mut observer = Observer::new(Dialect::OpenaiChat, false, &reply.headers);
    observer.see(&reply.body, 3);
    let seen = observer.finish();
    assert!(!seen.unfinished && !seen.usage.is_unknown());
    assert_eq!(seen.first_content_ms, Some(3));
}

#[test]
fn a_stream_has_usage_only_where_it_was_asked_for() {
    let reply = ask(Operation::Chat, r#"{"model":"demo","stream":true,"messages":[]}"#);
    assert!(!String::from_utf8(reply.body).expect("text").contains("usage"));
}

#[test]
fn a_long_text_is_said_back_in_part_and_a_long_body_is_refused() {
    let chat =
        |text: &str| format!(r#"{{"model":"demo","stream":true,"messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let reply = ask(Operation::Chat, &chat(&"x ".repeat(100_000)));
    assert_eq!((reply.status, reply.body.len() < 1 << 20), (200, true));
    let reply = ask(Operation::Chat, &chat(&"x ".repeat(200_000)));
    assert_eq!(reply.status, 413);
    assert!(json_of(&reply)["error"]["message"].as_str().is_some_and(|message| message.contains("256 KiB")));
}

#[test]
fn embeddings_come_one_for_each_text_and_in_both_encodings() {
    let floats = json_of(&ask(Operation::Embeddings, r#"{"model":"demo","input":["a","b"]}"#));
    assert_eq!(floats["data"].as_array().map(Vec::len), Some(2));
    assert_ne!(floats["data"][0]["embedding"], floats["data"][1]["embedding"]);
    let encoded = json_of(&ask(Operation::Embeddings, r#"{"model":"demo","input":"a","encoding_format":"base64"}"#));
    assert!(encoded["data"][0]["embedding"].is_string());
    let tokens = json_of(&ask(Operation::Embeddings, r#"{"model":"demo","input":[1,2,3]}"#));
    assert_eq!(tokens["data"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_legacy_completion_has_text() {
    let answer = json_of(&ask(Operation::Completions, r#"{"model":"demo","prompt":"hello"}"#));
    assert_eq!(answer["choices"][0]["text"], "You said: hello");
    assert_eq!(answer["object"], "text_completion");
}

#[test]
fn a_body_of_the_wrong_types_is_answered_all_the_same() {
    for body in [
        r#"{"model":"demo"}"#,
        r#"{"model":"demo","messages":7}"#,
        r#"{"model":"demo","messages":[7,{"role":"user"}]}"#,
    ] {
        assert_eq!(ask(Operation::Chat, body).status, 200);
    }
}
