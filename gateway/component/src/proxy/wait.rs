//! How a call waits while all its targets are busy, for models with `max_wait`.
//!
//! Each waiting call has a timer of its own, however short it waits: on WASI 0.3 hosts no task may wake another's, and
//! the slot may be given back by another instance.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use gateway_core::candidate::Skipped;
use gateway_core::catalog::Model;
use gateway_core::route::wait::{self, Line};

use crate::host;
use crate::instance::Instance;

/// The calls that wait in an instance, by model.
#[derive(Default)]
pub(crate) struct Lines {
    lines: RefCell<BTreeMap<Arc<str>, Line>>,
    /// The last ticket that was given out.
    ticket: Cell<u64>,
}

impl Lines {
    fn draw(&self) -> u64 {
        self.ticket.set(self.ticket.get() + 1);
        self.ticket.get()
    }

    fn with<T>(&self, model: &Arc<str>, act: impl FnOnce(&mut Line) -> T) -> T {
        let mut lines = self.lines.borrow_mut();
        let result = act(lines.entry(model.clone()).or_default());
        lines.retain(|_, line| !line.is_empty());
        result
    }
}

/// How much a call has left of its model's `max_wait`, and its place in line.
pub(super) struct Wait {
    instance: Rc<Instance>,
    model: Arc<str>,
    left_ms: Cell<u64>,
    waited_ms: Cell<u64>,
    ticket: Cell<Option<u64>>,
    /// How often it has been this call's turn.
    turns: Cell<u32>,
    place: RefCell<Option<Place>>,
}

/// A place in line. Dropping it leaves the line, so that the calls behind move up.
struct Place {
    instance: Rc<Instance>,
    model: Arc<str>,
    ticket: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.instance.lines.with(&self.model, |line| line.leave(self.ticket));
    }
}

impl Wait {
    pub(super) fn new(instance: &Rc<Instance>, model: &Model) -> Self {
        Wait {
            instance: instance.clone(),
            model: model.name.clone(),
            left_ms: Cell::new(model.max_wait_ms),
            waited_ms: Cell::new(0),
            ticket: Cell::new(None),
            turns: Cell::new(0),
            place: RefCell::new(None),
        }
    }

    /// How long the call has waited, if it has.
    pub(super) fn waited_ms(&self) -> Option<u64> {
        Some(self.waited_ms.get()).filter(|waited_ms| *waited_ms > 0)
    }

    /// Waits for its turn at the first of these slots to become free, and keeps its place until
    /// [`served`](Wait::served) is called, so that no call behind it asks meanwhile. Returns `false` if none becomes
    /// free in time, or if too many calls wait already.
    pub(super) async fn for_slot(&self, skipped: &[Skipped]) -> bool {
        let is_next = match wait::due_ms(skipped) {
            Some(due_ms) if self.left_ms.get() > 0 => self.wait_until(due_ms).await,
            _ => false,
        };
        if !is_next {
            self.served();
        }
        is_next
    }

    /// Leaves the line, so that the calls behind move up.
    pub(super) fn served(&self) {
        self.place.take();
    }

    async fn wait_until(&self, due_ms: i64) -> bool {
        let due_in_ms = u64::try_from(due_ms.saturating_sub(host::steady_ms())).unwrap_or(0);
        let mut pause_ms = due_in_ms.max(wait::look_ms(self.turns.get()));
        // A call whose wait would be too long takes no place in line.
        let Some(ticket) = Some(()).filter(|()| due_in_ms <= self.left_ms.get()).and_then(|()| self.join(due_ms))
        else {
            return false;
        };
        while pause_ms <= self.left_ms.get() {
            let start_ms = host::now_ms();
            host::wait_ms(pause_ms).await;
            let took_ms = host::now_ms().saturating_sub(start_ms).max(1);
            self.waited_ms.set(self.waited_ms.get().saturating_add(took_ms));
            self.left_ms.set(self.left_ms.get().saturating_sub(took_ms));
            match self.instance.lines.with(&self.model, |line| line.turn_in_ms(ticket, host::steady_ms())) {
                None => {
                    self.turns.set(self.turns.get().saturating_add(1));
                    return true;
                }
                Some(turn_in_ms) => pause_ms = turn_in_ms,
            }
        }
        false
    }

    /// A ticket, if the line has room for one more.
    fn join(&self, due_ms: i64) -> Option<u64> {
        let ticket = self.ticket.get().unwrap_or_else(|| self.instance.lines.draw());
        self.ticket.set(Some(ticket));
        let is_room = self.instance.lines.with(&self.model, |line| line.join(ticket, due_ms));
        if is_room && self.place.borrow().is_none() {
            let (instance, model) = (self.instance.clone(), self.model.clone());
            self.place.replace(Some(Place { instance, model, ticket }));
        }
        is_room.then_some(ticket)
    }
}
