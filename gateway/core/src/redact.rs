//! Removes secrets from texts: what a provider writes may repeat the credential, the account behind it, or the prompt;
//! and what a client says about itself may contain a key.
//! A secret is found in every form in which it may be written (`spelling`), and not only as it was sent: a provider may
//! put it into JSON, into a URL, or into a dump of the request's headers.

mod account;
mod echo;
mod keys;
mod mask;
mod spelling;

use std::fmt;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

pub use account::hide_accounts;
pub(crate) use echo::closing;
pub use echo::without_request_text;
pub use keys::without_keys;
pub(crate) use keys::{KEY_MARK, has_shape_of_key, is_of_word};
pub use mask::Mask;

use spelling::{SpellingMatch, beginnings, spelled};

/// A shorter part of a secret does not help to guess it.
const SLICE_BYTES: usize = 6;

/// The mark in place of a secret.
const HIDDEN: &[u8; 12] = b"(credential)";

/// A shorter secret protects nothing, and occurs in many words.
const HIDDEN_BYTES_MIN: usize = 8;

/// A text of at least this length cannot be anything but the secret.
const UNMISTAKABLE_BYTES: usize = 16;

/// The same for a text with a digit; placeholders such as `password` have none.
const UNMISTAKABLE_BYTES_WITH_DIGIT: usize = 10;

/// The secrets that a provider was sent, which its answers must not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The secrets as they were sent.
    plain: Vec<String>,
    /// All forms that are searched for.
    forms: Vec<Form>,
    /// The bytes that can begin one of them, which quickly excludes most places of a text.
    begins: Bytes,
}

#[derive(Clone, PartialEq, Eq)]
struct Form {
    text: Vec<u8>,
    /// Whether it cannot be another word, so that it is hidden in a model's text too.
    is_unmistakable: bool,
}

/// A set of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Bytes([u64; 4]);

impl Bytes {
    fn add(&mut self, byte: u8) {
        if let Some(some) = self.0.get_mut(usize::from(byte >> 6)) {
            *some |= 1 << (byte & 63);
        }
    }

    fn has(self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|some| some >> (byte & 63) & 1 == 1)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} of them)", self.plain.len())
    }
}

impl Secrets {
    /// Adds a secret. One that is too short to protect anything is not looked for.
    pub fn add(&mut self, secret: &str) {
        if secret.len() < HIDDEN_BYTES_MIN || self.plain.iter().any(|known| known == secret) {
            return;
        }
        let has_digit = secret.bytes().any(|byte| byte.is_ascii_digit());
        let is_unmistakable =
            secret.len() >= UNMISTAKABLE_BYTES || has_digit && secret.len() >= UNMISTAKABLE_BYTES_WITH_DIGIT;
        self.look_for(Form { text: secret.as_bytes().to_vec(), is_unmistakable });
        for text in in_base64(secret.as_bytes()) {
            if !self.forms.iter().any(|form| form.text == text) {
                self.look_for(Form { text, is_unmistakable });
            }
        }
        self.plain.push(secret.to_owned());
    }

    fn look_for(&mut self, form: Form) {
        form.text.first().into_iter().flat_map(|first| beginnings(*first)).for_each(|byte| self.begins.add(byte));
        self.forms.push(form);
    }

    /// The same for those of others.
    pub fn add_all(&mut self, others: &Secrets) {
        others.plain.iter().for_each(|secret| self.add(secret));
    }

    /// The secrets as they were sent.
    pub fn plain(&self) -> impl Iterator<Item = &str> {
        self.plain.iter().map(String::as_str)
    }

    /// Takes the secrets out of a text.
    pub fn hide(&self, text: &mut Vec<u8>) {
        let Some(mut found) = self.find(text, 0) else { return };
        let mut without = Vec::with_capacity(text.len());
        let mut at = 0;
        loop {
            without.extend_from_slice(text.get(at..found.start).unwrap_or_default());
            without.extend_from_slice(HIDDEN);
            at = found.end;
            match self.find(text, at) {
                Some(next) => found = next,
                None => break,
            }
        }
        without.extend_from_slice(text.get(at..).unwrap_or_default());
        *text = without;
    }

