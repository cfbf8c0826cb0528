//! The memory that an instance spends on its calls, as one budget of bytes: bodies, requests that are written for a
//! provider, answers under translation, unfinished events. An instance has 256 MiB; going beyond would trap it and cut
//! off every call. So a call that finds no room waits for its turn, and fails alone if its turn does not come.
//!
//! Three rules hold whatever other calls do. Calls that need little are never refused. Large calls leave room for
//! bodies up to 1 MiB. And the calls of one caller leave room for everybody else's. The oldest large call may always
//! grow to the size of a body, and the oldest of each caller is not bound by the caller's share, so that of calls that
//! wait for each other one can always go on.

use std::collections::BTreeMap;

/// The whole budget. The rest of an instance is for the catalog, for what is known about providers, and for parsing and
/// writing, which only one call does at a time.
const BYTES_MAX: usize = 128 << 20;

/// Calls up to this size are not tracked. 256 of them, the most in an instance, have 16 MiB.
pub const LITTLE_BYTES_MAX: usize = 64 << 10;

/// The budget of all larger calls together.
const NOTED_BYTES_MAX: usize = BYTES_MAX - (16 << 20);

/// A call that has more than this, or will have, is a large one.
pub const SMALL_BYTES_MAX: usize = 1 << 20;

/// The budget of all large calls, which leaves 24 MiB for the others.
const LARGE_BYTES_MAX: usize = 88 << 20;

/// The budget of all large calls but the oldest, which leaves the oldest one a body of 32 MiB.
const LARGE_SHARED_BYTES_MAX: usize = LARGE_BYTES_MAX - (32 << 20);

/// The budget of one caller's calls, without its oldest large one.
const SHARE_BYTES_MAX: usize = 48 << 20;

/// The budget of one caller's large calls, which leaves others a body of 16 MiB and what is made of it.
const LARGE_SHARE_BYTES_MAX: usize = 24 << 20;

/// A buffer below this size doubles when it is full, and a larger one grows by a quarter, so that not much more is
/// reserved than has come.
const DOUBLED_BYTES_MAX: usize = 1 << 20;

/// The most that is kept of bodies for records. It is no part of what calls may take, and gives way as soon as calls need it.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// By how much a full buffer of this size grows.
pub fn growth(bytes: usize) -> usize {
    if bytes < DOUBLED_BYTES_MAX { bytes.max(16 << 10) } else { bytes / 4 }
}

/// Appends to a buffer. Returns `false` if there is no memory for it, where growing the buffer in the usual way would
/// trap.
pub fn append(buffer: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let missing = bytes.len().saturating_sub(buffer.capacity() - buffer.len());
    let has_room = missing == 0 || buffer.try_reserve_exact(missing.max(growth(buffer.len()))).is_ok();
    if has_room {
        buffer.extend_from_slice(bytes);
    }
    has_room
}

/// Appends to a buffer, for whoever has [made sure](has_room_for) that there is memory. One that grows by itself doubles.
pub fn extend(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let missing = bytes.len().saturating_sub(buffer.capacity() - buffer.len());
    if missing > 0 && buffer.len() >= DOUBLED_BYTES_MAX {
        buffer.reserve_exact(missing.max(growth(buffer.len())));
    }
    buffer.extend_from_slice(bytes);
}

/// The same of a text, which takes over what is appended to nothing.
pub fn extend_text(text: &mut String, more: String) {
    if text.is_empty() {
        *text = more;
        return;
    }
    let missing = more.len().saturating_sub(text.capacity() - text.len());
    if missing > 0 && text.len() >= DOUBLED_BYTES_MAX {
        text.reserve_exact(missing.max(growth(text.len())));
    }
    text.push_str(&more);
}

/// Whether there is memory for so many bytes in each of several pieces, at once. It is given back, for what is done next,
/// before anybody else can take it.
pub fn has_room_for<const N: usize>(pieces: [usize; N]) -> bool {
    let mut taken = [const { Vec::<u8>::new() }; N];
    let has_room = taken.iter_mut().zip(pieces).all(|(piece, bytes)| piece.try_reserve_exact(bytes).is_ok());
    // A compiler may leave out what is taken for nothing.
    std::hint::black_box(&taken);
    has_room
}

