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
        let said = |text: &str| texts(dialect, &[20, 20]).concat().replace(&"x".repeat(20), &text.repeat(20));
        assert_eq!(content_bytes(dialect, &said(r"\u4f60")), 120, "{}", dialect.name());
        assert_eq!(content_bytes(dialect, &said("你")), 120, "{}", dialect.name());
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
