//! How much content an answer has, and when its first comes.

use super::*;

fn content_bytes(dialect: Dialect, stream: &str) -> u64 {
    let mut observer = Observer::new(dialect, false, &headers("text/event-stream"));
    observer.see(stream.as_bytes(), 0);
    observer.finish().content_bytes
}

#[test]
fn content_is_counted_without_what_stands_around_it() {
    for dialect in Dialect::ALL {
        assert_eq!(content_bytes(dialect, &texts(dialect, &[5, 700, 20, 20]).concat()), 745, "{}", dialect.name());
        assert_eq!(content_bytes(dialect, &texts(dialect, &[500; 40]).concat()), 20_000, "{}", dialect.name());
    }
}

#[test]
fn an_escaped_character_counts_as_what_it_stands_for() {
    for dialect in Dialect::ALL {
        let body = |text: &str| texts(dialect, &[20, 20]).concat().replace(&"x".repeat(20), &text.repeat(20));
        assert_eq!(content_bytes(dialect, &body(r"\u4f60")), 120, "{}", dialect.name());
        assert_eq!(content_bytes(dialect, &body("你")), 120, "{}", dialect.name());
        let whole = |text: &str| {
            let mut observer = Observer::new(dialect, false, &headers("application/json"));
            observer.see(format!("{{\"text\":\"{}\"}}", text.repeat(20)).as_bytes(), 0);
            observer.finish().content_bytes
        };
        assert_eq!(whole(r"\u4f60\n"), whole("你x"), "{}", dialect.name());
    }
}

