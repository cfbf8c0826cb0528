//! The files of each gateway, written by us to its published schema, and what becomes of them.

mod claude_code_router;
mod gpt_load;
mod litellm;
mod llmio;
mod merge;
mod new_api;

use super::*;
use gateway_core::catalog::Document;
use serde_json::json;

/// What an import of these rows is laid onto a stored catalog.
fn imported_onto(stored: &str, request: &Value) -> Imported {
    let request: ImportRequest = serde_json::from_value(request.clone()).expect("a request");
    let stored = Document::from_toml(stored).expect("TOML");
    let judge = |document: &Document| document.clone().or_built_in().filled(&|_| None)?.validate().map(|_| ());
    let imported = request.draft().expect("a draft").onto(&stored, &judge).expect("a catalog");
    let report = serde_json::to_string(&imported.report).expect("JSON");
    assert!(!report.contains("c4n4ry"), "a secret is told: {report}");
    imported
}

fn imported(request: &Value) -> Imported {
    imported_onto("", request)
}

fn of_text(text: &str) -> Imported {
    imported(&json!({ "text": text }))
}

/// A section of the catalog.
fn section(imported: &Imported, name: &str) -> Value {
    imported.document.as_json().get(name).cloned().unwrap_or_default()
}

/// Whether the report says this of that.
fn says(entries: &[Entry], what: &str, note: &str) -> bool {
    entries.iter().any(|entry| entry.what.contains(what) && entry.note.contains(note))
}

/// Asserts that the report says each of these things.
fn check_reasons(entries: &[Entry], sayings: &[(&str, &str)]) {
    for (what, note) in sayings {
        assert!(says(entries, what, note), "{what}: {note}: {entries:#?}");
    }
}

#[test]
fn a_file_is_known_by_its_content() {
    let kind = |request: Value| {
        let request: ImportRequest = serde_json::from_value(request).expect("a request");
        request.draft().map(|draft| draft.kind())
    };
    let channel = json!({ "id": 1, "type": 1, "models": "a", "key": "k" });
    let mut of_new_api = channel.clone();
    of_new_api["auto_ban"] = json!(1);
    for (request, expected) in [
        (json!({ "tables": { "model_with_providers": [], "models": [] } }), Kind::Llmio),
        (json!({ "tables": { "channels": [channel], "tokens": [] } }), Kind::OneApi),
        (json!({ "tables": { "channels": [of_new_api], "tokens": [] } }), Kind::NewApi),
        (json!({ "tables": { "groups": [], "api_keys": [] } }), Kind::GptLoad),
        (json!({ "text": "model_list: []\n" }), Kind::Litellm),
        (json!({ "text": "{\"Providers\": []}" }), Kind::ClaudeCodeRouter),
        (json!({ "text": json!({ "success": true, "data": { "items": [of_new_api] } }).to_string() }), Kind::NewApi),
        (json!({ "text": json!([channel]).to_string() }), Kind::OneApi),
        (json!({ "kind": "one-api", "tables": { "channels": [of_new_api] } }), Kind::OneApi),
    ] {
        assert_eq!(kind(request.clone()), Ok(expected), "{request}");
    }
    for (request, message) in [
        (json!({}), "not a file of a gateway"),
        (json!({ "text": "hello" }), "not a file of a gateway"),
        (json!({ "text": "{\"a: [" }), "neither JSON nor YAML"),
        (json!({ "kind": "litellm", "tables": { "channels": [] } }), "not a file of LiteLLM"),
        (json!({ "kind": "llmio", "text": "{}" }), "not a file of llmio (Go)"),
    ] {
        assert!(kind(request.clone()).is_err_and(|error| error.contains(message)), "{request}");
    }
}

#[test]
fn times_are_read_as_databases_write_them() {
    for (text, expected) in [
        ("2027-05-14 10:00:00.123456789+08:00", Some("2027-05-14T02:00:00.123456789Z")),
        ("2027-05-14 10:00:00 +0000 UTC", Some("2027-05-14T10:00:00Z")),
        ("2027-05-14T10:00:00Z", Some("2027-05-14T10:00:00Z")),
        ("2027-05-14 10:00:00", Some("2027-05-14T10:00:00Z")),
        ("soon", None),
    ] {
        assert_eq!(row::time(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn an_address_loses_what_llmio_adds_and_gets_a_version_once() {
    for (url, path, expected) in [
        ("https://a.example/v1/chat/completions/", "/v1", "https://a.example/v1"),
        ("https://a.example", "/v1", "https://a.example/v1"),
        ("https://a.example/", "", "https://a.example"),
        ("https://a.example/api/v3", "/v1", "https://a.example/api/v3"),
        ("https://g.example/v1beta/models/", "", "https://g.example"),
        (
            "https://dashscope.example/compatible-mode/v1",
            "/compatible-mode/v1",
            "https://dashscope.example/compatible-mode/v1",
        ),
    ] {
        assert_eq!(address::with_path(url, path), expected, "{url}");
    }
    for (url, near) in [
        ("http://192.168.1.2:11434", true),
        ("http://ollama:11434/v1", true),
        ("http://host.docker.internal/v1", true),
        ("https://api.openai.com/v1", false),
        ("https://8.8.8.8/v1", false),
    ] {
        assert_eq!(address::is_near(url), near, "{url}");
    }
}
