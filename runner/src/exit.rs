//! How the process ends: the exit codes of sysexits(3), so that a supervisor can tell "fix the configuration" (78)
//! from "try again" (75).

use std::fmt;

/// The answer is no: refused, or not able to serve.
pub(crate) const REFUSED: u8 = 1;
/// The command line is wrong: clap's code, which scripts know.
pub(crate) const USAGE: u8 = 2;
/// llmio itself is broken.
pub(crate) const INTERNAL: u8 = 70;
/// Something cannot be read or written.
pub(crate) const IO: u8 = 74;
/// Another process is in the way; trying again may work.
pub(crate) const TEMPORARY: u8 = 75;
/// A setting must be changed first.
pub(crate) const CONFIG: u8 = 78;

/// An end with a code of its own and a message for the operator.
#[derive(Debug)]
pub(crate) struct Exit {
    /// The process's exit code.
    pub(crate) code: u8,
    /// What happened and what to do, one or more lines.
    pub(crate) message: String,
}

impl Exit {
    /// An error for `main` to turn into an exit.
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Exit {
        Exit { code, message: message.into() }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Exit {}
