//! Files and batches: an id belongs to the key that made it, and the models of a batch are checked call by call.

use serde_json::{Value, json};

use crate::common::{Builder, Gateway, Host, Request, Response, TOKEN};
use crate::upstream::{Answer, Upstream};

both_hosts![
    an_id_belongs_to_the_key_that_made_it,
    a_list_shows_own_files_page_by_page,
    the_calls_of_a_batch_are_checked_line_by_line_and_renamed,
    a_batch_is_made_of_own_checked_files_alone,
    what_a_batch_came_to_belongs_to_its_key,
    messages_in_a_batch_are_checked_and_renamed,
    a_key_with_a_budget_makes_no_batches,
    a_call_that_names_a_file_goes_where_it_is_kept,
    an_account_that_refuses_leaves_the_file_to_the_next,
    a_large_file_passes_again_and_again,
    what_was_made_is_known_after_a_restart,
];

const MODELS: &str = r#"
[[models]]
name = "small"
targets = [{ provider = "a", model = "up-small" }]
[[models]]
name = "large"
targets = [{ provider = "a", model = "up-large" }]
"#;

fn with_files(builder: Builder, name: &str, dialect: &str, upstream: &Upstream) -> Builder {
    let url = upstream.url();
    let base = format!("{url}/v1");
    builder.catalog(&format!(
        "[[providers]]\nname = \"{name}\"\nendpoints = {{ {dialect} = \"{base}\" }}\n\
         credentials = [\"sk-{name}\"]\nlocal = true\nforward_files = true\n"
    ))
}

fn file(id: &str, purpose: &str) -> String {
    json!({ "id": id, "object": "file", "bytes": 3, "filename": "f", "purpose": purpose }).to_string()
}

fn upload(key: &str, purpose: &str, content: &[u8]) -> Request {
    let request = Request::new("POST", "/v1/files").key(key);
    request.header("content-type", "multipart/form-data; boundary=b0").body(upload_body(purpose, content))
}

fn get(key: &str, path: &str) -> Request {
    Request::new("GET", path).key(key)
}

fn line(url: &str, model: &str) -> String {
    json!({ "custom_id": "1", "method": "POST", "url": url, "body": { "model": model, "messages": [], "n": 12345678901234567890_u64 } })
        .to_string()
}

fn ids(response: &Response) -> Vec<String> {
    let list = response.json();
    let data = list["data"].as_array().unwrap_or_else(|| panic!("{list}"));
    data.iter().map(|object| object["id"].as_str().expect("an id").to_owned()).collect()
}

fn an_id_belongs_to_the_key_that_made_it(host: Host) {
    let deleted = json!({ "id": "file-1", "object": "file", "deleted": true }).to_string();
    let upstream = Upstream::answering(Answer::json(404, "{}"))
        .at("/v1/files", Answer::json(200, &file("file-1", "user_data")))
        .at("/v1/files/file-1/content", Answer::whole(200, "content-type: text/csv", "a,b"))
        .at("/v1/files/file-1", Answer::json(200, &deleted));
    let gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).start();
    let (one, other) = (gateway.new_key("one", &[]), gateway.new_key("other", &[]));
    let made = gateway.send(&upload(&one, "user_data", b"a,b"));
    assert_eq!((made.status, made.json()["id"].as_str()), (200, Some("file-1")), "{}", made.text());
    let record = gateway.record(&made);
    assert_eq!((&record["endpoint"], &record["key"], &record["state"]), (&json!("files"), &json!("one"), &json!("ok")));
    let sent = upstream.only();
    assert_eq!(sent.header("authorization"), Some("Bearer sk-a"));
    assert!(sent.body.windows(3).any(|bytes| bytes == b"a,b"), "the file");

    for path in ["/v1/files/file-1", "/v1/files/file-1/content"] {
        let refused = gateway.send(&get(&other, path));
        assert_eq!((refused.status, refused.openai_error().code.as_str()), (404, "file_not_found"), "{path}");
    }
    assert_eq!(gateway.send(&Request::new("DELETE", "/v1/files/file-1").key(&other)).status, 404);
    assert_eq!(ids(&gateway.send(&get(&other, "/v1/files"))), [""; 0]);
    assert_eq!(upstream.received().len(), 1, "nothing was asked for another key");

    assert_eq!(ids(&gateway.send(&get(&one, "/v1/files"))), ["file-1"]);
    assert_eq!(ids(&gateway.send(&get(TOKEN, "/files"))), ["file-1"], "an administrator sees all");
    let content = gateway.send(&get(&one, "/v1/files/file-1/content"));
    assert_eq!((content.status, content.text().as_str()), (200, "a,b"));
    assert_eq!(content.header("content-type"), Some("text/csv"));
    assert_eq!(gateway.send(&Request::new("DELETE", "/v1/files/file-1").key(&one)).status, 200);
    assert_eq!(ids(&gateway.send(&get(&one, "/v1/files"))), [""; 0]);
    assert_eq!(gateway.send(&get(&one, "/v1/files/file-1")).status, 404);
}

