//! Connections that the runner keeps to providers: a request reaches its provider once, whenever the connection dies.

use std::time::Duration;

use serde_json::Value;

use crate::common::{Gateway, Host, chat};
use crate::upstream::{Answer, Upstream, completion};

/// One event loop, so that the second call finds the connection of the first.
fn gateway(upstream: &Upstream, attempts: u32) -> Gateway {
    Gateway::on(Host::Runner)
        .arg("--threads")
        .arg("1")
        .provider("a", upstream)
        .catalog("quotas = [{ per = \"provider\", rpd = 1000 }]")
        .model_with("m", &format!("attempts = {attempts}"), &["a/up"])
        .start()
}

fn spent(gateway: &Gateway) -> u64 {
    let quota = gateway.admin("GET", "/api/quota", "").json();
    quota["quota"][0]["spent"].as_u64().unwrap_or_else(|| panic!("no quota: {quota}"))
}

fn states(record: &Value) -> Vec<Value> {
    record["attempts"].as_array().expect("attempts").iter().map(|attempt| attempt["status"].clone()).collect()
}

#[test]
fn a_call_whose_kept_connection_dies_after_it_arrived_is_one_attempt() {
    for ending in [Answer::nothing().wait().cut(), Answer::nothing().wait().reset()] {
        let upstream = Upstream::saying("Hi").then([Answer::json(200, &completion("first")), ending]);
        let gateway = gateway(&upstream, 1);
        assert_eq!(gateway.send(&chat("m")).status, 200);
        let call = gateway.open(&chat("m"));
        upstream.wait_for_requests(2);
        // The provider works on the request.
        std::thread::sleep(Duration::from_millis(300));
        upstream.release();
        let response = call.finish();
        assert_eq!(response.status, 502, "{}", response.text());
        assert_eq!(upstream.received().len(), 2, "it was sent again in silence");
        let record = gateway.record(&response);
        assert_eq!((states(&record), &record["state"]), (vec![Value::Null], &"upstream_reset".into()), "{record}");
        assert_eq!(spent(&gateway), 2, "the provider may have billed it");
    }
}

#[test]
fn what_is_sent_again_is_another_attempt_in_quota_and_record() {
    let upstream = Upstream::saying("Hi").then([Answer::json(200, &completion("first")), Answer::nothing().cut()]);
    let gateway = gateway(&upstream, 3);
    assert_eq!(gateway.send(&chat("m")).status, 200);
    let response = gateway.send(&chat("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(upstream.received().len(), 3);
    assert_eq!(states(&gateway.record(&response)), [Value::Null, 200.into()]);
    assert_eq!(spent(&gateway), 3);
}

#[test]
fn a_kept_connection_that_its_provider_closed_costs_no_attempt() {
    let closes = Answer::json(200, &completion("Hi")).cut();
    let upstream = Upstream::answering(closes);
    let gateway = gateway(&upstream, 1);
    for index in 0..30 {
        let response = gateway.send(&chat("m"));
        assert_eq!(response.status, 200, "{index}: {}", response.text());
        upstream.wait_for_closed(index + 1);
        assert_eq!(states(&gateway.record(&response)), [200]);
    }
    assert_eq!((upstream.received().len(), spent(&gateway)), (30, 30));
}

#[test]
fn a_connection_is_left_before_the_time_its_provider_says_it_waits() {
    let says = |seconds: u32| {
        let headers = format!("content-type: application/json\r\nkeep-alive: timeout={seconds}");
        Upstream::answering(Answer::whole(200, &headers, &completion("Hi")))
    };
    for (upstream, connections) in [(says(1), 3), (says(60), 1)] {
        let gateway = gateway(&upstream, 1);
        for _ in 0..3 {
            let response = gateway.send(&chat("m"));
            assert_eq!(states(&gateway.record(&response)), [200]);
        }
        assert_eq!(upstream.connections(), connections);
    }
}
