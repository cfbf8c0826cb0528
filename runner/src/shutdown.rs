//! The way out: stop accepting at once, let calls in flight end within the grace, then cut them; a second signal cuts
//! them now, a third one waits for nothing any more. Records are flushed last, and lost ones are counted.

use crate::gateway::{Gateway, Phase};
use crate::log;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// For reports, error events and records after the cut: exit is promised within grace + 2 s, and it takes a moment.
const CUT_GRACE: Duration = Duration::from_millis(1_900);
/// For records where no call had to be cut: whoever holds the database may let go of it within this.
const FLUSH_MAX: Duration = Duration::from_secs(10);

/// SIGTERM, SIGINT and SIGQUIT; SIGHUP is swallowed.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From here on the process no longer ends by itself at them.
    pub(crate) fn new() -> Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next that asks the process to end.
    pub(crate) async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                // What nginx and container images like its call a graceful stop.
                _ = self.quit.recv() => return,
                // Sent by a terminal that closes, and by habit to have files read again.
                _ = self.hang_up.recv() => log::note("SIGHUP is ignored; a catalog file that changes is noticed anyway"),
            }
        }
    }
}

/// Drains and ends the gateway.
pub(crate) async fn drain(gateway: Gateway, signals: &mut Signals, grace: Duration) -> Result<()> {
    log::note(format_args!(
        "asked to end: calls in flight have {} s to finish; a second signal ends them at once",
        grace.as_secs()
    ));
    gateway.enter(Phase::Draining);
    let since = Instant::now();
    let drained = tokio::select! {
        () = until(|| gateway.has_ended()) => true,
        () = tokio::time::sleep(grace) => false,
        () = signals.next() => false,
    };
    if !drained {
        return cut(gateway, signals).await;
    }
    let left = grace.saturating_sub(since.elapsed()).saturating_add(CUT_GRACE);
    close(gateway, signals, FLUSH_MAX.min(left)).await
}

/// Ends the calls in flight, and the gateway with them.
pub(crate) async fn cut(gateway: Gateway, signals: &mut Signals) -> Result<()> {
    log::note("the calls still in flight are cut");
    gateway.enter(Phase::Cut);
    close(gateway, signals, CUT_GRACE).await
}

/// Waits, no longer than the limit or the next signal, for workers and records.
async fn close(gateway: Gateway, signals: &mut Signals, limit: Duration) -> Result<()> {
    tokio::select! {
        () = until(|| gateway.has_settled()) => {}
        () = tokio::time::sleep(limit) => {}
        () = signals.next() => log::note("asked again; nothing is waited for any more"),
    }
    gateway.leave()
}

async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[tokio::test]
    async fn a_hang_up_ends_nothing_and_a_termination_or_quit_does() {
        let mut signals = Signals::new().expect("signals");
        let send = |signal| kill_process(getpid(), signal).expect("this process");
        send(Signal::HUP);
        let heard = tokio::time::timeout(Duration::from_millis(300), signals.next()).await;
        assert!(heard.is_err(), "SIGHUP was taken for a request to end");
        for ending in [Signal::TERM, Signal::QUIT] {
            send(ending);
            tokio::time::timeout(Duration::from_secs(20), signals.next()).await.expect("it is heard");
        }
    }
}
