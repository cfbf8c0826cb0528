//! How answers of each dialect are read, and where they end.

use super::*;

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
fn so_far(dialect: Dialect, stream: &str) -> ObservedSoFar {
    let mut observer = Observer::new(dialect, false, &headers("text/event-stream")).of_chat(true);
    observer.see(stream.as_bytes(), 0);
    observer.so_far()
}

#[test]
fn an_answer_ends_with_its_last_event_and_the_blank_line_behind_it() {
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
fn an_answer_without_a_last_event_is_settled_by_its_reason_at_first() {
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
