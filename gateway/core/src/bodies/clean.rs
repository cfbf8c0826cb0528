//! What of a body is kept: its text without secrets and without files, up to a length.

use std::collections::HashSet;
use std::fmt;

use crate::memory;
use crate::pace::Pace;
use crate::redact::{KEY_MARK, Secrets, has_shape_of_key, is_of_word};
use crate::scan::end_of_string;

use super::BODY_BYTES_MAX;

/// A longer string of base64 is a picture, a document or a recording, and not kept.
const FILE_BYTES_MIN: usize = 2 << 10;

/// How much of a string is looked at to tell whether it is base64.
const LOOK_BYTES: usize = 256;

/// A shorter word is no key, even in the place of one.
const BYTES_MIN: usize = 8;

/// What follows `Bearer` is a key from this length on.
const BEARER_BYTES_MIN: usize = 16;

/// Names of members and variables whose values are keys.
const NAMES: [&str; 14] = [
    "authorization",
    "api_key",
    "apikey",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "access_token",
    "refresh_token",
    "auth_token",
    "client_secret",
    "secret_key",
    "private_key",
    "password",
    "passwd",
];

/// A copy of the beginning of a body, as long as may be kept. In a longer one, files in base64 are passed over, so that what is
/// said behind a picture is kept. Returns whether anything else is missing.
pub(super) fn copied(body: &[u8]) -> (Vec<u8>, bool) {
    if body.len() <= BODY_BYTES_MAX {
        let mut copy = Vec::new();
        let has_room = memory::append(&mut copy, body);
        return (copy, !has_room);
    }
    let mut copy = without_files(body, BODY_BYTES_MAX);
    let is_cut = copy.len() > BODY_BYTES_MAX;
    copy.truncate(BODY_BYTES_MAX);
    (copy, is_cut)
}

/// JSON without long strings of base64. Ends soon after `bytes_max`.
fn without_files(json: &[u8], bytes_max: usize) -> Vec<u8> {
    // One byte more shows that there is more. Returns whether there was memory for it.
    let keep = |kept: &mut Vec<u8>, bytes: &[u8]| {
        let left = bytes_max.saturating_add(1).saturating_sub(kept.len());
        memory::append(kept, bytes.get(..left).unwrap_or(bytes))
    };
    let mut kept = Vec::new();
    let mut rest = json;
    while kept.len() <= bytes_max {
        let Some(quote) = memchr::memchr(b'"', rest) else {
            keep(&mut kept, rest);
            break;
        };
        let end = end_of_string(rest, quote + 1).min(rest.len());
        let (before, text) = (rest.get(..=quote).unwrap_or_default(), rest.get(quote + 1..end).unwrap_or_default());
        if !keep(&mut kept, before) {
            break;
        }
        match file_in(text) {
            Some(file) => {
                kept.extend_from_slice(text.get(..file).unwrap_or_default());
                kept.extend_from_slice(format!("({} characters left out)", text.len() - file).as_bytes());
            }
            None if !keep(&mut kept, text) => break,
            None => {}
        }
        // The closing quote is taken as it stands: the next search begins behind it.
        let Some(behind) = rest.get(end + 1..) else { break };
        kept.push(b'"');
        rest = behind;
    }
    kept
}

/// Where in a string base64 begins that goes on to its end: at its beginning, or behind `base64,` of a data URL.
fn file_in(text: &[u8]) -> Option<usize> {
    if text.len() < FILE_BYTES_MIN {
        return None;
    }
    let head = text.get(..LOOK_BYTES).unwrap_or(text);
    let from = memchr::memmem::find(head, b"base64,").map_or(0, |at| at + b"base64,".len());
    let is_base64 = |bytes: &[u8]| {
        bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\\'))
    };
    let tail = text.get(text.len().saturating_sub(LOOK_BYTES)..).unwrap_or_default();
    // One letter over and over is no file.
    let is_mixed = head.get(from..).is_some_and(|head| head.iter().any(|byte| Some(byte) != head.first()));
    (is_mixed && is_base64(head.get(from..)?) && is_base64(tail)).then_some(from)
}

/// Takes secrets out of bodies.
pub struct Cleaner<'s> {
    /// What the attempt was sent with, in every spelling.
    own: Option<&'s Secrets>,
    /// Every other secret that is known.
    known: HashSet<&'s str>,
    pace: Pace<'s>,
}

impl fmt::Debug for Cleaner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cleaner({} of them)", self.known.len())
    }
}

