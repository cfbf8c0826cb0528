//! Reads a Responses stream. <https://platform.openai.com/docs/api-reference/responses-streaming>
//!
//! Words come twice, piece by piece and whole at the end of each part, item and response. The pieces count; the whole
//! is read only where no piece came, as from providers that send the last events alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{answer, error, finish};
use crate::dialect::Dialect;
use crate::dialects::room::ReadStream;
use crate::neutral::events::ServerEvent;
use crate::neutral::{Event, Finish, Part, PartKind, ReasoningPart, ToolCall};

/// Reads a stream of this dialect.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    started: bool,
    over: bool,
    calls_tools: bool,
    /// How many parts have begun.
    parts: usize,
    /// Parts that have begun and not ended, by their item and their place in it.
    open: BTreeMap<(u64, u64), Open>,
}

#[derive(Debug)]
struct Open {
    part: usize,
    filled: bool,
    /// Which piece of a summary of reasoning came last.
    summary: u64,
}

/// Which of an item's parts an event is about.
#[derive(Debug, Clone, Copy)]
struct Place {
    item: u64,
    content: u64,
}

impl ReadStream for StreamReader {
    fn feed(&mut self, event: &ServerEvent) -> Vec<Event> {
        let mut out = Vec::new();
        let Ok(data) = serde_json::from_slice::<Value>(&event.data) else { return out };
        if self.over || !data.is_object() {
            return out;
        }
        let kind = text(&data, "type").unwrap_or(&event.name).to_owned();
        if !self.started {
            self.started = true;
            let words = |name: &str| data.get("response").and_then(|response| text(response, name)).map(str::to_owned);
            out.push(Event::Start { id: words("id"), model: words("model") });
        }
        self.read(&kind, data, &mut out);
        out
    }

    /// The stream has ended. Without its last event it was cut.
    fn end(&mut self) -> Vec<Event> {
        Vec::new()
    }
}

impl StreamReader {
    fn read(&mut self, kind: &str, mut data: Value, out: &mut Vec<Event>) {
        let place = Place { item: count(&data, "output_index"), content: count(&data, "content_index") };
        match kind {
            "response.output_item.added" => {
                if let Some(item) = data.get("item") {
                    self.item_added(place, item, out);
                }
            }
            "response.output_text.delta" => self.delta(place, &PartKind::Text, &data, out),
            "response.refusal.delta" => self.delta(place, &PartKind::Refusal, &data, out),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.reasoning_delta(place, &data, out);
            }
            "response.function_call_arguments.delta" => {
                if let Some(delta) = text(&data, "delta") {
                    self.fill((place.item, 0), delta, out);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = data.get_mut("item").map(Value::take) {
                    self.item_done(place.item, item, out);
                }
            }
            "response.done" if data.pointer("/response/status").is_some_and(|status| status == "failed") => {
                self.over = true;
                out.push(Event::Error(error::read_event(&data)));
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                self.finish(data.get_mut("response").map(Value::take).unwrap_or_default(), out);
            }
            "response.failed" | "error" => {
                self.over = true;
                out.push(Event::Error(error::read_event(&data)));
            }
            _ => {}
        }
    }

    fn item_added(&mut self, place: Place, item: &Value, out: &mut Vec<Event>) {
        if let Some("function_call" | "custom_tool_call") = text(item, "type") {
            let id = text(item, "call_id").or_else(|| text(item, "id")).unwrap_or_default().to_owned();
            let name = text(item, "name").unwrap_or_default().to_owned();
            self.begin((place.item, 0), PartKind::ToolCall { id, name }, out);
        }
    }

    fn begin(&mut self, key: (u64, u64), kind: PartKind, out: &mut Vec<Event>) {
        if self.open.contains_key(&key) {
            return;
        }
        self.calls_tools |= matches!(kind, PartKind::ToolCall { .. });
        let part = self.parts;
        self.parts += 1;
        self.open.insert(key, Open { part, filled: false, summary: 0 });
        out.push(Event::Begin { part, choice: 0, kind });
    }

