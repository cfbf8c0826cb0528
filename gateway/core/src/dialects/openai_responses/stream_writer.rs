//! Writes a Responses stream, with every event that the official SDKs and Codex wait for.
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value, json};

use super::answer::{
    alias_of, envelope, finish, item_id, message, picture, reasoning, refusal_part, sealed_or_not, summary_part,
    text_part, tool_call,
};
use super::{error, tools, usage};
use crate::dialect::Dialect;
use crate::dialects::room::WriteStream;
use crate::memory;
use crate::neutral::json;
use crate::neutral::sequence::Sequence;
use crate::neutral::{AnswerContext, ApiError, Event, Finish, Object, PartKind, Seal, sealed};
use crate::usage::Usage;

/// Roughly the memory that an item takes besides its text.
const ITEM_BYTES: usize = 1024;

/// How often a text is written once more when it has ended: as itself, as a part, as an item, and in the last event.
const TIMES_OF_TEXT: usize = 4;

/// The same of a picture, which comes as a whole.
const TIMES_OF_PICTURE: usize = 2;

/// Writes a stream of this dialect.
#[derive(Debug)]
pub(super) struct StreamWriter {
    context: AnswerContext,
    sequence: u64,
    /// The response object, once it was sent.
    response: Option<Object>,
    /// Items by place; `null` until they are complete.
    output: Vec<Value>,
    /// Puts items one after another, as OpenAI does.
    order: Sequence,
    /// A call that has begun, until it is known whether it has a seal, which must precede it.
    waiting: Option<PendingCall>,
    open: Option<OpenItem>,
    /// The bytes of all items, since the last event repeats them.
    held: usize,
    /// Bytes that the events which are still to come say again.
    due: usize,
    finish: Option<Finish>,
    usage: Usage,
}

/// A call that is not written yet.
#[derive(Debug)]
struct PendingCall {
    id: String,
    name: String,
}

/// The item that is not complete.
#[derive(Debug)]
struct OpenItem {
    place: usize,
    kind: Kind,
    text: String,
}

#[derive(Debug)]
enum Kind {
    Text,
    Refusal,
    Reasoning { sealed: Option<String> },
    Picture { data: String },
    Call { id: String, name: String, freeform: bool },
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        for event in self.order.feed(event) {
            self.write_next(event, out);
        }
    }

    fn held(&self) -> usize {
        self.held + self.order.held()
    }

    fn due(&self) -> usize {
        self.due + self.order.held() * TIMES_OF_TEXT
    }

    fn times(&self) -> usize {
        1 + TIMES_OF_TEXT
    }
}

impl StreamWriter {
    pub(super) fn new(context: &AnswerContext) -> Self {
        StreamWriter {
            context: context.clone(),
            sequence: 0,
            response: None,
            output: Vec::new(),
            order: Sequence::default(),
            waiting: None,
            open: None,
            held: 0,
            due: 0,
            finish: None,
            usage: Usage::default(),
        }
    }

    fn write_next(&mut self, event: Event, out: &mut Vec<u8>) {
        if let Some(call) = self.waiting.take() {
            if let Event::Signature { signature, .. } = event {
                self.seal_call(&call.id, signature, out);
                return self.begin_call(call, out);
            }
            self.begin_call(call, out);
        }
        match event {
            Event::Start { id, .. } => self.start(id.as_deref(), out),
            // Responses knows no alternatives: its requests cannot ask for more than one.
            Event::Begin { choice: 0, kind, .. } => self.begin(kind, out),
            Event::Begin { .. } => {}
            Event::Delta { text, .. } => self.delta(text, out),
            Event::Signature { signature, .. } => self.seal(signature),
            Event::End { .. } => self.end_open(out),
            Event::Finish { choice: 0, finish } => self.finish = Some(finish),
            Event::Finish { .. } => {}
            Event::Usage(usage) => self.usage.update(usage),
            Event::Error(error) => self.fail(&error, out),
            Event::Done => self.done(out),
        }
    }

    fn start(&mut self, id: Option<&str>, out: &mut Vec<u8>) {
        if self.response.is_some() {
            return;
        }
        let response = envelope(&self.context, id);
        for name in ["response.created", "response.in_progress"] {
            self.emit(name, &[("response", MemberValue::Members(&response))], out);
        }
        self.response = Some(response);
    }

    fn begin(&mut self, kind: PartKind, out: &mut Vec<u8>) {
        self.start(None, out);
        let place = self.output.len();
        self.keep(whole_bytes(&kind), TIMES_OF_PICTURE);
        let context = &self.context;
        let (kind, item, content) = match kind {
            PartKind::Image { data, .. } => {
                (Kind::Picture { data }, picture(context, place, "in_progress", None), None)
            }
            PartKind::Text => {
                (Kind::Text, message(context, place, "in_progress", vec![]), Some(text_part(String::new())))
            }
            PartKind::Refusal => {
                (Kind::Refusal, message(context, place, "in_progress", vec![]), Some(refusal_part(String::new())))
            }
            PartKind::Reasoning { sealed } => {
                let sealed = sealed.map(|seal| sealed::of_whole(seal, Dialect::OpenaiResponses));
                (Kind::Reasoning { sealed: sealed.clone() }, reasoning(context, place, String::new(), sealed), None)
            }
            PartKind::ToolCall { id, name } => {
                self.waiting = Some(PendingCall { id, name });
                return;
            }
        };
        self.add(kind, &item, out);
        if let Some(content) = content {
            let members = [("content_index", MemberValue::Count(0)), ("part", MemberValue::Value(&content))];
            self.emit_in(place, "msg", "response.content_part.added", &members, out);
        }
    }