fn a_list_shows_own_files_page_by_page(host: Host) {
    let files = ["file-1", "file-2", "file-3"].map(|id| Answer::json(200, &file(id, "user_data")));
    let upstream = Upstream::answering(Answer::json(404, "{}")).then(files);
    let gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).start();
    let key = gateway.new_key("one", &[]);
    for _ in 0..3 {
        assert_eq!(gateway.send(&upload(&key, "user_data", b"x")).status, 200);
    }
    let first = gateway.send(&get(&key, "/v1/files?limit=2"));
    assert_eq!((ids(&first), &first.json()["has_more"]), (vec!["file-3".into(), "file-2".into()], &json!(true)));
    let next = gateway.send(&get(&key, "/v1/files?limit=2&after=file-2"));
    assert_eq!((ids(&next), &next.json()["has_more"]), (vec!["file-1".into()], &json!(false)));
    assert_eq!(ids(&gateway.send(&get(&key, "/v1/files?order=asc&limit=1"))), ["file-1"]);
    assert_eq!(ids(&gateway.send(&get(&key, "/v1/files?purpose=batch"))), [""; 0]);
    assert_eq!(gateway.send(&get(&key, "/v1/files?limit=none")).status, 400);
}

fn the_calls_of_a_batch_are_checked_line_by_line_and_renamed(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, &file("file-1", "batch")));
    let gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).catalog(MODELS).start();
    let key = gateway.new_key("one", &["small"]);
    let (good, bad) = (line("/v1/chat/completions", "small"), line("/v1/chat/completions", "large"));
    let refused = gateway.send(&upload(&key, "batch", format!("{good}\n{bad}\n").as_bytes()));
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("Line 2 of the batch"), "{}", refused.text());
    for (text, what) in [
        (line("/v1/chat/completions", "none"), "Line 1"),
        (line("/v1/realtime", "small"), "/v1/realtime"),
        ("not json".to_owned(), "is no call"),
        (String::new(), "no calls"),
    ] {
        let refused = gateway.send(&upload(&key, "batch", text.as_bytes()));
        assert!((400..500).contains(&refused.status) && refused.text().contains(what), "{text}: {}", refused.text());
    }
    let before = "--b0\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n";
    let twice = upload(&key, "batch", bad.as_bytes());
    let twice = twice.body([before.as_bytes(), &upload_body("batch", bad.as_bytes())].concat());
    assert_eq!(gateway.send(&twice).status, 400, "two purposes");
    assert_eq!(upstream.received().len(), 0, "nothing refused was sent");

    let made = gateway.send(&upload(&key, "batch", format!("{good}\n\n{good}").as_bytes()));
    assert_eq!(made.status, 200, "{}", made.text());
    let sent = String::from_utf8(upstream.only().body).expect("text");
    assert_eq!(sent.matches("up-small").count(), 2, "{sent}");
    assert_eq!(sent.matches("12345678901234567890").count(), 2, "{sent}");
    let length = upstream.only().header("content-length").map(str::to_owned);
    assert_eq!(length, Some(sent.len().to_string()));
}

fn upload_body(purpose: &str, content: &[u8]) -> Vec<u8> {
    [
        b"--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n".as_slice(),
        content,
        format!("\r\n--b0\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n--b0--\r\n")
            .as_bytes(),
    ]
    .concat()
}

fn batch(id: &str, status: &str) -> Value {
    json!({ "id": id, "object": "batch", "status": status, "input_file_id": "file-1" })
}

fn create_batch(key: &str, file: &str) -> Request {
    let body = json!({ "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h" });
    Request::new("POST", "/v1/batches").key(key).json(body.to_string())
}

