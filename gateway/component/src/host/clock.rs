//! The clocks. Each question to one is a call of the host, and a request asks dozens of times, so that a task asks once in
//! each of its turns: in between no time passes but that of the processor.

use std::cell::Cell;

use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};

use super::task;

/// For how long the wall clock is counted on from its last reading. Whoever sets the clock sees it after this time.
const WALL_NS_MAX: u64 = 50_000_000;

/// The clocks as they were read last.
pub(super) struct Clocks {
    /// The monotonic clock in this turn.
    now_ns: Cell<Option<u64>>,
    /// What the monotonic clock said when the wall clock was read, and what that said, in nanoseconds.
    wall: Cell<Option<(u64, i64)>>,
}

impl Clocks {
    pub(super) const fn unread() -> Self {
        Clocks { now_ns: Cell::new(None), wall: Cell::new(None) }
    }

    /// Notes that time has passed.
    pub(super) fn forget(&self) {
        self.now_ns.set(None);
    }

    fn now_ns(&self) -> u64 {
        let now_ns = self.now_ns.get().unwrap_or_else(monotonic_clock::now);
        self.now_ns.set(Some(now_ns));
        now_ns
    }

    fn unix_ns(&self) -> i64 {
        let now_ns = self.now_ns();
        let since = |(at_ns, _): &(u64, i64)| now_ns.saturating_sub(*at_ns);
        let (at_ns, unix_ns) = self.wall.get().filter(|read| since(read) < WALL_NS_MAX).unwrap_or_else(|| {
            let wall = system_clock::now();
            let unix_ns = wall.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(wall.nanoseconds));
            self.wall.set(Some((now_ns, unix_ns)));
            (now_ns, unix_ns)
        });
        unix_ns.saturating_add_unsigned(now_ns.saturating_sub(at_ns))
    }
}

/// The monotonic clock in milliseconds. It measures spans and says nothing of dates.
pub(crate) fn now_ms() -> u64 {
    task::clocks(Clocks::now_ns) / 1_000_000
}

/// The wall clock in Unix milliseconds.
pub(crate) fn unix_ms() -> i64 {
    task::clocks(Clocks::unix_ns).div_euclid(1_000_000)
}
