//! The steady clock: Unix time as it would be had nobody set the wall clock, time asleep included. The component gets it as
//! WASI's monotonic clock, and keeps by it how long things last.
//!
//! What is kept outlives the process, so the clock must too. A start on the same boot goes on by the kernel's clock of that
//! boot. After another boot the wall clock is all there is: it may be right by now, or wrong again as at the last boot, so
//! that either what it was ahead by last or what it was ahead by then is taken off. Of the two the earlier time is believed
//! that is not before the last one known: what rests then may rest longer than it was meant to, and never shorter.

use crate::host::key_value::KeyValue;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;
use wasmtime_wasi::clocks::HostMonotonicClock;

/// The clock of the kernel that goes on while the machine sleeps, and that nobody sets.
#[cfg(target_os = "linux")]
const KERNEL: ClockId = ClockId::Boottime;
/// Elsewhere it goes by this name.
#[cfg(not(target_os = "linux"))]
const KERNEL: ClockId = ClockId::Monotonic;

const NS_PER_S: i64 = 1_000_000_000;

/// The key that the host keeps it under, among those of the component.
const KEY: &str = "host/clock";

/// How old what is kept may be, without news.
const KEPT_NS_MAX: i64 = 3600 * NS_PER_S;

/// The steady clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SteadyClock {
    /// What it is ahead of the kernel's clock by.
    offset_ns: i64,
    /// What the wall clock was ahead of it by at the first start of this boot.
    began_ahead_ns: i64,
}

/// What is kept of it between two starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptClock {
    /// The boot, if the kernel names it.
    boot: Option<String>,
    offset_ns: i64,
    began_ahead_ns: i64,
    /// The time.
    steady_ns: i64,
    /// What the wall clock was ahead by at that time.
    ahead_ns: i64,
}

/// What the machine's clocks say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    boot: Option<String>,
    kernel_ns: i64,
    wall_ns: i64,
}

impl SteadyClock {
    /// The clock after what was kept of it.
    fn after(kept: Option<&KeptClock>) -> SteadyClock {
        SteadyClock::at(kept, &Reading::now())
    }

    fn at(kept: Option<&KeptClock>, now: &Reading) -> SteadyClock {
        let Some(kept) = kept else { return SteadyClock::new(now, now.wall_ns, None) };
        let goes_on_ns = now.kernel_ns.saturating_add(kept.offset_ns);
        if now.boot.is_some() && now.boot == kept.boot && goes_on_ns >= kept.steady_ns {
            return SteadyClock::new(now, goes_on_ns, Some(kept.began_ahead_ns));
        }
        let told = [kept.ahead_ns, kept.began_ahead_ns].map(|ahead_ns| now.wall_ns.saturating_sub(ahead_ns));
        let steady_ns = told.into_iter().filter(|told_ns| *told_ns >= kept.steady_ns).min();
        SteadyClock::new(now, steady_ns.unwrap_or(kept.steady_ns), None)
    }

    /// The clock that tells this time now, or so: it differs from the wall clock by whole seconds.
    fn new(now: &Reading, steady_ns: i64, began_ahead_ns: Option<i64>) -> SteadyClock {
        let ahead_ns = whole_seconds(now.wall_ns.saturating_sub(steady_ns));
        let offset_ns = now.wall_ns.saturating_sub(ahead_ns).saturating_sub(now.kernel_ns);
        SteadyClock { offset_ns, began_ahead_ns: began_ahead_ns.unwrap_or(ahead_ns) }
    }

    /// Its time in Unix nanoseconds.
    fn now_ns(self) -> i64 {
        kernel_ns().saturating_add(self.offset_ns)
    }

    /// What is to be kept of it.
    fn kept(self) -> KeptClock {
        let now = Reading::now();
        let steady_ns = now.kernel_ns.saturating_add(self.offset_ns);
        let ahead_ns = whole_seconds(now.wall_ns.saturating_sub(steady_ns));
        let SteadyClock { offset_ns, began_ahead_ns } = self;
        KeptClock { boot: now.boot, offset_ns, began_ahead_ns, steady_ns, ahead_ns }
    }
}

/// The steady clock of a process, and what was kept of it last.
pub(crate) struct KeptSteadyClock {
    clock: SteadyClock,
    kept: Mutex<Option<KeptClock>>,
}

impl KeptSteadyClock {
    /// Goes on with the clock of this store.
    pub(crate) fn open(store: &KeyValue) -> KeptSteadyClock {
        let kept = store.of_host(KEY).and_then(|kept| serde_json::from_slice::<KeptClock>(&kept).ok());
        KeptSteadyClock { clock: SteadyClock::after(kept.as_ref()), kept: Mutex::new(kept) }
    }

    /// The clock itself.
    pub(crate) fn steady(&self) -> SteadyClock {
        self.clock
    }

    /// An id for this start, which tells the component when it was.
    pub(crate) fn boot(&self) -> Uuid {
        let unix = Duration::from_nanos(self.clock.now());
        uuid::Builder::from_unix_timestamp_millis(unix.as_millis() as u64, &rand::random()).into_uuid()
    }

    /// Keeps it, if there is news of it. Another start on this boot needs none; one after a power cut needs to know
    /// whether the wall clock was set, and about what time it was.
    pub(crate) fn keep(&self, store: &KeyValue, is_last: bool) {
        let now = self.clock.kept();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if (is_last || kept.as_ref().is_none_or(|kept| now.is_news(kept)))
            && let Ok(bytes) = serde_json::to_vec(&now)
        {
            store.keep_of_host(KEY, bytes);
            *kept = Some(now);
        }
    }
}