/// Whether a text of so many bytes can be parsed and written anew. `tests/memory.rs` holds every dialect's reader and
/// writer to it. One at a time is, so this is not kept by anybody.
pub fn has_room_to_translate(bytes: usize) -> bool {
    bytes <= SMALL_BYTES_MAX || has_room_for([TREE_BYTES, bytes, bytes, bytes])
}

/// Whether a text of so many bytes can be written anew as it stands but for a few members.
pub fn has_room_to_copy(bytes: usize) -> bool {
    bytes <= SMALL_BYTES_MAX || has_room_for([bytes, bytes])
}

/// The most that values take besides their texts.
const TREE_BYTES: usize = 24 << 20;

/// The memory of the calls of an instance.
#[derive(Debug, Default)]
pub struct Memory {
    total: usize,
    /// What is kept of bodies.
    kept: usize,
    drawn: u64,
    /// Calls that have more than a little.
    calls: BTreeMap<u64, CallBytes>,
}

/// The call that memory is taken for.
#[derive(Debug, Clone, Copy)]
pub struct Share<'s> {
    /// The call's [number](Memory::draw).
    pub call: u64,
    /// The name of the caller.
    pub whose: &'s str,
    /// Whether the call is a large one, even if it has little so far: many large calls that wait must not take the room
    /// of small ones.
    pub is_large: bool,
}

#[derive(Debug)]
struct CallBytes {
    whose: Box<str>,
    bytes: usize,
    /// A number that orders calls by when they became large.
    large_since: Option<u64>,
}

impl Memory {
    /// A number for a call.
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    /// Takes `more` bytes for a call that has `had`, or nothing if there is no room.
    pub fn grow(&mut self, share: Share<'_>, had: usize, more: usize) -> bool {
        let now = had.saturating_add(more);
        if self.total.saturating_add(more) > BYTES_MAX {
            return false;
        }
        if now > LITTLE_BYTES_MAX {
            let share = Share { is_large: share.is_large || now > SMALL_BYTES_MAX, ..share };
            if !self.has_room(share, now) {
                return false;
            }
            self.note(share, now);
        }
        self.total += more;
        true
    }

    fn note(&mut self, share: Share<'_>, now: usize) {
        let number = self.draw();
        let none = || CallBytes { whose: share.whose.into(), bytes: 0, large_since: None };
        let kept = self.calls.entry(share.call).or_insert_with(none);
        kept.bytes = now;
        if share.is_large {
            kept.large_since.get_or_insert(number);
        }
    }

    /// Gives `less` bytes back for a call that has `had`.
    pub fn shrink(&mut self, call: u64, had: usize, less: usize) {
        self.total = self.total.saturating_sub(less);
        let left = had.saturating_sub(less);
        if left <= LITTLE_BYTES_MAX {
            self.calls.remove(&call);
        } else if let Some(kept) = self.calls.get_mut(&call) {
            kept.bytes = left;
        }
    }

    /// Changes how much is kept of the bodies of a call, or nothing if there is no room beside the calls.
    pub fn keep(&mut self, had: usize, now: usize) -> bool {
        let kept = self.kept.saturating_sub(had).saturating_add(now);
        if now > had && (kept > KEPT_BYTES_MAX || self.total.saturating_add(kept) > BYTES_MAX) {
            return false;
        }
        self.kept = kept;
        true
    }

    /// Whether bodies that are kept must give way to what calls have.
    pub fn is_crowded(&self) -> bool {
        self.kept > 0 && self.total.saturating_add(self.kept) > BYTES_MAX
    }

