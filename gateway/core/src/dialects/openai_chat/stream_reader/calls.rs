//! Calls of tools that come in pieces: which call each piece belongs to, and what of it is new.
//!
//! A piece is recognised by its index, its name and its id, in this order of trust: some providers give every call the
//! index 0 or none, share ids between calls, make a new id for each piece, or repeat the name. Names come in pieces
//! too, so that a call begins for its reader with the first of its arguments, or with whatever follows it.

use serde_json::Value;

use super::deltas::Place;
use crate::dialects::openai_chat::calls;
use crate::neutral::json::text;
use crate::neutral::{ApiError, Event, PartKind, Seal};
use crate::scan::Nesting;

/// The most calls of a choice, since each delta looks through all of them. OpenAI accepts 128 tools.
const CALLS_MAX: usize = 256;

/// Arguments up to this size are recognised if they are repeated.
const COMPARED_BYTES_MAX: usize = 64 << 10;

/// What some providers write where arguments belong before they have any.
const PLACEHOLDERS: [&str; 2] = ["{}", "null"];

/// The calls of a choice, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    signature: Option<Seal>,
    /// Its number among the answer's parts, once it has begun for its reader.
    part: Option<usize>,
    arguments: Arguments,
    has_ended: bool,
}

/// One piece of a call.
pub(super) struct Piece<'d> {
    index: Option<u64>,
    id: &'d str,
    name: Option<&'d str>,
    arguments: String,
    signature: Option<Seal>,
}

impl<'d> Piece<'d> {
    pub(super) fn of(delta: &'d Value) -> Self {
        let function = delta.get("function").unwrap_or(&Value::Null);
        let index = delta.get("index");
        let in_words = || index.and_then(Value::as_str).and_then(|index| index.parse().ok());
        Piece {
            index: index.and_then(Value::as_u64).or_else(in_words),
            id: text(delta, "id").unwrap_or_default(),
            name: text(function, "name").filter(|name| !name.is_empty()),
            arguments: calls::arguments(function),
            signature: calls::signature(delta),
        }
    }
}

impl Calls {
    /// Whether there is one that its reader knows of.
    pub(super) fn have_begun(&self) -> bool {
        self.0.iter().any(|call| call.part.is_some())
    }

    /// Whether a piece is the first of its call.
    pub(super) fn is_first(&self, piece: &Piece<'_>) -> bool {
        self.find(piece).is_none()
    }

    /// Takes the next piece of some call.
    pub(super) fn read(&mut self, piece: Piece<'_>, place: &mut Place<'_>) {
        let at = match self.find(&piece) {
            Some(at) => at,
            None if self.0.len() >= CALLS_MAX => {
                let message = format!("The provider sent an answer of more than {CALLS_MAX} calls of tools.");
                return place.out.push(Event::Error(ApiError::bad_gateway(message)));
            }
            None => {
                self.begin_all(place);
                self.end_whole(place.out);
                self.0.push(Call { index: piece.index, ..Call::default() });
                self.0.len() - 1
            }
        };
        if let Some(call) = self.0.get_mut(at) {
            call.take(piece, place);
        }
    }

    /// The call a piece goes on with; `None`: it begins another.
    fn find(&self, piece: &Piece<'_>) -> Option<usize> {
        let Some(index) = piece.index else { return self.find_without_index(piece) };
        let same_id = |call: &Call| !piece.id.is_empty() && call.id == piece.id;
        let counted = |call: &Call| call.index == Some(index);
        let by_both = self.0.iter().rposition(|call| counted(call) && same_id(call));
        if let Some(at) = by_both.or_else(|| self.0.iter().rposition(counted)) {
            return Some(at).filter(|at| self.0.get(*at).is_some_and(|call| !call.is_other(piece)));
        }
        let begun_without_index = self.0.iter().rposition(|call| call.index.is_none() && same_id(call));
        let goes_on = || {
            piece.name.is_none() && piece.id.is_empty() && self.last().is_some_and(|call| !call.arguments.is_whole())
        };
        begun_without_index.or_else(|| self.0.len().checked_sub(1).filter(|_| goes_on()))
    }

    fn find_without_index(&self, piece: &Piece<'_>) -> Option<usize> {
        let last = self.0.len().checked_sub(1);
        if piece.id.is_empty() {
            return last.filter(|_| self.last().is_some_and(|call| !call.is_next_of_name(piece)));
        }
        match self.0.iter().rposition(|call| call.id == piece.id) {
            Some(at) => Some(at).filter(|at| self.0.get(*at).is_some_and(|call| !call.is_other_of_id(piece))),
            None => last.filter(|_| piece.name.is_none()),
        }
    }

    fn last(&self) -> Option<&Call> {
        self.0.last()
    }

    /// Something else begins: no further piece of a name comes.
    pub(super) fn begin_all(&mut self, place: &mut Place<'_>) {
        for call in &mut self.0 {
            call.begin(place);
        }
    }

    /// Calls whose arguments are whole are over when something else begins. Others may go on beside it.
    pub(super) fn end_whole(&mut self, out: &mut Vec<Event>) {
        for call in self.0.iter_mut().filter(|call| call.arguments.is_whole()) {
            call.end(out);
        }
    }

    /// Ends all of them.
    pub(super) fn end_all(&mut self, place: &mut Place<'_>) {
        self.begin_all(place);
        for call in &mut self.0 {
            call.end(place.out);
        }
    }
}

