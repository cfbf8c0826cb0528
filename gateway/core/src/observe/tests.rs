mod content;
mod ends;
mod preview;
mod seals;

use super::*;
use crate::usage::Usage;

fn headers(media_type: &str) -> Vec<(String, Vec<u8>)> {
    vec![("content-type".to_owned(), media_type.as_bytes().to_vec())]
}

/// What is seen of `body` when it comes in pieces of `size` bytes.
fn seen(media_type: &str, body: &str, size: usize) -> Observation {
    let mut observer = Observer::new(Dialect::OpenaiChat, false, &headers(media_type));
    for (index, piece) in body.as_bytes().chunks(size).enumerate() {
        observer.see(piece, index as u64);
    }
    observer.finish()
}

fn known(input: u64, output: u64) -> Usage {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
}

/// Events of a stream as its provider writes them, each with a text of so many letters.
fn texts(dialect: Dialect, letters: &[usize]) -> Vec<String> {
    let frame = match dialect {
        Dialect::OpenaiChat => {
            r#"{"id":"c-1","object":"chat.completion.chunk","created":1795521600,"model":"m","usage":null,"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]}"#
        }
        Dialect::OpenaiResponses => {
            r#"{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"@","sequence_number":4}"#
        }
        Dialect::Anthropic => r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
        Dialect::Gemini => {
            r#"{"candidates":[{"content":{"parts":[{"text":"@"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":11},"modelVersion":"m"}"#
        }
    };
    letters.iter().map(|count| format!("data: {}\n\n", frame.replace('@', &"x".repeat(*count)))).collect()
}

const STREAM: &str = concat!(
    ": a comment\r\n\r\n",
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"error\":null}\r\n\r\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\"hé\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data:{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7}}\n\n",
    "data: [DONE]\n\n",
);

#[test]
fn a_stream_is_read_the_same_however_it_is_split() {
    for size in 1..STREAM.len() {
        let observation = seen("text/event-stream; charset=utf-8", STREAM, size);
        assert_eq!(observation.usage, known(11, 7), "{size}");
        assert_eq!(observation.error, None, "`error: null` is no error");
        assert!(!observation.unfinished);
        assert!(observation.first_content_ms.is_some());
        assert_eq!(observation.bytes, STREAM.len() as u64);
    }
}

#[test]
fn an_error_inside_a_stream_is_seen() {
    let body =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    let observation = seen("text/event-stream", body, 10);
    assert_eq!(observation.error.map(|error| error.message).as_deref(), Some("overloaded"));
    assert!(observation.unfinished);
}

#[test]
fn a_stream_without_finish_or_end_marker_is_unfinished() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    assert!(seen("text/event-stream", body, 5).unfinished);
}

#[test]
fn a_line_of_five_megabytes_is_passed_over_and_what_follows_is_read() {
    let body = format!("data: {{\"x\":\"{}\"}}\n\n{STREAM}", "y".repeat(5 << 20));
    let observation = seen("text/event-stream", &body, 60_000);
    assert_eq!(observation.usage, known(11, 7));
}

#[test]
fn nonsense_in_a_stream_ends_nothing() {
    let body = "\u{feff}data: {\"choices\":7}\n\ndata: {\n\nevent\n\n\0\0\0\r\rdata: [1,2]\n\ndata: null\n\n";
    let observation = seen("text/event-stream", &format!("{body}{STREAM}data: after the end\n\n"), 3);
    assert_eq!(observation.usage, known(11, 7));
}

#[test]
fn whether_a_stream_stands_inside_an_event_is_known() {
    let mut observer = Observer::new(Dialect::OpenaiChat, false, &headers("text/event-stream"));
    assert!(!observer.in_event());
    observer.see(b"data: {\"a\":", 0);
    assert!(observer.in_event());
    observer.see(b"1}\n", 0);
    assert!(observer.in_event());
    observer.see(b"\n", 0);
    assert!(!observer.in_event());
}

#[test]
fn a_line_end_of_two_characters_is_one_line_end_however_it_is_split() {
    let stands_inside = |pieces: &[&str]| {
        let mut observer = Observer::new(Dialect::OpenaiChat, false, &headers("text/event-stream"));
        pieces.iter().for_each(|piece| observer.see(piece.as_bytes(), 0));
        observer.in_event()
    };
    for inside in [&["data: 1\r\n"][..], &["data: 1\r", "\n"], &["data: 1\r", "", "\n"], &["data: 1\r\ndata: 2\r"]] {
        assert!(stands_inside(inside), "{inside:?}");
    }
    for outside in
        [&["data: 1\r\n\r\n"][..], &["data: 1\r\n\r"], &["data: 1\r\r"], &["data: 1\n\n"], &["data: 1\r\n", "\r", "\n"]]
    {
        assert!(!stands_inside(outside), "{outside:?}");
    }
}

