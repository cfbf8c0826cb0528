//! The items of a streamed response: which item each event belongs to, and what of it was given already.
//!
//! OpenAI tells it by `output_index` and `item_id`. llama.cpp and LM Studio leave the index out, GitHub Copilot gives
//! an item another id with every event, some providers give every item the index 0, and several close all items only at
//! the end. So a known id decides first, then the index, then the kind of item that the event can belong to.

use serde_json::Value;

use super::super::answer;
use crate::neutral::json::text;
use crate::neutral::{ApiError, Event, Part, PartKind, ReasoningPart, ToolCall};
use crate::scan::Braces;

/// The most items of a response, since each event looks through all of them.
const ITEMS_MAX: usize = 1024;

/// The place of a seal in its item, which no other part uses.
const SEAL: u64 = u64::MAX;

/// All of them, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Item>,
    /// The number of parts that have begun.
    parts: usize,
    calls_tools: bool,
    /// The message whose text came last, and whether that text ended in a line feed.
    last_part: Option<(usize, bool)>,
}

#[derive(Debug)]
struct Item {
    kind: ItemKind,
    place: Option<u64>,
    ids: Vec<String>,
    /// Whether its beginning was announced; otherwise only a part of it came.
    was_added: bool,
    /// Whether events say which of its parts they belong to.
    counts_parts: bool,
    /// Whether it was given as a whole.
    is_done: bool,
    pieces: Vec<Piece>,
}

impl Item {
    fn has_id(&self, ids: &[String]) -> bool {
        self.ids.iter().any(|id| ids.contains(id))
    }
}

/// The kind of an item, as far as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Message,
    Reasoning,
    Call,
    Other,
}

impl ItemKind {
    /// How many kinds there are.
    pub(super) const COUNT: usize = 4;

    fn of(item: &Value) -> Self {
        match text(item, "type") {
            Some("message") => Self::Message,
            Some("reasoning") => Self::Reasoning,
            Some("function_call" | "custom_tool_call") => Self::Call,
            _ => Self::Other,
        }
    }
}

/// A part of an item, by its place in it.
#[derive(Debug)]
struct Piece {
    content: u64,
    /// The part that it became, while that is open.
    part: Option<usize>,
    /// Whether something of it was given.
    is_filled: bool,
    /// The piece of a summary of reasoning that came last.
    summary: u64,
    arguments: Braces,
    /// A call that has no name yet: its id, and its arguments so far.
    nameless: Option<(String, String)>,
}

impl Piece {
    fn new(content: u64) -> Self {
        let (part, is_filled, summary, nameless) = (None, false, 0, None);
        Piece { content, part, is_filled, summary, arguments: Braces::default(), nameless }
    }
}

/// The item and the part that an event belongs to.
#[derive(Debug)]
pub(super) struct ItemLocation<'d> {
    place: Option<u64>,
    id: Option<&'d str>,
    content: Option<u64>,
    summary: u64,
}

impl<'d> ItemLocation<'d> {
    pub(super) fn of(data: &'d Value) -> Self {
        let count = |name: &str| data.get(name).and_then(Value::as_u64);
        let content = count("content_index");
        let summary = count("summary_index").or(content).unwrap_or(0);
        ItemLocation { place: count("output_index"), id: text(data, "item_id"), content, summary }
    }
}

impl Items {
    pub(super) fn have_parts(&self) -> bool {
        self.parts > 0
    }

    /// Reads the beginning of an item.
    pub(super) fn added(&mut self, location: &ItemLocation<'_>, item: &Value, out: &mut Vec<Event>) {
        let (kind, ids) = (ItemKind::of(item), ids_of(item));
        // Providers that count wrongly give several items one id, so that each beginning belongs to another item.
        let begun = |item: &Item| !item.was_added && !item.is_done && item.has_id(&ids);
        let found = self.items.iter().position(begun).or_else(|| self.create(kind, location.place, ids.clone(), out));
        let Some(item_at) = found else { return };
        if let Some(known) = self.items.get_mut(item_at) {
            known.was_added = true;
        }
        if kind == ItemKind::Call {
            let name = text(item, "name").unwrap_or_default();
            self.begin_call(item_at, call_id(item), name, out);
        }
    }

