//! The catalog over the admin API: read, replaced, checked, and kept over a restart.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, Response, TOKEN, chat, eventually, upstream_key};
use crate::upstream::Upstream;

both_hosts![
    a_catalog_is_accepted_in_toml_and_in_json,
    a_new_catalog_is_seen_by_new_calls_within_a_second,
    what_is_read_can_be_put_back_and_keeps_its_secrets,
    a_kept_secret_does_not_move_to_another_origin,
    a_stale_etag_is_412_and_changes_nothing,
    of_two_writers_of_one_version_one_wins,
    an_admin_reads_what_was_just_stored,
    a_check_changes_nothing,
    a_restart_keeps_catalog_keys_and_secrets,
    a_secret_may_stand_in_a_variable,
    toml_is_given_where_it_is_asked_for,
];

const ECHO: &str = "[[providers]]\npreset = \"echo\"\n";

fn model(name: &str) -> String {
    format!("{ECHO}[[models]]\nname = \"{name}\"\ntargets = [\"echo/x\"]\n")
}

fn a_catalog_is_accepted_in_toml_and_in_json(host: Host) {
    let gateway = Gateway::on(host).start();
    let toml = gateway.put_catalog(&model("from-toml"));
    assert_eq!((toml.status, &toml.json()["version"]), (200, &1.into()), "{}", toml.text());
    assert_eq!(gateway.send(&chat("from-toml")).status, 200);
    let json = json!({
        "providers": [{ "preset": "echo" }],
        "models": [{ "name": "from-json", "targets": [{ "provider": "echo", "model": "x" }] }],
    });
    let json = gateway.put_catalog(&json.to_string());
    assert_eq!((json.status, &json.json()["version"]), (200, &2.into()), "{}", json.text());
    assert_eq!(json.header("etag"), json.json()["etag"].as_str());
    assert_eq!(gateway.send(&chat("from-json")).status, 200);
    eventually("a catalog replaces the one before as a whole", || {
        let gone = (0..8).all(|_| gateway.send(&chat("from-toml")).status == 404);
        gone.then_some(())
    });
}

fn a_new_catalog_is_seen_by_new_calls_within_a_second(host: Host) {
    let (old, new) = (Upstream::saying("old"), Upstream::saying("new"));
    let catalog = |upstream: &Upstream| {
        let provider = format!("[[providers]]\nname = \"a\"\nbase_url = \"{}\"\nlocal = true\n", upstream.url());
        format!("{provider}[[models]]\nname = \"m\"\ntargets = [\"a/up\"]\n")
    };
    let gateway = Gateway::on(host).catalog(&catalog(&old)).start();
    // Several connections, so that every thread has the old one in memory.
    let mut connections: Vec<_> = (0..8).map(|_| gateway.connect()).collect();
    let mut all_say = |text: &str| connections.iter_mut().all(|each| each.exchange(&chat("m")).text().contains(text));
    assert!(all_say("old"));
    assert_eq!(gateway.put_catalog(&catalog(&new)).status, 200);
    // The promise is of calls that are made a second later, however long a busy machine takes to answer them.
    std::thread::sleep(Duration::from_secs(1));
    assert!(all_say("new"), "calls still go to the old provider");
}

fn what_is_read_can_be_put_back_and_keeps_its_secrets(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let read = gateway.admin("GET", "/api/catalog", "");
    assert!(!read.text().contains("c4n4ry"), "the secret is shown: {}", read.text());
    let mut document = read.json();
    let credential = &document["providers"][0]["credentials"][0];
    assert!(credential["id"].is_string() && credential["label"] == "#1", "{credential}");
    document["models"][0]["name"] = "renamed".into();
    let stored = gateway.put_catalog(&document.to_string());
    assert_eq!((stored.status, &stored.json()["warnings"]), (200, &json!([])), "{}", stored.text());
    assert_eq!(gateway.send(&chat("renamed")).status, 200);
    let expected = format!("Bearer {}", upstream_key("a"));
    assert_eq!(upstream.only().header("authorization"), Some(expected.as_str()));
}

fn a_kept_secret_does_not_move_to_another_origin(host: Host) {
    let (upstream, elsewhere) = (Upstream::saying("Hi"), Upstream::saying("stolen"));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut document = gateway.admin("GET", "/api/catalog", "").json();
    document["providers"][0]["base_url"] = elsewhere.url().into();
    let refused = gateway.put_catalog(&document.to_string());
    assert_eq!(refused.status, 422);
    let problem = refused.json()["problems"][0].clone();
    assert_eq!(problem["path"], "providers[0].credentials[0].id");
    assert!(problem["message"].as_str().is_some_and(|message| message.contains("give its value again")), "{problem}");
    document["providers"][0]["credentials"][0]["id"] = "no-such-id".into();
    assert_eq!(gateway.put_catalog(&document.to_string()).status, 422);
}

fn put_if(gateway: &Gateway, etag: &str, catalog: &str) -> Response {
    gateway.send(&Request::new("PUT", "/api/catalog").key(TOKEN).header("if-match", etag).body(catalog))
}

