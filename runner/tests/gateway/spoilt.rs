//! No event of a provider's answer vanishes: what is nearly JSON is read, and what cannot be read is reported.

use serde_json::json;

use crate::callers::{calls, gateway, text_of};
use crate::common::{End, Host};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    halves_of_a_character_in_two_events_are_joined,
    a_value_that_cannot_be_read_costs_itself_alone_and_is_told,
    an_event_that_cannot_be_read_ends_a_translated_stream_with_an_error,
    a_picture_of_nine_mib_arrives_in_a_stream,
];

/// A stream whose first event has this text, as JSON writes it, and these members beside.
fn stream(text: &str, more: &str) -> Upstream {
    let first = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}{more}}}]}}\n\n");
    Upstream::answering(Answer::stream().chunk(first).chunk(event("one")).chunk(last_events()).end())
}

fn halves_of_a_character_in_two_events_are_joined(host: Host) {
    let half = |text: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let answer = Answer::stream().chunk(half(r"one \ud83d")).chunk(half(r"\ude00")).chunk(last_events()).end();
    let gateway = gateway(host, &[("openai-chat", Upstream::answering(answer))]);
    for (dialect, call) in calls("m0", true).into_iter().skip(1) {
        let response = gateway.send(&call);
        assert_eq!((response.status, response.end), (200, End::Clean), "{dialect}: {}", response.text());
        assert_eq!(text_of(dialect, &response.text()), "one 😀", "{dialect}: {}", response.text());
        let record = gateway.record(&response);
        assert_eq!(
            (&record["state"], record["warnings"].as_array().map_or(0, Vec::len)),
            (&json!("ok"), 0),
            "{record}"
        );
    }
}

fn a_value_that_cannot_be_read_costs_itself_alone_and_is_told(host: Host) {
    let upstream = stream("two ", ",\"logprobs\":{\"content\":[{\"logprob\":-Infinity}]}");
    let gateway = gateway(host, &[("openai-chat", upstream)]);
    for (dialect, call) in calls("m0", true).into_iter().skip(1) {
        let response = gateway.send(&call);
        assert_eq!(text_of(dialect, &response.text()), "two one", "{dialect}: {}", response.text());
        let record = gateway.record(&response);
        assert_eq!(record["state"], "ok", "{dialect}: {record}");
        let warnings = record["warnings"].to_string();
        assert!(warnings.contains("dropped: a value of the answer that cannot be read"), "{dialect}: {record}");
    }
}

fn an_event_that_cannot_be_read_ends_a_translated_stream_with_an_error(host: Host) {
    let broken = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lost\n\n";
    let answer = Answer::stream().chunk(event("one")).chunk(broken).chunk(last_events()).end();
    let gateway = gateway(host, &[("openai-chat", Upstream::answering(answer))]);
    let (_, call) = calls("m0", true)[1].clone();
    let response = gateway.send(&call);
    assert!(response.text().contains("event: error\n"), "{}", response.text());
    assert!(!response.text().contains("message_stop"), "{}", response.text());
    assert_ne!(gateway.record(&response)["state"], "ok");
}

fn a_picture_of_nine_mib_arrives_in_a_stream(host: Host) {
    let data = "iVBORw0K".repeat((9 << 20) / 8);
    let part = json!({ "inlineData": { "mimeType": "image/png", "data": data } });
    let candidate = json!({ "index": 0, "content": { "role": "model", "parts": [part] }, "finishReason": "STOP" });
    let picture = format!("data: {}\n\n", json!({ "candidates": [candidate] }));
    let gateway = gateway(host, &[("gemini", Upstream::answering(Answer::stream().chunk(picture).end()))]);
    for (dialect, call) in [calls("m0", true)[0].clone(), calls("m0", true)[2].clone()] {
        let response = gateway.send(&call);
        assert_eq!((response.status, response.end), (200, End::Clean), "{dialect}");
        assert!(response.text().contains(&data), "{dialect}: the picture is missing");
        assert_eq!(gateway.record(&response)["state"], "ok", "{dialect}");
    }
}
