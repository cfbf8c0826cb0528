//! The writer: one thread, one connection, one bounded queue. Statements are committed many at a time, because a
//! commit costs far more than a row. While the database cannot be written (locked, disk full, I/O errors) the queue is
//! kept and tried again; only when it is full are statements refused, and counted.

use super::schema::Schema;
use super::statement::{Failure, Rows, Statement, is_damage, is_trouble};
use super::store;
use super::trouble::{self, Trouble};
use super::unheard::UnreportedFailures;
use super::{LastWrite, Status};
use crate::host::store_thread::StoreThread;
use crate::log;
use anyhow::{Result, bail};
use rusqlite::{Connection, ErrorCode};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

pub(super) const STATEMENTS_MAX: usize = 10_000;
pub(super) const BYTES_MAX: usize = 32 << 20;
/// A large statement must leave room for small ones, which are the records of calls: it is refused before the queue is
/// full.
const LARGE_BYTES: usize = 16 << 10;
const BYTES_MAX_OF_LARGE: usize = BYTES_MAX / 4 * 3;
/// The most statements of a transaction. A longer one would make readers of fresh rows wait.
const BATCH_MAX: usize = 1_000;
/// After a batch of several, the writer lets the next one gather instead of committing row by row.
const LINGER: Duration = Duration::from_millis(2);
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long a caller waits for rows while the file cannot be written. (Quota reservations wait 250 ms.)
const PATIENCE: Duration = Duration::from_millis(250);
/// How often the writer checks whether the file can be written again while nothing waits.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// How many free pages (3 MiB) the file keeps for new rows. Of the rest a few are given back after each batch.
const FREE_PAGES_MAX: u32 = 768;
const VACUUM: &str = "PRAGMA incremental_vacuum(64)";

/// The handle for other threads.
pub(super) struct Writer {
    progress: Arc<Progress>,
    thread: StoreThread,
}

/// The queue and its progress. The reader waits on it for earlier writes.
pub(super) struct Progress {
    state: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Statements and bytes that are not settled: in the queue or in the current batch.
    statements: usize,
    bytes: usize,
    queued: u64,
    settled: u64,
    refused: u64,
    failed: u64,
    /// Callers who wait for rows; they end the linger.
    urgent: usize,
    sleep: WriterState,
    /// When the current batch began.
    busy_since: Option<Instant>,
    /// What keeps statements from being written now.
    trouble: Option<Trouble>,
    /// Raised each time the file is opened, which may be another one then, so that the reader follows.
    generation: u64,
    closing: bool,
}

#[derive(Default, PartialEq)]
enum WriterState {
    #[default]
    Awake,
    Lingering,
    Retrying,
    Idle,
}

struct Job {
    statement: Statement,
    bytes: usize,
    last: Arc<LastWrite>,
    reply: Reply,
    since: Option<Instant>,
}

enum Reply {
    Done(oneshot::Sender<Result<(), Failure>>),
    Rows(oneshot::Sender<Result<Rows, Failure>>),
}

impl Job {
    /// When the statement gives up while the file cannot be written. None: never.
    fn deadline(&self) -> Option<Instant> {
        match self.reply {
            // An attempt may wait for the lock to its end.
            Reply::Rows(_) => self.since.map(|since| since + PATIENCE - store::BUSY_TIMEOUT_WRITER),
            Reply::Done(_) => None,
        }
    }
}

