//! The reader: a connection of its own, so that a long listing never delays a record. It first waits, for a bounded
//! time, for what was queued before the question: a client sees its own writes.

use super::statement::{Failure, Kind, Rows, Statement};
use super::store;
use super::writer::Progress;
use crate::host::store_thread::StoreThread;
use anyhow::Result;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a read waits for earlier writes. After that it returns what is committed.
const WAIT_MAX: Duration = Duration::from_millis(250);
const READ_MAX: Duration = Duration::from_secs(2);
/// Virtual machine steps between two looks at the clock.
const STEPS: i32 = 10_000;
/// The most reads that wait, each of which holds a client's request. Others are refused.
const QUEUE_MAX: usize = 256;

/// The handle for other threads.
pub(super) struct Reader {
    /// None once it is closed.
    questions: Mutex<Option<mpsc::SyncSender<Question>>>,
    thread: StoreThread,
}

struct Question {
    after: u64,
    ask: QuestionKind,
}

enum QuestionKind {
    Kind(Arc<str>, oneshot::Sender<Result<Kind, Failure>>),
    Rows(Statement, oneshot::Sender<Result<Rows, Failure>>),
}

impl Reader {
    pub(super) fn start(file: &Path, progress: Arc<Progress>) -> Result<Reader> {
        let (questions, receiver) = mpsc::sync_channel(QUEUE_MAX);
        let mut thread = Thread { file: file.to_owned(), progress, connection: None };
        let run = move || {
            for question in receiver {
                thread.answer(question);
            }
        };
        let thread = StoreThread::start("reader", run)?;
        Ok(Reader { questions: Mutex::new(Some(questions)), thread })
    }

    /// Answers the reads in the queue and ends the thread. Returns false if that takes longer than the limit.
    pub(super) fn close(&self, limit: Duration) -> bool {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.thread.has_ended_within(limit)
    }

    /// The kind of a statement. An error if it is invalid or not allowed.
    pub(super) async fn classify(&self, sql: Arc<str>, after: u64) -> Result<Kind, Failure> {
        self.ask(after, |reply| QuestionKind::Kind(sql, reply)).await
    }

    /// Runs a statement that changes nothing.
    pub(super) async fn select(&self, statement: Statement, after: u64) -> Result<Rows, Failure> {
        self.ask(after, |reply| QuestionKind::Rows(statement, reply)).await
    }

    async fn ask<T>(
        &self,
        after: u64,
        ask: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> QuestionKind,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let full = |_| Failure::Busy("too many reads are waiting".to_owned());
        {
            let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
            let questions = questions.as_ref().ok_or_else(Failure::closed)?;
            questions.try_send(Question { after, ask: ask(reply) }).map_err(full)?;
        }
        answer.await.unwrap_or_else(|_| Err(Failure::closed()))
    }
}

struct Thread {
    file: PathBuf,
    progress: Arc<Progress>,
    connection: Option<(u64, TimedConnection)>,
}

/// A connection whose statements are interrupted at a deadline.
struct TimedConnection {
    connection: Connection,
    late: Arc<Clock>,
}

/// The deadline of the current read.
struct Clock {
    running: AtomicBool,
    until: Mutex<Instant>,
}

impl Thread {
    fn answer(&mut self, question: Question) {
        self.progress.wait_for(question.after, WAIT_MAX);
        match question.ask {
            QuestionKind::Kind(sql, reply) => drop(reply.send(self.with(|connection| Kind::of(&sql, connection)))),
            QuestionKind::Rows(statement, reply) => drop(reply.send(self.with(|connection| statement.run(connection)))),
        }
    }

    fn with<T>(&mut self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        let generation = self.progress.generation();
        let current = self.connection.take().filter(|(opened, _)| *opened == generation);
        let (_, guarded) = match current {
            Some(current) => self.connection.insert(current),
            None => self.connection.insert((generation, TimedConnection::open(&self.file)?)),
        };
        Ok(guarded.run(run)?)
    }
}

impl TimedConnection {
    fn open(file: &Path) -> rusqlite::Result<TimedConnection> {
        let mut connection = store::open_to_read(file)?;
        let late = Arc::new(Clock { running: AtomicBool::new(false), until: Mutex::new(Instant::now()) });
        let clock = late.clone();
        connection.progress_handler(STEPS, Some(move || clock.is_over()))?;
        connection.authorizer(Some(|context: AuthContext<'_>| allow(context.action)))?;
        Ok(TimedConnection { connection, late })
    }

    fn run<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.late.start();
        let outcome = run(&self.connection);
        self.late.running.store(false, Ordering::Relaxed);
        outcome
    }
}

impl Clock {
    fn start(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + READ_MAX;
        self.running.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.running.load(Ordering::Relaxed)
            && Instant::now() > *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statements of all guests share one connection and one transaction, so none of them may begin or end a transaction or
/// attach another file.
fn allow(action: AuthAction<'_>) -> Authorization {
    match action {
        // Any guest may ask for the size of the database; without a value, none of these changes anything.
        AuthAction::Pragma { pragma_name: "page_count" | "freelist_count" | "page_size", pragma_value: None } => {
            Authorization::Allow
        }
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::Pragma { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}
