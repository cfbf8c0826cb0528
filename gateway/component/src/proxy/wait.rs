//! The wait of a call that nobody can serve now, of a model with `max_wait`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_core::catalog::Model;
use gateway_core::route::Skipped;
use gateway_core::route::wait::{self, Line};

use crate::host;

/// How often one whose slot is due looks whether it is its turn.
const TURN_MS: u64 = 20;

thread_local! {
    /// Those who wait in this instance, by model.
    static LINES: RefCell<BTreeMap<Arc<str>, Line>> = const { RefCell::new(BTreeMap::new()) };
    static TICKETS: Cell<u64> = const { Cell::new(0) };
}

/// What a call has left of its model's `max_wait`.
pub(super) struct Wait {
    model: Arc<str>,
    left_ms: u64,
    waited_ms: u64,
    ticket: Option<u64>,
}

impl Wait {
    pub(super) fn new(model: &Model) -> Self {
        Wait { model: model.name.clone(), left_ms: model.max_wait_ms, waited_ms: 0, ticket: None }
    }

    /// How long it has waited, where it has.
    pub(super) fn waited_ms(&self) -> Option<u64> {
        (self.waited_ms > 0).then_some(self.waited_ms)
    }

    /// Waits for its turn at the first slot of these. `false`: there is none in time, or too many wait already.
    pub(super) async fn for_slot(&mut self, skipped: &[Skipped]) -> bool {
        let now_ms = host::unix_ms();
        let Some(due_ms) = wait::due_ms(skipped).filter(|_| self.left_ms > 0) else { return false };
        let mut pause_ms = u64::try_from(due_ms.saturating_sub(now_ms)).unwrap_or(0).max(1);
        if pause_ms > self.left_ms {
            return false;
        }
        let ticket = *self.ticket.get_or_insert_with(|| {
            TICKETS.set(TICKETS.get() + 1);
            TICKETS.get()
        });
        if !with_line(&self.model, |line| line.join(ticket, due_ms)) {
            return false;
        }
        // Should the host end this call early, those behind it go on.
        let model = self.model.clone();
        let _place = host::OnDrop(move || with_line(&model, |line| line.leave(ticket)));
        while pause_ms <= self.left_ms {
            let start_ms = host::now_ms();
            host::wait_ms(pause_ms).await;
            let took_ms = host::now_ms().saturating_sub(start_ms).max(1);
            self.waited_ms = self.waited_ms.saturating_add(took_ms);
            self.left_ms = self.left_ms.saturating_sub(took_ms);
            if with_line(&self.model, |line| line.is_next(ticket, host::unix_ms())) {
                return true;
            }
            pause_ms = TURN_MS;
        }
        false
    }
}

fn with_line<T>(model: &Arc<str>, act: impl FnOnce(&mut Line) -> T) -> T {
    LINES.with_borrow_mut(|lines| {
        let result = act(lines.entry(model.clone()).or_default());
        lines.retain(|_, line| !line.is_empty());
        result
    })
}
