//! An instance that dies: whose calls are cut, what they and the operator see, and what stays behind.

use serde_json::json;

use crate::common::{Builder, End, Gateway, Host, Request, Response, TOKEN, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

/// One thread, so that calls share an instance unless something parts them.
fn runner() -> Builder {
    Gateway::on(Host::Runner).arg("--faults").env("LLMIO_THREADS", "1")
}

fn trapping(request: Request) -> Request {
    request.header("x-llmio-fault", "trap")
}

/// A call of the built-in model with a body of so many bytes.
fn of_bytes(bytes: usize) -> Vec<u8> {
    json!({ "model": "demo", "messages": [{ "role": "user", "content": "x".repeat(bytes) }] }).to_string().into()
}

/// An upstream whose stream goes on when it is released.
fn patient() -> Upstream {
    Upstream::answering(Answer::stream().chunk(event("one")).wait().chunk(event("two")).chunk(last_events()).end())
}

fn assert_trapped(response: &Response) {
    assert_eq!(response.status, 500, "{}", response.text());
    assert_eq!(response.openai_error().code, "guest_trap");
}

#[test]
fn a_trap_cuts_its_calls_visibly_records_and_logs_them() {
    let upstream = patient();
    let gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start().settled();
    let mut stream = gateway.open(&streamed_chat("m"));
    stream.read_until("one");
    let id = stream.header("x-llmio-record").expect("a record");
    assert_trapped(&gateway.send(&trapping(chat("m"))));
    assert_eq!(stream.finish().end, End::Cut);
    assert_eq!(gateway.record_by_id(&id)["state"], "guest_trap");
    let line = eventually("it is logged", || {
        gateway.log().lines().find(|line| line.contains("trapped with 2 calls in flight")).map(str::to_owned)
    });
    assert!(line.contains(&format!("{id} POST /v1/chat/completions (")), "{line}");
    assert!(!line.contains(TOKEN), "{line}");
    assert_eq!(gateway.records("state=guest_trap").len(), 2);
    // The answer of a whole call is put together from the events, to their end.
    upstream.release();
    assert_eq!(gateway.send(&chat("m")).status, 200, "the next call is served");
}

#[test]
fn a_call_that_traps_answers_in_the_callers_dialect() {
    let gateway = runner().start();
    let body = r#"{"model":"demo","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}"#;
    let anthropic = gateway.send(&trapping(Request::new("POST", "/v1/messages").key(TOKEN).json(body)));
    assert_eq!((anthropic.status, &anthropic.json()["type"]), (500, &json!("error")), "{}", anthropic.text());
    let id = anthropic.json()["request_id"].as_str().expect("an id").to_owned();
    assert_eq!(gateway.record_by_id(&id)["state"], "guest_trap");
    let gemini = Request::new("POST", "/v1beta/models/demo:generateContent").key(TOKEN).json("{}");
    assert_eq!(gateway.send(&trapping(gemini)).json()["error"]["code"], 500);
    let admin = gateway.send(&trapping(Request::new("GET", "/api/keys").key(TOKEN)));
    assert!(admin.problem_detail().contains("Send it again"), "{}", admin.text());
}

#[test]
fn a_large_call_that_traps_takes_no_small_one_with_it() {
    let upstream = patient();
    let gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start().settled();
    let mut stream = gateway.open(&streamed_chat("m"));
    stream.read_until("one");
    let large = of_bytes(2 << 20);
    assert_trapped(&gateway.send(&trapping(chat("m")).body(large.clone())));
    assert_trapped(&gateway.send(&trapping(chat("m")).chunked(large)));
    upstream.release();
    assert_eq!(stream.finish().end, End::Clean);
}

#[test]
fn a_body_without_a_length_arrives_whole_however_large_it_is() {
    let upstream = Upstream::saying("ok");
    let gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start().settled();
    for bytes in [1, 60 << 10, 70 << 10, 3 << 20] {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "y".repeat(bytes) }] }).to_string();
        let response = gateway.send(&chat("m").chunked(body.clone()));
        assert_eq!(response.status, 200, "{bytes}: {}", response.text());
        let sent = upstream.received().last().expect("a request").body.len();
        assert_eq!(sent, body.replace("\"m\"", "\"up\"").len());
    }
}

