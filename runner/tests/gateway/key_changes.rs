//! Keys that are changed and rotated over the admin API: in force when it is answered, on every instance.

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, TOKEN, chat, clear_of_midnight, eventually, limited_call};
use crate::upstream::Upstream;

both_hosts![
    a_key_is_made_with_limits_and_changed_member_by_member,
    what_cannot_be_changed_is_refused_with_its_reason,
    a_rotated_key_has_two_secrets_of_one_caller_for_a_while,
    a_rotation_that_keeps_nothing_refuses_the_old_secret_at_once,
    a_change_of_a_key_that_somebody_else_changed_is_not_made,
];

fn made(gateway: &Gateway, body: &Value) -> String {
    clear_of_midnight();
    let made = gateway.admin("POST", "/api/keys", &body.to_string());
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["key"].as_str().expect("a key").to_owned()
}

fn patch(gateway: &Gateway, name: &str, changes: &Value) -> Value {
    let changed = gateway.admin("PATCH", &format!("/api/keys/{name}"), &changes.to_string());
    assert_eq!(changed.status, 200, "{}", changed.text());
    changed.json()
}

fn a_key_is_made_with_limits_and_changed_member_by_member(host: Host) {
    let gateway = Gateway::on(host).start();
    let limits = json!({ "rpd": 2, "tpd": 1_000_000 });
    let key = made(&gateway, &json!({ "name": "k", "models": ["demo"], "limits": limits, "avoid": ["t"] }));
    let shown = gateway.admin("GET", "/api/keys/k", "");
    assert_eq!(shown.json(), json!({ "name": "k", "models": ["demo"], "limits": limits, "avoid": ["t"] }));
    assert!(shown.header("etag").is_some());
    for status in [200, 200, 429] {
        limited_call(&gateway, &chat("demo").key(&key), status);
    }
    let changed = patch(&gateway, "k", &json!({ "limits": { "rpd": 3, "tpd": null }, "avoid": null }));
    assert_eq!(changed, json!({ "name": "k", "models": ["demo"], "limits": { "rpd": 3 } }));
    // What is spent stays spent, on whichever instance is asked next.
    for status in [200, 429, 429, 429] {
        limited_call(&gateway, &chat("demo").key(&key), status);
    }
    patch(&gateway, "k", &json!({ "limits": null, "enabled": false }));
    for _ in 0..8 {
        let refused = gateway.send(&chat("demo").key(&key));
        assert_eq!((refused.status, refused.openai_error().code.as_str()), (401, "key_disabled"));
    }
    patch(&gateway, "k", &json!({ "enabled": null, "expires": "2999-01-01T00:00:00Z" }));
    assert_eq!(gateway.send(&chat("demo").key(&key)).status, 200, "without limits, and good for long");
}

