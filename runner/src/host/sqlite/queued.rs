//! The runner's database: writes are queued and committed in batches by one thread (`writer`), reads have a connection and
//! thread of their own (`reader`). All handles share them.

use super::reader::Reader;
use super::statement::{self, Failure, Kind, Kinds, Statement};
use super::store;
use super::writer::Writer;
use super::{Execution, LastWrite, Status, TroubleReport};
use anyhow::Result;
use rusqlite::types::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Both halves of the database.
pub(crate) struct QueuedDatabase {
    writer: Writer,
    reader: Reader,
    kinds: Kinds,
}

impl QueuedDatabase {
    /// Opens or creates the file. A damaged file is set aside. If the file is locked or the disk full, the database
    /// waits instead of failing.
    pub(crate) fn open(file: &Path) -> Result<QueuedDatabase> {
        store::assert_version()?;
        let writer = Writer::start(file)?;
        let reader = Reader::start(file, writer.progress())?;
        Ok(QueuedDatabase { writer, reader, kinds: Kinds::default() })
    }

    /// Runs a statement: a write without columns resolves when queued, everything else with its rows.
    pub(super) async fn execute(
        &self,
        sql: Arc<str>,
        parameters: Vec<Value>,
        last: Arc<LastWrite>,
    ) -> Result<Execution, Failure> {
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
    pub(super) fn execute_now(
        &self,
        sql: Arc<str>,
        parameters: Vec<Value>,
        last: Arc<LastWrite>,
    ) -> Result<(), Failure> {
        if self.kinds.get(&sql) != Some(Kind::Write) {
            return Err(Failure::Refused("a statement that was not run before, or has rows: use execute-async"));
        }
        self.writer.queue(Statement { sql, parameters }, last).map(|_| ())
    }

    /// Waits until everything in the queue is committed.
    pub(super) fn flush(&self, limit: Duration) -> Result<()> {
        self.writer.flush(limit)
    }

    /// Ends both threads; false when they do not end within the limit. What is queued should be flushed before. The
    /// writer is last, since the last connection to leave moves what is in the WAL into the file itself.
    pub(super) fn close(&self, limit: Duration) -> bool {
        let read = self.reader.close(limit);
        self.writer.close(limit) && read
    }

    /// The counters, for metrics.
    pub(super) fn status(&self) -> Status {
        self.writer.status()
    }

    /// What is wrong with the database, for readiness checks.
    pub(super) fn trouble(&self) -> Option<TroubleReport> {
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
