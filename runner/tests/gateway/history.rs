//! The history of the catalog: every version with who made it, what it changed, and the way back.

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, TOKEN, chat, eventually};
use crate::upstream::Upstream;

both_hosts![
    every_change_is_told_with_its_author_and_what_it_changed,
    an_old_version_is_put_back_with_its_secrets_and_without_its_keys,
    a_restored_catalog_that_is_not_valid_any_more_is_refused,
];

fn changes(gateway: &Gateway) -> Vec<Value> {
    let listed = gateway.admin("GET", "/api/catalog/history", "");
    assert_eq!(listed.status, 200, "{}", listed.text());
    listed.json()["changes"].as_array().expect("a list").clone()
}

fn every_change_is_told_with_its_author_and_what_it_changed(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).start();
    let request = Request::new("PATCH", "/api/models/m").key(TOKEN).header("user-agent", "curl/8.5");
    assert_eq!(gateway.send(&request.json(r#"{"strategy":"cost"}"#)).status, 200);
    gateway.new_key("laptop", &[]);
    let changes = changes(&gateway);
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert_eq!((&changes[0]["action"], &changes[0]["version"]), (&json!("POST /api/keys"), &json!(3)));
    assert_eq!((&changes[1]["action"], &changes[1]["user_agent"]), (&json!("PATCH /api/models/m"), &json!("curl/8.5")));
    assert!(changes[1]["client"].as_str().is_some_and(|client| client.starts_with("127.")), "{}", changes[1]);
    let second = gateway.admin("GET", "/api/catalog/history/2", "").json();
    assert_eq!((&second["current"], &second["made"]["version"]), (&json!(3), &json!(2)), "{second}");
    let added = json!([{ "path": "models[m].strategy", "change": "added", "value": "\"cost\"" }]);
    assert_eq!(second["changed"], added, "{second}");
    assert_eq!(second["restoring"], json!([]), "only a key was made since");
    let first = gateway.admin("GET", "/api/catalog/history/1", "").json();
    let removed = json!([{ "path": "models[m].strategy", "change": "removed", "value": "\"cost\"" }]);
    assert_eq!(first["restoring"], removed, "{first}");
    let secret = crate::common::upstream_key("a");
    assert!(!first.to_string().contains(&secret) && !first.to_string().contains("sealed"), "{first}");
    for (path, status) in [("9", 404), ("x", 404), ("0", 404)] {
        assert_eq!(gateway.admin("GET", &format!("/api/catalog/history/{path}"), "").status, status, "{path}");
    }
    let page = gateway.admin("GET", &format!("/api/catalog/history?before={}", changes[1]["id"]), "").json();
    assert_eq!(page["changes"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(gateway.admin("GET", "/api/catalog/history?since=1", "").status, 400);
}

fn an_old_version_is_put_back_with_its_secrets_and_without_its_keys(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).start();
    let revoked = gateway.new_key("revoked", &[]);
    let (path, etag) = ("/api/catalog/history/2/restore", |version: u64| format!("\"{version}\""));
    assert_eq!(gateway.admin("DELETE", "/api/keys/revoked", "").status, 204);
    let other = gateway.admin("PATCH", "/api/providers/a", r#"{"credentials":["sk-other"]}"#);
    assert_eq!(other.status, 200, "{}", other.text());
    let restore = |base: &str, body: &str| {
        gateway.send(&Request::new("POST", path).key(TOKEN).header("if-match", base).json(body))
    };
    assert_eq!(restore(&etag(3), "{}").status, 412);
    let restored = restore(&etag(4), "{}");
    assert_eq!((restored.status, &restored.json()["version"]), (200, &json!(5)), "{}", restored.text());
    assert_eq!(gateway.send(&chat("m")).status, 200);
    let sent = upstream.received();
    let expected = format!("Bearer {}", crate::common::upstream_key("a"));
    assert_eq!(sent.last().and_then(|request| request.header("authorization")), Some(expected.as_str()));
    eventually("the key that was revoked stays so", || {
        let statuses = [(); 4].map(|()| gateway.send(&chat("m").key(&revoked)).status);
        statuses.iter().all(|status| [401, 429].contains(status)).then_some(())
    });
    assert_eq!(changes(&gateway)[0]["action"], format!("POST {path}"));
    let with_keys = restore(&etag(5), r#"{"keys":true}"#);
    assert_eq!(with_keys.status, 200, "{}", with_keys.text());
    let listed = gateway.admin("GET", "/api/keys", "").json();
    assert_eq!(listed["keys"][0]["name"], "revoked", "{listed}");
    assert_eq!(restore(&etag(6), r#"{"key":true}"#).status, 400);
}

fn a_restored_catalog_that_is_not_valid_any_more_is_refused(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).model("n", &["a/x"]).start();
    assert_eq!(gateway.admin("POST", "/api/models", r#"{"name":"o","targets":["a/o"]}"#).status, 201);
    gateway.new_key("k", &["o"]);
    let refused = gateway.admin("POST", "/api/catalog/history/1/restore", "");
    assert!(refused.status == 422 && refused.text().contains("keys[0].models[0]"), "{}", refused.text());
    assert_eq!(gateway.send(&chat("o")).status, 200, "what is in force stays");
}

/// Hosted key-value stores take 1,024 keys, and health needs some.
#[test]
fn where_a_store_takes_few_keys_the_latest_200_versions_are_kept() {
    let gateway = Gateway::on(Host::Spin).start();
    for turned_away in (1..=32).cycle().take(203) {
        let stored = gateway.put_catalog(&format!("settings = {{ turned_away_max = {turned_away} }}\n"));
        assert_eq!(stored.status, 200, "{}", stored.text());
    }
    let store = Connection::open_with_flags(gateway.data().join("kv.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let kept =
        store
            .expect("the store")
            .query_row("SELECT count(*) FROM key_value WHERE key LIKE 'catalog/%'", [], |row| row.get::<_, i64>(0));
    assert_eq!(kept.expect("a number"), 200);
    for (version, status) in [(3, 404), (4, 200), (203, 200)] {
        let read = gateway.admin("GET", &format!("/api/catalog/history/{version}"), "");
        assert_eq!(read.status, status, "{version}: {}", read.text());
    }
}