#[test]
fn an_event_of_content_holds_a_token_at_least() {
    for dialect in Dialect::ALL {
        assert_eq!(content_bytes(dialect, &texts(dialect, &[1; 40]).concat()), 160, "{}", dialect.name());
    }
    // The first event of a tool call holds its name, the others only a piece of its arguments.
    let call = |members: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":0,{members}}}]}}}}]}}\n\n")
    };
    let name = call(r#""id":"call_0123456789","type":"function","function":{"name":"look","arguments":""}"#);
    let piece = call(r#""function":{"arguments":"{\"a\":"}"#);
    assert!(content_bytes(Dialect::OpenaiChat, &[name, piece.repeat(40)].concat()) >= 160);
}

#[test]
fn what_responses_says_again_at_the_end_of_a_part_is_counted_once() {
    let done = format!(r#"data: {{"type":"response.output_text.done","text":"{}"}}"#, "x".repeat(500));
    let stream = [texts(Dialect::OpenaiResponses, &[500]).concat(), done, "\n\n".to_owned()].concat();
    assert_eq!(content_bytes(Dialect::OpenaiResponses, &stream), 500);
}

#[test]
fn the_first_content_is_the_first_that_is_not_empty() {
    let pieces: Vec<&str> = STREAM.split_inclusive("\n\n").collect();
    let mut observer = Observer::new(Dialect::OpenaiChat, false, &headers("text/event-stream"));
    for (index, piece) in pieces.iter().enumerate() {
        observer.see(piece.as_bytes(), index as u64);
    }
    let position = pieces.iter().position(|piece| piece.contains("hé")).expect("content") as u64;
    assert_eq!(observer.finish().first_content_ms, Some(position));
}

#[test]
fn reasoning_and_tool_calls_are_content() {
    for delta in [r#"{"reasoning_content":"hm"}"#, r#"{"reasoning":"hm"}"#, r#"{"tool_calls":[{"index":0}]}"#] {
        let observation =
            seen("text/event-stream", &format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n"), 9999);
        assert_eq!(observation.first_content_ms, Some(0), "{delta}");
    }
    let legacy = seen("text/event-stream", "data: {\"choices\":[{\"text\":\"a\"}]}\n\n", 9999);
    assert_eq!(legacy.first_content_ms, Some(0));
}

/// The preview of a conversation's answer at its end.
fn at_end(dialect: Dialect, body: &str) -> Preview {
    let mut observer = Observer::new(dialect, false, &[]).of_chat(true);
    observer.see(body.as_bytes(), 0);
    observer.preview(body.as_bytes(), true, &[])
}

#[test]
fn an_answer_with_nothing_in_it_is_told_from_one_that_has_a_reason() {
    let chat = |message: &str, reason: &str, tokens: u8| {
        let choice = format!(r#"{{"index":0,"message":{message},"finish_reason":"{reason}"}}"#);
        format!(r#"{{"choices":[{choice}],"usage":{{"prompt_tokens":1,"completion_tokens":{tokens}}}}}"#)
    };
    let streamed = |delta: &str, reason: &str| {
        let choice = format!(r#"{{"index":0,"delta":{delta},"finish_reason":"{reason}"}}"#);
        format!("data: {{\"choices\":[{choice}]}}\n\ndata: [DONE]\n\n")
    };
    let responses = |output: &str, details: &str| {
        format!(r#"{{"status":"completed","error":null,"incomplete_details":{details},"output":[{output}]}}"#)
    };
    let completed = |response: &str| format!("data: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n");
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#;
    let silent = r#"{"type":"message","content":[]}"#;
    let (good, nothing) = (Preview::Good, Preview::Contentless);
    for (dialect, body, expected) in [
        (Dialect::OpenaiChat, r#"{"choices":[]}"#.to_owned(), &nothing),
        (Dialect::OpenaiChat, chat(r#"{"content":null}"#, "stop", 0), &nothing),
        (Dialect::OpenaiChat, chat(r#"{"content":""}"#, "stop", 0), &nothing),
        (Dialect::OpenaiChat, chat(r#"{"content":""}"#, "stop", 3), &good),
        (Dialect::OpenaiChat, chat(r#"{"content":""}"#, "length", 0), &good),
        (Dialect::OpenaiChat, chat(r#"{"content":null}"#, "content_filter", 0), &good),
        (Dialect::OpenaiChat, chat(r#"{"content":"","reasoning_content":"Hm."}"#, "stop", 0), &good),
        (Dialect::OpenaiChat, chat(r#"{"refusal":"No."}"#, "stop", 0), &good),
        (Dialect::OpenaiChat, streamed(r#"{"role":"assistant","content":""}"#, "stop"), &nothing),
        (Dialect::OpenaiChat, streamed("{}", "content_filter"), &good),
        (Dialect::OpenaiChat, streamed("{}", "network_error"), &Preview::Empty),
        (Dialect::OpenaiResponses, responses("", "null"), &nothing),
        (Dialect::OpenaiResponses, responses(silent, "null"), &nothing),
        (Dialect::OpenaiResponses, responses(call, "null"), &good),
        (Dialect::OpenaiResponses, responses("", r#"{"reason":"content_filter"}"#), &good),
        (Dialect::OpenaiResponses, completed(&responses("", "null")), &nothing),
        (Dialect::OpenaiResponses, completed(&responses(silent, "null")), &nothing),
        (Dialect::OpenaiResponses, completed(&responses(call, "null")), &good),
        (Dialect::Anthropic, r#"{"content":[],"stop_reason":"end_turn"}"#.to_owned(), &nothing),
        (Dialect::Anthropic, r#"{"content":[],"stop_reason":"refusal"}"#.to_owned(), &good),
        (Dialect::Gemini, r#"{"candidates":[{"finishReason":"STOP"}]}"#.to_owned(), &nothing),
        (Dialect::Gemini, r#"{"candidates":[]}"#.to_owned(), &nothing),
        (Dialect::Gemini, r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#.to_owned(), &good),
        (Dialect::Gemini, "data: {\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}]}\n\n".to_owned(), &good),
    ] {
        assert_eq!(at_end(dialect, &body), *expected, "{dialect:?} {body}");
    }
}
