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

/// How an answer looks when this much of it has come.
fn previewed(media_type: &str, body: &str, ended: bool) -> Preview {
    let mut observer = Observer::new(Dialect::OpenaiChat, false, &headers(media_type));
    observer.see(body.as_bytes(), 0);
    observer.preview(body.as_bytes(), ended, &["insufficient balance".to_owned()])
}

#[test]
fn a_stream_is_good_with_its_first_content_and_not_before() {
    let stream = |events: &str, ended| previewed("text/event-stream", events, ended);
    let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n";
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    assert_eq!(stream(": wait\n\n", false), Preview::Wait);
    assert_eq!(stream(role, false), Preview::Wait);
    assert_eq!(stream(&format!("{role}{text}"), false), Preview::Good);
    assert_eq!(stream(&format!("{role}data: [DONE]\n\n"), true), Preview::Empty);
    assert_eq!(stream("", true), Preview::Empty);
    assert_eq!(stream(&format!("{role}{finish}"), true), Preview::Good, "it says why there is none");
    let broken_off = finish.replace("content_filter", "network_error");
    assert_eq!(stream(&format!("{role}{broken_off}"), true), Preview::Empty);
    assert_eq!(stream(&format!("{role}{text}{broken_off}"), true), Preview::Good, "it is too late");
}

#[test]
fn what_a_conversation_is_answered_with_is_seen_in_its_first_bytes() {
    let of_chat = |list: &[(String, Vec<u8>)], body: &[u8], ended| {
        let mut observer = Observer::new(Dialect::OpenaiChat, false, list).of_chat(true);
        observer.see(body, 0);
        observer.preview(body, ended, &[])
    };
    let plain = |body: &str, ended| of_chat(&headers("text/plain"), body.as_bytes(), ended);
    for body in ["{\"choices\":[]}", " \r\n[1]", "\u{feff}{"] {
        assert_eq!(plain(body, false), Preview::Wait, "{body:?}");
    }
    assert_eq!(plain("{\"choices\":[1]}", true), Preview::Good);
    let content = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    for before in ["", "\n\n", "\u{feff}", ": wait\n\n", "event: x\n"] {
        let body = format!("{before}{content}");
        for list in [headers("text/plain"), headers("application/json"), Vec::new()] {
            assert_eq!(of_chat(&list, body.as_bytes(), false), Preview::Good, "{body:?}");
        }
    }
    assert_eq!(plain("da", false), Preview::Wait);
    let json = |body: &str| of_chat(&headers("application/json"), body.as_bytes(), true);
    assert_eq!((json("<html>"), json("")), (Preview::Page, Preview::Empty));
    assert!(matches!(json("OK"), Preview::Unreadable(_)));
    assert!(matches!(json("{\"choices\":["), Preview::Unreadable(_)), "a whole document has a last bracket");
    assert_eq!(of_chat(&headers("text/html"), b"{\"choices\":[1]}", true), Preview::Good);
    assert_eq!(previewed("audio/mpeg", "xyz", false), Preview::Good, "not every call is a conversation");
}

#[test]
fn a_stream_whose_events_run_together_is_unreadable_after_one() {
    let stream = |events: &str, ended| previewed("text/event-stream", events, ended);
    let line = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n";
    assert_eq!(stream(line, false), Preview::Wait, "the blank line may be under way");
    assert_eq!(stream(line, true), Preview::Good, "some leave the last one out");
    assert_eq!(stream(&format!("{line}\n"), false), Preview::Good);
    assert!(matches!(stream(&format!("{line}{line}"), false), Preview::Unreadable(_)));
    let in_lines = "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"a\"}}]}\n\n";
    assert!(!matches!(stream(in_lines, true), Preview::Unreadable(_)), "one event in two lines");
}

#[test]
fn a_model_that_failed_before_any_content_has_given_no_answer() {
    let previewed = |body: &str, ended| {
        let mut observer = Observer::new(Dialect::Gemini, false, &headers("text/event-stream"));
        observer.see(body.as_bytes(), 0);
        observer.preview(body.as_bytes(), ended, &[])
    };
    let finish = |reason: &str| format!("data: {{\"candidates\":[{{\"finishReason\":\"{reason}\"}}]}}\n\n");
    let text = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n";
    let botched = finish("MALFORMED_FUNCTION_CALL");
    assert_eq!(previewed(&botched, false), Preview::Wait);
    assert_eq!(previewed(&botched, true), Preview::Empty);
    assert_eq!(previewed(&format!("{text}{botched}"), true), Preview::Good);
    assert_eq!(previewed(&finish("STOP"), true), Preview::Good, "the model may have nothing to say");
}

