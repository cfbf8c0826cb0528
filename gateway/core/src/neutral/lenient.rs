//! Reads text that is almost JSON, because one value that cannot be read must not spoil the text beside it.
//!
//! Providers write numbers as their programming language does (`NaN`, `-Infinity`), control characters without escapes,
//! and text that is not UTF-8, and they cut text between the halves of a surrogate pair. Everything is first read as
//! JSON; only if that fails, it is corrected.

use serde_json::Value;

use crate::memory::{self, SMALL_BYTES_MAX};

/// The value, and what was lost.
#[derive(Debug, PartialEq)]
pub(crate) struct Lenient {
    pub(crate) value: Value,
    /// Whether a value or a character could not be read.
    pub(crate) has_loss: bool,
    /// Whether a text ends or begins with half a surrogate pair, which [`halves`](super::halves) may join.
    pub(crate) has_halves: bool,
}

/// The data of an event, whose texts may continue in the next event; `None` if it cannot be read at all.
pub(crate) fn event(data: &[u8]) -> Option<Lenient> {
    read(data, true)
}

/// A whole document.
pub(crate) fn document(data: &[u8]) -> Option<Lenient> {
    read(data, false)
}

fn read(data: &[u8], keeps_halves: bool) -> Option<Lenient> {
    if let Ok(value) = serde_json::from_slice(data) {
        return Some(Lenient { value, has_loss: false, has_halves: false });
    }
    let mended_bytes = mended_bytes(data);
    if mended_bytes > SMALL_BYTES_MAX && !memory::has_room_for([mended_bytes; 3]) {
        return None;
    }
    let text = String::from_utf8_lossy(data);
    let is_spoilt = matches!(text, std::borrow::Cow::Owned(_));
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let written = String::with_capacity(mended_bytes);
    let mut mending = Mending { written, keeps_halves, has_loss: is_spoilt, ..Mending::default() };
    mending.document(text);
    let value = serde_json::from_str(&mending.written).ok()?;
    Some(Lenient { value, has_loss: mending.has_loss, has_halves: mending.has_halves })
}

/// The greatest length of a text when it is corrected: a byte that is not UTF-8 becomes three, a control character six.
fn mended_bytes(data: &[u8]) -> usize {
    let beyond_ascii = if std::str::from_utf8(data).is_ok() { 1 } else { 3 };
    let lengths = data.iter().map(|byte| match byte {
        0..0x20 => 6,
        b'\\' => 2,
        0x80.. => beyond_ascii,
        _ => 1,
    });
    lengths.sum()
}

/// Half of a surrogate pair, which no text can hold, is written as one of the last private characters.
const HALVES: u32 = 0x10_F800;
const SURROGATES: std::ops::Range<u32> = 0xD800..0xE000;
const LOW_SURROGATES: std::ops::Range<u32> = 0xDC00..0xE000;

fn half_as_char(unit: u32) -> Option<char> {
    char::from_u32(HALVES + (unit - SURROGATES.start))
}

/// The half that a character stands for.
pub(crate) fn half_of(character: char) -> Option<u32> {
    let unit = (u32::from(character)).checked_sub(HALVES)? + SURROGATES.start;
    SURROGATES.contains(&unit).then_some(unit)
}

/// Whether it is the second half of a pair.
pub(crate) fn is_second(unit: u32) -> bool {
    LOW_SURROGATES.contains(&unit)
}

#[derive(Debug, Default)]
struct Mending {
    written: String,
    keeps_halves: bool,
    has_loss: bool,
    has_halves: bool,
}

