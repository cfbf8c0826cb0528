//! The limit of a turn: one second of CPU time between two looks of the host. Not of wall time: on a busy machine a
//! thread that waits for a core does nothing wrong, and a trap would cut every call of its instance. Only the epoch's
//! callback reads the clock, so a turn that ends before the next tick costs one store.

use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::{Store, UpdateDeadline};

const CPU_TIME_MAX: Duration = Duration::from_secs(1);

/// The turns of an instance. Only the thread of the instance changes it.
#[derive(Default)]
pub(super) struct Turn {
    number: AtomicU64,
    is_to_trap: AtomicBool,
}

impl Turn {
    /// A turn begins now.
    pub(super) fn start(&self) {
        self.number.store(self.number.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Makes the guest trap at its next look at the epoch, for tests.
    pub(super) fn trap(&self) {
        self.is_to_trap.store(true, Ordering::Relaxed);
    }
}

/// The turn that was seen last, and the thread's CPU time when it was seen first: at most a tick after its beginning.
struct Seen {
    turn: u64,
    since: Duration,
}

impl Seen {
    /// Whether the turn has taken too long by now.
    fn is_over(&mut self, turn: u64, now: Duration) -> bool {
        if self.turn != turn {
            *self = Seen { turn, since: now };
        }
        now.saturating_sub(self.since) > CPU_TIME_MAX
    }
}

/// Traps the guest when a turn takes too long.
pub(super) fn limit<T>(store: &mut Store<T>, turn: Arc<Turn>) {
    let mut seen = Seen { turn: 0, since: thread_cpu_time() };
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if turn.is_to_trap.load(Ordering::Relaxed) {
            wasmtime::bail!("a test asked for it");
        }
        if seen.is_over(turn.number.load(Ordering::Relaxed), thread_cpu_time()) {
            wasmtime::bail!("the component took more than 1 s of CPU time without a pause");
        }
        Ok(UpdateDeadline::Continue(1))
    });
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_turn_is_over_after_a_second_and_each_turn_has_its_own() {
        let mut seen = Seen { turn: 0, since: Duration::ZERO };
        assert!(!seen.is_over(1, ms(5_000)), "what other instances of the thread took is not this one's");
        assert!(!seen.is_over(1, ms(6_000)));
        assert!(!seen.is_over(2, ms(6_001)), "the next turn begins anew");
        assert!(seen.is_over(2, ms(7_002)));
    }

    #[test]
    fn time_in_which_the_thread_does_not_run_is_not_counted() {
        let before = thread_cpu_time();
        std::thread::sleep(ms(50));
        assert!(thread_cpu_time() - before < ms(40));
    }
}