impl KeptClock {
    fn is_news(&self, kept: &KeptClock) -> bool {
        let is_other = (&self.boot, self.offset_ns, self.ahead_ns) != (&kept.boot, kept.offset_ns, kept.ahead_ns);
        is_other || self.steady_ns.saturating_sub(kept.steady_ns) > KEPT_NS_MAX
    }
}

impl HostMonotonicClock for SteadyClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.now_ns().unsigned_abs()
    }
}

impl Reading {
    fn now() -> Reading {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned());
        let kernel_ns = kernel_ns();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Reading { boot, kernel_ns, wall_ns: i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX) }
    }
}

fn kernel_ns() -> i64 {
    let time = clock_gettime(KERNEL);
    time.tv_sec.saturating_mul(NS_PER_S).saturating_add(time.tv_nsec)
}

fn whole_seconds(ns: i64) -> i64 {
    ns.saturating_add(NS_PER_S / 2).div_euclid(NS_PER_S).saturating_mul(NS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = 3600 * NS_PER_S;
    const WALL: i64 = 500_000 * H;

    fn reading(boot: &str, kernel_ns: i64, wall_ns: i64) -> Reading {
        Reading { boot: Some(boot.to_owned()), kernel_ns, wall_ns }
    }

    /// The time that the clock tells at this reading.
    fn told(clock: SteadyClock, now: &Reading) -> i64 {
        now.kernel_ns + clock.offset_ns
    }

    fn kept(clock: SteadyClock, now: &Reading) -> KeptClock {
        let SteadyClock { offset_ns, began_ahead_ns } = clock;
        let steady_ns = told(clock, now);
        let ahead_ns = whole_seconds(now.wall_ns - steady_ns);
        KeptClock { boot: now.boot.clone(), offset_ns, began_ahead_ns, steady_ns, ahead_ns }
    }

    /// Two boots: when the first one begins, what the wall clock is set by in it, and what it is wrong by at the second
    /// one, an hour after the end of the first. Returns what the second one believes to have passed between the ends.
    fn second_boot(first_off: i64, set_by: i64, second_off: i64) -> i64 {
        let first = reading("a", H, WALL + first_off);
        let clock = SteadyClock::at(None, &first);
        let end = reading("a", 3 * H, WALL + 2 * H + first_off + set_by);
        let second = reading("b", 0, WALL + 3 * H + second_off);
        told(SteadyClock::at(Some(&kept(clock, &end)), &second), &second) - told(clock, &end)
    }

    #[test]
    fn at_first_it_is_the_wall_clock() {
        let first = reading("a", 7 * H, WALL + 3);
        assert_eq!(told(SteadyClock::at(None, &first), &first), WALL + 3);
    }

    #[test]
    fn on_the_same_boot_a_start_goes_on_whatever_the_wall_clock_says() {
        let first = reading("a", H, WALL);
        let clock = SteadyClock::at(None, &first);
        let kept = kept(clock, &reading("a", 2 * H, WALL + H));
        for set_by in [0, 8 * H, -8 * H, -WALL] {
            let next = reading("a", 3 * H, WALL + 2 * H + set_by + 30_000_000);
            let again = SteadyClock::at(Some(&kept), &next);
            let off = told(again, &next) - (WALL + 2 * H);
            assert!(off.abs() < NS_PER_S / 2, "{set_by}: {off}");
            assert_eq!((next.wall_ns - told(again, &next)) % NS_PER_S, 0, "they differ by whole seconds");
        }
    }

    #[test]
    fn after_another_boot_the_wall_clock_says_how_long_it_took() {
        assert_eq!(second_boot(0, 0, 0), H, "right all along");
        assert_eq!(second_boot(8 * H, -8 * H, 0), H, "it was ahead, and was set right");
        assert_eq!(second_boot(-8 * H, 8 * H, 0), H, "it was behind, and was set right");
        assert_eq!(second_boot(8 * H, -8 * H, 8 * H), H, "it is ahead at each boot");
        assert_eq!(second_boot(-8 * H, 8 * H, -8 * H), H, "it is behind at each boot");
    }

    #[test]
    fn a_machine_that_begins_in_1970_each_time_never_goes_back() {
        let wrong = -WALL - 3 * H;
        assert_eq!(second_boot(wrong + 3 * H, -wrong, wrong), 0, "nobody knows how long it was off");
        assert_eq!(second_boot(0, 0, wrong), 0);
    }

    #[test]
    fn without_the_name_of_the_boot_a_start_is_taken_for_another_one() {
        let first = Reading { boot: None, ..reading("", H, WALL) };
        let clock = SteadyClock::at(None, &first);
        let kept = kept(clock, &Reading { boot: None, ..reading("", 2 * H, WALL + H) });
        let next = Reading { boot: None, ..reading("", 3 * H, WALL + 2 * H) };
        assert_eq!(told(SteadyClock::at(Some(&kept), &next), &next), WALL + 2 * H);
    }

    #[test]
    fn it_goes_on() {
        let clock = SteadyClock::after(None);
        let before = clock.now_ns();
        assert!(clock.now_ns() >= before);
        assert_eq!(SteadyClock::after(Some(&clock.kept())).offset_ns.abs_diff(clock.offset_ns) / 1_000_000_000, 0);
    }
}
