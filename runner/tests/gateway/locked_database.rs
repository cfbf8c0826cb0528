//! The log is never in the data path: while somebody else holds the database, calls go on, and their records are
//! there once it is let go.

use std::thread;

use rusqlite::{Connection, OpenFlags};

use crate::common::{Gateway, Host, PATIENCE, chat, eventually};

const CLIENTS: usize = 96;
const CALLS: usize = 25;

#[test]
fn calls_go_on_while_another_process_locks_the_database_and_none_loses_its_record() {
    let gateway = Gateway::on(Host::Runner).start();
    gateway.record(&gateway.send(&chat("demo")));
    let file = gateway.data().join("store.db");
    let lock = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the database");
    lock.busy_timeout(PATIENCE).expect("a connection");
    lock.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    let client = || {
        let mut connection = gateway.connect();
        (0..CALLS).filter(|_| connection.exchange(&chat("demo")).status == 200).count()
    };
    let served: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).sum()
    });
    assert_eq!(served, CLIENTS * CALLS);
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
