//! Writes a streamed answer as a whole for callers that asked for one, since some providers answer every call with
//! events.

use crate::dialect::Dialect;
use crate::dialects::room::WriteStream;
use crate::neutral::gathered::Gathered;
use crate::neutral::json;
use crate::neutral::{AnswerContext, Event};

/// Collects events, and writes the answer when all of them have come.
#[derive(Debug)]
pub(super) struct WholeWriter {
    to: Dialect,
    context: AnswerContext,
    gathered: Gathered,
}

impl WholeWriter {
    pub(super) fn new(to: Dialect, context: AnswerContext) -> Self {
        WholeWriter { to, context, gathered: Gathered::default() }
    }
}

impl WriteStream for WholeWriter {
    fn write(&mut self, event: Event, out: &mut Vec<u8>) {
        if event != Event::Done {
            return self.gathered.take(event);
        }
        let mut answer = std::mem::take(&mut self.gathered).into_answer();
        super::name_model(&mut self.context, answer.model.take());
        json::append(out, &(self.to.room().write_answer)(answer, &self.context));
    }

    fn held(&self) -> usize {
        self.gathered.held()
    }
}
