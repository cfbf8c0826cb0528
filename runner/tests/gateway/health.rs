//! What a failure costs the next calls: nothing, where llmio knows that they would fail as well. Each test talks over
//! one connection and so to one instance, which applies what it learns at once; one test is about the others.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Connection, Gateway, Host, Request, Response, TOKEN, chat, eventually, upstream_key};
use crate::upstream::{Answer, Upstream, completion};

both_hosts![
    a_rate_limit_is_obeyed_as_long_as_it_says,
    a_rate_limited_model_is_429_with_the_true_wait,
    a_refused_credential_is_asked_once_and_then_left_alone,
    one_dead_key_takes_no_other_model_of_its_provider_down,
    an_account_without_money_rests_whatever_status_it_says_so_under,
    a_target_that_keeps_failing_costs_nothing_until_it_is_probed,
    a_clients_own_mistakes_count_against_nobody,
    a_model_name_the_provider_does_not_know_rests_and_is_explained,
    a_catalogs_own_rows_judge_an_error,
    health_is_shown_by_name_and_cleared,
    a_changed_credential_is_used_at_once,
    a_provider_whose_address_was_mended_is_asked_at_once,
    a_daily_quota_of_one_asked_model_leaves_the_others_of_its_target,
];

fn exchange(connection: &mut Connection, request: &Request) -> Response {
    connection.exchange(request)
}

fn admin(connection: &mut Connection, method: &str, path: &str, body: &str) -> Response {
    let request = Request::new(method, path).key(TOKEN);
    exchange(connection, &if body.is_empty() { request } else { request.json(body) })
}

fn target(response: &Response) -> &str {
    response.header("x-llmio-target").unwrap_or("")
}

