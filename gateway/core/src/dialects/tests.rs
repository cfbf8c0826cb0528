use serde_json::json;

use super::*;
use crate::state::State;

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
    let refusal = Refusal::rate_limited("later", true).after(90);
    let error = |dialect: Dialect| dialect.error(&refusal, "r-1");
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
    let refusal = Refusal::bad_gateway(State::UpstreamReset, "a\nb");
    for dialect in Dialect::ALL {
        let event = String::from_utf8(dialect.error_event(&dialect.error(&refusal, "r-1"), "r-1")).expect("text");
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
        let tells = dialect.telling().iter().any(|told| memchr::memmem::find(&text, told).is_some());
        assert!(tells, "after the first content {event} would be read over");
    }
    assert!(!Dialect::OpenaiChat.see(&json!({ "choices": [{ "delta": {}, "finish_reason": "" }] })).finish);
}
