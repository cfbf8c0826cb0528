//! Recorded requests and answers: who decides that they are kept, how they are stored, who may read them, and how they
//! are deleted.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Gateway, Host, PATIENCE, Request, Response, TOKEN, chat, eventually, streamed_chat, upstream_key};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    what_was_said_is_kept_without_secrets_and_sealed,
    a_stream_is_kept_as_the_answer_that_it_comes_to,
    every_dialect_is_read_as_a_conversation,
    of_several_attempts_the_last_is_kept,
    nothing_is_kept_unless_that_is_wanted,
    only_what_does_not_end_well_is_kept_where_errors_are_wanted,
    a_key_lowers_what_is_kept_and_cannot_raise_it,
    a_key_reads_what_was_said_in_its_own_calls_where_it_may,
    bodies_are_deleted_one_by_one_and_by_filter,
    what_is_too_old_or_too_much_goes_and_its_record_stays,
    a_long_body_is_cut_and_a_picture_is_left_out,
    the_console_shows_a_conversation_and_each_body_to_whom_it_may,
];

fn keeping(host: Host, kept: &str, upstream: &Upstream) -> Gateway {
    let settings = format!("[settings]\nrecord_bodies = \"{kept}\"\n");
    Gateway::on(host).catalog(&settings).provider("a", upstream).model("m", &["a/up"]).start()
}

fn id(response: &Response) -> String {
    response.header("x-llmio-record").expect("an answer names its record").to_owned()
}

fn ask(gateway: &Gateway, id: &str, query: &str, key: &str) -> Response {
    gateway.send(&Request::new("GET", &format!("/api/records/{id}/bodies{query}")).key(key))
}

/// The bodies of a call, once they are written.
fn bodies(gateway: &Gateway, id: &str) -> Vec<Value> {
    let found = eventually("the bodies are written", || {
        Some(ask(gateway, id, "", TOKEN)).filter(|response| response.status == 200)
    });
    found.json()["bodies"].as_array().expect("a list of bodies").clone()
}

fn body<'b>(bodies: &'b [Value], what: &str) -> &'b Value {
    bodies.iter().find(|body| body["what"] == what).unwrap_or_else(|| panic!("no {what}: {bodies:?}"))
}

fn text(body: &Value) -> &str {
    body["text"].as_str().expect("a text")
}

