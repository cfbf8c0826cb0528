//! The thread of a store. Unlike for a `JoinHandle` there is a limit to the wait for its end, since a database that is
//! locked or hangs on its disk must not keep the process from ending.

use anyhow::{Context, Result};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::Builder;
use std::time::Duration;

/// A thread that was started.
pub(super) struct StoreThread {
    /// Nothing is ever sent: the channel closes when the thread ends.
    end: Mutex<mpsc::Receiver<()>>,
}

impl StoreThread {
    /// Starts the thread. What `run` owns is dropped before the thread counts as ended.
    pub(super) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<StoreThread> {
        let (alive, end) = mpsc::channel::<()>();
        let main = move || {
            run();
            drop(alive);
        };
        Builder::new()
            .name(name.to_owned())
            .spawn(main)
            .with_context(|| format!("the thread of the {name} cannot be started"))?;
        Ok(StoreThread { end: Mutex::new(end) })
    }

    /// Waits for the end. Returns `false` if the limit passed first.
    pub(super) fn has_ended_within(&self, limit: Duration) -> bool {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Disconnected)
    }
}