impl Call {
    /// Whether a piece of the same index belongs to another call, as those of providers that count wrongly do.
    fn is_other(&self, piece: &Piece<'_>) -> bool {
        let Some(name) = piece.name else { return false };
        let has_other_name = !self.name.is_empty() && name != self.name;
        let has_other_id = !piece.id.is_empty() && !self.id.is_empty() && piece.id != self.id;
        if self.arguments.is_whole() {
            return has_other_name
                || has_other_id
                || self.id.is_empty() && self.arguments.differ_from(&piece.arguments);
        }
        match self.arguments.placeholder() {
            Some(_) => has_other_name || has_other_id,
            None => has_other_name && has_other_id,
        }
    }

    /// Whether a piece without an index belongs to another call that has the same id.
    fn is_other_of_id(&self, piece: &Piece<'_>) -> bool {
        let has_arguments = self.arguments.has_begun || self.arguments.placeholder().is_some();
        let Some(name) = piece.name.filter(|_| has_arguments) else { return false };
        name != self.name || self.arguments.differ_from(&piece.arguments)
    }

    /// Whether a piece without an index and id, which so can only belong to the last call, begins the next.
    fn is_next_of_name(&self, piece: &Piece<'_>) -> bool {
        let Some(name) = piece.name else { return false };
        name != self.name || self.arguments.is_whole() || self.arguments.placeholder().is_some()
    }

    fn take(&mut self, piece: Piece<'_>, place: &mut Place<'_>) {
        if self.id.is_empty() && self.part.is_none() {
            piece.id.clone_into(&mut self.id);
        }
        self.index = self.index.or(piece.index);
        if let Some(name) = piece.name.filter(|_| self.part.is_none()) {
            self.take_name(name);
        }
        match (piece.signature, self.part) {
            (Some(signature), Some(part)) => place.out.push(Event::Signature { part, signature }),
            (signature, _) => self.signature = signature.or(self.signature.take()),
        }
        if piece.arguments.is_empty() || self.has_ended {
            return;
        }
        if let Some(text) = self.arguments.take(piece.arguments) {
            self.begin(place);
            place.out.extend(self.part.map(|part| Event::Delta { part, text }));
        }
    }

    /// A name comes whole, whole again, longer with each piece, or in pieces.
    fn take_name(&mut self, name: &str) {
        if name.starts_with(&self.name) {
            name.clone_into(&mut self.name);
        } else {
            self.name.push_str(name);
        }
    }

    /// A call begins once it has a name; without one it is dropped.
    fn begin(&mut self, place: &mut Place<'_>) {
        if self.part.is_some() || self.name.is_empty() {
            return;
        }
        let part = place.begin(PartKind::ToolCall { id: self.id.clone(), name: self.name.clone() });
        self.part = Some(part);
        place.out.extend(self.signature.take().map(|signature| Event::Signature { part, signature }));
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        let Some(part) = self.part.filter(|_| !std::mem::replace(&mut self.has_ended, true)) else { return };
        if self.arguments.placeholder() == Some("{}") {
            out.push(Event::Delta { part, text: "{}".to_owned() });
        }
        out.push(Event::End { part });
    }
}

/// Arguments as far as they have come. Only what is needed to recognise a repetition is kept.
#[derive(Debug, Default)]
struct Arguments {
    /// What came while all of it may still be a placeholder.
    held: String,
    has_begun: bool,
    /// All of them, while they are short.
    so_far: Option<String>,
    nesting: Nesting,
    has_opened: bool,
}

impl Arguments {
    /// Whether they are a whole object, and no placeholder.
    fn is_whole(&self) -> bool {
        self.has_opened && self.nesting.depth == 0
    }

    /// The placeholder that stands in their place.
    fn placeholder(&self) -> Option<&str> {
        Some(self.held.trim()).filter(|held| !self.has_begun && !held.is_empty())
    }

    /// Whether a text is another object and not a repetition of these arguments.
    fn differ_from(&self, text: &str) -> bool {
        let text = text.trim();
        text.starts_with('{') && !PLACEHOLDERS.contains(&text) && !self.is(text)
    }

    fn is(&self, text: &str) -> bool {
        self.so_far.as_ref().is_some_and(|so_far| so_far.trim() == text)
    }

    /// Takes the next piece and gives what of it is new.
    fn take(&mut self, text: String) -> Option<String> {
        if self.is_whole() {
            let trimmed = text.trim();
            let says_nothing = trimmed.is_empty() || PLACEHOLDERS.contains(&trimmed) || self.is(trimmed);
            return (!says_nothing).then_some(text);
        }
        let new = if self.has_begun { text } else { self.first(text)? };
        self.follow(&new);
        Some(new)
    }

    /// The first arguments that are no placeholder, which take the place of one.
    fn first(&mut self, text: String) -> Option<String> {
        let is_replaced = self.placeholder().is_some() && text.trim_start().starts_with('{');
        let held = std::mem::take(&mut self.held);
        let first = if is_replaced { text } else { held + &text };
        if first.trim().is_empty() || PLACEHOLDERS.contains(&first.trim()) {
            self.held = first;
            return None;
        }
        self.so_far = Some(String::new());
        self.has_begun = true;
        Some(first)
    }

    fn follow(&mut self, text: &str) {
        self.so_far = self.so_far.take().filter(|so_far| so_far.len() + text.len() <= COMPARED_BYTES_MAX);
        if let Some(so_far) = &mut self.so_far {
            so_far.push_str(text);
        }
        for byte in text.bytes() {
            self.has_opened |= self.nesting.step(byte);
        }
    }
}

#[cfg(test)]
mod tests;
