//! Ending the process: it stops accepting at once, lets calls in flight end within the grace period, and then cuts
//! them. A second signal cuts them at once, and a third one waits for nothing any more. Records are written last, and
//! lost ones are counted.

use crate::gateway::{Gateway, Phase};
use crate::log;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The time for reports, error events and records after the cut. The process promises to exit within the grace period +
/// 2 s.
const CUT_GRACE: Duration = Duration::from_millis(1_900);
/// The time for records if no call had to be cut: another process may hold the database for a while.
const FLUSH_MAX: Duration = Duration::from_secs(10);

/// SIGTERM, SIGINT and SIGQUIT; SIGHUP is swallowed. None of them is caught where they are left alone.
pub(crate) struct Signals(Option<Caught>);

struct Caught {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches the signals, which no longer end the process by themselves.
    pub(crate) fn new() -> Result<Signals> {
        Ok(Signals(Some(Caught {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
        })))
    }

    /// Leaves the signals to end the process at once, as they do under Spin.
    pub(crate) fn left_alone() -> Signals {
        Signals(None)
    }

    /// Waits for the next signal that asks the process to end.
    pub(crate) async fn next(&mut self) {
        let Some(caught) = &mut self.0 else { return std::future::pending().await };
        loop {
            tokio::select! {
                _ = caught.terminate.recv() => return,
                _ = caught.interrupt.recv() => return,
                // nginx, and container images like it, use this signal for a graceful stop.
                _ = caught.quit.recv() => return,
                // Terminals send it when they close, and operators send it to have files read again.
                _ = caught.hang_up.recv() => log::note("SIGHUP is ignored; a catalog file that changes is noticed anyway"),
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
