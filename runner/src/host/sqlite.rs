//! spin:sqlite: `store.db`, for records and quota. Writes are queued and committed in batches by one thread
//! (`writer`), reads have a connection and thread of their own (`reader`), and no statement ever runs on a thread that
//! serves clients. The interface's synchronous calls only enqueue: made blocking, or async as Spin makes them, they
//! would stop every call of the instance (wasmtime #11869).

mod queued;
mod reader;
mod schema;
mod spin;
mod statement;
mod store;
mod trouble;
mod unheard;
#[cfg(feature = "wasi-0-2")]
mod v2;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use queued::QueuedDatabase;
pub(crate) use spin::SpinDatabase;
pub(crate) use statement::{Failure, Rows};
pub(crate) use store::has_rows;
pub(crate) use trouble::TroubleReport;

use super::Interfaces;
use crate::bindings::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value as GuestValue,
};
use crate::instance::State;
use anyhow::Result;
use rusqlite::types::Value;
use spin::OwnConnection;
use statement::Statement;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::component::{Access, Accessor, FutureReader, Resource, StreamReader};

/// The only database there is, here and in `spin.toml`.
const LABEL: &str = "default";

/// The database, in the way of one host.
pub(crate) enum Database {
    /// The runner's.
    Queued(QueuedDatabase),
    /// Spin's, of which each handle has a connection of its own.
    Spin(SpinDatabase),
}

/// The result of a statement so far.
pub(crate) enum Execution {
    /// The write is queued. The receiver resolves when it is committed.
    Queued(oneshot::Receiver<Result<(), Failure>>),
    /// The statement has run; these are its rows.
    Done(Rows),
}

/// Counters of the database.
#[derive(Default)]
pub(crate) struct Status {
    /// Statements waiting for their commit.
    pub(crate) queued: u64,
    /// Statements refused since the start because the queue was full.
    pub(crate) refused: u64,
    /// Statements that failed since the start after they had been queued.
    pub(crate) failed: u64,
}

/// The guest's handle, which keeps what its own last write did.
#[derive(Clone, Default)]
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct Connection {
    last: Arc<LastWrite>,
    /// As under Spin. All handles of the runner share one connection.
    own: Option<Arc<OwnConnection>>,
}

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
    /// A handle.
    fn connect(&self) -> Connection {
        let own = match self {
            Database::Queued(_) => None,
            Database::Spin(database) => Some(Arc::new(database.connect())),
        };
        Connection { last: Arc::default(), own }
    }

    /// Runs a statement of this handle.
    async fn execute(&self, connection: Connection, statement: Statement) -> Result<Execution, Failure> {
        match (self, connection.own) {
            (Database::Queued(queued), _) => queued.execute(statement.sql, statement.parameters, connection.last).await,
            (Database::Spin(_), Some(own)) => own.run(statement, connection.last).await.map(Execution::Done),
            (Database::Spin(_), None) => Err(Failure::closed()),
        }
    }

    /// Runs a statement of this handle for a synchronous call.
    fn execute_now(&self, connection: &Connection, statement: Statement) -> Result<Rows, Failure> {
        let Statement { sql, parameters } = statement;
        match (self, &connection.own) {
            (Database::Queued(queued), _) => {
                queued.execute_now(sql, parameters, connection.last.clone()).map(|()| Rows::default())
            }
            (Database::Spin(_), Some(own)) => own.run_now(&Statement { sql, parameters }, &connection.last),
            (Database::Spin(_), None) => Err(Failure::closed()),
        }
    }

    /// Waits until everything in the queue is committed.
    pub(crate) fn flush(&self, limit: Duration) -> Result<()> {
        match self {
            Database::Queued(queued) => queued.flush(limit),
            Database::Spin(_) => Ok(()),
        }
    }

    /// Closes the file; false when that takes longer than the limit.
    pub(crate) fn close(&self, limit: Duration) -> bool {
        match self {
            Database::Queued(queued) => queued.close(limit),
            Database::Spin(_) => true,
        }
    }

    /// The counters, for metrics.
    pub(crate) fn status(&self) -> Status {
        match self {
            Database::Queued(queued) => queued.status(),
            Database::Spin(_) => Status::default(),
        }
    }

    /// What is wrong with the database, for readiness checks.
    pub(crate) fn trouble(&self) -> Option<TroubleReport> {
        match self {
            Database::Queued(queued) => queued.trouble(),
            Database::Spin(_) => None,
        }
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
    let connection = state.stores.database.connect();
    Ok(Ok(state.table().push(connection)?))
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
        let connection = self.table().get(&connection)?.clone();
        let statement = Statement { sql: sql.into(), parameters: from_guest(parameters) };
        let executed = self.stores.database.execute_now(&connection, statement);
        Ok(executed.map(|Rows { columns, rows }| QueryResult { columns, rows: to_guest(rows) }).map_err(Error::from))
    }

    fn last_insert_rowid(&mut self, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(self.table().get(&connection)?.last.row_id.load(Ordering::Relaxed))
    }

    fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(self.table().get(&connection)?.last.changes.load(Ordering::Relaxed))
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
        let (stores, connection) = accessor.with(|mut access| {
            let state = access.get();
            wasmtime::error::Ok((state.stores.clone(), state.table().get(&connection)?.clone()))
        })?;
        let statement = Statement { sql: sql.into(), parameters: from_guest(parameters) };
        let executed = stores.database.execute(connection, statement).await;
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
