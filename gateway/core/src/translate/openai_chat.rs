//! OpenAI chat completions, not written yet: every request is refused, nothing is read.

use serde_json::Value;

use super::Told;
use super::events::ServerEvent;
use super::neutral::{Answer, Event, Fault, Request, Untranslatable, Warnings};

const NOT_YET: &str = "Translation of this dialect is not built yet. Use a model whose providers speak your own.";

/// A request of this dialect in the neutral form.
pub(super) fn read_request(_body: Value, _warnings: &mut Warnings) -> Result<Request, Untranslatable> {
    Err(Untranslatable::new("", NOT_YET))
}

/// A request in this dialect.
pub(super) fn write_request(_request: Request, _warnings: &mut Warnings) -> Result<Value, Untranslatable> {
    Err(Untranslatable::new("", NOT_YET))
}

/// A whole answer of this dialect in the neutral form. `None`: it is none.
pub(super) fn read_answer(_body: &[u8]) -> Option<Answer> {
    None
}

/// A whole answer in this dialect.
pub(super) fn write_answer(_answer: Answer, _told: &Told) -> Value {
    Value::Null
}

/// An error of this dialect. `None`: it is none.
pub(super) fn read_fault(_body: &Value) -> Option<Fault> {
    None
}

/// An error in this dialect: the body of an error answer.
pub(super) fn write_fault(_fault: &Fault) -> Value {
    Value::Null
}

/// Reads a stream of this dialect.
#[derive(Debug, Default)]
pub(super) struct StreamReader {}

impl StreamReader {
    /// Takes the next event.
    pub(super) fn feed(&mut self, _event: &ServerEvent) -> Vec<Event> {
        Vec::new()
    }

    /// The stream has ended as it should. `Done` comes here where the dialect has no end marker or it was left out, and
    /// never for an answer without a finish reason, which was cut.
    pub(super) fn end(&mut self) -> Vec<Event> {
        Vec::new()
    }
}

/// Writes a stream of this dialect.
#[derive(Debug)]
pub(super) struct StreamWriter {}

impl StreamWriter {
    pub(super) fn new(_told: &Told) -> Self {
        StreamWriter {}
    }

    /// Appends the bytes of one step.
    pub(super) fn write(&mut self, _event: Event, _out: &mut Vec<u8>) {}
}
