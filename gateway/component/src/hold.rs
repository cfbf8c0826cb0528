//! The part of the instance's [memory](gateway_core::memory) that a call takes: bodies, requests that are being written
//! and answers that have not been relayed whole. Each part counts for as long as its [`HeldBytes`] lives.
//!
//! A call that finds no room looks again after a moment, because on WASI 0.3 hosts no task may wake another's. Only
//! calls with large bodies ever wait.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use gateway_core::memory::{SMALL_BYTES_MAX, Share};

use crate::bodies;
use crate::host;
use crate::instance::Instance;

/// How long a request waits for its turn at most: longer than most answers take, since the request before it may hold
/// its room until its answer has come.
pub(crate) const TURN_MS_MAX: u64 = 300_000;

/// How long an answer waits for room at most. Its provider goes on sending, or waits itself, but not for ever.
pub(crate) const ANSWER_MS_MAX: u64 = 30_000;

/// The time between two attempts to get room.
const LOOK_MS: u64 = 20;

/// A request as the owner of memory. Clones stand for the same request.
#[derive(Clone)]
pub(crate) struct Holder(Rc<Inner>);

struct Inner {
    instance: Rc<Instance>,
    call: u64,
    whose: OnceCell<Box<str>>,
    is_large: Cell<bool>,
    bytes: Cell<usize>,
}

/// Bytes that a request holds in memory. They are given back when this is dropped.
pub(crate) struct HeldBytes {
    holder: Holder,
    bytes: usize,
    /// How long it has waited for room, all waits together.
    waited_ms: u64,
}

impl Holder {
    /// A holder without any bytes, whose caller is not known yet.
    pub(crate) fn new(instance: &Rc<Instance>) -> Self {
        let call = instance.memory.borrow_mut().draw();
        let (whose, is_large, bytes) = (OnceCell::new(), Cell::new(false), Cell::new(0));
        Holder(Rc::new(Inner { instance: instance.clone(), call, whose, is_large, bytes }))
    }

    /// Counts the holder's bytes against the share of this caller.
    pub(crate) fn belongs_to(&self, name: &str) {
        let _ = self.0.whose.set(name.into());
    }

    /// Notes how long the request's body will be, if the request says so.
    pub(crate) fn expects(&self, bytes: Option<usize>) {
        self.0.is_large.set(bytes.is_none_or(|bytes| bytes > SMALL_BYTES_MAX));
    }

    /// A new part of the holder, empty so far.
    pub(crate) fn nothing(&self) -> HeldBytes {
        HeldBytes { holder: self.clone(), bytes: 0, waited_ms: 0 }
    }
}

impl HeldBytes {
    /// The number of bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the number of bytes. Returns `false`, and changes nothing, if there is no room for more at the moment.
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        if bytes == self.bytes {
            return true;
        }
        let Inner { instance, call, whose, is_large, bytes: of_call } = &*self.holder.0;
        let (mut memory, had) = (instance.memory.borrow_mut(), of_call.get());
        match bytes.checked_sub(self.bytes) {
            None => memory.shrink(*call, had, self.bytes - bytes),
            Some(more) => {
                let whose = whose.get().map_or("", |whose| whose);
                if !memory.grow(Share { call: *call, whose, is_large: is_large.get() }, had, more) {
                    return false;
                }
            }
        }
        of_call.set((had + bytes).saturating_sub(self.bytes));
        self.bytes = bytes;
        drop(memory);
        bodies::give_way(instance);
        true
    }

    /// Changes the number of bytes as soon as there is room. Returns `false` if all waits together took longer than
    /// `ms_max`.
    pub(crate) async fn set_in_turn(&mut self, bytes: usize, ms_max: u64) -> bool {
        self.until(|held| held.set(bytes), ms_max).await
    }

    /// Waits until `has_room` says so. `false`: it has waited so long in all.
    pub(crate) async fn until(&mut self, mut has_room: impl FnMut(&mut HeldBytes) -> bool, ms_max: u64) -> bool {
        while !has_room(self) {
            if self.waited_ms > ms_max {
                return false;
            }
            let start_ms = host::now_ms();
            host::wait_ms(LOOK_MS).await;
            self.waited_ms = self.waited_ms.saturating_add(host::now_ms().saturating_sub(start_ms).max(1));
        }
        true
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.set(0);
    }
}
