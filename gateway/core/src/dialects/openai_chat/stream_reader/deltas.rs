//! One choice of a stream: which part each delta belongs to.

use serde_json::Value;

use super::super::answer::{content_parts, correct, pictures};
use super::super::{calls, reasoning};
use crate::neutral::json::{take_list, take_text, text};
use crate::neutral::{ApiError, Event, Finish, Media, Object, Part, PartKind, ReasoningPart};
use crate::scan::Nesting;

/// A choice may have this many calls: each delta looks through all of them. OpenAI takes 128 tools.
const CALLS_MAX: usize = 256;

/// What came of a choice.
#[derive(Debug, Default)]
pub(super) struct ChoiceState {
    pub(super) finish: Option<Finish>,
    /// The part that is neither a call nor ended.
    open: Option<(Words, usize)>,
    calls: Vec<Call>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Text,
    Refusal,
    Reasoning,
}

#[derive(Debug)]
struct Call {
    part: usize,
    index: Option<u64>,
    id: String,
    arguments: Braces,
    has_ended: bool,
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

    /// Ends what is open and gives the reason, which is there unless the provider never said one.
    pub(super) fn finish(mut self, choice: usize, out: &mut Vec<Event>) {
        self.end_words(out);
        let calls_tools = !self.calls.is_empty();
        out.extend(self.calls.iter().filter(|call| !call.has_ended).map(|call| Event::End { part: call.part }));
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
        self.end_whole_calls(place.out);
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

    /// Calls whose arguments are whole are over when something else begins. Others may go on beside it.
    fn end_whole_calls(&mut self, out: &mut Vec<Event>) {
        for call in self.calls.iter_mut().filter(|call| !call.has_ended && call.arguments.are_whole()) {
            call.has_ended = true;
            out.push(Event::End { part: call.part });
        }
    }

    fn call(&mut self, delta: &Value, place: &mut Place<'_>) {
        let function = delta.get("function").unwrap_or(&Value::Null);
        let name = text(function, "name").filter(|name| !name.is_empty());
        let Some(at) = self.find(delta, name.is_some()).or_else(|| self.begin_call(delta, name?, place)) else {
            return;
        };
        let Some(call) = self.calls.get_mut(at) else { return };
        if let Some(signature) = calls::signature(delta) {
            place.out.push(Event::Signature { part: call.part, signature });
        }
        let arguments = calls::arguments(function);
        if !arguments.is_empty() && !call.has_ended {
            call.arguments.read(&arguments);
            place.out.push(Event::Delta { part: call.part, text: arguments });
        }
    }

    /// The call a delta goes on with. An id that was seen settles it. Providers that count wrongly give every call the
    /// index 0 or none at all, and a new one then shows by its id or by its name.
    fn find(&self, delta: &Value, has_name: bool) -> Option<usize> {
        let id = text(delta, "id").unwrap_or_default();
        let index = delta.get("index").and_then(Value::as_u64);
        let seen = self.calls.iter().rposition(|call| !id.is_empty() && call.id == id);
        let counted = |call: &Call| index.is_some() && call.index == index && !call.arguments.are_whole();
        let same_place = || self.calls.iter().rposition(|call| counted(call) && (id.is_empty() || call.id.is_empty()));
        let last = || self.calls.len().checked_sub(1).filter(|_| !has_name);
        let by_index = || self.calls.iter().rposition(|call| index.is_some() && call.index == index && !has_name);
        seen.or_else(same_place).or_else(by_index).or_else(last)
    }

    fn begin_call(&mut self, delta: &Value, name: &str, place: &mut Place<'_>) -> Option<usize> {
        if self.calls.len() >= CALLS_MAX {
            let message = format!("The provider sent an answer of more than {CALLS_MAX} calls of tools.");
            place.out.push(Event::Error(ApiError::bad_gateway(message)));
            return None;
        }
        self.end_words(place.out);
        self.end_whole_calls(place.out);
        let id = text(delta, "id").unwrap_or_default().to_owned();
        let part = place.begin(PartKind::ToolCall { id: id.clone(), name: name.to_owned() });
        let index = delta.get("index").and_then(Value::as_u64);
        self.calls.push(Call { part, index, id, arguments: Braces::default(), has_ended: false });
        self.calls.len().checked_sub(1)
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
struct Place<'a> {
    choice: usize,
    parts: &'a mut usize,
    out: &'a mut Vec<Event>,
}

impl Place<'_> {
    fn begin(&mut self, kind: PartKind) -> usize {
        let part = *self.parts;
        *self.parts += 1;
        self.out.push(Event::Begin { part, choice: self.choice, kind });
        part
    }
}

/// Tells when a JSON object is whole, without keeping it.
#[derive(Debug, Default)]
struct Braces {
    nesting: Nesting,
    has_opened: bool,
}

impl Braces {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            self.has_opened |= self.nesting.step(byte);
        }
    }

    fn are_whole(&self) -> bool {
        self.has_opened && self.nesting.depth == 0
    }
}
