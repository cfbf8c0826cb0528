//! Slots: the rows of the ledger that calls under way hold, one for each call and limit. Only the end of its call frees
//! a slot, and a call may end without reporting it, if its instance traps or its process is killed. So the row says
//! which call it belongs to, by a number made of the call's id, and since when. One row for all calls of a minute would
//! not do, since nobody could tell which of them have ended.

use super::{MINUTE_MS, Moment};
use crate::clock::Now;

/// How many random bits tell calls apart that began within the same millisecond. If two are equal, they share a row,
/// which does no harm.
const CHANCE_BITS: u32 = 20;

/// Slots have this number or a higher one, and no other row does, since those begin at a time in milliseconds.
pub(super) const SLOT_MIN: i64 = 1 << 53;

/// How long after its total time a call may still report its end.
const GRACE_MS: i64 = MINUTE_MS;

/// The slot number of the call with this id, a UUID of version 7: its time on the steady clock, and some of its random
/// bits. `None` if it is no such id.
pub fn slot(call: &str, now: Now) -> Option<i64> {
    let retry = call.get(call.len().checked_sub(CHANCE_BITS as usize / 4)?..)?;
    let retry = i64::from_str_radix(retry, 16).ok()?;
    Some(first_slot(now.kept_ms(born_ms(call)?)).saturating_add(retry))
}

/// When an id of version 7 was made, in Unix milliseconds.
pub fn born_ms(id: &str) -> Option<i64> {
    let (high, low) = (id.get(..8)?, id.get(9..13)?);
    Some((i64::from_str_radix(high, 16).ok()? << 16) | i64::from_str_radix(low, 16).ok()?)
}

/// The first slot of calls that began at this time.
pub fn first_slot(at_ms: i64) -> i64 {
    at_ms.clamp(0, i64::MAX >> CHANCE_BITS) << CHANCE_BITS
}

impl Moment {
    /// The moment for this call, which holds slots while it is under way.
    pub fn of_call(self, id: &str) -> Self {
        Moment { slot: slot(id, self.now), ..self }
    }

    /// The first slot that may still be held. Calls of an earlier start of the host's only process have ended, and so
    /// have calls that began longer ago than a call may last.
    pub fn first_held(&self) -> i64 {
        let total_ms = i64::try_from(self.total_ms_max).unwrap_or(i64::MAX);
        let oldest_ms = self.now.steady_ms.saturating_sub(total_ms).saturating_sub(GRACE_MS);
        first_slot(oldest_ms.max(self.boot_ms.unwrap_or(0))).max(SLOT_MIN)
    }

    /// The slot that is taken now. It also counts if the clock was set back.
    pub(super) fn own_slot(&self) -> i64 {
        self.slot.unwrap_or_else(|| first_slot(self.now.steady_ms)).max(self.first_held())
    }
}
