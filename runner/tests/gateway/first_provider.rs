//! From nothing to the first provider: its list of models, `LLMIO_PROVIDER` and `llmio init`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::common::{Gateway, Host, Request, binary, chat, eventually, upstream_key};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    a_providers_own_list_of_models_is_asked_for_with_its_credential,
    what_is_no_list_of_models_is_told_without_the_secret,
    a_draft_names_one_provider_and_serves_any_of_its_models,
    a_first_catalog_overwrites_none,
];

const KEY: &str = "sk-first-provider-0123456789";

fn list(names: &[&str]) -> Answer {
    let data: Vec<_> = names.iter().map(|name| json!({ "id": name, "object": "model" })).collect();
    Answer::json(200, &json!({ "object": "list", "data": data }).to_string())
}

fn stream() -> Answer {
    Answer::stream().chunk(event("OK")).chunk(last_events()).end()
}

fn a_providers_own_list_of_models_is_asked_for_with_its_credential(host: Host) {
    let upstream = Upstream::answering(list(&["text-embedding-3-small", "gpt-5.4", "o9"]));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let offer = gateway.admin("GET", "/api/providers/a/models", "");
    assert_eq!(offer.status, 200, "{}", offer.text());
    let offer = offer.json();
    assert_eq!(offer["models"], json!(["text-embedding-3-small", "gpt-5.4", "o9"]));
    assert_eq!((&offer["provider"], &offer["suggested"]), (&json!("a"), &json!("gpt-5.4")));
    let request = upstream.only();
    assert!(request.line.starts_with("GET /v1/models HTTP/1.1"), "{}", request.line);
    assert_eq!(request.header("authorization"), Some(format!("Bearer {}", upstream_key("a")).as_str()));
    assert!(gateway.records("").is_empty(), "it is no call");
}

fn what_is_no_list_of_models_is_told_without_the_secret(host: Host) {
    let refusal = json!({ "error": { "message": format!("Incorrect API key provided: {}", upstream_key("a")) } });
    let answers = [
        Answer::json(401, &refusal.to_string()),
        Answer::whole(200, "content-type: text/html", "<html><body>Welcome</body></html>"),
        Answer::nothing().cut(),
    ];
    let upstream = Upstream::saying("Hi").then(answers);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let list = |path: &str| {
        let response = gateway.admin("GET", path, "");
        (response.status, response.problem_detail())
    };
    let (status, refused) = list("/api/providers/a/models");
    assert!(status == 502 && refused.contains("answered 401: Incorrect API key"), "{status} {refused}");
    assert!(!refused.contains(&upstream_key("a")), "{refused}");
    let (status, page) = list("/api/providers/a/models");
    assert!(status == 502 && page.contains("not with a list of models"), "{status} {page}");
    let (status, cut) = list("/api/providers/a/models");
    assert!(status == 502 && cut.contains("Provider \"a\""), "{status} {cut}");
    assert_eq!(list("/api/providers/b/models").0, 404);
    let (status, wrong) = list("/api/providers/a/models?credential=nobody");
    assert!(status == 400 && wrong.contains("nobody"), "{status} {wrong}");
}

fn a_draft_names_one_provider_and_serves_any_of_its_models(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).start();
    let draft = json!({ "provider": format!("{}/v1", upstream.url()), "credential": KEY, "model": "up" });
    let drafted = gateway.admin("POST", "/api/catalog/draft", &draft.to_string());
    assert_eq!((drafted.status, &drafted.json()["provider"]), (200, &json!("local")));
    assert_eq!(gateway.send(&chat("up")).status, 404, "a draft is stored nowhere");
    let stored = gateway.put_catalog(drafted.json()["catalog"].as_str().expect("a text"));
    assert_eq!(stored.status, 200, "{}", stored.text());
    eventually("both names are served", || {
        ["up", "another"].iter().all(|name| gateway.send(&chat(name)).status == 200).then_some(())
    });
    let models: Vec<_> = upstream
        .received()
        .iter()
        .map(|request| serde_json::from_slice::<serde_json::Value>(&request.body).expect("JSON")["model"].clone())
        .collect();
    assert!(models.contains(&json!("up")) && models.contains(&json!("another")), "{models:?}");
}

