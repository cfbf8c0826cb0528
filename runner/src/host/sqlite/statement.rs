//! Statements: what kind they are, how they run, what comes out.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, params_from_iter};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The largest result, which is held in memory. No page of records is so large.
const RESULT_BYTES_MAX: usize = 32 << 20;
/// The most statements whose kind is kept. The component has a few dozen.
const KINDS_MAX: usize = 1024;

/// A statement and its parameters.
pub(super) struct Statement {
    pub(super) sql: Arc<str>,
    pub(super) parameters: Vec<Value>,
}

impl Statement {
    /// About how much memory it takes while it waits.
    pub(super) fn bytes(&self) -> usize {
        let size = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Blob(blob) => blob.len(),
            Value::Null | Value::Integer(_) | Value::Real(_) => 0,
        };
        self.sql.len() + self.parameters.iter().map(|value| size_of::<Value>() + size(value)).sum::<usize>()
    }

    /// Runs it to completion.
    pub(super) fn run(&self, connection: &Connection) -> Result<Rows, rusqlite::Error> {
        let mut prepared = connection.prepare_cached(&self.sql)?;
        let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let mut cursor = prepared.query(params_from_iter(&self.parameters))?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while let Some(row) = cursor.next()? {
            let values = (0..width).map(|index| row.get_ref(index).map(owned)).collect::<Result<Vec<_>, _>>()?;
            bytes += values.iter().map(size).sum::<usize>();
            if bytes > RESULT_BYTES_MAX {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_TOOBIG),
                    Some("the result is larger than 32 MiB; ask for smaller pages".to_owned()),
                ));
            }
            rows.push(values);
        }
        Ok(Rows { columns, rows })
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => size_of::<Value>() + text.len(),
        Value::Blob(blob) => size_of::<Value>() + blob.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => size_of::<Value>(),
    }
}

/// SQLite stores any bytes as TEXT. If they are not UTF-8 that must not end the process, as it does in Spin.
fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
        ValueRef::Blob(value) => Value::Blob(value.to_owned()),
    }
}

/// The result of a statement.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Column names.
    pub(crate) columns: Vec<String>,
    /// Values, row by row.
    pub(crate) rows: Vec<Vec<Value>>,
}

/// Why a statement failed.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The queue of writes is full.
    QueueFull,
    /// The interface does not allow it.
    Refused(&'static str),
    /// The database cannot be used at the moment.
    Busy(String),
    /// The statement itself is wrong.
    Sql(String),
}

impl Failure {
    /// The process is ending.
    pub(super) fn closed() -> Failure {
        Failure::Busy("the database was closed".to_owned())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        match error.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied) => {
                Failure::Refused("not allowed here: transactions, savepoints, ATTACH and PRAGMA belong to the host")
            }
            Some(code) if is_trouble(code) => Failure::Busy(error.to_string()),
            _ => Failure::Sql(error.to_string()),
        }
    }
}

/// Whether an error is about the database and not about the statement, so that trying again may help.
pub(super) fn is_trouble(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
    )
}

/// Whether the file itself is broken.
pub(super) fn is_damage(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
}

/// The kind of a statement, which decides where it runs and when it resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes something and returns no rows.
    Write,
    /// It changes something and returns rows (RETURNING).
    WriteWithRows,
    /// It changes nothing.
    Read,
}

impl Kind {
    /// Asks SQLite. The connection's authorizer refuses what guests may not do.
    pub(super) fn of(sql: &str, connection: &Connection) -> Result<Kind, rusqlite::Error> {
        let prepared = connection.prepare(sql)?;
        Ok(match (prepared.readonly(), prepared.column_count()) {
            (true, _) => Kind::Read,
            (false, 0) => Kind::Write,
            (false, _) => Kind::WriteWithRows,
        })
    }
}

/// The kind of a write without rows, if the text alone shows that it is one.
pub(super) fn plain_write(sql: &str) -> Option<Kind> {
    let mut words = sql.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let verb = words.find(|word| !word.is_empty())?.to_ascii_uppercase();
    let writes = ["INSERT", "REPLACE", "UPDATE", "DELETE"].contains(&verb.as_str());
    let starts_with_verb = sql.trim_start().get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(&verb));
    let returns = words.any(|word| word.eq_ignore_ascii_case("RETURNING"));
    (writes && starts_with_verb && !returns).then_some(Kind::Write)
}

/// The kinds of the statements seen so far, by text.
#[derive(Default)]
pub(super) struct Kinds(RwLock<HashMap<Arc<str>, Kind>>);

impl Kinds {
    pub(super) fn get(&self, sql: &str) -> Option<Kind> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(sql).copied()
    }

    pub(super) fn insert(&self, sql: Arc<str>, kind: Kind) {
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= KINDS_MAX {
            kinds.clear();
        }
        kinds.insert(sql, kind);
    }
}