#[test]
fn with_an_instance_for_every_request_a_trap_takes_nobody_with_it() {
    let upstream = patient();
    let gateway = runner().arg("--isolation").arg("request").provider("a", &upstream).model("m", &["a/up"]).start();
    let gateway = gateway.settled();
    let mut stream = gateway.open(&streamed_chat("m"));
    stream.read_until("one");
    assert_trapped(&gateway.send(&trapping(chat("m"))));
    upstream.release();
    assert_eq!(stream.finish().end, End::Clean);
}

#[test]
fn without_the_hidden_option_no_request_makes_the_host_trap() {
    let gateway = Gateway::on(Host::Runner).start();
    assert_eq!(gateway.send(&trapping(chat("demo"))).status, 200);
}

#[test]
fn hundreds_of_traps_leave_nothing_behind() {
    let gateway = runner().start();
    let trap = |count: usize| (0..count).for_each(|_| assert_trapped(&gateway.send(&trapping(chat("demo")))));
    trap(50);
    let (memory, descriptors) = (memory_kib(&gateway), descriptors(&gateway));
    trap(250);
    assert_eq!(gateway.send(&chat("demo")).status, 200);
    eventually("all are recorded", || (gateway.records("state=guest_trap&limit=500").len() == 300).then_some(()));
    let grown = memory_kib(&gateway).saturating_sub(memory);
    assert!(grown < 24 << 10, "{grown} KiB for 250 traps, from {memory}");
    eventually("no descriptor is left behind", || (self::descriptors(&gateway) <= descriptors + 2).then_some(()));
}

fn memory_kib(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn descriptors(gateway: &Gateway) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gateway.process())).expect("a running process").count()
}

/// A call is over for its client before its instance has recorded it. A trap in between must not lose the record.
#[test]
fn a_trap_loses_no_record_of_a_call_that_was_just_answered() {
    let upstream = Upstream::saying("Hi");
    let gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start().settled();
    let mut answered = Vec::new();
    for _ in 0..20 {
        let calls: Vec<_> = (0..8).map(|_| gateway.open(&chat("m"))).collect();
        let mut trapped = gateway.open(&trapping(chat("m")));
        for mut call in calls {
            // Only a whole head names the record; who was cut before that is counted below.
            answered.extend(call.try_status().and_then(|_| call.header("x-llmio-record")));
        }
        let _ = trapped.try_status();
    }
    eventually("every call has its record", || (gateway.records("limit=500").len() == 20 * 9).then_some(()));
    for id in answered {
        let state = gateway.record_by_id(&id)["state"].clone();
        assert!(state == "ok" || state == "guest_trap" || state == "client_closed", "{id}: {state}");
    }
    let twice =
        gateway.admin("POST", "/api/records/ended", &json!({ "ids": [], "state": "guest_trap", "at": 1 }).to_string());
    assert_eq!(twice.status, 400, "somebody has to be told of");
}

#[test]
fn what_a_call_said_of_its_end_stands_when_its_instance_traps_later() {
    let upstream = Upstream::saying("Hi");
    let gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start().settled();
    let response = gateway.send(&chat("m"));
    let before = gateway.record(&response);
    let end = json!({ "ids": [before["id"]], "state": "guest_trap", "at": 1, "delivered": true });
    assert_eq!(gateway.admin("POST", "/api/records/ended", &end.to_string()).status, 204);
    assert_eq!(gateway.record(&response), before);
    let unknown =
        json!({ "ids": ["01a22ba6-2d7e-7afc-92a6-ee6410297848"], "state": "guest_trap", "at": 1, "delivered": true });
    assert_eq!(gateway.admin("POST", "/api/records/ended", &unknown.to_string()).status, 204);
    assert_eq!(gateway.records("state=guest_trap").len(), 1);
}
