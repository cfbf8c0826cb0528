//! What a call keeps of the instance's [memory](gateway_core::memory): bodies, requests that are being written, answers
//! that are not through. Each is held for as long as a [`Held`] lives.
//!
//! Whoever finds no room looks again in a moment: no task may wake another's on WASI 0.3 hosts, and only calls with large
//! bodies ever wait.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use gateway_core::memory::{SMALL_BYTES_MAX, Share};

use crate::host;
use crate::instance::Instance;

/// A request waits so long for its turn. Longer than most answers take, of which one that is before it may wait for.
pub(crate) const TURN_MS_MAX: u64 = 300_000;

/// An answer waits so long for room. Its provider sends meanwhile, or waits, and does not do so for ever.
pub(crate) const ANSWER_MS_MAX: u64 = 30_000;

/// Between two looks.
const LOOK_MS: u64 = 20;

/// Who keeps something: one request. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Holder(Rc<Inner>);

struct Inner {
    instance: Rc<Instance>,
    call: u64,
    whose: OnceCell<Box<str>>,
    is_large: Cell<bool>,
    bytes: Cell<usize>,
}

/// Something that is kept; given back when it is dropped.
pub(crate) struct Held {
    holder: Holder,
    bytes: usize,
    /// How long it has waited for room in all.
    waited_ms: u64,
}

impl Holder {
    /// Nothing kept yet, by nobody who is known.
    pub(crate) fn new(instance: &Rc<Instance>) -> Self {
        let call = instance.memory.borrow_mut().draw();
        let (whose, is_large, bytes) = (OnceCell::new(), Cell::new(false), Cell::new(0));
        Holder(Rc::new(Inner { instance: instance.clone(), call, whose, is_large, bytes }))
    }

    /// The caller whose share it is part of.
    pub(crate) fn belongs_to(&self, name: &str) {
        let _ = self.0.whose.set(name.into());
    }

    /// Its body will have so many bytes, as far as that is told.
    pub(crate) fn expects(&self, bytes: Option<usize>) {
        self.0.is_large.set(bytes.is_none_or(|bytes| bytes > SMALL_BYTES_MAX));
    }

    /// Something of it, which is empty so far.
    pub(crate) fn nothing(&self) -> Held {
        Held { holder: self.clone(), bytes: 0, waited_ms: 0 }
    }
}

impl Held {
    /// How much it is.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// From now on it is so much. `false`, and nothing changes, where there is no room for more at the moment.
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
        true
    }

    /// The same as soon as there is room. `false`: it has waited so long in all.
    pub(crate) async fn set_in_turn(&mut self, bytes: usize, ms_max: u64) -> bool {
        while !self.set(bytes) {
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

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}
