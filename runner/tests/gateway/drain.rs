//! The end of the process: what its clients are told, what is recorded, and how long it may take.

use std::time::{Duration, Instant};

use rusqlite::{Connection as Database, OpenFlags};

use crate::common::{End, Gateway, Host, PATIENCE, Request, TOKEN, chat, eventually, streamed_chat};
use crate::upstream::{Answer, Upstream, event};

/// Two seconds are promised after the grace, ten would be waited for a locked database; in between a busy machine has
/// its share.
const ENDED_MAX: Duration = Duration::from_secs(6);

fn runner(drain: &str) -> crate::common::Builder {
    Gateway::on(Host::Runner).arg("--drain").arg(drain)
}

/// Holds the database so that nothing can be written.
fn locked(gateway: &Gateway) -> Database {
    let file = gateway.data().join("store.db");
    let lock = Database::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    lock
}

#[test]
fn a_stream_that_is_cut_gets_an_error_event_and_an_unclean_end() {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait());
    let mut gateway = runner("1").provider("a", &upstream).model("m", &["a/up"]).start();
    let mut streams: Vec<_> = (0..3).map(|_| gateway.open(&streamed_chat("m"))).collect();
    let ids: Vec<_> = streams.iter_mut().map(|stream| stream.header("x-llmio-record").expect("a record")).collect();
    for stream in &mut streams {
        stream.read_until("one");
    }
    gateway.terminate();
    for stream in streams {
        let rest = stream.finish();
        assert_eq!(rest.end, End::Cut);
        let text = rest.text();
        let event = text.strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n"));
        let event = event.unwrap_or_else(|| panic!("no error event: {text:?}"));
        let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
        assert!(event["error"]["message"].is_string(), "{event}");
    }
    assert!(upstream.is_hung_up_within(PATIENCE), "the provider goes on unheard");
    assert!(gateway.ended().success());
    gateway.start_again();
    for id in ids {
        assert_eq!(gateway.record_by_id(&id)["state"], "drained");
    }
}

#[test]
fn a_call_that_has_no_head_when_it_is_cut_is_answered_with_an_error() {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let mut gateway = runner("1").provider("a", &upstream).model("m", &["a/1", "a/2"]).start();
    let mut call = gateway.open(&chat("m"));
    upstream.wait_for_requests(1);
    gateway.terminate();
    assert!(call.status() >= 500);
    assert!(call.finish().json()["error"]["message"].is_string());
    assert!(gateway.ended().success());
    assert_eq!(upstream.received().len(), 1, "nothing is tried any more");
}

#[test]
fn what_is_no_model_call_gets_no_record_when_it_is_cut() {
    let mut gateway = runner("1").start();
    let mut connections = [gateway.connect(), gateway.connect()];
    let upload = Request::new("PUT", "/api/catalog").key(TOKEN).announcing(100);
    connections[0].send(&upload);
    connections[1].send(&Request::new("POST", "/api/keys").key(TOKEN).announcing(100));
    // In flight for sure once the next one is answered.
    assert_eq!(gateway.admin("GET", "/api/records", "").status, 200);
    gateway.terminate();
    assert!(gateway.ended().success());
    gateway.start_again();
    assert!(gateway.records("").is_empty());
}

#[test]
fn a_locked_database_does_not_delay_the_end_and_lost_rows_are_counted() {
    let mut gateway = runner("0").start();
    gateway.record(&gateway.send(&chat("demo")));
    let _lock = locked(&gateway);
    assert_eq!(gateway.send(&chat("demo")).status, 200);
    gateway.terminate();
    let start = Instant::now();
    assert_eq!(gateway.ended().code(), Some(74));
    assert!(start.elapsed() < ENDED_MAX, "{:?}", start.elapsed());
    // The migrations of an instance that met the database only now may be among them.
    assert!(gateway.log().contains("statements could not be written"), "{}", gateway.log());
}

#[test]
fn a_further_signal_waits_for_nothing() {
    let mut gateway = runner("120").start();
    gateway.record(&gateway.send(&chat("demo")));
    let _lock = locked(&gateway);
    assert_eq!(gateway.send(&chat("demo")).status, 200);
    gateway.terminate();
    eventually("the first signal is heard", || gateway.log().contains("a second signal").then_some(()));
    let start = Instant::now();
    // Signals of one kind that arrive together are one, so it may take more than one.
    eventually("the process ends", || {
        gateway.terminate();
        gateway.log().contains("could not be written").then_some(())
    });
    assert_eq!(gateway.ended().code(), Some(74));
    assert!(start.elapsed() < ENDED_MAX, "{:?}", start.elapsed());
}
