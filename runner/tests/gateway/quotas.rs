//! Quotas and limits on the calls themselves: never more is sent than they allow, what was not used comes back, and who
//! is kept out learns until when.

use std::thread;
use std::time::Duration;

use rusqlite::{Connection as Database, OpenFlags};
use serde_json::json;

use crate::common::{Connection, Gateway, Host, PATIENCE, Request, Response, TOKEN, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    two_credentials_are_used_to_their_last_call_and_no_further,
    a_spent_quota_leaves_its_target_for_the_next_and_the_record_says_why,
    what_a_provider_failed_at_is_a_call_without_tokens,
    what_a_provider_turned_away_or_nobody_got_is_given_back,
    tokens_are_settled_with_what_was_really_used,
    calls_under_way_are_counted_and_given_back_at_their_end,
    a_call_that_trapped_gives_its_slots_back,
    a_target_that_was_full_when_its_turn_came_is_in_the_record,
    a_keys_limits_are_its_own,
    calls_that_are_refused_count_against_their_keys_calls,
    the_cheapest_target_comes_first_and_an_unknown_price_last,
];

/// A time of day that is hours away, so that no day ends while a test runs.
fn far_reset() -> String {
    reset_in(12)
}

/// A time of day that is about so many hours away.
pub(crate) fn reset_in(hours: u64) -> String {
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    format!("{:02}:30", (now_s / 3600 + hours) % 24)
}

/// A provider with these lines, as TOML.
pub(crate) fn provider(name: &str, upstream: &Upstream, lines: &str) -> String {
    format!("[[providers]]\nname = \"{name}\"\nbase_url = \"{}/v1\"\nlocal = true\n{lines}\n", upstream.url())
}

fn two_credentials(upstream: &Upstream) -> String {
    let reset = far_reset();
    let credential = |name: &str, rpd: u32| {
        format!(r#"{{ value = "key-{name}-1", label = "{name}", quota = {{ rpd = {rpd}, reset = "{reset}" }} }}"#)
    };
    provider("a", upstream, &format!("credentials = [{}, {}]", credential("five", 5), credential("seven", 7)))
}

/// A ledger that does not answer within 250 ms lets calls through, and their records say so. On a machine that busy
/// nothing is proved, and it is tried again.
pub(crate) fn certainly<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    (0..5).find_map(|_| attempt()).expect("a ledger that answers in time")
}

/// Makes both threads meet the ledger, so that no call pays for the first look.
pub(crate) fn warmed(gateway: Gateway) -> Gateway {
    for _ in 0..8 {
        gateway.admin("GET", "/api/quota", "");
    }
    gateway.settled()
}

/// Whether the ledger answered each of so many calls in time.
pub(crate) fn was_certain(gateway: &Gateway, calls: usize) -> bool {
    let records = eventually("every call has its record", || {
        let records = gateway.records("limit=500");
        (records.len() >= calls && records.iter().all(|record| record["state"] != "running")).then_some(records)
    });
    records.iter().all(|record| record["warnings"].is_null())
}

/// Many clients at once, each on a connection of its own.
fn all_at_once(gateway: &Gateway, count: usize) -> Vec<Response> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..count).map(|_| scope.spawn(|| gateway.send(&chat("m")))).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
    })
}

fn two_credentials_are_used_to_their_last_call_and_no_further(host: Host) {
    let (gateway, upstream, responses) = certainly(|| {
        let upstream = Upstream::saying("Hi");
        let gateway = Gateway::on(host).catalog(&two_credentials(&upstream)).model("m", &["a/up"]).start();
        let gateway = warmed(gateway);
        let responses = all_at_once(&gateway, 50);
        was_certain(&gateway, 50).then_some((gateway, upstream, responses))
    });
    let served = responses.iter().filter(|response| response.status == 200).count();
    assert_eq!((served, upstream.received().len()), (12, 12));
    let refused = responses.iter().find(|response| response.status != 200).expect("38 of them");
    assert_eq!((refused.status, refused.header("x-should-retry")), (429, Some("false")));
    assert_eq!(refused.header("retry-after"), None, "nobody is to sit out half a day");
    let until = refused.header("x-llmio-until").expect("when it is over");
    assert!(until.len() == 20 && until.ends_with('Z'), "{until}");
    let error = refused.openai_error();
    assert_eq!((error.kind.as_str(), error.code.as_str()), ("insufficient_quota", "insufficient_quota"));
    assert!(error.message.contains("a/up has used up its quota (a (credential "), "{}", error.message);
    assert!(error.message.contains(" rpd spent) until "), "{}", error.message);
    assert_eq!(gateway.record(refused)["state"], "quota_spent");
}

