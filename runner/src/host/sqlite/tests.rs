//! Tests of the database through its interface, with the failures that records must survive.

use super::*;
use rusqlite::Connection as Raw;
use std::path::PathBuf;
use std::time::Instant;

/// How long tests wait for anything, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a read waits for earlier writes (`reader::WAIT_MAX`).
const READ_WAIT_MAX: Duration = Duration::from_millis(250);

struct Bench {
    database: QueuedDatabase,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("store.db");
        let database = QueuedDatabase::open(&file).expect("a new database");
        let bench = Bench { database, file, _folder: folder };
        bench.write("CREATE TABLE records (id INTEGER PRIMARY KEY, note TEXT)").expect("a table");
        bench
    }

    fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<Execution, Failure> {
        block_on(self.database.execute(sql.into(), parameters, Arc::default()))
    }

    /// Runs a write and waits for its commit.
    fn write(&self, sql: &str) -> Result<(), Failure> {
        match self.execute(sql, Vec::new())? {
            Execution::Queued(outcome) => block_on(outcome).expect("an outcome"),
            Execution::Done(_) => panic!("{sql} has columns"),
        }
    }

    fn insert(&self, id: i64) -> Result<Execution, Failure> {
        self.execute("INSERT INTO records VALUES (?1, ?2)", vec![Value::Integer(id), Value::Text("x".into())])
    }

    fn rows(&self, sql: &str) -> Result<Rows, Failure> {
        match self.execute(sql, Vec::new())? {
            Execution::Done(rows) => Ok(rows),
            Execution::Queued(_) => panic!("{sql} has no columns"),
        }
    }

    fn count(&self) -> i64 {
        match self.rows("SELECT count(*) FROM records").expect("a count").rows[0][0] {
            Value::Integer(count) => count,
            ref other => panic!("{other:?} is no count"),
        }
    }

    /// The count once the queue is written, however long that takes. A read alone would not wait so long.
    fn count_at_last(&self) -> i64 {
        self.database.flush(PATIENCE).expect("written");
        self.count()
    }

    /// Overwrites the whole file as a failing disk would, behind SQLite's back and with what it has in memory gone.
    fn damage(&self) {
        self.rows("SELECT 1").expect("an idle reader");
        let wal = format!("{}-wal", self.file.display());
        for file in [self.file.as_path(), std::path::Path::new(&wal)] {
            let length = std::fs::metadata(file).expect("its length").len();
            let opened = std::fs::File::options().write(true).open(file).expect("the file");
            let garbage = vec![0xa5; usize::try_from(length).expect("a small file")];
            std::os::unix::fs::FileExt::write_all_at(&opened, &garbage, 0).expect("damage");
        }
        // Raises the file's change counter for every connection, so that none goes on with its cached pages.
        let shm = format!("{}-shm", self.file.display());
        let opened = std::fs::File::options().write(true).open(shm).expect("the shared memory");
        std::os::unix::fs::FileExt::write_all_at(&opened, &[0xff; 96], 0).expect("damage");
    }

    /// The files that were set aside.
    fn set_aside(&self) -> usize {
        let folder = self.file.parent().expect("a folder").read_dir().expect("the folder");
        let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names
            .filter(|name| name.starts_with("store.db.corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm"))
            .count()
    }

    /// Another process that holds the database.
    fn locked(&self) -> Raw {
        let other = Raw::open(&self.file).expect("a second connection");
        other.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
        other
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn a_read_sees_what_was_queued_before_it() {
    let bench = Bench::new();
    for id in 0..500 {
        bench.insert(id).expect("queued");
    }
    let started = Instant::now();
    let count = bench.count();
    assert!(count == 500 || started.elapsed() >= READ_WAIT_MAX, "{count} after {:?}", started.elapsed());
}

#[test]
fn writes_resolve_at_once_while_the_database_is_held_elsewhere() {
    let bench = Bench::new();
    bench.insert(0).expect("queued");
    assert_eq!(bench.count_at_last(), 1);
    let other = bench.locked();
    let started = Instant::now();
    for id in 1..2_401 {
        bench.insert(id).expect("queued");
    }
    assert!(started.elapsed() < PATIENCE, "writes waited for the lock");
    assert!(bench.database.status().queued >= 2_400);
    assert!(bench.database.flush(Duration::from_millis(50)).is_err());
    other.execute_batch("ROLLBACK").expect("the lock's end");
    bench.database.flush(Duration::from_secs(10)).expect("recovery within ten seconds");
    assert_eq!(bench.count(), 2_401);
    assert_eq!(bench.database.status().refused, 0);
}

#[test]
fn a_write_of_an_unknown_kind_is_queued_even_while_it_cannot_be_looked_at() {
    let bench = Bench::new();
    let other = bench.locked();
    assert!(matches!(bench.execute("CREATE TABLE later (x)", Vec::new()), Ok(Execution::Queued(_))));
    // The table is not there before the lock is let go, so SQLite cannot be asked what this is.
    let queued = bench.execute("INSERT INTO later VALUES (1)", Vec::new());
    assert!(matches!(queued, Ok(Execution::Queued(_))), "{:?}", queued.err());
    other.execute_batch("ROLLBACK").expect("the lock's end");
    bench.database.flush(Duration::from_secs(10)).expect("recovery");
    assert_eq!(bench.rows("SELECT x FROM later").expect("rows").rows, [[Value::Integer(1)]]);
}

#[test]
fn who_waits_for_rows_is_told_of_a_lock_within_a_second() {
    let bench = Bench::new();
    let sql = "INSERT INTO records VALUES (7, 'quota') RETURNING id";
    assert_eq!(bench.rows("DELETE FROM records RETURNING id").expect("rows").rows.len(), 0);
    let other = bench.locked();
    let started = Instant::now();
    assert!(matches!(bench.rows(sql), Err(Failure::Busy(_))));
    // The promise is a second; the rest is for a busy machine, and less than the five that Spin waits.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    other.execute_batch("ROLLBACK").expect("the lock's end");
    assert_eq!(bench.rows(sql).expect("rows").rows, [[Value::Integer(7)]]);
    assert_eq!(bench.count(), 1, "the statement that was given up has not run");
}

#[test]
fn a_statement_that_fails_takes_no_other_with_it() {
    let bench = Bench::new();
    bench.write("INSERT INTO records VALUES (5, 'first')").expect("a row");
    let queued: Vec<_> = (0..10).map(|id| bench.insert(id).expect("queued")).collect();
    let outcomes: Vec<bool> = queued
        .into_iter()
        .map(|execution| match execution {
            Execution::Queued(outcome) => block_on(outcome).expect("an outcome").is_ok(),
            Execution::Done(_) => panic!("an insert has no columns"),
        })
        .collect();
    let expected: Vec<bool> = (0..10).map(|id| id != 5).collect();
    assert_eq!(outcomes, expected);
    assert_eq!(bench.count(), 10);
}

#[test]
fn a_full_queue_refuses_at_once_and_counts() {
    let bench = Bench::new();
    bench.insert(0).expect("queued");
    bench.database.flush(Duration::from_secs(10)).expect("written");
    let other = bench.locked();
    let refused = (1..=writer::STATEMENTS_MAX as i64 + 3).filter(|id| bench.insert(*id).is_err()).count();
    assert_eq!(refused, 3);
    assert_eq!(bench.database.status().refused, 3);
    other.execute_batch("ROLLBACK").expect("the lock's end");
    bench.database.flush(Duration::from_secs(20)).expect("recovery");
    assert_eq!(bench.count(), writer::STATEMENTS_MAX as i64 + 1);
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let bench = Bench::new();
    let other = bench.locked();
    let large = || vec![Value::Integer(1), Value::Blob(vec![0; writer::BYTES_MAX / 2])];
    let sql = "INSERT OR IGNORE INTO records VALUES (?1, ?2)";
    assert!(bench.execute(sql, large()).is_ok());
    assert!(matches!(bench.execute(sql, large()), Err(Failure::QueueFull)));
    assert!(bench.insert(2).is_ok(), "small ones find room beside it");
    other.execute_batch("ROLLBACK").expect("the lock's end");
}

#[test]
fn transactions_attachments_and_pragmas_belong_to_the_host() {
    let bench = Bench::new();
    let refused = [
        "BEGIN",
        "/* x */ BEGIN IMMEDIATE",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT a",
        "RELEASE a",
        "ATTACH 'x.db' AS x",
        "DETACH x",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version",
        "PRAGMA page_size = 8192",
    ];
    for sql in refused {
        assert!(matches!(bench.execute(sql, Vec::new()), Err(Failure::Refused(_))), "{sql}");
    }
    let size = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), \
                pragma_page_size()";
    assert!(bench.execute(size, Vec::new()).is_ok(), "how large it is anybody may ask");
    bench.write("INSERT INTO records VALUES (1, 'still works')").expect("a row");
    assert!(!bench.file.with_file_name("x.db").exists());
}

