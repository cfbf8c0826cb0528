//! Joins the halves of a surrogate pair that came in two events of a stream, since some providers cut text between two
//! units of UTF-16.

use std::collections::BTreeMap;

use super::Event;
use super::lenient::{half_of, is_second};

/// The first halves that wait for their second, by the part whose text they end.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    waiting: BTreeMap<usize, u32>,
    /// Whether any halves have come. Until then no text is searched.
    pub(crate) are_expected: bool,
    /// Whether a half had no counterpart.
    pub(crate) has_loss: bool,
}

impl Halves {
    /// The events that follow from an event whose texts may contain halves.
    pub(crate) fn join(&mut self, event: Event) -> [Option<Event>; 2] {
        if !self.are_expected {
            return [Some(event), None];
        }
        match event {
            Event::Delta { part, text } => {
                let text = self.text(part, &text);
                [(!text.is_empty()).then_some(Event::Delta { part, text }), None]
            }
            Event::End { part } => {
                let lost = self.waiting.remove(&part).is_some();
                self.has_loss |= lost;
                let text = char::REPLACEMENT_CHARACTER.to_string();
                [lost.then_some(Event::Delta { part, text }), Some(Event::End { part })]
            }
            event => [Some(event), None],
        }
    }

    fn text(&mut self, part: usize, text: &str) -> String {
        let mut joined = String::with_capacity(text.len());
        let mut first = self.waiting.remove(&part);
        for character in text.chars() {
            let half = half_of(character);
            let pair = first.zip(half).filter(|(_, second)| is_second(*second));
            if let Some((high, low)) = pair {
                first = None;
                joined.push(pair_of(high, low));
                continue;
            }
            self.replace(first.take(), &mut joined);
            match half {
                Some(half) if is_second(half) => self.replace(Some(half), &mut joined),
                Some(half) => first = Some(half),
                None => joined.push(character),
            }
        }
        if let Some(first) = first {
            self.waiting.insert(part, first);
        }
        joined
    }

    fn replace(&mut self, half: Option<u32>, joined: &mut String) {
        if half.is_some() {
            self.has_loss = true;
            joined.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

fn pair_of(high: u32, low: u32) -> char {
    let units = [high, low].map(|unit| u16::try_from(unit).unwrap_or_default());
    char::decode_utf16(units).next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::super::lenient;
    use super::*;

    /// What comes of texts as JSON writes them, each in an event of its part, and whether something was lost.
    fn joined(texts: &[(usize, &str)]) -> (String, bool) {
        let mut halves = Halves { are_expected: true, ..Halves::default() };
        let mut whole = String::new();
        let parts: std::collections::BTreeSet<usize> = texts.iter().map(|(part, _)| *part).collect();
        let deltas = texts.iter().map(|(part, text)| {
            let read = lenient::event(format!("[\"{text}\"]").as_bytes()).expect("a text");
            Event::Delta { part: *part, text: read.value[0].as_str().expect("a text").to_owned() }
        });
        let ends = parts.iter().map(|part| Event::End { part: *part });
        for event in deltas.chain(ends) {
            for event in halves.join(event).into_iter().flatten() {
                if let Event::Delta { text, .. } = event {
                    whole.push_str(&text);
                }
            }
        }
        (whole, halves.has_loss)
    }

    #[test]
    fn two_halves_of_a_pair_become_one_character() {
        assert_eq!(joined(&[(0, r"Hi \ud83d"), (0, r"\ude00 there")]), ("Hi 😀 there".to_owned(), false));
        assert_eq!(joined(&[(0, r"\ud83d"), (1, "x"), (0, r"\ude00")]), ("x😀".to_owned(), false));
        assert_eq!(joined(&[(0, r"\ud83d"), (0, r"\ude00\ud83d"), (0, r"\ude01")]), ("😀😁".to_owned(), false));
    }

    #[test]
    fn a_half_without_its_counterpart_is_replaced_and_told() {
        assert_eq!(joined(&[(0, r"Hi \ud83d"), (0, "there")]), ("Hi \u{fffd}there".to_owned(), true));
        assert_eq!(joined(&[(0, r"Hi \ud83d")]), ("Hi \u{fffd}".to_owned(), true));
        assert_eq!(joined(&[(0, r"\ude00 there")]), ("\u{fffd} there".to_owned(), true));
        assert_eq!(joined(&[(0, "plain"), (1, "texts")]), ("plaintexts".to_owned(), false));
    }
}