    /// All that calls have.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether a call may have `now` bytes beside what the others have.
    fn has_room(&self, share: Share<'_>, now: usize) -> bool {
        let since = self.calls.get(&share.call).and_then(|kept| kept.large_since).unwrap_or(self.drawn + 1);
        let others = || self.calls.iter().filter(|(call, _)| **call != share.call).map(|(_, kept)| kept);
        let all = Sum::of(others());
        let large = Sum::of(others().filter(|kept| kept.large_since.is_some()));
        let own = || others().filter(|kept| *kept.whose == *share.whose);
        let own_large = Sum::of(own().filter(|kept| kept.large_since.is_some()));
        let own = Sum::of(own());
        let is_oldest_of = |others: &Sum| share.is_large && since < others.oldest_since;
        let fits = |bytes: usize, bytes_max: usize| bytes.saturating_add(now) <= bytes_max;
        fits(all.bytes, NOTED_BYTES_MAX)
            && (!share.is_large || fits(large.bytes, LARGE_BYTES_MAX))
            && (!share.is_large || is_oldest_of(&large) || fits(large.but_oldest(), LARGE_SHARED_BYTES_MAX))
            && (is_oldest_of(&own) || fits(own.but_oldest(), SHARE_BYTES_MAX))
            && (!share.is_large || is_oldest_of(&own) || fits(own_large.but_oldest(), LARGE_SHARE_BYTES_MAX))
    }
}

/// What several calls have together.
struct Sum {
    bytes: usize,
    /// Since when the oldest large one of them is large, and how much it has.
    oldest_since: u64,
    oldest_bytes: usize,
}

