//! The catalog one entry at a time: providers and their credentials, models and their targets, relays, settings.

use serde_json::json;

use crate::common::{Gateway, Host, Request, TOKEN, chat, eventually, upstream_key};
use crate::upstream::Upstream;

both_hosts![
    what_is_added_piece_by_piece_serves,
    a_credential_is_added_switched_off_and_removed,
    a_target_that_is_switched_off_is_not_chosen,
    an_edit_that_starts_from_an_old_version_is_refused,
    an_edit_that_the_catalog_refuses_changes_nothing,
    what_a_catalog_file_says_is_edited_there,
];

fn what_is_added_piece_by_piece_serves(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).start();
    let listed = gateway.admin("GET", "/api/providers", "").json();
    assert_eq!((&listed["source"], &listed["providers"][0]["name"]), (&json!("built_in"), &json!("echo")), "{listed}");
    let provider = json!({ "name": "up-1", "base_url": upstream.url(), "local": true });
    let made = gateway.admin("POST", "/api/providers", &provider.to_string());
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("up-1")), "{}", made.text());
    let made = gateway.admin("POST", "/api/providers/up-1/credentials", r#"{"value":"sk-secret-1","label":"one"}"#);
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("one")), "{}", made.text());
    assert!(made.json()["id"].is_string() && !made.text().contains("sk-secret"), "{}", made.text());
    let made = gateway.admin("POST", "/api/models", r#"{"name":"q/m","targets":[{"provider":"up-1","model":"up"}]}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    let answered = gateway.send(&chat("q/m"));
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert_eq!(
        upstream.received().last().and_then(|request| request.header("authorization")),
        Some("Bearer sk-secret-1")
    );
    for path in
        ["/api/providers", "/api/providers/up-1", "/api/providers/up-1/credentials", "/api/models/q%2Fm/targets"]
    {
        let shown = gateway.admin("GET", path, "");
        assert!(shown.status == 200 && shown.header("etag").is_some(), "{path}: {}", shown.text());
        assert!(!shown.text().contains("sk-secret") && !shown.text().contains("sealed"), "{path}: {}", shown.text());
    }
    let relay = gateway.admin("POST", "/api/relays", r#"{"name":"r","origin":"https://r.example"}"#);
    assert_eq!(relay.status, 201, "{}", relay.text());
    let relay = gateway.admin("PATCH", "/api/relays/r", r#"{"public":true}"#);
    assert_eq!(relay.json(), json!({ "name": "r", "origin": "https://r.example", "public": true }));
    assert_eq!(gateway.admin("DELETE", "/api/relays/r", "").status, 204);
    assert_eq!(gateway.admin("DELETE", "/api/relays/r", "").status, 404);
    let settings = gateway.admin("PATCH", "/api/settings", r#"{"retention_days":7}"#);
    assert_eq!(settings.json()["settings"], json!({ "retention_days": 7 }), "{}", settings.text());
}

fn a_credential_is_added_switched_off_and_removed(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let sent = || {
        assert_eq!(gateway.send(&chat("m")).status, 200);
        let requests = upstream.received();
        requests.last().and_then(|request| request.header("authorization")).map(str::to_owned)
    };
    let first = format!("Bearer {}", upstream_key("a"));
    assert_eq!(sent().as_deref(), Some(first.as_str()));
    let made = gateway.admin("POST", "/api/providers/a/credentials", r#""sk-second""#).json();
    let first_label = gateway.admin("GET", "/api/providers/a/credentials", "").json()["credentials"][0]["name"].clone();
    let path = |label: &serde_json::Value| {
        format!("/api/providers/a/credentials/{}", label.as_str().expect("a label").replace('#', "%23"))
    };
    let off = gateway.admin("PATCH", &path(&first_label), r#"{"enabled":false}"#);
    assert_eq!((off.status, &off.json()["enabled"]), (200, &json!(false)), "{}", off.text());
    for _ in 0..4 {
        assert_eq!(sent().as_deref(), Some("Bearer sk-second"), "the other one is off");
    }
    let renamed = gateway.admin("PATCH", &path(&made["name"]), r#"{"label":"second"}"#).json();
    assert_eq!((&renamed["name"], &renamed["id"]), (&json!("second"), &made["id"]));
    let other = gateway.admin("PATCH", "/api/providers/a/credentials/second", r#"{"value":"sk-third"}"#);
    assert_eq!((other.status, &other.json()["name"]), (200, &json!("second")), "{}", other.text());
    assert_eq!(sent().as_deref(), Some("Bearer sk-third"));
    assert_eq!(gateway.admin("DELETE", &path(&first_label), "").status, 204);
    assert_eq!(gateway.admin("PATCH", &path(&first_label), "{}").status, 404);
    let listed = gateway.admin("GET", "/api/providers/a/credentials", "").json();
    assert_eq!(listed["credentials"].as_array().map(Vec::len), Some(1), "{listed}");
}

fn a_target_that_is_switched_off_is_not_chosen(host: Host) {
    let (one, two) = (Upstream::saying("one"), Upstream::saying("two"));
    let gateway = Gateway::on(host).provider("a", &one).provider("b", &two).model("m", &["a/x", "b/x"]).start();
    let off = gateway.admin("PATCH", "/api/models/m/targets/a%2Fx", r#"{"enabled":false}"#);
    assert_eq!((off.status, &off.json()["enabled"]), (200, &json!(false)), "{}", off.text());
    let plan = gateway.admin("POST", "/api/route", r#"{"body":{"model":"m"}}"#).json();
    assert_eq!(plan["candidates"].as_array().map(Vec::len), Some(1), "{plan}");
    for _ in 0..4 {
        assert!(gateway.send(&chat("m")).text().contains("two"));
    }
    let heavy = gateway.admin("PATCH", "/api/models/m/targets/b%2Fx", r#"{"weight":7,"tier":2}"#).json();
    assert_eq!((&heavy["weight"], &heavy["tier"]), (&json!(7), &json!(2)));
    assert_eq!(gateway.admin("DELETE", "/api/models/m/targets/b%2Fx", "").status, 204);
    let refused = gateway.admin("DELETE", "/api/models/m/targets/b%2Fx", "");
    assert!(refused.status == 404 && refused.text().contains("There are: a/x."), "{}", refused.text());
    let added = gateway.admin("POST", "/api/models/m/targets", r#""b/y""#);
    assert_eq!((added.status, &added.json()["name"]), (201, &json!("b/y")), "{}", added.text());
    assert_eq!(gateway.send(&chat("m")).status, 200);
    let sent =
        two.received().last().map(|request| serde_json::from_slice::<serde_json::Value>(&request.body).expect("JSON"));
    assert_eq!(sent.map(|body| body["model"].clone()), Some(json!("y")));
}

fn an_edit_that_starts_from_an_old_version_is_refused(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).start();
    let etag = gateway.admin("GET", "/api/models/m", "").header("etag").expect("an etag").to_owned();
    let patch = |etag: &str, body: &str| {
        let request = Request::new("PATCH", "/api/models/m").key(TOKEN).header("if-match", etag).json(body);
        gateway.send(&request)
    };
    let first = patch(&etag, r#"{"strategy":"cost"}"#);
    assert_eq!(first.status, 200, "{}", first.text());
    let second = patch(&etag, r#"{"attempts":1}"#);
    assert_eq!(second.status, 412, "{}", second.text());
    let now = first.header("etag").expect("the new one");
    let third = patch(now, r#"{"attempts":1}"#);
    assert_eq!((third.status, &third.json()["strategy"]), (200, &json!("cost")), "{}", third.text());
}

fn an_edit_that_the_catalog_refuses_changes_nothing(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).start();
    let before = gateway.admin("GET", "/api/catalog", "").text();
    for (method, path, body, status, message) in [
        ("DELETE", "/api/providers/a", "", 422, "models[0].targets[0]"),
        ("PATCH", "/api/providers/a", r#"{"base_url":"https://other.example"}"#, 422, "the stored secret is for"),
        ("PATCH", "/api/providers/a", r#"{"name":"b"}"#, 400, "The name of provider"),
        ("POST", "/api/models", r#"{"name":"m"}"#, 409, "There is a model"),
        ("POST", "/api/models", r#"{"name":"n","targets":["x/y"]}"#, 422, "models[1].targets[0]"),
        ("PATCH", "/api/models/m", r#"{"wieght":1}"#, 422, "models[0].wieght"),
        ("PATCH", "/api/models/none", "{}", 404, "There are: m."),
        ("POST", "/api/relays", r#"{"name":"r"}"#, 422, "relays[0]"),
        ("PATCH", "/api/settings", r#"{"retention_days":0}"#, 422, "settings.retention_days"),
    ] {
        let response = gateway.admin(method, path, body);
        assert!(response.status == status && response.text().contains(message), "{method} {path}: {}", response.text());
    }
    assert_eq!(gateway.admin("GET", "/api/catalog", "").text(), before);
}

fn what_a_catalog_file_says_is_edited_there(host: Host) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("llmio.toml");
    let path = path.to_str().expect("a path in UTF-8");
    let text = "[[providers]]\npreset = \"echo\"\n\n[[models]]\nname = \"m\"\ntargets = [\"echo/x\"]\n\
                [[models]]\nname = \"n\"\ntargets = [\"echo/x\"]\n";
    std::fs::write(path, text).expect("a file");
    let gateway = Gateway::on(host).arg("--catalog").arg(path).start();
    assert_eq!(gateway.admin("GET", "/api/models", "").json()["source"], "file");
    let refused = gateway.admin("PATCH", "/api/models/n", r#"{"strategy":"cost"}"#);
    let message = refused.problem_detail();
    assert!(refused.status == 409 && message.contains("`models` comes from the catalog file"), "{message}");
    assert!(message.contains("line 8, which is the authority"), "{message}");
    if host == Host::Runner {
        assert!(message.contains(path), "{message}");
    }
    let relay = gateway.admin("POST", "/api/relays", r#"{"name":"r","origin":"https://r.example"}"#);
    assert_eq!(relay.status, 201, "a section that the file does not have is edited here: {}", relay.text());
    eventually("it is in force", || {
        let listed = gateway.admin("GET", "/api/relays", "").json();
        (listed["relays"][0]["name"] == "r" && listed["source"] == "stored").then_some(())
    });
}
