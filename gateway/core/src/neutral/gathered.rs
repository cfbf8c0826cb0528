//! Puts a whole answer together from the events of a stream.

use super::sequence::bytes_of;
use super::{Answer, Choice, Event, Media, Part, PartKind, ReasoningPart, ToolCall};
use crate::memory;

/// The part of an answer that has come.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    answer: Answer,
    /// Where each part belongs: its choice, and its place in that.
    places: Vec<(usize, usize)>,
    held: usize,
}

impl Gathered {
    /// Adds the next event.
    pub(crate) fn take(&mut self, event: Event) {
        // A text that is added to another takes no more than itself.
        self.held += if let Event::Delta { text, .. } = &event { text.len() } else { bytes_of(&event) };
        match event {
            Event::Start { id, model } => (self.answer.id, self.answer.model) = (id, model),
            Event::Begin { choice, kind, .. } => self.begin(choice, kind),
            Event::Delta { part, text } => match self.part(part) {
                Some(Part::Text(all) | Part::Refusal(all)) => memory::extend_text(all, text),
                Some(Part::Reasoning(reasoning)) => memory::extend_text(&mut reasoning.text, text),
                Some(Part::ToolCall(call)) => memory::extend_text(&mut call.arguments, text),
                _ => {}
            },
            Event::Signature { part, signature } => match self.part(part) {
                Some(Part::Reasoning(reasoning)) => reasoning.signature = Some(signature),
                Some(Part::ToolCall(call)) => call.signature = Some(signature),
                _ => {}
            },
            Event::Finish { choice, finish } => {
                if let Some(choice) = self.choice(choice) {
                    choice.finish = Some(finish);
                }
            }
            Event::Usage(usage) => self.answer.usage.update(usage),
            Event::End { .. } | Event::Error(_) | Event::Done => {}
        }
    }

    /// How many bytes are held.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// The answer of all events so far.
    pub(crate) fn into_answer(self) -> Answer {
        self.answer
    }

    fn begin(&mut self, choice: usize, kind: PartKind) {
        let part = match kind {
            PartKind::Text => Part::Text(String::new()),
            PartKind::Refusal => Part::Refusal(String::new()),
            PartKind::Reasoning { sealed } => Part::Reasoning(ReasoningPart { sealed, ..ReasoningPart::default() }),
            PartKind::ToolCall { id, name } => Part::ToolCall(ToolCall { id, name, ..ToolCall::default() }),
            PartKind::Image { media_type, data } => {
                Part::Image { media: Media::Base64 { media_type, data }, detail: None }
            }
        };
        if let Some(Choice { parts, .. }) = self.choice(choice) {
            let place = parts.len();
            parts.push(part);
            self.places.push((choice, place));
        }
    }

    /// The choice of this number. Readers produce at most 128.
    fn choice(&mut self, choice: usize) -> Option<&mut Choice> {
        if self.answer.choices.len() <= choice {
            self.answer.choices.resize_with(choice + 1, Choice::default);
        }
        self.answer.choices.get_mut(choice)
    }

    fn part(&mut self, part: usize) -> Option<&mut Part> {
        let (choice, place) = self.places.get(part)?;
        self.answer.choices.get_mut(*choice)?.parts.get_mut(*place)
    }
}
