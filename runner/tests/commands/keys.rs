//! `llmio token` and `llmio keys`.

use super::*;

#[test]
fn token_prints_the_token_alone_and_makes_it_as_serve_would() {
    let place = Place::new();
    let token = place.ok(&["token"]);
    assert_eq!((token.len(), token.lines().count()), (65, 1), "{token:?}");
    let mode = fs::metadata(place.data().join("token")).expect("a token file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let server = place.serve();
    assert_eq!(place.ok(&["token"]), token);
    assert_eq!(server.chat(token.trim()).0, 200, "the server knows it");
    assert_eq!(place.ok(&["token", "--token", "given-4f9c2be81d7a63"]), "given-4f9c2be81d7a63\n");
}

#[test]
fn a_token_that_only_the_server_was_given_is_asked_for() {
    let server_place = Place::new().with("LLMIO_TOKEN", "given-4f9c2be81d7a63");
    let server = server_place.serve();
    let place = Place::on(server_place.folder);
    for arguments in [["token"].as_slice(), &["keys", "list"]] {
        let message = place.fails(arguments, 78);
        assert!(message.contains("LLMIO_TOKEN"), "{message}");
    }
    let message = place.fails(&["keys", "list", "--token", "another-1234567890"], 1);
    assert!(message.contains("LLMIO_TOKEN") && !message.contains('{'), "{message}");
    drop(server);
}

#[test]
fn a_key_made_through_a_running_server_calls_is_recorded_and_is_revoked() {
    let place = Place::new();
    let server = place.serve();
    let made = place.run(&["keys", "create", "my laptop", "--models", "demo,qwen*", "--expires", "30d"]);
    let key = made.out.trim();
    assert!(made.code == 0 && key.starts_with("sk-llmio-") && key.len() == 52, "{}{}", made.out, made.err);
    assert!(made.err.contains("my laptop") && !made.err.contains(key), "{}", made.err);
    assert_eq!(server.chat(key).0, 200);
    let listed = place.ok(&["keys", "list"]);
    assert!(
        listed.lines().any(|line| line.starts_with("my laptop  demo,qwen*  20") && line.ends_with("yes")),
        "{listed}"
    );
    assert!(!listed.contains("sha256"), "{listed}");

    let filters = ["records", "--key", "my laptop", "--model", "demo", "--status", "200", "--since", "1h", "--json"];
    let line = eventually("the call is recorded", || place.ok(&filters).lines().next().map(str::to_owned));
    let record: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&record["key"], &record["state"]), (&Value::from("my laptop"), &Value::from("ok")));
    assert_eq!(place.ok(&["records", "--json", "--state", "client_error"]), "");

    server.stop();
    let id = record["id"].as_str().expect("an id");
    let shown: Value = serde_json::from_str(&place.ok(&["records", "--data", "data", "show", id])).expect("JSON");
    assert_eq!(shown, record, "records are the same without a server");
    let table = place.ok(&["records"]);
    let [head, row] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
    assert!(head.starts_with("time") && row.contains(id) && row.contains("my laptop  demo   echo/echo-"), "{table}");

    assert_eq!(place.ok(&["keys", "revoke", "my laptop"]), "Key \"my laptop\" is revoked.\n");
    let message = place.fails(&["keys", "revoke", "my laptop"], 1);
    assert!(message.contains("no key named") && message.contains("`llmio keys list`"), "{message}");
    let server = place.serve();
    assert_eq!(server.chat(key).0, 401);
}

#[test]
fn a_key_made_without_a_server_is_known_to_the_next_one() {
    let place = Place::new();
    let key = place.ok(&["keys", "create", "cron"]);
    let server = place.serve();
    assert_eq!(server.chat(key.trim()).0, 200);
    let message = place.fails(&["keys", "create", "cron"], 1);
    assert!(message.contains("keys[1].name"), "the problem is told with its path: {message}");
    let message = place.fails(&["keys", "create", "late", "--expires", "2020-01-01T00:00:00Z"], 2);
    assert!(message.contains("past"), "{message}");
}

#[test]
fn print_toml_touches_no_store_and_its_lines_make_the_key_work() {
    let place = Place::new();
    let done = place.run(&["keys", "create", "file key", "--models", "demo", "--print-toml"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(!place.data().exists());
    let key = done.err.lines().find(|line| line.starts_with("sk-llmio-")).expect("the key on stderr");
    assert!(done.out.contains("[[keys]]") && !done.out.contains(key), "{}", done.out);
    let catalog = place.file("llmio.toml", &format!("{}{}", place.ok(&["catalog", "export"]), done.out));
    place.ok(&["catalog", "import", &catalog]);
    let server = place.serve();
    assert_eq!(server.chat(key).0, 200);
}
