//! Quotas and limits on the calls themselves: never more is sent than they allow, what was not used comes back, and who
//! is kept out learns until when.

use std::thread;

use rusqlite::{Connection as Database, OpenFlags};
use serde_json::json;

use crate::common::{Gateway, Host, PATIENCE, Request, Response, TOKEN, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    two_credentials_are_used_to_their_last_call_and_no_further,
    a_spent_quota_leaves_its_target_for_the_next_and_the_record_says_why,
    what_a_provider_refused_or_nobody_answered_is_given_back,
    tokens_are_settled_with_what_was_really_used,
    calls_under_way_are_counted_and_given_back_at_their_end,
    a_keys_limits_are_its_own,
    the_cheapest_target_comes_first_and_an_unknown_price_last,
];

/// A time of day that is hours away, so that no day ends while a test runs.
fn far_reset() -> String {
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    format!("{:02}:30", (now_s / 3600 + 12) % 24)
}

/// A provider with these lines, as TOML.
fn provider(name: &str, upstream: &Upstream, lines: &str) -> String {
    format!("[[providers]]\nname = \"{name}\"\nbase_url = \"{}/v1\"\nlocal = true\n{lines}\n", upstream.url())
}

fn two_credentials(upstream: &Upstream) -> String {
    let reset = far_reset();
    let credential = |name: &str, rpd: u32| {
        format!(r#"{{ value = "key-{name}-1", label = "{name}", quota = {{ rpd = {rpd}, reset = "{reset}" }} }}"#)
    };
    provider("a", upstream, &format!("credentials = [{}, {}]", credential("five", 5), credential("seven", 7)))
}

/// Many clients at once, each on a connection of its own.
fn all_at_once(gateway: &Gateway, count: usize) -> Vec<Response> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..count).map(|_| scope.spawn(|| gateway.send(&chat("m")))).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
    })
}

fn two_credentials_are_used_to_their_last_call_and_no_further(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).catalog(&two_credentials(&upstream)).model("m", &["a/up"]).start().settled();
    let responses = all_at_once(&gateway, 50);
    let served = responses.iter().filter(|response| response.status == 200).count();
    assert_eq!((served, upstream.received().len()), (12, 12));
    let refused = responses.iter().find(|response| response.status != 200).expect("38 of them");
    assert_eq!((refused.status, refused.header("x-should-retry")), (429, Some("false")));
    let wait_s: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a wait");
    assert!((10 * 3600..=13 * 3600).contains(&wait_s), "{wait_s}");
    let error = refused.openai_error();
    assert_eq!((error.kind.as_str(), error.code.as_str()), ("insufficient_quota", "insufficient_quota"));
    assert!(error.message.contains("a/up has used up its quota (a (credential "), "{}", error.message);
    assert!(error.message.contains(" rpd spent) until "), "{}", error.message);
    assert_eq!(gateway.record(refused)["state"], "quota_spent");
}

#[test]
fn a_kill_gives_nobody_a_second_helping() {
    let upstream = Upstream::saying("Hi");
    let catalog = two_credentials(&upstream);
    let mut gateway = Gateway::on(Host::Runner).catalog(&catalog).model("m", &["a/up"]).start().settled();
    for _ in 0..8 {
        assert_eq!(gateway.send(&chat("m")).status, 200);
    }
    gateway.kill_and_restart();
    let served = all_at_once(&gateway, 30).iter().filter(|response| response.status == 200).count();
    assert_eq!((served, upstream.received().len()), (4, 12));
}

fn a_spent_quota_leaves_its_target_for_the_next_and_the_record_says_why(host: Host) {
    let (first, second) = (Upstream::saying("from a"), Upstream::saying("from b"));
    let quota = format!("quota = {{ rpd = 2, reset = \"{}\" }}", far_reset());
    let gateway = Gateway::on(host).catalog(&provider("a", &first, &quota)).provider("b", &second);
    let gateway = gateway.model("m", &["a/up", "b/up"]).start();
    let mut connection = gateway.connect();
    let targets: Vec<String> = (0..4)
        .map(|_| connection.exchange(&chat("m")).header("x-llmio-target").expect("a target").to_owned())
        .collect();
    assert_eq!(targets, ["a/up", "a/up", "b/up", "b/up"]);
    let record = gateway.record(&connection.exchange(&chat("m")));
    let skipped = &record["decision"]["skipped"][0];
    assert_eq!((&skipped["target"], &skipped["reason"]), (&json!("a/up"), &json!("quota_spent")), "{record}");
    assert!(
        skipped["until_ms"].is_i64() && skipped["said"].as_str().is_some_and(|said| said.contains("2 rpd")),
        "{record}"
    );
    assert_eq!(first.received().len(), 2);
}

/// What `GET /api/quota` says is spent of the only limit.
fn spent(gateway: &Gateway) -> u64 {
    let quota = gateway.admin("GET", "/api/quota", "").json();
    quota["quota"][0]["spent"].as_u64().unwrap_or_else(|| panic!("{quota}"))
}

