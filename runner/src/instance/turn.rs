//! Turns: what the guest does between two looks of the host. One may take a second of CPU time, then the guest traps. Not
//! of wall time: on a busy machine a thread that waits for a core does nothing wrong, and a trap would cut every call of
//! its instance. And one that takes longer than a tick lets the thread's other instances and connections run after each:
//! parsing 32 MiB takes hundreds of milliseconds, in which nobody else is to wait.
//!
//! Only the epoch's callback reads the clock, so a turn that ends before the next tick costs one store.

use rustix::time::{ClockId, clock_gettime};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use wasmtime::{Store, UpdateDeadline};

const CPU_TIME_MAX: Duration = Duration::from_secs(1);

/// So long a turn goes on before others run. The epoch is looked at about as often.
const STRETCH: Duration = Duration::from_millis(8);

/// The turns of an instance. Only the thread of the instance changes it.
#[derive(Default)]
pub(super) struct Turn {
    number: AtomicU64,
    is_to_trap: AtomicBool,
    /// Others run now, in the middle of a turn.
    is_paused: AtomicBool,
    /// The thread's CPU time when the turn last went on after others had run, in nanoseconds; 0: it has not since it was
    /// looked at.
    resumed: AtomicU64,
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

    /// Runs what runs the guest, and notes when it goes on after others: what they took is not the turn's.
    pub(super) async fn running<F: Future>(&self, running: F) -> F::Output {
        let mut running = pin!(running);
        std::future::poll_fn(|context| self.poll(running.as_mut(), context)).await
    }

    fn poll<F: Future>(&self, running: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.is_paused.swap(false, Ordering::Relaxed) {
            self.resumed.store(thread_cpu_time().as_nanos() as u64, Ordering::Relaxed);
        }
        running.poll(context)
    }

    fn take_resumed(&self) -> Option<Duration> {
        Some(self.resumed.swap(0, Ordering::Relaxed)).filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }
}

/// The turn that was seen last.
struct Seen {
    turn: u64,
    /// The thread's CPU time when this stretch of the turn was seen first: at most a tick after its beginning.
    since: Duration,
    /// What the stretches before it took.
    before: Duration,
}

/// What becomes of a turn.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Pause,
    Trap,
}

impl Seen {
    /// `resumed`: the turn was paused, and has gone on since then.
    fn look(&mut self, turn: u64, now: Duration, resumed: Option<Duration>) -> Next {
        if self.turn != turn {
            *self = Seen { turn, since: now, before: Duration::ZERO };
        } else if let Some(resumed) = resumed {
            self.since = resumed;
        }
        let stretch = now.saturating_sub(self.since);
        if self.before + stretch > CPU_TIME_MAX {
            return Next::Trap;
        }
        if stretch < STRETCH {
            return Next::GoOn;
        }
        *self = Seen { turn, since: now, before: self.before + stretch };
        Next::Pause
    }
}

/// Pauses and traps the guest when a turn takes too long.
pub(super) fn limit<T>(store: &mut Store<T>, turn: Arc<Turn>) {
    let mut seen = Seen { turn: 0, since: thread_cpu_time(), before: Duration::ZERO };
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if turn.is_to_trap.load(Ordering::Relaxed) {
            wasmtime::bail!("a test asked for it");
        }
        match seen.look(turn.number.load(Ordering::Relaxed), thread_cpu_time(), turn.take_resumed()) {
            Next::GoOn => Ok(UpdateDeadline::Continue(1)),
            Next::Pause => {
                turn.is_paused.store(true, Ordering::Relaxed);
                Ok(UpdateDeadline::Yield(1))
            }
            Next::Trap => wasmtime::bail!("the component took more than 1 s of CPU time without a pause"),
        }
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

    const NEW: Seen = Seen { turn: 0, since: Duration::ZERO, before: Duration::ZERO };

    #[test]
    fn a_turn_is_over_after_a_second_and_each_turn_has_its_own() {
        let mut seen = NEW;
        assert_eq!(
            seen.look(1, ms(5_000), None),
            Next::GoOn,
            "what other instances of the thread took is not this one's"
        );
        assert_eq!(seen.look(1, ms(6_000), None), Next::Pause);
        assert_eq!(seen.look(2, ms(6_001), None), Next::GoOn, "the next turn begins anew");
        assert_eq!(seen.look(2, ms(7_002), None), Next::Trap);
    }

    #[test]
    fn a_turn_pauses_after_each_tick_and_what_others_take_meanwhile_is_not_its_own() {
        let mut seen = NEW;
        assert_eq!(seen.look(1, ms(10), None), Next::GoOn);
        for tick in 0..100 {
            let resumed = ms(10_000 * tick + 10);
            let resumed = (tick > 0).then_some(resumed);
            let now = resumed.unwrap_or(ms(10));
            assert_eq!(seen.look(1, now + ms(10), resumed), Next::Pause, "{tick}");
        }
        assert_eq!(seen.look(1, ms(2_000_005), Some(ms(2_000_000))), Next::Trap, "a second of its own");
    }

    #[test]
    fn a_turn_that_goes_on_after_a_pause_is_noted() {
        let turn = Turn::default();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut running = pin!(turn.running(std::future::pending::<()>()));
        let mut is_noted_after_poll = || {
            assert!(running.as_mut().poll(&mut context).is_pending());
            turn.take_resumed().is_some()
        };
        assert!(!is_noted_after_poll());
        turn.is_paused.store(true, Ordering::Relaxed);
        assert!(is_noted_after_poll() && !is_noted_after_poll());
    }

    #[test]
    fn time_in_which_the_thread_does_not_run_is_not_counted() {
        let before = thread_cpu_time();
        std::thread::sleep(ms(50));
        assert!(thread_cpu_time() - before < ms(40));
    }
}
