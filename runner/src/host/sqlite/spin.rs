//! The database as Spin 4.1 has it, for tests: a connection for each `open`, on which one statement runs at a time, SQLite's
//! own journal until the component asks for another, and five seconds of waiting for a lock. What Spin does stands in its
//! `crates/sqlite-inproc/src/lib.rs` and `crates/factor-sqlite/src/host.rs`. It hands rows on as they come; here they come at
//! once.

use super::LastWrite;
use super::statement::{Failure, Rows, Statement};
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What rusqlite sets and Spin leaves as it is.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file that connections open.
pub(crate) struct SpinDatabase {
    file: PathBuf,
    refuses_pragmas: bool,
}

/// The connection of one handle, opened with its first statement.
pub(super) struct OwnConnection {
    file: PathBuf,
    refuses_pragmas: bool,
    connection: Mutex<Option<Connection>>,
}

impl SpinDatabase {
    pub(crate) fn new(file: &Path, refuses_pragmas: bool) -> SpinDatabase {
        SpinDatabase { file: file.to_owned(), refuses_pragmas }
    }

    pub(super) fn connect(&self) -> OwnConnection {
        let SpinDatabase { file, refuses_pragmas } = self;
        OwnConnection { file: file.clone(), refuses_pragmas: *refuses_pragmas, connection: Mutex::default() }
    }
}

impl OwnConnection {
    /// Runs a statement on a thread of its own, whoever still waits for it.
    pub(super) async fn run(self: Arc<Self>, statement: Statement, last: Arc<LastWrite>) -> Result<Rows, Failure> {
        let ran = tokio::task::spawn_blocking(move || self.run_now(&statement, &last)).await;
        ran.unwrap_or_else(|_| Err(Failure::closed()))
    }

    /// Runs a statement where the caller waits.
    pub(super) fn run_now(&self, statement: &Statement, last: &LastWrite) -> Result<Rows, Failure> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match &mut *connection {
            Some(connection) => connection,
            empty => empty.insert(self.open()?),
        };
        let rows = statement.run(connection)?;
        last.set(connection.changes(), connection.last_insert_rowid());
        Ok(rows)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let mut connection = Connection::open(&self.file)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let refuses_pragmas = self.refuses_pragmas;
        connection.authorizer(Some(move |context: AuthContext<'_>| match context.action {
            AuthAction::Attach { filename } if !matches!(filename, "" | ":memory:") => Authorization::Deny,
            AuthAction::Pragma { .. } if refuses_pragmas => Authorization::Deny,
            _ => Authorization::Allow,
        }))?;
        Ok(connection)
    }
}
