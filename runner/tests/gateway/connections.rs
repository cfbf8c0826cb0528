//! More connections than there may be, and fewer descriptors than are needed: new connections are turned away, those
//! that are there go on, and all is well again when there is room.

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::common::{Builder, Connection, Gateway, Host, Request, TOKEN, chat, eventually};
use crate::upstream::Upstream;

/// Beyond the total, for those on this machine.
const LOOPBACK_EXTRA: usize = 16;

fn runner() -> Builder {
    Gateway::on(Host::Runner)
}

/// Connections that are served.
fn open(gateway: &Gateway, count: usize) -> Vec<Connection> {
    let mut connections: Vec<_> = (0..count).map(|_| gateway.connect()).collect();
    for connection in &mut connections {
        assert_eq!(connection.exchange(&Request::new("GET", "/healthz")).status, 200);
    }
    connections
}

fn descriptors(gateway: &Gateway) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gateway.process())).expect("a running process").count()
}

/// Changes how many descriptors the gateway may have, within what it may raise it to, and returns how many it might.
fn limit(gateway: &Gateway, count: Option<u64>) -> Option<u64> {
    let before = getrlimit(Resource::Nofile);
    let limits = Rlimit { current: count.or(before.current), maximum: before.maximum };
    prlimit(Some(gateway.process()), Resource::Nofile, limits).expect("a process of ours").current
}

#[test]
fn a_connection_too_many_is_told_so_and_the_others_go_on() {
    let gateway = runner().arg("--connections").arg("4").start();
    let mut held = open(&gateway, 4 + LOOPBACK_EXTRA);
    let refused = gateway.send(&chat("demo"));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    assert_eq!(refused.openai_error().code, "too_many_connections");
    let anthropic = gateway.send(&Request::new("POST", "/v1/messages").key(TOKEN).json("{}"));
    assert_eq!((anthropic.status, &anthropic.json()["type"]), (503, &json!("error")));
    for connection in &mut held {
        assert_eq!(connection.exchange(&chat("demo")).status, 200);
    }
    held.pop();
    eventually("the place is free again", || (gateway.send(&chat("demo")).status == 200).then_some(()));
}

#[test]
fn without_descriptors_nothing_that_runs_is_hurt_and_it_recovers() {
    let gateway = runner().start();
    let mut held = open(&gateway, 4);
    limit(&gateway, Some(u64::try_from(descriptors(&gateway)).expect("a number") + 30));
    let flood: Vec<_> = (0..64).map(|_| gateway.connect()).collect();
    eventually("it is told", || gateway.log().contains("no connection can be accepted for a moment").then_some(()));
    for connection in &mut held {
        let response = connection.exchange(&chat("demo"));
        assert_eq!(response.status, 200);
        assert_eq!(response.json()["choices"][0]["message"]["role"], "assistant");
    }
    drop(flood);
    eventually("connections are accepted again", || {
        let mut connection = gateway.connect();
        connection.send(&chat("demo"));
        (connection.try_status() == Some(200)).then_some(())
    });
    // New connections may still be closed while the others of the flood are.
    eventually("every call is recorded", || {
        let listed = held[0].exchange(&Request::new("GET", "/api/records?state=ok").key(TOKEN)).json();
        (listed["records"].as_array().map_or(0, Vec::len) >= 5).then_some(())
    });
}

#[test]
fn a_shortage_of_descriptors_is_503_and_no_providers_fault() {
    let upstream = Upstream::saying("ok");
    let gateway = runner().provider("a", &upstream).model("m", &["a/up"]).start().settled();
    let mut held = open(&gateway, 1);
    let whole = limit(&gateway, None);
    let used = u64::try_from(descriptors(&gateway)).expect("a number");
    limit(&gateway, Some(used));
    let refused = held[0].exchange(&chat("m"));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    assert!(upstream.received().is_empty());
    limit(&gateway, whole);
    let health = held[0].exchange(&Request::new("GET", "/api/health").key(TOKEN));
    assert_eq!(health.json()["subjects"], json!([]), "{}", health.text());
    assert_eq!(held[0].exchange(&chat("m")).status, 200);
}

#[test]
fn a_head_that_cannot_be_read_is_refused_in_the_callers_dialect() {
    let gateway = runner().start();
    let refused = |head: &str| {
        let mut connection = gateway.connect();
        connection.send_raw(head.as_bytes().to_vec());
        connection.finish()
    };
    let anthropic = refused("POST /v1/messages HTTP/1.1\r\nhost: a\r\nno colon here\r\n\r\n");
    assert_eq!((anthropic.status, anthropic.header("connection")), (400, Some("close")));
    assert_eq!(anthropic.json()["error"]["type"], "invalid_request_error");
    let openai = refused("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nno colon here\r\n\r\n");
    assert_eq!(openai.openai_error().code, "invalid_head");
    let many: String = (0..200).map(|index| format!("x-{index}: 1\r\n")).collect();
    let gemini = refused(&format!("GET /v1beta/models HTTP/1.1\r\nhost: a\r\n{many}\r\n"));
    assert_eq!((gemini.status, &gemini.json()["error"]["code"]), (431, &json!(431)));
    let two_hosts = refused("GET /v1/messages HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n");
    assert_eq!((two_hosts.status, &two_hosts.json()["type"]), (400, &json!("error")));
}

#[test]
fn without_memory_new_calls_are_turned_away_and_all_else_is_served() {
    let gateway = runner().arg("--memory-max").arg("1").start();
    let refused = gateway.send(&chat("demo"));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")), "{}", refused.text());
    assert_eq!(refused.openai_error().code, "memory_short");
    let anthropic = gateway.send(&Request::new("POST", "/v1/messages").key(TOKEN).json("{}"));
    assert_eq!((anthropic.status, &anthropic.json()["type"]), (503, &json!("error")));
    assert_eq!(gateway.send(&Request::new("GET", "/healthz")).status, 200);
    assert_eq!(gateway.admin("GET", "/api/records", "").status, 200);
    assert_eq!(gateway.send(&Request::new("GET", "/v1/models").key(TOKEN)).status, 200);
    assert!(gateway.log().contains("memory is short"), "{}", gateway.log());
}
