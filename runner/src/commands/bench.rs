//! `llmio bench`: what this binary does on this machine. Hidden: for those who work on llmio.

mod soak;

use anyhow::Result;

/// What can be measured.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Mixed load and random faults; tells whether memory or descriptors grow and whether every call is recorded
    Soak(soak::Arguments),
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Soak(arguments) => soak::run(arguments),
    }
}
