//! One choice of a stream: which part each delta belongs to.

use serde_json::Value;

use super::super::answer::{content_parts, correct, pictures};
use super::super::reasoning;
use super::calls::{Calls, Piece};
use crate::neutral::json::{take_list, take_text};
use crate::neutral::{Event, Finish, Media, Object, Part, PartKind, ReasoningPart};

/// What came of a choice.
#[derive(Debug, Default)]
pub(super) struct ChoiceState {
    pub(super) finish: Option<Finish>,
    /// The part that is neither a call nor ended.
    open: Option<(Words, usize)>,
    calls: Calls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Text,
    Refusal,
    Reasoning,
}

impl ChoiceState {
    pub(super) fn read(&mut self, mut delta: Object, choice: usize, parts: &mut usize, out: &mut Vec<Event>) {
        let mut place = Place { choice, parts, out };
        for reasoning in reasoning_of(&mut delta) {
            self.reasoning(reasoning, &mut place);
        }
        match delta.get_mut("content").map(Value::take) {
            Some(Value::String(text)) => self.words(Words::Text, text, &mut place),
            Some(Value::Array(items)) => {
                for part in items.iter().flat_map(content_parts) {
                    match part {
                        Part::Reasoning(reasoning) => self.reasoning(reasoning, &mut place),
                        Part::Text(text) => self.words(Words::Text, text, &mut place),
                        Part::Refusal(text) => self.words(Words::Refusal, text, &mut place),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if let Some(text) = take_text(&mut delta, "refusal") {
            self.words(Words::Refusal, text, &mut place);
        }
        for picture in pictures(&mut delta) {
            match picture {
                Part::Image { media: Media::Base64 { media_type, data }, .. } => {
                    self.end_words(place.out);
                    self.calls.begin_all(&mut place);
                    let part = place.begin(PartKind::Image { media_type, data });
                    place.out.push(Event::End { part });
                }
                Part::Text(words) => self.words(Words::Text, words, &mut place),
                _ => {}
            }
        }
        for call in take_list(&mut delta, "tool_calls").unwrap_or_default() {
            self.call(&call, &mut place);
        }
        if let Some(function) = delta.get_mut("function_call").map(Value::take).filter(Value::is_object) {
            let mut call = Object::new();
            call.insert("index".to_owned(), 0.into());
            call.insert("function".to_owned(), function);
            self.call(&Value::Object(call), &mut place);
        }
    }

    /// The last finish reason counts, unless an earlier one says more.
    pub(super) fn read_reason(&mut self, reason: Option<Finish>) {
        let says_less = reason.is_none() || reason == Some(Finish::Stop) && self.finish.is_some();
        if !says_less {
            self.finish = reason;
        }
    }

    /// Ends what is open and gives the finish reason, if the provider gave one.
    pub(super) fn finish(mut self, choice: usize, parts: &mut usize, out: &mut Vec<Event>) {
        self.end_words(out);
        self.calls.end_all(&mut Place { choice, parts, out });
        let calls_tools = self.calls.have_begun();
        let finish = correct(self.finish.take(), calls_tools).unwrap_or(Finish::Stop);
        out.push(Event::Finish { choice, finish });
    }

    fn words(&mut self, words: Words, text: String, place: &mut Place<'_>) {
        if !text.is_empty() {
            let part = self.open(words, place);
            place.out.push(Event::Delta { part, text });
        }
    }

    fn reasoning(&mut self, reasoning: ReasoningPart, place: &mut Place<'_>) {
        if let Some(sealed) = reasoning.sealed {
            self.end_words(place.out);
            let part = place.begin(PartKind::Reasoning { sealed: Some(sealed) });
            place.out.push(Event::End { part });
        }
        self.words(Words::Reasoning, reasoning.text, place);
        if let Some(signature) = reasoning.signature {
            let part = self.open(Words::Reasoning, place);
            place.out.push(Event::Signature { part, signature });
            // What follows is another piece of reasoning.
            self.end_words(place.out);
        }
    }

    /// The part of these words, begun where another is open.
    fn open(&mut self, words: Words, place: &mut Place<'_>) -> usize {
        if let Some((open, part)) = self.open
            && open == words
        {
            return part;
        }
        self.end_words(place.out);
        self.calls.begin_all(place);
        self.calls.end_whole(place.out);
        let part = place.begin(match words {
            Words::Text => PartKind::Text,
            Words::Refusal => PartKind::Refusal,
            Words::Reasoning => PartKind::Reasoning { sealed: None },
        });
        self.open = Some((words, part));
        part
    }

    fn end_words(&mut self, out: &mut Vec<Event>) {
        out.extend(self.open.take().map(|(_, part)| Event::End { part }));
    }

    fn call(&mut self, delta: &Value, place: &mut Place<'_>) {
        let piece = Piece::of(delta);
        if self.calls.is_first(&piece) {
            self.end_words(place.out);
        }
        self.calls.read(piece, place);
    }
}

/// `reasoning_details` repeat the text of `reasoning` beside them: only their seals are read then.
fn reasoning_of(delta: &mut Object) -> Vec<ReasoningPart> {
    let whole = [take_text(delta, "reasoning_content"), take_text(delta, "reasoning")];
    let whole = whole.into_iter().flatten().find(|text| !text.is_empty());
    let details = take_list(delta, "reasoning_details").unwrap_or_default();
    let has_whole = whole.is_some();
    let whole = whole.map(|text| ReasoningPart { text, ..ReasoningPart::default() });
    let details = details.iter().filter_map(reasoning::read_detail).map(|mut reasoning| {
        if has_whole {
            reasoning.text.clear();
        }
        reasoning
    });
    whole.into_iter().chain(details).collect()
}

/// Where events of a choice go.
pub(super) struct Place<'a> {
    choice: usize,
    parts: &'a mut usize,
    pub(super) out: &'a mut Vec<Event>,
}

impl Place<'_> {
    pub(super) fn begin(&mut self, kind: PartKind) -> usize {
        let part = *self.parts;
        *self.parts += 1;
        self.out.push(Event::Begin { part, choice: self.choice, kind });
        part
    }
}
