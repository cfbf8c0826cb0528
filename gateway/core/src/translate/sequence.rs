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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::neutral::PartKind;

    fn begin(part: usize) -> Event {
        Event::Begin { part, choice: 0, kind: PartKind::Text }
    }

    fn delta(part: usize) -> Event {
        Event::Delta { part, text: "x".to_owned() }
    }

    fn end(part: usize) -> Event {
        Event::End { part }
    }

    fn order(events: Vec<Event>) -> Vec<Event> {
        let mut sequence = Sequence::default();
        events.into_iter().flat_map(|event| sequence.feed(event)).collect()
    }

    #[test]
    fn parts_that_follow_one_another_pass_as_they_come() {
        let mut sequence = Sequence::default();
        for event in [begin(0), delta(0), end(0), begin(1), delta(1), end(1), Event::Done] {
            assert_eq!(sequence.feed(event.clone()), [event]);
        }
    }

    #[test]
    fn a_part_that_begins_inside_another_waits_for_its_end() {
        let came =
            vec![begin(0), begin(1), delta(1), begin(2), delta(0), end(1), delta(2), end(0), end(2), Event::Done];
        let ordered = [begin(0), delta(0), end(0), begin(1), delta(1), end(1), begin(2), delta(2), end(2), Event::Done];
        assert_eq!(order(came), ordered);
    }

    #[test]
    fn what_belongs_to_no_part_passes_at_once_and_deltas_of_none_are_left_out() {
        let usage = Event::Usage(Default::default());
        assert_eq!(order(vec![begin(0), begin(1), usage.clone()]), [begin(0), usage]);
        assert_eq!(order(vec![delta(3), begin(0), delta(7), end(0)]), [begin(0), end(0)]);
    }
}
