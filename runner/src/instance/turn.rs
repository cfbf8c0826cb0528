//! Turns: what the guest does between two returns to the host. A turn may take one second of CPU time; then the guest
//! traps. It is not wall time, because a thread that waits for a core on a busy machine does nothing wrong, and a trap
//! would cut off every call of its instance. A turn that takes longer than a tick pauses after each one for the
//! thread's other instances and connections: parsing 32 MiB takes hundreds of milliseconds.
//!
//! Only the callback of the epoch reads the clock, so a turn that ends before the next tick costs one store.

use rustix::time::{ClockId, clock_gettime};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use wasmtime::{Store, UpdateDeadline};

const CPU_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a turn runs before it pauses. The epoch is checked about as often.
const STRETCH: Duration = Duration::from_millis(8);

/// The turns of an instance. Only the thread of the instance changes it.
#[derive(Default)]
pub(super) struct Turn {
    number: AtomicU64,
    is_to_trap: AtomicBool,
    /// Whether the turn is paused and others run.
    is_paused: AtomicBool,
    /// The thread's CPU time when the turn last went on after a pause, in nanoseconds; 0 if it has not since the last
    /// look.
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

    /// Runs the future that runs the guest, and notes when it goes on after a pause, so that the time of others does
    /// not count.
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

/// The turn that the last look saw.
struct ObservedTurn {
    turn: u64,
    /// The thread's CPU time when this stretch of the turn was first seen: at most a tick after it began.
    since: Duration,
    /// The time that the turn's earlier stretches took.
    before: Duration,
}

/// What happens to a turn.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Pause,
    Trap,
}

impl ObservedTurn {
    /// Looks at the turn. `resumed` is set if it was paused and has gone on since.
    fn look(&mut self, turn: u64, now: Duration, resumed: Option<Duration>) -> Next {
        if self.turn != turn {
            *self = ObservedTurn { turn, since: now, before: Duration::ZERO };
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
        *self = ObservedTurn { turn, since: now, before: self.before + stretch };
        Next::Pause
    }
}

/// Pauses and traps the guest when a turn takes too long.
pub(super) fn limit<T>(store: &mut Store<T>, turn: Arc<Turn>) {
    let mut seen = ObservedTurn { turn: 0, since: thread_cpu_time(), before: Duration::ZERO };
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if turn.is_to_trap.load(Ordering::Relaxed) {
            wasmtime::bail!("a test asked for it");
        }
        match seen.look(turn.number.load(Ordering::Relaxed), thread_cpu_time(), turn.take_resumed()) {
            Next::GoOn => Ok(UpdateDeadline::Continue(1)),
            Next::Pause => {
                turn.is_paused.store(true, Ordering::Relaxed);
                Ok(UpdateDeadline::YieldCustom(1, Box::pin(pause())))
            }
            Next::Trap => wasmtime::bail!("the component took more than 1 s of CPU time without a pause"),
        }
    });
}

/// Lets the thread do what it has to do, and look at its sockets and timers besides. If the guest only went to the end of
/// the queue, as with wasmtime's own pause, the thread would look after dozens of pauses, and nobody's bytes would be seen
/// meanwhile.
async fn pause() {
    tokio::task::yield_now().await;
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

    const NEW: ObservedTurn = ObservedTurn { turn: 0, since: Duration::ZERO, before: Duration::ZERO };

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
    fn a_turn_pauses_after_each_tick_and_is_not_charged_for_others_meanwhile() {
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
    fn a_pause_lets_the_thread_look_at_its_sockets() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, theirs) = tokio::net::UnixStream::pair().expect("two sockets");
            ours.writable().await.expect("a socket");
            ours.try_write(b"x").expect("an empty buffer");
            let reading = tokio::spawn(async move { theirs.readable().await });
            let mut pauses = 0;
            while !reading.is_finished() {
                pause().await;
                pauses += 1;
            }
            assert!(pauses <= 3, "{pauses}");
        });
    }

    #[test]
    fn time_in_which_the_thread_does_not_run_is_not_counted() {
        let before = thread_cpu_time();
        std::thread::sleep(ms(50));
        assert!(thread_cpu_time() - before < ms(40));
    }
}