    fn begin_call(&mut self, PendingCall { id, name }: PendingCall, out: &mut Vec<u8>) {
        let freeform = alias_of(&self.context, &name).is_some_and(|alias| alias.freeform);
        let item = tool_call(&self.context, self.output.len(), "in_progress", &id, &name, "");
        self.add(Kind::Call { id, name, freeform }, &item, out);
    }

    /// Adds an item that is not complete.
    fn add(&mut self, kind: Kind, item: &Value, out: &mut Vec<u8>) {
        let place = self.output.len();
        self.output.push(Value::Null);
        self.keep(ITEM_BYTES, 1);
        self.emit_item("response.output_item.added", place, item, out);
        self.open = Some(OpenItem { place, kind, text: String::new() });
    }

    fn delta(&mut self, text: String, out: &mut Vec<u8>) {
        let Some(open) = self.open.as_ref().filter(|_| !text.is_empty()) else { return };
        let (place, is_first) = (open.place, open.text.is_empty());
        let delta = ("delta", MemberValue::Text(&text));
        let index = ("content_index", MemberValue::Count(0));
        match &open.kind {
            Kind::Text => {
                let members = [index, delta, ("logprobs", MemberValue::Nothing([]))];
                self.emit_in(place, "msg", "response.output_text.delta", &members, out);
            }
            Kind::Refusal => self.emit_in(place, "msg", "response.refusal.delta", &[index, delta], out),
            Kind::Reasoning { .. } => {
                let index = ("summary_index", MemberValue::Count(0));
                if is_first {
                    let members = [index, ("part", MemberValue::Value(&summary_part(String::new())))];
                    self.emit_in(place, "rs", "response.reasoning_summary_part.added", &members, out);
                }
                self.emit_in(place, "rs", "response.reasoning_summary_text.delta", &[index, delta], out);
            }
            Kind::Picture { .. } => {}
            // The plain text can only be told from the JSON around it when all of it has come.
            Kind::Call { freeform: true, .. } => {}
            Kind::Call { .. } => self.emit_in(place, "fc", "response.function_call_arguments.delta", &[delta], out),
        }
        self.keep(text.len(), TIMES_OF_TEXT);
        if let Some(open) = &mut self.open {
            memory::extend_text(&mut open.text, text);
        }
    }

    /// Notes that this many bytes are kept and will be written again this many times.
    fn keep(&mut self, bytes: usize, times: usize) {
        self.held += bytes;
        self.due += bytes * times;
    }

    fn seal(&mut self, seal: Seal) {
        self.keep(ITEM_BYTES + seal.text.len(), TIMES_OF_PICTURE);
        if let Some(OpenItem { kind: Kind::Reasoning { sealed }, .. }) = &mut self.open {
            *sealed = Some(sealed::of_signature(seal, Dialect::OpenaiResponses));
        }
    }

    /// Writes the seal on a call. A call has no place for it, but clients send reasoning back, so it precedes the call
    /// as an item of its own.
    fn seal_call(&mut self, id: &str, seal: Seal, out: &mut Vec<u8>) {
        self.keep(ITEM_BYTES + seal.text.len(), TIMES_OF_PICTURE);
        let place = self.output.len();
        let sealed = sealed::of_call(id, seal, Dialect::OpenaiResponses);
        let item = reasoning(&self.context, place, String::new(), Some(sealed));
        for name in ["response.output_item.added", "response.output_item.done"] {
            self.emit_item(name, place, &item, out);
        }
        self.output.push(item);
    }

