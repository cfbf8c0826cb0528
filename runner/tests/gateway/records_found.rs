//! Records are found by what became of their calls, however many there are, and sent as files and as they come.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::common::{Gateway, Host, PATIENCE, Request, TOKEN, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    calls_are_found_by_what_became_of_them,
    a_text_is_found_in_model_error_and_client,
    a_look_is_bounded_and_goes_on_where_it_ended,
    slow_calls_are_found_by_their_index,
    records_are_exported_as_lines_and_as_a_table,
    new_calls_are_told_as_they_come,
    a_holder_exports_and_watches_its_own_calls_only,
    calls_of_a_session_are_told_together,
];

fn database(gateway: &Gateway) -> Connection {
    let database = Connection::open(gateway.data().join("store.db")).expect("the database");
    database.busy_timeout(PATIENCE).expect("a connection");
    database
}

/// A gateway of two providers, of which the second one fails.
fn gateway(host: Host) -> (Gateway, [Upstream; 2]) {
    let good = Upstream::saying("Hi");
    let failing = Upstream::answering(Answer::json(500, "{\"error\":{\"message\":\"No 100%_channel\"}}"));
    let gateway = Gateway::on(host).provider("a", &good).provider("b", &failing);
    let gateway = gateway.model("good", &["a/up"]).model("both", &["b/up", "a/up"]);
    (gateway.model_with("bad", "attempts = 1", &["b/up"]).start(), [good, failing])
}

fn call(gateway: &Gateway, request: &Request) -> String {
    let record = gateway.record(&gateway.send(request));
    record["id"].as_str().expect("an id").to_owned()
}

fn ids(gateway: &Gateway, query: &str) -> Vec<String> {
    let id = |record: &Value| record["id"].as_str().expect("an id").to_owned();
    gateway.records(query).iter().map(id).collect()
}

fn calls_are_found_by_what_became_of_them(host: Host) {
    let (gateway, _upstreams) = gateway(host);
    let both = call(&gateway, &chat("both"));
    let good = call(&gateway, &chat("good"));
    let bad = call(&gateway, &chat("bad"));
    let key = gateway.new_key("laptop", &[]);
    let unknown = call(&gateway, &chat("nobody").key(&key));
    for (query, expected) in [
        ("failed_over=true", vec![&both]),
        ("failed_over=true&model=good", vec![]),
        ("not_served=true", vec![&unknown, &bad]),
        ("not_served=true&key=laptop", vec![&unknown]),
        ("not_served=false", vec![&good, &both]),
        ("tried=b", vec![&bad, &both]),
        ("tried=b&provider=a", vec![&both]),
        ("tried=up", vec![]),
        ("not_key=laptop", vec![&bad, &good, &both]),
        ("not_provider=a", vec![&unknown, &bad]),
        ("not_model=good&not_state=ok", vec![&unknown, &bad]),
        ("not_client=127.0.0.1", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(ids(&gateway, query), expected, "{query}");
    }
    assert_eq!(ids(&gateway, &format!("after={both}")), [unknown, bad, good.clone()]);
    assert_eq!(ids(&gateway, &format!("after={both}&model=good")), [good]);
}

fn a_text_is_found_in_model_error_and_client(host: Host) {
    let (gateway, _upstreams) = gateway(host);
    let good = call(&gateway, &chat("good").header("user-agent", "Special/1"));
    let bad = call(&gateway, &chat("bad"));
    for (query, expected) in [
        ("q=GOO", vec![&good]),
        ("q=special", vec![&good]),
        ("q=100%25_ch", vec![&bad]),
        ("q=100_%25ch", vec![]),
        ("q=127.0.0", vec![&bad, &good]),
        ("q=%25", vec![&bad]),
        ("q=nowhere", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(ids(&gateway, query), expected, "{query}");
    }
}

/// Writes records of now, of which the first is another model's.
fn many_records(gateway: &Gateway, count: i64) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) \
               INSERT INTO records (id, at_ms, key, model, state, cell, marks) \
               SELECT ?3 || printf('-7000-8000-%012x', i), ?2, 'k', iif(i = 0, 'needle', 'hay'), 'ok', 1, iif(i = 0, 8, 0) FROM n";
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let prefix = format!("{:08x}-{:04x}", now_ms >> 16, now_ms & 0xffff);
    let now_ms = i64::try_from(now_ms).expect("a time");
    // The gateway makes its tables with the first thing that needs them.
    gateway.records("");
    let database = database(gateway);
    let rows = eventually("there are tables", || database.execute(sql, params![count, now_ms, prefix]).ok());
    assert_eq!(i64::try_from(rows), Ok(count));
}

