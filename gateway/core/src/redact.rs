//! Takes credentials out of what providers wrote.

use crate::catalog::{Credential, Value};
use crate::uri::push_encoded;

/// Takes the credential out of what its provider wrote: some repeat it, or the URL it stood in, in their errors. Other
/// credentials were never sent there.
pub fn hide_secret(text: &mut Vec<u8>, credential: Option<&Credential>) {
    let Some(Value::Plain(secret)) = credential.map(|credential| &credential.value) else { return };
    let mut encoded = String::new();
    push_encoded(&mut encoded, secret.expose(), b"");
    let is_encoded = encoded != secret.expose();
    for written in std::iter::once(secret.expose()).chain(is_encoded.then_some(encoded.as_str())) {
        if written.len() < HIDDEN_BYTES_MIN || memchr::memmem::find(text, written.as_bytes()).is_none() {
            continue;
        }
        let mut without = Vec::with_capacity(text.len());
        let mut at = 0;
        for found in memchr::memmem::find_iter(text, written.as_bytes()) {
            without.extend_from_slice(text.get(at..found).unwrap_or_default());
            without.extend_from_slice(HIDDEN);
            at = found + written.len();
        }
        without.extend_from_slice(text.get(at..).unwrap_or_default());
        *text = without;
    }
}

/// The same for a text.
pub fn without_secret(text: &str, credential: Option<&Credential>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    hide_secret(&mut bytes, credential);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The same for every part of the credential: some providers repeat the beginning and the end of it.
pub fn without_slices(text: &str, credential: Option<&Credential>) -> String {
    let Some(Value::Plain(secret)) = credential.map(|credential| &credential.value) else { return text.to_owned() };
    let mut kept = String::with_capacity(text.len());
    let mut hidden_to = 0;
    for (at, character) in text.char_indices() {
        let end = at + SLICE_BYTES;
        if text.get(at..end).is_some_and(|slice| secret.expose().contains(slice)) {
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

/// Fewer characters of a credential than these are no help in guessing it.
const SLICE_BYTES: usize = 6;

/// What stands in the place of a credential.
const HIDDEN: &[u8; 12] = b"(credential)";

/// A shorter credential protects nothing, and its characters are part of many words.
const HIDDEN_BYTES_MIN: usize = 8;