impl Writer {
    pub(super) fn start(file: &Path) -> Result<Writer> {
        let progress = Arc::new(Progress { state: Mutex::default(), changed: Condvar::new() });
        let mut thread = Thread::new(file.to_owned(), progress.clone());
        // Opened here once, so that the file exists when the reader opens it. On failure the thread tries again.
        if let Err(error) = thread.connect() {
            log::warn(format_args!("{} cannot be opened yet: {error}", file.display()));
        }
        let thread = StoreThread::start("writer", move || thread.run())?;
        Ok(Writer { progress, thread })
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Queues a write. The receiver resolves when it is committed, and may be dropped.
    pub(super) fn queue(
        &self,
        statement: Statement,
        last: Arc<LastWrite>,
    ) -> Result<oneshot::Receiver<Result<(), Failure>>, Failure> {
        let (reply, outcome) = oneshot::channel();
        self.push(statement, last, Reply::Done(reply))?;
        Ok(outcome)
    }

    /// Runs a write and waits for its rows.
    pub(super) async fn run(&self, statement: Statement, last: Arc<LastWrite>) -> Result<Rows, Failure> {
        let (reply, outcome) = oneshot::channel();
        self.push(statement, last, Reply::Rows(reply))?;
        outcome.await.unwrap_or_else(|_| Err(Failure::closed()))
    }

    /// The number of the last statement queued so far.
    pub(super) fn queued_until(&self) -> u64 {
        self.progress.lock().queued
    }

    pub(super) fn status(&self) -> Status {
        let queue = self.progress.lock();
        Status { queued: queue.statements as u64, refused: queue.refused, failed: queue.failed }
    }

    /// The trouble, if it is to be reported by now.
    pub(super) fn trouble(&self, now: Instant) -> Option<super::TroubleReport> {
        let queue = self.progress.lock();
        trouble::trouble_of(queue.trouble.as_ref(), queue.busy_since, queue.statements as u64, now)
    }

    pub(super) fn flush(&self, limit: Duration) -> Result<()> {
        let until = self.queued_until();
        if !self.progress.wait_for(until, limit) {
            bail!("{} statements could not be written to the database before llmio ended", self.status().queued);
        }
        Ok(())
    }

    /// Takes no more statements and ends the thread. Returns false if that takes longer than the limit.
    pub(super) fn close(&self, limit: Duration) -> bool {
        self.progress.close();
        self.thread.has_ended_within(limit)
    }

    fn push(&self, statement: Statement, last: Arc<LastWrite>, reply: Reply) -> Result<(), Failure> {
        let bytes = statement.bytes();
        let urgent = matches!(reply, Reply::Rows(_));
        let mut queue = self.progress.lock();
        if queue.closing {
            return Err(Failure::closed());
        }
        let now = queue.bytes.saturating_add(bytes);
        if bytes > LARGE_BYTES && now > BYTES_MAX_OF_LARGE {
            return Err(Failure::QueueFull);
        }
        if queue.statements >= STATEMENTS_MAX || now > BYTES_MAX {
            queue.refused += 1;
            queue.trouble.get_or_insert_with(|| Trouble::now("more is written than the disk takes")).lost += 1;
            return Err(Failure::QueueFull);
        }
        queue.statements += 1;
        queue.bytes += bytes;
        queue.queued += 1;
        queue.urgent += usize::from(urgent);
        // Only what may give up needs to know how long it has waited; reading the clock is not free.
        let since = urgent.then(Instant::now);
        queue.waiting.push_back(Job { statement, bytes, last, reply, since });
        let wake = match queue.sleep {
            WriterState::Awake => false,
            WriterState::Lingering | WriterState::Retrying => urgent,
            WriterState::Idle => true,
        };
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
        self.progress.close();
    }
}

impl Progress {
    /// Waits until a statement is settled. Returns false if that takes longer than the limit.
    pub(super) fn wait_for(&self, until: u64, limit: Duration) -> bool {
        let queue = self.lock();
        let unsettled = |queue: &mut Queue| queue.settled < until;
        let waited = self.changed.wait_timeout_while(queue, limit, unsettled);
        waited.unwrap_or_else(PoisonError::into_inner).0.settled >= until
    }

    /// The number of the file that the writer has open.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Thread {
    file: PathBuf,
    progress: Arc<Progress>,
    connection: Option<Connection>,
    schema: Schema,
    unheard: UnreportedFailures,
    /// Since when nothing could be written, and whether that was logged.
    failing: Option<(Instant, bool)>,
}

/// Why a batch was not committed. Nothing of it is on the disk.
struct CommitFailure(rusqlite::Error);

/// The next work of the writer.
#[derive(PartialEq)]
enum NextWork {
    Batch,
    /// Nothing to write, but the file could not be written a moment ago.
    Nothing,
    End,
}

impl Thread {
    fn new(file: PathBuf, progress: Arc<Progress>) -> Thread {
        let (schema, unheard) = (Schema::default(), UnreportedFailures::default());
        Thread { file, progress, connection: None, schema, unheard, failing: None }
    }

    fn run(mut self) {
        let mut batch = Vec::new();
        let mut gathers = false;
        loop {
            match self.take(&mut batch, gathers) {
                NextWork::Batch => {
                    gathers = batch.len() > 1;
                    self.commit(&mut batch);
                }
                NextWork::Nothing => self.probe(),
                NextWork::End => return,
            }
        }
    }