impl<'s> Cleaner<'s> {
    /// A cleaner that knows the secrets of an attempt, and other words that are secrets.
    pub fn new(own: Option<&'s Secrets>, known: impl Iterator<Item = &'s str>, pace: Pace<'s>) -> Self {
        Cleaner { own, known: known.filter(|word| word.len() >= BYTES_MIN).collect(), pace }
    }

    /// The text of a body that may be kept, and whether it was cut here; `None`: it is no text.
    pub fn text(&self, body: Vec<u8>, is_cut: bool) -> Option<(String, bool)> {
        let mut kept = without_files(&body, BODY_BYTES_MAX);
        self.pace.step(body.len());
        let is_cut = is_cut || kept.len() > BODY_BYTES_MAX;
        kept.truncate(BODY_BYTES_MAX);
        if let Some(own) = self.own {
            own.hide(&mut kept);
            self.pace.step(kept.len());
        }
        let mut text = match String::from_utf8(kept) {
            Ok(text) => text,
            // Only the last character may be broken, by the cut.
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let is_end = is_cut && error.utf8_error().error_len().is_none();
                let mut kept = error.into_bytes();
                kept.truncate(valid);
                String::from_utf8(kept).ok().filter(|_| is_end)?
            }
        };
        if text.contains('\0') {
            return None;
        }
        if is_cut {
            // The beginning of a key is not known for one.
            text.truncate(text.trim_end_matches(is_of_secret).len());
        }
        Some((self.without_keys(text), is_cut))
    }

    /// A text without the words that are keys.
    fn without_keys(&self, text: String) -> String {
        let mut kept = String::new();
        let (mut copied_to, mut at) = (0, 0);
        while let Some(begin) = text.get(at..).and_then(|rest| rest.find(is_of_word)).map(|found| at + found) {
            let rest = text.get(begin..).unwrap_or_default();
            let end = begin + rest.find(|each: char| !is_of_word(each)).unwrap_or(rest.len());
            at = end;
            let Some(word) = text.get(begin..end).filter(|word| word.len() >= BYTES_MIN) else { continue };
            let before = text.get(..begin).unwrap_or_default();
            let begin = begin + escape_in(before, word);
            let word = text.get(begin..end).unwrap_or_default();
            let has_digit = || word.bytes().any(|byte| byte.is_ascii_digit());
            let is_named = || has_digit() && is_value_of_key(before);
            let is_borne = || word.len() >= BEARER_BYTES_MIN && is_behind_scheme(before);
            let is_shaped = || has_shape_of_key(word) && has_digit();
            if word.len() >= BYTES_MIN && (self.known.contains(word) || is_shaped() || is_borne() || is_named()) {
                kept.push_str(text.get(copied_to..begin).unwrap_or_default());
                kept.push_str(KEY_MARK);
                let rest = text.get(end..).unwrap_or_default();
                copied_to = end + rest.find(|each: char| !is_of_secret(each)).unwrap_or(rest.len());
                at = copied_to;
            }
            self.pace.step(end - begin);
        }
        if copied_to == 0 {
            return text;
        }
        kept.push_str(text.get(copied_to..).unwrap_or_default());
        kept
    }
}

/// Whether a key may go on with this character.
fn is_of_secret(each: char) -> bool {
    is_of_word(each) || matches!(each, '/' | '=')
}

/// How many letters at the beginning of a word belong to an escape: `\n`, `\u0022`.
fn escape_in(before: &str, word: &str) -> usize {
    let backslashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
    match word.as_bytes().first() {
        _ if backslashes == 0 => 0,
        Some(b'n' | b'r' | b't' | b'b' | b'f') => 1,
        Some(b'u') => 5.min(word.len()),
        _ => 0,
    }
}

