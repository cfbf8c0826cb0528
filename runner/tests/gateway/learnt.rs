//! What providers say about their own limits: obeyed without a refusal first, and shown.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Gateway, Host, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    a_provider_that_says_nothing_is_left_is_left_alone_until_its_reset,
    a_stream_tells_it_too_and_its_own_good_end_does_not_take_it_back,
    a_daily_limit_that_a_provider_tells_is_shown_by_every_instance,
    a_quota_that_an_error_names_is_shown_with_its_size,
    free_models_that_are_used_up_leave_the_paid_ones_of_their_key,
    an_account_that_an_error_calls_used_up_rests_on_all_its_models,
];

/// A good answer with these headers.
fn telling(headers: &str) -> Answer {
    Answer::whole(200, &format!("content-type: application/json\r\n{headers}"), &completion("from a"))
}

fn a_provider_that_says_nothing_is_left_is_left_alone_until_its_reset(host: Host) {
    let last = "x-ratelimit-limit-requests: 3\r\nx-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 2s";
    let (first, second) = (Upstream::saying("from a").then([telling(last)]), Upstream::saying("from b"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let mut connection = gateway.connect();
    let start = Instant::now();
    assert_eq!(connection.exchange(&chat("m")).text(), completion("from a"), "the answer that told it is good");
    let next = connection.exchange(&chat("m"));
    assert_eq!(next.text(), completion("from b"));
    let skipped = gateway.record(&next)["decision"]["skipped"][0].clone();
    assert_eq!((&skipped["target"], &skipped["reason"]), (&json!("a/up"), &json!("quota_spent")));
    assert_eq!(skipped["said"], "the provider says that 0 of 3 requests are left");
    while first.received().len() == 1 {
        // Not as fast as can be: an instance of Spin's serves 128 calls, and the next one knows what is published by then.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(connection.exchange(&chat("m")).status, 200);
        assert!(start.elapsed() < Duration::from_secs(30), "it is never asked again");
    }
    assert!(start.elapsed() >= Duration::from_secs(2), "asked again after {:?}", start.elapsed());
}

fn a_stream_tells_it_too_and_its_own_good_end_does_not_take_it_back(host: Host) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\
        anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 0\r\n";
    let reset = far_from_now();
    let headers = format!("{head}anthropic-ratelimit-requests-reset: {reset}\r\n\r\n{}{}", event("Hi"), last_events());
    let (first, second) = (Upstream::saying("from a"), Upstream::saying("from b"));
    let first = first.then([Answer::nothing().raw(headers).cut()]);
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let mut connection = gateway.connect();
    assert_eq!(gateway.record(&connection.exchange(&streamed_chat("m")))["state"], "ok");
    for _ in 0..10 {
        assert_eq!(connection.exchange(&chat("m")).text(), completion("from b"));
    }
    assert_eq!(first.received().len(), 1);
    let subject = eventually("the others learn of it", || {
        gateway.admin("GET", "/api/health", "").json()["subjects"].get(0).cloned()
    });
    assert_eq!((&subject["trouble"], &subject["kind"]), (&json!("spent"), &json!("lane")), "{subject}");
}

/// A time that no test waits for, as Anthropic writes it.
fn far_from_now() -> String {
    let now = std::time::SystemTime::now() + Duration::from_secs(300);
    jiff::Timestamp::try_from(now).expect("a time").to_string()
}

/// The only limit learnt.
fn learnt(gateway: &Gateway) -> Option<Value> {
    let quota = gateway.admin("GET", "/api/quota", "").json();
    quota["learnt"].get(0).cloned()
}

fn a_daily_limit_that_a_provider_tells_is_shown_by_every_instance(host: Host) {
    let headers =
        "modelscope-ratelimit-model-requests-limit: 500\r\nmodelscope-ratelimit-model-requests-remaining: 499";
    let upstream = Upstream::answering(telling(headers));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    let shown = eventually("it is shown", || learnt(&gateway));
    let name = shown["name"].as_str().unwrap_or_default();
    assert!(name.starts_with("a ") && name.ends_with(" on up"), "{shown}");
    assert_eq!(
        [&shown["what"], &shown["per"], &shown["limit"], &shown["remaining"], &shown["over"]],
        [&json!("requests"), &json!("day"), &json!(500), &json!(499), &json!(false)]
    );
    let (at, until) = (shown["as_of_ms"].as_i64().expect("a time"), shown["resets_at_ms"].as_i64().expect("a time"));
    assert!(until > at && until <= at + 24 * 3_600_000, "{shown}");
    // Each on a connection of its own, so that other instances answer too.
    for _ in 0..8 {
        let seen = eventually("every instance shows it", || learnt(&gateway));
        assert_eq!(seen["limit"], 500);
    }
}

fn a_quota_that_an_error_names_is_shown_with_its_size(host: Host) {
    let error = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
        {"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"20"}]}]}}"#;
    let upstream = Upstream::answering(Answer::json(429, error));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/gemini-2.5-flash"]).start();
    assert_eq!(gateway.send(&chat("m")).status, 429);
    let shown = eventually("it is shown", || learnt(&gateway));
    assert_eq!((&shown["limit"], &shown["remaining"], &shown["per"]), (&json!(20), &json!(0), &json!("day")));
}

fn an_account_that_an_error_calls_used_up_rests_on_all_its_models(host: Host) {
    let headers = "content-type: application/json\r\nmodelscope-ratelimit-requests-limit: 2000\r\n\
        modelscope-ratelimit-requests-remaining: 0\r\nmodelscope-ratelimit-model-requests-remaining: 7";
    let first =
        Upstream::answering(Answer::whole(429, headers, r#"{"errors":{"message":"You have exceeded your quota"}}"#));
    let second = Upstream::saying("from b");
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second);
    let gateway = gateway.model("m", &["a/up-1", "b/up"]).model("n", &["a/up-2", "b/up"]).start();
    let mut connection = gateway.connect();
    for model in ["m", "n", "m", "n"] {
        assert_eq!(connection.exchange(&chat(model)).text(), completion("from b"));
    }
    assert_eq!(first.received().len(), 1);
}

fn free_models_that_are_used_up_leave_the_paid_ones_of_their_key(host: Host) {
    let spent = r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. ","code":429}}"#;
    let (first, second) = (Upstream::saying("from a").then([Answer::json(429, spent)]), Upstream::saying("from b"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second);
    let gateway =
        gateway.model("m", &["a/x:free", "b/up"]).model("n", &["a/y:free", "b/up"]).model("o", &["a/x"]).start();
    let mut connection = gateway.connect();
    for (model, answer) in [("m", "from b"), ("n", "from b"), ("o", "from a"), ("m", "from b")] {
        assert_eq!(connection.exchange(&chat(model)).text(), completion(answer), "{model}");
    }
    assert_eq!(first.received().len(), 2);
}