    fn fill(&mut self, key: (u64, u64), delta: &str, out: &mut Vec<Event>) {
        let Some(open) = self.open.get_mut(&key).filter(|_| !delta.is_empty()) else { return };
        open.filled = true;
        out.push(Event::Delta { part: open.part, text: delta.to_owned() });
    }

    fn delta(&mut self, place: Place, kind: &PartKind, data: &Value, out: &mut Vec<Event>) {
        let Some(delta) = text(data, "delta").filter(|delta| !delta.is_empty()) else { return };
        let key = (place.item, place.content);
        self.begin(key, kind.clone(), out);
        self.fill(key, delta, out);
    }

    /// The pieces of a summary are one piece of reasoning, with a blank line between them.
    fn reasoning_delta(&mut self, place: Place, data: &Value, out: &mut Vec<Event>) {
        let Some(delta) = text(data, "delta").filter(|delta| !delta.is_empty()) else { return };
        let key = (place.item, 0);
        self.begin(key, PartKind::Reasoning { sealed: None }, out);
        let summary = count(data, "summary_index").max(place.content);
        let is_next = self.open.get_mut(&key).is_some_and(|open| {
            let is_next = open.filled && open.summary != summary;
            open.summary = summary;
            is_next
        });
        if is_next {
            self.fill(key, "\n\n", out);
        }
        self.fill(key, delta, out);
    }

    fn item_done(&mut self, item_index: u64, item: Value, out: &mut Vec<Event>) {
        let mut parts = Vec::new();
        let is_freeform = text(&item, "type") == Some("custom_tool_call");
        answer::read_item(item, &mut parts);
        for (index, part) in parts.into_iter().enumerate() {
            // The seal of reasoning stands alone behind it, whatever its place.
            let sealed = matches!(&part, Part::Reasoning(ReasoningPart { sealed: Some(_), .. }));
            let index = if sealed { u64::MAX } else { u64::try_from(index).unwrap_or(u64::MAX) };
            let key = (item_index, index);
            let (kind, text) = match part {
                Part::Text(text) => (PartKind::Text, text),
                Part::Refusal(text) => (PartKind::Refusal, text),
                Part::Reasoning(ReasoningPart { text, sealed, .. }) => (PartKind::Reasoning { sealed }, text),
                Part::ToolCall(ToolCall { id, name, arguments, .. }) => (PartKind::ToolCall { id, name }, arguments),
                _ => continue,
            };
            if sealed {
                self.close(item_index, out);
            }
            self.begin(key, kind, out);
            if is_freeform || self.open.get(&key).is_some_and(|open| !open.filled) {
                self.fill(key, &text, out);
            }
        }
        self.close(item_index, out);
    }

    fn close(&mut self, item: u64, out: &mut Vec<Event>) {
        let keys: Vec<(u64, u64)> = self.open.range((item, 0)..=(item, u64::MAX)).map(|(key, _)| *key).collect();
        for open in keys.iter().filter_map(|key| self.open.remove(key)) {
            out.push(Event::End { part: open.part });
        }
    }

    fn finish(&mut self, mut response: Value, out: &mut Vec<Event>) {
        self.over = true;
        if self.parts == 0
            && let Some(Value::Array(output)) = response.get_mut("output").map(Value::take)
        {
            for (index, item) in (0..).zip(output) {
                self.item_done(index, item, out);
            }
        }
        for open in std::mem::take(&mut self.open).into_values() {
            out.push(Event::End { part: open.part });
        }
        let well = if self.calls_tools { Finish::ToolCalls } else { Finish::Stop };
        out.push(Event::Finish { choice: 0, finish: finish::read(&response).unwrap_or(well) });
        out.extend(
            response
                .get("usage")
                .filter(|usage| usage.is_object())
                .map(|usage| Event::Usage(Dialect::OpenaiResponses.usage(usage))),
        );
        out.push(Event::Done);
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn count(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}
