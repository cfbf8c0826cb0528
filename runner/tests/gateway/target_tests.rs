//! `POST /api/targets/test`: one real call to one target with one credential, whatever health says.

use serde_json::{Value, json};

use crate::common::{Connection, Gateway, Host, Request, TOKEN, chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    a_test_asks_the_target_with_the_credential_and_says_what_came,
    a_passing_test_takes_back_what_kept_a_credential_and_a_target_out,
    a_passing_test_takes_back_what_a_reset_far_away_kept_out,
    a_test_that_fails_shows_what_the_provider_answered,
    a_stream_that_breaks_has_not_passed,
    a_test_is_charged_and_recorded_like_a_call,
    a_target_that_is_off_can_be_tested,
    what_cannot_be_tested_says_what_can,
];

fn two_keys(upstream: &Upstream) -> String {
    format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\nlocal = true\nquota = {{ rpd = 100 }}\ncredentials = [\n\
         {{ value = \"key-number-1\", label = \"one\" }}, {{ value = \"key-number-2\", label = \"two\" }}]\n",
        upstream.url()
    )
}

fn test(connection: &mut Connection, body: &Value) -> (u16, Value) {
    let request = Request::new("POST", "/api/targets/test").key(TOKEN).json(body.to_string());
    let response = connection.exchange(&request);
    (response.status, response.json())
}

fn passed(connection: &mut Connection, body: &Value) -> Value {
    let (status, found) = test(connection, body);
    assert_eq!((status, &found["passed"]), (200, &json!(true)), "{found}");
    found
}

fn stream() -> Answer {
    Answer::stream().chunk(event("OK")).chunk(last_events()).end()
}

fn a_test_asks_the_target_with_the_credential_and_says_what_came(host: Host) {
    let upstream = Upstream::answering(stream());
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/x", "a/y"]).start();
    let body = json!({ "model": "m", "target": "a/y", "credential": "two" });
    let found = passed(&mut gateway.connect(), &body);
    let expected = [("target", "a/y"), ("credential", "two"), ("endpoint", "chat/completions"), ("class", "ok")];
    expected.into_iter().for_each(|(name, value)| assert_eq!(found[name], value, "{found}"));
    assert_eq!((&found["status"], &found["error"], &found["cleared"]), (&json!(200), &Value::Null, &json!([])));
    assert_eq!((&found["usage"]["input_tokens"], &found["usage"]["output_tokens"]), (&json!(11), &json!(7)));
    assert!(found["first_content_ms"].is_u64() && found["duration_ms"].is_u64(), "{found}");
    let answer = found["answer"].as_str().expect("a text");
    assert!(answer.starts_with(&event("OK")) && answer.ends_with("data: [DONE]\n\n"), "{answer}");
    let received = upstream.only();
    assert_eq!(received.header("authorization"), Some("Bearer key-number-2"));
    let sent: Value = serde_json::from_slice(&received.body).expect("JSON");
    assert_eq!((&sent["model"], &sent["stream"]), (&json!("y"), &json!(true)));
}

fn a_passing_test_takes_back_what_kept_a_credential_and_a_target_out(host: Host) {
    let refused = Answer::json(401, r#"{"error":{"message":"Incorrect API key provided"}}"#);
    let upstream = Upstream::answering(stream()).then([refused.clone(), refused, stream()]);
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/x"]).start();
    let mut connection = gateway.connect();
    // Nobody but the operator can mend it, and clients are told so that they stop.
    assert_eq!(connection.exchange(&chat("m")).status, 400, "both keys are refused");
    assert_eq!(connection.exchange(&chat("m")).status, 400, "and known to be");
    let found = passed(&mut connection, &json!({ "model": "m", "credential": "one" }));
    let cleared = found["cleared"].as_array().expect("subjects");
    assert!(cleared.len() == 1 && cleared[0].as_str().is_some_and(|key| key.starts_with("credential/")), "{found}");
    assert_eq!(connection.exchange(&chat("m")).status, 200);
    let keys: Vec<_> = upstream.received().iter().map(|each| each.header("authorization").map(str::to_owned)).collect();
    assert_eq!(keys.last(), Some(&Some("Bearer key-number-1".into())), "the other one still rests");
}

/// An ordinary success does not: it may have been begun before the quota was spent.
fn a_passing_test_takes_back_what_a_reset_far_away_kept_out(host: Host) {
    let headers = "content-type: application/json\r\nmodelscope-ratelimit-model-requests-limit: 500\r\n\
                   modelscope-ratelimit-model-requests-remaining: 0";
    let last = Answer::whole(200, headers, &completion("the last one"));
    let upstream = Upstream::answering(stream()).then([last]);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).start();
    let mut connection = gateway.connect();
    assert_eq!(connection.exchange(&chat("m")).status, 200);
    assert_eq!(connection.exchange(&chat("m")).status, 429, "nothing is left until tomorrow");
    passed(&mut connection, &json!({ "model": "m" }));
    assert_eq!(connection.exchange(&chat("m")).status, 200);
}

fn a_test_that_fails_shows_what_the_provider_answered(host: Host) {
    let refused = r#"{"error":{"message":"Incorrect API key provided: key-number-1"}}"#;
    let upstream = Upstream::answering(Answer::json(401, refused));
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/x"]).start();
    let mut connection = gateway.connect();
    let (status, found) = test(&mut connection, &json!({ "model": "m" }));
    assert_eq!(
        (status, &found["passed"], &found["status"], &found["class"]),
        (200, &json!(false), &json!(401), &json!("credential"))
    );
    assert_eq!(found["answer"], r#"{"error":{"message":"Incorrect API key provided: (credential)"}}"#);
    assert!(found["error"].as_str().is_some_and(|error| error.contains("a/x")), "{found}");
    let absent = Upstream::absent();
    let gateway = Gateway::on(host).provider("a", &absent).model("m", &["a/x"]).start();
    let (_, found) = test(&mut gateway.connect(), &json!({ "model": "m" }));
    assert_eq!((&found["passed"], &found["status"], &found["class"]), (&json!(false), &Value::Null, &json!("target")));
    assert!(found["error"].as_str().is_some_and(|error| error.contains("could not be reached")), "{found}");
}

fn a_stream_that_breaks_has_not_passed(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("O")).cut());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).start();
    let (_, found) = test(&mut gateway.connect(), &json!({ "model": "m" }));
    assert_eq!(
        (&found["passed"], &found["status"], &found["answer"]),
        (&json!(false), &json!(200), &json!(event("O")))
    );
    assert!(found["error"].as_str().is_some_and(|error| error.contains("The provider ")), "{found}");
}

