use serde_json::json;

use super::*;
use crate::neutral::OwnError;

fn with_status(status: u16) -> ApiError {
    ApiError { message: "later".to_owned(), status: Some(status), ..ApiError::default() }
}

fn known(usage: Usage) -> [Option<u64>; 5] {
    let Usage { input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens } = usage;
    [input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens]
}

#[test]
fn usage_means_the_same_in_every_dialect() {
    let same = [Some(100), Some(60), None, Some(30), Some(20)];
    let openai = json!({ "prompt_tokens": 100, "prompt_tokens_details": { "cached_tokens": 60 },
        "completion_tokens": 30, "completion_tokens_details": { "reasoning_tokens": 20 } });
    let responses = json!({ "input_tokens": 100, "input_tokens_details": { "cached_tokens": 60 },
        "output_tokens": 30, "output_tokens_details": { "reasoning_tokens": 20 } });
    let gemini = json!({ "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 10,
        "thoughtsTokenCount": 20 });
    assert_eq!(known(Dialect::OpenaiChat.usage(&openai)), same);
    assert_eq!(known(Dialect::OpenaiResponses.usage(&responses)), same);
    assert_eq!(known(Dialect::Gemini.usage(&gemini)), same);
    let anthropic = json!({ "input_tokens": 30, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10,
        "output_tokens": 30 });
    assert_eq!(known(Dialect::Anthropic.usage(&anthropic)), [Some(100), Some(60), Some(10), Some(30), None]);
}

#[test]
fn what_no_provider_says_is_unknown_and_not_zero() {
    for dialect in Dialect::ALL {
        assert!(dialect.usage(&json!({})).is_unknown(), "{dialect:?}");
        for odd in [json!(-1), json!(1.5), json!("7"), json!(u64::MAX), json!(null)] {
            let usage = json!({ "prompt_tokens": odd, "input_tokens": odd, "promptTokenCount": odd });
            assert!(dialect.usage(&usage).is_unknown(), "{dialect:?} {odd}");
        }
    }
}

#[test]
fn an_error_has_the_shape_its_dialect_documents() {
    let own = OwnError { retry_after_s: Some(90), is_budget: false };
    let later = ApiError { code: Some("insufficient_quota".to_owned()), own: Some(own), ..with_status(429) };
    let error = |dialect: Dialect| dialect.error(&later, "r-1");
    let openai = json!({ "error": { "message": "later", "type": "insufficient_quota", "param": null,
        "code": "insufficient_quota" } });
    assert_eq!(error(Dialect::OpenaiChat), openai);
    assert_eq!(error(Dialect::OpenaiResponses), openai);
    let anthropic =
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "later" }, "request_id": "r-1" });
    assert_eq!(error(Dialect::Anthropic), anthropic);
    let gemini = error(Dialect::Gemini);
    assert_eq!((&gemini["error"]["code"], &gemini["error"]["status"]), (&json!(429), &json!("RESOURCE_EXHAUSTED")));
    let details = gemini["error"]["details"].as_array().expect("details");
    let kinds: Vec<&str> = details.iter().filter_map(|detail| detail["@type"].as_str()).collect();
    assert!(kinds[0].ends_with("QuotaFailure") && kinds[1].ends_with("RetryInfo"), "{kinds:?}");
    assert_eq!(details[1]["retryDelay"], "90s");
}

#[test]
fn an_error_in_a_stream_is_one_event_that_its_readers_take_for_one() {
    let error = ApiError::bad_gateway("a\nb");
    for dialect in Dialect::ALL {
        let event = String::from_utf8(dialect.error_event(&dialect.error(&error, "r-1"), "r-1")).expect("text");
        assert!(event.ends_with("}\n\n") && event.matches("\n\n").count() == 1, "{event}");
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
        let event: Value = serde_json::from_str(data).expect("JSON");
        assert!(dialect.see(&event).error.is_some(), "{dialect:?}");
    }
}

