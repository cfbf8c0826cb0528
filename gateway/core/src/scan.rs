//! Scans JSON without parsing it: where strings end, what they say, and how deeply it nests.

use std::borrow::Cow;

use serde::Deserialize;

/// A member's name, decoded: `"mod\u0065l"` is `model` too. Borrowed where it has no escapes.
#[derive(Deserialize)]
pub(crate) struct Name<'t>(#[serde(borrow)] pub(crate) Cow<'t, str>);

/// The end of the string that began before `at`: its closing quote, or the end of `bytes`. Strings are most of a
/// prompt, so they are skipped in runs.
pub(crate) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

/// A text with all JSON escapes decoded, so that it can be searched for words: many writers escape everything but
/// ASCII. What is no valid escape stays unchanged.
pub(crate) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escaped)) = memchr::memchr(b'\\', rest).and_then(|at| rest.split_at_checked(at)) {
        let (character, length) = escape(escaped).unwrap_or(('\\', 1));
        plain.extend_from_slice(before);
        plain.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = escaped.get(length..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// The length of a text with its JSON escapes decoded, since a character is worth as many tokens however it is written.
pub(crate) fn plain_length(text: &[u8]) -> usize {
    let mut length = text.len();
    let mut rest = text;
    while let Some(escaped) = memchr::memchr(b'\\', rest).and_then(|at| rest.get(at..)) {
        let (character, written) = escape(escaped).unwrap_or(('\\', 1));
        length = length.saturating_sub(written.saturating_sub(character.len_utf8()));
        rest = escaped.get(written..).unwrap_or_default();
    }
    length
}

/// The character of the escape that `text` begins with, and how many bytes it takes.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.get(1)? {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode(text),
        plain @ (b'"' | b'\\' | b'/') => char::from(*plain),
        _ => return None,
    };
    Some((character, 2))
}

/// A character beyond the first 65,536 takes two escapes.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    };
    let pair = [unit(0)?, unit(6).unwrap_or_default()];
    let units = pair.map(|unit| u16::try_from(unit).unwrap_or_default());
    let character = char::decode_utf16(units).next()?.ok()?;
    Some((character, character.len_utf16() * 6))
}

/// Tracks the brackets of a text that comes in pieces, except for those inside strings.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    /// How many brackets are open.
    pub(crate) depth: u32,
    in_string: bool,
    is_escaped: bool,
}

impl Nesting {
    /// Takes the next byte. Returns whether it opens a bracket.
    pub(crate) fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                return true;
            }
            _ => {}
        }
        false
    }
}

/// Tells when a JSON object that comes in pieces is whole, without keeping it.
#[derive(Debug, Default)]
pub(crate) struct Braces {
    nesting: Nesting,
    has_opened: bool,
}

impl Braces {
    /// Takes more of its text.
    pub(crate) fn read(&mut self, text: &[u8]) {
        for byte in text {
            self.has_opened |= self.nesting.step(*byte);
        }
    }

    /// Whether an object has begun and ended.
    pub(crate) fn are_whole(&self) -> bool {
        self.has_opened && self.nesting.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_back_and_everything_else_stays_as_it_is() {
        let plain = |text: &str| String::from_utf8(unescaped(text.as_bytes()).into_owned()).expect("text");
        assert_eq!(
            plain(r#"data: {"a":"\u79ef\u5206 \ud83d\ude00","b":"x\/y\n\"z\\"}"#),
            "data: {\"a\":\"积分 😀\",\"b\":\"x/y\n\"z\\\"}"
        );
        let escaped = r#"{"a":"\u79ef\u5206 \ud83d\ude00\n\u00e9 \ud83d \x"}"#.as_bytes();
        assert_eq!(plain_length(escaped), unescaped(escaped).len());
        assert_eq!(plain_length("{\"a\":\"积分\"}".as_bytes()), plain_length(br#"{"a":"\u79ef\u5206"}"#));
        for same in ["plain", "积分", r"\u79e", r"\ud83d alone", r"\x41", "ends in \\", r"\u+123", ""] {
            assert_eq!(plain(same), same);
        }
    }
}