#[test]
fn a_kill_gives_nobody_a_second_helping() {
    let (upstream, served) = certainly(|| {
        let upstream = Upstream::saying("Hi");
        let catalog = two_credentials(&upstream);
        let mut gateway = warmed(Gateway::on(Host::Runner).catalog(&catalog).model("m", &["a/up"]).start());
        let before = (0..8).filter(|_| gateway.send(&chat("m")).status == 200).count();
        let certain = was_certain(&gateway, 8);
        gateway.kill_and_restart();
        let gateway = warmed(gateway);
        let after = all_at_once(&gateway, 30).iter().filter(|response| response.status == 200).count();
        (certain && was_certain(&gateway, 38)).then_some((upstream, (before, after)))
    });
    assert_eq!((served, upstream.received().len()), ((8, 4), 12));
}

fn a_spent_quota_leaves_its_target_for_the_next_and_the_record_says_why(host: Host) {
    let (targets, record, requests) = certainly(|| {
        let (first, second) = (Upstream::saying("from a"), Upstream::saying("from b"));
        let quota = format!("quota = {{ rpd = 2, reset = \"{}\" }}", far_reset());
        let gateway = Gateway::on(host).catalog(&provider("a", &first, &quota)).provider("b", &second);
        let gateway = warmed(gateway.model("m", &["a/up", "b/up"]).start());
        let mut connection = gateway.connect();
        let targets: Vec<String> = (0..4)
            .map(|_| connection.exchange(&chat("m")).header("x-llmio-target").expect("a target").to_owned())
            .collect();
        let record = gateway.record(&connection.exchange(&chat("m")));
        was_certain(&gateway, 5).then(|| (targets, record, first.received().len()))
    });
    assert_eq!((targets.join(" "), requests), ("a/up a/up b/up b/up".to_owned(), 2));
    let skipped = &record["decision"]["skipped"][0];
    assert_eq!((&skipped["target"], &skipped["reason"]), (&json!("a/up"), &json!("quota_spent")), "{record}");
    assert!(
        skipped["until_ms"].is_i64() && skipped["said"].as_str().is_some_and(|message| message.contains("2 rpd")),
        "{record}"
    );
}

/// What `GET /api/quota` says is spent of the only limit.
fn spent(gateway: &Gateway) -> u64 {
    let quota = gateway.admin("GET", "/api/quota", "").json();
    quota["quota"][0]["spent"].as_u64().unwrap_or_else(|| panic!("{quota}"))
}

/// What is spent of each limit, in the order of the catalog.
fn each_spent(gateway: &Gateway) -> Vec<u64> {
    let quota = gateway.admin("GET", "/api/quota", "").json();
    let limits = quota["quota"].as_array().unwrap_or_else(|| panic!("{quota}"));
    limits.iter().filter_map(|limit| limit["spent"].as_u64()).collect()
}