pub(crate) fn limited(retry_after: &str) -> Answer {
    let headers = format!("content-type: application/json\r\nretry-after: {retry_after}");
    Answer::whole(429, &headers, r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#)
}

fn a_rate_limit_is_obeyed_as_long_as_it_says(host: Host) {
    let (first, second) = (Upstream::saying("from a").then([limited("2")]), Upstream::saying("from b"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let mut connection = gateway.connect();
    let start = Instant::now();
    assert_eq!(exchange(&mut connection, &chat("m")).text(), completion("from b"));
    while first.received().len() == 1 {
        // Not as fast as can be: an instance of Spin's serves 128 calls, and the next one knows what is published by then.
        std::thread::sleep(Duration::from_millis(50));
        let response = exchange(&mut connection, &chat("m"));
        assert_eq!(response.status, 200);
        assert!(start.elapsed() < Duration::from_secs(30), "it is never asked again");
    }
    assert!(start.elapsed() >= Duration::from_secs(2), "asked again after {:?}", start.elapsed());
    let record = gateway.record(&exchange(&mut connection, &chat("m")));
    assert_eq!(record["provider"], "a");
}

fn a_rate_limited_model_is_429_with_the_true_wait(host: Host) {
    let (first, second) = (Upstream::answering(limited("9000")), Upstream::answering(limited("40")));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/x", "b/y"]).start();
    let mut connection = gateway.connect();
    assert_eq!(exchange(&mut connection, &chat("m")).status, 429);
    let response = exchange(&mut connection, &chat("m"));
    assert_eq!((response.status, response.header("x-should-retry")), (429, None));
    let wait_s: u64 = response.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a wait");
    assert!((1..=40).contains(&wait_s), "{wait_s}");
    let message = response.openai_error().message;
    for part in ["a/x is over its rate limit until ", "(in 3 h)", "b/y is over its rate limit", "The first is back in"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!((first.received().len(), second.received().len()), (1, 1), "who is known to refuse is not asked");
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["attempts"]), (&json!("rate_limited_upstream"), &json!([])));
    let skipped = record["decision"]["skipped"].as_array().expect("reasons");
    assert_eq!(skipped.len(), 2);
    assert!(skipped.iter().all(|each| each["reason"] == "cooling" && each["until_ms"].is_i64()), "{record}");
}

/// A provider with two credentials, of which the upstream refuses one.
fn keyed(status: u16, body: &str) -> Upstream {
    Upstream::saying("Hi").refusing("Bearer bad-key-1", Answer::json(status, body))
}

fn two_keys(upstream: &Upstream) -> String {
    format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\nlocal = true\ncredentials = [\n\
         {{ value = \"bad-key-1\", label = \"bad\" }}, {{ value = \"good-key-1\", label = \"good\" }}]\n",
        upstream.url()
    )
}

fn with_key(upstream: &Upstream, key: &str) -> usize {
    let authorization = format!("Bearer {key}");
    upstream.received().iter().filter(|received| received.header("authorization") == Some(&authorization)).count()
}

fn a_refused_credential_is_asked_once_and_then_left_alone(host: Host) {
    let upstream = keyed(401, r#"{"error":{"message":"Incorrect API key provided"}}"#);
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    for _ in 0..30 {
        assert_eq!(exchange(&mut connection, &chat("m")).status, 200, "no client sees the dead key");
    }
    assert_eq!((with_key(&upstream, "bad-key-1"), with_key(&upstream, "good-key-1")), (1, 30));
}

fn one_dead_key_takes_no_other_model_of_its_provider_down(host: Host) {
    let upstream = keyed(403, r#"{"error":{"message":"permission denied for this key"}}"#);
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream));
    let gateway = gateway.model("m", &["a/up"]).model("n", &["a/other"]).start();
    let mut connection = gateway.connect();
    for _ in 0..20 {
        assert_eq!(exchange(&mut connection, &chat("m")).status, 200);
        assert_eq!(exchange(&mut connection, &chat("n")).status, 200);
    }
    assert_eq!(with_key(&upstream, "bad-key-1"), 1, "the key is dead on every model");
}

fn an_account_without_money_rests_whatever_status_it_says_so_under(host: Host) {
    for (status, body) in [
        (429, r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#),
        (400, r#"{"error":{"message":"Your credit balance is too low to access the API"}}"#),
        (403, r#"{"code":30001,"message":"Sorry, your account balance is insufficient"}"#),
    ] {
        let upstream = keyed(status, body);
        let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/up"]).start();
        let mut connection = gateway.connect();
        while with_key(&upstream, "bad-key-1") == 0 {
            assert_eq!(exchange(&mut connection, &chat("m")).status, 200, "{body}");
        }
        for _ in 0..12 {
            assert_eq!(exchange(&mut connection, &chat("m")).status, 200, "{body}");
        }
        assert_eq!(with_key(&upstream, "bad-key-1"), 1, "{body}");
    }
}

fn a_target_that_keeps_failing_costs_nothing_until_it_is_probed(host: Host) {
    // With a wait that is told, so that the calls below come well before the probe on any machine.
    let failing = |headers: &str| Answer::whole(503, &format!("content-type: application/json{headers}"), "{}");
    let failing: Vec<Answer> =
        (0..5).map(|index| failing(if index == 4 { "\r\nretry-after: 4" } else { "" })).collect();
    let (first, second) = (Upstream::saying("from a").then(failing), Upstream::saying("from b"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let mut connection = gateway.connect();
    for _ in 0..5 {
        assert_eq!(target(&exchange(&mut connection, &chat("m"))), "b/up");
    }
    let response = exchange(&mut connection, &chat("m"));
    let record = gateway.record(&response);
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1), "{record}");
    assert_eq!(record["decision"]["skipped"][0]["reason"], "open", "{record}");
    assert_eq!(first.received().len(), 5);
    eventually("the target is probed and used again", || {
        (target(&exchange(&mut connection, &chat("m"))) == "a/up").then_some(())
    });
    assert_eq!(first.received().len(), 6, "one call probed it");
}

fn a_clients_own_mistakes_count_against_nobody(host: Host) {
    let mistake = Answer::json(400, r#"{"error":{"message":"Unsupported value: 'temperature'"}}"#);
    let upstream = Upstream::saying("Hi").then(vec![mistake; 20]);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    for _ in 0..20 {
        assert_eq!(exchange(&mut connection, &chat("m")).status, 400);
    }
    assert_eq!(exchange(&mut connection, &chat("m")).status, 200);
    assert_eq!(admin(&mut connection, "GET", "/api/health", "").json()["subjects"], json!([]));
}

fn a_model_name_the_provider_does_not_know_rests_and_is_explained(host: Host) {
    let unknown = r#"{"error":{"message":"The model `gpt-9` does not exist","code":"model_not_found"}}"#;
    let upstream = Upstream::answering(Answer::json(404, unknown));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/gpt-9"]).start();
    let mut connection = gateway.connect();
    let first = exchange(&mut connection, &chat("m"));
    assert_eq!(first.status, 400);
    assert!(first.openai_error().message.contains("does not serve a model of that name"), "{}", first.text());
    let second = exchange(&mut connection, &chat("m"));
    assert_eq!((second.status, upstream.received().len()), (400, 1));
    assert!(second.openai_error().message.contains("does not know the model's name until"), "{}", second.text());
    assert_eq!(second.header("x-should-retry"), Some("false"), "ten minutes are not worth a client's wait");
}

fn a_catalogs_own_rows_judge_an_error(host: Host) {
    let odd = Answer::json(400, r#"{"msg":"Kein Guthaben"}"#);
    let (first, second) = (Upstream::answering(odd), Upstream::saying("from b"));
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\nlocal = true\ncredentials = [\"k\"]\n\
         errors = [{{ status = 400, match = \"kein guthaben\", is = \"credential\", rest = \"2h\" }}]\n",
        first.url()
    );
    let gateway = Gateway::on(host).catalog(&catalog).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let mut connection = gateway.connect();
    for _ in 0..3 {
        assert_eq!(target(&exchange(&mut connection, &chat("m"))), "b/up");
    }
    assert_eq!(first.received().len(), 1);
    let health = admin(&mut connection, "GET", "/api/health", "").json();
    let rest_ms =
        health["subjects"][0]["until_ms"].as_i64().expect("a time") - health["now_ms"].as_i64().expect("a time");
    assert!((7_100_000..=7_200_000).contains(&rest_ms), "{health}");
}

fn health_is_shown_by_name_and_cleared(host: Host) {
    let upstream = keyed(401, r#"{"error":{"message":"Incorrect key bad-ke***-1."}}"#);
    let gateway = Gateway::on(host).catalog(&two_keys(&upstream)).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    let served = eventually("the bad key is asked", || {
        let served = exchange(&mut connection, &chat("m"));
        assert_eq!(served.status, 200);
        (with_key(&upstream, "bad-key-1") > 0).then_some(served)
    });
    assert_eq!(gateway.record(&served)["attempts"][0]["error"], "Incorrect key …***-1.");
    let health = admin(&mut connection, "GET", "/api/health", "").json();
    let subject = &health["subjects"][0];
    assert_eq!((&subject["kind"], &subject["name"]), (&json!("credential"), &json!("a bad")));
    assert_eq!(
        (&subject["trouble"], &subject["said"], &subject["over"]),
        (&json!("resting"), &json!("401: Incorrect key …***-1."), &json!(false))
    );
    assert!(!health.to_string().contains("bad-key"), "{health}");
    let body = json!({ "subject": subject["subject"] }).to_string();
    let cleared = admin(&mut connection, "POST", "/api/health/reset", &body);
    assert_eq!((cleared.status, &cleared.json()["cleared"]), (200, &json!([subject["subject"]])));
    assert_eq!(admin(&mut connection, "POST", "/api/health/reset", &body).status, 404);
    assert_eq!(admin(&mut connection, "GET", "/api/health", "").json()["subjects"], json!([]));
}

fn a_changed_credential_is_used_at_once(host: Host) {
    let upstream = Upstream::saying("Hi").refusing(&format!("Bearer {}", upstream_key("a")), Answer::json(401, "{}"));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    assert_eq!(exchange(&mut connection, &chat("m")).status, 400);
    assert_eq!(exchange(&mut connection, &chat("m")).status, 400);
    let mut catalog: Value = admin(&mut connection, "GET", "/api/catalog", "").json();
    catalog["providers"][0]["credentials"] = json!(["a-new-key-1"]);
    let stored = exchange(&mut connection, &Request::new("PUT", "/api/catalog").key(TOKEN).json(catalog.to_string()));
    assert_eq!(stored.status, 200, "{}", stored.text());
    assert_eq!(exchange(&mut connection, &chat("m")).status, 200);
}

#[test]
fn what_one_instance_learns_the_others_know_and_a_restart_does_not_forget() {
    let upstream = keyed(401, "{}");
    let mut gateway = Gateway::on(Host::Runner).catalog(&two_keys(&upstream)).model("m", &["a/up"]).start();
    let rests = |gateway: &Gateway| {
        // A connection each, so that sooner or later every thread has answered one.
        (0..16).all(|_| {
            let health = gateway.admin("GET", "/api/health", "").json();
            health["subjects"].as_array().is_some_and(|subjects| subjects.len() == 1)
        })
    };
    let mut connection = gateway.connect();
    while with_key(&upstream, "bad-key-1") == 0 {
        assert_eq!(exchange(&mut connection, &chat("m")).status, 200);
    }
    eventually("every instance knows it", || rests(&gateway).then_some(()));
    gateway.restart();
    assert!(rests(&gateway));
    for _ in 0..20 {
        assert_eq!(gateway.send(&chat("m")).status, 200);
    }
    assert_eq!(with_key(&upstream, "bad-key-1"), 1);
}

#[test]
fn calls_that_come_together_after_a_silence_all_know_what_was_learnt() {
    let upstream = Upstream::answering(limited("250"));
    let mut gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/up"]).start();
    assert_eq!(gateway.send(&chat("m")).status, 429);
    eventually("it is published", || {
        let knows = |_| gateway.admin("GET", "/api/health", "").json()["subjects"] != json!([]);
        (0..16).all(knows).then_some(())
    });
    // New instances, which know nothing yet.
    gateway.restart();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..24).map(|_| scope.spawn(|| gateway.send(&chat("m")).status)).collect();
        assert!(clients.into_iter().all(|client| client.join().expect("a client ends") == 429));
    });
    assert_eq!(upstream.received().len(), 1, "a provider that is cooling is left alone");
}

fn a_daily_quota_of_one_asked_model_leaves_the_others_of_its_target(host: Host) {
    let spent = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
        {"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"20"}]}]}}"#;
    let upstream = Upstream::saying("Hi").then([Answer::json(429, spent)]);
    let models = "[[models]]\nname = \"any\"\naliases = [\"gemini-*\"]\ntargets = [\"a/*\"]\n";
    let gateway = Gateway::on(host).provider("a", &upstream).catalog(models).start();
    let mut connection = gateway.connect();
    assert_eq!(exchange(&mut connection, &chat("gemini-2.5-pro")).status, 429);
    assert_eq!(exchange(&mut connection, &chat("gemini-2.5-flash")).status, 200);
    assert_eq!(exchange(&mut connection, &chat("gemini-2.5-pro")).status, 429);
    assert_eq!(upstream.received().len(), 2, "the spent one is left alone");
}

fn a_provider_whose_address_was_mended_is_asked_at_once(host: Host) {
    let unknown = r#"{"error":{"message":"no such model","code":"model_not_found"}}"#;
    let (wrong, right) = (Upstream::answering(Answer::json(404, unknown)), Upstream::saying("Hi"));
    let gateway = Gateway::on(host).provider("a", &wrong).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    assert_eq!(exchange(&mut connection, &chat("m")).status, 400);
    assert_eq!(exchange(&mut connection, &chat("m")).status, 400);
    assert_eq!(wrong.received().len(), 1, "it rests");
    let mut catalog: Value = admin(&mut connection, "GET", "/api/catalog", "").json();
    catalog["providers"][0]["base_url"] = json!(format!("{}/v1", right.url()));
    // A stored secret is only for where it was given.
    catalog["providers"][0]["credentials"] = json!([upstream_key("a")]);
    let stored = exchange(&mut connection, &Request::new("PUT", "/api/catalog").key(TOKEN).json(catalog.to_string()));
    assert_eq!(stored.status, 200, "{}", stored.text());
    assert_eq!(exchange(&mut connection, &chat("m")).status, 200);
}

/// The request that clears reaches one instance while another one may know of a trouble that it has not published yet.
/// A test cannot choose the instance, so it tries several times, with other providers each time.
#[test]
fn what_is_cleared_right_after_it_was_learnt_does_not_come_back() {
    let upstream = Upstream::answering(limited("250"));
    let names: Vec<String> = (0..24).map(|index| format!("p{index}")).collect();
    let gateway = names.iter().fold(Gateway::on(Host::Runner), |gateway, name| {
        gateway.provider(name, &upstream).model(name, &[&format!("{name}/up")])
    });
    let gateway = gateway.start();
    let providers = || -> Vec<String> {
        let health = gateway.admin("GET", "/api/health", "").json();
        let subjects = health["subjects"].as_array().expect("a list").clone();
        let name = |subject: &Value| subject["name"].as_str().expect("a name").split(' ').next().map(str::to_owned);
        subjects.iter().filter_map(name).collect()
    };
    for round in names.chunks(3) {
        let [first, second, last] = round else { panic!("three of them") };
        let mut connection = gateway.connect();
        // This one is published at once, so that the next one has to wait.
        for model in [first, second] {
            exchange(&mut connection, &chat(model));
        }
        assert_eq!(gateway.admin("POST", "/api/health/reset", "{}").status, 200);
        // The same instance publishes this one after the second: an instance that knows this one knows that one as
        // well.
        exchange(&mut connection, &chat(last));
        for _ in 0..16 {
            let published =
                eventually("the last is told", || Some(providers()).filter(|published| published.contains(last)));
            assert_eq!(&published, std::slice::from_ref(last));
        }
    }
}
