use serde_json::json;

use super::*;
use crate::authenticate::Caller;
use crate::catalog::{Catalog, Document};
use crate::pace::Pace;

const CATALOG: &str = r#"
    keys = [{ name = "k", hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000", models = ["small"] }]
    [[providers]]
    name = "a"
    base_url = "https://a.example/v1"
    forward_files = true
    credentials = ["sk-a"]
    [[models]]
    name = "small"
    targets = [{ provider = "a", model = "up-small", set = { temperature = 1 } }]
"#;

fn catalog() -> Catalog {
    Document::from_toml(CATALOG).and_then(|document| document.validate()).expect("a valid catalog")
}

fn prepared(catalog: &Catalog, file: &str) -> Result<Prepared, Refusal> {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"f\"\r\n\r\n{file}\r\n--b--\r\n"
    );
    let caller = Caller::Key("k".into());
    let provider = catalog.providers.iter().find(|provider| &*provider.name == "a").expect("a provider");
    let preparing = Preparing { catalog, caller: &caller, provider, pace: Pace::none() };
    preparing.prepare(Kept::File, Dialect::OpenaiChat, b"multipart/form-data; boundary=b", body.as_bytes())
}

#[test]
fn a_call_in_a_batch_is_written_as_its_target_wants_it() {
    let line = r#"{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"small","x":1e400}}"#;
    let prepared = prepared(&catalog(), &format!("{line}\r\n{line}")).expect("it is sent");
    let sent = String::from_utf8(prepared.body).expect("text");
    assert_eq!(sent.matches(r#""model":"up-small""#).count(), 2, "{sent}");
    assert_eq!(sent.matches(r#""temperature":1"#).count(), 2, "{sent}");
    assert_eq!(sent.matches("1e400").count(), 2, "{sent}");
    assert!(prepared.is_input && sent.ends_with("\r\n--b--\r\n") && prepared.files.is_empty(), "{sent}");
}

#[test]
fn what_a_batch_may_not_say_is_refused_with_its_line() {
    let line = |url: &str, body: &str| format!(r#"{{"custom_id":"1","method":"POST","url":"{url}","body":{body}}}"#);
    for (line, words) in [
        (line("/v1/chat/completions", r#"{"model":"other"}"#), "other"),
        (line("/v1/chat/completions", r#"{"messages":[]}"#), "model"),
        (line("/v1/responses", r#"{"model":"small","previous_response_id":"resp_1"}"#), "previous_response_id"),
        (line("/v1/messages", r#"{"model":"small"}"#), "/v1/messages"),
        (line("/chat/completions", r#"{"model":"small"}"#), "/chat/completions"),
        (r#"{"url":"/v1/embeddings","body":{"model":"small"},"body":{"model":"dear"}}"#.to_owned(), "duplicate"),
    ] {
        let refusal = prepared(&catalog(), &format!("\n{line}")).expect_err(words);
        assert!(refusal.message.starts_with("Line 2") && refusal.message.contains(words), "{}", refusal.message);
        assert!((400..500).contains(&refusal.status), "{}", refusal.status);
    }
}

#[test]
fn no_reader_of_forms_finds_another_file_than_the_one_that_was_checked() {
    let line = r#"{"url":"/v1/embeddings","body":{"model":"small"}}"#;
    let body = format!(
        "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"x\"; name=\"file\"; filename=\"f\"\r\n\r\nunchecked\r\n\
         --b\r\nContent-Disposition: form-data; name*=UTF-8''file\r\n\r\nunchecked\r\n--b\r\nContent-Disposition: \
         form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"a\\\"b.jsonl\"\r\n\r\n{line}\r\n--b\r\nContent-Disposition: form-data; \
         name=\"expires_after[seconds]\"\r\n\r\n3600\r\n--b--\r\n"
    );
    let catalog = catalog();
    let provider = catalog.providers.iter().find(|provider| &*provider.name == "a").expect("a provider");
    let preparing = Preparing { catalog: &catalog, caller: &Caller::Admin, provider, pace: Pace::none() };
    let prepared = preparing
        .prepare(Kept::File, Dialect::OpenaiChat, b"multipart/form-data; boundary=b", body.as_bytes())
        .expect("it is sent");
    let sent = String::from_utf8(prepared.body).expect("text");
    let (head, rest) = sent.rsplit_once("\r\n\r\n").expect("a head and the file");
    let expected = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: \
         form-data; name=\"expires_after[seconds]\"\r\n\r\n3600\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"ab.jsonl\"\r\nContent-Type: application/jsonl";
    assert_eq!(head, expected);
    assert!(rest.contains("up-small") && rest.ends_with("}\r\n--b--\r\n"), "{rest}");
}

#[test]
fn a_batch_is_bounded_in_calls_and_their_size() {
    let catalog = catalog();
    let caller = Caller::Admin;
    let provider = catalog.providers.iter().find(|provider| &*provider.name == "a").expect("a provider");
    let preparing = Preparing { catalog: &catalog, caller: &caller, provider, pace: Pace::none() };
    let many = format!(r#"{{"requests":[{}{{}}]}}"#, r#"{"params":{}},"#.repeat(50_001));
    let refusal = preparing.prepare(Kept::MessageBatch, Dialect::Anthropic, b"", many.as_bytes()).expect_err("many");
    assert!(refusal.message.contains("at most 50000 calls"), "{}", refusal.message);
    let long = format!(r#"{{"model":"small","x":"{}"}}"#, "x".repeat(4 << 20));
    let line = format!(r#"{{"url":"/v1/embeddings","body":{long}}}"#);
    assert_eq!(prepared(&catalog, &line).expect_err("long").status, 413);
    let long = format!(r#"{{"requests":[{{"params":{long}}}]}}"#);
    let refusal = preparing.prepare(Kept::MessageBatch, Dialect::Anthropic, b"", long.as_bytes()).expect_err("long");
    assert_eq!(refusal.status, 413);
}

#[test]
fn files_are_found_wherever_a_body_names_them() {
    let body = json!({ "model": "m", "input": [
        { "content": [{ "type": "input_file", "file_id": "f1" }, { "type": "document", "source": { "file_id": "f2" } }] },
        { "container": { "file_ids": ["f3", "f1"] } }, { "text": "\"file_id\": \"f9\"" } ] });
    assert_eq!(file_ids(body.to_string().as_bytes()).expect("few"), ["f1", "f2", "f3"]);
    assert_eq!(file_ids(br#"{"file\u005fid":"f1"}"#).expect("few"), ["f1"]);
    assert!(file_ids(br#"{"model":"m"}"#).expect("none").is_empty());
    let many: Vec<String> = (0..=FILE_IDS_MAX).map(|number| number.to_string()).collect();
    assert!(file_ids(json!({ "file_ids": many }).to_string().as_bytes()).is_err());
}

#[test]
fn what_names_files_and_cannot_be_read_is_refused() {
    let deep = format!(r#"{{"x":{}1{},"file_id":"f1"}}"#, "[".repeat(127), "]".repeat(127));
    for body in [r#"{"x":"\ud800","file_id":"f1"}"#, r#"{"x":"\ud800","file\u005fid":"f1"}"#, &deep] {
        let refusal = file_ids(body.as_bytes()).expect_err(body);
        assert!(refusal.status == 400 && refusal.message.contains("file_id"), "{}", refusal.message);
    }
    assert!(file_ids(br#"{"x":"\ud800"}"#).expect("it names none").is_empty());
    let form = b"--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nfile_id\r\n--b--\r\n";
    assert!(file_ids(form).expect("it names none").is_empty());
}

#[test]
fn a_batch_tells_of_the_files_that_it_came_to() {
    let answer = json!({ "id": "batch_1", "status": "completed", "output_file_id": "file-o", "error_file_id": null });
    let made = objects(Kept::Batch, &answer);
    let made: Vec<(Kept, &str, bool)> = made.iter().map(|made| (made.kept, made.id.as_str(), made.is_final)).collect();
    assert_eq!(made, [(Kept::Batch, "batch_1", true), (Kept::File, "file-o", false)]);
    assert!(objects(Kept::Batch, &json!({ "error": {} })).is_empty());
    let running = objects(Kept::MessageBatch, &json!({ "id": "b", "processing_status": "in_progress" }));
    assert_eq!(running.iter().map(|made| made.is_final).collect::<Vec<_>>(), [false]);
}

#[test]
fn results_are_fetched_from_llmio() {
    let answer = json!({ "id": "b/1", "results_url": "https://api.anthropic.com/x" });
    let shown = |base| with_own_address(Kept::MessageBatch, answer.clone(), base)["results_url"].clone();
    assert_eq!(shown(""), "/v1/messages/batches/b%2F1/results");
    assert_eq!(shown("https://llm.example/base/"), "https://llm.example/base/v1/messages/batches/b%2F1/results");
    let running = json!({ "id": "b", "results_url": null });
    assert_eq!(with_own_address(Kept::MessageBatch, running.clone(), ""), running);
}

#[test]
fn files_of_several_accounts_have_no_provider_in_common() {
    let owner = |provider: &str| Some(ResponseOwner { provider: provider.to_owned(), credential: None });
    let of =
        |owners: [Option<ResponseOwner>; 2]| owner_of_all(["f1".to_owned(), "f2".to_owned()].into_iter().zip(owners));
    assert_eq!(of([owner("a"), owner("a")]).ok().flatten(), owner("a"));
    assert_eq!(of([owner("a"), owner("b")]).expect_err("refused").status, 400);
    assert_eq!(of([owner("a"), None]).expect_err("refused").status, 404);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_looking_for_files_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = file_ids(&[b"{\"file_id\":".as_slice(), &bytes].concat());
        let _ = prepared(&catalog(), &String::from_utf8_lossy(&bytes));
    }
}