#[test]
fn an_error_before_any_content_is_no_answer_and_tells_its_status() {
    let error = r#"{"error":{"code":429,"message":"slow down"}}"#;
    let wanted = |status| Preview::Error { status, body: error.as_bytes().to_vec() };
    assert_eq!(previewed("text/event-stream", &format!("data: {error}\n\n"), false), wanted(Some(429)));
    assert_eq!(previewed("application/json", error, true), wanted(Some(429)));
    assert_eq!(previewed("application/json", error, false), Preview::Wait);
    for (failed, status) in [
        (r#"{"choices":[],"error":{"message":"x"}}"#, None),
        (r#"{"status":"failed","error":{"code":"server_error"},"output":[{"type":"message"}]}"#, Some(500)),
        (r#"{"status":"failed","error":{"code":"rate_limit_exceeded"},"output":[]}"#, Some(429)),
    ] {
        let wanted = Preview::Error { status, body: failed.as_bytes().to_vec() };
        assert_eq!(previewed("application/json", failed, true), wanted, "{failed}");
    }
    for fine in [
        r#"{"choices":[{}],"error":{"message":"x"}}"#,
        r#"{"status":"incomplete","error":{"code":"x"},"output":[{"type":"message"}]}"#,
        r#"{"data":[],"error":"x"}"#,
        r#"{"error":null}"#,
        r#"{"a":"\"error\""}"#,
        "\"error\"",
    ] {
        assert_eq!(previewed("application/json", fine, true), Preview::Good, "{fine}");
    }
}

#[test]
fn a_text_the_catalog_names_and_a_web_page_are_no_answers() {
    let balance = r#"{"choices":[{"message":{"content":"insufficient balance"}}]}"#;
    assert!(matches!(previewed("application/json", balance, true), Preview::Error { status: None, .. }));
    let streamed = "data: {\"choices\":[{\"delta\":{\"content\":\"insufficient balance\"}}]}\n\n";
    assert!(matches!(previewed("text/event-stream", streamed, false), Preview::Error { status: None, .. }));
    let escaped = balance.replace("balance", "\\u0062alance");
    assert!(matches!(previewed("application/json", &escaped, true), Preview::Error { status: None, .. }));
    assert_eq!(previewed("text/html; charset=utf-8", "<html>", false), Preview::Page);
    assert_eq!(previewed("audio/mpeg", "\u{1}", false), Preview::Good);
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

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,",
    "\"cache_read_input_tokens\":8,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hé\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},",
    "\"usage\":{\"output_tokens\":7}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);
const RESPONSES: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null,\"usage\":null}}\n\n",
    "event: x\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hé\"}\n\n",
    "event: x\ndata: {\"type\":\"response.completed\",\"response\":{\"error\":null,\"usage\":{\"input_tokens\":11,",
    "\"input_tokens_details\":{\"cached_tokens\":8},\"output_tokens\":7}}}\n\n",
);
const GEMINI: &str = concat!(
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hé\"}]}}],\"usageMetadata\":{\"promptTokenCount\":11}}\r\n\r\n",
    "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":11,",
    "\"cachedContentTokenCount\":8,\"candidatesTokenCount\":7}}\r\n\r\n",
);

#[test]
fn a_stream_of_any_dialect_is_read_the_same_however_it_is_split() {
    let array = format!("[{}]", GEMINI.trim_end().replace("\r\n\r\ndata: ", ",\r\n").replace("data: ", ""));
    for (dialect, media_type, stream) in [
        (Dialect::Anthropic, "text/event-stream", ANTHROPIC),
        (Dialect::OpenaiResponses, "text/event-stream", RESPONSES),
        (Dialect::Gemini, "text/event-stream", GEMINI),
        (Dialect::Gemini, "application/json", &array),
    ] {
        for size in 1..stream.len() {
            let mut observer = Observer::new(dialect, media_type == "application/json", &headers(media_type));
            let pieces = stream.as_bytes().chunks(size);
            pieces.for_each(|piece| observer.see(piece, 5));
            let seen = observer.finish();
            assert_eq!(seen.usage, Usage { cache_read_tokens: Some(8), ..known(11, 7) }, "{dialect:?} {size}");
            assert_eq!((seen.first_content_ms, seen.unfinished, seen.error), (Some(5), false, None));
        }
    }
}

#[test]
fn a_stream_that_ends_without_its_end_is_unfinished_in_every_dialect() {
    for (dialect, stream) in
        [(Dialect::Anthropic, ANTHROPIC), (Dialect::OpenaiResponses, RESPONSES), (Dialect::Gemini, GEMINI)]
    {
        let cut = stream.find("hé").expect("content");
        let mut observer = Observer::new(dialect, false, &headers("text/event-stream"));
        observer.see(&stream.as_bytes()[..cut], 0);
        assert!(observer.finish().unfinished, "{dialect:?}");
    }
}

#[test]
fn an_error_before_the_content_of_any_dialect_is_no_answer() {
    let anthropic = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#;
    let gemini = r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#;
    for (dialect, event, status, body) in [
        (Dialect::Anthropic, anthropic, 529, anthropic),
        (
            Dialect::OpenaiResponses,
            r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null,"sequence_number":1}"#,
            429,
            r#"{"error":{"code":"rate_limit_exceeded","message":"m","param":null}}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
            500,
            r#"{"error":{"code":"server_error","message":"m"}}"#,
        ),
        (
            Dialect::OpenaiResponses,
            r#"{"type":"response.done","response":{"status":"failed","error":{"code":"context_length_exceeded"}}}"#,
            400,
            r#"{"error":{"code":"context_length_exceeded"}}"#,
        ),
        (Dialect::Gemini, gemini, 503, gemini),
    ] {
        let mut observer = Observer::new(dialect, false, &headers("text/event-stream"));
        let bytes = format!("event: e\ndata: {event}\n\n").into_bytes();
        observer.see(&bytes, 0);
        let preview = observer.preview(&bytes, false, &[]);
        assert_eq!(preview, Preview::Error { status: Some(status), body: body.as_bytes().to_vec() });
    }
}

#[test]
fn the_usage_of_a_whole_answer_is_found_in_every_dialect() {
    for (dialect, body) in [
        (
            Dialect::Anthropic,
            r#"{"content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":8,"output_tokens":7}}"#,
        ),
        (
            Dialect::Gemini,
            r#"{"usageMetadata":{"promptTokenCount":11,"cachedContentTokenCount":8,"candidatesTokenCount":7}}"#,
        ),
    ] {
        let mut observer = Observer::new(dialect, false, &headers("application/json"));
        observer.see(body.as_bytes(), 0);
        assert_eq!(observer.finish().usage, Usage { cache_read_tokens: Some(8), ..known(11, 7) }, "{dialect:?}");
    }
}

/// What the observer says when this much of a stream has come.
fn so_far(dialect: Dialect, stream: &str) -> SoFar {
    let mut observer = Observer::new(dialect, false, &headers("text/event-stream")).of_chat(true);
    observer.see(stream.as_bytes(), 0);
    observer.so_far()
}

#[test]
fn an_answer_ends_with_its_dialects_last_event_and_the_blank_line_behind_it() {
    let responses = |kind: &str| format!("data: {{\"type\":\"response.{kind}\",\"response\":{{}}}}\n\n");
    let error = r#"data: {"type":"error","error":{"type":"overloaded_error","message":"m"}}"#;
    for (dialect, last) in [
        (Dialect::OpenaiChat, "data: [DONE]\n\n".to_owned()),
        (Dialect::OpenaiChat, "data:[DONE]\r\n\r\n".to_owned()),
        (Dialect::Anthropic, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".to_owned()),
        (Dialect::Anthropic, "event: message_stop\ndata: {}\n\n".to_owned()),
        (Dialect::Anthropic, format!("event: error\n{error}\n\n")),
        (Dialect::OpenaiResponses, responses("completed")),
        (Dialect::OpenaiResponses, responses("incomplete")),
        (Dialect::OpenaiResponses, responses("failed")),
        (Dialect::OpenaiResponses, responses("done")),
        (Dialect::OpenaiResponses, "data: {\"type\":\"error\",\"message\":\"m\"}\n\n".to_owned()),
    ] {
        for begun in [String::new(), texts(dialect, &[5, 7]).concat()] {
            let stream = format!("{begun}{last}");
            let without_blank = stream.trim_end_matches(['\r', '\n']);
            assert!(so_far(dialect, &stream).has_ended, "{stream}");
            assert!(!so_far(dialect, without_blank).has_ended, "{stream}");
            let in_line = so_far(dialect, &format!("{without_blank}\n"));
            assert!(in_line.is_settled && in_line.ends_in_silence && !in_line.has_ended, "{stream}");
        }
    }
    for not_last in ["data: [DONE\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}\n\n"] {
        assert!(!so_far(Dialect::OpenaiChat, not_last).has_ended, "{not_last}");
    }
    assert!(!so_far(Dialect::OpenaiResponses, "data: {\"type\":\"response.output_text.done\"}\n\n").has_ended);
}

#[test]
fn what_comes_behind_the_last_event_is_none_of_the_answer() {
    for (stream, behind) in [
        ("data: [DONE]\n\n", 0),
        ("data: [DONE]\n\ndata: more\n\n", 12),
        ("data: [DONE]\r\n\r\n", 0),
        ("data: [DONE]\r\n\r\n\r\n", 2),
        ("data: [DONE]\r\rx", 1),
        ("data: [DONE]\n", 0),
    ] {
        let mut observer = Observer::new(Dialect::OpenaiChat, false, &headers("text/event-stream")).of_chat(true);
        observer.see(stream.as_bytes(), 0);
        assert_eq!(observer.so_far().behind_end, behind, "{stream:?}");
        observer.see(b"data: even more", 0);
        let ended = stream != "data: [DONE]\n";
        assert_eq!(observer.so_far().behind_end, if ended { 15 } else { 0 }, "{stream:?}");
        assert_eq!(observer.finish().bytes, (stream.len() - behind + if ended { 0 } else { 15 }) as u64, "{stream:?}");
    }
}

#[test]
fn an_answer_without_a_last_event_is_settled_by_its_reason_until_more_is_said() {
    let chat = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";
    assert!(!so_far(Dialect::OpenaiChat, chat).is_settled, "`[DONE]` is to come");
    let failed = so_far(Dialect::OpenaiChat, "data: {\"error\":{\"message\":\"m\"}}\n\n");
    assert!(failed.is_settled && failed.ends_in_silence);
    let gemini = |parts: &str, reason: &str| {
        format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{parts}]}}{reason}}}]}}\n\n")
    };
    let (text, stop) = (gemini(r#"{"text":"a"}"#, ""), gemini("", r#","finishReason":"STOP""#));
    for (stream, settled) in [
        (text.clone(), false),
        (format!("{text}{stop}"), true),
        (gemini(r#"{"text":"a"}"#, r#","finishReason":"STOP""#), true),
        (format!("{stop}{text}"), false),
        (format!("{stop}{text}{stop}"), true),
        (format!("{}{stop}", text.replace("{\"content", "{\"index\":1,\"content")), false),
        (format!("{text}{stop}data: {{\"usageMetadata\":{{}}}}\n\n"), true),
    ] {
        let seen = so_far(Dialect::Gemini, &stream);
        assert_eq!((seen.is_settled, seen.ends_in_silence, seen.has_ended), (settled, settled, false), "{stream}");
    }
}

#[test]
fn a_document_is_settled_when_its_outermost_bracket_closes() {
    for (body, settled) in
        [(r#"{"choices":[{}]"#, false), (r#"{"choices":["}"]}"#, true), ("{}  ", true), ("]}", false)]
    {
        let mut observer = Observer::new(Dialect::OpenaiChat, false, &headers("application/json")).of_chat(true);
        observer.see(body.as_bytes(), 0);
        let seen = observer.so_far();
        assert_eq!((seen.is_settled, seen.ends_in_silence), (settled, settled), "{body}");
    }
}