fn a_test_is_charged_and_recorded_like_a_call(host: Host) {
    let upstream = Upstream::answering(stream());
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/x"]).start();
    let mut connection = gateway.connect();
    let found = passed(&mut connection, &json!({ "model": "m", "credential": "one" }));
    let record = gateway.record_by_id(found["record"].as_str().expect("an id"));
    assert_eq!((&record["state"], &record["warnings"]), (&json!("ok"), &json!(["test"])));
    assert_eq!((&record["attempts"][0]["credential"], &record["output_tokens"]), (&json!("one"), &json!(7)));
    let quota = connection.exchange(&Request::new("GET", "/api/quota").key(TOKEN)).json();
    let spent: Vec<_> = quota["quota"].as_array().expect("limits").iter().map(|limit| &limit["spent"]).collect();
    assert_eq!(spent, [1, 0]);
}

fn a_target_that_is_off_can_be_tested(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, &completion("OK")));
    let models = "[[models]]\nname = \"m\"\ntargets = [{ provider = \"a\", model = \"x\", enabled = false }]\n";
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).catalog(models).start();
    assert_eq!(gateway.send(&chat("m")).status, 400);
    assert_eq!(passed(&mut gateway.connect(), &json!({ "model": "m" }))["target"], "a/x");
}

fn what_cannot_be_tested_says_what_can(host: Host) {
    let upstream = Upstream::answering(stream());
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/x", "a/y"]).start();
    let mut connection = gateway.connect();
    for (body, status, message) in [
        (json!({ "model": "n" }), 404, "There is no model"),
        (json!({ "model": "m" }), 400, "a/x, a/y"),
        (json!({ "model": "m", "target": "b/x" }), 400, "a/x, a/y"),
        (json!({ "model": "m", "target": "a/x", "credential": "three" }), 400, "one, two"),
        (json!({ "model": "m", "target": "a/x", "endpoint": "chat" }), 400, "chat/completions"),
        (json!({ "model": "m", "target": "a/x", "endpoint": "images/edits" }), 400, "no small request"),
    ] {
        let (found, problem) = test(&mut connection, &body);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(found == status && detail.contains(message), "{body}: {problem}");
    }
    assert_eq!(upstream.received().len(), 0);
}
