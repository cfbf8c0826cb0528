//! Limits of time: before the head the next target is tried, after it the client learns that the answer is cut.

use std::time::Instant;

use crate::common::{End, Gateway, Host, PATIENCE, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, event};

both_hosts![
    a_provider_that_does_not_answer_in_time_is_passed_over,
    with_nobody_answering_in_time_the_answer_is_504,
    silence_in_the_middle_of_a_stream_ends_it_with_an_error_and_a_cut,
    silence_in_the_middle_of_a_json_answer_cuts_it,
    a_stream_that_keeps_coming_is_not_idle,
    the_total_time_ends_a_stream_that_keeps_coming,
];

fn a_provider_that_does_not_answer_in_time_is_passed_over(host: Host) {
    let silent = Upstream::answering(Answer::nothing().wait());
    // The limit is the model's; only the built-in provider is sure to keep it on however busy a machine.
    let gateway = Gateway::on(host).provider("a", &silent).catalog("[[providers]]\npreset = \"echo\"\n");
    let fields = r#"timeouts = { first_byte = "200ms" }"#;
    let gateway = gateway.model_with("m", fields, &["a/up", "echo/x"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.header("x-llmio-target")), (200, Some("echo/x")), "{}", response.text());
    assert_eq!(response.json()["choices"][0]["message"]["content"], "You said: Hello");
    assert!(silent.is_hung_up_within(PATIENCE), "the attempt that was given up stays open");
    let record = gateway.record(&response);
    assert_eq!((&record["attempts"][0]["class"], &record["state"]), (&"target".into(), &"ok".into()));
    let providers = record["attempts"].as_array().expect("attempts").iter().map(|attempt| &attempt["provider"]);
    assert_eq!(providers.collect::<Vec<_>>(), ["a", "echo"], "{record}");
    assert_eq!(record["attempts"][0]["error"], "did not answer in time");
    let times = ["start_ms", "end_ms"].map(|name| record["attempts"][0][name].as_u64().expect("a time"));
    assert!(times[1] - times[0] >= 200, "{record}");
}

fn with_nobody_answering_in_time_the_answer_is_504(host: Host) {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let gateway = Gateway::on(host).provider("a", &upstream);
    let gateway = gateway.model_with("m", r#"timeouts = { first_byte = "100ms" }"#, &["a/1", "a/2"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!((response.status, response.header("x-should-retry")), (504, Some("false")));
    assert_eq!(response.openai_error().code, "first_byte_timeout");
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["status"]), (&"first_byte_timeout".into(), &504.into()));
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(2));
}

fn silence_in_the_middle_of_a_stream_ends_it_with_an_error_and_a_cut(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).in_one_write().wait());
    let gateway = Gateway::on(host).provider("a", &upstream);
    let gateway = gateway.model_with("m", r#"timeouts = { idle = "200ms" }"#, &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!((response.status, response.end), (200, End::Cut));
    let text = response.text();
    let error = text.strip_prefix(&event("one")).and_then(|rest| rest.strip_prefix("data: ")).expect("an error event");
    let error: serde_json::Value = serde_json::from_str(error.trim_end()).expect("JSON");
    assert_eq!(error["error"]["code"], "idle_timeout");
    assert!(upstream.is_hung_up_within(PATIENCE), "the provider goes on unheard");
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["status"]), (&"idle_timeout".into(), &200.into()));
}

fn silence_in_the_middle_of_a_json_answer_cuts_it(host: Host) {
    // Beyond what is held back, so that some of it has reached the client.
    let begun = format!("{{\"half\":{}", " ".repeat(100_000));
    let answer = Answer::announcing(200, "content-type: application/json", 200_000).raw(&begun);
    let gateway = Gateway::on(host).provider("a", &Upstream::answering(answer.in_one_write().wait()));
    let gateway = gateway.model_with("m", r#"timeouts = { idle = "200ms" }"#, &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.text() == begun, response.end), (true, End::Cut));
    assert_eq!(gateway.record(&response)["state"], "idle_timeout");
}

fn a_stream_that_keeps_coming_is_not_idle(host: Host) {
    let upstream = Upstream::answering(Answer::stream().drip(": still there\n\n"));
    let gateway = Gateway::on(host).provider("a", &upstream);
    let gateway = gateway.model_with("m", r#"timeouts = { idle = "400ms" }"#, &["a/up"]).start();
    let lasts = || {
        let mut stream = gateway.open(&streamed_chat("m"));
        let start = Instant::now();
        while start.elapsed().as_millis() < 900 {
            if stream.next().is_none() {
                return false;
            }
        }
        true
    };
    // On a busy machine the provider of one attempt may really be silent for 400 ms.
    assert!((0..5).any(|_| lasts()), "ended each time though the provider is never silent for 400 ms");
}

fn the_total_time_ends_a_stream_that_keeps_coming(host: Host) {
    let upstream = Upstream::answering(Answer::stream().drip(&event("more")));
    let gateway = Gateway::on(host).provider("a", &upstream);
    let gateway = gateway.model_with("m", r#"timeouts = { total = "2s" }"#, &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!(response.end, End::Cut);
    assert!(response.text().contains("total_timeout"), "{}", response.text());
    assert!(upstream.is_hung_up_within(PATIENCE), "the provider goes on unheard");
    assert_eq!(gateway.record(&response)["state"], "total_timeout");
}
