//! Writes a stream: <https://platform.openai.com/docs/api-reference/chat/streaming>.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{answer, calls, error, finish, reasoning, usage};
use crate::dialects::room::WriteStream;
use crate::neutral::json::{self, from_members};
use crate::neutral::{AnswerContext, Event, Media, PartKind};
use crate::usage::Usage;

/// Writes a stream of this dialect.
#[derive(Debug)]
pub(super) struct StreamWriter {
    context: AnswerContext,
    id: String,
    choices: HashMap<usize, ChoiceState>,
    parts: HashMap<usize, PartState>,
    usage: Usage,
}

/// What was written of a choice.
#[derive(Debug, Default)]
struct ChoiceState {
    has_role: bool,
    calls: usize,
    seals: usize,
}

/// A part that has begun.
#[derive(Debug, Clone, Copy)]
struct PartState {
    choice: usize,
    kind: Kind,
    is_empty: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Refusal,
    Reasoning,
    /// With its index among the choice's calls.
    Call(usize),
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, .. } => {
                self.id = id.unwrap_or_else(|| std::mem::take(&mut self.id));
                self.ensure_role(0, out);
            }
            Event::Begin { part, choice, kind } => {
                self.ensure_role(choice, out);
                self.begin(part, choice, kind, out);
            }
            Event::Delta { part, text } => {
                let Some(state) = self.parts.get_mut(&part) else { return };
                state.is_empty = false;
                let state = *state;
                let delta = match state.kind {
                    Kind::Text => from_members([("content", text.into())]),
                    Kind::Refusal => from_members([("refusal", text.into())]),
                    Kind::Reasoning => from_members([("reasoning_content", text.into())]),
                    Kind::Call(index) => self.call(index, json!({ "function": { "arguments": text } })),
                };
                self.delta(state.choice, delta, out);
            }
            Event::Signature { part, signature } => {
                let Some(state) = self.parts.get(&part).copied() else { return };
                let delta = match state.kind {
                    Kind::Call(_) if self.context.legacy_functions => return,
                    Kind::Call(index) => {
                        // Clients read `function` in every piece of a call: OpenAI's Python SDK and the AI SDK fail
                        // where there is none.
                        let seal = calls::write_signature(signature);
                        self.call(index, json!({ "function": { "arguments": "" }, "extra_content": seal }))
                    }
                    _ => {
                        let detail = reasoning::write_signature(signature, None, self.next_seal(state.choice));
                        json!({ "reasoning_details": [detail] })
                    }
                };
                self.delta(state.choice, delta, out);
            }
            Event::End { part } => self.end(part, out),
            Event::Finish { choice, finish } => {
                self.ensure_role(choice, out);
                let reason = finish::write(&finish, self.context.legacy_functions);
                self.chunk(json!([{ "index": choice, "delta": {}, "finish_reason": reason }]), None, out);
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Error(error) => out.extend(error::event(&error::write(&error, &self.context.id), &self.context.id)),
            Event::Done => {
                if self.context.include_usage {
                    let usage = usage::write(&self.usage);
                    self.chunk(json!([]), Some(usage), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
    }
}

impl StreamWriter {
    pub(super) fn new(context: &AnswerContext) -> Self {
        StreamWriter {
            id: context.id.clone(),
            context: context.clone(),
            choices: HashMap::new(),
            parts: HashMap::new(),
            usage: Usage::default(),
        }
    }

    fn begin(&mut self, part: usize, choice: usize, kind: PartKind, out: &mut Vec<u8>) {
        let kind = match kind {
            PartKind::Text => Kind::Text,
            PartKind::Refusal => Kind::Refusal,
            PartKind::Reasoning { sealed } => {
                if let Some(sealed) = sealed {
                    let detail = reasoning::write_sealed(sealed, self.next_seal(choice));
                    self.delta(choice, json!({ "reasoning_details": [detail] }), out);
                }
                Kind::Reasoning
            }
            PartKind::Image { media_type, data } => {
                let images = Value::Array(vec![answer::write_picture(Media::Base64 { media_type, data })]);
                return self.delta(choice, from_members([("images", images)]), out);
            }
            PartKind::ToolCall { id, name } => {
                let state = self.choices.entry(choice).or_default();
                let index = state.calls;
                state.calls += 1;
                let function = json!({ "name": name, "arguments": "" });
                let delta = self.call(index, json!({ "id": id, "type": "function", "function": function }));
                self.delta(choice, delta, out);
                Kind::Call(index)
            }
        };
        self.parts.insert(part, PartState { choice, kind, is_empty: true });
    }

    /// Clients parse a call's arguments: where the model wrote none, they are an empty object.
    fn end(&mut self, part: usize, out: &mut Vec<u8>) {
        if let Some(PartState { choice, kind: Kind::Call(index), is_empty: true }) = self.parts.remove(&part) {
            let delta = self.call(index, json!({ "function": { "arguments": "{}" } }));
            self.delta(choice, delta, out);
        }
    }

    fn next_seal(&mut self, choice: usize) -> usize {
        let state = self.choices.entry(choice).or_default();
        state.seals += 1;
        state.seals - 1
    }

    /// A delta of a call, in the form the client reads. The old form has room for one call only: others are left out.
    fn call(&self, index: usize, mut call: Value) -> Value {
        if self.context.legacy_functions {
            let function = call.get_mut("function").map(Value::take).unwrap_or_default();
            return if index == 0 { json!({ "function_call": function }) } else { json!({}) };
        }
        let mut indexed = from_members([("index", index.into())]);
        if let (Some(indexed), Value::Object(call)) = (indexed.as_object_mut(), call) {
            indexed.extend(call);
        }
        json!({ "tool_calls": [indexed] })
    }

    /// The first delta of a choice has to carry the role: openai-node's stream helpers throw without it.
    fn ensure_role(&mut self, choice: usize, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.choices.entry(choice).or_default().has_role, true) {
            self.delta(choice, json!({ "role": "assistant", "content": "" }), out);
        }
    }

    fn delta(&self, choice: usize, delta: Value, out: &mut Vec<u8>) {
        let choice = from_members([("index", choice.into()), ("delta", delta), ("finish_reason", Value::Null)]);
        self.chunk(Value::Array(vec![choice]), None, out);
    }

    fn chunk(&self, choices: Value, usage: Option<Value>, out: &mut Vec<u8>) {
        let mut chunk = from_members([
            ("id", self.id.as_str().into()),
            ("object", "chat.completion.chunk".into()),
            ("created", self.context.created_s.into()),
            ("model", self.context.model.as_str().into()),
            ("choices", choices),
        ]);
        if self.context.include_usage {
            chunk["usage"] = usage.unwrap_or_default();
        }
        event_of(&chunk, out);
    }
}

fn event_of(data: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    json::append(out, data);
    out.extend_from_slice(b"\n\n");
}
