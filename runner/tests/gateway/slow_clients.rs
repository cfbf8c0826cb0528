//! Clients that are slow, that leave unseen behind bytes nobody reads, or that take nothing of what they asked for.
//! Only the runner promises anything here (host.md).

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::common::{End, Gateway, Host, PATIENCE, Request, TOKEN, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::on(Host::Runner).provider("a", upstream).model("m", &["a/up"]).start()
}

/// A chat call as bytes, with its content-length.
fn raw_chat(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn left_behind(surplus: &str) {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let gateway = gateway(&upstream);
    let mut client = gateway.connect();
    let call = raw_chat(r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#);
    client.send_raw((call + surplus).into_bytes());
    upstream.wait_for_requests(1);
    drop(client);
    // The promise is a second; missed, it would be the five minutes of the first-byte limit.
    assert!(upstream.is_hung_up_within(PATIENCE), "the provider still works for a client that left");
    let record = eventually("the call has its record", || gateway.records("").pop());
    let record = gateway.record_by_id(record["id"].as_str().expect("an id"));
    assert_eq!(record["state"], "client_closed");
}

#[test]
fn a_client_that_leaves_behind_a_blank_line_ends_the_upstream() {
    left_behind("\r\n");
}

#[test]
fn a_client_that_leaves_after_a_pipelined_request_ends_the_upstream() {
    left_behind("GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n");
}

#[test]
fn a_client_that_leaves_behind_more_bytes_than_are_read_ends_the_upstream() {
    left_behind(&"GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n".repeat(1_000));
}

#[test]
fn surplus_bytes_of_a_client_that_stays_change_nothing() {
    let end = format!("{}{}", event("two"), last_events());
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait().chunk(end).end());
    let gateway = gateway(&upstream);
    let mut client = gateway.connect();
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
    client.send_raw((raw_chat(body) + "\r\n").into_bytes());
    client.read_until("one");
    upstream.release();
    client.read_until("[DONE]\n\n");
    assert!(client.next().is_none());
    assert_eq!(client.exchange(&Request::new("GET", "/healthz")).status, 200, "the connection goes on");
}

/// Nobody can tell the two apart: it was so before and stays so.
#[test]
fn a_client_that_closes_its_sending_side_counts_as_one_that_left() {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let gateway = gateway(&upstream);
    let stream = raw(&gateway, &raw_chat(r#"{"model":"m","messages":[{"role":"user","content":"Hello"}]}"#));
    upstream.wait_for_requests(1);
    stream.shutdown(Shutdown::Write).expect("a connection");
    assert!(upstream.is_hung_up_within(PATIENCE));
}

#[test]
fn a_client_that_takes_nothing_is_cut_and_its_call_recorded_as_stalled() {
    // More than all buffers on the way hold.
    let much = event(&"x".repeat(32 << 20));
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).chunk(much).wait());
    let gateway = Gateway::on(Host::Runner).arg("--client-stall-ms").arg("1500");
    let gateway = gateway.provider("a", &upstream).model("m", &["a/up"]).start();
    let mut client = gateway.open(&streamed_chat("m"));
    let id = client.header("x-llmio-record").expect("a record");
    assert!(upstream.is_hung_up_within(PATIENCE), "the provider goes on for a client that takes nothing");
    let record = eventually("the host has told how it ended", || {
        let record = gateway.record_by_id(&id);
        (record["state"] == "client_stalled").then_some(record)
    });
    assert_eq!(record["model"], "m", "{record}");
    assert_eq!(client.finish().end, End::Cut);
}

/// A connection that sent these bytes.
fn raw(gateway: &Gateway, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(bytes.as_bytes()).expect("a connection");
    stream
}

fn wait_for_close(mut stream: TcpStream) {
    let read = stream.read_to_end(&mut Vec::new());
    let timed_out = read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    assert!(!timed_out, "still open after {PATIENCE:?}");
}

/// The limits are too long for a test each; these connections wait together.
#[test]
fn slow_heads_and_bodies_end_after_ten_seconds_idle_clients_do_not() {
    let upstream = Upstream::saying("Hi");
    let relay = format!("[[relays]]\nname = \"r\"\norigin = \"{}\"\nlocal = true\n", upstream.url());
    let gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/up"]).catalog(&relay).start();
    let mut idle = gateway.connect();
    assert_eq!(idle.exchange(&chat("m")).status, 200);
    let start = Instant::now();
    let mut body = gateway.open(&Request::new("POST", "/v1/chat/completions").key(TOKEN).announcing(1_000));
    let relayed = Request::new("PUT", "/relay/r/x").header("x-llmio-key", TOKEN).announcing(1_000);
    let mut relayed = gateway.open(&relayed);
    let first_head = raw(&gateway, "POST /v1/chat/completions HTTP/1.1\r\n");
    let mut later_head = raw(&gateway, "HEAD /healthz HTTP/1.1\r\nhost: g\r\n\r\n");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        later_head.read_exact(&mut byte).expect("an answer");
        answer.extend(byte);
    }
    later_head.write_all(b"POST /v1/chat/completions HTTP/1.1\r\n").expect("a connection");
    for slow in [&mut body, &mut relayed] {
        assert_eq!(slow.status(), 408, "a body that never comes is a client's error");
        let id = slow.header("x-llmio-record").expect("a record");
        assert_eq!(gateway.record_by_id(&id)["state"], "client_stalled");
    }
    assert!(start.elapsed() > Duration::from_secs(8), "{:?}", start.elapsed());
    for slow in [first_head, later_head] {
        wait_for_close(slow);
        assert!(start.elapsed() > Duration::from_secs(8), "{:?}", start.elapsed());
    }
    std::thread::sleep(Duration::from_secs(12).saturating_sub(start.elapsed()));
    assert_eq!(idle.exchange(&chat("m")).status, 200, "a minute was promised");
}
