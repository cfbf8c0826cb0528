//! Thoughts in an answer that nobody asked for. Anthropic and Gemini give none then, and programs that ask for no tools
//! read the first block of an answer as its text. Where there are tools the thoughts are given: the model may need them
//! back with the next turn.

use std::collections::BTreeSet;

use crate::neutral::{Answer, Event, Part, PartKind};

/// Takes out a whole answer's thoughts.
pub(super) fn remove(answer: &mut Answer) {
    for choice in &mut answer.choices {
        choice.parts.retain(|part| !matches!(part, Part::Reasoning(_)));
    }
}

/// The thoughts of a stream, which are taken out.
#[derive(Debug, Default)]
pub(super) struct Unasked {
    /// Those that have begun and not ended.
    parts: BTreeSet<usize>,
}

impl Unasked {
    /// Whether the event is about one.
    pub(super) fn has(&mut self, event: &Event) -> bool {
        match event {
            Event::Begin { part, kind: PartKind::Reasoning { .. }, .. } => {
                self.parts.insert(*part);
                true
            }
            Event::Delta { part, .. } | Event::Signature { part, .. } => self.parts.contains(part),
            Event::End { part } => self.parts.remove(part),
            _ => false,
        }
    }
}
