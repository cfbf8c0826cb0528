//! A client that leaves ends what is done for it. The runner promises a second in every phase; Spin's guest learns of
//! it at its next write (host.md), so there the provider has to go on.

use std::time::Duration;

use serde_json::json;

use crate::common::{Gateway, Host, Request, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

/// The promise is one second; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(2);

fn left_waiting(upstream: &Upstream, request: &Request) -> Gateway {
    let gateway = Gateway::on(Host::Runner).provider("a", upstream).model("m", &["a/1", "a/2"]).start();
    let connection = gateway.open(request);
    upstream.wait_for_requests(1);
    drop(connection);
    assert!(upstream.is_hung_up_within(SOON), "the provider still works for a client that left");
    assert_eq!(upstream.received().len(), 1, "nobody is there for another attempt");
    gateway
}

fn only_state(gateway: &Gateway) -> String {
    let record = eventually("the call has its record", || gateway.records("").pop());
    let record = gateway.record_by_id(record["id"].as_str().expect("an id"));
    assert_eq!((&record["status"], &record["bytes_out"]), (&json!(499), &json!(0)), "nobody got an answer");
    record["state"].as_str().expect("a state").to_owned()
}

#[test]
fn a_client_that_leaves_before_the_head_ends_the_upstream() {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let gateway = left_waiting(&upstream, &chat("m"));
    assert_eq!(only_state(&gateway), "client_closed");
}

#[test]
fn a_client_that_leaves_a_stream_before_its_head_ends_the_upstream() {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let gateway = left_waiting(&upstream, &streamed_chat("m"));
    assert_eq!(only_state(&gateway), "client_closed");
}

#[test]
fn a_client_that_leaves_in_a_silent_gap_ends_the_upstream() {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait());
    let gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    stream.read_until("one");
    drop(stream);
    assert!(upstream.is_hung_up_within(SOON), "the provider still works for a client that left");
    let record = gateway.record_by_id(&id);
    assert_eq!(record["state"], "client_closed");
    assert_eq!(record["bytes_out"], event("one").len());
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_json_answer_ends_the_upstream() {
    let answer = Answer::announcing(200, "content-type: application/json", 100).raw("{\"half\":").wait();
    let upstream = Upstream::answering(answer);
    let gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut answer = gateway.open(&chat("m"));
    let id = answer.header("x-llmio-record").expect("a record");
    answer.read_until("half");
    drop(answer);
    assert!(upstream.is_hung_up_within(SOON), "the provider still works for a client that left");
    assert_eq!(gateway.record_by_id(&id)["state"], "client_closed");
}

both_hosts![a_client_that_leaves_while_bytes_flow_ends_the_upstream, a_client_that_stays_to_the_end_closed_nothing];

fn a_client_that_leaves_while_bytes_flow_ends_the_upstream(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).drip(&event("more")));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    stream.read_until("more");
    drop(stream);
    assert!(upstream.is_hung_up_within(SOON), "the provider still works for a client that left");
    assert_eq!(gateway.record_by_id(&id)["state"], "client_closed");
}

/// A client that closes right after the last byte has its whole answer; nothing of it may be called cut.
fn a_client_that_stays_to_the_end_closed_nothing(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).chunk(last_events()).end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    for _ in 0..20 {
        let response = gateway.send(&streamed_chat("m").header("connection", "close"));
        assert_eq!(gateway.record(&response)["state"], "ok");
    }
}