    /// Reads more text of a message. `is_all` says that it is all of a part, which only counts if no piece of it came.
    pub(super) fn words(
        &mut self,
        location: &ItemLocation<'_>,
        kind: &PartKind,
        words: &str,
        is_all: bool,
        out: &mut Vec<Event>,
    ) {
        let Some(at) = self.find(location, ItemKind::Message, words, out) else { return };
        if let Some(item) = self.items.get_mut(at) {
            item.counts_parts |= location.content.is_some();
        }
        self.say(at, location.content.unwrap_or(0), kind, words, is_all, out);
    }

    /// Reads more reasoning. The pieces of a summary form one reasoning, with a blank line between them.
    pub(super) fn reasoning(&mut self, location: &ItemLocation<'_>, words: &str, is_all: bool, out: &mut Vec<Event>) {
        let Some(at) = self.find(location, ItemKind::Reasoning, words, out) else { return };
        let piece = self.piece(at, 0);
        let (is_filled, last) = piece.as_ref().map_or((false, 0), |piece| (piece.is_filled, piece.summary));
        if is_all && is_filled && last >= location.summary {
            return;
        }
        if let Some(piece) = piece {
            piece.summary = location.summary;
        }
        if is_filled && last != location.summary {
            self.say(at, 0, &PartKind::Reasoning { sealed: None }, "\n\n", false, out);
        }
        self.say(at, 0, &PartKind::Reasoning { sealed: None }, words, false, out);
    }

    /// Reads more arguments of a call.
    pub(super) fn arguments(
        &mut self,
        location: &ItemLocation<'_>,
        text: &str,
        name: &str,
        is_all: bool,
        out: &mut Vec<Event>,
    ) {
        let Some(at) = self.find(location, ItemKind::Call, text, out) else { return };
        let Some(item) = self.items.get(at) else { return };
        if item.was_added {
            self.name_call(at, name, out);
        } else if item.pieces.is_empty() {
            // The id that its result will refer to comes with the whole item.
            self.begin_call(at, String::new(), "", out);
        }
        self.fill_call(at, text, is_all, out);
    }

    /// Reads an item that is given as a whole.
    pub(super) fn done(&mut self, location: &ItemLocation<'_>, item: Value, out: &mut Vec<Event>) {
        let (kind, ids) = (ItemKind::of(&item), ids_of(&item));
        let open = |fits: &dyn Fn(&Item) -> bool| {
            self.items.iter().position(|item| item.kind == kind && !item.is_done && fits(item))
        };
        let both = open(&|item| item.has_id(&ids) && item.place == location.place);
        let named = || open(&|item| item.has_id(&ids)).or_else(|| self.with_id(&ids));
        let any = || if location.place.is_none() { open(&|_| true) } else { None };
        let found = both.or_else(named).or_else(|| self.at_place(location.place, kind)).or_else(any);
        if let Some(at) = found.or_else(|| self.create(kind, location.place, ids, out)) {
            self.complete(at, item, out);
        }
    }

    /// Reads an item again, in the response that has ended: the `place`th of all. `nth` counts each kind.
    pub(super) fn repeated(
        &mut self,
        place: u64,
        nth: &mut [usize; ItemKind::COUNT],
        item: Value,
        out: &mut Vec<Event>,
    ) {
        let (kind, ids) = (ItemKind::of(&item), ids_of(&item));
        let of_kind = nth.get_mut(kind as usize).map_or(0, |count| std::mem::replace(count, *count + 1));
        let same_kind = || {
            let mut items = self.items.iter().enumerate().filter(|(_, item)| item.kind == kind);
            items.nth(of_kind).map(|(at, _)| at)
        };
        let found = self.with_id(&ids).or_else(|| self.at_place(Some(place), kind)).or_else(same_kind);
        if let Some(at) = found.or_else(|| self.create(kind, Some(place), ids, out)) {
            self.complete(at, item, out);
        }
    }

    /// Ends what is open. Returns whether tools were called.
    pub(super) fn end_all(&mut self, out: &mut Vec<Event>) -> bool {
        for at in 0..self.items.len() {
            self.end_item(at, out);
        }
        self.calls_tools
    }

