//! Reads Gemini's other form of a stream while it passes: a JSON array whose items are the events, split anywhere.

use super::events::Events;
use crate::dialect::Dialect;
use crate::scan::Nesting;

/// A larger item is passed over, since it is a picture.
const ITEM_BYTES_MAX: usize = 128 << 10;

#[derive(Debug)]
pub(super) struct Array {
    nesting: Nesting,
    /// The depth around the items, since an error may come as an object instead of an array.
    outside: Option<u32>,
    /// The part of the present item that is held.
    item: Vec<u8>,
    /// What the events have told.
    pub(super) events: Events,
}

impl Array {
    pub(super) fn new(dialect: Dialect) -> Self {
        let events = Events::new(dialect);
        Array { nesting: Nesting::default(), outside: None, item: Vec::new(), events }
    }

    /// Reads the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let was_inside = self.is_inside();
            if self.nesting.step(byte) {
                self.outside.get_or_insert(u32::from(byte == b'['));
            }
            let is_inside = self.is_inside();
            if (was_inside || is_inside) && self.item.len() <= ITEM_BYTES_MAX {
                self.item.push(byte);
            }
            if was_inside && !is_inside {
                let item = std::mem::take(&mut self.item);
                if item.len() <= ITEM_BYTES_MAX {
                    self.events.take(&item, b"");
                } else {
                    self.events.pass_over();
                }
            }
        }
    }

    /// Whether the outermost bracket has closed.
    pub(super) fn is_whole(&self) -> bool {
        self.outside.is_some() && self.nesting.depth == 0
    }

    /// How many bytes of the present item are held.
    pub(super) fn kept(&self) -> usize {
        self.item.capacity()
    }

    fn is_inside(&self) -> bool {
        self.outside.is_some_and(|outside| self.nesting.depth > outside)
    }
}
