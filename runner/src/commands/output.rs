//! The output of commands: results to stdout, for pipes, and remarks to stderr.

use crate::exit::{self, Exit};
use anyhow::{Context, Result};
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;

/// Writes a result. A reader that closes the pipe early (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    print_part(text).map(|_| ())
}

/// Writes a part of a result. Returns Break if nobody reads any more.
pub(super) fn print_part(text: &str) -> Result<ControlFlow<()>> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Exit::new(exit::IO, format!("the result cannot be written: {error}")).into()),
    }
}

/// Writes an answer of the server as indented JSON, for programs.
pub(super) fn json(body: &[u8]) -> Result<()> {
    let answer: serde_json::Value = serde_json::from_slice(body)
        .context("the server's answer could not be read; is the server another version?")?;
    print(&format!("{answer:#}\n"))
}

/// Writes a remark, one line.
pub(super) fn remark(text: &str) {
    let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Makes text from elsewhere one line that cannot move the cursor of the terminal or look like another line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2J\nb\u{9b}c 中"), "a\u{fffd}[2J\u{fffd}b\u{fffd}c 中");
    }
}
