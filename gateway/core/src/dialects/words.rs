//! The words of a dialect's errors, in one table for reading and writing.

/// Which word stands for which HTTP status.
#[derive(Debug)]
pub(crate) struct ErrorWords {
    /// The pairs that the provider documents.
    pub(crate) documented: &'static [(u16, &'static str)],
    /// The nearest word for statuses that the provider documents none for.
    pub(crate) nearest: &'static [(u16, &'static str)],
    /// More words that are read and never written.
    pub(crate) read: &'static [(u16, &'static str)],
    /// The word for all other errors of the caller.
    pub(crate) of_caller: &'static str,
    /// The word for all other errors of the server.
    pub(crate) of_server: &'static str,
}

impl ErrorWords {
    /// The word for a status. An error without a status is the server's.
    pub(crate) fn word(&self, status: Option<u16>) -> &'static str {
        let rows = || self.documented.iter().chain(self.nearest);
        let row = rows().find(|(number, _)| Some(*number) == status);
        row.map_or(if matches!(status, Some(400..=499)) { self.of_caller } else { self.of_server }, |(_, word)| word)
    }

    /// The status a word stands for.
    pub(crate) fn status(&self, word: &str) -> Option<u16> {
        self.documented.iter().chain(self.read).find(|(_, name)| *name == word).map(|(status, _)| *status)
    }
}
