//! Reasoning in an answer that nobody asked for. Anthropic and Gemini give none then, and programs that ask for no tools
//! read the first block of an answer as its text. Where there are tools it is given: the model may need it back with the
//! next turn.

use std::collections::BTreeSet;

use crate::neutral::{Answer, Event, Part, PartKind};

/// Takes the reasoning out of a whole answer.
pub(super) fn remove(answer: &mut Answer) {
    for choice in &mut answer.choices {
        choice.parts.retain(|part| !matches!(part, Part::Reasoning(_)));
    }
}

/// Takes the reasoning out of a stream.
#[derive(Debug, Default)]
pub(super) struct HiddenReasoning {
    /// The parts of it that have begun and not ended.
    parts: BTreeSet<usize>,
}

impl HiddenReasoning {
    /// Whether the event is about reasoning, so that nobody gets it.
    pub(super) fn takes_out(&mut self, event: &Event) -> bool {
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
