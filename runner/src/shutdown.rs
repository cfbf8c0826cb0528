//! The way out: stop accepting at once, let calls in flight end within the grace, then cut them; a second signal cuts
//! them now. Records are flushed last.

use crate::gateway::{Gateway, Phase};
use crate::log;
use anyhow::Result;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// For reports and records after the cut; exit is promised within grace + 2 s.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// SIGTERM and SIGINT.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on the process no longer ends by itself at them.
    pub(crate) fn new() -> Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of either.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Drains and ends the gateway.
pub(crate) async fn drain(gateway: Gateway, signals: &mut Signals, grace: Duration) -> Result<()> {
    log::note(format_args!("asked to end; calls in flight have {} s, a second signal ends them now", grace.as_secs()));
    gateway.enter(Phase::Draining);
    let drained = tokio::select! {
        () = ended(&gateway) => true,
        () = tokio::time::sleep(grace) => false,
        () = signals.next() => false,
    };
    if !drained {
        log::note("the calls still in flight are cut");
        gateway.enter(Phase::Cut);
        let _ = tokio::time::timeout(CUT_GRACE, ended(&gateway)).await;
    }
    gateway.close()
}

async fn ended(gateway: &Gateway) {
    while !gateway.has_ended() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
