//! Puts the parts of a streamed answer one after the other, for dialects whose parts may not overlap (Anthropic, Gemini).
//!
//! Nearly all streams are in order already and pass straight through. Where a part begins before the one before it has
//! ended, its events wait.

use std::collections::VecDeque;

use super::neutral::Event;

/// The machine.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// The part whose events pass.
    open: Option<usize>,
    waiting: VecDeque<Event>,
}

impl Sequence {
    /// Takes an event and gives those whose turn has come.
    pub(super) fn feed(&mut self, event: Event) -> Vec<Event> {
        let mut passed = Vec::new();
        self.offer(event, &mut passed);
        // A part that ended may let others pass, whose end may again.
        while self.open.is_none() && !self.waiting.is_empty() {
            for event in std::mem::take(&mut self.waiting) {
                self.offer(event, &mut passed);
            }
        }
        passed
    }

    fn offer(&mut self, event: Event, passed: &mut Vec<Event>) {
        let part = match &event {
            Event::Begin { part, .. }
            | Event::Delta { part, .. }
            | Event::Signature { part, .. }
            | Event::End { part } => *part,
            Event::Start { .. } | Event::Finish { .. } | Event::Usage(_) | Event::Error(_) | Event::Done => {
                passed.push(event);
                return;
            }
        };
        let begins = matches!(event, Event::Begin { .. });
        if self.open == Some(part) || (self.open.is_none() && begins) {
            self.open = (!matches!(event, Event::End { .. })).then_some(part);
            passed.push(event);
        } else if begins || self.waiting.iter().any(|waiting| is_begin_of(waiting, part)) {
            self.waiting.push_back(event);
        }
    }
}

fn is_begin_of(event: &Event, wanted: usize) -> bool {
    matches!(event, Event::Begin { part, .. } if *part == wanted)
}