fn a_stale_etag_is_412_and_changes_nothing(host: Host) {
    let gateway = Gateway::on(host).catalog(&model("first")).start();
    let stale = gateway.admin("GET", "/api/catalog", "").header("etag").expect("an etag").to_owned();
    let second = put_if(&gateway, &stale, &model("second"));
    assert_eq!(second.status, 200, "{}", second.text());
    let refused = put_if(&gateway, &stale, &model("third"));
    assert_eq!(refused.status, 412);
    assert!(refused.problem_detail().contains("Read it again"), "{}", refused.text());
    assert_eq!(gateway.send(&chat("third")).status, 404);
    let etag = second.header("etag").expect("an etag").to_owned();
    assert_eq!(put_if(&gateway, &format!("\"x\", {etag}"), &model("fourth")).status, 200);
    assert_eq!(put_if(&gateway, "*", &model("fifth")).status, 200);
}

fn of_two_writers_of_one_version_one_wins(host: Host) {
    let gateway = Gateway::on(host).catalog(&model("start")).start();
    let mut etag = "\"1\"".to_owned();
    for _ in 0..5 {
        let put = |name: &str| put_if(&gateway, &etag, &model(name));
        let answers: Vec<Response> = std::thread::scope(|scope| {
            let threads: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| scope.spawn(|| put(name))).collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412]);
        let winner = answers.iter().find_map(|answer| answer.header("etag").filter(|_| answer.status == 200));
        etag = winner.expect("an etag").to_owned();
    }
}

/// Otherwise the next change, made from what was read, would be refused as stale.
fn an_admin_reads_what_was_just_stored(host: Host) {
    let gateway = Gateway::on(host).start();
    // Read by connections that are there already, so that other instances than the writer's answer too.
    let mut readers: Vec<_> = (0..8).map(|_| gateway.connect()).collect();
    for round in 0..5 {
        let stored = gateway.put_catalog(&model(&format!("round-{round}")));
        for reader in &mut readers {
            let read = reader.exchange(&Request::new("GET", "/api/catalog").key(TOKEN));
            assert_eq!(read.header("etag"), stored.header("etag"));
        }
    }
}

fn a_check_changes_nothing(host: Host) {
    let gateway = Gateway::on(host).catalog(&model("kept")).start();
    let state = || {
        let read = gateway.admin("GET", "/api/catalog", "");
        (read.header("etag").map(str::to_owned), read.json())
    };
    let before = state();
    let with_secret = "[[providers]]\nname = \"a\"\nbase_url = \"https://a.example\"\ncredentials = [\"sk-1\", \"${GONE}\"]\n\
                       [[models]]\nname = \"other\"\ntargets = [\"a/x\"]\n";
    let check = Request::new("POST", "/api/catalog/check").key(TOKEN).body(with_secret);
    let response = gateway.send(&check);
    assert_eq!((response.status, &response.json()["ok"]), (200, &true.into()), "{}", response.text());
    assert!(response.json()["warnings"].to_string().contains("GONE"), "{}", response.text());
    assert_eq!(state(), before);
    assert_eq!(gateway.send(&chat("kept")).status, 200);
}

fn a_restart_keeps_catalog_keys_and_secrets(host: Host) {
    let upstream = Upstream::saying("Hi");
    let mut gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let key = gateway.new_key("k", &[]);
    let read = |gateway: &Gateway| -> Value { gateway.admin("GET", "/api/catalog", "").json() };
    let with_key = |document: Value| document["keys"].is_array().then_some(document);
    let before = eventually("the key is in the catalog", || with_key(read(&gateway)));
    gateway.restart();
    assert_eq!(read(&gateway), before);
    assert_eq!(gateway.send(&chat("m").key(&key)).status, 200);
    assert_eq!(upstream.only().header("authorization"), Some(format!("Bearer {}", upstream_key("a")).as_str()));
    gateway.kill_and_restart();
    assert_eq!(read(&gateway), before, "an accepted catalog survives a kill");
}

fn a_secret_may_stand_in_a_variable(host: Host) {
    let upstream = Upstream::saying("Hi");
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"{}\"\nlocal = true\ncredentials = [\"${{MY_KEY}}\"]\n",
        upstream.url()
    );
    let gateway = Gateway::on(host).catalog(&catalog).model("m", &["a/up"]);
    let gateway = gateway.env("LLMIO_SECRETS", r#"{"MY_KEY":"sk-from-secrets"}"#).start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    assert_eq!(upstream.only().header("authorization"), Some("Bearer sk-from-secrets"));
    let shown = gateway.admin("GET", "/api/catalog", "").text();
    assert!(shown.contains("MY_KEY") && !shown.contains("sk-from-secrets"), "{shown}");
}

fn toml_is_given_where_it_is_asked_for(host: Host) {
    let gateway = Gateway::on(host).catalog(&model("m")).start();
    let request = Request::new("GET", "/api/catalog").key(TOKEN).header("accept", "application/toml");
    let response = gateway.send(&request);
    assert_eq!(response.header("content-type"), Some("application/toml"));
    assert_eq!(gateway.put_catalog(&response.text()).status, 200, "what is read can be put back");
}
