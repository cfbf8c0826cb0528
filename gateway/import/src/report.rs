//! What became of the content of another gateway's file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The thing: its place in the catalog where it has one, else what its source calls it.
    pub what: String,
    /// What was done with it and why, in a sentence without a final full stop.
    pub note: String,
}

/// What was taken, what was taken in another form, and what was left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What is new in the catalog.
    pub taken: Vec<Entry>,
    /// What does not mean quite the same any more, and why.
    pub changed: Vec<Entry>,
    /// What has no place in the catalog, or was there already, and why it is left out.
    pub left: Vec<Entry>,
}

impl Entry {
    /// An entry.
    pub(super) fn new(what: impl fmt::Display, note: impl Into<String>) -> Entry {
        Entry { what: what.to_string(), note: note.into() }
    }
}

/// `1 target` or `3 targets`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
