//! Hosts other than the runner hand their settings on unchecked. llmio then says itself what is wrong, and how to
//! change it on such a host.

use std::fs;

use crate::common::{Gateway, Host, Request, chat};

fn with_variable(name: &str, value: &str) -> Gateway {
    Gateway::on(Host::Spin).env(name, value).start()
}

fn degraded(gateway: &Gateway) -> Vec<String> {
    let ready = gateway.send(&Request::new("GET", "/readyz"));
    assert_eq!(ready.status, 200, "{}", ready.text());
    let lines = ready.json()["degraded"].as_array().cloned().unwrap_or_default();
    lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect()
}

fn tells(gateway: &Gateway, parts: &[&str]) {
    let lines = degraded(gateway);
    assert!(lines.iter().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?}: {lines:?}");
}

#[test]
fn a_token_that_no_client_can_send_serves_nobody() {
    let gateway = with_variable("LLMIO_TOKEN", "c5ba29f1a0d34e6f8b17 ");
    for request in [chat("demo"), Request::new("GET", "/readyz"), Request::new("GET", "/api/catalog")] {
        let refused = gateway.send(&request);
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.text().contains("not_configured"), "{}", refused.text());
        assert!(refused.text().contains("SPIN_VARIABLE_TOKEN"), "{}", refused.text());
    }
    assert_eq!(gateway.send(&Request::new("GET", "/healthz")).status, 200);
}

#[test]
fn a_token_that_can_be_guessed_is_taken_from_this_machine_and_told() {
    let gateway = with_variable("LLMIO_TOKEN", "change-me");
    let catalog = gateway.send(&Request::new("GET", "/api/catalog").key("change-me"));
    assert_eq!(catalog.status, 200, "{}", catalog.text());
    tells(&gateway, &["token: it has fewer than 16 characters", "SPIN_VARIABLE_TOKEN"]);
}

#[test]
fn a_master_key_that_is_too_short_is_told() {
    let gateway = with_variable("LLMIO_MASTER_KEY", "too-short");
    tells(&gateway, &["master_key: it has fewer than 16 characters", "SPIN_VARIABLE_MASTER_KEY"]);
    assert_eq!(gateway.send(&chat("demo")).status, 200);
}

#[test]
fn secrets_that_are_no_object_are_told_and_not_repeated() {
    let gateway = with_variable("LLMIO_SECRETS", "sk-very-secret");
    tells(&gateway, &["secrets: no JSON object", "SPIN_VARIABLE_SECRETS"]);
    assert!(degraded(&gateway).iter().all(|line| !line.contains("sk-")));
}

#[test]
fn good_settings_are_not_spoken_of() {
    let gateway = with_variable("LLMIO_SECRETS", r#"{"A": "sk-1"}"#);
    assert_eq!(degraded(&gateway), Vec::<String>::new());
}

#[test]
fn a_catalog_that_is_not_valid_is_said_to_be_the_variables() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("llmio.toml");
    fs::write(&file, "[[models]]\nname = ").expect("a file");
    let gateway = Gateway::on(Host::Spin).arg("--catalog").arg(file.display().to_string()).start();
    let refused = gateway.send(&chat("demo"));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("no_catalog"), "{}", refused.text());
    assert!(refused.text().contains("--variable catalog=@"), "{}", refused.text());
}
