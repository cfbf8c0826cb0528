//! Records: one for each accepted call with what is true of it; found again by filter and page; kept over kills.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::common::{Gateway, Host, PATIENCE, Request, Response, TOKEN, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    a_record_holds_what_is_true_of_its_call,
    every_accepted_call_has_exactly_one_record,
    a_record_is_there_for_whoever_has_the_answer,
    records_are_found_by_every_filter,
    pages_follow_each_other_without_gap_or_repetition,
    a_call_that_is_open_for_a_second_has_a_running_row,
    an_end_told_by_the_host_ends_a_running_record_only,
    maintenance_deletes_what_is_past_its_retention,
    the_oldest_records_go_while_the_database_is_larger_than_it_may_be,
];

/// The id of the only record in this state.
fn only_id(gateway: &Gateway, state: &str) -> String {
    let record = eventually(&format!("a record is {state}"), || gateway.records(&format!("state={state}")).pop());
    record["id"].as_str().expect("an id").to_owned()
}

fn now_ms() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis()
}

fn a_record_holds_what_is_true_of_its_call(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let key = gateway.new_key("laptop", &[]);
    let body = r#"{"model":"m","session_id":"s-9","messages":[]}"#;
    let request = Request::new("POST", "/v1/chat/completions").key(&key).header("user-agent", "test/1").json(body);
    let response = gateway.send(&request);
    let record = gateway.record(&response);
    let exact = [
        ("id", json!(response.header("x-llmio-record"))),
        ("key", json!("laptop")),
        ("model", json!("m")),
        ("dialect", json!("openai-chat")),
        ("endpoint", json!("chat/completions")),
        ("streamed", json!(false)),
        ("session", json!("s-9")),
        ("client", json!("127.0.0.1")),
        ("user_agent", json!("test/1")),
        ("state", json!("ok")),
        ("status", json!(200)),
        ("error", Value::Null),
        ("provider", json!("a")),
        ("upstream_model", json!("up")),
        ("bytes_in", json!(body.len())),
        ("bytes_out", json!(completion("Hi").len())),
        ("input_tokens", json!(11)),
        ("output_tokens", json!(7)),
        ("cache_read_tokens", Value::Null),
        ("cache_write_tokens", Value::Null),
        ("reasoning_tokens", Value::Null),
        ("warnings", Value::Null),
    ];
    for (name, value) in exact {
        assert_eq!(record[name], value, "{name} of {record}");
    }
    let attempt = &record["attempts"][0];
    assert_eq!((&attempt["credential"], &attempt["status"]), (&json!("#1"), &json!(200)));
    let at_ms = u128::from(record["at_ms"].as_u64().expect("a time"));
    assert!(now_ms() - at_ms < 60_000, "{record}");
    assert!(record["first_byte_ms"].as_u64() <= record["duration_ms"].as_u64(), "{record}");
    assert!(record["id"].as_str().is_some_and(|id| id.as_bytes()[14] == b'7'), "a UUID of version 7: {record}");
}

fn every_accepted_call_has_exactly_one_record(host: Host) {
    let stream = Answer::stream().chunk(event("Hi")).chunk(last_events()).end();
    let upstream = Upstream::answering(Answer::json(500, "{}")).then([stream, Answer::json(400, "{}")]);
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", "attempts = 1", &["a/up"]).start();
    let requests =
        [streamed_chat("m"), chat("m"), chat("m"), chat("nobody"), chat("m").body("{"), chat("m").without_key()];
    let responses: Vec<Response> = requests.iter().map(|request| gateway.send(request)).collect();
    let ids: HashSet<&str> = responses.iter().filter_map(|response| response.header("x-llmio-record")).collect();
    assert_eq!(ids.len(), 5, "all but the call of nobody have a record");
    let states: Vec<Value> = responses[..5].iter().map(|response| gateway.record(response)["state"].clone()).collect();
    assert_eq!(states, ["ok", "client_error", "upstream_error", "rejected", "rejected"]);
    assert_eq!(gateway.records("").len(), 5);
}

fn a_record_is_there_for_whoever_has_the_answer(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    for _ in 0..20 {
        let response = gateway.send(&chat("m"));
        let path = format!("/api/records/{}", response.header("x-llmio-record").expect("its record"));
        assert_eq!(gateway.admin("GET", &path, "").status, 200);
    }
    let old = gateway.admin("GET", "/api/records/01900000-0000-7000-8000-000000000000", "");
    assert_eq!((old.status, &old.json()["title"]), (404, &json!("record_not_found")));
}