fn a_batch_is_made_of_own_checked_files_alone(host: Host) {
    let files =
        [("file-1", "batch"), ("file-2", "user_data")].map(|(id, purpose)| Answer::json(200, &file(id, purpose)));
    let upstream = Upstream::answering(Answer::json(200, &batch("batch-1", "validating").to_string())).then(files);
    let gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).catalog(MODELS).start();
    let (one, other) = (gateway.new_key("one", &["small"]), gateway.new_key("other", &[]));
    let good = line("/v1/chat/completions", "small");
    assert_eq!(gateway.send(&upload(&one, "batch", good.as_bytes())).status, 200);
    assert_eq!(gateway.send(&upload(&one, "user_data", line("/v1/chat/completions", "large").as_bytes())).status, 200);
    assert_eq!(gateway.send(&create_batch(&other, "file-1")).status, 404, "another key's");
    assert_eq!(gateway.send(&create_batch(&one, "file-2")).status, 400, "it was not checked");
    assert_eq!(gateway.send(&create_batch(&one, "file-9")).status, 404, "nobody's");
    let odd = json!({ "input_file_id": "file-1", "endpoint": "/v1/chat/completions", "model": "large" });
    assert_eq!(gateway.send(&Request::new("POST", "/v1/batches").key(&one).json(odd.to_string())).status, 400);
    assert_eq!(upstream.received().len(), 2, "only the files");

    let made = gateway.send(&create_batch(&one, "file-1"));
    assert_eq!((made.status, made.json()["id"].as_str()), (200, Some("batch-1")), "{}", made.text());
    assert_eq!(gateway.record(&made)["endpoint"], "batches");
    for path in ["/v1/batches/batch-1", "/v1/batches/batch-1/cancel"] {
        let method = if path.ends_with("cancel") { "POST" } else { "GET" };
        let refused = gateway.send(&Request::new(method, path).key(&other));
        assert_eq!((refused.status, refused.openai_error().code.as_str()), (404, "batch_not_found"), "{path}");
        assert_eq!(gateway.send(&Request::new(method, path).key(&one)).status, 200, "{path}");
    }
}

fn what_a_batch_came_to_belongs_to_its_key(host: Host) {
    let mut done = batch("batch-1", "completed");
    done["output_file_id"] = "file-out".into();
    let upstream = Upstream::answering(Answer::json(404, "{}"))
        .at("/v1/files", Answer::json(200, &file("file-1", "batch")))
        .at("/v1/batches", Answer::json(200, &batch("batch-1", "validating").to_string()))
        .at("/v1/batches/batch-1", Answer::json(200, &done.to_string()))
        .at("/v1/files/file-out/content", Answer::whole(200, "content-type: application/jsonl", "{}\n"));
    let gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).catalog(MODELS).start();
    let (one, other) = (gateway.new_key("one", &[]), gateway.new_key("other", &[]));
    assert_eq!(gateway.send(&upload(&one, "batch", line("/v1/chat/completions", "small").as_bytes())).status, 200);
    assert_eq!(gateway.send(&create_batch(&one, "file-1")).status, 200);
    assert_eq!(gateway.send(&get(&one, "/v1/files/file-out/content")).status, 404, "nobody has told of it");
    let list = gateway.send(&get(&one, "/v1/batches"));
    assert_eq!(list.json()["data"][0]["status"], "completed", "a list tells how it is now: {}", list.text());
    assert_eq!(gateway.send(&get(&one, "/v1/files/file-out/content")).text(), "{}\n");
    assert_eq!(gateway.send(&get(&other, "/v1/files/file-out/content")).status, 404);
    let asked = upstream.asked_at("/v1/batches/batch-1").len();
    assert_eq!(ids(&gateway.send(&get(&one, "/v1/batches"))), ["batch-1"]);
    assert_eq!(upstream.asked_at("/v1/batches/batch-1").len(), asked, "what has ended does not change");
}

fn messages_in_a_batch_are_checked_and_renamed(host: Host) {
    let ended = json!({ "id": "msgbatch_1", "type": "message_batch", "processing_status": "ended",
        "results_url": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results" });
    let upstream = Upstream::answering(Answer::json(404, "{}"))
        .at("/v1/messages/batches", Answer::json(200, &ended.to_string()))
        .at("/v1/messages/batches/msgbatch_1", Answer::json(200, &ended.to_string()))
        .at("/v1/messages/batches/msgbatch_1/results", Answer::whole(200, "content-type: application/x-jsonl", "{}\n"));
    let gateway = with_files(Gateway::on(host), "a", "anthropic", &upstream).catalog(MODELS).start();
    let (one, other) = (gateway.new_key("one", &["small"]), gateway.new_key("other", &[]));
    let create = |model: &str| {
        let call =
            |model: &str| json!({ "custom_id": "1", "params": { "model": model, "max_tokens": 1, "messages": [] } });
        let body = json!({ "requests": [call("small"), call(model)] });
        Request::new("POST", "/v1/messages/batches").key(&one).json(body.to_string())
    };
    let refused = gateway.send(&create("large"));
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("requests[1].params") && refused.json()["type"] == "error", "{}", refused.text());
    let made = gateway.send(&create("small"));
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(made.json()["results_url"], "/v1/messages/batches/msgbatch_1/results");
    let sent = String::from_utf8(upstream.only().body).expect("text");
    assert_eq!((sent.matches("up-small").count(), sent.contains("\"small\"")), (2, false), "{sent}");
    assert_eq!(upstream.only().header("x-api-key"), Some("sk-a"));
    let results = "/v1/messages/batches/msgbatch_1/results";
    assert_eq!(gateway.send(&get(&one, results)).text(), "{}\n");
    assert_eq!(gateway.send(&get(&other, results)).status, 404);
    let list = gateway.send(&get(&one, "/v1/messages/batches?limit=1"));
    assert_eq!((ids(&list), list.json().get("object")), (vec!["msgbatch_1".into()], None));
}

fn a_key_with_a_budget_makes_no_batches(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, "{}"));
    let gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).catalog(MODELS).start();
    let made = gateway.admin("POST", "/api/keys", r#"{ "name": "poor", "limits": { "budget": "1 USD/day" } }"#);
    assert_eq!(made.status, 201, "{}", made.text());
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    let refused = gateway.send(&create_batch(&key, "file-1"));
    assert_eq!((refused.status, refused.openai_error().code.as_str()), (403, "batch_not_allowed"));
    assert_eq!(upstream.received().len(), 0);
}

