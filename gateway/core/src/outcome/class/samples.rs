//! A sample for every row of the table: error bodies in the shapes their providers document or are known to send.

use crate::verdict::{Class, ErrorKind};

mod abroad;
mod china;
mod relays;
mod too_long;

/// The provider and what happened, status, body, class and kind.
pub(super) type Sample = (&'static str, u16, &'static str, Class, ErrorKind);

pub(super) fn all() -> impl Iterator<Item = &'static Sample> {
    [abroad::SAMPLES, china::SAMPLES, relays::SAMPLES, too_long::SAMPLES].into_iter().flatten()
}
