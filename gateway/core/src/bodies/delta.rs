//! What is sent to a provider is mostly what the client sent, but for the model's name and a member or two. So it is kept as pieces of
//! that and what stands between them: a body is then kept once and not twice.

use memchr::memmem;
use serde::{Deserialize, Serialize};

/// A shorter piece is not worth its mention.
const PIECE_BYTES_MIN: usize = 32;

/// So far it is looked for the next piece: edits are short.
const OWN_BYTES_MAX: usize = 512;
const SKIPPED_BYTES_MAX: usize = 2 << 10;

/// A text of more pieces is another text.
const PIECES_MAX: usize = 64;

/// One piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Step {
    /// A number of bytes of the other text, from this one on.
    Of(usize, usize),
    /// A number of bytes of its own.
    Own(usize),
}

/// The pieces of a text that stand in `base`, and what it has of its own.
pub(super) fn apart(base: &str, text: &str) -> (Vec<Step>, String) {
    let (mut steps, mut own) = (Vec::new(), String::new());
    let (mut at_base, mut at) = (0, 0);
    while at < text.len() && steps.len() < PIECES_MAX {
        let (rest_of_base, rest) = (base.get(at_base..).unwrap_or_default(), text.get(at..).unwrap_or_default());
        let same = common(rest_of_base, rest);
        if same >= PIECE_BYTES_MIN || same == rest.len() {
            steps.push(Step::Of(at_base, same));
            (at_base, at) = (at_base + same, at + same);
            continue;
        }
        let Some((skipped, length)) = next(rest_of_base, rest) else { break };
        steps.push(Step::Own(length));
        own.push_str(rest.get(..length).unwrap_or_default());
        (at_base, at) = (at_base + skipped, at + length);
    }
    let rest = text.get(at..).unwrap_or_default();
    if !rest.is_empty() {
        steps.push(Step::Own(rest.len()));
        own.push_str(rest);
    }
    (steps, own)
}

/// The text of these pieces; `None`: they are not of these texts.
pub(super) fn together(steps: &[Step], base: &str, mut own: &str) -> Option<String> {
    let mut text = String::new();
    for step in steps {
        match *step {
            Step::Of(from, length) => text.push_str(base.get(from..from.checked_add(length)?)?),
            Step::Own(length) => {
                let (piece, rest) = own.split_at_checked(length)?;
                text.push_str(piece);
                own = rest;
            }
        }
    }
    Some(text)
}

/// How many bytes two texts begin alike with, up to the end of a character.
fn common(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    (0..=same).rev().find(|at| one.is_char_boundary(*at) && other.is_char_boundary(*at)).unwrap_or(0)
}

/// Where the next piece begins: behind so many bytes of the one text and of the other.
fn next(base: &str, text: &str) -> Option<(usize, usize)> {
    let looked = base.as_bytes().get(..SKIPPED_BYTES_MAX).unwrap_or(base.as_bytes());
    let most = OWN_BYTES_MAX.min(text.len());
    (0..most).filter(|length| text.is_char_boundary(*length)).find_map(|length| {
        let piece = text.as_bytes().get(length..length + PIECE_BYTES_MIN)?;
        Some((memmem::find(looked, piece)?, length)).filter(|(skipped, length)| skipped + length > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(base: &str, text: &str) -> usize {
        let (steps, own) = apart(base, text);
        assert_eq!(together(&steps, base, &own).as_deref(), Some(text), "{steps:?}");
        own.len()
    }

    #[test]
    fn a_body_with_a_few_edits_is_kept_as_these() {
        let words = "many words, 也有汉字, and more of them ".repeat(1_000);
        let base =
            format!(r#"{{"model":"assistant","session_id":"s-1","messages":[{{"content":"{words}"}}],"stream":true}}"#);
        let sent = base.replace("assistant", "qwen/qwen3-coder:free").replace(r#""session_id":"s-1","#, "");
        let sent = sent.replace(r#""stream":true}"#, r#""stream":true,"stream_options":{"include_usage":true}}"#);
        assert!(held(&base, &sent) < 120, "{}", held(&base, &sent));
        assert_eq!(held(&base, &base), 0);
    }

    #[test]
    fn every_text_comes_back_whole() {
        let base = "主密钥".repeat(50);
        for text in ["", "x", "主", "密钥主密钥", "quite another text, as long as one may well be, or longer"] {
            held(&base, text);
            held(text, &base);
        }
        let shifted = format!("é{}", &base[3..]);
        assert!(held(&base, &shifted) < 10);
    }

    #[test]
    fn pieces_of_other_texts_are_refused() {
        assert_eq!(together(&[Step::Of(0, 9)], "short", ""), None);
        assert_eq!(together(&[Step::Of(usize::MAX, 9)], "short", ""), None);
        assert_eq!(together(&[Step::Own(9)], "", "short"), None);
        assert_eq!(together(&[Step::Of(1, 1)], "主", ""), None);
    }
}
