//! `POST /api/import`: the content of another gateway's file, shown and stored. What each source becomes is a matter of
//! core's tests, and what the command reads and prints of `tests/commands`.

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, Response, TOKEN, chat};
use crate::upstream::Upstream;

both_hosts![
    what_is_only_looked_at_is_not_stored,
    what_is_taken_serves_a_call_with_its_old_key_and_tells_no_secret,
    an_import_starts_from_the_version_that_it_names,
    what_is_no_file_of_a_gateway_is_told,
];

const OLD_KEY: &str = "sk-llmio-0ld-c4n4ry-key-0123456789";

/// The tables of a Go llmio with one provider, at this address.
fn tables(url: &str) -> Value {
    let config = json!({ "base_url": format!("{url}/v1"), "api_key": "sk-upstream-c4n4ry-old" }).to_string();
    json!({
        "providers": [{ "id": 1, "name": "relay", "type": "openai", "config": config }],
        "models": [{ "id": 1, "name": "old", "strategy": "lottery", "breaker": 1 }],
        "model_with_providers": [{ "id": 1, "model_id": 1, "provider_id": 1, "provider_model": "up", "weight": 1, "status": 1,
            "tool_call": 1, "structured_output": 1, "image": 1 }],
        "auth_keys": [{ "id": 1, "name": "laptop", "key": OLD_KEY, "status": 1, "allow_all": 1 }],
    })
}

fn import(gateway: &Gateway, body: &Value, header: Option<(&str, &str)>) -> Response {
    let mut request = Request::new("POST", "/api/import").key(TOKEN).header("content-type", "application/json");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    gateway.send(&request.body(body.to_string()))
}

fn what_is_only_looked_at_is_not_stored(host: Host) {
    let gateway = Gateway::on(host).start();
    let before = gateway.admin("GET", "/api/catalog", "");
    let shown = import(&gateway, &json!({ "tables": tables("https://relay.example") }), None);
    assert_eq!(shown.status, 200, "{}", shown.text());
    let report = shown.json();
    assert_eq!((&report["kind"], &report["applied"], report.get("version")), (&json!("llmio"), &json!(false), None));
    assert_eq!(report["taken"].as_array().map(Vec::len), Some(3), "{report}");
    let after = gateway.admin("GET", "/api/catalog", "");
    assert_eq!((after.text(), after.header("etag")), (before.text(), before.header("etag")));
    let known = gateway.admin("GET", "/api/import", "").json();
    assert_eq!(known["imports"][0]["tables"][0], "providers", "{known}");
}

fn what_is_taken_serves_a_call_with_its_old_key_and_tells_no_secret(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).start();
    let mine = gateway.new_key("mine", &[]);
    let applied = import(&gateway, &json!({ "apply": true, "tables": tables(&upstream.url()) }), None);
    assert_eq!((applied.status, &applied.json()["applied"]), (200, &json!(true)), "{}", applied.text());
    assert_eq!(applied.header("etag"), applied.json()["etag"].as_str());
    let answer = gateway.send(&chat("old").key(OLD_KEY));
    assert!(answer.status == 200 && answer.text().contains("Hi"), "{}", answer.text());
    assert_eq!(upstream.only().header("authorization"), Some("Bearer sk-upstream-c4n4ry-old"));
    let shown = gateway.admin("GET", "/api/catalog", "").text();
    let stored = gateway.admin("GET", "/api/catalog?with_secrets=true", "").text();
    assert!(!applied.text().contains("c4n4ry") && !shown.contains("c4n4ry"), "{}{shown}", applied.text());
    assert!(stored.contains("sk-upstream-c4n4ry-old") && !stored.contains(OLD_KEY), "a key of a client is only a hash");
    assert_eq!(gateway.send(&chat("old").key(&mine)).status, 200, "what was there is there");
}

fn an_import_starts_from_the_version_that_it_names(host: Host) {
    let gateway = Gateway::on(host).start();
    let body = json!({ "apply": true, "tables": tables("https://relay.example") });
    assert_eq!(import(&gateway, &body, Some(("if-match", "\"9\""))).status, 412);
    assert_eq!(import(&gateway, &body, Some(("if-none-match", "*"))).status, 200);
    let refused = import(&gateway, &body, Some(("if-none-match", "*")));
    assert!(refused.status == 412 && refused.problem_detail().contains("a catalog already"), "{}", refused.text());
}

fn what_is_no_file_of_a_gateway_is_told(host: Host) {
    let gateway = Gateway::on(host).start();
    for (body, message) in [
        (json!({ "text": "hello: world" }), "not a file of a gateway that can be imported"),
        (json!({ "text": "{\"key\": \"c4n4ry" }), "neither JSON nor YAML"),
        (json!({ "kind": "llmi" }), "was not understood"),
    ] {
        let refused = import(&gateway, &body, None);
        assert!(refused.status == 400 && refused.problem_detail().contains(message), "{}", refused.text());
        assert!(!refused.text().contains("c4n4ry"), "{}", refused.text());
    }
    let key = gateway.new_key("k", &[]);
    let request = Request::new("POST", "/api/import").key(&key).json("{}".to_owned());
    assert_eq!(gateway.send(&request).status, 403);
}
