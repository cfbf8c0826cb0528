//! The clocks. Each question to one is a call of the host, and a request asks dozens of times, so that a task asks once in
//! each of its turns: in between no time passes but that of the processor.

use std::cell::Cell;

use spin_sdk::wasip3::clocks::{monotonic_clock, system_clock};

use gateway_core::clock::Now;

use super::task;

/// For how long the wall clock is counted on from its last reading. Whoever sets the clock sees it after this time.
const WALL_NS_MAX: u64 = 50_000_000;

/// A reading of both clocks that took longer than this compares moments that are too far apart.
const READING_NS_MAX: u64 = 100_000_000;
const READINGS_MAX: usize = 3;

/// The clocks differ by whole seconds, so that many small corrections of the wall clock do not look like as many
/// different clocks. They have to be this far from the known number for it to be another one.
const SECOND_NS: i64 = 1_000_000_000;
const OTHER_NS: u64 = 750_000_000;

/// The clocks as they were read last.
pub(super) struct Clocks {
    /// The monotonic clock in this turn.
    now_ns: Cell<Option<u64>>,
    /// What the monotonic clock said when the wall clock was read, and what that said, in nanoseconds.
    wall: Cell<Option<(u64, i64)>>,
    /// How many seconds the wall clock is ahead of the monotonic one, if that is the host's steady clock.
    ahead_s: Cell<Option<i64>>,
}

impl Clocks {
    pub(super) const fn unread() -> Self {
        Clocks { now_ns: Cell::new(None), wall: Cell::new(None), ahead_s: Cell::new(None) }
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
        let read = self.wall.get().filter(|read| since(read) < WALL_NS_MAX);
        let (at_ns, unix_ns) = read.unwrap_or_else(|| self.read_wall());
        unix_ns.saturating_add_unsigned(now_ns.saturating_sub(at_ns))
    }

    /// Reads the wall clock, and compares it with the steady one if there is one.
    fn read_wall(&self) -> (u64, i64) {
        let (mut at_ns, mut unix_ns) = (monotonic_clock::now(), wall_ns());
        if let Some(ahead_s) = self.ahead_s.get() {
            for _ in 1..READINGS_MAX {
                let read_ns = monotonic_clock::now();
                if read_ns.saturating_sub(at_ns) <= READING_NS_MAX {
                    break;
                }
                (at_ns, unix_ns) = (read_ns, wall_ns());
            }
            self.ahead_s.set(Some(ahead(ahead_s, unix_ns, at_ns)));
        }
        self.wall.set(Some((at_ns, unix_ns)));
        (at_ns, unix_ns)
    }

    /// Takes the monotonic clock for the host's steady clock from now on.
    fn steady(&self) {
        self.ahead_s.set(Some(0));
        self.wall.set(None);
    }

    fn now(&self) -> Now {
        let wall_ms = self.unix_ns().div_euclid(1_000_000);
        let ahead_ms = self.ahead_s.get().unwrap_or(0).saturating_mul(1_000);
        Now { wall_ms, steady_ms: wall_ms.saturating_sub(ahead_ms) }
    }
}

fn wall_ns() -> i64 {
    let wall = system_clock::now();
    wall.seconds.saturating_mul(SECOND_NS).saturating_add(i64::from(wall.nanoseconds))
}

/// How many seconds the wall clock is ahead of the steady one, which was `known_s` before.
fn ahead(known_s: i64, unix_ns: i64, steady_ns: u64) -> i64 {
    let ahead_ns = unix_ns.saturating_sub(i64::try_from(steady_ns).unwrap_or(i64::MAX));
    match ahead_ns.abs_diff(known_s.saturating_mul(SECOND_NS)) {
        ..=OTHER_NS => known_s,
        _ => ahead_ns.saturating_add(SECOND_NS / 2).div_euclid(SECOND_NS),
    }
}

/// Says that this host's monotonic clock is a steady one.
pub(super) fn is_steady() {
    task::clocks(Clocks::steady);
}

/// The monotonic clock in milliseconds. It measures spans and says nothing of dates.
pub(crate) fn now_ms() -> u64 {
    task::clocks(Clocks::now_ns) / 1_000_000
}

/// The moment on the wall clock and on the steady one.
pub(crate) fn now() -> Now {
    task::clocks(Clocks::now)
}

/// The steady clock in milliseconds, by which is kept how long things last.
pub(crate) fn steady_ms() -> i64 {
    now().steady_ms
}

/// The wall clock in Unix milliseconds.
pub(crate) fn unix_ms() -> i64 {
    task::clocks(Clocks::unix_ns).div_euclid(1_000_000)
}
