//! What a command writes: results to stdout, so that they can be piped, and remarks to stderr, so that they are not.

use crate::exit::{self, Exit};
use anyhow::{Context, Result};
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;

/// Writes a result. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<()> {
    print_part(text).map(|_| ())
}

/// Writes a part of a result; Break when nobody reads what would follow.
pub(super) fn print_part(text: &str) -> Result<ControlFlow<()>> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Exit::new(exit::IO, format!("the result cannot be written: {error}")).into()),
    }
}

/// Writes an answer of the server's for a program, indented.
pub(super) fn json(body: &[u8]) -> Result<()> {
    let answer: serde_json::Value = serde_json::from_slice(body)
        .context("the server's answer could not be read; is the server another version?")?;
    print(&format!("{answer:#}\n"))
}

/// Writes a remark, one line.
pub(super) fn remark(text: &str) {
    let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// One line of text that came from elsewhere: it must not move the terminal's cursor or forge a line.
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