    fn end_open(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            self.end(open, out);
        }
    }

    fn end(&mut self, open: OpenItem, out: &mut Vec<u8>) {
        let OpenItem { place, kind, text } = open;
        let repeated_bytes = text.len();
        let index = ("content_index", MemberValue::Count(0));
        let item = match kind {
            Kind::Text => {
                let members = [index, ("text", MemberValue::Text(&text)), ("logprobs", MemberValue::Nothing([]))];
                self.emit_in(place, "msg", "response.output_text.done", &members, out);
                self.end_message(place, text_part(text), out)
            }
            Kind::Refusal => {
                let members = [index, ("refusal", MemberValue::Text(&text))];
                self.emit_in(place, "msg", "response.refusal.done", &members, out);
                self.end_message(place, refusal_part(text), out)
            }
            Kind::Reasoning { sealed } => {
                let item = reasoning(&self.context, place, text, Some(sealed_or_not(sealed)));
                self.end_summary(place, &item, out);
                item
            }
            Kind::Picture { data } => picture(&self.context, place, "completed", Some(data)),
            Kind::Call { id, name, freeform } => {
                let arguments = if text.is_empty() { "{}" } else { &text };
                self.end_call(place, &name, freeform, arguments, out);
                tool_call(&self.context, place, "completed", &id, &name, arguments)
            }
        };
        self.emit_item("response.output_item.done", place, &item, out);
        // But for the last event, which says it once more.
        self.due = self.due.saturating_sub(repeated_bytes * (TIMES_OF_TEXT - 1));
        if let Some(kept) = self.output.get_mut(place) {
            *kept = item;
        }
    }

    fn end_message(&mut self, place: usize, part: Value, out: &mut Vec<u8>) -> Value {
        let members = [("content_index", MemberValue::Count(0)), ("part", MemberValue::Value(&part))];
        self.emit_in(place, "msg", "response.content_part.done", &members, out);
        message(&self.context, place, "completed", vec![part])
    }

    /// Reasoning that was said in words has one part.
    fn end_summary(&mut self, place: usize, item: &Value, out: &mut Vec<u8>) {
        let index = ("summary_index", MemberValue::Count(0));
        let Some(part) = item.pointer("/summary/0") else { return };
        let text = json::text(part, "text").unwrap_or_default();
        let members = [index, ("text", MemberValue::Text(text))];
        self.emit_in(place, "rs", "response.reasoning_summary_text.done", &members, out);
        self.emit_in(
            place,
            "rs",
            "response.reasoning_summary_part.done",
            &[index, ("part", MemberValue::Value(part))],
            out,
        );
    }

    fn end_call(&mut self, place: usize, name: &str, freeform: bool, arguments: &str, out: &mut Vec<u8>) {
        if freeform {
            let input = tools::freeform_input(arguments);
            let members = |name| [(name, MemberValue::Text(&input))];
            self.emit_in(place, "ctc", "response.custom_tool_call_input.delta", &members("delta"), out);
            self.emit_in(place, "ctc", "response.custom_tool_call_input.done", &members("input"), out);
        } else {
            let name = alias_of(&self.context, name).map_or(name, |alias| &alias.name).to_owned();
            let members = [("name", MemberValue::Text(&name)), ("arguments", MemberValue::Text(arguments))];
            self.emit_in(place, "fc", "response.function_call_arguments.done", &members, out);
        }
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.start(None, out);
        self.end_open(out);
        let mut response = self.response.take().unwrap_or_default();
        let output = std::mem::take(&mut self.output);
        let status = finish(&mut response, self.finish.as_ref(), output, usage::write(&self.usage));
        self.emit(&format!("response.{status}"), &[("response", MemberValue::Members(&response))], out);
    }

    /// Writes `response.failed` and not `error`, since Codex waits for one of the three last events and reads its
    /// `code`.
    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        self.start(None, out);
        let mut response = self.response.take().unwrap_or_default();
        response.insert("status".into(), "failed".into());
        response.insert("error".into(), json!({ "code": error::code(error), "message": error.message }));
        let output = std::mem::take(&mut self.output);
        response.insert("output".into(), output.into_iter().filter(|item| !item.is_null()).collect());
        response.insert("usage".into(), usage::write(&self.usage));
        self.emit("response.failed", &[("response", MemberValue::Members(&response))], out);
    }

    /// An event about the item at `place`.
    fn emit_in(
        &mut self,
        place: usize,
        kind: &str,
        name: &str,
        members: &[(&str, MemberValue<'_>)],
        out: &mut Vec<u8>,
    ) {
        let id = item_id(kind, &self.context, place);
        let of_item = [("item_id", MemberValue::Text(&id)), ("output_index", MemberValue::Count(place))];
        self.emit(name, &[members, &of_item].concat(), out);
    }

    /// An event with a whole item.
    fn emit_item(&mut self, name: &str, place: usize, item: &Value, out: &mut Vec<u8>) {
        self.emit(name, &[("output_index", MemberValue::Count(place)), ("item", MemberValue::Value(item))], out);
    }

    fn emit(&mut self, name: &str, members: &[(&str, MemberValue<'_>)], out: &mut Vec<u8>) {
        let sequence = self.sequence;
        self.sequence += 1;
        out.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
        json::append(out, &Numbered { name, sequence, members });
        out.extend_from_slice(b"\n\n");
    }
}

/// The members of a part that come with its beginning.
fn whole_bytes(kind: &PartKind) -> usize {
    match kind {
        PartKind::Image { data, .. } => data.len(),
        PartKind::Reasoning { sealed: Some(seal) } => seal.text.len(),
        _ => 0,
    }
}

/// A member of an event. Borrowed, since each text is said several times and may have megabytes.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum MemberValue<'s> {
    Text(&'s str),
    Count(usize),
    Value(&'s Value),
    Members(&'s Object),
    Nothing([(); 0]),
}

/// An event as it is written.
struct Numbered<'n> {
    name: &'n str,
    sequence: u64,
    members: &'n [(&'n str, MemberValue<'n>)],
}

impl Serialize for Numbered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("type", self.name)?;
        members.serialize_entry("sequence_number", &self.sequence)?;
        for (name, value) in self.members {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}
