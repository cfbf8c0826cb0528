//! How quick targets are: found by one instance, known to all.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Gateway, Host, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    how_quick_a_target_is_becomes_known_to_every_instance,
    how_quick_whole_answers_are_is_known_where_targets_are_ordered_by_it,
];

fn gateway(host: Host, upstream: &Upstream) -> Gateway {
    Gateway::on(host).provider("a", upstream).model_with("m", "strategy = \"latency\"", &["a/up"]).start()
}

fn quick_stream() -> Upstream {
    Upstream::answering(Answer::stream().chunk(event("Hi")).chunk(last_events()).end())
}

fn latency(gateway: &Gateway) -> Option<Value> {
    let health = gateway.admin("GET", "/api/health", "").json();
    health["latencies"].get(0).cloned()
}

fn how_quick_a_target_is_becomes_known_to_every_instance(host: Host) {
    let upstream = quick_stream();
    let gateway = gateway(host, &upstream);
    assert_eq!(gateway.send(&streamed_chat("m")).status, 200);
    // Each on a connection of its own, so that other instances are asked too.
    for _ in 0..8 {
        let known = eventually("it is known", || latency(&gateway));
        assert_eq!(known["target"], "a/up");
        assert!(known["first_content_ms"].as_f64().is_some_and(|ms| ms < 20_000.0), "{known}");
        assert!(known["as_of_ms"].as_i64().is_some_and(|at_ms| at_ms > 1_700_000_000_000), "{known}");
    }
    assert_eq!(upstream.received().len(), 1, "nobody asked the target to find out");
}

fn how_quick_whole_answers_are_is_known_where_targets_are_ordered_by_it(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    assert_eq!(gateway.send(&chat("m")).status, 200);
    let known = eventually("it is known", || latency(&gateway));
    assert_eq!((&known["target"], &known["streamed"]), (&json!("a/up"), &json!(false)));
}

/// What was found within the last seconds is told later; the end of the process waits for none of that.
#[test]
fn what_is_yet_to_be_told_to_others_does_not_hold_up_the_end() {
    let upstream = quick_stream();
    let mut gateway = gateway(Host::Runner, &upstream);
    let mut connection = gateway.connect();
    for _ in 0..3 {
        assert_eq!(connection.exchange(&streamed_chat("m")).status, 200);
    }
    drop(connection);
    let start = Instant::now();
    gateway.terminate();
    assert!(gateway.ended().success());
    assert!(start.elapsed() < Duration::from_secs(4), "it took {:?}", start.elapsed());
}