#[test]
fn usage_is_found_in_an_answer_of_any_size_split_anywhere() {
    let filler = "lorem \\\"usage\\\": {\\\\ ".repeat(40);
    let body = format!(
        "{{\n  \"choices\": [{{\"message\": {{\"content\": \"{filler}\", \"usage\": {{\"prompt_tokens\": 1}}}}}}],\n  \"usage\": {{\n    \"prompt_tokens\": 11,\n    \"completion_tokens\": 7,\n    \"prompt_tokens_details\": {{ \"cached_tokens\": 3 }}\n  }}\n}}\n"
    );
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    for size in [1, 2, 3, 7, 64, 1000, body.len()] {
        let usage = seen("application/json", &body, size).usage;
        assert_eq!(usage, Usage { cache_read_tokens: Some(3), ..known(11, 7) }, "{size}");
    }
}

#[test]
fn usage_that_is_not_there_or_not_a_count_is_unknown_and_not_zero() {
    for body in [
        r#"{"choices":[]}"#,
        r#"{"usage":null}"#,
        r#"{"usage":{"prompt_tokens":-1,"completion_tokens":1.5}}"#,
        r#"{"usage":{"prompt_tokens":1e30,"completion_tokens":99999999999999999999}}"#,
        r#"{"usage":"much"}"#,
        "not json {{{",
        "]]]]}}}}",
        r#""usage":{"prompt_tokens":1}"#,
    ] {
        assert!(seen("application/json", body, 4).usage.is_unknown(), "{body}");
    }
}

#[test]
fn an_event_too_long_to_be_read_may_be_the_end() {
    let picture = format!(
        "{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"inlineData\":{{\"data\":\"{}\"}}}}]}},\"finishReason\":\"STOP\"}}]}}",
        "A".repeat(200 << 10)
    );
    for (media_type, as_array, body) in [
        ("text/event-stream", false, format!("data: {picture}\n\n")),
        ("application/json", true, format!("[{picture}]")),
    ] {
        for size in [1000, body.len()] {
            let mut observer = Observer::new(Dialect::Gemini, as_array, &headers(media_type));
            body.as_bytes().chunks(size).for_each(|piece| observer.see(piece, 7));
            assert_eq!(observer.preview(body.as_bytes(), true, &[]), Preview::Good, "{media_type}");
            assert!(!observer.finish().unfinished, "{media_type} {size}");
        }
    }
    let more = format!("data: {picture}\n\ndata: {{\"candidates\":[]}}\n\n");
    let mut observer = Observer::new(Dialect::Gemini, false, &headers("text/event-stream"));
    more.as_bytes().chunks(1000).for_each(|piece| observer.see(piece, 7));
    assert!(observer.finish().unfinished, "another event followed");
}

#[test]
fn an_endless_usage_object_is_not_collected() {
    let body = format!("{{\"usage\":{{\"x\":\"{}\",\"prompt_tokens\":1}}}}", "y".repeat(70_000));
    assert!(seen("application/json", &body, 4096).usage.is_unknown());
}

#[test]
fn what_is_of_another_type_is_only_counted() {
    let observation = seen("audio/mpeg", "xyz", 1);
    assert!(observation.usage.is_unknown());
    assert_eq!(observation.bytes, 3);
}

#[test]
fn each_spelling_of_usage_is_read() {
    let usage = |text: &str| Dialect::OpenaiChat.usage(&serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
    let full = usage(
        r#"{"prompt_tokens":9,"completion_tokens":8,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},
            "completion_tokens_details":{"reasoning_tokens":5}}"#,
    );
    assert_eq!(
        full,
        Usage {
            input_tokens: Some(9),
            cache_read_tokens: Some(4),
            cache_write_tokens: Some(2),
            output_tokens: Some(8),
            reasoning_tokens: Some(5),
        }
    );
    assert_eq!(usage(r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":6}"#).cache_read_tokens, Some(6));
    assert_eq!(usage(r#"{"input_tokens":3,"output_tokens":4}"#), known(3, 4));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn any_split_of_any_bytes_is_seen_the_same(
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        cuts in proptest::collection::vec(1usize..40, 1..60),
        streamed in proptest::prelude::any::<bool>(),
    ) {
        let media_type = if streamed { "text/event-stream" } else { "application/json" };
        let text = [STREAM.as_bytes(), &body].concat();
        let mut whole = Observer::new(Dialect::OpenaiChat, false, &headers(media_type));
        whole.see(&text, 0);
        let mut split = Observer::new(Dialect::OpenaiChat, false, &headers(media_type));
        let (mut rest, mut cuts) = (text.as_slice(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            split.see(piece, 0);
            rest = after;
        }
        proptest::prop_assert_eq!(whole.finish(), split.finish());
    }
}
