//! What an instance of the component remembers from one request to the next. It is one value, made with the first
//! request and passed as an argument to whatever needs it.

use std::cell::RefCell;
use std::rc::Rc;

use gateway_core::authenticate::Throttle;
use gateway_core::memory::Memory;

use crate::carry::Carrier;
use crate::counters::LastConsidered;
use crate::host::{Capabilities, RandomSource};
use crate::proxy::{Lines, OpenCalls};
use crate::send::Buffers;
use crate::store::Stores;

/// The state of an instance. Apart from the calls under way, nothing in it belongs to a single request.
pub(crate) struct Instance {
    /// The abilities of the host.
    pub(crate) host: Capabilities,
    /// The faster way to the host, if it has one.
    pub(crate) carrier: Option<Rc<Carrier>>,
    pub(crate) random: RandomSource,
    /// Addresses that presented wrong credentials lately.
    pub(crate) throttle: RefCell<Throttle>,
    /// The memory that the calls under way take.
    pub(crate) memory: RefCell<Memory>,
    pub(crate) buffers: Buffers,
    pub(crate) store: Stores,
    /// The accounts whose counters were asked for, and the hosts whose lists of models were.
    pub(crate) considered: LastConsidered,
    /// The calls under way.
    pub(crate) open: OpenCalls,
    /// The calls that wait for a free slot.
    pub(crate) lines: Lines,
}

impl Instance {
    /// An instance that knows only its host.
    pub(crate) fn new(host: Capabilities, carrier: Option<Rc<Carrier>>) -> Self {
        Instance {
            host,
            carrier,
            random: RandomSource::default(),
            throttle: RefCell::default(),
            memory: RefCell::default(),
            buffers: Buffers::default(),
            store: Stores::default(),
            considered: LastConsidered::default(),
            open: OpenCalls::default(),
            lines: Lines::default(),
        }
    }
}
