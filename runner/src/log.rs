//! Log lines: one per event, to stderr, time first. No logging framework, because the rule that matters (never a key,
//! never a body) is kept by there being few call sites, all with literal texts.

use std::fmt::Display;
use std::io::Write;

/// Something the operator may want to know.
pub(crate) fn note(message: impl Display) {
    write("note", &message.to_string());
}

/// Something the operator should act on.
pub(crate) fn warn(message: impl Display) {
    write("warn", &message.to_string());
}

fn write(level: &str, message: &str) {
    let line = format!("{:.3} {level} {}\n", jiff::Timestamp::now(), single_line(message));
    // A closed stderr must not end the server.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Escapes control characters: an upstream's error text must not forge lines or move the terminal's cursor.
fn single_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() { line.extend(character.escape_default()) } else { line.push(character) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::single_line;

    #[test]
    fn a_message_cannot_forge_a_second_line() {
        assert_eq!(single_line("a\nb\u{1b}[2Jc"), "a\\nb\\u{1b}[2Jc");
    }
}
