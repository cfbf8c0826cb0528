//! Slots: the rows of the ledger that calls under way hold, one for each call and limit. Nothing but the end of its call
//! frees a slot, and a call may end without a word: its instance traps, or its process is killed. So the row says whose
//! it is, by a number made of the call's id, and since when. Not one row for all calls of a minute: nobody could tell
//! which of them are over.

use super::{MINUTE_MS, Moment};

/// Calls that began within the same millisecond are told apart by so many bits of chance. Two that have the same are no
/// harm: they share a row.
const CHANCE_BITS: u32 = 20;

/// No slot is below this, and no other row above: those begin at a time in milliseconds.
pub(super) const SLOT_MIN: i64 = 1 << 53;

/// A call that is over has said so by its total time; this much later nobody waits for its word.
const GRACE_MS: i64 = MINUTE_MS;

/// The number of the slots of the call with this id, a UUID of version 7: its time, and the chance at its end. `None`: it is
/// no such id.
pub fn slot(call: &str) -> Option<i64> {
    let retry = call.get(call.len().checked_sub(CHANCE_BITS as usize / 4)?..)?;
    let retry = i64::from_str_radix(retry, 16).ok()?;
    Some(first_slot(born_ms(call)?).saturating_add(retry))
}

/// When an id of version 7 was made, Unix milliseconds.
pub fn born_ms(id: &str) -> Option<i64> {
    let (high, low) = (id.get(..8)?, id.get(9..13)?);
    Some((i64::from_str_radix(high, 16).ok()? << 16) | i64::from_str_radix(low, 16).ok()?)
}

/// The first slot of calls that began at this time.
pub fn first_slot(at_ms: i64) -> i64 {
    at_ms.clamp(0, i64::MAX >> CHANCE_BITS) << CHANCE_BITS
}

impl Moment {
    /// The moment as this call sees it, for what it holds while it is under way.
    pub fn of_call(self, id: &str) -> Self {
        Moment { slot: slot(id), ..self }
    }

    /// The first slot that may still be held. What an earlier start of the host's only process left under way is over, and
    /// so is what began longer ago than a call may last.
    pub fn first_held(&self) -> i64 {
        let total_ms = i64::try_from(self.total_ms_max).unwrap_or(i64::MAX);
        let oldest_ms = self.now_ms.saturating_sub(total_ms).saturating_sub(GRACE_MS);
        first_slot(oldest_ms.max(self.boot_ms.unwrap_or(0))).max(SLOT_MIN)
    }

    /// The slot that is taken now. A clock that was set back does not hide it.
    pub(super) fn own_slot(&self) -> i64 {
        self.slot.unwrap_or_else(|| first_slot(self.now_ms)).max(self.first_held())
    }
}
