//! The writer: one thread, one connection, one bounded queue. Statements are committed many at a time, because a
//! commit costs far more than a row. While the database cannot be written (locked, disk full, I/O errors) the queue is
//! kept and tried again; only when it is full are statements refused, and counted.

use super::statement::{Failure, Rows, Statement, is_damage, is_trouble};
use super::store::{self, Journal};
use super::{Last, Status};
use crate::log;
use anyhow::{Context, Result, bail};
use rusqlite::{Connection, ErrorCode};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

pub(super) const STATEMENTS_MAX: usize = 10_000;
pub(super) const BYTES_MAX: usize = 32 << 20;
/// One transaction's share: a longer one would make readers of fresh rows wait.
const BATCH_MAX: usize = 1_000;
/// After a batch of several, the writer lets the next one gather instead of committing row by row.
const LINGER: Duration = Duration::from_millis(2);
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// A caller who waits for rows is told of trouble after this long (`design/host.md`: reserve waits 250 ms).
const PATIENCE: Duration = Duration::from_millis(250);
/// Imitating Spin every statement gives up: its busy timeout.
const PATIENCE_SPIN: Duration = Duration::from_secs(5);
/// Free pages a file may keep for coming rows, 4 MiB; beyond them a few are given back after each batch.
const FREE_PAGES_MAX: u32 = 1_024;

/// The handle other threads hold.
pub(super) struct Writer {
    progress: Arc<Progress>,
}

/// The queue, and how far it has come; the reader waits on it for what was written before.
pub(super) struct Progress {
    state: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Statements and bytes that are not settled, in the queue or in the writer's hands.
    statements: usize,
    bytes: usize,
    queued: u64,
    settled: u64,
    refused: u64,
    /// Callers who wait for rows; they end the linger.
    urgent: usize,
    sleep: Sleep,
    /// Raised each time the file is replaced, so that the reader follows.
    generation: u64,
    closing: bool,
}

#[derive(Default, PartialEq)]
enum Sleep {
    #[default]
    Awake,
    Lingering,
    Idle,
}

struct Job {
    statement: Statement,
    bytes: usize,
    last: Arc<Last>,
    reply: Reply,
    since: Option<Instant>,
}

enum Reply {
    Done(oneshot::Sender<Result<(), Failure>>),
    Rows(oneshot::Sender<Result<Rows, Failure>>),
}

