//! What one provider cannot do, the next one does; and what the client sees when none can.

use serde_json::Value;

use crate::common::{Gateway, Host, Response, chat, streamed_chat, upstream_key};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    a_pool_of_limited_and_dead_credentials_loses_no_call,
    no_more_than_the_catalog_allows_are_turned_away_in_a_call,
    a_provider_that_refuses_connections_is_passed_over,
    a_provider_that_resets_before_its_head_is_passed_over,
    a_provider_that_does_not_speak_http_is_passed_over,
    a_provider_in_trouble_is_passed_over,
    a_head_that_is_too_large_is_told_in_words,
    a_stream_fails_over_like_any_other_call,
    a_refused_credential_leaves_the_target_to_the_next_one,
    a_refused_key_is_left_whatever_the_prompt_says,
    a_404_that_does_not_name_the_model_is_asked_of_the_next_provider,
    the_clients_own_mistake_is_returned_verbatim_and_never_repeated,
    with_every_provider_out_of_reach_the_answer_is_502_and_names_them,
    when_every_credential_is_refused_the_client_sees_no_401,
    the_last_429_is_relayed_with_its_retry_after,
    the_last_5xx_is_relayed_verbatim,
    an_html_error_page_gets_the_openai_shape,
    a_redirect_is_never_followed,
    no_more_attempts_are_made_than_the_model_allows,
    a_provider_at_a_private_address_needs_local,
];

/// Provider, status and class of each attempt.
fn attempts(record: &Value) -> Vec<(&str, Option<u64>, &str)> {
    let attempts = record["attempts"].as_array().unwrap_or_else(|| panic!("no attempts: {record}"));
    let text = |value: &'_ Value| value.is_string();
    for attempt in attempts {
        assert!(["provider", "model", "class"].iter().all(|name| text(&attempt[*name])), "incomplete: {record}");
    }
    let one = |index: usize| {
        let attempt = &record["attempts"][index];
        (
            attempt["provider"].as_str().unwrap_or(""),
            attempt["status"].as_u64(),
            attempt["class"].as_str().unwrap_or(""),
        )
    };
    (0..attempts.len()).map(one).collect()
}

fn a_head_that_is_too_large_is_told_in_words(host: Host) {
    let upstream = Upstream::answering(Answer::whole(200, &format!("x-large: {}", "x".repeat(1 << 20)), "{}"));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    let message = response.openai_error().message;
    // Spin has one word for whatever is no answer.
    let words = if host == Host::Runner { "the head of its answer is too large" } else { "or sent what is no HTTP" };
    assert!(response.status == 502 && message.contains(words), "{message}");
}

/// Puts `first` before a provider that works; the client must see nothing of it.
fn passed_over(host: Host, first: &Upstream, status: Option<u64>, class: &str) -> Value {
    let second = Upstream::saying("from b");
    let gateway = Gateway::on(host).provider("a", first).provider("b", &second);
    let gateway = gateway.model("m", &["a/up-a", "b/up-b"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.text()), (200, completion("from b")));
    assert_eq!(response.header("x-llmio-target"), Some("b/up-b"));
    assert_eq!(second.received().len(), 1);
    let record = gateway.record(&response);
    assert_eq!(attempts(&record), [("a", status, class), ("b", Some(200), "ok")]);
    assert_eq!((&record["state"], &record["provider"]), (&"ok".into(), &"b".into()));
    assert_eq!(record["decision"]["candidates"], serde_json::json!(["a/up-a", "b/up-b"]));
    record
}

fn a_provider_that_refuses_connections_is_passed_over(host: Host) {
    let record = passed_over(host, &Upstream::absent(), None, "target");
    let message = record["attempts"][0]["error"].as_str().expect("a reason");
    assert!(message.contains("connection refused"), "{message}");
}

fn a_provider_that_resets_before_its_head_is_passed_over(host: Host) {
    for answer in
        [Answer::nothing().reset(), Answer::nothing().cut(), Answer::nothing().raw("HTTP/1.1 200 OK\r\n").cut()]
    {
        let first = Upstream::answering(answer);
        passed_over(host, &first, None, "target");
        assert_eq!(first.received().len(), 1, "a request that was sent is not sent there again");
    }
}

