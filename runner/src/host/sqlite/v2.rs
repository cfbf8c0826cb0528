//! The interface as it was in Spin 2 and 3, for tests of the component's WASI 0.2 build.

use super::statement::{Rows, Statement};
use super::{Connection, Execution, Failure, LABEL};
use crate::bindings::v2::sqlite::{Error, Host, HostConnection, QueryResult, RowResult, Value as GuestValue};
use crate::instance::State;
use rusqlite::types::Value;
use wasmtime::component::Resource;

impl Host for &mut State {}

impl HostConnection for &mut State {
    async fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        if label != LABEL {
            return Ok(Err(Error::NoSuchDatabase));
        }
        let connection = self.stores.database.connect();
        Ok(Ok(self.table().push(connection)?))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        sql: String,
        parameters: Vec<GuestValue>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let connection = self.table().get(&connection)?.clone();
        let stores = self.stores.clone();
        let statement = Statement { sql: sql.into(), parameters: parameters.into_iter().map(from_guest).collect() };
        Ok(match stores.database.execute(connection, statement).await {
            Ok(Execution::Done(Rows { columns, rows })) => Ok(QueryResult { columns, rows: to_guest(rows) }),
            Ok(Execution::Queued(_)) => Ok(QueryResult { columns: Vec::new(), rows: Vec::new() }),
            Err(Failure::QueueFull) => Err(Error::DatabaseFull),
            Err(Failure::Refused(reason)) => Err(Error::Io(reason.to_owned())),
            Err(Failure::Busy(reason) | Failure::Sql(reason)) => Err(Error::Io(reason)),
        })
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table().delete(connection)?;
        Ok(())
    }
}

fn from_guest(value: GuestValue) -> Value {
    match value {
        GuestValue::Integer(value) => Value::Integer(value),
        GuestValue::Real(value) => Value::Real(value),
        GuestValue::Text(value) => Value::Text(value),
        GuestValue::Blob(value) => Value::Blob(value),
        GuestValue::Null => Value::Null,
    }
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
