//! `max_wait`: a call that nobody can serve now waits for a slot that is free in time, and not for one that is not.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Response, chat, eventually, streamed_chat};
use crate::health::limited;
use crate::quotas::{certainly, provider, warmed, was_certain};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    a_rate_limit_that_is_over_in_time_is_waited_out,
    a_limit_that_is_not_over_in_time_is_told_at_once,
    a_target_that_works_is_not_waited_for,
    a_call_waits_for_the_end_of_another_where_only_one_may_run,
    calls_that_wait_for_slots_get_them_as_they_come_free,
];

fn waited_ms(record: &Value) -> u64 {
    record["decision"]["waited_ms"].as_u64().unwrap_or(0)
}

fn a_rate_limit_that_is_over_in_time_is_waited_out(host: Host) {
    let upstream = Upstream::saying("Hi").then([limited("2")]);
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", "max_wait = \"1m\"", &["a/up"]).start();
    let start = Instant::now();
    let responses: Vec<Response> = thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(|| gateway.send(&chat("m")))).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
    });
    assert!(responses.iter().all(|response| response.status == 200), "the clients see only successes");
    assert!(start.elapsed() >= Duration::from_secs(2), "after {:?}", start.elapsed());
    let records: Vec<Value> = responses.iter().map(|response| gateway.record(response)).collect();
    let first = records.iter().find(|record| record["attempts"][0]["status"] == 429).expect("one that was refused");
    let statuses: Vec<&Value> =
        first["attempts"].as_array().expect("attempts").iter().map(|each| &each["status"]).collect();
    assert_eq!((statuses, &first["state"]), (vec![&json!(429), &json!(200)], &json!("ok")), "{first}");
    assert!(waited_ms(first) >= 1_000, "{first}");
    assert_eq!(upstream.received().len(), 7, "one was refused, once");
}

fn a_limit_that_is_not_over_in_time_is_told_at_once(host: Host) {
    let upstream = Upstream::answering(limited("200"));
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", "max_wait = \"1m\"", &["a/up"]).start();
    let mut connection = gateway.connect();
    for attempts in [1, 0] {
        let response = connection.exchange(&chat("m"));
        assert_eq!(response.status, 429);
        let record = gateway.record(&response);
        assert_eq!(record["attempts"].as_array().map(Vec::len), Some(attempts), "{record}");
        assert_eq!(waited_ms(&record), 0, "{record}");
    }
    assert_eq!(upstream.received().len(), 1);
}

fn a_target_that_works_is_not_waited_for(host: Host) {
    let (first, second) = (Upstream::answering(limited("5")), Upstream::saying("from b"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second);
    let gateway = gateway.model_with("m", "max_wait = \"1m\"", &["a/up", "b/up"]).start();
    let mut connection = gateway.connect();
    for _ in 0..2 {
        let response = connection.exchange(&chat("m"));
        assert_eq!(response.text(), completion("from b"));
        assert_eq!(waited_ms(&gateway.record(&response)), 0);
    }
}

fn a_call_waits_for_the_end_of_another_where_only_one_may_run(host: Host) {
    let (text, waited_ms) = certainly(|| {
        let slow = Answer::stream().chunk(event("one")).wait().chunk(last_events()).end();
        let upstream = Upstream::saying("Hi").then([slow]);
        let gateway = Gateway::on(host).catalog(&provider("a", &upstream, "concurrent = 1"));
        let gateway = warmed(gateway.model_with("m", "max_wait = \"5m\"", &["a/up"]).start());
        let mut stream = gateway.open(&streamed_chat("m"));
        stream.read_until("one");
        let response = thread::scope(|scope| {
            let second = scope.spawn(|| gateway.send(&chat("m")));
            eventually("both have been open for a second, or the ledger was too slow to stop one", || {
                (second.is_finished() || gateway.records("state=running").len() == 2).then_some(())
            });
            upstream.release();
            stream.finish();
            second.join().expect("a client ends")
        });
        let record = gateway.record(&response);
        was_certain(&gateway, 2).then(|| (response.text(), waited_ms(&record)))
    });
    assert_eq!(text, completion("Hi"));
    assert!(waited_ms > 0);
}

/// One a second would be too few.
fn calls_that_wait_for_slots_get_them_as_they_come_free(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).catalog(&provider("a", &upstream, "concurrent = 1"));
    let gateway = warmed(gateway.model_with("m", "max_wait = \"15s\"", &["a/up"]).start());
    let statuses: Vec<u16> = thread::scope(|scope| {
        let clients: Vec<_> = (0..40).map(|_| scope.spawn(|| gateway.send(&chat("m")).status)).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
    });
    assert_eq!(statuses, [200; 40]);
}