#[test]
fn content_is_what_a_reader_would_see_and_not_the_frame_around_it() {
    let content = [
        (Dialect::OpenaiChat, json!({ "choices": [{ "delta": { "content": "a" } }] })),
        (Dialect::OpenaiChat, json!({ "choices": [{ "delta": { "reasoning_content": "a" } }] })),
        (Dialect::OpenaiChat, json!({ "type": "transcript.text.delta", "delta": "a" })),
        (Dialect::OpenaiChat, json!({ "type": "speech.audio.delta", "audio": "AA" })),
        (Dialect::OpenaiResponses, json!({ "type": "response.output_text.delta", "delta": "a" })),
        (Dialect::OpenaiResponses, json!({ "type": "response.reasoning_summary_text.delta", "delta": "a" })),
        (
            Dialect::OpenaiResponses,
            json!({ "type": "response.output_item.added", "item": { "type": "function_call" } }),
        ),
        (Dialect::Anthropic, json!({ "type": "content_block_start", "content_block": { "type": "tool_use" } })),
        (Dialect::Anthropic, json!({ "type": "content_block_delta", "delta": { "type": "text_delta", "text": "a" } })),
        (Dialect::Anthropic, json!({ "type": "content_block_delta", "delta": { "thinking": "a" } })),
        (Dialect::Gemini, json!({ "candidates": [{ "content": { "parts": [{ "text": "a" }] } }] })),
        (Dialect::Gemini, json!({ "candidates": [{ "content": { "parts": [{ "functionCall": { "name": "f" } }] } }] })),
    ];
    for (dialect, event) in &content {
        assert!(dialect.see(event).content, "{event}");
    }
    let frame = [
        (Dialect::OpenaiChat, json!({ "choices": [{ "delta": { "role": "assistant", "content": "" } }] })),
        (Dialect::OpenaiResponses, json!({ "type": "response.created", "response": { "error": null } })),
        (Dialect::OpenaiResponses, json!({ "type": "response.output_item.added", "item": { "type": "message" } })),
        (Dialect::Anthropic, json!({ "type": "message_start", "message": { "content": [] } })),
        (Dialect::Anthropic, json!({ "type": "content_block_start", "content_block": { "type": "text", "text": "" } })),
        (Dialect::Anthropic, json!({ "type": "ping" })),
        (Dialect::Gemini, json!({ "candidates": [{ "content": { "parts": [{ "text": "" }] } }] })),
        (Dialect::Gemini, json!({ "candidates": [{ "finishReason": "STOP" }] })),
    ];
    for (dialect, event) in &frame {
        let seen = dialect.see(event);
        assert!(!seen.content && seen.error.is_none(), "{event}");
    }
}

#[test]
fn every_dialect_says_when_an_answer_is_finished() {
    let finished = [
        (Dialect::OpenaiChat, json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] })),
        (Dialect::OpenaiChat, json!({ "type": "transcript.text.done", "text": "a" })),
        (Dialect::OpenaiChat, json!({ "type": "speech.audio.done" })),
        (Dialect::OpenaiChat, json!({ "type": "image_generation.completed" })),
        (Dialect::OpenaiResponses, json!({ "type": "response.completed", "response": {} })),
        (Dialect::OpenaiResponses, json!({ "type": "response.incomplete", "response": {} })),
        (Dialect::Anthropic, json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" } })),
        (Dialect::Gemini, json!({ "candidates": [{ "finishReason": "MAX_TOKENS" }] })),
        (Dialect::Gemini, json!({ "promptFeedback": { "blockReason": "SAFETY" } })),
    ];
    for (dialect, event) in &finished {
        assert!(dialect.see(event).finish, "{event}");
        let text = event.to_string().into_bytes();
        assert!(dialect.room().telling.are_in(&text), "after the first content {event} would be read over");
    }
    assert!(!Dialect::OpenaiChat.see(&json!({ "choices": [{ "delta": {}, "finish_reason": "" }] })).finish);
}

