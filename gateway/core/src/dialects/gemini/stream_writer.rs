//! Writes a Gemini stream: an event stream of `data:` lines and nothing else, since comments and empty events break
//! Google's clients, or one JSON array if the caller did not ask for `alt=sse`.
//!
//! The arguments of a call are held until they are whole, since Gemini does not split them. Parts follow one another,
//! as in Gemini's own streams.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::answer::{candidate, envelope, function_call, reasoning_part, seal_of_call};
use super::write::{PICTURE, write_media};
use super::{error, finish, usage};
use crate::dialect::Dialect;
use crate::dialects::room::WriteStream;
use crate::memory;
use crate::neutral::json::{self, from_members};
use crate::neutral::sequence::Sequence;
use crate::neutral::{AnswerContext, Event, Finish, Media, PartKind, sealed};
use crate::usage::Usage;

/// Writes a stream of this dialect.
#[derive(Debug)]
pub(super) struct StreamWriter {
    context: AnswerContext,
    /// The id, which is the same in every chunk, since clients take another id for another answer.
    id: Option<String>,
    sequence: Sequence,
    open: Option<OpenPart>,
    finishes: BTreeMap<usize, Finish>,
    usage: Usage,
    /// Alternatives that have called a tool.
    called: BTreeSet<usize>,
    /// Whether anything was written.
    begun: bool,
}

#[derive(Debug)]
struct OpenPart {
    choice: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Words,
    Reasoning,
    Call { id: String, name: String, arguments: String, seal: Option<String> },
}

impl WriteStream for StreamWriter {
    fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        for event in self.sequence.feed(event) {
            self.write_in_order(event, out);
        }
    }

    fn held(&self) -> usize {
        let arguments = match &self.open {
            Some(OpenPart { kind: Kind::Call { arguments, .. }, .. }) => arguments.len(),
            _ => 0,
        };
        arguments + self.sequence.held()
    }
}

impl StreamWriter {
    pub(super) fn new(context: &AnswerContext) -> Self {
        StreamWriter {
            context: context.clone(),
            id: None,
            sequence: Sequence::default(),
            open: None,
            finishes: BTreeMap::new(),
            usage: Usage::default(),
            called: BTreeSet::new(),
            begun: false,
        }
    }

    fn write_in_order(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, .. } => self.id = id,
            Event::Begin { choice, kind, .. } => self.begin(choice, kind, out),
            Event::Delta { text, .. } => self.delta(text, out),
            Event::Signature { signature, .. } => match &mut self.open {
                Some(OpenPart { kind: Kind::Call { seal, .. }, .. }) => {
                    *seal = Some(signature.for_client(Dialect::Gemini))
                }
                Some(OpenPart { kind: Kind::Reasoning, choice }) => {
                    let (choice, seal) = (*choice, sealed::of_signature(signature, Dialect::Gemini));
                    self.chunk(choice, reasoning_part(String::new(), Some(seal)), out);
                }
                _ => {}
            },
            Event::End { .. } => self.end(out),
            Event::Finish { choice, finish } => drop(self.finishes.insert(choice, finish)),
            Event::Usage(usage) => self.usage.update(usage),
            Event::Error(error) => {
                self.emit(&error::write(&error, &self.context.id), out);
                self.close(out);
            }
            Event::Done => self.done(out),
        }
    }

    fn begin(&mut self, choice: usize, kind: PartKind, out: &mut Vec<u8>) {
        let kind = match kind {
            PartKind::Text | PartKind::Refusal => Kind::Words,
            PartKind::Reasoning { sealed } => {
                if let Some(seal) = sealed {
                    let seal = sealed::of_whole(seal, Dialect::Gemini);
                    self.chunk(choice, reasoning_part(String::new(), Some(seal)), out);
                }
                Kind::Reasoning
            }
            // The end of a picture adds nothing.
            PartKind::Image { media_type, data } => {
                let media = Media::Base64 { media_type, data };
                return self.chunk(choice, write_media(media, PICTURE), out);
            }
            PartKind::ToolCall { id, name } => Kind::Call { id, name, arguments: String::new(), seal: None },
        };
        self.open = Some(OpenPart { choice, kind });
    }

    fn delta(&mut self, text: String, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else { return };
        let choice = open.choice;
        match &mut open.kind {
            Kind::Call { arguments, .. } => memory::extend_text(arguments, text),
            Kind::Words => self.chunk(choice, from_members([("text", text.into())]), out),
            Kind::Reasoning => self.chunk(choice, reasoning_part(text, None), out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(OpenPart { choice, kind: Kind::Call { id, name, arguments, seal } }) = self.open.take() {
            let mut is_first = self.called.insert(choice);
            let seal = seal_of_call(seal, &mut is_first);
            self.chunk(choice, function_call(&id, &name, &arguments, seal), out);
        }
    }

    fn chunk(&mut self, choice: usize, part: Value, out: &mut Vec<u8>) {
        let chunk = envelope(&self.context, self.id.as_deref(), vec![candidate(choice, vec![part], None)]);
        self.emit(&chunk.into(), out);
    }

    /// Writes all finish reasons in one last chunk, with the usage. It has an empty text, as Google's own has, because
    /// clients read its parts.
    fn done(&mut self, out: &mut Vec<u8>) {
        self.end(out);
        let mut finishes = std::mem::take(&mut self.finishes);
        if finishes.is_empty() {
            finishes.insert(0, Finish::Stop);
        }
        let empty = || vec![serde_json::json!({ "text": "" })];
        let last = finishes.iter().map(|(choice, finish)| candidate(*choice, empty(), Some(finish::write(finish))));
        let mut chunk = envelope(&self.context, self.id.as_deref(), last.collect());
        if !self.usage.is_unknown() {
            chunk.insert("usageMetadata".into(), usage::write(&self.usage));
        }
        self.emit(&chunk.into(), out);
        self.close(out);
    }

    fn emit(&mut self, chunk: &Value, out: &mut Vec<u8>) {
        let begun = std::mem::replace(&mut self.begun, true);
        let (before, after): (&[u8], &[u8]) = match (self.context.as_array, begun) {
            (false, _) => (b"data: ", b"\n\n"),
            (true, false) => (b"[", b""),
            (true, true) => (b",\r\n", b""),
        };
        out.extend_from_slice(before);
        json::append(out, chunk);
        out.extend_from_slice(after);
    }

    /// Closes the array. An array that was cut off is left open, so that it does not look complete.
    fn close(&mut self, out: &mut Vec<u8>) {
        if self.context.as_array {
            out.extend_from_slice(b"]\r\n");
        }
    }
}
