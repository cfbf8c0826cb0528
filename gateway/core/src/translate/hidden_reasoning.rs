//! Hides reasoning that nobody asked for. Anthropic and Gemini give none then, and programs without tools read the
//! first block of an answer as its text. If there are tools it stays, since the model may need it back with the next
//! turn.

use std::collections::BTreeSet;

use crate::neutral::{Answer, Event, Part, PartKind};

/// Removes the reasoning from a whole answer.
pub(super) fn remove(answer: &mut Answer) {
    for choice in &mut answer.choices {
        choice.parts.retain(|part| !matches!(part, Part::Reasoning(_)));
    }
}

/// Removes the reasoning from a stream.
#[derive(Debug, Default)]
pub(super) struct HiddenReasoning {
    /// The parts with reasoning that have begun and not ended.
    parts: BTreeSet<usize>,
}

impl HiddenReasoning {
    /// Whether an event is about reasoning, so that the client does not get it.
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
