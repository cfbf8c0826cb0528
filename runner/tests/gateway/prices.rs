//! Prices of the operator's own file or address (`settings.prices`).

use std::fs;

use serde_json::{Value, json};

use crate::common::{Builder, Gateway, Host, chat};
use crate::own_ca::Server;
use crate::upstream::{Upstream, completion};

/// The bundled price of `gpt-4o` at OpenAI's, for tokens of an answer.
const BUNDLED_USD: f64 = 10.0;

/// A gateway whose provider is a relay named as no price list is, with prices from here.
fn gateway(prices: &str, upstream: &Upstream) -> Builder {
    Gateway::on(Host::Runner)
        .catalog(&format!("[settings]\nprices = {prices}\n"))
        .provider("relay", upstream)
        .model("m", &["relay/up"])
}

fn list(version: &str, output: f64) -> String {
    json!({ "version": version, "providers": { "relay": { "up": { "input": 0, "output": output } } } }).to_string()
}

/// What the next call costs in nano-dollars for a token of its answer, and where the price stands.
fn price(gateway: &Gateway) -> (Option<i64>, Option<String>) {
    let answer = gateway.send(&chat("m"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let record = gateway.record(&answer);
    let tokens = record["output_tokens"].as_i64().filter(|tokens| *tokens > 0).expect("tokens of the answer");
    (record["cost_nano"].as_i64().map(|nano| nano / tokens), record["price"].as_str().map(str::to_owned))
}

fn at(usd: i64, version: &str) -> (Option<i64>, Option<String>) {
    (Some(usd * 1000), Some(format!("prices {version}")))
}

fn refreshed(gateway: &Gateway) -> Value {
    let answer = gateway.admin("POST", "/api/prices/refresh", "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn a_file_of_prices_replaces_the_bundled_ones_and_records_name_its_version() {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway("\"prices.json\"", &upstream).start();
    assert_eq!(price(&gateway), (None, None), "nobody knows what a relay charges");
    let known = refreshed(&gateway);
    assert_eq!(known["problem"], "cannot be read: it is not there", "{known}");
    let health = gateway.admin("GET", "/api/health", "").json();
    assert_eq!(health["warnings"], json!(["prices: prices.json cannot be read: it is not there."]));
    let file = gateway.data().join("files").join("prices.json");
    fs::create_dir_all(file.parent().expect("its folder")).expect("a folder");
    fs::write(&file, list("2026-12-01", 7.0)).expect("a file");
    // The file is looked at again and again, and counts once two looks agree on it.
    let known = crate::common::eventually("the file is seen", || {
        Some(refreshed(&gateway)).filter(|known| known["problem"] == Value::Null)
    });
    assert_eq!(
        (&known["origin"], &known["version"], &known["models"]),
        (&json!("prices.json"), &json!("2026-12-01"), &json!(1))
    );
    assert_eq!(price(&gateway), at(7, "2026-12-01"));
    fs::write(&file, "{\"providers\": {\"relay\": {\"up\": {\"input\": 1}}}}").expect("a file");
    let known = crate::common::eventually("the change is seen", || {
        Some(refreshed(&gateway)).filter(|known| known["problem"] != Value::Null)
    });
    assert!(known["problem"].as_str().is_some_and(|problem| problem.starts_with("missing field `output`")), "{known}");
    assert_eq!(
        (price(&gateway), &known["version"]),
        (at(7, "2026-12-01"), &json!("2026-12-01")),
        "the last good one is kept"
    );
}

#[test]
fn a_price_that_falls_by_more_than_half_waits_for_a_yes() {
    let (server, upstream) = (Server::start(), Upstream::saying("Hi"));
    server.answer("200 OK", &list("1", 8.0));
    let prices = format!("{{ url = \"https://localhost:{}/prices.json?all=1\", local = true }}", server.port);
    let mut gateway = gateway(&prices, &upstream).arg("--ca").arg(server.ca().display().to_string()).start();
    refreshed(&gateway);
    assert_eq!(price(&gateway), at(8, "1"));
    server.answer("200 OK", &list("2", 3.0));
    let known = refreshed(&gateway);
    assert_eq!(price(&gateway), at(8, "2"), "the former price holds");
    assert_eq!(known["waiting"][0]["model"], "up");
    assert_eq!(
        (&known["waiting"][0]["now"]["output"], &known["waiting"][0]["new"]["output"]),
        (&json!(8.0), &json!(3.0))
    );
    let health = gateway.admin("GET", "/api/health", "").json();
    assert!(
        health["warnings"][0].as_str().is_some_and(|text| text.contains("1 price fell by more than half")),
        "{health}"
    );
    let none = gateway.admin("POST", "/api/prices/accept", "{\"model\": \"other\"}");
    assert_eq!((none.status, none.json()["title"].as_str()), (404, Some("price_not_found")), "{}", none.text());
    let taken = gateway.admin("POST", "/api/prices/accept", "{\"provider\": \"relay\", \"model\": \"up\"}");
    assert_eq!((taken.status, &taken.json()["accepted"]), (200, &json!(1)), "{}", taken.text());
    assert_eq!(price(&gateway), at(3, "2"));
    gateway.kill_and_restart();
    assert_eq!(price(&gateway), at(3, "2"), "it is kept");
    assert_eq!(gateway.admin("GET", "/api/prices", "").json()["waiting"], json!([]));
}

#[test]
fn an_address_of_prices_is_asked_without_credentials_and_not_followed() {
    let (server, upstream) = (Server::start(), Upstream::saying("Hi"));
    let prices = format!("{{ url = \"https://localhost:{}/p.json?a=1\", local = true }}", server.port);
    server.answer("302 Found\r\nlocation: https://localhost/other.json", &list("1", 8.0));
    let gateway = gateway(&prices, &upstream).arg("--ca").arg(server.ca().display().to_string()).start();
    let known = refreshed(&gateway);
    assert!(known["problem"].as_str().is_some_and(|problem| problem.starts_with("answered 302")), "{known}");
    assert_eq!(price(&gateway), (None, None));
    // 4 MiB and a little.
    server.answer("200 OK", &format!("{}{}", list("1", 8.0), " ".repeat(4 << 20)));
    assert!(refreshed(&gateway)["problem"].is_string());
    server.answer("200 OK", &list("1", 8.0));
    assert_eq!(refreshed(&gateway)["problem"], Value::Null);
    assert_eq!(price(&gateway), at(8, "1"));
    for head in server.heads() {
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("get /p.json?a=1 http/1.1\r\n"), "{head}");
        let secret = ["authorization", "cookie", "x-api-key"].into_iter().find(|name| head.contains(name));
        assert_eq!(secret, None, "{head}");
    }
}

#[test]
fn only_https_and_public_addresses_are_asked_for_prices() {
    let (server, upstream) = (Server::start(), Upstream::saying("Hi"));
    let prices = format!("\"https://localhost:{}/p.json\"", server.port);
    let gateway = gateway(&prices, &upstream).arg("--ca").arg(server.ca().display().to_string()).start();
    let known = refreshed(&gateway);
    assert!(known["problem"].as_str().is_some_and(|problem| problem.contains("not allowed")), "{known}");
    assert_eq!(server.heads(), [""; 0]);
    for (prices, expected) in [
        ("\"http://prices.example/p.json\"", "must start with https://"),
        ("\"https://user:word@prices.example/p.json\"", ""),
        ("\"https://prices.example/p.json?token=1\"", "holds a secret in its query"),
        ("{ local = true }", ""),
        ("7", ""),
    ] {
        let refused = gateway.put_catalog(&format!("settings = {{ prices = {prices} }}\n"));
        assert_eq!(refused.status, 422, "{prices}: {}", refused.text());
        let problem = &refused.json()["problems"][0];
        let (path, message) =
            (problem["path"].as_str().unwrap_or_default(), problem["message"].as_str().unwrap_or_default());
        assert!(path.starts_with("settings.prices") && message.contains(expected), "{prices}: {problem}");
    }
}

both_hosts![another_origin_of_prices_begins_with_the_bundled_ones];

fn another_origin_of_prices_begins_with_the_bundled_ones(host: Host) {
    let answer = completion("Hi");
    assert!(answer.contains("usage"), "{answer}");
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("openai", &upstream).model("m", &["openai/gpt-4o"]).start();
    let bundled = price(&gateway);
    #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
    let expected = (BUNDLED_USD * 1000.0) as i64;
    assert!(bundled.0.is_some_and(|nano| nano >= expected), "{bundled:?}");
    let set = gateway.admin("PATCH", "/api/settings", "{\"prices\": \"prices.json\"}");
    assert_eq!(set.status, 200, "{}", set.text());
    refreshed(&gateway);
    assert_eq!(price(&gateway), bundled);
    let none = gateway.admin("PATCH", "/api/settings", "{\"prices\": null}");
    assert_eq!(none.status, 200, "{}", none.text());
    let refused = gateway.admin("POST", "/api/prices/refresh", "");
    assert_eq!((refused.status, refused.json()["title"].as_str()), (404, Some("no_price_file")), "{}", refused.text());
    assert_eq!(gateway.admin("GET", "/api/prices", "").json()["origin"], Value::Null);
}
