//! The log is never in the data path: while somebody else holds the database, calls go on, and their records are
//! there once it is let go.

use std::process::Command;

use gateway_core::catalog::{hash_key, hash_text};
use rusqlite::{Connection, OpenFlags};

use crate::common::{Gateway, Host, PATIENCE, Request, TOKEN, chat, eventually, served_at_once};

const CLIENTS: usize = 96;
const CALLS: usize = 25;

#[test]
fn calls_go_on_and_keep_their_records_while_the_database_is_locked() {
    let gateway = Gateway::on(Host::Runner).start();
    gateway.record(&gateway.send(&chat("demo")));
    let file = gateway.data().join("store.db");
    let lock = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    assert_eq!(served_at_once(&gateway, CLIENTS, CALLS), CLIENTS * CALLS);
    let count = || {
        let counted = lock.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0));
        counted.ok().and_then(|count| usize::try_from(count).ok()).expect("the records can be counted")
    };
    assert_eq!(count(), 1, "the database was not locked");
    lock.execute_batch("COMMIT").expect("the lock is let go");
    eventually("every record is there", || (count() == 1 + CLIENTS * CALLS).then_some(()));
    assert_eq!(gateway.records("state=ok&limit=500").len(), 500);
}

#[test]
fn a_start_waits_for_no_lock() {
    let mut gateway = Gateway::on(Host::Runner).start();
    gateway.record(&gateway.send(&chat("demo")));
    let file = gateway.data().join("store.db");
    let lock = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    gateway.kill_and_restart();
    assert_eq!(gateway.send(&chat("demo")).status, 200);
    lock.execute_batch("COMMIT").expect("the lock is let go");
    eventually("the record is there", || (gateway.records("").len() == 2).then_some(()));
}

const KEY: &str = "sk-llmio-0000000000000000000000000000000000000000000";

/// A model, and a key that may call it 1,000 times a minute.
fn limited() -> String {
    let hash = hash_text(&hash_key(KEY));
    format!(
        "[[providers]]\npreset = \"echo\"\n[[models]]\nname = \"m\"\ntargets = [\"echo/x\"]\n\
         [[keys]]\nname = \"limited\"\nlimits = {{ rpm = 1000 }}\nhash = \"{hash}\"\n"
    )
}

/// What `/readyz` and `llmio health` say.
fn health(gateway: &Gateway) -> (serde_json::Value, i32, String) {
    let ready = gateway.send(&Request::new("GET", "/readyz"));
    assert_eq!(ready.status, 200, "{}", ready.text());
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmio"));
    command.env_clear().args(["health", "--listen", &gateway.address().to_string()]);
    let output = command.output().expect("it starts");
    (ready.json(), output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn readiness_tells_of_the_first_call_refused_and_of_its_end() {
    let gateway = Gateway::on(Host::Runner).catalog(&limited()).start().settled();
    let call = chat("m").key(KEY);
    assert_eq!(gateway.send(&call).status, 200);
    gateway.record(&gateway.send(&call));
    assert_eq!(health(&gateway).1, 0);
    let file = gateway.data().join("store.db");
    let lock = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let refused = gateway.send(&call);
    assert_eq!(refused.status, 503, "{}", refused.text());
    let (ready, code, message) = health(&gateway);
    assert_eq!((&ready["status"], code), (&"degraded".into(), 1), "{ready} {message}");
    assert!(ready["refusing"][0].as_str().is_some_and(|text| text.contains("keys with limits")), "{ready}");
    assert!(message.contains("keys with limits"), "{message}");
    assert_eq!(gateway.send(&chat("m").key(TOKEN)).status, 200, "others are served");
    lock.execute_batch("COMMIT").expect("the lock is let go");
    eventually("all is well again", || {
        let (ready, code, _) = health(&gateway);
        (code == 0 && ready["status"] == "ok").then_some(())
    });
    assert_eq!(gateway.send(&call).status, 200);
}

#[test]
fn readiness_tells_of_records_that_wait_for_five_seconds() {
    let gateway = Gateway::on(Host::Runner).start();
    gateway.record(&gateway.send(&chat("demo")));
    let file = gateway.data().join("store.db");
    let lock = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    assert_eq!(gateway.send(&chat("demo")).status, 200);
    eventually("it is told", || (health(&gateway).0["status"] == "degraded").then_some(()));
    let (ready, code, _) = health(&gateway);
    assert!(ready["degraded"][0].as_str().is_some_and(|text| text.contains("locked since")), "{ready}");
    assert_eq!(code, 1);
    lock.execute_batch("COMMIT").expect("the lock is let go");
    eventually("all is well again", || (health(&gateway).0["status"] == "ok").then_some(()));
}