#[test]
fn all_values_come_back_and_text_that_is_not_utf_8_ends_nothing() {
    let bench = Bench::new();
    let values = vec![
        Value::Integer(i64::MIN),
        Value::Real(0.5),
        Value::Text("\u{0}é".into()),
        Value::Blob(vec![0, 255]),
        Value::Null,
    ];
    match bench.execute("SELECT ?1, ?2, ?3, ?4, ?5", values.clone()).expect("a row") {
        Execution::Done(rows) => assert_eq!(rows.rows, [values]),
        Execution::Queued(_) => panic!("a select has columns"),
    }
    let broken = bench.rows("SELECT CAST(x'ff41' AS TEXT) AS broken").expect("a row");
    assert_eq!(broken.columns, ["broken"]);
    assert_eq!(broken.rows, [[Value::Text("\u{fffd}A".into())]]);
}

#[test]
fn a_synchronous_call_only_enqueues_what_is_known_to_be_a_write() {
    let bench = Bench::new();
    let now = |sql: &str| bench.database.execute_now(sql.into(), Vec::new(), Arc::default());
    let insert = "INSERT INTO records (note) VALUES ('x')";
    assert!(matches!(now(insert), Err(Failure::Refused(_))));
    bench.write(insert).expect("a row");
    assert!(now(insert).is_ok());
    assert_eq!(bench.count_at_last(), 2);
    assert!(matches!(now("SELECT count(*) FROM records"), Err(Failure::Refused(_))));
}

