//! Puts the parts of a streamed answer one after another, for dialects whose parts do not overlap (all but OpenAI
//! chat).
//!
//! Nearly all streams are in order already and pass unchanged. If a part begins before the last one has ended, its
//! events wait.

use std::collections::{BTreeMap, VecDeque};

use super::{Event, PartKind};

/// The present part, and the events that wait.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    /// The part whose events pass.
    open: Option<usize>,
    /// The events that wait, by part. Parts are numbered in the order in which they begin.
    waiting: BTreeMap<usize, VecDeque<Event>>,
    /// How many bytes wait.
    held: usize,
}

impl Sequence {
    /// Takes an event and returns those whose turn it is.
    pub(crate) fn feed(&mut self, event: Event) -> Vec<Event> {
        let mut passed = Vec::new();
        self.offer(event, &mut passed);
        // The end of a part lets the next one pass, which may have ended already.
        while self.open.is_none()
            && let Some((_, events)) = self.waiting.pop_first()
        {
            self.held = self.held.saturating_sub(events.iter().map(bytes_of).sum());
            for event in events {
                self.offer(event, &mut passed);
            }
        }
        passed
    }

    /// How many bytes wait.
    pub(crate) fn held(&self) -> usize {
        self.held
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
        } else if begins || self.waiting.contains_key(&part) {
            self.held += bytes_of(&event);
            self.waiting.entry(part).or_default().push_back(event);
        }
    }
}

/// The memory that an event takes. A text of one letter takes as much as its event.
pub(super) fn bytes_of(event: &Event) -> usize {
    let text = match event {
        Event::Begin { kind: PartKind::ToolCall { id, name }, .. } => id.len() + name.len(),
        Event::Begin { kind: PartKind::Reasoning { sealed: Some(seal) }, .. } => seal.text.len(),
        Event::Begin { kind: PartKind::Image { data, .. }, .. } => data.len(),
        Event::Delta { text, .. } => text.len(),
        Event::Signature { signature, .. } => signature.text.len(),
        _ => 0,
    };
    size_of::<Event>() + text
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// More than could pass in time if each end looked at all that wait.
    #[test]
    fn parts_that_all_wait_for_the_first_pass_in_order_at_its_end() {
        let mut sequence = Sequence::default();
        let parts = 0..100_000;
        assert_eq!(parts.clone().flat_map(|part| sequence.feed(begin(part))).collect::<Vec<_>>(), [begin(0)]);
        assert_eq!(parts.clone().skip(1).flat_map(|part| sequence.feed(end(part))).count(), 0);
        let passed = sequence.feed(end(0));
        assert_eq!(passed.len(), 199_999);
        assert_eq!(passed.last(), Some(&end(99_999)));
        assert_eq!(sequence.held(), 0);
    }
}