fn what_a_provider_refused_or_nobody_answered_is_given_back(host: Host) {
    let answers = [Answer::json(400, r#"{"error":{"message":"Unsupported value"}}"#), Answer::json(500, "{}")];
    let upstream = Upstream::saying("Hi").then(answers);
    let quota = format!("quota = {{ rpd = 1, reset = \"{}\" }}", far_reset());
    let gateway = Gateway::on(host).catalog(&provider("a", &upstream, &quota));
    let gateway = gateway.model_with("m", "attempts = 1", &["a/up"]).start();
    for status in [400, 500] {
        assert_eq!(gateway.send(&chat("m")).status, status);
        eventually("it is given back", || (spent(&gateway) == 0).then_some(()));
    }
    // What an instance knows to be spent it looks up again once something was given back to it; ask until it did.
    eventually("the one call it has", || (gateway.send(&chat("m")).status == 200).then_some(()));
    assert_eq!((spent(&gateway), upstream.received().len()), (1, 3));
}

fn tokens_are_settled_with_what_was_really_used(host: Host) {
    let stream = Answer::stream().chunk(event("Hi")).chunk(last_events()).end();
    let upstream = Upstream::saying("Hi").then([Answer::json(200, &completion("Hi")), stream]);
    let quota = format!("quota = {{ tpd = 100000, reset = \"{}\" }}", far_reset());
    let gateway = Gateway::on(host).catalog(&provider("a", &upstream, &quota)).model("m", &["a/up"]).start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    eventually("11 and 7 tokens are charged", || (spent(&gateway) == 18).then_some(()));
    assert_eq!(gateway.send(&streamed_chat("m")).status, 200);
    eventually("and the stream's too", || (spent(&gateway) == 36).then_some(()));
}

fn calls_under_way_are_counted_and_given_back_at_their_end(host: Host) {
    let slow = Answer::stream().chunk(event("one")).wait().chunk(last_events()).end();
    let (first, second) = (Upstream::saying("from a").then([slow]), Upstream::saying("from b"));
    let gateway = Gateway::on(host).catalog(&provider("a", &first, "concurrent = 1")).provider("b", &second);
    let gateway = gateway.model("m", &["a/up", "b/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    stream.read_until("one");
    for _ in 0..3 {
        assert_eq!(gateway.send(&chat("m")).text(), completion("from b"));
    }
    first.release();
    stream.finish();
    eventually("the slot is free again", || (gateway.send(&chat("m")).text() == completion("from a")).then_some(()));
}

fn a_keys_limits_are_its_own(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let (busy, calm) = (gateway.new_key("busy", &[]), gateway.new_key("calm", &[]));
    let mut catalog = gateway.admin("GET", "/api/catalog", "").json();
    catalog["keys"][0]["limits"] = json!({ "rpd": 3, "concurrent": 2 });
    assert_eq!(gateway.put_catalog(&catalog.to_string()).status, 200);
    let gateway = gateway.settled();
    let ask = |key: &str| gateway.send(&Request::new("POST", "/v1/chat/completions").key(key).json(r#"{"model":"m"}"#));
    let statuses: Vec<u16> = (0..5).map(|_| ask(&busy).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let refused = ask(&busy);
    let error = refused.openai_error();
    assert!(
        error.message.contains("The limits of key \"busy\" are used up (key busy: 3 of 3 rpd spent)"),
        "{}",
        error.message
    );
    assert_eq!(gateway.record(&refused)["state"], "quota_spent");
    assert_eq!((ask(&calm).status, gateway.send(&chat("m")).status), (200, 200), "nobody else is kept out");
    assert_eq!(upstream.received().len(), 5);
}

fn the_cheapest_target_comes_first_and_an_unknown_price_last(host: Host) {
    let models = r#"
        [[models]]
        name = "m"
        strategy = "cost"
        targets = [
            { provider = "echo", model = "unknown" },
            { provider = "echo", model = "dear", price = { input = 3.0, output = 15.0 } },
            { provider = "echo", model = "cheap", price = { input = 0.1, output = 0.4 }, weight = 1 },
        ]
    "#;
    let gateway = Gateway::on(host).catalog("[[providers]]\npreset = \"echo\"\n").catalog(models).start();
    let record = gateway.record(&gateway.send(&chat("m")));
    assert_eq!(record["decision"]["candidates"], json!(["echo/cheap", "echo/dear", "echo/unknown"]));
}

/// Locked by another process, a provider's quota lets calls through and is made good afterwards; a key's limits do not.
#[test]
fn while_the_database_is_locked_provider_quotas_open_and_key_limits_close() {
    let upstream = Upstream::saying("Hi");
    let quota = format!("quota = {{ rpd = 1000, reset = \"{}\" }}", far_reset());
    let gateway = Gateway::on(Host::Runner).catalog(&provider("a", &upstream, &quota)).model("m", &["a/up"]).start();
    let key = gateway.new_key("limited", &[]);
    let mut catalog = gateway.admin("GET", "/api/catalog", "").json();
    catalog["keys"][0]["limits"] = json!({ "rpd": 1000 });
    assert_eq!(gateway.put_catalog(&catalog.to_string()).status, 200);
    let gateway = gateway.settled();
    let with_key = Request::new("POST", "/v1/chat/completions").key(&key).json(r#"{"model":"m"}"#);
    assert_eq!((gateway.send(&chat("m")).status, gateway.send(&with_key).status), (200, 200));
    let file = gateway.data().join("store.db");
    let lock = Database::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    let open = gateway.send(&chat("m"));
    let closed = gateway.send(&with_key);
    lock.execute_batch("COMMIT").expect("the lock is let go");
    assert_eq!(open.status, 200);
    assert_eq!((closed.status, closed.openai_error().code.as_str()), (503, "limits_unknown"), "{}", closed.text());
    assert_eq!(gateway.record(&open)["warnings"], json!(["quota_unknown"]));
    let spent_by_provider = || {
        let quota = gateway.send(&Request::new("GET", "/api/quota").key(TOKEN)).json();
        let limits = quota["quota"].as_array().cloned().unwrap_or_default();
        limits.iter().find(|limit| limit["scope"]["provider"] == "a").and_then(|limit| limit["spent"].as_u64())
    };
    eventually("what was let through is charged afterwards", || (spent_by_provider() == Some(3)).then_some(()));
}
