//! How often an instance looks at what other instances may have changed.

use std::cell::Cell;

use crate::host;

/// How long a result is used without another look.
const RECENT_MS: u64 = 100;

/// While one call looks, the others use the last result if it is no older than this.
const LATE_MS_MAX: u64 = 250;

/// Waits until no instance uses what it read before now, so that a caller who gets an answer can rely on a change.
pub(crate) async fn seen_by_all() {
    if host::REMEMBERS {
        host::wait_ms(LATE_MS_MAX + 1).await;
    }
}

/// When looks began, on the monotonic clock, which may begin with the instance; `None` if there was none.
#[derive(Default)]
pub(super) struct LookTimes {
    begun_ms: Cell<Option<u64>>,
    /// When the last finished look began.
    done_ms: Cell<Option<u64>>,
}

impl LookTimes {
    /// Whether a look is due.
    pub(super) fn is_due(&self) -> bool {
        let now_ms = host::now_ms();
        let within = |at: &Cell<Option<u64>>, ms: u64| at.get().is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < ms);
        let others_look = within(&self.begun_ms, RECENT_MS) && within(&self.done_ms, LATE_MS_MAX);
        !others_look && !within(&self.done_ms, RECENT_MS)
    }

    /// Begins a look, and returns its time.
    pub(super) fn begin(&self) -> u64 {
        let now_ms = host::now_ms();
        self.begun_ms.set(Some(now_ms));
        now_ms
    }

    /// Ends the look that began at this time.
    pub(super) fn end(&self, begun_ms: u64) {
        self.done_ms.set(self.done_ms.get().max(Some(begun_ms)));
    }
}