fn a_first_catalog_overwrites_none(host: Host) {
    let gateway = Gateway::on(host).start();
    let text = "[[providers]]\npreset = \"echo\"\n\n[[models]]\nname = \"first\"\ntargets = [\"echo/x\"]\n";
    let only_first = |text: &str| {
        let request = Request::new("PATCH", "/api/catalog").key(crate::common::TOKEN);
        gateway.send(&request.header("if-none-match", "*").header("content-type", "application/toml").body(text))
    };
    let made = only_first(text);
    assert_eq!(made.status, 200, "{}", made.text());
    let second = only_first(&text.replace("first", "second"));
    assert!(second.status == 412 && second.problem_detail().contains("stored already"), "{}", second.text());
    assert_eq!(gateway.admin("GET", "/api/catalog", "").json()["models"][0]["name"], "first");
}

#[test]
fn a_first_start_serves_the_provider_that_the_environment_names() {
    let upstream = Upstream::answering(stream()).then([list(&["whisper-1", "qwen3"])]);
    let builder = Gateway::on(Host::Runner).env("LLMIO_PROVIDER", &format!("{}/v1", upstream.url()));
    let mut gateway = builder.env("LLMIO_API_KEY", KEY).start();
    let greeting = eventually("the greeting", || Some(gateway.stdout()).filter(|text| text.contains("curl ")));
    assert!(greeting.contains(r#""model":"qwen3""#), "{greeting}");
    let response = gateway.send(&crate::common::streamed_chat("qwen3"));
    assert_eq!(response.status, 200, "{}", response.text());
    let sent = upstream.received().pop().expect("a call");
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let catalog = gateway.admin("GET", "/api/catalog", "");
    assert!(catalog.text().contains("${LLMIO_API_KEY}") && !catalog.text().contains(KEY), "{}", catalog.text());
    // What the operator made of it since then stays.
    let changed = gateway
        .put_catalog("[[providers]]\npreset = \"echo\"\n\n[[models]]\nname = \"mine\"\ntargets = [\"echo/x\"]\n");
    assert_eq!(changed.status, 200, "{}", changed.text());
    gateway.restart();
    assert_eq!(gateway.send(&chat("mine")).status, 200);
    assert_eq!(gateway.send(&chat("qwen3")).status, 404);
}

#[test]
fn a_provider_of_the_environment_that_nobody_knows_is_told_at_the_start() {
    let (code, log) = Gateway::on(Host::Runner).env("LLMIO_PROVIDER", "opnrouter").run_to_end();
    assert!(code == 78 && log.contains("LLMIO_PROVIDER") && log.contains("openrouter"), "{code}: {log}");
}

/// `llmio init` in this folder, without a terminal.
fn init(folder: &Path, upstream: &Upstream, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.env_clear().current_dir(folder).args(["init", "--provider", &format!("{}/v1", upstream.url())]);
    command.envs(variables.iter().copied()).output().expect("it starts")
}

#[test]
fn init_writes_a_catalog_that_served_a_call() {
    let upstream = Upstream::answering(stream()).then([list(&["embed-1", "qwen3"])]);
    let folder = tempfile::tempdir().expect("a folder");
    let made = init(folder.path(), &upstream, &[("LLMIO_API_KEY", KEY)]);
    let output = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(made.status.success(), "{made:?}");
    assert!(output.contains("llmio --catalog llmio.toml") && output.contains("curl http://127.0.0.1:7070"), "{output}");
    let file = folder.path().join("llmio.toml");
    let mode = fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a typed key would stand in it");
    let text = fs::read_to_string(&file).expect("the file");
    assert!(text.contains("${LLMIO_API_KEY}") && !text.contains(KEY) && text.contains("\"qwen3\""), "{text}");
    assert!(!folder.path().join("data").exists(), "it keeps nothing else");
    let again = init(folder.path(), &upstream, &[("LLMIO_API_KEY", KEY)]);
    assert_eq!(again.status.code(), Some(78), "{again:?}");
    let gateway = Gateway::on(Host::Runner).env("LLMIO_API_KEY", KEY).arg("--catalog").arg(file.display().to_string());
    assert_eq!(gateway.start().send(&crate::common::streamed_chat("qwen3")).status, 200);
}

#[test]
fn init_writes_nothing_when_the_call_fails_and_says_why() {
    let refusal = Answer::json(401, r#"{"error":{"message":"No auth credentials found","code":401}}"#);
    let upstream = Upstream::answering(refusal);
    let folder = tempfile::tempdir().expect("a folder");
    let failed = init(folder.path(), &upstream, &[("LLMIO_MODEL", "qwen3")]);
    let output = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && output.contains("refused llmio's credential (401)"), "{output}");
    assert!(output.contains("Nothing was written"), "{output}");
    let missing = init(folder.path(), &upstream, &[]);
    let output = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(missing.status.code() == Some(78) && output.contains("LLMIO_MODEL is missing"), "{output}");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}
