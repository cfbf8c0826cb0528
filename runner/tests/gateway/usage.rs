//! `GET /v1/usage`: what the holder of a key may spend and has used, and nothing about anybody else.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::common::{Gateway, Host, PATIENCE, Request, TOKEN, chat, clear_of_midnight, eventually, limited_call};
use crate::upstream::Upstream;

both_hosts![
    a_holder_sees_its_own_limits_and_use_and_nobody_elses,
    a_key_without_limits_sees_its_use_too,
    days_are_chosen_and_bounded,
    who_may_not_ask_is_told_so_in_openais_shape,
    what_was_used_is_told_when_its_records_are_gone,
];

const PRICED: &str = "[[models]]\nname = \"m\"\n[[models.targets]]\nprovider = \"a\"\nmodel = \"up\"\n\
                      price = { input = 1, output = 2, currency = \"USD\" }\n";

fn gateway(host: Host, upstream: &Upstream) -> Gateway {
    Gateway::on(host).provider("a", upstream).catalog(PRICED).start()
}

fn key(gateway: &Gateway, body: &Value) -> String {
    let made = gateway.admin("POST", "/api/keys", &body.to_string());
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["key"].as_str().expect("a key").to_owned()
}

fn usage(gateway: &Gateway, key: &str, query: &str) -> Value {
    let answer = gateway.send(&Request::new("GET", &format!("/v1/usage{query}")).key(key));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Once so many calls of it are recorded.
fn usage_of(gateway: &Gateway, key: &str, calls: u64) -> Value {
    eventually("its calls are recorded", || {
        let usage = usage(gateway, key, "");
        (usage["total"]["calls"] == calls).then_some(usage)
    })
}

fn a_holder_sees_its_own_limits_and_use_and_nobody_elses(host: Host) {
    clear_of_midnight();
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let limits = json!({ "rpd": 5, "budget": "1 USD/day" });
    let (mine, other) =
        (key(&gateway, &json!({ "name": "mine", "models": ["m"], "limits": limits })), gateway.new_key("other", &[]));
    let calls: u64 = (0..3).map(|_| limited_call(&gateway, &chat("m").key(&mine), 200)).sum();
    assert_eq!(gateway.send(&chat("m").key(&other)).status, 200);
    assert_eq!(gateway.send(&chat("secret-project").key(&other)).status, 404);
    usage_of(&gateway, &other, 2);
    let seen = usage_of(&gateway, &mine, calls);
    // 11 tokens in and 7 out.
    let used = json!({ "calls": calls, "input_tokens": 33, "cache_read_tokens": 0, "output_tokens": 21, "cost_usd": 0.000075,
                       "unpriced_calls": calls - 3 });
    assert_eq!((&seen["object"], &seen["key"], &seen["models"]), (&json!("usage"), &json!("mine"), &json!(["m"])));
    assert_eq!((&seen["total"], &seen["zone"]), (&used, &json!("UTC")));
    let limits = seen["limits"].as_array().expect("its limits").clone();
    let shown: Vec<_> =
        limits.iter().map(|limit| (&limit["name"], &limit["unit"], &limit["limit"], &limit["remaining"])).collect();
    assert_eq!(
        shown,
        [
            (&json!("rpd"), &json!("calls"), &json!(5), &json!(2)),
            (&json!("budget-day"), &json!("usd"), &json!(1.0), &json!(0.999925)),
        ]
    );
    assert!(limits[1]["resets_at"].as_str().is_some_and(|at| at.ends_with("T00:00:00Z")), "{limits:?}");
    let [day] = &seen["days"].as_array().expect("days")[..] else { panic!("{seen}") };
    assert_eq!(
        (&day["calls"], &day["models"][0]["model"], &day["models"][0]["calls"]),
        (&json!(calls), &json!("m"), &json!(calls))
    );
    let text = seen.to_string();
    assert!(!text.contains("other") && !text.contains("secret-project"), "{text}");
    assert!(!text.contains("credential") && !text.contains("\"a\""), "nothing of where calls went: {text}");
    let admins = usage(&gateway, TOKEN, "");
    assert_eq!((&admins["key"], &admins["limits"]), (&json!("admin"), &json!([])));
}

fn a_key_without_limits_sees_its_use_too(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let key = gateway.new_key("free", &[]);
    assert_eq!(usage(&gateway, &key, "")["total"]["calls"], 0);
    assert_eq!(gateway.send(&chat("m").key(&key)).status, 200);
    let seen = usage_of(&gateway, &key, 1);
    assert_eq!((&seen["limits"], &seen["models"], &seen["expires_at"]), (&json!([]), &Value::Null, &Value::Null));
    let head = gateway.send(&Request::new("HEAD", "/v1/usage").key(&key));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

fn days_are_chosen_and_bounded(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("k", &[]);
    let chosen = usage(&gateway, &key, "?from=2026-01-01&to=2026-01-31");
    assert_eq!(
        (&chosen["from"], &chosen["to"], &chosen["days"]),
        (&json!("2026-01-01"), &json!("2026-01-31"), &json!([]))
    );
    for (query, message) in [
        ("?from=2025-01-01&to=2026-01-31", "92 days at most"),
        ("?from=2026-02-01&to=2026-01-31", "`from` must not be after `to`"),
        ("?from=yesterday", "`from` must be a date such as"),
        ("?of=other", "GET /v1/usage takes `from` and `to`"),
    ] {
        let refused = gateway.send(&Request::new("GET", &format!("/v1/usage{query}")).key(&key));
        assert_eq!(refused.status, 400, "{query}");
        let error = refused.openai_error();
        assert!(error.message.starts_with(message) && error.kind == "invalid_request_error", "{error:?}");
    }
}

fn who_may_not_ask_is_told_so_in_openais_shape(host: Host) {
    let gateway = Gateway::on(host).start();
    for request in [Request::new("GET", "/v1/usage"), Request::new("GET", "/v1/usage").key("sk-llmio-nobody")] {
        let refused = gateway.send(&request);
        assert_eq!((refused.status, refused.header("x-should-retry")), (401, Some("false")));
        assert_eq!(refused.openai_error().kind, "authentication_error");
    }
    let refused = gateway.send(&Request::new("POST", "/v1/usage").key(TOKEN));
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
}

/// What a key has used is added up when a call ends: it stays when records go, and no record is read for it.
fn what_was_used_is_told_when_its_records_are_gone(host: Host) {
    clear_of_midnight();
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let key = gateway.new_key("k", &["m"]);
    assert_eq!(gateway.send(&chat("m").key(&key)).status, 200);
    let before = usage_of(&gateway, &key, 1);
    let database = Connection::open(gateway.data().join("store.db")).expect("the database");
    database.busy_timeout(PATIENCE).expect("a connection");
    assert_eq!(database.execute("DELETE FROM records", params![]).expect("the records go"), 1);
    assert_eq!(usage(&gateway, &key, "")["total"], before["total"]);
}