fn records_are_found_by_every_filter(host: Host) {
    let upstream = Upstream::saying("Hi");
    let echo = "[[providers]]\npreset = \"echo\"\n";
    let gateway = Gateway::on(host).provider("a", &upstream).catalog(echo);
    let gateway = gateway.model("m", &["a/up"]).model("n", &["echo/e"]).start();
    let key = gateway.new_key("laptop", &[]);
    let request = chat("n").to("/v1/completions").key(&key).header("x-session-id", "s 1&2");
    let request = request.body(r#"{"model":"n","stream":true,"prompt":"x"}"#);
    let mut connection = gateway.connect_from(5);
    connection.send(&request);
    let recorded = gateway.record(&connection.finish());
    let others =
        [chat("m"), chat("m").body("{\"model\":\"nobody\"}")].map(|request| gateway.record(&gateway.send(&request)));
    let at_ms = others[0]["at_ms"].as_u64().expect("a time").max(recorded["at_ms"].as_u64().expect("a time") + 1);
    for filter in [
        "key=laptop".to_owned(),
        "model=n".to_owned(),
        "provider=echo".to_owned(),
        "upstream_model=e".to_owned(),
        "session=s%201%262".to_owned(),
        "endpoint=completions".to_owned(),
        "client=127.77.0.5".to_owned(),
        "streamed=true".to_owned(),
        "state=ok&key=laptop&status=200".to_owned(),
        format!("until={at_ms}&model=n"),
    ] {
        assert_eq!(gateway.records(&filter), std::slice::from_ref(&recorded), "{filter}");
    }
    assert_eq!(gateway.records("status=404"), [others[1].clone()]);
    assert_eq!(gateway.records("streamed=false").len(), 2);
    assert_eq!(gateway.records("since=99999999999999").len(), 0);
    assert_eq!(gateway.records("model=n'%20OR%20'1'='1").len(), 0);
}

fn pages_follow_each_other_without_gap_or_repetition(host: Host) {
    let gateway = Gateway::on(host).start();
    let mut made: Vec<String> = Vec::new();
    for _ in 0..5 {
        let record = gateway.record(&gateway.send(&chat("demo")));
        made.push(record["id"].as_str().expect("an id").to_owned());
    }
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = gateway.admin("GET", &format!("/api/records?{query}"), "").json();
        let ids =
            page["records"].as_array().expect("a page").iter().map(|record| record["id"].as_str().expect("an id"));
        seen.extend(ids.map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=2&before={next}");
    }
    made.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(seen, made, "newest first, each once");
}

fn a_call_that_is_open_for_a_second_has_a_running_row(host: Host) {
    let answer = Answer::stream().chunk(event("one")).wait().chunk(last_events()).end();
    let upstream = Upstream::answering(answer);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    assert_eq!(only_id(&gateway, "running"), id);
    let running = gateway.admin("GET", &format!("/api/records/{id}"), "").json();
    assert_eq!((&running["model"], &running["provider"]), (&json!("m"), &json!("a")));
    assert!(running["duration_ms"].is_null() && running["output_tokens"].is_null(), "{running}");
    upstream.release();
    assert_eq!(stream.finish().text(), format!("{}{}", event("one"), last_events()));
    let record = gateway.record_by_id(&id);
    assert_eq!((&record["state"], &record["output_tokens"]), (&json!("ok"), &json!(7)));
    assert!(record["duration_ms"].as_u64().is_some_and(|ms| ms >= 1000), "{record}");
    assert_eq!(gateway.records("").len(), 1, "one record, however often it was written");
}

fn an_end_told_by_the_host_ends_a_running_record_only(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait().end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    assert_eq!(only_id(&gateway, "running"), id);
    let end = |id: &str, state: &str| {
        let report = json!({ "id": id, "state": state, "at": 1_900_000_000_000_u64 });
        let response = gateway.admin("POST", "/api/records/ended", &report.to_string());
        assert_eq!(response.status, 204, "{}", response.text());
    };
    end(&id, "guest_trap");
    let ended = gateway.record_by_id(&id);
    assert_eq!((&ended["state"], &ended["model"]), (&json!("guest_trap"), &json!("m")));
    end(&id, "drained");
    // An id of now: an old one would be past its retention for the maintenance that follows the start.
    let now_ms = now_ms();
    let unheard_of_id = format!("{:08x}-{:04x}-7000-8000-000000000001", now_ms >> 16, now_ms & 0xffff);
    end(&unheard_of_id, "drained");
    let unheard_of = gateway.record_by_id(&unheard_of_id);
    assert_eq!(unheard_of["state"], "drained", "a call that never wrote a row has one now");
    assert_eq!(gateway.record_by_id(&id)["state"], "guest_trap", "an end stays as it is");
    upstream.release();
    stream.finish();
}

fn maintenance_deletes_what_is_past_its_retention(host: Host) {
    let gateway = Gateway::on(host).catalog("[settings]\nretention_days = 1\n").start().settled();
    let kept = gateway.record(&gateway.send(&chat("nobody")));
    // Of 2023, as its first 48 bits say.
    let old = "01890000-0000-7000-8000-000000000001";
    let report = json!({ "id": old, "state": "ok", "at": 1_687_000_000_000_u64 });
    let deleted = || {
        let done = gateway.admin("POST", "/api/maintain", "{}");
        assert_eq!(done.status, 200, "{}", done.text());
        done.json()["records_deleted"].as_u64().unwrap_or_else(|| panic!("no count: {}", done.text()))
    };
    let deleted_of_one = || {
        assert_eq!(gateway.admin("POST", "/api/records/ended", &report.to_string()).status, 204);
        deleted()
    };
    // Maintenance also comes by itself, after the start or after an answer, and may have been first.
    assert!((0..3).any(|_| deleted_of_one() == 1), "what is past its retention was never deleted");
    assert_eq!(gateway.records(""), [kept]);
    assert_eq!(deleted(), 0);
}

fn the_oldest_records_go_while_the_database_is_larger_than_it_may_be(host: Host) {
    let gateway = Gateway::on(host).catalog("[settings]\nmax_db_mib = 16\n").start().settled();
    let first = gateway.record(&gateway.send(&chat("nobody")));
    let file = gateway.data().join("store.db");
    let database = rusqlite::Connection::open(&file).expect("the database");
    database.busy_timeout(PATIENCE).expect("patience");
    let now_ms = i64::try_from(now_ms()).expect("a time");
    let id = |row: u64| format!("{:08x}-{:04x}-7fff-8000-{row:012x}", now_ms >> 16, now_ms & 0xffff);
    for row in 0..40 {
        let sql = "INSERT INTO records (id, at_ms, state, decision) VALUES (?1, ?2, 'ok', json_object('x', hex(zeroblob(524288))))";
        database.execute(sql, rusqlite::params![id(row), now_ms]).expect("a row of a MiB");
    }
    drop(database);
    eventually("it has shrunk", || {
        assert_eq!(gateway.admin("POST", "/api/maintain", "{}").status, 200);
        let database = rusqlite::Connection::open(&file).expect("the database");
        database.busy_timeout(PATIENCE).expect("patience");
        let sql = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
        let used: i64 = database.query_row(sql, [], |row| row.get(0)).expect("a size");
        (used <= 16 << 20).then_some(())
    });
    let of = |id: &str| gateway.admin("GET", &format!("/api/records/{id}"), "").status;
    assert_eq!(of(first["id"].as_str().expect("an id")), 404, "the oldest is gone");
    assert_eq!((of(&id(0)), of(&id(39))), (404, 200), "the newest is not");
    if host == Host::Runner {
        // It follows in small steps, one with each write.
        eventually("the file is smaller", || {
            gateway.send(&chat("nobody"));
            let bytes = std::fs::metadata(&file).expect("the database").len();
            (bytes <= 18 << 20).then_some(())
        });
    }
}

#[test]
fn a_call_the_process_did_not_survive_is_interrupted() {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait());
    let mut gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/up"]).start();
    let whole = gateway.record(&gateway.send(&chat("nobody")));
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    assert_eq!(only_id(&gateway, "running"), id);
    gateway.kill_and_restart();
    let record = gateway.record_by_id(&id);
    assert_eq!((&record["state"], &record["model"]), (&json!("interrupted"), &json!("m")));
    assert_eq!(gateway.record_by_id(whole["id"].as_str().expect("an id")), whole, "what had ended stays");
}

#[test]
fn the_runner_names_the_record_and_no_client_can() {
    let gateway = Gateway::on(Host::Runner).start();
    let forged = "01890000-0000-7000-8000-000000000001";
    let request = Request::new("POST", "/v1/chat/completions").key(TOKEN).header("x-llmio-call", forged);
    let response = gateway.send(&request.json(r#"{"model":"demo"}"#));
    assert_ne!(response.header("x-llmio-record"), Some(forged));
    assert_eq!(gateway.record(&response)["state"], "ok");
}
