//! spin:sqlite: `store.db`, for records and quota. Writes are queued and committed in batches by one thread
//! (`writer`), reads have a connection and thread of their own (`reader`), and no statement ever runs on a thread that
//! serves clients. The interface's synchronous calls only enqueue: made blocking, or async as Spin makes them, they
//! would stop every call of the instance (wasmtime #11869).

mod reader;
mod schema;
mod statement;
mod store;
mod trouble;
mod unheard;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use statement::{Failure, Rows};
pub(crate) use store::{Journal, has_rows};
pub(crate) use trouble::TroubleReport;

use super::Interfaces;
use crate::bindings::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value as GuestValue,
};
use crate::instance::State;
use anyhow::Result;
use reader::Reader;
use rusqlite::types::Value;
use statement::{Kind, Kinds, Statement};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};
use writer::Writer;

/// The only database there is, here and in `spin.toml`.
const LABEL: &str = "default";

/// Both halves of the database.
pub(crate) struct Database {
    writer: Writer,
    reader: Reader,
    kinds: Kinds,
}

/// The result of a statement so far.
pub(crate) enum Execution {
    /// The write is queued. The receiver resolves when it is committed.
    Queued(oneshot::Receiver<Result<(), Failure>>),
    /// The statement has run; these are its rows.
    Done(Rows),
}

/// Counters of the database.
pub(crate) struct Status {
    /// Statements waiting for their commit.
    pub(crate) queued: u64,
    /// Statements refused since the start because the queue was full.
    pub(crate) refused: u64,
    /// Statements that failed since the start after they had been queued.
    pub(crate) failed: u64,
}

/// The guest's handle. All handles share one connection, but each keeps what its own last write did.
#[derive(Clone, Default)]
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct Connection(Arc<LastWrite>);

/// What the last write of a handle did.
#[derive(Default)]
pub(crate) struct LastWrite {
    changes: AtomicU64,
    row_id: AtomicI64,
}

impl LastWrite {
    fn set(&self, changes: u64, row_id: i64) {
        self.changes.store(changes, Ordering::Relaxed);
        self.row_id.store(row_id, Ordering::Relaxed);
    }
}

impl Database {
    /// Opens or creates the file. A damaged file is set aside. If the file is locked or the disk full, the database
    /// waits instead of failing.
    pub(crate) fn open(file: &Path, journal: Journal) -> Result<Database> {
        store::assert_version()?;
        let writer = Writer::start(file, journal)?;
        let reader = Reader::start(file, journal, writer.progress())?;
        Ok(Database { writer, reader, kinds: Kinds::default() })
    }

    /// Runs a statement: a write without columns resolves when queued, everything else with its rows.
    pub(crate) async fn execute(
        &self,
        sql: String,
        parameters: Vec<Value>,
        last: Arc<LastWrite>,
    ) -> Result<Execution, Failure> {
        let sql: Arc<str> = sql.into();
        let kind = match self.kinds.get(&sql) {
            Some(kind) => kind,
            None => self.classify(&sql).await?,
        };
        let statement = Statement { sql, parameters };
        match kind {
            Kind::Write => Ok(Execution::Queued(self.writer.queue(statement, last)?)),
            Kind::WriteWithRows => self.writer.run(statement, last).await.map(Execution::Done),
            Kind::Read => self.reader.select(statement, self.writer.queued_until()).await.map(Execution::Done),
        }
    }

    /// Queues a write whose kind is known already. Any other statement would have to wait, which a synchronous call
    /// must not do.
    pub(crate) fn execute_now(&self, sql: String, parameters: Vec<Value>, last: Arc<LastWrite>) -> Result<(), Failure> {
        if self.kinds.get(&sql) != Some(Kind::Write) {
            return Err(Failure::Refused("a statement that was not run before, or has rows: use execute-async"));
        }
        self.writer.queue(Statement { sql: sql.into(), parameters }, last).map(|_| ())
    }

    /// Waits until everything in the queue is committed.
    pub(crate) fn flush(&self, limit: Duration) -> Result<()> {
        self.writer.flush(limit)
    }

    /// Ends both threads; false when they do not end within the limit. What is queued should be flushed before. The
    /// writer is last, since the last connection to leave moves what is in the WAL into the file itself.
    pub(crate) fn close(&self, limit: Duration) -> bool {
        let read = self.reader.close(limit);
        self.writer.close(limit) && read
    }

    /// The counters, for metrics.
    pub(crate) fn status(&self) -> Status {
        self.writer.status()
    }

    /// What is wrong with the database, for readiness checks.
    pub(crate) fn trouble(&self) -> Option<TroubleReport> {
        self.writer.trouble(Instant::now())
    }

