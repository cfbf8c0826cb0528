//! What is wrong with a catalog: every problem with the path of the value it is about.
//!
//! Not an error enum: nothing branches on the kind of a problem, people and consoles read path and sentence.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

/// One thing wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where in the document, like `models[2].targets[0].provider`; empty: the document as a whole.
    pub path: String,
    /// A sentence without a final full stop. Never holds a secret's characters.
    pub message: String,
}

impl Problem {
    /// A problem at this path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Every problem of a document at once; never empty when it stands in an `Err`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// A single problem.
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        Problems(vec![Problem::new(path, message)])
    }

    /// These, and those of the others that are about other places: of two answers to one mistake the first is kept.
    pub fn and(mut self, others: Problems) -> Self {
        let known: HashSet<String> = self.0.iter().map(|problem| problem.path.clone()).collect();
        self.0.extend(others.0.into_iter().filter(|problem| !known.contains(&problem.path)));
        self
    }

    /// `Ok` when there are none.
    pub(super) fn into_result(self) -> Result<(), Problems> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