#[test]
fn a_handle_knows_what_its_last_write_did() {
    let bench = Bench::new();
    let last: Arc<LastWrite> = Arc::default();
    let sql = "INSERT INTO records VALUES (41, 'a'), (42, 'b')".to_owned();
    let queued = block_on(bench.database.execute(sql.into(), Vec::new(), last.clone())).expect("queued");
    let Execution::Queued(outcome) = queued else { panic!("an insert has no columns") };
    block_on(outcome).expect("an outcome").expect("a commit");
    assert_eq!(last.changes.load(Ordering::Relaxed), 2);
    assert_eq!(last.row_id.load(Ordering::Relaxed), 42);
}

#[test]
fn a_damaged_file_is_set_aside_and_records_start_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("store.db");
    std::fs::write(&file, [b'x'; 8192]).expect("a damaged file");
    let database = QueuedDatabase::open(&file).expect("a new database");
    let created = block_on(database.execute("CREATE TABLE t (x)".into(), Vec::new(), Arc::default()));
    assert!(created.is_ok());
    database.flush(Duration::from_secs(10)).expect("written");
    let names = std::fs::read_dir(folder.path()).expect("the folder").filter_map(|entry| {
        entry.ok()?.file_name().into_string().ok().filter(|name| name.starts_with("store.db.corrupt-"))
    });
    assert_eq!(names.count(), 1);
}

#[test]
fn a_file_damaged_while_it_is_used_is_replaced_with_the_same_tables() {
    let bench = Bench::new();
    bench.write("CREATE INDEX records_by_note ON records (note)").expect("an index");
    bench.insert(1).expect("queued");
    assert_eq!(bench.count(), 1);
    bench.damage();
    // What meets the damage is written into the new file.
    for id in 2..5 {
        bench.insert(id).expect("queued");
    }
    bench.database.flush(PATIENCE).expect("written");
    assert_eq!(bench.count(), 3, "the reader follows to the new file");
    let index = bench.rows("SELECT name FROM sqlite_schema WHERE type = 'index'").expect("rows");
    assert_eq!(index.rows, [[Value::Text("records_by_note".into())]]);
    assert_eq!(bench.set_aside(), 1);
    assert_eq!(bench.database.status().failed, 0);
}

