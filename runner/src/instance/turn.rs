//! The limit of a turn: one second of guest work between two looks of the host. Time is counted in epoch ticks, not
//! read from a clock, so that marking a turn costs one store and a stopped machine is nobody's fault.

use crate::engine::{TICK, ticks};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::{Store, UpdateDeadline};

const TURN_TICKS_MAX: u64 = 1_000 / TICK.as_millis() as u64;

/// When the current turn of an instance began.
#[derive(Default)]
pub(super) struct Turn(AtomicU64);

impl Turn {
    /// A turn begins now.
    pub(super) fn start(&self) {
        self.0.store(ticks(), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        ticks().saturating_sub(self.0.load(Ordering::Relaxed)) > TURN_TICKS_MAX
    }
}

/// Traps the guest when a turn lasts too long.
pub(super) fn limit<T>(store: &mut Store<T>, turn: Arc<Turn>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if turn.is_over() {
            wasmtime::bail!("a turn of the guest took longer than 1 s");
        }
        Ok(UpdateDeadline::Continue(1))
    });
}
