//! Records as they come: which of those that were just read somebody who watches does not know yet.

use std::collections::BTreeMap;

use super::RecordView;
use crate::order;
use crate::state::State;

/// How many records a tail remembers: those of a look, and those of calls under way.
const KNOWN_MAX: usize = 4_096;

/// After this many looks without a record something is sent all the same, since proxies cut silent connections.
const SILENT_LOOKS: u32 = 15;

/// What somebody who watches the records knows. A record is shown when it is first seen, and again when its call has ended.
#[derive(Debug, Default)]
pub struct RecordTail {
    /// Whether the call of each known record has ended, by the record's id.
    known: BTreeMap<String, bool>,
    silent: u32,
}

impl RecordTail {
    /// The text that tells a browser that it is connected.
    pub fn first() -> String {
        "retry: 2000\n\n".to_owned()
    }

    /// The records of calls that were under way at the last look, the oldest first. They are read again.
    pub fn under_way(&self) -> Vec<String> {
        self.known.iter().filter(|(_, has_ended)| !**has_ended).map(|(id, _)| id.clone()).collect()
    }

    /// Takes the records of a look, in any order, and gives the events for those that are new or have ended, as `shown` to
    /// the reader. After a long silence it gives a comment in their place.
    pub fn events(&mut self, mut seen: Vec<RecordView>, shown: impl Fn(RecordView) -> RecordView) -> String {
        order::by(&mut seen, |one, other| one.id.cmp(&other.id));
        let mut text = String::new();
        for record in seen {
            let has_ended = record.state != State::Running.name();
            if self.known.insert(record.id.clone(), has_ended) != Some(has_ended) {
                let json = serde_json::to_string(&shown(record)).unwrap_or_default();
                text.push_str(&format!("event: record\ndata: {json}\n\n"));
            }
        }
        while self.known.len() > KNOWN_MAX {
            self.known.pop_first();
        }
        self.silent = if text.is_empty() { self.silent + 1 } else { 0 };
        if self.silent >= SILENT_LOOKS {
            self.silent = 0;
            text.push_str(": still here\n\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, state: State) -> RecordView {
        RecordView { id: id.to_owned(), state: state.name().to_owned(), ..RecordView::default() }
    }

    /// The ids and states in the events of a look.
    fn look(tail: &mut RecordTail, seen: &[(&str, State)]) -> Vec<String> {
        let events = tail.events(seen.iter().map(|(id, state)| record(id, *state)).collect(), |record| record);
        let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
        let shown = data.map(|json| serde_json::from_str::<serde_json::Value>(json).expect("JSON"));
        shown
            .map(|record| {
                format!("{} {}", record["id"].as_str().expect("an id"), record["state"].as_str().expect("a state"))
            })
            .collect()
    }

    #[test]
    fn a_record_is_shown_when_it_is_new_and_when_its_call_has_ended() {
        let mut tail = RecordTail::default();
        assert_eq!(look(&mut tail, &[("2", State::Running), ("1", State::Ok)]), ["1 ok", "2 running"]);
        assert_eq!(tail.under_way(), ["2"]);
        assert_eq!(look(&mut tail, &[("2", State::Running), ("1", State::Ok)]), [""; 0]);
        assert_eq!(look(&mut tail, &[("2", State::Ok), ("3", State::Ok)]), ["2 ok", "3 ok"]);
        assert_eq!(tail.under_way(), [""; 0]);
    }

    #[test]
    fn a_long_silence_is_broken_by_a_comment_and_memory_is_bounded() {
        let mut tail = RecordTail::default();
        let texts: Vec<String> = (0..2 * SILENT_LOOKS).map(|_| tail.events(Vec::new(), |record| record)).collect();
        assert_eq!(texts.iter().filter(|text| text.starts_with(':')).count(), 2);
        tail.events((0..KNOWN_MAX + 9).map(|number| record(&format!("{number:05}"), State::Running)).collect(), |it| {
            it
        });
        assert_eq!(tail.under_way().len(), KNOWN_MAX);
    }
}
