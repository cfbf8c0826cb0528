//! `GET /api/stats`: what calls come to, by time and by whom: counted when a call ends, and once.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{Gateway, Host, PATIENCE, Request, chat, clear_of_midnight, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    calls_are_counted_by_time_and_by_whom,
    gathered_figures_are_the_same_and_outlive_their_records,
    a_call_counts_once_however_often_its_record_is_written,
    records_of_before_are_counted_by_the_maintenance,
    long_spans_add_up_from_days_as_from_quarters,
    days_of_before_are_made_of_their_quarters,
    what_is_asked_for_is_bounded_and_named,
];

const PRICE: &str = "price = { input = 1, output = 2, currency = \"USD\" }\n";

fn stats(gateway: &Gateway, query: &str) -> Value {
    let answer = gateway.admin("GET", &format!("/api/stats?{query}"), "");
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

/// The figures, once so many calls have ended.
fn stats_of(gateway: &Gateway, query: &str, calls: u64) -> Value {
    eventually(&format!("{calls} calls are counted"), || {
        let stats = stats(gateway, query);
        (stats["total"]["calls"] == calls).then_some(stats)
    })
}

fn maintain(gateway: &Gateway) {
    assert_eq!(gateway.admin("POST", "/api/maintain", "{}").status, 200);
}

fn database(gateway: &Gateway) -> Connection {
    let database = Connection::open(gateway.data().join("store.db")).expect("the database");
    database.busy_timeout(PATIENCE).expect("a connection");
    database
}

/// One call that is served, one that is served by the second target, and three that are not served: by nobody, by a
/// mistake of the client's, and for a model that there is not.
fn with_five_calls(host: Host) -> (Gateway, [Upstream; 3]) {
    let [good, failing, strict] = [
        Upstream::saying("Hi"),
        Upstream::answering(Answer::json(500, "{}")),
        Upstream::answering(Answer::json(400, "{}")),
    ];
    let target = |provider: &str, tier: u32| {
        format!("[[models.targets]]\nprovider = \"{provider}\"\nmodel = \"up\"\ntier = {tier}\n{PRICE}")
    };
    let model = |name: &str, fields: &str, targets: &[String]| {
        format!("[[models]]\nname = \"{name}\"\n{fields}\n{}", targets.concat())
    };
    let models = [
        model("good", "aliases = [\"fine\"]", &[target("a", 1)]),
        model("both", "", &[target("b", 1), target("a", 2)]),
        model("bad", "attempts = 1", &[target("b", 1)]),
        model("wrong", "", &[target("c", 1)]),
    ];
    let gateway = Gateway::on(host).provider("a", &good).provider("b", &failing).provider("c", &strict);
    let gateway = gateway.catalog(&models.concat()).start();
    let key = gateway.new_key("laptop", &[]);
    for (model, status) in [("fine", 200), ("both", 200), ("bad", 500), ("wrong", 400), ("nobody", 404)] {
        let answer = gateway.send(&chat(model).key(&key).header("user-agent", "curl/8.5.0"));
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
        gateway.record(&answer);
    }
    (gateway, [good, failing, strict])
}

fn row<'s>(stats: &'s Value, name: &Value) -> &'s Value {
    let rows = stats["rows"].as_array().expect("rows");
    rows.iter().find(|row| row["name"] == *name).unwrap_or_else(|| panic!("no row {name}: {stats}"))
}

