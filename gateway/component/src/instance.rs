//! What an instance of the component remembers from one request to the next. There is one value of it, made with the
//! first request; whoever needs any of it has it as an argument.

use std::cell::RefCell;

use gateway_core::authenticate::Throttle;
use gateway_core::memory::Memory;

use crate::host::{Capabilities, Chance};
use crate::proxy::{Lines, OpenCalls};
use crate::send::Buffers;
use crate::store::Stores;

/// An instance. Nothing in it is a request's own, but for the calls that are under way.
pub(crate) struct Instance {
    /// What the host can do.
    pub(crate) host: Capabilities,
    pub(crate) chance: Chance,
    /// Who presented wrong credentials of late.
    pub(crate) throttle: RefCell<Throttle>,
    /// What is kept for the calls under way.
    pub(crate) memory: RefCell<Memory>,
    pub(crate) buffers: Buffers,
    pub(crate) store: Stores,
    /// The calls under way.
    pub(crate) open: OpenCalls,
    /// Who of them waits for a slot.
    pub(crate) lines: Lines,
}

impl Instance {
    /// One that knows nothing yet but its host.
    pub(crate) fn new(host: Capabilities) -> Self {
        Instance {
            host,
            chance: Chance::default(),
            throttle: RefCell::default(),
            memory: RefCell::default(),
            buffers: Buffers::default(),
            store: Stores::default(),
            open: OpenCalls::default(),
            lines: Lines::default(),
        }
    }
}
