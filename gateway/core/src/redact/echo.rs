//! The text of an error without what it repeats of the request. Many providers repeat a part of the prompt, or all of
//! it.

use std::collections::HashSet;

use crate::scan::unescaped;

/// The shortest text that counts as an echo if it also stands in the request. Shorter ones are phrases that any two
/// texts share.
const ECHO_BYTES: usize = 16;

/// A larger request is not searched; then the whole text of an error counts as an echo.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The mark in place of what was left out.
const LEFT_OUT: char = '…';

/// A message without what it quotes and without what also stands in the request. `None` if these cannot be told apart.
pub fn without_request_text(message: &str, request: &[u8]) -> Option<String> {
    if request.len() > REQUEST_BYTES_MAX {
        return None;
    }
    let message = without_quoted(message);
    let bytes = message.as_bytes();
    let windows: HashSet<&[u8]> = bytes.windows(ECHO_BYTES).collect();
    if windows.is_empty() {
        return Some(message);
    }
    // The request may be large. Four bytes are enough to tell most of its places from every place of the message.
    let mut may_be = vec![false; 1 << 16];
    for window in &windows {
        if let Some(slot) = may_be.get_mut(slot(window)) {
            *slot = true;
        }
    }
    let plain = unescaped(request);
    let is_echo = |window: &&[u8]| may_be.get(slot(window)) == Some(&true) && windows.contains(window);
    let echoed: HashSet<&[u8]> = plain.windows(ECHO_BYTES).filter(is_echo).collect();
    Some(without_echo(&message, |at| bytes.get(at..at + ECHO_BYTES).is_some_and(|window| echoed.contains(window))))
}

/// A number from 0 to 65,535 for the first four bytes.
fn slot(window: &[u8]) -> usize {
    let first = window.first_chunk().copied().map_or(0, u32::from_le_bytes);
    (first.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

fn without_echo(message: &str, is_echo_at: impl Fn(usize) -> bool) -> String {
    let mut kept = String::with_capacity(message.len());
    let mut left_out_to = 0;
    for (at, character) in message.char_indices() {
        if is_echo_at(at) {
            left_out_to = at + ECHO_BYTES;
        }
        if at >= left_out_to {
            kept.push(character);
        } else if !kept.ends_with(LEFT_OUT) {
            kept.push(LEFT_OUT);
        }
    }
    kept
}

/// Leaves out what stands between quotation marks of any kind; an opening mark without its end takes all that follows.
/// An apostrophe within a word is no mark.
fn without_quoted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        kept.push(character);
        if let Some(closing) = closing(character, before) {
            kept.push(LEFT_OUT);
            kept.extend(rest.by_ref().find(|each| *each == closing));
        }
        before = character;
    }
    kept
}

/// The character that ends a quotation beginning with this one.
pub(crate) fn closing(character: char, before: char) -> Option<char> {
    match character {
        '"' | '`' => Some(character),
        '\'' if !before.is_alphanumeric() => Some('\''),
        '“' => Some('”'),
        '‘' => Some('’'),
        '「' => Some('」'),
        '『' => Some('』'),
        '«' => Some('»'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] =
        br#"{"model":"m","messages":[{"role":"user","content":"my private diary, \u4eca\u5929\u5929\u6c14\u5f88\u597d\u554a day 1"}]}"#;

    #[test]
    fn what_an_error_quotes_or_repeats_of_the_request_is_left_out() {
        for (message, apart) in [
            ("Rate limit reached, try again in 20 s.", "Rate limit reached, try again in 20 s."),
            ("Invalid value: 'my diary'. Supported: 'a'.", "Invalid value: '…'. Supported: '…'."),
            ("failed on input \"my private", "failed on input \"…"),
            ("blocked: my private diary, and so on", "blocked: …and so on"),
            ("拒绝：今天天气很好啊", "拒绝：…"),
            ("don't do \u{201c}that\u{201d}", "don't do \u{201c}…\u{201d}"),
            ("", ""),
        ] {
            assert_eq!(without_request_text(message, REQUEST).as_deref(), Some(apart), "{message}");
        }
        assert_eq!(without_request_text("anything", &vec![b' '; REQUEST_BYTES_MAX + 1]), None);
    }
}