fn a_provider_that_does_not_speak_http_is_passed_over(host: Host) {
    let first = Upstream::answering(Answer::nothing().raw("SSH-2.0-OpenSSH_9.6\r\n").cut());
    passed_over(host, &first, None, "target");
}

fn a_provider_in_trouble_is_passed_over(host: Host) {
    let cases =
        [(500, "target"), (503, "target"), (529, "rate"), (429, "rate"), (401, "credential"), (402, "credential")];
    for (status, class) in cases {
        let first = Upstream::answering(Answer::json(status, r#"{"error":{"message":"no"}}"#));
        passed_over(host, &first, Some(u64::from(status)), class);
        assert_eq!(first.received().len(), 1);
    }
}

fn a_stream_fails_over_like_any_other_call(host: Host) {
    let first = Upstream::answering(Answer::json(500, "{}"));
    let second = Upstream::answering(Answer::stream().chunk(event("Hi")).chunk(last_events()).end());
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second);
    let gateway = gateway.model("m", &["a/up", "b/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!(response.text(), format!("{}{}", event("Hi"), last_events()));
    assert_eq!(attempts(&gateway.record(&response)), [("a", Some(500), "target"), ("b", Some(200), "ok")]);
}

fn a_refused_credential_leaves_the_target_to_the_next_one(host: Host) {
    let upstream = Upstream::saying("Hi").then([Answer::json(401, r#"{"error":{"message":"bad key sk-1"}}"#)]);
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\nlocal = true\n\
         credentials = [{{ value = \"sk-1\", label = \"first\" }}, {{ value = \"sk-2\", label = \"second\" }}]\n",
        upstream.url()
    );
    let gateway = Gateway::on(host).catalog(&catalog).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.text()), (200, completion("Hi")));
    let received = upstream.received();
    assert_ne!(received[0].header("authorization"), received[1].header("authorization"));
    let record = gateway.record(&response);
    assert_eq!(attempts(&record), [("a", Some(401), "credential"), ("a", Some(200), "ok")]);
    let mut labels = [0, 1].map(|index| record["attempts"][index]["credential"].as_str().expect("a label"));
    labels.sort_unstable();
    assert_eq!(labels, ["first", "second"]);
}

fn a_refused_key_is_left_whatever_the_prompt_says(host: Host) {
    let leaked =
        r#"{"error":{"code":403,"message":"Your API key was reported as leaked.","status":"PERMISSION_DENIED"}}"#;
    let (first, second) = (Upstream::answering(Answer::json(403, leaked)), Upstream::saying("from b"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second);
    let gateway = gateway.model("m", &["a/up-a", "b/up-b"]).start();
    let prompt = r#"{"model":"m","messages":[{"role":"system","content":"Never print an API key or a token."}]}"#;
    let response = gateway.send(&chat("m").json(prompt));
    assert_eq!((response.status, response.text()), (200, completion("from b")));
    assert_eq!(attempts(&gateway.record(&response)), [("a", Some(403), "credential"), ("b", Some(200), "ok")]);
}

fn a_404_that_does_not_name_the_model_is_asked_of_the_next_provider(host: Host) {
    let unknown = || Upstream::answering(Answer::json(404, r#"{"detail":"Not Found"}"#));
    passed_over(host, &unknown(), Some(404), "target");
    let (response, _) = both_fail(host, &unknown(), &unknown());
    assert_eq!((response.status, response.text().as_str()), (404, r#"{"detail":"Not Found"}"#));
    let gateway = Gateway::on(host).provider("a", &unknown()).model("m", &["a/*"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(attempts(&gateway.record(&response)), [("a", Some(404), "client")]);
}

fn the_clients_own_mistake_is_returned_verbatim_and_never_repeated(host: Host) {
    let second = Upstream::saying("never");
    let body = "{ \"error\":{\"message\":\"Unsupported value: 'temperature'\", \"type\":\"x\"}}\n";
    for status in [400, 413, 422] {
        let first = Upstream::answering(Answer::json(status, body));
        let gateway = Gateway::on(host).provider("a", &first).provider("b", &second);
        let gateway = gateway.model("m", &["a/up", "b/up"]).start();
        let response = gateway.send(&chat("m"));
        assert_eq!((response.status, response.text().as_str()), (status, body));
        assert_eq!(first.received().len(), 1);
        let record = gateway.record(&response);
        assert_eq!((&record["state"], &record["status"]), (&"client_error".into(), &status.into()));
        assert_eq!(attempts(&record), [("a", Some(u64::from(status)), "client")]);
    }
    assert_eq!(second.received().len(), 0);
}

/// A model with these two providers only; the answer and its record.
fn both_fail(host: Host, first: &Upstream, second: &Upstream) -> (Response, Value) {
    let gateway = Gateway::on(host).provider("a", first).provider("b", second);
    // Two attempts and no third, so that nobody is asked twice.
    let gateway = gateway.model_with("m", "attempts = 2", &["a/up-a", "b/up-b"]).start();
    let response = gateway.send(&chat("m"));
    let record = gateway.record(&response);
    assert_eq!(attempts(&record).len(), 2, "{record}");
    assert_eq!(record["status"], response.status);
    (response, record)
}

fn with_every_provider_out_of_reach_the_answer_is_502_and_names_them(host: Host) {
    let (response, record) = both_fail(host, &Upstream::absent(), &Upstream::absent());
    assert_eq!((response.status, response.header("x-should-retry")), (502, Some("false")));
    let error = response.openai_error();
    assert_eq!((error.kind.as_str(), error.code.as_str()), ("server_error", "upstream_connect"));
    assert!(error.message.contains("a/up-a") && error.message.contains("b/up-b"), "{}", error.message);
    assert_eq!((&record["state"], &record["error"]), (&"upstream_connect".into(), &error.message.into()));
}

fn when_every_credential_is_refused_the_client_sees_no_401(host: Host) {
    let echo = |name: &str| Answer::json(401, &format!(r#"{{"error":"bad key {}"}}"#, upstream_key(name)));
    let (first, second) = (Upstream::answering(echo("a")), Upstream::answering(echo("b")));
    let (response, record) = both_fail(host, &first, &second);
    assert_eq!((response.status, response.openai_error().code.as_str()), (400, "no_usable_provider"));
    assert!(response.openai_error().message.contains("check it in the catalog"), "{}", response.text());
    assert_eq!(record["state"], "upstream_auth");
    for text in [response.text(), record.to_string()] {
        assert!(!text.contains("c4n4ry"), "the provider's credential is shown: {text}");
    }
}

fn the_last_429_is_relayed_with_its_retry_after(host: Host) {
    let body = r#"{"error":{"message":"Rate limit reached for up-b","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let slow = Answer::whole(429, "content-type: application/json\r\nretry-after: 17\r\nretry-after-ms: 17000", body);
    let (response, record) = both_fail(host, &Upstream::absent(), &Upstream::answering(slow));
    assert_eq!((response.status, response.text().as_str()), (429, body));
    assert_eq!((response.header("retry-after"), response.header("x-should-retry")), (Some("17"), Some("false")));
    assert_eq!(record["state"], "rate_limited_upstream");
}

fn the_last_5xx_is_relayed_verbatim(host: Host) {
    let body = "{\"error\":{\"message\":\"The server had an error\"} }";
    let (first, second) = (Answer::json(500, body), Upstream::absent());
    let (response, record) = both_fail(host, &Upstream::answering(first), &second);
    assert_eq!((response.status, response.text().as_str()), (500, body));
    assert_eq!((response.header("x-should-retry"), &record["state"]), (Some("false"), &"upstream_error".into()));
}

fn an_html_error_page_gets_the_openai_shape(host: Host) {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>cloudflare</h1>\u{1b}[31m</body></html>";
    let upstream = Upstream::answering(Answer::whole(502, "content-type: text/html", page));
    let (response, record) = both_fail(host, &upstream, &Upstream::absent());
    assert_eq!(response.status, 502);
    let message = response.openai_error().message;
    assert!(message.contains("502 Bad Gateway") && message.contains("cloudflare"), "{message}");
    assert!(!message.contains('<') && !message.contains('\u{1b}'), "{message}");
    assert_eq!(record["state"], "upstream_error");
}

fn a_redirect_is_never_followed(host: Host) {
    let elsewhere = Upstream::saying("stolen");
    let location = format!("location: {}/v1/chat/completions", elsewhere.url());
    for status in [301, 302, 307, 308] {
        let upstream = Upstream::answering(Answer::whole(status, &location, ""));
        let (response, _) = both_fail(host, &upstream, &Upstream::absent());
        assert_eq!((response.status, response.header("location")), (502, None));
        assert!(response.openai_error().message.contains("redirect"), "{}", response.text());
    }
    assert_eq!(elsewhere.received().len(), 0, "the credential went where a response pointed");
}

fn no_more_attempts_are_made_than_the_model_allows(host: Host) {
    let upstream = Upstream::answering(Answer::json(500, "{}"));
    let targets = ["a/1", "a/2", "a/3", "a/4", "a/5"];
    let gateway = Gateway::on(host).provider("a", &upstream);
    let gateway = gateway.model("usual", &targets).model_with("two", "attempts = 2", &targets).start();
    assert_eq!(gateway.send(&chat("usual")).status, 500);
    assert_eq!(upstream.received().len(), 3);
    assert_eq!(gateway.send(&chat("two")).status, 500);
    assert_eq!(upstream.received().len(), 5);
}

/// Spin's own setting decides there, and imitating it every address is allowed.
fn a_provider_at_a_private_address_needs_local(host: Host) {
    let upstream = Upstream::saying("Hi");
    let catalog = format!("[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\n", upstream.url());
    let gateway = Gateway::on(host).catalog(&catalog).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    if host != Host::Runner {
        assert_eq!(response.status, 200);
        return;
    }
    assert_eq!((response.status, upstream.received().len()), (502, 0));
    assert!(response.openai_error().message.contains("local = true"), "{}", response.text());
}

/// A provider whose first `refused` credentials are answered like this, and whose others are good.
fn pool(host: Host, (refused, good): (usize, usize), answer: &Answer, settings: &str) -> (Gateway, Upstream) {
    let name = |index: usize| format!("sk-pool-{index}");
    let refusing =
        |upstream: Upstream, index: usize| upstream.refusing(&format!("Bearer {}", name(index)), answer.clone());
    let upstream = (0..refused).fold(Upstream::saying("Hi"), refusing);
    let credentials = (0..refused + good).map(|index| format!("\"{}\"", name(index))).collect::<Vec<_>>().join(", ");
    let catalog = format!(
        "[settings]\n{settings}\n[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\nlocal = true\ncredentials = [{credentials}]\n",
        upstream.url()
    );
    (Gateway::on(host).catalog(&catalog).model("m", &["a/up"]).start().settled(), upstream)
}

fn a_pool_of_limited_and_dead_credentials_loses_no_call(host: Host) {
    let daily = r#"{"error":{"message":"You exceeded your current quota (requests per day)","code":"rate_limit"}}"#;
    for (status, body) in [(429, daily), (429, r#"{"error":{"message":"Too many requests"}}"#), (401, "{}")] {
        let (gateway, upstream) = pool(host, (12, 2), &Answer::json(status, body), "");
        for _ in 0..20 {
            let response = gateway.send(&chat("m"));
            assert_eq!(response.status, 200, "{status} {body}: {}", response.text());
        }
        // Each of the two instances may ask each of them once before it hears of the other's refusals. One that names no
        // day rests for seconds only, and may be asked again.
        let requests = upstream.received().len();
        assert!(
            requests <= 20 + 2 * 12 || body.contains("Too many"),
            "{status} {body}: {requests} requests for 20 calls"
        );
    }
}

fn no_more_than_the_catalog_allows_are_turned_away_in_a_call(host: Host) {
    let dead = Answer::json(401, "{}");
    let (gateway, upstream) = pool(host, (12, 0), &dead, "turned_away_max = 2");
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, upstream.received().len()), (400, 2 + 3), "{}", response.text());
    let blocked = Answer::json(429, r#"{"error":{"message":"Too many requests from your IP address"}}"#);
    let (gateway, upstream) = pool(host, (12, 0), &blocked, "");
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, upstream.received().len()), (429, 1), "no ban is provoked: {}", response.text());
}