impl Mending {
    fn document(&mut self, text: &str) {
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            match character {
                '"' => {
                    self.written.push('"');
                    rest = self.string(rest.get(1..).unwrap_or_default());
                }
                _ if is_of_word(character) => {
                    let end = rest.find(|other| !is_of_word(other)).unwrap_or(rest.len());
                    let (word, after) = rest.split_at(end);
                    self.word(word);
                    rest = after;
                }
                _ => {
                    self.written.push(character);
                    rest = rest.get(character.len_utf8()..).unwrap_or_default();
                }
            }
        }
    }

    /// A number or a name.
    fn word(&mut self, word: &str) {
        let name = word.trim_start_matches(['-', '+']).to_ascii_lowercase();
        if matches!(name.as_str(), "nan" | "infinity" | "inf" | "undefined" | "none") {
            self.has_loss = true;
            self.written.push_str("null");
        } else {
            self.written.push_str(word);
        }
    }

    /// Reads a string up to its closing quote, and returns what follows.
    fn string<'t>(&mut self, text: &'t str) -> &'t str {
        let mut rest = text;
        let mut is_first = true;
        loop {
            let end = rest.find(|other: char| other < ' ' || matches!(other, '"' | '\\')).unwrap_or(rest.len());
            let (plain, special) = rest.split_at(end);
            self.written.push_str(plain);
            is_first &= plain.is_empty();
            let Some(character) = special.chars().next() else { return special };
            let after = special.get(character.len_utf8()..).unwrap_or_default();
            rest = match character {
                '"' => {
                    self.written.push('"');
                    return after;
                }
                '\\' => self.escape(after, is_first),
                control => {
                    self.control(control);
                    after
                }
            };
            is_first = false;
        }
    }

    /// Writes a control character as an escape. There may be millions of them.
    fn control(&mut self, control: char) {
        let digit = |value: u32| char::from_digit(value, 16).unwrap_or('0');
        let code = u32::from(control);
        self.written.push_str("\\u00");
        self.written.push(digit(code >> 4));
        self.written.push(digit(code & 0xf));
    }

    /// Reads what follows a backslash. A backslash that begins no escape stands for itself.
    fn escape<'t>(&mut self, text: &'t str, is_first: bool) -> &'t str {
        match text.chars().next() {
            Some(plain @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                self.written.push('\\');
                self.written.push(plain);
                text.get(1..).unwrap_or_default()
            }
            Some('u') if unit(text).is_some() => self.unicode(text, is_first),
            _ => {
                self.written.push_str("\\\\");
                text
            }
        }
    }

    fn unicode<'t>(&mut self, text: &'t str, is_first: bool) -> &'t str {
        let (written, after) = text.split_at(ESCAPE_BYTES.min(text.len()));
        let first = unit(text).unwrap_or_default();
        if !SURROGATES.contains(&first) {
            self.written.push('\\');
            self.written.push_str(written);
            return after;
        }
        let second = after.strip_prefix('\\').and_then(|next| Some((next, unit(next)?)));
        if let Some((next, second)) = second
            && !is_second(first)
            && is_second(second)
        {
            let (low, after) = next.split_at(ESCAPE_BYTES.min(next.len()));
            for half in [written, low] {
                self.written.push('\\');
                self.written.push_str(half);
            }
            return after;
        }
        let may_go_on = if is_second(first) { is_first } else { after.starts_with('"') };
        match half_as_char(first).filter(|_| self.keeps_halves && may_go_on) {
            Some(half) => {
                self.has_halves = true;
                self.written.push(half);
            }
            None => {
                self.has_loss = true;
                self.written.push(char::REPLACEMENT_CHARACTER);
            }
        }
        after
    }
}

/// The length of `u` and four digits.
const ESCAPE_BYTES: usize = 5;

fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hex { u32::from_str_radix(digits, 16).ok() } else { None }
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '+' | '.' | '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event_of(data: &[u8]) -> Option<(Value, bool)> {
        event(data).map(|read| (read.value, read.has_loss))
    }

    #[test]
    fn a_value_that_cannot_be_read_takes_nothing_along() {
        for (data, value, has_loss) in [
            (&br#"{"a":1.5,"b":"c"}"#[..], json!({ "a": json!(1.50), "b": "c" }), false),
            (br#"{"logprob":-Infinity,"content":"c"}"#, json!({ "logprob": null, "content": "c" }), true),
            (br#"[NaN,Infinity,inf,-inf,undefined,"NaN"]"#, json!([null, null, null, null, null, "NaN"]), true),
            (b"{\"a\":\"tab\there\",\"b\":\"\x00\x1f\"}", json!({ "a": "tab\there", "b": "\u{0}\u{1f}" }), false),
            (b"{\"a\":\"\xff!\",\"b\":\"c\"}", json!({ "a": "\u{fffd}!", "b": "c" }), true),
            (br#"{"a":"\x41 \' \u12 \\ \" \n"}"#, json!({ "a": "\\x41 \\' \\u12 \\ \" \n" }), false),
            (
                br#"{"a":"\ud83d\ude00 \t","b":"\ud83d!","c":NaN}"#,
                json!({ "a": "😀 \t", "b": "\u{fffd}!", "c": null }),
                true,
            ),
            (b"\xef\xbb\xbf{\"a\":1}", json!({ "a": 1 }), false),
        ] {
            let shown = String::from_utf8_lossy(data).into_owned();
            assert_eq!(event_of(data), Some((value.clone(), has_loss)), "{shown}");
            let whole = document(data).map(|read| (read.value, read.has_loss));
            assert_eq!(whole, Some((value, has_loss)), "{shown}");
        }
    }

    #[test]
    fn a_number_beyond_a_double_is_read_as_it_is_written() {
        assert_eq!(event_of(br#"{"a":1e400}"#).map(|(value, _)| value.to_string()), Some(r#"{"a":1e+400}"#.to_owned()));
    }

    #[test]
    fn halves_of_a_pair_are_kept_where_a_text_may_go_on() {
        let first = event(br#"{"content":"Hi \ud83d"}"#).expect("an event");
        assert!(first.has_halves && !first.has_loss);
        let last = first.value["content"].as_str().and_then(|text| text.chars().last()).expect("a character");
        assert_eq!(half_of(last), Some(0xd83d));
        let second = event(br#"{"content":"\ude00 there"}"#).expect("an event");
        let begun = second.value["content"].as_str().and_then(|text| text.chars().next()).expect("a character");
        assert_eq!(half_of(begun), Some(0xde00));
        for lost in [&br#"{"a":"\ude00\ude00x"}"#[..], br#"{"a":"\ud83dx"}"#, br#"{"a":"x\ude00"}"#] {
            assert!(event(lost).is_some_and(|read| read.has_loss), "{}", String::from_utf8_lossy(lost));
        }
        let whole = document(br#"{"a":"Hi \ud83d"}"#).expect("a document");
        assert_eq!((whole.value, whole.has_loss), (json!({ "a": "Hi \u{fffd}" }), true));
        assert_eq!(half_of('a'), None);
        assert_eq!(half_of('\u{10ffff}'), Some(0xdfff));
    }

    #[test]
    fn what_cannot_be_read_at_all_is_nothing() {
        for data in ["{", "{\"a\":\"b", "ping", "{\"a\":}", "{\"a\":1}{\"b\":2}", "", "{\"a\":tru}", "{'a':1}"] {
            assert_eq!(event_of(data.as_bytes()), None, "{data}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = event(&data);
            let _ = document(&[b"{\"a\":\"", data.as_slice(), b"\"}"].concat());
        }

        #[test]
        fn a_text_with_anything_in_it_is_read(data in "[\\x00-\\x1f\\\\a-fu0-9dD{}\u{e9}]{0,40}") {
            let quoted = format!("{{\"a\":\"{}\",\"b\":1}}", data.replace("\\\"", ""));
            if let Some(read) = document(quoted.as_bytes()) {
                proptest::prop_assert!(read.value.is_object());
            }
        }
    }
}
