//! Long work in pieces. What reads or writes megabytes says so as it goes, and whoever called it may let others run
//! meanwhile: an instance and its thread do one thing at a time.

use std::fmt;

/// A receiver of progress: how many more bytes have been processed.
#[derive(Clone, Copy, Default)]
pub struct Pace<'p>(Option<&'p dyn Fn(usize)>);

impl<'p> Pace<'p> {
    /// Tells nobody.
    pub const fn none() -> Self {
        Pace(None)
    }

    /// Tells this one.
    pub fn of(note: &'p dyn Fn(usize)) -> Self {
        Pace(Some(note))
    }

    /// Reports that this many more bytes have been processed.
    pub fn step(self, bytes: usize) {
        if let Some(note) = self.0 {
            note(bytes);
        }
    }
}

impl fmt::Debug for Pace<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pace")
    }
}