#[test]
fn writes_that_fail_after_they_were_queued_are_counted() {
    let bench = Bench::new();
    for _ in 0..3 {
        bench.insert(7).expect("queued");
    }
    bench.database.flush(PATIENCE).expect("written");
    assert_eq!((bench.database.status().failed, bench.database.status().refused), (2, 0));
    assert_eq!(bench.count(), 1);
}

#[test]
fn once_closed_everything_is_in_the_file_itself_and_nothing_is_taken() {
    let bench = Bench::new();
    bench.insert(1).expect("queued");
    assert!(bench.database.close(PATIENCE));
    assert!(!PathBuf::from(format!("{}-wal", bench.file.display())).exists());
    assert!(matches!(bench.insert(2), Err(Failure::Busy(_))));
    assert!(matches!(bench.rows("SELECT 1"), Err(Failure::Busy(_))));
    let copy = bench.file.with_extension("copy");
    std::fs::copy(&bench.file, &copy).expect("a copy of the one file");
    let copy = Raw::open(copy).expect("the copy");
    let count: i64 = copy.query_row("SELECT count(*) FROM records", [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 1);
}

#[test]
fn closing_does_not_wait_for_a_lock_to_end() {
    let bench = Bench::new();
    bench.insert(1).expect("queued");
    assert_eq!(bench.count(), 1);
    let other = bench.locked();
    let Execution::Queued(outcome) = bench.insert(2).expect("queued") else { panic!("an insert has no columns") };
    assert!(bench.database.close(PATIENCE));
    assert!(matches!(block_on(outcome), Ok(Err(Failure::Busy(_)))), "the write is not silently lost");
    other.execute_batch("ROLLBACK").expect("the lock's end");
}

#[test]
fn who_waits_for_rows_is_answered_although_the_writer_pauses() {
    let bench = Bench::new();
    let sql = "INSERT INTO records VALUES (7, 'quota') RETURNING id";
    assert_eq!(bench.rows("DELETE FROM records RETURNING id").expect("rows").rows.len(), 0);
    let other = bench.locked();
    // Enough for several batches: what waits stands far behind the one that is tried again and again.
    for id in 100..2_500 {
        bench.insert(id).expect("queued");
    }
    for _ in 0..8 {
        assert!(matches!(bench.rows(sql), Err(Failure::Busy(_))));
    }
    assert!(bench.database.status().queued >= 2_400, "the records go on waiting");
    other.execute_batch("ROLLBACK").expect("the lock's end");
    bench.database.flush(PATIENCE).expect("recovery");
    assert_eq!(bench.count(), 2_400);
}

#[test]
fn free_pages_are_given_back_in_steps_of_many() {
    let bench = Bench::new();
    let free = || {
        let other = Raw::open(&bench.file).expect("a second connection");
        other.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    let large = vec![Value::Integer(1), Value::Blob(vec![0; 8 << 20])];
    bench.execute("INSERT INTO records VALUES (?1, ?2)", large).expect("queued");
    bench.write("DELETE FROM records").expect("a delete");
    bench.database.flush(PATIENCE).expect("written");
    let before = free();
    assert!(before > 1_900, "{before}");
    for id in 0..4 {
        bench.write(&format!("INSERT INTO records VALUES ({id}, 'x')")).expect("a row");
    }
    let after = free();
    assert!(before - after >= 200, "{before} → {after}");
}

#[test]
fn a_read_without_end_is_stopped() {
    let bench = Bench::new();
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
    let started = Instant::now();
    assert!(bench.rows(endless).is_err());
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    assert_eq!(bench.count(), 0, "the reader goes on");
}

#[test]
fn the_text_alone_tells_a_plain_write_and_leaves_doubts_open() {
    let kind = |sql| statement::plain_write(sql).is_some();
    assert!(kind("INSERT INTO t VALUES (1)"));
    assert!(kind("  update t SET x = 1"));
    for sql in [
        "SELECT 1",
        "INSERT INTO t VALUES (1) RETURNING x",
        "WITH a AS (SELECT 1) DELETE FROM t",
        "BEGIN",
        "",
        "-- INSERT\nBEGIN",
    ] {
        assert!(!kind(sql), "{sql:?}");
    }
}
