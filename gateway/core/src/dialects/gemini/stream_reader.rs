//! Reads a Gemini stream, whose chunks have the form of a whole answer and contain what is new.
//! <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>
//!
//! There is no end marker. An answer is complete when each candidate has given a finish reason and the stream has
//! ended. Some servers give the reason with every chunk, or with the first; it only counts at the end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::read_part;
use super::{error, finish};
use crate::dialect::Dialect;
use crate::dialects::room::ReadStream;
use crate::neutral::members::Members;
use crate::neutral::{ApiError, Event, Finish, Media, Part, PartKind, Seal};

/// The most candidates, more than Google gives.
const CHOICES_MAX: usize = 128;

/// Reads a stream of this dialect.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    started: bool,
    over: bool,
    /// How many parts have begun.
    parts: usize,
    choices: BTreeMap<usize, Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    /// The open part, which continues if the next chunk has more of its kind.
    open: Option<OpenPart>,
    has_words: bool,
    calls_tools: bool,
    /// The finish reason, which holds if nothing more comes.
    finish: Option<Finish>,
}

#[derive(Debug, Clone, Copy)]
struct OpenPart {
    part: usize,
    is_reasoning: bool,
}

impl ReadStream for StreamReader {
    fn feed(&mut self, _name: &str, data: Value) -> Vec<Event> {
        let mut out = Vec::new();
        self.read(data, &mut out);
        out
    }

    /// The stream has ended.
    fn end(&mut self) -> Vec<Event> {
        let complete = !self.choices.is_empty() && self.choices.values().all(|choice| choice.finish.is_some());
        if self.over || !complete {
            return Vec::new();
        }
        self.over = true;
        let mut out = Vec::new();
        for (index, choice) in std::mem::take(&mut self.choices) {
            out.extend(choice.open.map(|open| Event::End { part: open.part }));
            out.extend(choice.finish.map(|finish| Event::Finish { choice: index, finish }));
        }
        out.push(Event::Done);
        out
    }
}

impl StreamReader {
    /// Reads the next chunk.
    pub(super) fn read(&mut self, chunk: Value, out: &mut Vec<Event>) {
        if self.over || !chunk.is_object() {
            return;
        }
        if let Some(fault) = error::read(&chunk) {
            return self.fail(fault, out);
        }
        let usage = chunk.get("usageMetadata").map(|usage| Dialect::Gemini.usage(usage));
        let blocked = chunk.pointer("/promptFeedback/blockReason").is_some();
        let mut chunk = Members::of(chunk);
        if !self.started {
            self.started = true;
            out.push(Event::Start { id: chunk.text("responseId"), model: chunk.text("modelVersion") });
        }
        for candidate in chunk.list("candidates") {
            self.candidate(Members::of(candidate), out);
        }
        if blocked && self.choices.is_empty() {
            self.choices.entry(0).or_default().finish = Some(Finish::Filtered);
        }
        out.extend(usage.map(Event::Usage));
    }

    fn candidate(&mut self, mut candidate: Members, out: &mut Vec<Event>) {
        let index = candidate.count("index").and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
        if index >= CHOICES_MAX || self.over {
            return;
        }
        for part in candidate.object("content").list("parts") {
            let mut parts = Vec::new();
            read_part(part, &mut parts);
            for part in parts {
                self.part(index, part, out);
            }
        }
        let Some(reason) = candidate.text("finishReason").filter(|reason| reason != "FINISH_REASON_UNSPECIFIED") else {
            return;
        };
        let choice = self.choices.entry(index).or_default();
        if finish::is_none(&reason, choice.has_words, choice.calls_tools) {
            let finish_message = candidate.text("finishMessage");
            let message =
                finish_message.unwrap_or_else(|| format!("The model's call of a tool cannot be read ({reason})."));
            return self.fail(ApiError::bad_gateway(message), out);
        }
        choice.finish = Some(finish::read(&reason, choice.calls_tools));
    }

    fn part(&mut self, index: usize, part: Part, out: &mut Vec<Event>) {
        match part {
            Part::Text(text) => drop(self.words(index, false, text, out)),
            Part::Reasoning(reasoning) => {
                let part = self.words(index, true, reasoning.text, out);
                if let Some(signature) = reasoning.signature {
                    out.push(Event::Signature { part, signature });
                    self.close(index, out);
                }
            }
            Part::ToolCall(call) => {
                self.close(index, out);
                let kind = PartKind::ToolCall { id: call.id, name: call.name };
                let part = self.begin(index, kind, out);
                self.call(index, part, call.signature, call.arguments, out);
            }
            Part::Image { media: Media::Base64 { media_type, data }, .. } => {
                self.close(index, out);
                let part = self.begin(index, PartKind::Image { media_type, data }, out);
                out.push(Event::End { part });
            }
            _ => {}
        }
    }

    fn call(&mut self, index: usize, part: usize, signature: Option<Seal>, arguments: String, out: &mut Vec<Event>) {
        self.choices.entry(index).or_default().calls_tools = true;
        out.extend(signature.map(|signature| Event::Signature { part, signature }));
        out.push(Event::Delta { part, text: arguments });
        out.push(Event::End { part });
    }

    /// Adds text or reasoning: to the open part if that is of the same kind, or to a new one.
    fn words(&mut self, index: usize, is_reasoning: bool, text: String, out: &mut Vec<Event>) -> usize {
        let open = self.choices.entry(index).or_default().open.filter(|open| open.is_reasoning == is_reasoning);
        let part = if let Some(open) = open {
            open.part
        } else {
            self.close(index, out);
            let kind = if is_reasoning { PartKind::Reasoning { sealed: None } } else { PartKind::Text };
            let part = self.begin(index, kind, out);
            self.choices.entry(index).or_default().open = Some(OpenPart { part, is_reasoning });
            part
        };
        if !text.is_empty() {
            out.push(Event::Delta { part, text });
        }
        part
    }

    fn begin(&mut self, choice: usize, kind: PartKind, out: &mut Vec<Event>) -> usize {
        let part = self.parts;
        self.parts += 1;
        self.choices.entry(choice).or_default().has_words |= matches!(kind, PartKind::Text | PartKind::Image { .. });
        out.push(Event::Begin { part, choice, kind });
        part
    }

    fn close(&mut self, index: usize, out: &mut Vec<Event>) {
        let open = self.choices.entry(index).or_default().open.take();
        out.extend(open.map(|open| Event::End { part: open.part }));
    }

    fn fail(&mut self, error: ApiError, out: &mut Vec<Event>) {
        self.over = true;
        out.push(Event::Error(error));
    }
}