fn a_call_that_names_a_file_goes_where_it_is_kept(host: Host) {
    let first = Upstream::saying("from a");
    let second = Upstream::saying("from b").then([Answer::json(200, &file("file-1", "user_data"))]);
    let builder = with_files(Gateway::on(host), "a", "openai-chat", &first);
    let gateway = with_files(builder, "b", "openai-chat", &second).model("m", &["a/up", "b/up"]).start();
    let (one, other) = (gateway.new_key("one", &[]), gateway.new_key("other", &[]));
    let made = gateway.send(&upload(&one, "user_data", b"x").header("x-llmio-provider", "b"));
    assert_eq!((made.status, second.received().len()), (200, 1), "{}", made.text());
    let call = |key: &str, name: &str| {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"file","file":{{"{name}":"file-1"}}}}]}}]}}"#
        );
        Request::new("POST", "/v1/chat/completions").key(key).json(body)
    };
    let answered = gateway.send(&call(&one, "file_id"));
    assert_eq!((answered.status, answered.header("x-llmio-target")), (200, Some("b/up")), "{}", answered.text());
    for name in ["file_id", "file\\u005fid"] {
        let refused = gateway.send(&call(&other, name));
        assert_eq!(refused.status, 404, "{name}: {}", refused.text());
    }
    // Half of a pair, which some parsers read and others do not.
    let refused = gateway.send(&call(&other, r#"x":"\ud800","file_id"#));
    assert_eq!((refused.status, second.received().len()), (400, 2), "{}", refused.text());
    let unknown = gateway.send(&upload(&one, "user_data", b"x").header("x-llmio-provider", "c"));
    assert_eq!(unknown.status, 400, "{}", unknown.text());
}

fn an_account_that_refuses_leaves_the_file_to_the_next(host: Host) {
    let refusing = Upstream::answering(Answer::json(401, r#"{"error":{"message":"bad key"}}"#));
    let keeping = Upstream::answering(Answer::json(200, &file("file-1", "user_data")));
    let builder = with_files(Gateway::on(host), "a", "openai-chat", &refusing);
    let gateway = with_files(builder, "b", "openai-chat", &keeping).start();
    let made = gateway.send(&upload(TOKEN, "user_data", b"x"));
    assert_eq!((made.status, refusing.received().len(), keeping.received().len()), (200, 1, 1), "{}", made.text());
    assert_eq!(gateway.send(&get(TOKEN, "/v1/files/file-1")).status, 200);
    assert_eq!((refusing.received().len(), keeping.received().len()), (1, 2), "it is read where it is kept");
}

fn a_large_file_passes_again_and_again(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, &file("file-1", "user_data")));
    let gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).start();
    let content = vec![b'x'; 20 << 20];
    for times in 1..=3 {
        let made = gateway.send(&upload(TOKEN, "user_data", &content));
        assert_eq!((made.status, upstream.received().len()), (200, times), "{}", made.text());
    }
    let too_large = gateway.send(&upload(TOKEN, "user_data", &vec![b'x'; 33 << 20]));
    assert_eq!(too_large.status, 413, "{}", too_large.text());
    assert!(too_large.json()["error"]["message"].is_string(), "{}", too_large.text());
}

fn what_was_made_is_known_after_a_restart(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, &file("file-1", "user_data")));
    let mut gateway = with_files(Gateway::on(host), "a", "openai-chat", &upstream).start();
    let key = gateway.new_key("one", &[]);
    assert_eq!(gateway.send(&upload(&key, "user_data", b"x")).status, 200);
    gateway.kill_and_restart();
    assert_eq!(ids(&gateway.send(&get(&key, "/v1/files"))), ["file-1"]);
}
