//! What the first bytes of an answer say before any of it is given to the client.

use super::*;

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
    assert_eq!(plain("{\"choices\":[{\"message\":{\"content\":\"a\"}}]}", true), Preview::Good);
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
    assert_eq!(
        of_chat(&headers("text/html"), b"{\"choices\":[{\"message\":{\"content\":\"a\"}}]}", true),
        Preview::Good
    );
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
    let expected = |status| Preview::Error { status, body: error.as_bytes().to_vec() };
    assert_eq!(previewed("text/event-stream", &format!("data: {error}\n\n"), false), expected(Some(429)));
    assert_eq!(previewed("application/json", error, true), expected(Some(429)));
    assert_eq!(previewed("application/json", error, false), Preview::Wait);
    for (failed, status) in [
        (r#"{"choices":[],"error":{"message":"x"}}"#, None),
        (r#"{"status":"failed","error":{"code":"server_error"},"output":[{"type":"message"}]}"#, Some(500)),
        (r#"{"status":"failed","error":{"code":"rate_limit_exceeded"},"output":[]}"#, Some(429)),
    ] {
        let expected = Preview::Error { status, body: failed.as_bytes().to_vec() };
        assert_eq!(previewed("application/json", failed, true), expected, "{failed}");
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