    fn with_id(&self, ids: &[String]) -> Option<usize> {
        self.items.iter().rposition(|item| item.has_id(ids))
    }

    fn at_place(&self, place: Option<u64>, kind: ItemKind) -> Option<usize> {
        self.items.iter().rposition(|item| place.is_some() && item.place == place && item.kind == kind)
    }

    /// The item of this kind that an event belongs to. A new one if none fits and there is something to give.
    fn find(&mut self, location: &ItemLocation<'_>, kind: ItemKind, text: &str, out: &mut Vec<Event>) -> Option<usize> {
        let is_named =
            |item: &Item| item.kind == kind && location.id.is_some_and(|id| item.ids.iter().any(|own| own == id));
        let named = self.items.iter().rposition(is_named);
        // An event without either can only belong to the last one.
        let last = || self.items.iter().rposition(|item| item.kind == kind && !item.is_done);
        let found = named.or_else(|| self.at_place(location.place, kind));
        let found = found.or_else(|| if location.place.is_none() { last() } else { None });
        if found.is_some() || text.is_empty() {
            return found;
        }
        self.create(kind, location.place, location.id.map(str::to_owned).into_iter().collect(), out)
    }

    fn create(&mut self, kind: ItemKind, place: Option<u64>, ids: Vec<String>, out: &mut Vec<Event>) -> Option<usize> {
        if self.items.len() >= ITEMS_MAX {
            let message = format!("The provider sent an answer of more than {ITEMS_MAX} items.");
            out.push(Event::Error(ApiError::bad_gateway(message)));
            return None;
        }
        let (was_added, counts_parts, is_done) = (false, false, false);
        self.items.push(Item { kind, place, ids, was_added, counts_parts, is_done, pieces: Vec::new() });
        self.items.len().checked_sub(1)
    }

    fn piece(&mut self, at: usize, content: u64) -> Option<&mut Piece> {
        let pieces = &mut self.items.get_mut(at)?.pieces;
        let found = pieces.iter().position(|piece| piece.content == content);
        let found = found.unwrap_or_else(|| {
            pieces.push(Piece::new(content));
            pieces.len() - 1
        });
        pieces.get_mut(found)
    }

    fn say(&mut self, at: usize, content: u64, kind: &PartKind, words: &str, is_all: bool, out: &mut Vec<Event>) {
        let Some(piece) = self.piece(at, content).filter(|_| !words.is_empty()) else { return };
        if is_all && piece.is_filled {
            return;
        }
        piece.is_filled = true;
        let open = piece.part;
        let part = match open {
            Some(part) => part,
            None => self.begin(at, content, kind.clone(), out),
        };
        let mut text = words.to_owned();
        if *kind == PartKind::Text {
            let is_next = self.last_part.is_some_and(|(last, is_lined)| last != at && !is_lined);
            if is_next && !words.starts_with('\n') {
                // Callers of other dialects get the messages of an answer as one text.
                text.insert_str(0, "\n\n");
            }
            self.last_part = Some((at, words.ends_with('\n')));
        }
        out.push(Event::Delta { part, text });
    }

    /// Begins a part, and ends whatever else is open and can be complete: items are often closed late, and what follows
    /// would wait.
    fn begin(&mut self, at: usize, content: u64, kind: PartKind, out: &mut Vec<Event>) -> usize {
        for piece in self.items.iter_mut().flat_map(|item| {
            let is_call = item.kind == ItemKind::Call;
            item.pieces.iter_mut().filter(move |piece| !is_call || piece.arguments.are_whole())
        }) {
            out.extend(piece.part.take().map(|part| Event::End { part }));
        }
        let part = self.parts;
        self.parts += 1;
        self.calls_tools |= matches!(kind, PartKind::ToolCall { .. });
        if let Some(piece) = self.piece(at, content) {
            piece.part = Some(part);
        }
        out.push(Event::Begin { part, choice: 0, kind });
        part
    }