impl Writer {
    pub(super) fn start(file: &Path, journal: Journal) -> Result<Writer> {
        let progress = Arc::new(Progress { state: Mutex::default(), changed: Condvar::new() });
        let mut thread = Thread::new(file.to_owned(), journal, progress.clone());
        // Tried here once, so that the file exists when the reader opens it; trouble is the thread's to wait out.
        if let Err(error) = thread.connect() {
            log::warn(format_args!("{} cannot be opened yet: {error}", file.display()));
        }
        let run = move || thread.run();
        std::thread::Builder::new().name("writer".to_owned()).spawn(run).context("no thread for the writer")?;
        Ok(Writer { progress })
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Queues a write. The receiver resolves when it is committed, and may be dropped.
    pub(super) fn queue(
        &self,
        statement: Statement,
        last: Arc<Last>,
    ) -> Result<oneshot::Receiver<Result<(), Failure>>, Failure> {
        let (reply, outcome) = oneshot::channel();
        self.push(statement, last, Reply::Done(reply))?;
        Ok(outcome)
    }

    /// Runs a write and waits for its rows.
    pub(super) async fn run(&self, statement: Statement, last: Arc<Last>) -> Result<Rows, Failure> {
        let (reply, outcome) = oneshot::channel();
        self.push(statement, last, Reply::Rows(reply))?;
        outcome.await.unwrap_or_else(|_| Err(Failure::Busy("the database was closed".to_owned())))
    }

    /// The number of the last statement queued so far.
    pub(super) fn queued_until(&self) -> u64 {
        self.progress.lock().queued
    }

    pub(super) fn status(&self) -> Status {
        let queue = self.progress.lock();
        Status { queued: queue.statements as u64, refused: queue.refused }
    }

    pub(super) fn flush(&self, limit: Duration) -> Result<()> {
        let until = self.queued_until();
        if !self.progress.wait_for(until, limit) {
            bail!("{} statements could not be written before the end", self.status().queued);
        }
        Ok(())
    }

    fn push(&self, statement: Statement, last: Arc<Last>, reply: Reply) -> Result<(), Failure> {
        let bytes = statement.bytes();
        let urgent = matches!(reply, Reply::Rows(_));
        let mut queue = self.progress.lock();
        if queue.statements >= STATEMENTS_MAX || queue.bytes.saturating_add(bytes) > BYTES_MAX {
            queue.refused += 1;
            return Err(Failure::QueueFull);
        }
        queue.statements += 1;
        queue.bytes += bytes;
        queue.queued += 1;
        queue.urgent += usize::from(urgent);
        // Only what may give up needs to know how long it has waited; reading the clock is not free.
        let since = urgent.then(Instant::now);
        queue.waiting.push_back(Job { statement, bytes, last, reply, since });
        let wake = queue.sleep == Sleep::Idle || (urgent && queue.sleep == Sleep::Lingering);
        drop(queue);
        // A writer that is awake looks at the queue anyway: no system call then.
        if wake {
            self.progress.changed.notify_all();
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.progress.lock().closing = true;
        self.progress.changed.notify_all();
    }
}

impl Progress {
    /// Waits until that statement is settled; false when the limit passed first.
    pub(super) fn wait_for(&self, until: u64, limit: Duration) -> bool {
        let queue = self.lock();
        let unsettled = |queue: &mut Queue| queue.settled < until;
        let waited = self.changed.wait_timeout_while(queue, limit, unsettled);
        waited.unwrap_or_else(PoisonError::into_inner).0.settled >= until
    }

    /// Which file the writer is on.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Thread {
    file: PathBuf,
    journal: Journal,
    progress: Arc<Progress>,
    connection: Option<Connection>,
}

/// Why a batch was not committed: nothing of it is on the disk.
struct Trouble(rusqlite::Error);

impl Thread {
    fn new(file: PathBuf, journal: Journal, progress: Arc<Progress>) -> Thread {
        Thread { file, journal, progress, connection: None }
    }

    fn run(mut self) {
        let mut batch = Vec::new();
        let mut gathers = false;
        loop {
            self.take(&mut batch, gathers);
            if batch.is_empty() {
                return;
            }
            gathers = batch.len() > 1;
            self.commit(&mut batch);
        }
    }

    /// Fills the batch; waits while there is nothing. Empty: the writer is closing.
    fn take(&self, batch: &mut Vec<Job>, gathers: bool) {
        let mut queue = self.progress.lock();
        if gathers && queue.urgent == 0 && queue.waiting.len() < BATCH_MAX {
            queue.sleep = Sleep::Lingering;
            let calm = |queue: &mut Queue| queue.urgent == 0 && !queue.closing;
            let waited = self.progress.changed.wait_timeout_while(queue, LINGER, calm);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.sleep = Sleep::Idle;
        let nothing = |queue: &mut Queue| queue.waiting.is_empty() && !queue.closing;
        queue = self.progress.changed.wait_while(queue, nothing).unwrap_or_else(PoisonError::into_inner);
        queue.sleep = Sleep::Awake;
        let count = queue.waiting.len().min(BATCH_MAX);
        batch.extend(queue.waiting.drain(..count));
        queue.urgent -= batch.iter().filter(|job| job.since.is_some()).count();
    }

    /// Commits the batch, however long that takes.
    fn commit(&mut self, batch: &mut Vec<Job>) {
        let (mut pause, mut warned) = (RETRY_FIRST, false);
        let since = Instant::now();
        while !batch.is_empty() {
            match self.attempt(batch) {
                Ok(outcomes) => {
                    if warned {
                        log::note(format_args!("{} can be written again", self.file.display()));
                    }
                    return self.settle(batch.drain(..).zip(outcomes).collect());
                }
                Err(Trouble(error)) => {
                    if !warned && since.elapsed() > PATIENCE {
                        warned = true;
                        log::warn(format_args!("{} cannot be written: {error}; records wait", self.file.display()));
                    }
                    self.recover(&error);
                    self.give_up(batch, &error);
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// One transaction. A statement that fails takes no other with it.
    fn attempt(&mut self, batch: &[Job]) -> Result<Vec<Outcome>, Trouble> {
        let connection = self.connect().map_err(Trouble)?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(Trouble)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for job in batch {
            match job.statement.run(connection) {
                Ok(rows) => outcomes.push(Ok((rows, connection.changes(), connection.last_insert_rowid()))),
                Err(error) if error.sqlite_error_code().is_some_and(is_trouble) || connection.is_autocommit() => {
                    // Some errors end the transaction by themselves; then this has nothing to do and says so.
                    let _ = connection.execute_batch("ROLLBACK");
                    return Err(Trouble(error));
                }
                Err(error) => outcomes.push(Err(Failure::from(error))),
            }
        }
        if let Err(error) = connection.execute_batch("COMMIT") {
            let _ = connection.execute_batch("ROLLBACK");
            return Err(Trouble(error));
        }
        give_back_pages(connection);
        Ok(outcomes)
    }

    fn connect(&mut self) -> rusqlite::Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            empty => Ok(empty.insert(store::open_or_replace(&self.file, self.journal)?)),
        }
    }

    /// After an I/O error the connection is not trusted any more (a failed fsync may have dropped pages).
    fn recover(&mut self, error: &rusqlite::Error) {
        let Some(code) = error.sqlite_error_code() else { return };
        if matches!(code, ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) {
            self.connection = None;
        }
        if is_damage(code) {
            self.connection = None;
            store::set_aside(&self.file, error);
            self.progress.lock().generation += 1;
        }
    }

    /// Answers those who do not wait for the trouble to end, in the batch and behind it.
    fn give_up(&self, batch: &mut Vec<Job>, error: &rusqlite::Error) {
        let now = Instant::now();
        let spin = self.journal == Journal::Delete;
        let over = |job: &mut Job| match job.since {
            Some(since) => now - since > PATIENCE,
            None if spin => now - *job.since.get_or_insert(now) > PATIENCE_SPIN,
            None => false,
        };
        let mut given_up: Vec<Job> = batch.extract_if(.., over).collect();
        {
            let mut queue = self.progress.lock();
            let mut waiting: Vec<Job> = std::mem::take(&mut queue.waiting).into();
            let late: Vec<Job> = waiting.extract_if(.., |job| job.since.is_some() && over(job)).collect();
            queue.urgent -= late.len();
            queue.waiting = waiting.into();
            given_up.extend(late);
        }
        let reason = error.to_string();
        self.settle(given_up.into_iter().map(|job| (job, Err(Failure::Busy(reason.clone())))).collect());
    }

    fn settle(&self, jobs: Vec<(Job, Outcome)>) {
        let (count, bytes) = (jobs.len(), jobs.iter().map(|(job, _)| job.bytes).sum::<usize>());
        for (job, outcome) in jobs {
            answer(job, outcome);
        }
        let mut queue = self.progress.lock();
        queue.statements -= count;
        queue.bytes -= bytes;
        queue.settled += count as u64;
        drop(queue);
        self.progress.changed.notify_all();
    }
}

/// Retention deletes in small batches and the file follows in small steps, so that neither holds the lock for long.
fn give_back_pages(connection: &Connection) {
    let free = connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, u32>(0));
    if free.is_ok_and(|free| free > FREE_PAGES_MAX) {
        // Best effort: the rows are committed whatever becomes of this.
        let _ = connection.execute_batch("PRAGMA incremental_vacuum(64)");
    }
}

type Outcome = Result<(Rows, u64, i64), Failure>;

/// A receiver that is gone is a guest that did not wait, which is the normal case for records.
fn answer(job: Job, outcome: Outcome) {
    let rows = outcome.map(|(rows, changes, row_id)| {
        job.last.set(changes, row_id);
        rows
    });
    match job.reply {
        Reply::Done(reply) => {
            if let Err(unheard) = reply.send(rows.map(|_| ()))
                && let Err(failure) = unheard
            {
                log::warn(format_args!("a write nobody waited for failed: {failure:?}"));
            }
        }
        Reply::Rows(reply) => drop(reply.send(rows)),
    }
}
