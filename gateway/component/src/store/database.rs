//! The SQLite database: one connection per instance, migrations, and the two ways to run a statement.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::future::{Either, select};
use spin_sdk::sqlite::{Connection, Error, wit};

use crate::host;
use crate::instance::Instance;

pub(crate) use spin_sdk::sqlite::{RowResult as Row, Value};

/// Idempotent single statements, in order. On a host that queues writes each runs once per instance before any other
/// statement, and again at every maintenance; elsewhere once per database, since many instances would do it at once. A
/// column that is there already is what its statement asks for; SQLite has no words to say so.
const MIGRATIONS: [&str; 44] = [
    include_str!("migrations/0001_records.sql"),
    include_str!("migrations/0002_catalog_versions.sql"),
    include_str!("migrations/0003_maintenance.sql"),
    include_str!("migrations/0004_records_running.sql"),
    include_str!("migrations/0005_quota.sql"),
    include_str!("migrations/0006_probes.sql"),
    include_str!("migrations/0007_responses.sql"),
    include_str!("migrations/0008_quota_slots.sql"),
    include_str!("migrations/0010_sessions.sql"),
    include_str!("migrations/0012_catalog_changes.sql"),
    include_str!("migrations/0020_seals.sql"),
    include_str!("migrations/0021_shutdowns.sql"),
    include_str!("migrations/0030_records_cell.sql"),
    include_str!("migrations/0031_records_marks.sql"),
    include_str!("migrations/0032_stats_series.sql"),
    include_str!("migrations/0033_stats_fresh.sql"),
    include_str!("migrations/0034_stats_minutes.sql"),
    include_str!("migrations/0035_stats_quarters.sql"),
    include_str!("migrations/0036_stats_of_new.sql"),
    include_str!("migrations/0037_stats_of_changed.sql"),
    include_str!("migrations/0038_stats_taken_back.sql"),
    include_str!("migrations/0039_stats_turn.sql"),
    include_str!("migrations/0041_records_uncounted.sql"),
    include_str!("migrations/0042_records_failed_over.sql"),
    include_str!("migrations/0043_records_not_served.sql"),
    include_str!("migrations/0044_records_slow.sql"),
    include_str!("migrations/0045_no_records_by_key.sql"),
    include_str!("migrations/0050_bodies.sql"),
    include_str!("migrations/0051_bodies_kept.sql"),
    include_str!("migrations/0052_refused_parameters.sql"),
    include_str!("migrations/0060_migrated.sql"),
    include_str!("migrations/0062_no_gathering_without_days.sql"),
    include_str!("migrations/0063_stats_totals.sql"),
    include_str!("migrations/0064_stats_totals_first.sql"),
    include_str!("migrations/0065_stats_days.sql"),
    include_str!("migrations/0066_stats_days_first.sql"),
    include_str!("migrations/0067_stats_gathered_with_days.sql"),
    include_str!("migrations/0068_stats_days_of_before.sql"),
    include_str!("migrations/0069_stats_days_turn.sql"),
    include_str!("migrations/0070_wrong_credentials.sql"),
    include_str!("migrations/0071_failures.sql"),
    include_str!("migrations/0072_turns.sql"),
    include_str!("migrations/0073_kept.sql"),
    include_str!("migrations/0074_kept_by_key.sql"),
];

/// How SQLite refuses to add a column again.
const COLUMN_IS_THERE: &str = "duplicate column name";

/// Whether a database has had so many migrations, or more of a later llmio.
const ARE_MIGRATED: &str = "SELECT 1 FROM migrated WHERE migrations >= ?1 LIMIT 1";

const NOTE_MIGRATED: &str = "INSERT OR IGNORE INTO migrated (migrations) VALUES (?1)";

/// Readers and the writer do not wait for each other then. The file keeps this mode.
const WRITE_AHEAD: &str = "PRAGMA journal_mode = WAL";

/// A commit does not wait for the disk: safe against crashes, and a power cut may cost the last rows. Without a write-ahead
/// log it could cost the file.
const NO_SYNC: &str = "PRAGMA synchronous = NORMAL";

/// How SQLite says that another connection writes, after the host has waited.
const LOCKED: [&str; 2] = ["database is locked", "database table is locked"];

/// How often a write is tried again that found the database locked, and after which pause.
const LOCKED_TRIES: u32 = 4;
const LOCKED_PAUSE_MS: u64 = 100;

/// The time between two looks of a statement that waits for its instance's connection.
const OPENING_LOOK_MS: u64 = 2;

