//! Writes a Responses stream, with every event that the official SDKs and Codex wait for.
//! <https://platform.openai.com/docs/api-reference/responses-streaming>

use serde_json::{Value, json};

use super::answer::{
    alias_of, envelope, finish, item_id, message, picture, reasoning, refusal_part, sealed_or_not, summary_part,
    text_part, tool_call,
};
use super::{error, tools, usage};
use crate::dialect::Dialect;
use crate::dialects::room::WriteStream;
use crate::neutral::sequence::Sequence;
use crate::neutral::{AnswerContext, ApiError, Event, Finish, Object, PartKind, Seal, sealed};
use crate::usage::Usage;

/// Roughly the memory that an item takes besides its text.
const ITEM_BYTES: usize = 1024;

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
            Event::Delta { text, .. } => self.delta(&text, out),
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
            self.emit(name, json!({ "response": response }), out);
        }
        self.response = Some(response);
    }

    fn begin(&mut self, kind: PartKind, out: &mut Vec<u8>) {
        self.start(None, out);
        let place = self.output.len();
        let context = &self.context;
        let (kind, item, content) = match kind {
            PartKind::Image { data, .. } => {
                self.held += data.len();
                (Kind::Picture { data }, picture(context, place, "in_progress", None), None)
            }
            PartKind::Text => (Kind::Text, message(context, place, "in_progress", vec![]), Some(text_part(""))),
            PartKind::Refusal => {
                (Kind::Refusal, message(context, place, "in_progress", vec![]), Some(refusal_part("")))
            }
            PartKind::Reasoning { sealed } => {
                self.held += sealed.as_ref().map_or(0, |seal| seal.text.len());
                let sealed = sealed.map(|seal| sealed::of_whole(seal, Dialect::OpenaiResponses));
                (Kind::Reasoning { sealed: sealed.clone() }, reasoning(context, place, "", sealed), None)
            }
            PartKind::ToolCall { id, name } => {
                self.waiting = Some(PendingCall { id, name });
                return;
            }
        };
        self.add(kind, &item, out);
        if let Some(content) = content {
            self.emit_in(
                place,
                "msg",
                "response.content_part.added",
                json!({ "content_index": 0, "part": content }),
                out,
            );
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
        self.held += ITEM_BYTES;
        self.emit("response.output_item.added", json!({ "output_index": place, "item": item }), out);
        self.open = Some(OpenItem { place, kind, text: String::new() });
    }

    fn delta(&mut self, text: &str, out: &mut Vec<u8>) {
        let Some(open) = self.open.as_mut().filter(|_| !text.is_empty()) else { return };
        let is_first = open.text.is_empty();
        open.text.push_str(text);
        self.held += text.len();
        let place = open.place;
        match &open.kind {
            Kind::Text => {
                let data = json!({ "content_index": 0, "delta": text, "logprobs": [] });
                self.emit_in(place, "msg", "response.output_text.delta", data, out);
            }
            Kind::Refusal => {
                let data = json!({ "content_index": 0, "delta": text });
                self.emit_in(place, "msg", "response.refusal.delta", data, out);
            }
            Kind::Reasoning { .. } => {
                if is_first {
                    let data = json!({ "summary_index": 0, "part": summary_part("") });
                    self.emit_in(place, "rs", "response.reasoning_summary_part.added", data, out);
                }
                let data = json!({ "summary_index": 0, "delta": text });
                self.emit_in(place, "rs", "response.reasoning_summary_text.delta", data, out);
            }
            Kind::Picture { .. } => {}
            // The plain text can only be told from the JSON around it when all of it has come.
            Kind::Call { freeform: true, .. } => {}
            Kind::Call { .. } => {
                self.emit_in(place, "fc", "response.function_call_arguments.delta", json!({ "delta": text }), out);
            }
        }
    }

    fn seal(&mut self, seal: Seal) {
        self.held += ITEM_BYTES + seal.text.len();
        if let Some(OpenItem { kind: Kind::Reasoning { sealed }, .. }) = &mut self.open {
            *sealed = Some(sealed::of_signature(seal, Dialect::OpenaiResponses));
        }
    }

    /// Writes the seal on a call. A call has no place for it, but clients send reasoning back, so it precedes the call
    /// as an item of its own.
    fn seal_call(&mut self, id: &str, seal: Seal, out: &mut Vec<u8>) {
        self.held += ITEM_BYTES + seal.text.len();
        let place = self.output.len();
        let sealed = sealed::of_call(id, seal, Dialect::OpenaiResponses);
        let item = reasoning(&self.context, place, "", Some(sealed));
        self.output.push(item.clone());
        for name in ["response.output_item.added", "response.output_item.done"] {
            self.emit(name, json!({ "output_index": place, "item": item }), out);
        }
    }

    fn end_open(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            self.end(open, out);
        }
    }

    fn end(&mut self, open: OpenItem, out: &mut Vec<u8>) {
        let OpenItem { place, kind, text } = open;
        let item = match kind {
            Kind::Text => {
                let data = json!({ "content_index": 0, "text": text, "logprobs": [] });
                self.emit_in(place, "msg", "response.output_text.done", data, out);
                self.end_message(place, text_part(&text), out)
            }
            Kind::Refusal => {
                let data = json!({ "content_index": 0, "refusal": text });
                self.emit_in(place, "msg", "response.refusal.done", data, out);
                self.end_message(place, refusal_part(&text), out)
            }
            Kind::Reasoning { sealed } => {
                if !text.is_empty() {
                    let data = json!({ "summary_index": 0, "text": text });
                    self.emit_in(place, "rs", "response.reasoning_summary_text.done", data, out);
                    let data = json!({ "summary_index": 0, "part": summary_part(&text) });
                    self.emit_in(place, "rs", "response.reasoning_summary_part.done", data, out);
                }
                reasoning(&self.context, place, &text, Some(sealed_or_not(sealed)))
            }
            Kind::Picture { data } => picture(&self.context, place, "completed", Some(data)),
            Kind::Call { id, name, freeform } => {
                let arguments = if text.is_empty() { "{}" } else { &text };
                self.end_call(place, &name, freeform, arguments, out);
                tool_call(&self.context, place, "completed", &id, &name, arguments)
            }
        };
        self.emit("response.output_item.done", json!({ "output_index": place, "item": item }), out);
        if let Some(kept) = self.output.get_mut(place) {
            *kept = item;
        }
    }

    fn end_message(&mut self, place: usize, part: Value, out: &mut Vec<u8>) -> Value {
        self.emit_in(place, "msg", "response.content_part.done", json!({ "content_index": 0, "part": part }), out);
        message(&self.context, place, "completed", vec![part])
    }

    fn end_call(&mut self, place: usize, name: &str, freeform: bool, arguments: &str, out: &mut Vec<u8>) {
        if freeform {
            let input = tools::freeform_input(arguments);
            self.emit_in(place, "ctc", "response.custom_tool_call_input.delta", json!({ "delta": input }), out);
            self.emit_in(place, "ctc", "response.custom_tool_call_input.done", json!({ "input": input }), out);
        } else {
            let name = alias_of(&self.context, name).map_or(name, |alias| &alias.name);
            let data = json!({ "name": name, "arguments": arguments });
            self.emit_in(place, "fc", "response.function_call_arguments.done", data, out);
        }
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.start(None, out);
        self.end_open(out);
        let mut response = self.response.take().unwrap_or_default();
        let output = std::mem::take(&mut self.output);
        let status = finish(&mut response, self.finish.as_ref(), output, usage::write(&self.usage));
        self.emit(&format!("response.{status}"), json!({ "response": response }), out);
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
        self.emit("response.failed", json!({ "response": response }), out);
    }

    /// An event about the item at `place`.
    fn emit_in(&mut self, place: usize, kind: &str, name: &str, mut data: Value, out: &mut Vec<u8>) {
        if let Some(members) = data.as_object_mut() {
            members.insert("item_id".into(), item_id(kind, &self.context, place).into());
            members.insert("output_index".into(), place.into());
        }
        self.emit(name, data, out);
    }

    fn emit(&mut self, name: &str, data: Value, out: &mut Vec<u8>) {
        let mut event = Object::new();
        event.insert("type".into(), name.into());
        event.insert("sequence_number".into(), self.sequence.into());
        if let Value::Object(members) = data {
            event.extend(members);
        }
        self.sequence += 1;
        out.extend_from_slice(format!("event: {name}\ndata: {}\n\n", Value::Object(event)).as_bytes());
    }
}
