//! `/api/quota`: what is spent of every limit, and setting it by hand.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::common::{Builder, Gateway, Host, PATIENCE, chat, eventually};
use crate::upstream::Upstream;

both_hosts![
    every_limit_is_shown_by_the_names_people_gave_and_without_secrets,
    what_was_spent_elsewhere_can_be_set_and_is_kept,
    what_cannot_be_set_is_refused_with_its_reason,
    maintenance_drops_what_counts_no_more,
    a_presets_known_quota_is_shown_with_its_source,
];

const CATALOG: &str = r#"
[[providers]]
name = "relay-x"
base_url = "https://relay.example/v1"
credentials = [{ value = "sk-c4n4ry-first", label = "first", pool = "team" }]
quota = { rpm = 60, rpd = 2000 }
concurrent = 256
[[providers.quotas]]
models = ["gemini-2.5-pro"]
per = "pool"
tpd = 5000
zone = "America/Los_Angeles"
[[models]]
name = "m"
targets = ["relay-x/gemini-2.5-pro"]
[[keys]]
name = "my laptop"
hash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
limits = { rpm = 120 }
"#;

fn gateway(host: Host) -> Gateway {
    let builder: Builder = Gateway::on(host).catalog(CATALOG);
    builder.start().settled()
}

fn limits(gateway: &Gateway) -> Vec<Value> {
    let listed = gateway.admin("GET", "/api/quota", "");
    assert_eq!(listed.status, 200, "{}", listed.text());
    listed.json()["quota"].as_array().expect("a list").clone()
}

fn named(gateway: &Gateway, name: &str) -> Value {
    let of = |limit: &Value| limit["name"] == name && limit["scope"]["per"] != "key";
    limits(gateway).into_iter().find(of).expect("a limit of this name")
}

/// A URL's path segment holds an id once these are written as `%XX`.
fn path(limit: &Value) -> String {
    let id = limit["id"].as_str().expect("an id");
    format!("/api/quota/{}", id.replace('%', "%25").replace(' ', "%20").replace('*', "%2A"))
}

fn every_limit_is_shown_by_the_names_people_gave_and_without_secrets(host: Host) {
    let gateway = gateway(host);
    let shown = limits(&gateway);
    let scopes: Vec<(&Value, &Value, &Value)> =
        shown.iter().map(|limit| (&limit["name"], &limit["scope"], &limit["limit"])).collect();
    let credential = json!({ "per": "credential", "provider": "relay-x", "credential": "first" });
    let pool = json!({ "per": "pool", "provider": "relay-x", "pool": "team" });
    let provider = json!({ "per": "provider", "provider": "relay-x" });
    let key = json!({ "per": "key", "key": "my laptop" });
    assert_eq!(
        scopes,
        [
            (&json!("rpm"), &credential, &json!(60)),
            (&json!("rpd"), &credential, &json!(2000)),
            (&json!("tpd"), &pool, &json!(5000)),
            (&json!("concurrent"), &provider, &json!(256)),
            (&json!("rpm"), &key, &json!(120)),
        ]
    );
    let day = &shown[2];
    assert_eq!((&day["models"], &day["unit"]), (&json!(["gemini-2.5-pro"]), &json!("tokens")));
    assert_eq!((&day["spent"], &day["runs_dry_at_ms"]), (&json!(0), &Value::Null));
    assert!(day["resets_at_ms"].as_i64().expect("the end of the day") > 1_700_000_000_000);
    assert_eq!((&shown[0]["resets_at_ms"], &shown[0]["models"]), (&Value::Null, &json!([])));
    assert!(!gateway.admin("GET", "/api/quota", "").text().contains("c4n4ry"));
}

#[test]
fn what_is_spent_follows_the_secret_wherever_it_is_written() {
    let upstream = Upstream::saying("Hi");
    let catalog = |name: &str, credential: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nbase_url = \"{}/v1\"\nlocal = true\nquota = {{ rpd = 50 }}\n\
             credentials = [{credential}]\n[[models]]\nname = \"m\"\ntargets = [\"{name}/up\"]\n",
            upstream.url()
        )
    };
    let gateway =
        Gateway::on(Host::Runner).env("SECRET_KEY", "sk-c4n4ry-1").catalog(&catalog("a", "\"sk-c4n4ry-1\"")).start();
    for _ in 0..3 {
        assert_eq!(gateway.send(&chat("m")).status, 200);
    }
    let is_spent = || (named(&gateway, "rpd")["spent"] == 3).then_some(());
    eventually("the calls are counted", is_spent);
    for (name, credential) in [
        ("a", "\"${SECRET_KEY}\""),
        ("a", "{ variable = \"SECRET_KEY\", label = \"first\" }"),
        ("renamed", "{ value = \"sk-c4n4ry-1\", pool = \"team\" }"),
    ] {
        assert_eq!(gateway.put_catalog(&catalog(name, credential)).status, 200);
        eventually("what is spent is still known", || {
            (named(&gateway, "rpd")["scope"]["provider"] == name).then(is_spent).flatten()
        });
    }
}