fn parsed(body: &Value) -> Value {
    serde_json::from_str(text(body)).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// Why there are no bodies of a call: the code of the refusal.
fn gone(gateway: &Gateway, id: &str) -> String {
    gateway.record_by_id(id);
    let response = ask(gateway, id, "", TOKEN);
    assert_eq!(response.status, 404, "{}", response.text());
    response.json()["title"].as_str().expect("a code").to_owned()
}

fn is_on_disk(folder: &Path, needle: &str) -> bool {
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.is_file()).any(|path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

fn what_was_said_is_kept_without_secrets_and_sealed(host: Host) {
    let upstream_body = completion(&format!("c4n4ry-answer {}", upstream_key("b")));
    let upstream = Upstream::answering(Answer::json(200, &upstream_body));
    let other = Upstream::saying("Hi");
    let settings = "[settings]\nrecord_bodies = \"all\"\n";
    let gateway = Gateway::on(host).catalog(settings).provider("a", &upstream).provider("b", &other);
    let mut gateway = gateway.model("m", &["a/up"]).start();
    let key = gateway.new_key("laptop", &[]);
    let question = format!("c4n4ry-question, my key is {key}, theirs sk-proj-0123456789abcdef");
    let request = json!({ "model": "m", "messages": [{ "role": "user", "content": question }] }).to_string();
    let response = gateway.send(&chat("m").key(&key).json(request.as_str()));
    assert_eq!((response.status, response.text()), (200, upstream_body.clone()));
    let kept = bodies(&gateway, &id(&response));
    let cleaned = request.replace(&key, "(key)").replace("sk-proj-0123456789abcdef", "(key)");
    let (request_kept, sent, answer) = (body(&kept, "request"), body(&kept, "sent"), body(&kept, "answer"));
    assert_eq!((text(request_kept), &request_kept["bytes"]), (cleaned.as_str(), &json!(request.len())));
    assert_eq!(text(sent), cleaned.replace(r#""model":"m""#, r#""model":"up""#));
    assert_eq!(text(answer), upstream_body.replace(&upstream_key("b"), "(key)"));
    for each in [sent, answer] {
        assert_eq!(
            (&each["provider"], &each["model"], &each["dialect"]),
            (&json!("a"), &json!("up"), &json!("openai-chat"))
        );
        assert_eq!((&each["cut"], &each["merged"]), (&json!(false), &json!(false)));
    }
    assert_eq!(kept.len(), 3, "{kept:?}");
    gateway.restart();
    assert_eq!(bodies(&gateway, &id(&response)), kept, "what is sealed can be opened");
    assert!(!is_on_disk(&gateway.data(), "c4n4ry"), "what was said stands on the disk in the clear");
}

fn a_stream_is_kept_as_the_answer_that_it_comes_to(host: Host) {
    let stream = [event("Hel"), event("lo"), last_events()].concat();
    let whole = Answer::stream().chunk(event("Hel")).chunk(event("lo")).chunk(last_events()).end();
    let long = (0..600).fold(Answer::stream(), |answer, _| answer.chunk(event(&"word ".repeat(20))));
    let long = long.chunk(last_events()).end();
    let broken = Answer::stream().chunk(event("Hel")).cut();
    let upstream = Upstream::answering(broken).then([whole, long]);
    let gateway = keeping(host, "all", &upstream);
    let kept = |response: &Response| bodies(&gateway, &id(response));
    let content = |body: &Value| parsed(body)["choices"][0]["message"]["content"].clone();
    let short = kept(&gateway.send(&streamed_chat("m")));
    let (answer, events) = (body(&short, "answer"), body(&short, "events"));
    assert_eq!((content(answer), &answer["merged"], &answer["broken"]), (json!("Hello"), &json!(true), &json!(false)));
    assert_eq!((text(events), &events["bytes"]), (stream.as_str(), &json!(stream.len())));
    let long = kept(&gateway.send(&streamed_chat("m")));
    assert_eq!(content(body(&long, "answer")), json!("word ".repeat(20 * 600)));
    assert!(long.iter().all(|body| body["what"] != "events"), "a long stream is not kept as it came");
    let cut = kept(&gateway.send(&streamed_chat("m")));
    assert_eq!((content(body(&cut, "answer")), &body(&cut, "answer")["broken"]), (json!("Hel"), &json!(true)));
}

fn every_dialect_is_read_as_a_conversation(host: Host) {
    let gateway = Gateway::on(host).catalog("[settings]\nrecord_bodies = \"all\"\n").start();
    let chat =
        r#"{"model":"demo","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#;
    let responses = r#"{"model":"demo","instructions":"Be brief.","input":"Hi"}"#;
    let messages =
        r#"{"model":"demo","max_tokens":9,"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#;
    let gemini = r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"parts":[{"text":"Hi"}]}]}"#;
    let stream = |body: &str| body.replacen('{', r#"{"stream":true,"#, 1);
    for (path, body) in [
        ("/v1/chat/completions", chat.to_owned()),
        ("/v1/chat/completions", stream(chat)),
        ("/v1/responses", responses.to_owned()),
        ("/v1/responses", stream(responses)),
        ("/v1/messages", messages.to_owned()),
        ("/v1/messages", stream(messages)),
        ("/v1beta/models/demo:generateContent", gemini.to_owned()),
        ("/v1beta/models/demo:streamGenerateContent?alt=sse", gemini.to_owned()),
    ] {
        let response = gateway.send(&Request::new("POST", path).key(TOKEN).json(body.as_str()));
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        let id = id(&response);
        bodies(&gateway, &id);
        let read = ask(&gateway, &id, "?as=conversation", TOKEN).json();
        let turns = read["conversation"]["turns"].as_array().unwrap_or_else(|| panic!("{path}: {read}"));
        let who: Vec<&str> = turns.iter().filter_map(|turn| turn["who"].as_str()).collect();
        assert_eq!(who, ["system", "user", "answer"], "{path}: {read}");
        assert_eq!(turns[0]["pieces"][0], json!({ "kind": "text", "text": "Be brief." }), "{path}");
        assert!(turns[2]["pieces"][0]["text"].as_str().is_some_and(|text| !text.is_empty()), "{path}: {read}");
    }
    let unknown = ask(&gateway, "no-such-record", "?as=conversation", TOKEN);
    assert_eq!((unknown.status, &unknown.json()["title"]), (404, &json!("record_not_found")));
}

fn of_several_attempts_the_last_is_kept(host: Host) {
    let failing = Upstream::answering(Answer::json(500, r#"{"error":{"message":"first"}}"#));
    let served = Upstream::saying("second");
    let settings = "[settings]\nrecord_bodies = \"all\"\n";
    let gateway = Gateway::on(host).catalog(settings).provider("a", &failing).provider("b", &served);
    let gateway = gateway.model("m", &["a/one", "b/two"]).model("n", &["a/one"]).start();
    let kept = bodies(&gateway, &id(&gateway.send(&chat("m"))));
    assert_eq!((&body(&kept, "sent")["provider"], &body(&kept, "answer")["provider"]), (&json!("b"), &json!("b")));
    assert!(text(body(&kept, "answer")).contains("second") && text(body(&kept, "sent")).contains("two"), "{kept:?}");
    gateway.admin("POST", "/api/health/reset", "{}");
    let response = gateway.send(&chat("n"));
    let kept = bodies(&gateway, &id(&response));
    assert!(text(body(&kept, "answer")).contains("first"), "{kept:?}");
    let nobody = bodies(&gateway, &id(&gateway.send(&chat("nobody"))));
    assert_eq!(nobody.iter().map(|body| &body["what"]).collect::<Vec<_>>(), ["request", "answer"]);
    assert!(body(&nobody, "answer")["provider"].is_null(), "llmio itself answered: {nobody:?}");
}

fn nothing_is_kept_unless_that_is_wanted(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = keeping(host, "off", &upstream);
    assert_eq!(gone(&gateway, &id(&gateway.send(&chat("m")))), "bodies_off");
    let changes = json!({ "settings": { "record_bodies": "all" } }).to_string();
    assert_eq!(gateway.admin("PATCH", "/api/catalog", &changes).status, 200);
    bodies(&gateway, &id(&gateway.send(&chat("m"))));
    // Files are not kept, and so forms are not.
    let form = "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x\r\ncontent-disposition: form-data; \
                name=\"file\"; filename=\"a.mp3\"\r\n\r\nID3\r\n--x--\r\n";
    let request = Request::new("POST", "/v1/audio/transcriptions").key(TOKEN).body(form);
    let response = gateway.send(&request.header("content-type", "multipart/form-data; boundary=x"));
    assert_eq!(gone(&gateway, &id(&response)), "bodies_off");
    for wrong in ["some", "ALL", ""] {
        let changes = json!({ "settings": { "record_bodies": wrong } }).to_string();
        assert_eq!(gateway.admin("PATCH", "/api/catalog", &changes).status, 422, "{wrong}");
    }
}

fn only_what_does_not_end_well_is_kept_where_errors_are_wanted(host: Host) {
    let error = r#"{"error":{"message":"c4n4ry is no parameter"}}"#;
    let upstream = Upstream::saying("Hi").then([Answer::json(400, error)]);
    let gateway = keeping(host, "errors", &upstream);
    let failed = gateway.send(&chat("m"));
    assert_eq!(failed.status, 400);
    let kept = bodies(&gateway, &id(&failed));
    assert_eq!(text(body(&kept, "answer")), error);
    assert!(text(body(&kept, "request")).contains("Hello"), "{kept:?}");
    assert_eq!(gone(&gateway, &id(&gateway.send(&chat("m")))), "bodies_off");
}

fn a_key_lowers_what_is_kept_and_cannot_raise_it(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = keeping(host, "all", &upstream);
    let key = gateway.new_key("laptop", &[]);
    let settings = || gateway.send(&Request::new("GET", "/v1/record_bodies").key(&key)).json();
    let set = |level: &str| {
        let body = json!({ "record_bodies": level }).to_string();
        gateway.send(&Request::new("PUT", "/v1/record_bodies").key(&key).json(body))
    };
    assert_eq!(settings(), json!({ "record_bodies": "all", "most": "all", "days": 7, "see_bodies": false }));
    assert_eq!(set("off").status, 200);
    assert_eq!(settings(), json!({ "record_bodies": "off", "most": "all", "days": 7, "see_bodies": false }));
    assert_eq!(gone(&gateway, &id(&gateway.send(&chat("m").key(&key)))), "bodies_off");
    bodies(&gateway, &id(&gateway.send(&chat("m"))));
    assert_eq!(set("all").status, 200, "back to what the admin says");
    bodies(&gateway, &id(&gateway.send(&chat("m").key(&key))));
    let patched = gateway.admin("PATCH", "/api/keys/laptop", r#"{"record_bodies":"errors"}"#);
    assert_eq!(patched.status, 200, "{}", patched.text());
    let refused = set("all");
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert!(refused.text().contains("Only an admin can raise that"), "{}", refused.text());
    assert_eq!(settings()["record_bodies"], "errors");
    assert_eq!(set("some").status, 400);
    let admins = Request::new("PUT", "/v1/record_bodies").key(TOKEN).json(r#"{"record_bodies":"off"}"#);
    assert_eq!(gateway.send(&admins).status, 400, "the admin has the settings");
}

fn a_key_reads_what_was_said_in_its_own_calls_where_it_may(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = keeping(host, "all", &upstream);
    let (mine, other) = (gateway.new_key("mine", &[]), gateway.new_key("other", &[]));
    let (own, others) = (id(&gateway.send(&chat("m").key(&mine))), id(&gateway.send(&chat("m").key(&other))));
    bodies(&gateway, &own);
    bodies(&gateway, &others);
    let refused = ask(&gateway, &own, "", &mine);
    assert_eq!((refused.status, &refused.json()["title"]), (403, &json!("may_not_see_bodies")));
    assert_eq!(gateway.admin("PATCH", "/api/keys/mine", r#"{"see_bodies":true}"#).status, 200);
    let seen = ask(&gateway, &own, "", &mine);
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert_eq!(seen.header("cache-control"), Some("no-store"));
    for id in [others.as_str(), "no-such-record"] {
        let unseen = ask(&gateway, id, "", &mine);
        assert_eq!((unseen.status, &unseen.json()["title"]), (404, &json!("record_not_found")), "{id}");
    }
    let delete = Request::new("DELETE", &format!("/api/records/{own}/bodies")).key(&mine);
    assert_eq!(gateway.send(&delete).status, 403);
}

fn bodies_are_deleted_one_by_one_and_by_filter(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = keeping(host, "all", &upstream);
    let key = gateway.new_key("laptop", &[]);
    let ids: Vec<String> = (0..2).map(|_| id(&gateway.send(&chat("m").key(&key)))).collect();
    let (first, second) = (id(&gateway.send(&chat("m"))), id(&gateway.send(&chat("m"))));
    ids.iter().chain([&first, &second]).for_each(|id| drop(bodies(&gateway, id)));
    let delete = |path: &str| {
        let response = gateway.admin("DELETE", path, "");
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()
    };
    let one = format!("/api/records/{first}/bodies");
    assert_eq!(delete(&one), json!({ "deleted": 1, "next": null }));
    assert_eq!(delete(&one)["deleted"], 0);
    assert_eq!(gone(&gateway, &first), "bodies_deleted");
    assert_eq!(delete("/api/records/bodies?key=laptop"), json!({ "deleted": 2, "next": null }));
    ids.iter().for_each(|id| assert_eq!(gone(&gateway, id), "bodies_deleted"));
    bodies(&gateway, &second);
    assert_eq!(gateway.admin("DELETE", "/api/records/bodies", "").status, 400, "nobody deletes all by leaving it out");
    assert_eq!(delete("/api/records/bodies?since=0")["deleted"], 1);
    let history = gateway.admin("GET", "/api/catalog/history", "").text();
    assert!(history.contains(&format!("DELETE {one}")) && history.contains("DELETE /api/records/bodies"), "{history}");
}

fn what_is_too_old_or_too_much_goes_and_its_record_stays(host: Host) {
    let upstream = Upstream::saying("Hi");
    let settings = "[settings]\nrecord_bodies = \"all\"\nmax_bodies_mib = 1\nbodies_retention_days = 7\n";
    let gateway = Gateway::on(host).catalog(settings).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut ids: Vec<String> = (0..2).map(|_| id(&gateway.send(&chat("m")))).collect();
    ids.iter().for_each(|id| drop(bodies(&gateway, id)));
    // Two of one millisecond have no order of their own.
    ids.sort();
    let database = rusqlite::Connection::open(gateway.data().join("store.db")).expect("the database");
    database.busy_timeout(PATIENCE).expect("patience");
    // A record of eight days ago, whose bodies are as old.
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_millis();
    let at_ms = i64::try_from(now_ms).expect("a time") - 8 * 24 * 60 * 60 * 1000;
    let old = format!("{:08x}-{:04x}-7000-8000-000000000001", at_ms >> 16, at_ms & 0xffff);
    let record = "INSERT INTO records (id, at_ms, state) VALUES (?1, ?2, 'ok')";
    database.execute(record, rusqlite::params![old, at_ms]).expect("a record");
    database.execute("INSERT INTO bodies (id, bytes, sealed) VALUES (?1, 3, x'010203')", [&old]).expect("its bodies");
    database
        .execute("UPDATE bodies SET bytes = 1 << 20, sealed = zeroblob(1 << 20) WHERE id = ?1", [&ids[0]])
        .expect("larger bodies");
    drop(database);
    eventually("what is too old and too much has gone", || {
        assert_eq!(gateway.admin("POST", "/api/maintain", "{}").status, 200);
        let gone = |id: &str| ask(&gateway, id, "", TOKEN).json()["title"] == "bodies_expired";
        (gone(&old) && gone(&ids[0])).then_some(())
    });
    bodies(&gateway, &ids[1]);
    assert_eq!(gateway.record_by_id(&old)["state"], "ok", "its record stays");
}

fn a_long_body_is_cut_and_a_picture_is_left_out(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = keeping(host, "all", &upstream);
    let send = |content: Value| {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": content }] }).to_string();
        let response = gateway.send(&chat("m").json(body.as_str()));
        assert_eq!(response.status, 200, "{}", response.text());
        (bodies(&gateway, &id(&response)), body.len())
    };
    let (kept, bytes) = send(json!("word ".repeat(300_000)));
    for what in ["request", "sent"] {
        let long = body(&kept, what);
        assert_eq!((&long["cut"], text(long).len() <= 1 << 20), (&json!(true), true), "{what}");
    }
    assert_eq!(body(&kept, "request")["bytes"], bytes);
    let picture = format!("data:image/png;base64,{}", "iVBORw0KGgo+A/".repeat(120_000));
    let parts =
        json!([{ "type": "image_url", "image_url": { "url": picture } }, { "type": "text", "text": "What is it?" }]);
    let (kept, bytes) = send(parts);
    let request = body(&kept, "request");
    assert_eq!((&request["cut"], &request["bytes"]), (&json!(false), &json!(bytes)));
    assert!(text(request).contains("What is it?") && text(request).len() < 1_000, "{}", text(request));
}

fn session(gateway: &Gateway, credential: &str) -> String {
    let form = Request::new("POST", "/console/sign-in").header("content-type", "application/x-www-form-urlencoded");
    let response = gateway.send(&form.body(format!("credential={credential}")));
    assert_eq!(response.status, 303, "{}", response.text());
    let cookie = response.header("set-cookie").expect("a session");
    cookie.split(';').next().expect("a name and a value").to_owned()
}

fn the_console_shows_a_conversation_and_each_body_to_whom_it_may(host: Host) {
    let upstream = Upstream::saying("c4n4ry-answer");
    let gateway = keeping(host, "all", &upstream);
    let key = gateway.new_key("laptop", &[]);
    let id = id(&gateway.send(&chat("m").key(&key)));
    bodies(&gateway, &id);
    let (admin, holder) = (session(&gateway, TOKEN), session(&gateway, &key));
    let get = |path: &str, cookie: &str| gateway.send(&Request::new("GET", path).header("cookie", cookie));
    let post = |path: &str, cookie: &str, form: &str| {
        let request = Request::new("POST", path).header("cookie", cookie);
        gateway.send(&request.header("content-type", "application/x-www-form-urlencoded").body(form))
    };
    let (page, file) = (format!("/console/records/{id}"), format!("/console/bodies/{id}"));
    let shown = get(&page, &admin).text();
    assert!(shown.contains("User</b>") && shown.contains("Hello") && shown.contains("c4n4ry-answer"), "{shown}");
    let raw = get(&format!("{page}?view=sent"), &admin).text();
    assert!(raw.contains("&#34;model&#34;:&#34;up&#34;") && !raw.contains("User</b>"), "{raw}");
    let download = get(&format!("{file}?what=answer"), &admin);
    assert_eq!((download.status, download.text()), (200, completion("c4n4ry-answer")));
    assert!(download.header("content-disposition").is_some_and(|value| value.starts_with("attachment")));
    let hidden = get(&page, &holder).text();
    assert!(hidden.contains("may not read what was said") && !hidden.contains("c4n4ry"), "{hidden}");
    assert_eq!(get(&format!("{file}?what=answer"), &holder).status, 404);
    assert_eq!(post(&file, &holder, "do=delete").status, 403);
    assert_eq!(gateway.admin("PATCH", "/api/keys/laptop", r#"{"see_bodies":true}"#).status, 200);
    assert!(get(&page, &holder).text().contains("c4n4ry-answer"));
    let me = get("/console/me", &holder).text();
    assert!(me.contains("is kept for 7 days, sealed") && me.contains("name=\"record_bodies\""), "{me}");
    assert_eq!(post("/console/me", &holder, "form=kept&record_bodies=off").status, 303);
    assert!(get("/console/me", &holder).text().contains("What you and the model say is not kept."));
    let raised = gateway.admin("PATCH", "/api/keys/laptop", r#"{"record_bodies":"off","record_bodies_at_most":null}"#);
    assert_eq!(raised.status, 200, "{}", raised.text());
    let refused = post("/console/me", &holder, "form=kept&record_bodies=all");
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(post(&file, &admin, "do=delete").status, 303);
    assert!(get(&page, &admin).text().contains("What was said was deleted."));
}
