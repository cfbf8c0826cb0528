//! How often an instance looks at what other instances may have changed.

use std::cell::Cell;

use crate::host;

/// What was looked at is not looked at again for this long.
const RECENT_MS: u64 = 100;

/// While one call looks, the others go on with what the last look found, if it is no older than this.
const LATE_MS_MAX: u64 = 250;

/// Waits until no instance goes by what it knew before now: whoever is answered may count on what changed.
pub(crate) async fn seen_by_all() {
    host::wait_ms(LATE_MS_MAX + 1).await;
}

/// When looks began. On the monotonic clock, which may begin with the instance: so none is not zero.
#[derive(Default)]
pub(super) struct Looks {
    begun_ms: Cell<Option<u64>>,
    /// Of the last one that is over.
    done_ms: Cell<Option<u64>>,
}

impl Looks {
    /// Whether a call has to look.
    pub(super) fn is_due(&self) -> bool {
        let now_ms = host::now_ms();
        let within = |at: &Cell<Option<u64>>, ms: u64| at.get().is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < ms);
        let others_look = within(&self.begun_ms, RECENT_MS) && within(&self.done_ms, LATE_MS_MAX);
        !others_look && !within(&self.done_ms, RECENT_MS)
    }

    /// A look begins: says when.
    pub(super) fn begin(&self) -> u64 {
        let now_ms = host::now_ms();
        self.begun_ms.set(Some(now_ms));
        now_ms
    }

    /// The look that began then is over.
    pub(super) fn end(&self, begun_ms: u64) {
        self.done_ms.set(self.done_ms.get().max(Some(begun_ms)));
    }
}