fn what_a_provider_failed_at_is_a_call_without_tokens(host: Host) {
    let answers = [Answer::json(400, r#"{"error":{"message":"Unsupported value"}}"#), Answer::json(500, "{}")];
    let upstream = Upstream::saying("Hi").then(answers);
    let quota = format!("quota = {{ rpd = 9, tpd = 100000, concurrent = 9, reset = \"{}\" }}", far_reset());
    let gateway = Gateway::on(host).catalog(&provider("a", &upstream, &quota));
    let gateway = gateway.model_with("m", "attempts = 1", &["a/up"]).start();
    for (status, calls) in [(400, 1), (500, 2)] {
        assert_eq!(gateway.send(&chat("m")).status, status);
        eventually("the call alone is charged", || (each_spent(&gateway) == [calls, 0, 0]).then_some(()));
    }
}

fn what_a_provider_turned_away_or_nobody_got_is_given_back(host: Host) {
    let upstream = Upstream::saying("Hi").then([Answer::json(413, "{}")]);
    let quota = format!("quota = {{ rpd = 1, reset = \"{}\" }}", far_reset());
    let absent = provider("b", &Upstream::absent(), &quota);
    let gateway = Gateway::on(host).catalog(&provider("a", &upstream, &quota)).catalog(&absent);
    let gateway = gateway.model_with("m", "attempts = 1", &["a/up"]).model_with("n", "attempts = 1", &["b/up"]).start();
    for (model, status) in [("m", 413), ("n", 502)] {
        let response = gateway.send(&chat(model));
        assert_eq!(response.status, status, "{}", response.text());
        eventually("it is given back", || (each_spent(&gateway) == [0, 0]).then_some(()));
    }
    // What an instance knows to be spent it looks up again once something was given back to it; ask until it did.
    eventually("the one call it has", || (gateway.send(&chat("m")).status == 200).then_some(()));
    eventually("it is charged", || (each_spent(&gateway) == [1, 0]).then_some(()));
    assert_eq!(upstream.received().len(), 2);
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

fn a_target_that_was_full_when_its_turn_came_is_in_the_record(host: Host) {
    let record = certainly(|| {
        let (first, second) = (Upstream::saying("from a"), Upstream::saying("from b"));
        let (_first, catalog) = two_at_once(first);
        let gateway = Gateway::on(host).catalog(&catalog).provider("b", &second);
        let gateway = warmed(gateway.model("m", &["a/up", "b/up"]).start());
        let _streams = open_streams(&gateway);
        let response = gateway.send(&chat("m"));
        (response.text() == completion("from b")).then(|| gateway.record(&response))
    });
    assert_eq!(record["decision"]["candidates"], json!(["a/up", "b/up"]));
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1), "{record}");
    let skipped = &record["decision"]["skipped"];
    assert_eq!((&skipped[0]["target"], &skipped[0]["reason"]), (&json!("a/up"), &json!("quota_spent")), "{record}");
    assert_eq!((&skipped[0]["said"], &skipped[1]), (&json!("a: 2 of 2 concurrent spent"), &json!(null)), "{record}");
    assert!(skipped[0]["until_ms"].is_i64(), "{record}");
}

/// A provider that lets two calls run at once, and has two streams that do not end by themselves.
fn two_at_once(upstream: Upstream) -> (Upstream, String) {
    let endless = || Answer::stream().chunk(event("one")).wait();
    let upstream = upstream.then([endless(), endless()]);
    let catalog = provider("a", &upstream, "concurrent = 2");
    (upstream, catalog)
}

fn open_streams(gateway: &Gateway) -> [Connection; 2] {
    [(), ()].map(|()| {
        let mut stream = gateway.open(&streamed_chat("m"));
        stream.read_until("one");
        stream
    })
}

#[test]
fn a_kill_frees_the_slots_of_the_calls_it_cut() {
    certainly(|| {
        let (_upstream, catalog) = two_at_once(Upstream::saying("Hi"));
        let mut gateway = warmed(Gateway::on(Host::Runner).catalog(&catalog).model("m", &["a/up"]).start());
        let _streams = open_streams(&gateway);
        let is_full = gateway.send(&chat("m")).status == 429;
        gateway.kill_and_restart();
        let responses = [(), ()].map(|()| gateway.send(&chat("m")));
        is_full.then(|| assert!(responses.iter().all(|response| response.status == 200), "{}", responses[0].text()))
    });
}

/// Nothing traps here; the test reports a trap as the host would.
fn a_call_that_trapped_gives_its_slots_back(host: Host) {
    certainly(|| {
        let (_upstream, catalog) = two_at_once(Upstream::saying("Hi"));
        let gateway = warmed(Gateway::on(host).catalog(&catalog).model("m", &["a/up"]).start());
        let mut streams = open_streams(&gateway);
        let is_full = gateway.send(&chat("m")).status == 429;
        let id = streams[0].header("x-llmio-record").expect("a record");
        let end = json!({ "id": id, "state": "guest_trap", "at": 0 }).to_string();
        assert_eq!(gateway.admin("POST", "/api/records/ended", &end).status, 204);
        eventually("its slot is free", || (gateway.send(&chat("m")).status == 200).then_some(()));
        eventually("the other one's is not", || (spent(&gateway) == 1).then_some(()));
        is_full.then_some(())
    });
}

/// A gateway with a key whose calls are limited.
pub(crate) fn with_limits(gateway: Gateway, limits: serde_json::Value) -> (Gateway, String) {
    let key = gateway.new_key("busy", &[]);
    let mut catalog = gateway.admin("GET", "/api/catalog", "").json();
    catalog["keys"][0]["limits"] = limits;
    assert_eq!(gateway.put_catalog(&catalog.to_string()).status, 200);
    (warmed(gateway), key)
}

fn with_key(key: &str) -> Request {
    Request::new("POST", "/v1/chat/completions").key(key).json(r#"{"model":"m"}"#)
}

fn a_keys_limits_are_its_own(host: Host) {
    let (gateway, busy, statuses) = certainly(|| {
        let gateway = Gateway::on(host).catalog("[[providers]]\npreset = \"echo\"\n").model("m", &["echo/up"]).start();
        let (gateway, busy) = with_limits(gateway, json!({ "rpd": 3, "concurrent": 8 }));
        let statuses: Vec<u16> = (0..5).map(|_| gateway.send(&with_key(&busy)).status).collect();
        (!statuses.contains(&503)).then_some((gateway, busy, statuses))
    });
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let refused = eventually("an answer of the ledger", || {
        Some(gateway.send(&with_key(&busy))).filter(|response| response.status != 503)
    });
    let message = refused.openai_error().message;
    assert!(message.contains("The limits of key \"busy\" are used up (key busy: 3 of 3 rpd spent)"), "{message}");
    assert_eq!(gateway.record(&refused)["state"], "quota_spent");
    let calm = gateway.new_key("calm", &[]);
    assert_eq!((gateway.send(&with_key(&calm)).status, gateway.send(&chat("m")).status), (200, 200));
}

fn calls_that_are_refused_count_against_their_keys_calls(host: Host) {
    let (statuses, received, spent) = certainly(|| {
        let upstream = Upstream::answering(Answer::json(400, r#"{"error":{"message":"Unsupported value"}}"#));
        let gateway = Gateway::on(host).provider("a", &upstream).provider("b", &Upstream::absent());
        let gateway = gateway.model("m", &["a/up"]).model("n", &["b/up"]).start();
        let (gateway, busy) = with_limits(gateway, json!({ "rpd": 2, "tpd": 100_000 }));
        let absent = Request::new("POST", "/v1/chat/completions").key(&busy).json(r#"{"model":"n"}"#);
        let mut statuses = vec![gateway.send(&absent).status];
        eventually("what nobody got is given back", || (each_spent(&gateway) == [0, 0]).then_some(()));
        statuses.extend((0..4).map(|_| gateway.send(&with_key(&busy)).status));
        let spent = eventually("tokens are given back", || Some(each_spent(&gateway)).filter(|spent| spent[1] == 0));
        (!statuses.contains(&503)).then_some((statuses, upstream.received().len(), spent))
    });
    assert_eq!((statuses, received), (vec![502, 400, 400, 429, 429], 2));
    assert_eq!(spent, [2, 0]);
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

#[test]
fn while_the_database_is_locked_provider_quotas_open_and_key_limits_close() {
    while_the_database_is_locked(json!({ "rpd": 1000 }));
}

#[test]
fn while_the_database_is_locked_quotas_open_and_key_budgets_close() {
    while_the_database_is_locked(json!({ "budget": "5 USD/month" }));
}

/// Locked by another process, a provider's quota lets calls through and is made good afterwards; a key's limits do not.
fn while_the_database_is_locked(limits: serde_json::Value) {
    let model = "[[models]]\nname = \"m\"\n\
        targets = [{ provider = \"a\", model = \"up\", price = { input = 1, output = 1 } }]\n";
    let quota = format!("quota = {{ rpd = 1000, reset = \"{}\" }}", far_reset());
    let (gateway, key) = certainly(|| {
        let upstream = Upstream::saying("Hi");
        let gateway = Gateway::on(Host::Runner).catalog(&provider("a", &upstream, &quota)).catalog(model).start();
        let (gateway, key) = with_limits(gateway, limits.clone());
        let served = gateway.send(&chat("m")).status == 200 && gateway.send(&with_key(&key)).status == 200;
        (served && was_certain(&gateway, 2)).then_some((gateway, key))
    });
    let file = gateway.data().join("store.db");
    let lock = Database::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    let open = gateway.send(&chat("m"));
    let closed = gateway.send(&with_key(&key));
    // The writer's last look at the reservation that was given up may be on its way.
    thread::sleep(Duration::from_millis(200));
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