fn what_cannot_be_changed_is_refused_with_its_reason(host: Host) {
    let gateway = Gateway::on(host).start();
    gateway.new_key("k", &[]);
    for (path, changes, status, message) in [
        ("/api/keys/k", r#"{"name":"l"}"#, 400, "`name` of a key cannot be changed"),
        ("/api/keys/k", r#"{"hash":"sha256:00"}"#, 400, "`hash` of a key cannot be changed"),
        ("/api/keys/k", r#"{"previous":null}"#, 400, "`previous` of a key cannot be changed"),
        ("/api/keys/k", r#"{"models":["dmeo"]}"#, 422, "keys[0].models[0]"),
        ("/api/keys/k", r#"{"limits":{"rmp":1}}"#, 422, "keys[0].limits.rmp"),
        ("/api/keys/k", "[]", 400, "not understood"),
        ("/api/keys/other", "{}", 404, "no key named"),
    ] {
        let refused = gateway.admin("PATCH", path, changes);
        assert_eq!(refused.status, status, "{path} {changes}: {}", refused.text());
        assert!(refused.text().contains(message), "{path} {changes}: {}", refused.text());
    }
    for (path, body, status, message) in [
        ("/api/keys/other/rotate", "", 404, "no key named"),
        ("/api/keys/k/rotate", r#"{"keep":"soon"}"#, 400, "`keep` must be a duration"),
        ("/api/keys/k/rotate", r#"{"keep":"91d"}"#, 400, "`keep` must be at most 90d"),
    ] {
        let refused = gateway.admin("POST", path, body);
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.text());
        assert!(refused.problem_detail().contains(message), "{path} {body}: {}", refused.text());
    }
    assert_eq!(gateway.admin("GET", "/api/keys/other", "").status, 404);
    assert_eq!(gateway.admin("GET", "/api/keys", "").json()["keys"], json!([{ "name": "k" }]));
}

fn a_rotated_key_has_two_secrets_of_one_caller_for_a_while(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let old = made(&gateway, &json!({ "name": "my key", "limits": { "rpd": 4 } }));
    limited_call(&gateway, &chat("m").key(&old), 200);
    let rotated = gateway.admin("POST", "/api/keys/my%20key/rotate", "");
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let new = rotated.json()["key"].as_str().expect("a key").to_owned();
    assert!(new.starts_with("sk-llmio-") && new != old && !rotated.text().contains("sha256"), "{}", rotated.text());
    let until = rotated.json()["previous"]["until"].as_str().expect("a time").parse::<jiff::Timestamp>();
    let left = until.expect("RFC 3339").duration_since(jiff::Timestamp::now()).as_hours();
    assert!((23..=24).contains(&left), "{}", rotated.text());
    for _ in 0..4 {
        // Models cost nothing, and every instance knows both.
        for key in [&old, &new] {
            assert_eq!(gateway.send(&Request::new("GET", "/v1/models").key(key)).status, 200);
        }
    }
    // They share their limits.
    for (key, status) in [(&new, 200), (&old, 200), (&new, 200), (&old, 429), (&new, 429)] {
        limited_call(&gateway, &chat("m").key(key), status);
    }
    eventually("all calls are one key's", || (gateway.records("key=my%20key&state=ok").len() == 4).then_some(()));
    let listed = gateway.admin("GET", "/api/keys", "").json();
    assert_eq!(listed["keys"][0]["previous"], rotated.json()["previous"]);
}

fn a_rotation_that_keeps_nothing_refuses_the_old_secret_at_once(host: Host) {
    let gateway = Gateway::on(host).start();
    let first = gateway.new_key("k", &[]);
    let rotate = |body: &str| {
        let rotated = gateway.admin("POST", "/api/keys/k/rotate", body);
        assert_eq!(rotated.status, 200, "{}", rotated.text());
        rotated.json()["key"].as_str().expect("a key").to_owned()
    };
    let models = Request::new("GET", "/v1/models");
    let status = |key: &str| gateway.send(&models.clone().key(key)).status;
    let second = rotate("");
    assert_eq!((status(&first), status(&second)), (200, 200));
    let third = rotate(r#"{"keep":"0s"}"#);
    for _ in 0..4 {
        assert_eq!((status(&second), status(&third)), (401, 200), "taken back everywhere when it is answered");
    }
    assert_eq!(status(&first), 401, "of two old ones the older goes too");
    // For a moment.
    let fourth = rotate(r#"{"keep":"50ms"}"#);
    let refused = eventually("the time of the third is over", || {
        let answer = gateway.send(&models.clone().key(&third));
        (answer.status == 401).then_some(answer)
    });
    assert_eq!(refused.openai_error().code, "key_rotated", "{}", refused.text());
    assert_eq!(status(&fourth), 200);
}

fn a_change_of_a_key_that_somebody_else_changed_is_not_made(host: Host) {
    let gateway = Gateway::on(host).start();
    gateway.new_key("k", &[]);
    let etag = gateway.admin("GET", "/api/keys/k", "").header("etag").expect("an etag").to_owned();
    let send = |method: &str, path: &str, body: &str| {
        gateway.send(&Request::new(method, path).key(TOKEN).header("if-match", &etag).json(body))
    };
    let changed = send("PATCH", "/api/keys/k", r#"{"models":["demo"]}"#);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert!(changed.header("etag").is_some_and(|now| now != etag), "{changed:?}");
    for (method, path, body) in [
        ("PATCH", "/api/keys/k", r#"{"models":null}"#),
        ("POST", "/api/keys/k/rotate", "{}"),
        ("POST", "/api/keys", r#"{"name":"l"}"#),
        ("DELETE", "/api/keys/k", ""),
    ] {
        assert_eq!(send(method, path, body).status, 412, "{method} {path}");
    }
    assert_eq!(gateway.admin("GET", "/api/keys", "").json()["keys"], json!([{ "name": "k", "models": ["demo"] }]));
}