impl Sum {
    fn of<'k>(calls: impl Iterator<Item = &'k CallBytes>) -> Sum {
        let none = Sum { bytes: 0, oldest_since: u64::MAX, oldest_bytes: 0 };
        calls.fold(none, |sum, kept| {
            let bytes = sum.bytes.saturating_add(kept.bytes);
            match kept.large_since {
                Some(since) if since < sum.oldest_since => Sum { bytes, oldest_since: since, oldest_bytes: kept.bytes },
                _ => Sum { bytes, ..sum },
            }
        })
    }

    fn but_oldest(&self) -> usize {
        self.bytes.saturating_sub(self.oldest_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn share(call: u64, whose: &str, bytes: usize) -> Share<'_> {
        Share { call, whose, is_large: bytes > SMALL_BYTES_MAX }
    }

    /// Grows a call in steps of a MiB as far as possible, and returns what it has then.
    fn fill(memory: &mut Memory, (call, whose): (u64, &str), bytes: usize) -> usize {
        let mut had = 0;
        while had < bytes && memory.grow(share(call, whose, bytes), had, MIB.min(bytes - had)) {
            had += MIB.min(bytes - had);
        }
        had
    }

    #[test]
    fn one_callers_large_calls_leave_room_for_anothers() {
        let mut memory = Memory::default();
        let held: usize = (0..10).map(|call| fill(&mut memory, (call, "a"), 32 * MIB)).sum();
        assert_eq!(held, 32 * MIB + LARGE_SHARE_BYTES_MAX);
        assert_eq!(fill(&mut memory, (10, "b"), 32 * MIB), 32 * MIB);
        assert_eq!(fill(&mut memory, (11, "b"), MIB), MIB);
    }

    #[test]
    fn bodies_up_to_a_mebibyte_find_room_beside_any_number_of_large_ones() {
        let mut memory = Memory::default();
        let whose: Vec<String> = (0..40).map(|index| format!("key {index}")).collect();
        for (call, whose) in (0..40).zip(&whose) {
            fill(&mut memory, (call, whose), 32 * MIB);
        }
        assert_eq!(memory.total(), LARGE_BYTES_MAX);
        for call in 100..124 {
            assert_eq!(fill(&mut memory, (call, "small"), MIB), MIB, "{call}");
        }
        for call in 200..456 {
            assert!(memory.grow(share(call, "little", 0), 0, LITTLE_BYTES_MAX), "{call}");
        }
        assert_eq!(memory.total(), BYTES_MAX);
        assert!(!memory.grow(share(500, "one more", 0), 0, 1));
    }

    #[test]
    fn one_callers_small_bodies_leave_room_for_anothers() {
        let mut memory = Memory::default();
        let held: usize = (0..256).map(|call| fill(&mut memory, (call, "a"), MIB)).sum();
        assert_eq!(held, SHARE_BYTES_MAX);
        assert_eq!(fill(&mut memory, (300, "b"), MIB), MIB);
    }

    #[test]
    fn however_many_wait_for_each_other_the_oldest_gets_all_of_its_body() {
        for whose in [["a"; 6], ["a", "b", "c", "d", "e", "f"]] {
            let mut memory = Memory::default();
            let mut had = [0; 6];
            let mut is_growing = true;
            while std::mem::take(&mut is_growing) {
                for (call, had) in had.iter_mut().enumerate() {
                    if *had < 32 * MIB && memory.grow(share(call as u64, whose[call], 32 * MIB), *had, MIB) {
                        (*had, is_growing) = (*had + MIB, true);
                    }
                }
            }
            assert_eq!(had[0], 32 * MIB, "{whose:?}: {had:?}");
            // When one ends, the next can go on.
            for call in 0..5 {
                memory.shrink(call as u64, had[call], had[call]);
                while had[call + 1] < 32 * MIB {
                    let next = share(call as u64 + 1, whose[call + 1], 32 * MIB);
                    assert!(memory.grow(next, had[call + 1], MIB), "{call}: {had:?}");
                    had[call + 1] += MIB;
                }
            }
        }
    }

    #[test]
    fn what_is_kept_of_bodies_gives_way_to_calls() {
        let mut memory = Memory::default();
        assert!(memory.keep(0, KEPT_BYTES_MAX) && !memory.keep(0, 1) && !memory.is_crowded());
        assert!(memory.keep(KEPT_BYTES_MAX, 8 * MIB));
        assert_eq!(fill(&mut memory, (1, "a"), 88 * MIB), 88 * MIB, "calls have what they would have without");
        for call in 2..26 {
            assert_eq!(fill(&mut memory, (call, "b"), MIB), MIB, "{call}");
        }
        for call in 200..456 {
            assert!(memory.grow(share(call, "little", 0), 0, LITTLE_BYTES_MAX), "{call}");
        }
        assert!(memory.total() == BYTES_MAX && memory.is_crowded() && !memory.keep(8 * MIB, 9 * MIB));
        assert!(memory.keep(8 * MIB, 0) && !memory.is_crowded() && !memory.keep(0, 1));
    }

    #[test]
    fn more_than_there_can_be_is_no_room_and_little_always_is() {
        assert!(has_room_to_translate(SMALL_BYTES_MAX) && has_room_to_copy(2 * SMALL_BYTES_MAX));
        assert!(!has_room_for([1, usize::MAX / 2]) && !has_room_to_copy(usize::MAX / 4));
    }

    #[test]
    fn a_large_buffer_grows_by_a_quarter() {
        let mut buffer = vec![0; 2 * MIB];
        extend(&mut buffer, &[0]);
        assert_eq!((buffer.len(), buffer.capacity()), (2 * MIB + 1, 2 * MIB + MIB / 2));
        let mut text = String::new();
        extend_text(&mut text, "x".repeat(2 * MIB));
        extend_text(&mut text, "y".to_owned());
        assert_eq!((text.len(), text.capacity()), (2 * MIB + 1, 2 * MIB + MIB / 2));
    }

    #[test]
    fn what_is_given_back_is_there_for_others() {
        let mut memory = Memory::default();
        assert_eq!(fill(&mut memory, (1, "a"), 88 * MIB), 88 * MIB, "alone it may have all");
        assert!(!memory.grow(share(2, "b", 2 * MIB), 0, 2 * MIB));
        memory.shrink(1, 88 * MIB, 87 * MIB);
        assert!(memory.grow(share(2, "b", 48 * MIB), 0, 48 * MIB));
        memory.shrink(1, MIB, MIB);
        memory.shrink(2, 48 * MIB, 48 * MIB);
        assert!(memory.total() == 0 && memory.calls.is_empty());
    }
}
