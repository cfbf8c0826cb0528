//! Hides secrets in an answer that passes in pieces. A hidden secret takes as many bytes as before, so that an
//! announced length stays true; a piece that may end within a secret keeps its end back until the next one comes.
//!
//! Only secrets that cannot be anything else are hidden: a model's text must not lose the word `password` because it is
//! the key of some server.

use std::sync::Arc;

use super::Secrets;
use super::spelling::{SpellingMatch, spelled};

/// The mask of one answer.
#[derive(Debug)]
pub struct Mask {
    secrets: Arc<Secrets>,
    held: Vec<u8>,
}

impl Mask {
    /// A mask for these secrets; `None` if there is nothing to hide.
    pub fn of(secrets: Arc<Secrets>) -> Option<Mask> {
        let has_some = secrets.unmistakable().next().is_some();
        has_some.then(|| Mask { secrets, held: Vec::new() })
    }

    /// Hides what is in the next piece; `is_last` says that nothing follows it. What is kept back comes with a later
    /// piece.
    pub fn pass(&mut self, piece: &mut Vec<u8>, is_last: bool) {
        if !self.held.is_empty() {
            self.held.append(piece);
            std::mem::swap(&mut self.held, piece);
        }
        let mut at = 0;
        while let Some(found) = self.secrets.next_beginning(piece, at) {
            match self.look(piece.get(found..).unwrap_or_default()) {
                SpellingMatch::Whole(length) => {
                    at = found + length;
                    piece.get_mut(found..at).unwrap_or_default().fill(b'*');
                }
                SpellingMatch::Begun if !is_last => {
                    self.held.extend_from_slice(piece.get(found..).unwrap_or_default());
                    piece.truncate(found);
                    return;
                }
                SpellingMatch::Begun | SpellingMatch::Not => at = found + 1,
            }
        }
    }

    fn look(&self, text: &[u8]) -> SpellingMatch {
        let mut best = SpellingMatch::Not;
        for form in self.secrets.unmistakable() {
            match spelled(text, form) {
                SpellingMatch::Whole(length) => return SpellingMatch::Whole(length),
                SpellingMatch::Begun => best = SpellingMatch::Begun,
                SpellingMatch::Not => {}
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(secret: &str) -> Mask {
        let mut secrets = Secrets::default();
        secrets.add(secret);
        Mask::of(secrets.into()).expect("something to hide")
    }

    /// What passes of a text that comes in pieces of this length.
    fn passed(text: &str, length: usize) -> String {
        let mut mask = mask("sk-live/SECRET0123");
        let mut all = Vec::new();
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(length).collect();
        for (index, piece) in pieces.iter().enumerate() {
            let mut piece = piece.to_vec();
            mask.pass(&mut piece, index + 1 == pieces.len());
            all.extend(piece);
        }
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn a_secret_is_hidden_wherever_the_pieces_of_an_answer_end() {
        for (text, hidden) in [
            ("a sk-live/SECRET0123 b", "a ****************** b"),
            (r#"{"k":"sk-live\/SECRET0\u0031\u00323"}"#, r#"{"k":"*****************************"}"#),
            ("sk-live%2FSECRET0123", "********************"),
            (r"\\sk-live/SECRET0123\n", r"********************\n"),
            ("sk-live/SECRET012", "sk-live/SECRET012"),
            (r"ends in \", r"ends in \"),
            ("sk-sk-live/SECRET0123", "sk-******************"),
        ] {
            for length in 1..=text.len() {
                assert_eq!(passed(text, length), hidden, "{text} in pieces of {length}");
            }
        }
    }

    #[test]
    fn an_answer_without_the_secret_passes_at_once_and_as_it_is() {
        let mut mask = mask("sk-live/SECRET0123");
        let event = "data: {\"delta\":\"It\\u2019s 100% \\\"sure\\\" & sk-lived\"}\n\n";
        let mut piece = event.as_bytes().to_vec();
        mask.pass(&mut piece, false);
        assert_eq!(piece, event.as_bytes(), "nothing is kept back");
    }

    #[test]
    fn a_word_that_is_somebodys_key_is_not_hidden_in_answers() {
        for (key, is_hidden) in
            [("password", false), ("no-key-required", false), ("sk-1234567", true), ("an-ordinary-long-key", true)]
        {
            let mut secrets = Secrets::default();
            secrets.add(key);
            assert_eq!(Mask::of(secrets.clone().into()).is_some(), is_hidden, "{key}");
            assert_eq!(secrets.hidden(key), "(credential)", "in an error it is");
        }
    }
}
