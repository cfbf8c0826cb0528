//! On hosts other than the runner every instance has a connection of its own to the database, and waits for the locks of all
//! others. No record is lost by that and no limit passed.

use std::thread;
use std::time::Duration;

use gateway_core::catalog::{hash_key, hash_text};
use rusqlite::{Connection, OpenFlags};

use crate::common::{Gateway, Host, PATIENCE, chat, clear_of_midnight, eventually, limited_call, served_at_once};

const CLIENTS: usize = 64;
const CALLS: usize = 8;

fn database(gateway: &Gateway) -> Connection {
    let file = gateway.data().join("store.db");
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database")
}

fn journal_mode(gateway: &Gateway) -> String {
    database(gateway).query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("a mode")
}

#[test]
fn every_call_has_its_record_however_many_write_at_once() {
    let gateway = Gateway::on(Host::Spin).start();
    assert_eq!(served_at_once(&gateway, CLIENTS, CALLS), CLIENTS * CALLS);
    let count = || {
        let counted = database(&gateway).query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0));
        counted.ok().and_then(|count| usize::try_from(count).ok())
    };
    eventually("every record is there", || (count() == Some(CLIENTS * CALLS)).then_some(()));
}

#[test]
fn readers_and_writers_do_not_wait_for_each_other() {
    let gateway = Gateway::on(Host::Spin).start();
    gateway.record(&gateway.send(&chat("demo")));
    assert_eq!(journal_mode(&gateway), "wal");
}

/// How long Spin waits for a lock.
const BUSY: Duration = Duration::from_secs(5);

#[test]
fn a_record_outlasts_a_lock_that_its_host_waits_for_in_vain() {
    let gateway = Gateway::on(Host::Spin).start();
    gateway.record(&gateway.send(&chat("demo")));
    let lock = Connection::open(gateway.data().join("store.db")).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let answer = gateway.send(&chat("demo"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    thread::sleep(BUSY + Duration::from_secs(1));
    lock.execute_batch("COMMIT").expect("the lock is let go");
    assert_eq!(gateway.record(&answer)["state"], "ok");
}

#[test]
fn a_database_that_takes_no_pragma_is_used_as_it_is() {
    let gateway = Gateway::on(Host::Spin).arg("--host-quirks").arg("libsql").start();
    gateway.record(&gateway.send(&chat("demo")));
    assert_eq!(journal_mode(&gateway), "delete");
}

const KEY: &str = "sk-llmio-0000000000000000000000000000000000000000000";
const ALLOWED: u64 = 50;

/// Two processes, each with several instances.
#[test]
fn a_limit_is_exact_over_the_processes_that_share_a_database() {
    clear_of_midnight();
    let hash = hash_text(&hash_key(KEY));
    let catalog = format!(
        "[[providers]]\npreset = \"echo\"\n[[models]]\nname = \"m\"\ntargets = [\"echo/x\"]\n\
         [[keys]]\nname = \"limited\"\nlimits = {{ rpd = {ALLOWED} }}\nhash = \"{hash}\"\n"
    );
    let one = Gateway::on(Host::Spin).catalog(&catalog).start().settled();
    let other = Gateway::on(Host::Spin).beside(&one).start();
    let call = chat("m").key(KEY);
    let client = |gateway: &Gateway| {
        let statuses = (0..CALLS).map(|_| gateway.send(&call).status);
        statuses.inspect(|status| assert!([200, 429, 503].contains(status), "{status}")).filter(|s| *s == 200).count()
    };
    let mut served = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS / 2).flat_map(|_| [&one, &other]).map(|gateway| scope.spawn(|| client(gateway))).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends") as u64).sum::<u64>()
    });
    // A busy machine may have refused calls that were still allowed; whoever waited in vain gets back what was reserved.
    while served < ALLOWED {
        limited_call(&other, &call, 200);
        served += 1;
    }
    assert_eq!(served, ALLOWED);
    limited_call(&one, &call, 429);
}
