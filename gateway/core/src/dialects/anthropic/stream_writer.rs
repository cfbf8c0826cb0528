//! Writes a stream: <https://platform.claude.com/docs/en/build-with-claude/streaming>.
//!
//! Blocks never overlap and their indexes have no gap, which Anthropic's own SDKs rely on.

use serde_json::{Value, json};

use super::{error, finish, seals, usage};
use crate::dialect::Dialect;
use crate::dialects::room::WriteStream;
use crate::neutral::json::{self, from_members};
use crate::neutral::sequence::Sequence;
use crate::neutral::{AnswerContext, Event, Finish, Media, PartKind, UNSIGNED};
use crate::usage::Usage;

/// Writes a stream of this dialect.
#[derive(Debug)]
pub(super) struct StreamWriter {
    context: AnswerContext,
    sequence: Sequence,
    has_started: bool,
    /// The number of blocks so far; the last one is open or ended.
    blocks: usize,
    /// The name of the delta and of its member for the open block; absent if the block has no deltas.
    delta: Option<(&'static str, &'static str)>,
    is_open: bool,
    /// A call that has begun, until it is known whether it has a seal, which must precede it.
    held: Option<Value>,
    refused: bool,
    finish: Option<Finish>,
    usage: Usage,
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        for event in self.sequence.feed(event) {
            self.write_next(event, out);
        }
    }

    fn held(&self) -> usize {
        self.sequence.held()
    }
}

impl StreamWriter {
    pub(super) fn new(context: &AnswerContext) -> Self {
        StreamWriter {
            context: context.clone(),
            sequence: Sequence::default(),
            has_started: false,
            blocks: 0,
            delta: None,
            is_open: false,
            held: None,
            refused: false,
            finish: None,
            usage: Usage::default(),
        }
    }

    fn write_next(&mut self, event: Event, out: &mut Vec<u8>) {
        if let Some(call) = self.held.take() {
            if let Event::Signature { signature, .. } = event {
                self.block(&seals::write(signature), out);
                self.end(out);
                return self.begin_call(&call, out);
            }
            self.begin_call(&call, out);
        }
        match event {
            Event::Start { id, .. } => self.start(id, out),
            // There is one choice: a request for more is refused.
            Event::Begin { choice: 0, kind, .. } => self.begin(kind, out),
            Event::Begin { .. } => self.delta = None,
            Event::Delta { text, .. } => {
                if let Some((kind, member)) = self.delta {
                    self.block_delta(from_members([("type", kind.into()), (member, text.into())]), out);
                }
            }
            Event::Signature { signature, .. } => {
                if self.delta.is_some_and(|(kind, _)| kind == "thinking_delta") {
                    self.sign(&signature.for_client(Dialect::Anthropic), out);
                }
            }
            Event::End { .. } => self.end(out),
            Event::Finish { choice: 0, finish } => self.finish = Some(finish),
            Event::Finish { .. } => {}
            Event::Usage(usage) => self.usage.update(usage),
            Event::Error(error) => out.extend(error::event(&error::write(&error, &self.context.id), &self.context.id)),
            Event::Done => self.done(out),
        }
    }

    fn start(&mut self, id: Option<String>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let message = json!({
            "id": id.as_ref().unwrap_or(&self.context.id),
            "type": "message",
            "role": "assistant",
            "model": self.context.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage::write(&self.usage),
        });
        event_of(&json!({ "type": "message_start", "message": message }), out);
    }

    fn begin(&mut self, kind: PartKind, out: &mut Vec<u8>) {
        self.start(None, out);
        let block = match kind {
            PartKind::Text | PartKind::Refusal => {
                self.refused |= kind == PartKind::Refusal;
                self.delta = Some(("text_delta", "text"));
                json!({ "type": "text", "text": "" })
            }
            PartKind::Reasoning { sealed: Some(sealed) } => {
                self.delta = None;
                json!({ "type": "redacted_thinking", "data": sealed.for_client(Dialect::Anthropic) })
            }
            PartKind::Reasoning { sealed: None } => {
                self.delta = Some(("thinking_delta", "thinking"));
                json!({ "type": "thinking", "thinking": "", "signature": "" })
            }
            PartKind::Image { media_type, data } => {
                let media = Media::Base64 { media_type, data };
                self.block(&json!({ "type": "text", "text": "" }), out);
                return self.block_delta(json!({ "type": "text_delta", "text": media.in_words() }), out);
            }
            PartKind::ToolCall { id, name } => {
                self.held = Some(json!({ "type": "tool_use", "id": id, "name": name, "input": {} }));
                return;
            }
        };
        self.block(&block, out);
    }

    fn begin_call(&mut self, call: &Value, out: &mut Vec<u8>) {
        self.delta = Some(("input_json_delta", "partial_json"));
        self.block(call, out);
    }

    fn block(&mut self, block: &Value, out: &mut Vec<u8>) {
        event_of(&json!({ "type": "content_block_start", "index": self.blocks, "content_block": block }), out);
        self.blocks += 1;
        self.is_open = true;
    }

    /// Signs the open reasoning. Only its end may follow.
    fn sign(&mut self, signature: &str, out: &mut Vec<u8>) {
        self.block_delta(json!({ "type": "signature_delta", "signature": signature }), out);
        self.delta = None;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.delta.is_some_and(|(kind, _)| kind == "thinking_delta") {
            self.sign(UNSIGNED, out);
        }
        self.delta = None;
        if std::mem::replace(&mut self.is_open, false) {
            let index = self.blocks.saturating_sub(1);
            event_of(&json!({ "type": "content_block_stop", "index": index }), out);
        }
    }

    fn block_delta(&self, delta: Value, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        event_of(
            &from_members([("type", "content_block_delta".into()), ("index", index.into()), ("delta", delta)]),
            out,
        );
    }

    fn done(&mut self, out: &mut Vec<u8>) {
        self.start(None, out);
        let (reason, sequence) = finish::write(self.finish.take().unwrap_or(Finish::Stop), self.refused);
        let delta = json!({ "stop_reason": reason, "stop_sequence": sequence });
        event_of(&json!({ "type": "message_delta", "delta": delta, "usage": usage::write(&self.usage) }), out);
        event_of(&json!({ "type": "message_stop" }), out);
    }
}

/// An event with its name. Anthropic's SDKs ignore events without one.
fn event_of(data: &Value, out: &mut Vec<u8>) {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    out.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
    json::append(out, data);
    out.extend_from_slice(b"\n\n");
}
