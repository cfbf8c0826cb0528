//! How fast a client sends a body. The component holds what has come, so a client that sends a byte a minute would hold
//! that memory for hours. No timer of its own: nearly every body makes its reader wait once, for a moment, and the
//! connection's timer looks often enough.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// How long a body may be waited for even if nothing comes. What came quickly buys no more, or most of a large body would
/// buy hours for the rest of it.
const GRACE: Duration = Duration::from_secs(10);
/// How many bytes must come for each further second of waiting.
const BYTES_PER_SECOND_MIN: u64 = 1 << 10;

/// A body on its way in. Only the time in which the component waits for it counts.
#[derive(Default)]
pub(super) struct Upload(Mutex<State>);

struct State {
    /// How much longer it may be waited for, from the beginning of the present wait.
    left: Duration,
    waits: Option<(Instant, Waker)>,
    too_slow: bool,
}

impl Default for State {
    fn default() -> State {
        State { left: GRACE, waits: None, too_slow: false }
    }
}

impl State {
    /// When the present wait is too long if nothing comes.
    fn due(&self) -> Option<Instant> {
        self.waits.as_ref().map(|(since, _)| *since + self.left)
    }
}

impl Upload {
    pub(super) fn new() -> Arc<Upload> {
        Arc::default()
    }

    /// Notes that this many bytes came, or the end.
    pub(super) fn received(&self, bytes: usize, now: impl FnOnce() -> Instant) {
        let mut state = self.state();
        if let Some((since, _)) = state.waits.take() {
            state.left = state.left.saturating_sub(now() - since);
        }
        let bought = Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / BYTES_PER_SECOND_MIN);
        state.left = (state.left + bought).min(GRACE);
    }

    /// Called while nothing has come. Ready when the client is too slow.
    pub(super) fn poll_too_slow(&self, context: &Context<'_>, now: impl FnOnce() -> Instant) -> Poll<()> {
        let mut state = self.state();
        if state.too_slow {
            return Poll::Ready(());
        }
        let since = state.waits.take().map_or_else(now, |(since, _)| since);
        state.waits = Some((since, context.waker().clone()));
        Poll::Pending
    }

    /// Fails the body if it is too slow by now; otherwise tells when that may be.
    pub(super) fn look(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let due = state.due()?;
        if due > now {
            return Some(due);
        }
        state.too_slow = true;
        let waits = state.waits.take();
        drop(state);
        if let Some((_, waker)) = waits {
            waker.wake();
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wait(upload: &Upload, now: Instant) -> Poll<()> {
        upload.poll_too_slow(&Context::from_waker(Waker::noop()), || now)
    }

    #[test]
    fn a_body_that_brings_nothing_fails_after_ten_seconds_of_waiting() {
        let (upload, start) = (Upload::new(), Instant::now());
        assert_eq!(upload.look(start + 60 * SECOND), None, "nobody waits for it");
        assert!(wait(&upload, start).is_pending());
        assert_eq!(upload.look(start + 9 * SECOND), Some(start + 10 * SECOND));
        assert!(wait(&upload, start + 9 * SECOND).is_pending());
        assert_eq!(upload.look(start + 10 * SECOND), None);
        assert!(wait(&upload, start + 10 * SECOND).is_ready());
    }

    #[test]
    fn each_kibibyte_buys_a_second() {
        let (upload, start) = (Upload::new(), Instant::now());
        for second in 0..60 {
            assert!(wait(&upload, start + second * SECOND).is_pending());
            assert!(upload.look(start + (second + 1) * SECOND).is_some(), "1 KiB a second is fast enough");
            upload.received(1 << 10, || start + (second + 1) * SECOND);
        }
        assert!(wait(&upload, start + 60 * SECOND).is_pending());
        assert_eq!(upload.look(start + 69 * SECOND), Some(start + 70 * SECOND));
        assert_eq!(upload.look(start + 70 * SECOND), None);
        assert!(wait(&upload, start + 70 * SECOND).is_ready());
    }

    #[test]
    fn what_came_quickly_buys_ten_seconds_and_no_more() {
        let (upload, start) = (Upload::new(), Instant::now());
        assert!(wait(&upload, start).is_pending());
        upload.received(32 << 20, || start + SECOND);
        assert!(wait(&upload, start + SECOND).is_pending());
        for second in 1..13 {
            assert!(upload.look(start + second * SECOND).is_some(), "{second}");
            upload.received(200, || start + second * SECOND);
            assert!(wait(&upload, start + second * SECOND).is_pending());
        }
        assert_eq!(upload.look(start + 14 * SECOND), None, "200 bytes a second buy a fifth of it");
        assert!(wait(&upload, start + 14 * SECOND).is_ready());
    }

    #[test]
    fn time_in_which_nobody_waits_is_not_the_clients() {
        let (upload, start) = (Upload::new(), Instant::now());
        assert!(wait(&upload, start).is_pending());
        upload.received(1, || start + SECOND);
        assert!(wait(&upload, start + 100 * SECOND).is_pending());
        assert!(upload.look(start + 108 * SECOND).is_some());
        assert_eq!(upload.look(start + 110 * SECOND), None);
    }
}