/// The type or status word of an error with this status.
fn word(dialect: Dialect, status: u16) -> String {
    let body = dialect.error(&with_status(status), "r-1");
    let name = if dialect == Dialect::Gemini { "status" } else { "type" };
    body["error"][name].as_str().expect("a word").to_owned()
}

#[test]
fn every_status_has_one_word_in_each_dialect() {
    let table = [
        (400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
        (401, "authentication_error", "authentication_error", "UNAUTHENTICATED"),
        (402, "invalid_request_error", "billing_error", "RESOURCE_EXHAUSTED"),
        (403, "permission_error", "permission_error", "PERMISSION_DENIED"),
        (404, "invalid_request_error", "not_found_error", "NOT_FOUND"),
        (405, "invalid_request_error", "invalid_request_error", "NOT_FOUND"),
        (408, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
        (409, "invalid_request_error", "conflict_error", "ABORTED"),
        (413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
        (422, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
        (429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        (499, "invalid_request_error", "invalid_request_error", "CANCELLED"),
        (500, "server_error", "api_error", "INTERNAL"),
        (501, "server_error", "api_error", "UNIMPLEMENTED"),
        (502, "server_error", "api_error", "UNAVAILABLE"),
        (503, "server_error", "overloaded_error", "UNAVAILABLE"),
        (504, "server_error", "timeout_error", "DEADLINE_EXCEEDED"),
        (508, "server_error", "api_error", "INTERNAL"),
        (529, "server_error", "overloaded_error", "UNAVAILABLE"),
    ];
    for (status, openai, anthropic, gemini) in table {
        let words = Dialect::ALL.map(|dialect| word(dialect, status));
        assert_eq!(words, [openai, openai, anthropic, gemini], "{status}");
    }
}

fn every_status() -> impl Iterator<Item = (Dialect, u16)> {
    Dialect::ALL.into_iter().flat_map(|dialect| (400..600).map(move |status| (dialect, status)))
}

#[test]
fn llmios_own_errors_and_a_providers_have_the_same_words() {
    for (dialect, status) in every_status() {
        let own = ApiError { own: Some(OwnError::default()), ..with_status(status) };
        assert_eq!(dialect.error(&own, "r-1")["error"], dialect.error(&with_status(status), "r-1")["error"]);
    }
}

#[test]
fn a_word_that_is_written_is_read_as_its_status() {
    for (dialect, status) in every_status() {
        let body = dialect.error(&with_status(status), "r-1");
        let words = json!({ "type": body["error"]["type"], "status": body["error"]["status"] });
        let read = status_of(&words).expect("a status");
        assert_eq!(word(dialect, read), word(dialect, status), "{dialect:?} {status}");
    }
}

#[test]
fn an_overloaded_provider_is_called_so_whole_and_in_a_stream() {
    let error = Dialect::OpenaiChat.read_error(529, br#"{"error":{"message":"Overloaded"}}"#);
    let body = Dialect::Anthropic.error(&error, "r-1");
    assert_eq!(body["error"], json!({ "type": "overloaded_error", "message": "Overloaded" }));
    let event = String::from_utf8(Dialect::Anthropic.error_event(&body, "r-1")).expect("text");
    assert_eq!(event, format!("event: error\ndata: {body}\n\n"));
}

#[test]
fn a_conversation_that_is_too_long_is_said_in_the_words_clients_look_for() {
    let error = ApiError { is_too_long: true, ..with_status(400) };
    assert_eq!(Dialect::OpenaiChat.error(&error, "r-1")["error"]["code"], "context_length_exceeded");
    assert_eq!(Dialect::OpenaiResponses.error(&error, "r-1")["error"]["code"], "context_length_exceeded");
    assert_eq!(Dialect::Anthropic.error(&error, "r-1")["error"]["message"], "prompt is too long: later");
    assert_eq!(Dialect::Gemini.error(&error, "r-1")["error"]["message"], "later");
}
