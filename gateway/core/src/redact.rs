//! Takes credentials out of what providers wrote.

use crate::catalog::{Credential, Value};
use crate::uri::push_encoded;

/// Fewer characters of a credential than these are no help in guessing it.
const SLICE_BYTES: usize = 6;

/// What stands in the place of a credential.
const HIDDEN: &[u8; 12] = b"(credential)";

/// A shorter credential protects nothing, and its characters are part of many words.
const HIDDEN_BYTES_MIN: usize = 8;

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Document;

    #[test]
    fn a_credential_that_its_provider_repeats_is_taken_out() {
        let toml =
            "[[providers]]\nname = \"p\"\nbase_url = \"https://p.example\"\ncredentials = [\"sk/secret+1\", \"s\"]";
        let catalog = Document::from_toml(toml).and_then(|document| document.validate()).expect("a valid catalog");
        let hidden = |text: &str, index: usize| {
            let mut bytes = text.as_bytes().to_vec();
            hide_secret(&mut bytes, catalog.providers[0].credentials.get(index).map(Arc::as_ref));
            String::from_utf8(bytes).expect("text")
        };
        let said = r#"{"error":"bad key sk/secret+1, sk/secret+1 at /chat?key=sk%2Fsecret%2B1"}"#;
        assert_eq!(hidden(said, 0), r#"{"error":"bad key (credential), (credential) at /chat?key=(credential)"}"#);
        assert_eq!(hidden(said, 1), said, "a credential of one letter is in every word");
        assert_eq!(hidden(said, 2), said);
    }

    #[test]
    fn a_credential_that_is_a_word_of_its_own_replacement_is_taken_out_once() {
        let toml = "[[providers]]\nname = \"p\"\nbase_url = \"https://p.example\"\ncredentials = [\"credential\"]";
        let catalog = Document::from_toml(toml).and_then(|document| document.validate()).expect("a valid catalog");
        let mut bytes = b"bad credential credential".to_vec();
        hide_secret(&mut bytes, catalog.providers[0].credentials.first().map(Arc::as_ref));
        assert_eq!(bytes, b"bad (credential) (credential)");
    }
}