/// A page, once the indexes are there too.
fn page(gateway: &Gateway, query: &str) -> Value {
    eventually(&format!("a page of {query}"), || {
        let answer = gateway.admin("GET", &format!("/api/records?{query}"), "");
        (answer.status == 200).then(|| answer.json())
    })
}

fn a_look_is_bounded_and_goes_on_where_it_ended(host: Host) {
    let gateway = Gateway::on(host).start();
    many_records(&gateway, 25_000);
    let (mut query, mut looks) = ("model=needle".to_owned(), 0);
    let found = loop {
        let page = page(&gateway, &query);
        if let Some(found) = page["records"].as_array().expect("a page").first() {
            break found.clone();
        }
        assert!(page["looked"]["calls"].as_u64().is_some_and(|calls| (1_000..=20_000).contains(&calls)), "{page}");
        assert!(page["looked"]["back_to_ms"].is_u64(), "{page}");
        looks += 1;
        query = format!("model=needle&before={}", page["next"].as_str().expect("the look goes on"));
    };
    assert!(looks > 0, "25,000 records are more than one look takes");
    assert!(found["id"].as_str().is_some_and(|id| id.ends_with("000000000000")), "{found}");
    let all = page(&gateway, "limit=2");
    assert_eq!((all["records"].as_array().map(Vec::len), &all["looked"]), (Some(2), &Value::Null));
}

fn slow_calls_are_found_by_their_index(host: Host) {
    let gateway = Gateway::on(host).start();
    many_records(&gateway, 25_000);
    let found = page(&gateway, "slow=true");
    assert_eq!((found["records"].as_array().map(Vec::len), &found["looked"]), (Some(1), &Value::Null), "{found}");
    assert_eq!(found["records"][0]["model"], "needle");
}

fn records_are_exported_as_lines_and_as_a_table(host: Host) {
    let gateway = Gateway::on(host).start();
    many_records(&gateway, 1_200);
    let lines = gateway.admin("GET", "/api/records/export", "");
    assert_eq!(lines.header("content-type"), Some("application/jsonl; charset=utf-8"));
    let text = lines.text();
    let read =
        |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["id"].as_str().expect("an id").to_owned();
    let ids: Vec<String> = text.lines().map(read).collect();
    assert_eq!(ids.len(), 1_200);
    assert!(ids.is_sorted_by(|one, other| one > other), "newest first, each once");
    let table = gateway.admin("GET", "/api/records/export?format=csv&model=needle", "");
    assert_eq!(table.header("content-disposition"), Some("attachment; filename=\"records.csv\""));
    let text = table.text();
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows.len() == 2 && rows[0].starts_with("id,at,key,model,") && rows[1].contains(",k,needle,"), "{text}");
    assert_eq!(gateway.admin("GET", "/api/records/export?format=xlsx", "").status, 400);
    assert_eq!(gateway.send(&Request::new("GET", "/api/records/export")).status, 401);
}