    /// Fills the batch, and waits while the queue is empty.
    fn take(&self, batch: &mut Vec<Job>, gathers: bool) -> NextWork {
        let mut queue = self.progress.lock();
        if gathers && queue.urgent == 0 && queue.waiting.len() < BATCH_MAX {
            queue.sleep = WriterState::Lingering;
            let calm = |queue: &mut Queue| queue.urgent == 0 && !queue.closing;
            let waited = self.progress.changed.wait_timeout_while(queue, LINGER, calm);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.sleep = WriterState::Idle;
        let nothing = |queue: &mut Queue| queue.waiting.is_empty() && !queue.closing;
        queue = match queue.trouble {
            None => self.progress.changed.wait_while(queue, nothing).unwrap_or_else(PoisonError::into_inner),
            Some(_) => {
                let waited = self.progress.changed.wait_timeout_while(queue, PROBE_EVERY, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        queue.sleep = WriterState::Awake;
        if queue.waiting.is_empty() {
            return if queue.closing { NextWork::End } else { NextWork::Nothing };
        }
        queue.busy_since = Some(Instant::now());
        let count = queue.waiting.len().min(BATCH_MAX);
        batch.extend(queue.waiting.drain(..count));
        queue.urgent -= batch.iter().filter(|job| job.since.is_some()).count();
        NextWork::Batch
    }

    /// Checks whether the file can be written again.
    fn probe(&mut self) {
        match self.attempt(&[]) {
            Ok(_) => self.recovered(),
            Err(CommitFailure(error)) => self.recover(&error),
        }
    }

    fn recovered(&mut self) {
        let was_logged = self.failing.take().is_some_and(|(_, trouble_of)| trouble_of);
        // Most commits follow a commit that went well; then there is nothing to look for.
        let lost = self.progress.lock().trouble.take().map_or(0, |trouble| trouble.lost);
        match (was_logged, lost) {
            (false, 0) => {}
            (_, 0) => log::note(format_args!("{} can be written again; nothing was lost", self.file.display())),
            (_, lost) => {
                log::warn(format_args!("{} can be written again; {lost} statements are lost", self.file.display()))
            }
        }
    }

    /// Commits the batch, trying again for as long as needed.
    fn commit(&mut self, batch: &mut Vec<Job>) {
        let mut pause = RETRY_FIRST;
        while !batch.is_empty() {
            match self.attempt(batch) {
                Ok(outcomes) => {
                    self.recovered();
                    return self.settle(batch.drain(..).zip(outcomes).collect());
                }
                Err(CommitFailure(error)) => {
                    self.warn_of(&error);
                    self.recover(&error);
                    if self.progress.lock().closing {
                        return self.fail(std::mem::take(batch), &error);
                    }
                    self.pause(batch, &error, pause);
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// Logs trouble once, but not a short lock.
    fn warn_of(&mut self, error: &rusqlite::Error) {
        self.progress.lock().trouble.get_or_insert_with(|| Trouble::now(&error.to_string()));
        let (since, warned) = self.failing.get_or_insert_with(|| (Instant::now(), false));
        if !*warned && since.elapsed() > PATIENCE {
            *warned = true;
            log::warn(format_args!(
                "{} cannot be written: {error}; records wait in memory until it can",
                self.file.display()
            ));
        }
    }

    /// Runs one transaction. A statement that fails does not affect the others.
    fn attempt(&mut self, batch: &[Job]) -> Result<Vec<Outcome>, CommitFailure> {
        let connection = self.connect().map_err(CommitFailure)?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(CommitFailure)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for job in batch {
            match job.statement.run(connection) {
                Ok(rows) => outcomes.push(Ok((rows, connection.changes(), connection.last_insert_rowid()))),
                Err(error) if error.sqlite_error_code().is_some_and(is_trouble) || connection.is_autocommit() => {
                    // Some errors end the transaction by themselves; then this has nothing to do and says so.
                    let _ = connection.execute_batch("ROLLBACK");
                    return Err(CommitFailure(error));
                }
                // Every instance adds the columns it needs, and SQLite has no `IF NOT EXISTS` for columns.
                Err(error) if error.to_string().contains("duplicate column name") => outcomes.push(Ok(NOTHING)),
                Err(error) => outcomes.push(Err(Failure::from(error))),
            }
        }
        if let Err(error) = connection.execute_batch("COMMIT") {
            let _ = connection.execute_batch("ROLLBACK");
            return Err(CommitFailure(error));
        }
        give_back_pages(connection);
        for (job, _) in batch.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()) {
            self.schema.remember(&job.statement);
        }
        Ok(outcomes)
    }

    fn connect(&mut self) -> rusqlite::Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            empty => {
                let connection = store::open_or_replace(&self.file)?;
                self.schema.create_if_empty(&connection)?;
                self.progress.lock().generation += 1;
                Ok(empty.insert(connection))
            }
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
        }
    }

    /// Waits before the next attempt. Statements with a deadline are answered in between.
    fn pause(&mut self, batch: &mut Vec<Job>, error: &rusqlite::Error, pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            let late = self.late(batch);
            self.fail(late, error);
            if batch.is_empty() || !self.sleep(batch, until) {
                return;
            }
        }
    }

    /// Sleeps. Returns true if a deadline ended the sleep early.
    fn sleep(&self, batch: &[Job], until: Instant) -> bool {
        let mut queue = self.progress.lock();
        queue.sleep = WriterState::Retrying;
        let first = batch.iter().filter_map(|job| job.deadline()).min();
        let early = loop {
            let urgent = match queue.urgent {
                0 => None,
                // They stand in the order in which they came.
                _ => queue.waiting.iter().find_map(|job| job.deadline()),
            };
            let deadline = first.into_iter().chain(urgent).min().filter(|deadline| *deadline < until);
            let (now, next) = (Instant::now(), deadline.unwrap_or(until));
            if now >= next || queue.closing {
                break deadline.is_some() && !queue.closing;
            }
            let waited = self.progress.changed.wait_timeout(queue, next - now);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        queue.sleep = WriterState::Awake;
        early
    }

    /// Removes the statements whose deadline has passed, from the batch and the queue.
    fn late(&self, batch: &mut Vec<Job>) -> Vec<Job> {
        let now = Instant::now();
        let over = |job: &mut Job| job.deadline().is_some_and(|deadline| deadline <= now);
        for job in batch.iter_mut() {
            job.since.get_or_insert(now);
        }
        let mut late: Vec<Job> = batch.extract_if(.., over).collect();
        let mut queue = self.progress.lock();
        if queue.urgent > 0 {
            let mut waiting: Vec<Job> = std::mem::take(&mut queue.waiting).into();
            let behind = late.len();
            late.extend(waiting.extract_if(.., over));
            queue.urgent -= late.len() - behind;
            queue.waiting = waiting.into();
        }
        late
    }

    fn fail(&mut self, jobs: Vec<Job>, error: &rusqlite::Error) {
        if !jobs.is_empty() {
            let reason = error.to_string();
            let turned_away = jobs.iter().filter(|job| matches!(job.reply, Reply::Rows(_))).count() as u64;
            if let Some(trouble) = &mut self.progress.lock().trouble {
                trouble.turned_away += turned_away;
                trouble.lost += jobs.len() as u64 - turned_away;
            }
            self.settle(jobs.into_iter().map(|job| (job, Err(Failure::Busy(reason.clone())))).collect());
        }
    }

    fn settle(&mut self, jobs: Vec<(Job, Outcome)>) {
        let (count, bytes) = (jobs.len(), jobs.iter().map(|(job, _)| job.bytes).sum::<usize>());
        let failed = jobs.iter().filter(|(_, outcome)| outcome.is_err()).count();
        for (job, outcome) in jobs {
            if let Some(failure) = answer(job, outcome) {
                self.unheard.add(failure);
            }
        }
        self.unheard.tell(Instant::now());
        let mut queue = self.progress.lock();
        queue.statements -= count;
        queue.bytes -= bytes;
        queue.settled += count as u64;
        queue.failed += failed as u64;
        if queue.statements == queue.waiting.len() {
            queue.busy_since = None;
        }
        drop(queue);
        self.progress.changed.notify_all();
    }
}

/// Retention deletes in small batches and the file follows in small steps, so that neither holds the lock for long.
fn give_back_pages(connection: &Connection) {
    let free = connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, u32>(0));
    if free.is_ok_and(|free| free > FREE_PAGES_MAX) {
        // Best effort: the rows are committed whatever becomes of this.
        let _ = vacuum(connection);
    }
}

/// Each step of this pragma gives back one page, so it has to be stepped to its end.
fn vacuum(connection: &Connection) -> rusqlite::Result<()> {
    let mut pragma = connection.prepare_cached(VACUUM)?;
    let mut steps = pragma.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}

type Outcome = Result<(Rows, u64, i64), Failure>;

/// What a statement did that had nothing to do.
const NOTHING: (Rows, u64, i64) = (Rows { columns: Vec::new(), rows: Vec::new() }, 0, 0);

/// Sends a result to whoever waits. For records nobody does, so a failure is then returned, to be logged.
fn answer(job: Job, outcome: Outcome) -> Option<Failure> {
    let rows = outcome.map(|(rows, changes, row_id)| {
        job.last.set(changes, row_id);
        rows
    });
    match job.reply {
        Reply::Done(reply) => reply.send(rows.map(|_| ())).err()?.err(),
        Reply::Rows(reply) => {
            drop(reply.send(rows));
            None
        }
    }
}