fn calls_are_counted_by_time_and_by_whom(host: Host) {
    clear_of_midnight();
    let (gateway, _upstreams) = with_five_calls(host);
    let stats = stats_of(&gateway, "step=day&by=model", 5);
    let total = &stats["total"];
    for (name, expected) in [
        ("failed_over", 1),
        ("not_served", 3),
        ("client_mistakes", 2),
        ("input_tokens", 22),
        ("output_tokens", 14),
        ("cost_nano", 50_000),
    ] {
        assert_eq!(total[name], expected, "{name}: {total}");
    }
    assert!(total["first_content_p50_ms"].is_null() && total["duration_ms"].is_u64(), "none was streamed: {total}");
    let (good, bad, unknown) = (row(&stats, &json!("good")), row(&stats, &json!("bad")), row(&stats, &Value::Null));
    assert_eq!((&good["calls"], &good["not_served"]), (&json!(1), &json!(0)), "by its alias");
    assert_eq!((&bad["calls"], &bad["not_served"], &bad["client_mistakes"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!((&unknown["calls"], &unknown["client_mistakes"]), (&json!(1), &json!(1)), "nobody");
    let [today] = &stats["series"].as_array().expect("a series")[..] else { panic!("{stats}") };
    assert_eq!(
        (&today["calls"], &today["at_ms"]),
        (&json!(5), &json!(stats["until_ms"].as_i64().expect("a time") - 86_400_000))
    );
    for (by, name, calls) in [
        ("provider", json!("a"), 2),
        ("target", json!("b/up"), 1),
        ("credential", json!("a/#1"), 2),
        ("key", json!("laptop"), 5),
        ("client", json!("curl"), 5),
    ] {
        assert_eq!(row(&self::stats(&gateway, &format!("by={by}&step=minute")), &name)["calls"], calls, "{by}");
    }
    for (narrowed, calls) in [("model=both", 1), ("provider=a", 2), ("key=other", 0), ("client=curl&model=bad", 1)] {
        assert_eq!(self::stats(&gateway, narrowed)["total"]["calls"], calls, "{narrowed}");
    }
}

fn gathered_figures_are_the_same_and_outlive_their_records(host: Host) {
    clear_of_midnight();
    let (gateway, _upstreams) = with_five_calls(host);
    let queries = ["by=target&step=day", "by=client", "by=key&step=minute"];
    let figures = |query: &str| {
        let stats = stats_of(&gateway, query, 5);
        [stats["total"].clone(), stats["rows"].clone(), json!(stats["series"].as_array().map(Vec::len))]
    };
    let before = queries.map(figures);
    maintain(&gateway);
    assert_eq!(queries.map(figures), before);
    let database = database(&gateway);
    assert_eq!(database.execute("DELETE FROM records", []).expect("the records go"), 5);
    maintain(&gateway);
    assert_eq!(queries.map(figures), before);
    assert_eq!(gateway.send(&chat("good")).status, 200);
    stats_of(&gateway, "", 6);
}

fn a_call_counts_once_however_often_its_record_is_written(host: Host) {
    let answer = Answer::stream().chunk(event("one")).wait().chunk(last_events()).end();
    let upstream = Upstream::answering(answer);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    eventually("it has a row", || gateway.records("state=running").pop());
    assert_eq!(stats(&gateway, "")["total"]["calls"], 0, "it has not ended");
    let end = json!({ "id": id, "state": "interrupted", "at": 1_900_000_000_000_u64 });
    assert_eq!(gateway.admin("POST", "/api/records/ended", &end.to_string()).status, 204);
    assert_eq!(stats_of(&gateway, "", 1)["total"]["not_served"], 1, "as far as is known");
    maintain(&gateway);
    upstream.release();
    stream.finish();
    let stats = eventually("its own end counts", || {
        let stats = stats(&gateway, "by=provider");
        (stats["total"]["not_served"] == 0).then_some(stats)
    });
    assert_eq!((&stats["total"]["calls"], &stats["total"]["output_tokens"]), (&json!(1), &json!(7)), "{stats}");
    assert!(stats["total"]["first_content_p95_ms"].is_u64(), "{stats}");
    assert_eq!(row(&stats, &json!("a"))["calls"], 1);
}

fn records_of_before_are_counted_by_the_maintenance(host: Host) {
    let (gateway, _upstreams) = with_five_calls(host);
    stats_of(&gateway, "", 5);
    maintain(&gateway);
    let database = database(&gateway);
    // As a version that did not count has left them.
    let tables = ["series", "minutes", "quarters", "fresh", "totals", "totals_first", "days", "days_first"];
    let emptied = tables.map(|table| format!("DELETE FROM stats_{table};")).concat();
    let uncounted = "DROP TRIGGER stats_taken_back; UPDATE records SET cell = NULL, marks = NULL;";
    database.execute_batch(&format!("{uncounted} {emptied}")).expect("nothing is counted");
    assert_eq!(stats(&gateway, "")["total"]["calls"], 0);
    maintain(&gateway);
    let stats = stats_of(&gateway, "by=target", 5);
    assert_eq!((&stats["total"]["failed_over"], &stats["total"]["not_served"]), (&json!(1), &json!(3)));
    assert_eq!(
        (row(&stats, &json!("a/up"))["calls"].as_u64(), row(&stats, &json!("b/up"))["calls"].as_u64()),
        (Some(2), Some(1))
    );
    maintain(&gateway);
    assert_eq!(self::stats(&gateway, "")["total"]["calls"], 5, "once");
}

/// Calls of twelve days, one each hour, of two series in turn. A zone whose days begin with none of UTC's quarters but its
/// own is what is hardest to add up.
fn with_calls_of_days(host: Host) -> (Gateway, i64) {
    let gateway = Gateway::on(host).catalog("[settings]\nzone = \"Asia/Kathmandu\"\n").start();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let (database, now) = (database(&gateway), i64::try_from(since_1970.as_secs() / 60).expect("minutes"));
    for (series, model) in [(1, "a"), (2, "b")] {
        let name = "INSERT INTO stats_series (id, key, model, client) VALUES (?1, 'laptop', ?2, 'curl')";
        database.execute(name, (series, model)).expect("a series");
    }
    for hour in 0..12 * 24_i64 {
        let (series, bucket) = (1 + hour % 2, 5 + hour % 7);
        let call = "INSERT INTO stats_fresh VALUES (?1, ?2, 1, 0, ?3, 0, 100, 0, 0, 7, 0, 50, 0, 1000)";
        database.execute(call, (now - hour * 60, series << 6 | bucket, hour % 3 / 2)).expect("a cell");
    }
    (gateway, now * 60_000)
}

/// The same figures, read from quarters where something narrows the calls, though it leaves none out.
fn assert_equal_either_way(gateway: &Gateway, now: i64) {
    for days in [0, 1, 2, 11] {
        let since = now - days * 86_400_000;
        for step in ["hour", "day"] {
            let query = format!("step={step}&by=model&since={since}&until={now}");
            let (whole, narrowed) = (stats(gateway, &query), stats(gateway, &format!("{query}&client=curl")));
            assert!(whole["total"]["calls"].as_u64() > Some(0), "{query}");
            for part in ["total", "series"] {
                assert_eq!(whole[part], narrowed[part], "{query}: {part}");
            }
            for model in ["a", "b"] {
                let total = stats(gateway, &format!("{query}&model={model}"))["total"].clone();
                let rows = whole["rows"].as_array().expect("rows");
                let row = rows.iter().find(|row| row["name"] == model).cloned().unwrap_or(json!({ "calls": 0 }));
                for name in row.as_object().expect("a row").keys().filter(|name| *name != "name") {
                    assert_eq!(row[name], total[name], "{query}: {model}: {name}");
                }
            }
        }
    }
}

fn long_spans_add_up_from_days_as_from_quarters(host: Host) {
    let (gateway, now) = with_calls_of_days(host);
    assert_equal_either_way(&gateway, now);
    maintain(&gateway);
    assert_eq!(stats(&gateway, "step=day")["total"]["calls"], 12 * 24);
    assert_equal_either_way(&gateway, now);
    // More of the same days, not gathered yet, and one call less.
    let more = "BEGIN IMMEDIATE; \
                INSERT INTO stats_fresh SELECT minute, cell, calls, 0, 0, 0, 10, 0, 0, 0, 0, 5, 0, 10 FROM stats_quarters; \
                UPDATE stats_fresh SET calls = -1 WHERE minute = (SELECT min(minute) FROM stats_fresh); COMMIT;";
    database(&gateway).execute_batch(more).expect("more calls");
    assert_equal_either_way(&gateway, now);
    maintain(&gateway);
    assert_equal_either_way(&gateway, now);
    assert_eq!(stats(&gateway, "step=day")["total"]["calls"], 2 * 12 * 24 - 2);
}

fn days_of_before_are_made_of_their_quarters(host: Host) {
    let (mut gateway, now) = with_calls_of_days(host);
    maintain(&gateway);
    // As a version that had no days has left them.
    let tables = ["totals", "totals_first", "days", "days_first"];
    let dropped = tables.map(|table| format!("DROP TABLE stats_{table};")).concat();
    let triggers = "DROP TRIGGER stats_gathered_with_days; DROP TRIGGER stats_days_of_before;";
    let notes = "DELETE FROM maintenance WHERE name = 'stats_days'; DROP TABLE migrated;";
    database(&gateway).execute_batch(&format!("{triggers} {dropped} {notes}")).expect("there are no days");
    gateway.restart();
    stats_of(&gateway, "step=day", 12 * 24);
    assert_equal_either_way(&gateway, now);
}

fn what_is_asked_for_is_bounded_and_named(host: Host) {
    let gateway = Gateway::on(host).start();
    for (query, message) in [
        ("step=minute&since=0", "2880 steps at most"),
        ("by=colour", "`by` must be one of model, "),
        ("colour=blue", "There is no parameter `colour`."),
    ] {
        let refused = gateway.admin("GET", &format!("/api/stats?{query}"), "");
        assert_eq!(refused.status, 400, "{query}");
        assert!(refused.text().contains(message), "{query}: {}", refused.text());
    }
    assert_eq!(gateway.send(&Request::new("GET", "/api/stats")).status, 401);
}