/// How long a page of rows is waited for. A database that takes longer is busy with something else.
const QUERY_MS_MAX: u64 = 5_000;

/// The connections of an instance to the database.
#[derive(Default)]
pub(crate) struct Database {
    connection: RefCell<Option<Rc<Connection>>>,
    /// The connection for statements that only go into the host's queue.
    queue: RefCell<Option<wit::sqlite::Connection>>,
    is_absent: Cell<bool>,
    /// Whether the connection is being made ready.
    is_opening: Cell<bool>,
}

/// Why a statement did not run.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The host has no database: records are off.
    Absent,
    /// The database took too long.
    Busy,
    /// The database reported an error.
    Failed(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("this host has no SQLite database"),
            Self::Busy => f.write_str("the database is busy"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::NoSuchDatabase | Error::AccessDenied => Trouble::Absent,
            Error::DatabaseFull => {
                Trouble::Failed("the database takes no more: it is locked, too slow, or its disk is full".into())
            }
            other => Trouble::Failed(other.to_string()),
        }
    }
}

/// Runs a statement that returns no rows. On a host that queues writes, the statement is in the queue when this
/// returns, and is committed later; on any other host it has run.
pub(crate) async fn write(instance: &Instance, sql: &str, parameters: Vec<Value>) -> Result<(), Trouble> {
    let connection = connection(instance).await?;
    if instance.host.queues_writes {
        match queue(&instance.store.database, sql, &parameters) {
            Ok(()) => return Ok(()),
            Err(Error::DatabaseFull) => return Err(Error::DatabaseFull.into()),
            // The host has not prepared this statement yet. Executing it asynchronously makes it known.
            Err(_) => {}
        }
    }
    if instance.host.queues_writes {
        connection.execute(sql, parameters).await?;
        return Ok(());
    }
    let mut tries = 0;
    loop {
        match run(&connection, sql, parameters.clone()).await {
            Err(error) if is_locked(&error) && tries < LOCKED_TRIES => tries += 1,
            ran => return ran.map(drop).map_err(Trouble::from),
        }
        host::wait_ms(LOCKED_PAUSE_MS).await;
    }
}

/// Runs a statement to its end. A host may accept one before it looks at it, so that only the end says whether it ran.
async fn run(connection: &Connection, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Error> {
    connection.execute(sql, parameters).await?.collect().await
}

fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Io(text) if LOCKED.iter().any(|locked| text.contains(locked)))
}

/// Puts a statement into the host's queue with the interface's synchronous call, which makes no stream and no future
/// for an answer that nobody waits for. On a host without a queue this call would stop every call of the instance.
fn queue(database: &Database, sql: &str, parameters: &[Value]) -> Result<(), Error> {
    let mut queue = database.queue.borrow_mut();
    if queue.is_none() {
        *queue = Some(wit::sqlite::Connection::open("default")?);
    }
    queue.as_ref().map_or(Err(Error::InvalidConnection), |queue| queue.execute(sql, parameters).map(drop))
}

