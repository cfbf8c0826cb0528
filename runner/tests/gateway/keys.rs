//! Keys over the admin API: made and shown once, listed without their hash, revoked at once.

use crate::common::{Gateway, Host, Request, chat, eventually};

both_hosts![
    a_new_key_works_at_once_and_is_shown_only_once,
    a_revoked_key_is_unknown_within_a_second,
    a_key_may_be_made_for_some_models_and_some_time,
    a_key_that_cannot_be_is_refused_with_its_path,
    two_keys_of_one_name_are_refused,
    changes_that_name_no_version_are_all_made_however_many_come_at_once,
    the_demo_model_survives_the_first_key_until_there_is_a_provider,
];

fn a_new_key_works_at_once_and_is_shown_only_once(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("laptop", &[]);
    let random = key.strip_prefix("sk-llmio-").expect("our prefix");
    assert!(random.len() == 43 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    // Every instance knows it: new connections land on both threads.
    for _ in 0..20 {
        assert_eq!(gateway.send(&chat("demo").key(&key)).status, 200);
    }
    assert_ne!(gateway.new_key("other", &[]), key);
    let listed = eventually("both keys are listed", || {
        let listed = gateway.admin("GET", "/api/keys", "");
        (listed.json()["keys"].as_array().map(Vec::len) == Some(2)).then_some(listed)
    });
    assert_eq!(listed.json()["keys"][0]["name"], "laptop");
    for shown in [listed, gateway.admin("GET", "/api/catalog", "")] {
        assert!(!shown.text().contains(random), "{}", shown.text());
    }
    assert!(!gateway.admin("GET", "/api/keys", "").text().contains("sha256"), "the list holds no hash");
}

fn a_revoked_key_is_unknown_within_a_second(host: Host) {
    let gateway = Gateway::on(host).start();
    let (one, two) = (gateway.new_key("one/ä", &[]), gateway.new_key("two", &[]));
    assert_eq!(gateway.send(&chat("demo").key(&one)).status, 200);
    assert_eq!(gateway.admin("DELETE", "/api/keys/one%2F%C3%A4", "").status, 204);
    eventually("the key is unknown everywhere", || {
        // 429: an address that presents unknown keys for long has to wait.
        let unknown = (0..8).all(|_| [401, 429].contains(&gateway.send(&chat("demo").key(&one)).status));
        unknown.then_some(())
    });
    assert_eq!(gateway.send(&chat("demo").key(&two)).status, 200);
    assert_eq!(gateway.admin("DELETE", "/api/keys/one%2F%C3%A4", "").status, 404);
}

fn a_key_may_be_made_for_some_models_and_some_time(host: Host) {
    let gateway = Gateway::on(host).start();
    let body = r#"{"name":"k","models":["demo"],"expires":"2999-12-31T00:00:00Z"}"#;
    let made = gateway.admin("POST", "/api/keys", body);
    assert_eq!((made.status, &made.json()["models"]), (201, &serde_json::json!(["demo"])));
    assert_eq!(made.json()["expires"], "2999-12-31T00:00:00Z");
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    assert_eq!(gateway.send(&Request::new("GET", "/v1/models").key(&key)).json()["data"][0]["id"], "demo");
}

fn a_key_that_cannot_be_is_refused_with_its_path(host: Host) {
    let gateway = Gateway::on(host).start();
    for (body, path) in [
        (r#"{"name":""}"#, "keys[0].name"),
        (r#"{"name":"k","models":["dmeo"]}"#, "keys[0].models[0]"),
        (r#"{"name":"k","expires":"tomorrow"}"#, "keys[0].expires"),
    ] {
        let response = gateway.admin("POST", "/api/keys", body);
        assert_eq!(response.status, 422, "{body}");
        assert_eq!(response.json()["problems"][0]["path"], path, "{}", response.text());
    }
    assert_eq!(gateway.admin("GET", "/api/keys", "").json()["keys"], serde_json::json!([]));
}

fn two_keys_of_one_name_are_refused(host: Host) {
    let gateway = Gateway::on(host).start();
    gateway.new_key("k", &[]);
    let again = gateway.admin("POST", "/api/keys", r#"{"name":"k"}"#);
    assert!([409, 422].contains(&again.status), "{}", again.text());
    eventually("there is one key", || {
        let listed = gateway.admin("GET", "/api/keys", "").json();
        (listed["keys"].as_array().map(Vec::len) == Some(1)).then_some(())
    });
}

fn the_demo_model_survives_the_first_key_until_there_is_a_provider(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("k", &[]);
    assert_eq!(gateway.send(&chat("demo")).status, 200);
    eventually("a catalog is stored now", || {
        let read = gateway.admin("GET", "/api/catalog", "");
        (read.header("etag") == Some("\"1\"")).then_some(())
    });
    let provider = r#"{"providers":[{"name":"a","base_url":"https://a.example"}]}"#;
    let patched = gateway.admin("PATCH", "/api/catalog", provider);
    assert_eq!((patched.status, &patched.json()["kept"]), (200, &serde_json::json!(["keys"])), "{}", patched.text());
    let models = Request::new("GET", "/v1/models").key(&key);
    eventually("the key stays and the demo is gone", || {
        let none = (0..8).all(|_| gateway.send(&models).json()["data"] == serde_json::json!([]));
        none.then_some(())
    });
}

fn changes_that_name_no_version_are_all_made_however_many_come_at_once(host: Host) {
    const KEYS: usize = 12;
    let gateway = Gateway::on(host).start();
    let gone = ["a", "b", "c"];
    for name in gone {
        gateway.new_key(name, &[]);
    }
    let provider = r#"{"providers":[{"name":"p","base_url":"https://p.example"}]}"#;
    let keys: Vec<String> = std::thread::scope(|scope| {
        let gateway = &gateway;
        let made: Vec<_> =
            (0..KEYS).map(|index| scope.spawn(move || gateway.new_key(&format!("k{index}"), &[]))).collect();
        let patch = scope.spawn(move || gateway.admin("PATCH", "/api/catalog", provider));
        let revoked = gone.map(|name| scope.spawn(move || gateway.admin("DELETE", &format!("/api/keys/{name}"), "")));
        let patched = patch.join().expect("an answer");
        assert_eq!(patched.status, 200, "{}", patched.text());
        revoked.into_iter().for_each(|each| assert_eq!(each.join().expect("an answer").status, 204));
        made.into_iter().map(|each| each.join().expect("a key")).collect()
    });
    eventually("all of it is in force", || {
        let catalog = gateway.admin("GET", "/api/catalog", "").json();
        let names: Vec<&str> = catalog["keys"].as_array()?.iter().filter_map(|key| key["name"].as_str()).collect();
        let is_whole = names.len() == KEYS && !gone.iter().any(|name| names.contains(name));
        (is_whole && catalog["providers"][0]["name"] == "p").then_some(())
    });
    let models = Request::new("GET", "/v1/models");
    assert!(keys.iter().all(|key| gateway.send(&models.clone().key(key)).status == 200));
}
