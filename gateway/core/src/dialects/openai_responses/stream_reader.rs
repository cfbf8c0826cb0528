//! Reads a Responses stream. <https://platform.openai.com/docs/api-reference/responses-streaming>
//!
//! Text comes twice: in pieces, and whole at the end of each part, item and response. The pieces count; the whole is
//! only read if no piece came, as from providers that only send the last events.

mod items;

use serde_json::Value;

use super::{error, facts, finish};
use crate::dialect::Dialect;
use crate::dialects::room::ReadStream;
use crate::neutral::json::text;
use crate::neutral::{Event, Finish, PartKind};

use items::{ItemKind, ItemLocation, Items};

/// Reads a stream of this dialect.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    started: bool,
    over: bool,
    items: Items,
}

impl ReadStream for StreamReader {
    fn feed(&mut self, name: &str, data: Value) -> Vec<Event> {
        let mut out = Vec::new();
        if self.over || !data.is_object() {
            return out;
        }
        let kind = text(&data, "type").unwrap_or(name).to_owned();
        if !self.started {
            self.started = true;
            let words = |name: &str| data.get("response").and_then(|response| text(response, name)).map(str::to_owned);
            out.push(Event::Start { id: words("id"), model: words("model") });
        }
        self.read(&kind, data, &mut out);
        out
    }

    /// The end marker. This dialect has none, but some servers end with it and with nothing else.
    fn end_mark(&mut self) -> Vec<Event> {
        let mut out = Vec::new();
        if !self.over && self.items.have_parts() {
            self.finish(Value::Null, &mut out);
        }
        out
    }

    /// Ends the stream. Without its last event it was cut off.
    fn end(&mut self) -> Vec<Event> {
        Vec::new()
    }
}

impl StreamReader {
    fn read(&mut self, kind: &str, mut data: Value, out: &mut Vec<Event>) {
        let status = data.pointer("/response/status").and_then(Value::as_str);
        match kind {
            "error" | "response.failed" => self.fail(&data, out),
            "response.done" if status == Some("failed") => self.fail(&data, out),
            kind if facts::is_last(kind) => {
                self.finish(data.get_mut("response").map(Value::take).unwrap_or_default(), out);
            }
            "response.output_item.added" => {
                if let Some(item) = data.get("item") {
                    self.items.added(&ItemLocation::of(&data), item, out);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = data.get_mut("item").map(Value::take) {
                    self.items.done(&ItemLocation::of(&data), item, out);
                }
            }
            _ => self.read_part(kind, &data, out),
        }
    }

    /// A piece of a part, or all of it at its end.
    fn read_part(&mut self, kind: &str, data: &Value, out: &mut Vec<Event>) {
        let location = ItemLocation::of(data);
        let member = |name: &str| text(data, name).unwrap_or_default();
        let part = data.get("part").unwrap_or(&Value::Null);
        let in_part = |name: &str| text(part, name).unwrap_or_default();
        match kind {
            "response.output_text.delta" => self.items.words(&location, &PartKind::Text, member("delta"), false, out),
            "response.output_text.done" => self.items.words(&location, &PartKind::Text, member("text"), true, out),
            "response.refusal.delta" => self.items.words(&location, &PartKind::Refusal, member("delta"), false, out),
            "response.refusal.done" => self.items.words(&location, &PartKind::Refusal, member("refusal"), true, out),
            "response.content_part.done" => match text(part, "type") {
                Some("output_text") => self.items.words(&location, &PartKind::Text, in_part("text"), true, out),
                Some("refusal") => self.items.words(&location, &PartKind::Refusal, in_part("refusal"), true, out),
                Some("reasoning_text") => self.items.reasoning(&location, in_part("text"), true, out),
                _ => {}
            },
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.items.reasoning(&location, member("delta"), false, out);
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                self.items.reasoning(&location, member("text"), true, out);
            }
            "response.reasoning_summary_part.done" => self.items.reasoning(&location, in_part("text"), true, out),
            "response.function_call_arguments.delta" => {
                self.items.arguments(&location, member("delta"), "", false, out)
            }
            "response.function_call_arguments.done" => {
                self.items.arguments(&location, member("arguments"), member("name"), true, out);
            }
            _ => {}
        }
    }

    fn fail(&mut self, data: &Value, out: &mut Vec<Event>) {
        self.over = true;
        out.push(Event::Error(error::read_event(data)));
    }

    fn finish(&mut self, mut response: Value, out: &mut Vec<Event>) {
        self.over = true;
        if let Some(Value::Array(output)) = response.get_mut("output").map(Value::take) {
            let mut places = [0_usize; ItemKind::COUNT];
            for (place, item) in (0..).zip(output) {
                self.items.repeated(place, &mut places, item, out);
            }
        }
        let calls_tools = self.items.end_all(out);
        let well = if calls_tools { Finish::ToolCalls } else { Finish::Stop };
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