fn what_was_spent_elsewhere_can_be_set_and_is_kept(host: Host) {
    let mut gateway = gateway(host);
    let rpd = named(&gateway, "rpd");
    let set = gateway.admin("PUT", &path(&rpd), r#"{"spent":1900}"#);
    assert_eq!((set.status, &set.json()["spent"]), (200, &json!(1900)), "{}", set.text());
    assert_eq!(set.json()["id"], rpd["id"]);
    assert_eq!(named(&gateway, "rpd")["spent"], 1900);
    let key = limits(&gateway).pop().expect("the key's limit");
    assert_eq!(key["id"], "key/my laptop/rpm");
    assert_eq!(gateway.admin("PUT", &path(&key), r#"{"spent":120}"#).json()["spent"], 120);
    gateway.kill_and_restart();
    assert_eq!(named(&gateway, "rpd")["spent"], 1900, "a kill changes nothing");
    assert_eq!(gateway.admin("PUT", &path(&rpd), r#"{"spent":0}"#).status, 200);
    assert_eq!(named(&gateway, "rpd")["spent"], 0);
}

fn what_cannot_be_set_is_refused_with_its_reason(host: Host) {
    let gateway = gateway(host);
    let rpd = path(&named(&gateway, "rpd"));
    for (path, body, status) in [
        (rpd.as_str(), r#"{"spent":-1}"#, 400),
        (rpd.as_str(), r#"{"spent":1.5}"#, 400),
        (rpd.as_str(), r#"{"spent":9007199254740993}"#, 400),
        (rpd.as_str(), r#"{"spent":1,"limit":2}"#, 400),
        (rpd.as_str(), "{}", 400),
        ("/api/quota/provider/relay-x/%2A/rpd", r#"{"spent":1}"#, 404),
        ("/api/quota/%FF", r#"{"spent":1}"#, 404),
    ] {
        let refused = gateway.admin("PUT", path, body);
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.text());
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(named(&gateway, "rpd")["spent"], 0);
}

fn maintenance_drops_what_counts_no_more(host: Host) {
    let gateway = gateway(host);
    let rpd = named(&gateway, "rpd");
    assert_eq!(gateway.admin("PUT", &path(&rpd), r#"{"spent":3}"#).status, 200);
    let database = Connection::open(gateway.data().join("store.db")).expect("the database");
    database.busy_timeout(PATIENCE).expect("a connection");
    let old = "INSERT INTO quota (id, bucket, spent) VALUES (?1, 1700000000000, 7)";
    for id in [rpd["id"].as_str().expect("an id"), "provider/gone/*/rpd"] {
        database.execute(old, params![id]).expect("a row");
    }
    let maintained = gateway.admin("POST", "/api/maintain", "");
    assert_eq!(maintained.status, 200, "{}", maintained.text());
    let left = || {
        let mut rows = database.prepare("SELECT spent FROM quota").expect("a statement");
        let rows = rows.query_map([], |row| row.get::<_, i64>(0)).expect("rows");
        rows.map(|spent| spent.expect("a number")).collect::<Vec<_>>()
    };
    eventually("the old rows are gone", || (left() == [3]).then_some(()));
}

fn a_presets_known_quota_is_shown_with_its_source(host: Host) {
    let free = "[[providers]]\npreset = \"openrouter\"\ncredentials = [\"sk-c4n4ry\"]\nknown_quotas = true\n";
    let gateway = Gateway::on(host).catalog(CATALOG).catalog(free).start().settled();
    let shown = limits(&gateway);
    let known: Vec<&Value> = shown.iter().filter(|limit| limit["known"].is_object()).collect();
    let [rpm, rpd] = known[..] else { panic!("{shown:?}") };
    assert_eq!((&rpm["limit"], &rpd["limit"], &rpd["models"]), (&json!(20), &json!(50), &json!(["*:free"])));
    assert_eq!(rpd["scope"], json!({ "per": "pool", "provider": "openrouter", "pool": null }));
    assert!(rpd["known"]["source"].as_str().is_some_and(|url| url.starts_with("https://openrouter.ai/")), "{rpd}");
    assert!(rpd["known"]["as_of"].as_str().is_some_and(|date| date.len() == 10), "{rpd}");
}