    async fn classify(&self, sql: &Arc<str>) -> Result<Kind, Failure> {
        let known = match self.reader.classify(sql.clone(), self.writer.queued_until()).await {
            Ok(kind) => kind,
            Err(Failure::Refused(reason)) => return Err(Failure::Refused(reason)),
            // Records must go on being queued while another process holds the database, even those of a kind not met
            // before. A locked reader may also say "no such table" of one that was made a moment ago. The text is
            // enough to tell a plain write, and the writer finds out what is wrong with it.
            Err(failure) => return statement::plain_write(sql).ok_or(failure),
        };
        self.kinds.insert(sql.clone(), known);
        Ok(known)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::QueueFull => Error::DatabaseFull,
            Failure::Refused(reason) => Error::Io(reason.to_owned()),
            Failure::Busy(reason) | Failure::Sql(reason) => Error::Io(reason),
        }
    }
}

fn from_guest(values: Vec<GuestValue>) -> Vec<Value> {
    let convert = |value| match value {
        GuestValue::Integer(value) => Value::Integer(value),
        GuestValue::Real(value) => Value::Real(value),
        GuestValue::Text(value) => Value::Text(value),
        GuestValue::Blob(value) => Value::Blob(value),
        GuestValue::Null => Value::Null,
    };
    values.into_iter().map(convert).collect()
}

fn to_guest(rows: Vec<Vec<Value>>) -> Vec<RowResult> {
    let convert = |value| match value {
        Value::Integer(value) => GuestValue::Integer(value),
        Value::Real(value) => GuestValue::Real(value),
        Value::Text(value) => GuestValue::Text(value),
        Value::Blob(value) => GuestValue::Blob(value),
        Value::Null => GuestValue::Null,
    };
    rows.into_iter().map(|row| RowResult { values: row.into_iter().map(convert).collect() }).collect()
}

fn open(state: &mut State, label: &str) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
    if label != LABEL {
        return Ok(Err(Error::NoSuchDatabase));
    }
    Ok(Ok(state.table().push(Connection::default())?))
}

impl Host for &mut State {}

impl HostConnection for &mut State {
    fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        open(self, &label)
    }

    fn execute(
        &mut self,
        connection: Resource<Connection>,
        sql: String,
        parameters: Vec<GuestValue>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let last = self.table().get(&connection)?.0.clone();
        let queued = self.stores.database.execute_now(sql, from_guest(parameters), last);
        Ok(queued.map(|()| QueryResult { columns: Vec::new(), rows: Vec::new() }).map_err(Error::from))
    }

    fn last_insert_rowid(&mut self, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(self.table().get(&connection)?.0.row_id.load(Ordering::Relaxed))
    }

    fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(self.table().get(&connection)?.0.changes.load(Ordering::Relaxed))
    }

    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table().delete(connection)?;
        Ok(())
    }
}

type ExecuteResult = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl<T: 'static> HostConnectionWithStore<T> for Interfaces {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        accessor.with(|mut access| open(access.get(), &label))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        sql: String,
        parameters: Vec<GuestValue>,
    ) -> wasmtime::Result<Result<ExecuteResult, Error>> {
        let (stores, last) = accessor.with(|mut access| {
            let state = access.get();
            wasmtime::error::Ok((state.stores.clone(), state.table().get(&connection)?.0.clone()))
        })?;
        let executed = stores.database.execute(sql, from_guest(parameters), last).await;
        accessor.with(|access| match executed {
            Ok(execution) => answer(access, execution).map(Ok),
            // Spin says Ok before the statement runs; what is wrong with it shows only in the result.
            Err(failure) if stores.quirks => failed_later(access, failure.into()).map(Ok),
            Err(failure) => Ok(Err(failure.into())),
        })
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        accessor.with(|mut access| access.get().last_insert_rowid(connection))
    }

    async fn changes_async(accessor: &Accessor<T, Self>, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        accessor.with(|mut access| access.get().changes(connection))
    }
}

fn answer<T: 'static>(mut access: Access<'_, T, Interfaces>, execution: Execution) -> wasmtime::Result<ExecuteResult> {
    match execution {
        Execution::Queued(outcome) => {
            let result = async move {
                wasmtime::error::Ok(outcome.await.unwrap_or_else(|_| Err(Failure::closed())).map_err(Error::from))
            };
            let rows = StreamReader::new(&mut access, Vec::<RowResult>::new())?;
            Ok((Vec::new(), rows, FutureReader::new(&mut access, result)?))
        }
        Execution::Done(Rows { columns, rows }) => {
            let rows = StreamReader::new(&mut access, to_guest(rows))?;
            Ok((columns, rows, FutureReader::new(&mut access, async { wasmtime::error::Ok(Ok(())) })?))
        }
    }
}

fn failed_later<T: 'static>(mut access: Access<'_, T, Interfaces>, error: Error) -> wasmtime::Result<ExecuteResult> {
    let rows = StreamReader::new(&mut access, Vec::<RowResult>::new())?;
    Ok((Vec::new(), rows, FutureReader::new(&mut access, async { wasmtime::error::Ok(Err(error)) })?))
}