/// Reads a stream until it holds this text.
fn until(stream: &mut crate::common::Connection, expected: &str) -> String {
    let mut text = String::new();
    while !text.contains(expected) {
        let piece = stream.next().unwrap_or_else(|| panic!("it ended without {expected:?}: {text}"));
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    text
}

fn new_calls_are_told_as_they_come(host: Host) {
    let answer = Answer::stream().chunk(event("one")).wait().chunk(last_events()).end();
    let upstream = Upstream::answering(answer);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let before = call(&gateway, &chat("nobody"));
    let mut tail = gateway.open(&Request::new("GET", "/api/records/tail?not_model=other").key(TOKEN));
    assert_eq!(tail.header("content-type").as_deref(), Some("text/event-stream"));
    until(&mut tail, "retry: 2000");
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    let begun = until(&mut tail, "\"state\":\"running\"");
    assert!(begun.contains(&id) && begun.contains("event: record\n"), "{begun}");
    call(&gateway, &chat("other"));
    upstream.release();
    stream.finish();
    let ended = until(&mut tail, "\"state\":\"ok\"");
    assert!(ended.contains(&id), "{ended}");
    assert!(!begun.contains(&before) && !ended.contains(&before), "only what comes from now on");
    assert!(!ended.contains("\"model\":\"other\""), "only what fits: {ended}");
}

fn a_holder_exports_and_watches_its_own_calls_only(host: Host) {
    let (gateway, _upstreams) = gateway(host);
    let key = gateway.new_key("laptop", &[]);
    let form = Request::new("POST", "/console/sign-in").header("content-type", "application/x-www-form-urlencoded");
    let signed_in = gateway.send(&form.body(format!("credential={key}")));
    let cookie =
        signed_in.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a session").to_owned();
    let get = |path: &str| Request::new("GET", path).header("cookie", &cookie);
    let mut tail = gateway.open(&get("/console/records/tail?key=admin"));
    until(&mut tail, "retry: 2000");
    let (others, own) = (call(&gateway, &chat("both")), call(&gateway, &chat("both").key(&key)));
    let events = until(&mut tail, &own);
    assert!(!events.contains(&others), "{events}");
    for path in ["/console/records/export?key=admin", "/console/records/export?format=csv&not_key=laptop"] {
        let file = gateway.send(&get(path)).text();
        assert!(file.contains(&own) && !file.contains(&others) && !file.contains("127.0.0.1"), "{path}: {file}");
    }
    let exported: Value =
        serde_json::from_str(gateway.send(&get("/console/records/export")).text().trim()).expect("one line");
    assert_eq!(
        (&exported["client"], &exported["attempts"][0]["credential"]),
        (&json!(null), &json!(null)),
        "{exported}"
    );
    assert_eq!(gateway.send(&Request::new("GET", "/console/records/export")).status, 303, "nobody without a session");
}

fn calls_of_a_session_are_told_together(host: Host) {
    let (gateway, _upstreams) = gateway(host);
    let key = gateway.new_key("laptop", &[]);
    for (model, session) in [("good", "s-1"), ("both", "s-1"), ("good", "s-2")] {
        call(&gateway, &chat(model).header("x-session-id", session).header("user-agent", "Agent/1"));
    }
    call(&gateway, &chat("good").header("x-session-id", "s-1").key(&key));
    call(&gateway, &chat("good"));
    let found = gateway.admin("GET", "/api/records/sessions", "").json();
    let row = |session: &Value| (session["session"].clone(), session["key"].clone(), session["calls"].clone());
    let mut rows: Vec<_> = found["sessions"].as_array().expect("a list").iter().map(row).collect();
    rows.sort_by_key(|(session, key, _)| format!("{session} {key}"));
    let expected = [("s-1", "admin", 2), ("s-1", "laptop", 1), ("s-2", "admin", 1)];
    assert_eq!(rows, expected.map(|(session, key, calls)| (json!(session), json!(key), json!(calls))));
    let is_first = |session: &&Value| session["session"] == "s-1" && session["key"] == "admin";
    let last =
        found["sessions"].as_array().and_then(|sessions| sessions.iter().find(is_first)).expect("the first session");
    let mut models: Vec<&str> = last["models"].as_array().expect("models").iter().filter_map(Value::as_str).collect();
    models.sort_unstable();
    assert_eq!(
        (models, &last["failed_over"], &last["input_tokens"]),
        (vec!["both", "good"], &json!(1), &json!(22)),
        "{last}"
    );
    assert_eq!(
        (&last["providers"], &last["user_agent"], &found["looked"]),
        (&json!(["a"]), &json!("Agent/1"), &Value::Null)
    );
    let of_key = gateway.admin("GET", "/api/records/sessions?key=laptop", "").json();
    assert_eq!(of_key["sessions"].as_array().map(Vec::len), Some(1), "{of_key}");
    assert_eq!(gateway.admin("GET", "/api/records/sessions?state=ok", "").status, 400);
}