    /// Begins a call once its name is known.
    fn begin_call(&mut self, at: usize, id: String, name: &str, out: &mut Vec<Event>) {
        let Some(piece) = self.piece(at, 0) else { return };
        if name.is_empty() {
            piece.nameless.get_or_insert_with(|| (id, String::new()));
            return;
        }
        let came = piece.nameless.take().map(|(_, came)| came);
        self.begin(at, 0, PartKind::ToolCall { id, name: name.to_owned() }, out);
        self.fill_call(at, &came.unwrap_or_default(), false, out);
    }

    fn name_call(&mut self, at: usize, name: &str, out: &mut Vec<Event>) {
        let nameless = self.piece(at, 0).and_then(|piece| piece.nameless.as_ref());
        let id = nameless.map(|(id, _)| id.clone()).filter(|_| !name.is_empty());
        if let Some(id) = id {
            self.begin_call(at, id, name, out);
        }
    }

    fn fill_call(&mut self, at: usize, text: &str, is_all: bool, out: &mut Vec<Event>) {
        let Some(piece) = self.piece(at, 0) else { return };
        if text.is_empty() || (is_all && piece.is_filled) {
            return;
        }
        if let Some((_, came)) = &mut piece.nameless {
            if !is_all || came.is_empty() {
                came.push_str(text);
            }
        } else if let Some(part) = piece.part {
            piece.is_filled = true;
            piece.arguments.read(text.as_bytes());
            out.push(Event::Delta { part, text: text.to_owned() });
        }
    }

    /// Gives whatever of an item was not given yet.
    fn complete(&mut self, at: usize, item: Value, out: &mut Vec<Event>) {
        let Some(known) = self.items.get_mut(at).filter(|item| !item.is_done) else { return };
        known.is_done = true;
        let counts_parts = known.counts_parts;
        let was_filled = known.pieces.iter().any(|piece| piece.is_filled);
        let mut parts = Vec::new();
        answer::read_item(item, &mut parts);
        for (content, part) in (0..).zip(parts) {
            match part {
                // A provider whose events do not count parts has given all of them as the first.
                Part::Text(_) | Part::Refusal(_) if was_filled && !counts_parts => {}
                Part::Text(text) => self.say(at, content, &PartKind::Text, &text, true, out),
                Part::Refusal(text) => self.say(at, content, &PartKind::Refusal, &text, true, out),
                Part::Reasoning(ReasoningPart { sealed: sealed @ Some(_), .. }) => {
                    // The seal follows the text, as a part of its own.
                    self.end_item(at, out);
                    let part = self.begin(at, SEAL, PartKind::Reasoning { sealed }, out);
                    out.push(Event::End { part });
                    if let Some(item) = self.items.get_mut(at) {
                        item.pieces.retain(|piece| piece.content != SEAL);
                    }
                }
                Part::Reasoning(reasoning) => {
                    self.say(at, 0, &PartKind::Reasoning { sealed: None }, &reasoning.text, true, out);
                }
                Part::ToolCall(call) => self.complete_call(at, call, out),
                _ => {}
            }
        }
        self.end_item(at, out);
    }

    fn complete_call(&mut self, at: usize, call: ToolCall, out: &mut Vec<Event>) {
        let ToolCall { id, name, arguments, .. } = call;
        let pieces = self.items.get(at).map(|item| item.pieces.as_slice()).unwrap_or_default();
        if pieces.is_empty() || pieces.iter().any(|piece| piece.nameless.is_some()) {
            self.begin_call(at, id, &name, out);
        }
        self.fill_call(at, &arguments, true, out);
    }

    fn end_item(&mut self, at: usize, out: &mut Vec<Event>) {
        let pieces = self.items.get_mut(at).into_iter().flat_map(|item| &mut item.pieces);
        out.extend(pieces.filter_map(|piece| piece.part.take()).map(|part| Event::End { part }));
    }
}

/// The ids that events may use for an item: llama.cpp names calls by their `call_id`.
fn ids_of(item: &Value) -> Vec<String> {
    let named = ["id", "call_id"].iter().filter_map(|name| text(item, name));
    named.filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

fn call_id(item: &Value) -> String {
    text(item, "call_id").or_else(|| text(item, "id")).unwrap_or_default().to_owned()
}