/// The last bytes of a text that may name what follows.
fn behind(before: &str) -> &str {
    let from = before.len().saturating_sub(48);
    let from = (from..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or(before.len());
    before.get(from..).unwrap_or_default()
}

/// Whether a word stands as the value of a name of [`NAMES`]: in JSON, also in JSON within a string, or as `NAME=value`.
fn is_value_of_key(before: &str) -> bool {
    let marks = |each: char| matches!(each, '"' | '\'' | '\\' | ' ' | ':' | '=');
    let before = behind(before);
    let name = before.trim_end_matches(marks);
    let between = before.get(name.len()..).unwrap_or_default();
    let name = name.to_ascii_lowercase();
    between.contains([':', '=']) && NAMES.iter().any(|each| name.ends_with(each))
}

/// Whether a word stands behind `Bearer` or `Basic`.
fn is_behind_scheme(before: &str) -> bool {
    let before = behind(before).to_ascii_lowercase();
    before.ends_with("bearer ") || before.ends_with("basic ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        let mut own = Secrets::default();
        own.add("own/secret+01=");
        let known = ["wholly-unlike-a-key", "short"];
        let cleaner = Cleaner::new(Some(&own), known.into_iter(), Pace::default());
        cleaner.text(text.as_bytes().to_vec(), false).expect("a text").0
    }

    #[test]
    fn secrets_are_taken_out_wherever_they_stand() {
        for (text, kept) in [
            ("my key is sk-proj-0123456789abcdef.", "my key is (key)"),
            (r"export A=1\nsk-proj-0123456789abcdef\nB", r"export A=1\n(key)\nB"),
            (r#"{"t":"\u0022sk-ant-api03-abc0123456789\""}"#, r#"{"t":"\u0022(key)\""}"#),
            ("say wholly-unlike-a-key, short", "say (key), short"),
            ("own/secret+01= and own%2Fsecret%2b01%3D", "(credential) and (credential)"),
            ("Authorization: Bearer abcdefghijklmnop/qr==, x", "Authorization: Bearer (key), x"),
            (r#"{"authorization":"tok3n-of-mine","n":1}"#, r#"{"authorization":"(key)","n":1}"#),
            (r#"{"s":"{\"api_key\": \"abcd1234efgh\"}"}"#, r#"{"s":"{\"api_key\": \"(key)\"}"}"#),
            ("DB_PASSWORD=hunter2hunter2 ls", "DB_PASSWORD=(key) ls"),
            ("key AIzaSyA-0123456789_abcdefg;", "key (key);"),
        ] {
            assert_eq!(cleaned(text), kept, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for text in [
            "const password: string = read()",
            "a commit 0123456789abcdef0123456789abcdef01234567",
            r#"{"id":"toolu_01HxAbCdEfGhIjKlMnOpQr","call":"call_0123456789abcdefghijklmn"}"#,
            "key-value-stores-and-others",
            "a bearer of news, basic things",
            "把 `retry.rs` 里的退避改成带抖动的",
            "",
        ] {
            assert_eq!(cleaned(text), text);
        }
    }

    #[test]
    fn a_file_in_base64_is_left_out_and_what_is_said_behind_it_stays() {
        let picture = "iVBORw0KGgo/+A".repeat(200_000);
        let body = format!(r#"{{"url":"data:image/png;base64,{picture}","text":"what is this?"}}"#);
        let expected = format!(
            r#"{{"url":"data:image/png;base64,({} characters left out)","text":"what is this?"}}"#,
            picture.len()
        );
        let (copy, is_cut) = copied(body.as_bytes());
        assert_eq!((String::from_utf8(copy.clone()).expect("a text"), is_cut), (expected.clone(), false));
        assert_eq!(cleaned(&body), expected);
        let words = format!(r#"{{"text":"{}"}}"#, "many words ".repeat(1_000));
        assert_eq!(cleaned(&words), words);
        let same = format!(r#"{{"text":"{}"}}"#, "x".repeat(10_000));
        assert_eq!(cleaned(&same), same);
    }

    #[test]
    fn a_long_body_is_cut_between_words_and_between_characters() {
        let cleaner = Cleaner::new(None, std::iter::empty(), Pace::default());
        for word in ["sk-proj-0123456789abcdef ", "主密钥 ", "\"a\\\"b\" "] {
            let long = word.repeat(BODY_BYTES_MAX / word.len() + 2);
            let (copy, is_cut) = copied(long.as_bytes());
            assert!(is_cut && copy.len() == BODY_BYTES_MAX, "{word}");
            let (text, is_cut) = cleaner.text(copy, is_cut).expect("a text");
            assert!(is_cut && !text.contains("sk-") && text.len() <= BODY_BYTES_MAX, "{word}");
        }
    }

    #[test]
    fn what_is_no_text_is_not_kept() {
        let cleaner = Cleaner::new(None, std::iter::empty(), Pace::default());
        assert_eq!(cleaner.text(vec![0xff, 0xfb, 0x90, 0x44], false), None);
        assert_eq!(cleaner.text(b"ID3\0\0".to_vec(), false), None);
        assert_eq!(cleaner.text("é".as_bytes()[..1].to_vec(), false), None);
        assert_eq!(cleaner.text(Vec::new(), false), Some((String::new(), false)));
    }
}