    /// The same for a text.
    pub fn hidden(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.hide(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Takes them out of the values of headers.
    pub fn hide_in_headers(&self, headers: &mut [(String, Vec<u8>)]) {
        headers.iter_mut().for_each(|(_, value)| self.hide(value));
    }

    /// A text without the secrets and without any part of them: some providers repeat the beginning and the end.
    pub fn without_slices(&self, text: &str) -> String {
        let text = self.hidden(text);
        let mut kept = String::with_capacity(text.len());
        let mut hidden_to = 0;
        for (at, character) in text.char_indices() {
            let end = at + SLICE_BYTES;
            let is_slice = |slice: &str| self.plain.iter().any(|secret| secret.contains(slice));
            if text.get(at..end).is_some_and(is_slice) {
                if hidden_to <= at {
                    kept.push('…');
                }
                hidden_to = end;
            } else if hidden_to <= at {
                kept.push(character);
            }
        }
        kept
    }

    /// The first of the secrets at or after a place.
    fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            at = self.next_beginning(text, at)?;
            let rest = text.get(at..)?;
            let length = self.forms.iter().find_map(|form| match spelled(rest, &form.text) {
                SpellingMatch::Whole(length) => Some(length),
                SpellingMatch::Begun | SpellingMatch::Not => None,
            });
            match length {
                Some(length) => return Some(at..at + length),
                None => at += 1,
            }
        }
    }

    /// The next place where a secret may begin.
    fn next_beginning(&self, text: &[u8], from: usize) -> Option<usize> {
        text.get(from..)?.iter().position(|byte| self.begins.has(*byte)).map(|found| from + found)
    }

    /// The forms that are hidden wherever they stand.
    fn unmistakable(&self) -> impl Iterator<Item = &[u8]> {
        self.forms.iter().filter(|form| form.is_unmistakable).map(|form| &*form.text)
    }
}

/// What a text looks like in base64, of either alphabet, whatever stands before and behind it: of the three ways in which
/// it may fall into groups of three bytes, the characters that depend on it alone.
fn in_base64(text: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::with_capacity(6);
    for before in 0..3usize {
        let padded = [&[0; 2][..before], text].concat();
        let (skipped, whole) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let written = engine.encode(&padded).into_bytes();
            let core = written.get(skipped..whole).unwrap_or_default().to_vec();
            if core.len() >= HIDDEN_BYTES_MIN && !forms.contains(&core) {
                forms.push(core);
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(secret: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(secret);
        secrets
    }

    #[test]
    fn a_secret_is_taken_out_in_every_spelling() {
        let secrets = secrets("sk/secret+1=");
        for text in [
            "sk/secret+1=",
            r"sk\/secret\u002b1=",
            r"\u0073\u006B/secret+1\u003D",
            r"sk\\/secret\\u002b1=",
            "sk%2Fsecret%2b1%3D",
            "%73k/secret+1=",
            "sk%252Fsecret%252B1%253D",
            "sk&#47;secret&#x2B;1=",
            r"sk\x2fsecret\x2b1=",
        ] {
            assert_eq!(
                secrets.hidden(&format!("bad key {text}, {text}!")),
                "bad key (credential), (credential)!",
                "{text}"
            );
        }
        for before in ["", "x", "Bearer ", "user:", "ab"] {
            for written in [
                STANDARD_NO_PAD.encode(format!("{before}sk/secret+1= and more")),
                URL_SAFE_NO_PAD.encode(format!("{before}sk/secret+1=")),
                STANDARD_NO_PAD.encode(format!("{before}sk/secret+1=")).replace('/', r"\/").replace('+', "%2B"),
            ] {
                let hidden = secrets.hidden(&format!("got {written}."));
                assert!(hidden.contains("(credential)"), "{before}: {written} -> {hidden}");
            }
        }
    }

    #[test]
    fn what_is_not_the_secret_stays_as_it_is() {
        let secrets = secrets("sk/secret+1=");
        for text in ["sk/secret+2=", r"sk\/secret", "100 % of \\u and & more", r"\\\\", "sk/secret+1", ""] {
            assert_eq!(secrets.hidden(text), text);
        }
        let short = super::tests::secrets("s");
        assert_eq!(
            short.hidden("a credential of one letter is in every word"),
            "a credential of one letter is in every word"
        );
        assert_eq!(Secrets::default().hidden("anything"), "anything");
    }

    #[test]
    fn a_credential_that_is_a_word_of_its_own_replacement_is_taken_out_once() {
        assert_eq!(secrets("credential").hidden("bad credential credential"), "bad (credential) (credential)");
    }

    #[test]
    fn no_six_characters_of_a_secret_are_kept_where_only_people_read() {
        let secrets = secrets("sk-proj-0123456789abcdefXYZ");
        let text = "Incorrect API key: sk-proj-0123***********XYZ. Or 89abcdefXYZ?";
        assert_eq!(secrets.without_slices(text), "Incorrect API key: …***********XYZ. Or …?");
    }

    #[test]
    fn headers_lose_the_secrets_in_their_values() {
        let mut headers = vec![("x-debug".to_owned(), b"Bearer sk-0123456789".to_vec())];
        secrets("sk-0123456789").hide_in_headers(&mut headers);
        assert_eq!(headers[0].1, b"Bearer (credential)");
        assert!(!format!("{:?}", secrets("sk-0123456789")).contains("0123"));
    }
}
