//! `GET /api/stats`: what calls come to, by time and by whom: counted when a call ends, and once.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{Gateway, Host, PATIENCE, Request, chat, clear_of_midnight, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    calls_are_counted_by_time_and_by_whom,
    gathered_figures_are_the_same_and_outlive_their_records,
    a_call_counts_once_however_often_its_record_is_written,
    records_of_before_are_counted_by_the_maintenance,
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
    database.execute_batch("DROP TRIGGER stats_taken_back; UPDATE records SET cell = NULL, marks = NULL; DELETE FROM stats_series; DELETE FROM stats_minutes; DELETE FROM stats_quarters; DELETE FROM stats_fresh;").expect("nothing is counted");
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