/// Runs a statement and reads all its rows before anything else, since some hosts hold locks while rows remain.
pub(crate) async fn rows(instance: &Instance, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Trouble> {
    rows_within(instance, sql, parameters, QUERY_MS_MAX).await
}

/// Like [`rows`], but waits no longer than this. The statement may still run afterwards.
pub(crate) async fn rows_within(
    instance: &Instance,
    sql: &str,
    parameters: Vec<Value>,
    ms_max: u64,
) -> Result<Vec<Row>, Trouble> {
    match select(Box::pin(query(instance, sql, parameters)), Box::pin(host::wait_ms(ms_max))).await {
        Either::Left((rows, _)) => rows,
        Either::Right(_) => Err(Trouble::Busy),
    }
}

/// Like [`rows_within`], for statements that matter even if they run too late: then `late` is called with the rows.
pub(crate) async fn rows_or_late<F: Future<Output = ()>>(
    instance: &Rc<Instance>,
    sql: &'static str,
    parameters: Vec<Value>,
    ms_max: u64,
    late: impl FnOnce(Vec<Row>) -> F + 'static,
) -> Result<Vec<Row>, Trouble> {
    let instance = instance.clone();
    let query = async move { query(&instance, sql, parameters).await };
    match select(Box::pin(query), Box::pin(host::wait_ms(ms_max))).await {
        Either::Left((rows, _)) => rows,
        Either::Right(((), query)) => {
            host::spawn(async move {
                if let Ok(rows) = query.await {
                    late(rows).await;
                }
            });
            Err(Trouble::Busy)
        }
    }
}

async fn query(instance: &Instance, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Trouble> {
    let connection = connection(instance).await?;
    Ok(run(&connection, sql, parameters).await?)
}

async fn connection(instance: &Instance) -> Result<Rc<Connection>, Trouble> {
    let database = &instance.store.database;
    loop {
        if let Some(connection) = &*database.connection.borrow() {
            return Ok(connection.clone());
        }
        if database.is_absent.get() {
            return Err(Trouble::Absent);
        }
        if !database.is_opening.replace(true) {
            break;
        }
        // Polled for, since no task may wake another's on WASI 0.3 hosts.
        host::wait_ms(OPENING_LOOK_MS).await;
    }
    let _opened = host::OnDrop(|| database.is_opening.set(false));
    let opened = Connection::open_default().await.map_err(Trouble::from);
    if matches!(opened, Err(Trouble::Absent)) {
        database.is_absent.set(true);
    }
    let connection = Rc::new(opened?);
    if !instance.host.queues_writes {
        tune(&connection).await;
    }
    migrate_if_needed(instance, &connection).await?;
    // Only now, so that a migration that failed is tried again by the next statement.
    database.connection.replace(Some(connection.clone()));
    Ok(connection)
}

/// Asks for what many writers at once need. A host that has set its database up in another way, as libSQL's, refuses.
async fn tune(connection: &Connection) {
    let mode = run(connection, WRITE_AHEAD, Vec::new()).await;
    let is_ahead = mode.is_ok_and(|rows| {
        let mode = rows.into_iter().next().and_then(|row| Columns::of(row).text());
        mode.is_some_and(|mode| mode.eq_ignore_ascii_case("wal"))
    });
    if is_ahead {
        let _ = run(connection, NO_SYNC, Vec::new()).await;
    }
}

async fn migrate_if_needed(instance: &Instance, connection: &Connection) -> Result<(), Trouble> {
    if instance.host.queues_writes {
        return run_migrations(instance, connection).await;
    }
    let number = || vec![number(Some(MIGRATIONS.len() as u64))];
    // There is no such table in a database that is new.
    if run(connection, ARE_MIGRATED, number()).await.is_ok_and(|rows| !rows.is_empty()) {
        return Ok(());
    }
    run_migrations(instance, connection).await?;
    run(connection, NOTE_MIGRATED, number()).await.map(drop).map_err(Trouble::from)
}

async fn run_migrations(instance: &Instance, connection: &Connection) -> Result<(), Trouble> {
    for migration in MIGRATIONS {
        match migrate_once(instance, connection, migration).await {
            Err(error) if error.to_string().contains(COLUMN_IS_THERE) => {}
            done => done?,
        }
    }
    Ok(())
}

async fn migrate_once(instance: &Instance, connection: &Connection, migration: &str) -> Result<(), Error> {
    if instance.host.queues_writes {
        return connection.execute(migration, []).await.map(drop);
    }
    run(connection, migration, Vec::new()).await.map(drop)
}

/// Creates missing tables, since a host may have set a damaged file aside and begun a new one.
pub(crate) async fn migrate(instance: &Instance) -> Result<(), Trouble> {
    migrate_if_needed(instance, &*connection(instance).await?).await
}

/// Whether this host has no database, as far as is known.
pub(crate) fn is_absent(instance: &Instance) -> bool {
    instance.store.database.is_absent.get()
}

/// A text, or NULL.
pub(crate) fn text(value: Option<String>) -> Value {
    value.map_or(Value::Null, Value::Text)
}

/// A number, or NULL. Numbers beyond 63 bits do not occur; they would become the largest one.
pub(crate) fn number(value: Option<u64>) -> Value {
    value.map_or(Value::Null, |value| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// The columns of a row that have not been read yet. One of another type reads as none, as NULL does.
pub(crate) struct Columns(std::vec::IntoIter<Value>);

impl Columns {
    pub(crate) fn of(row: Row) -> Self {
        Columns(row.values.into_iter())
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        match self.0.next()? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&mut self) -> Option<i64> {
        match self.0.next()? {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.integer().and_then(|number| u64::try_from(number).ok())
    }

    pub(crate) fn blob(&mut self) -> Option<Vec<u8>> {
        match self.0.next()? {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn real(&mut self) -> Option<f64> {
        match self.0.next()? {
            Value::Real(number) => Some(number),
            _ => None,
        }
    }
}
