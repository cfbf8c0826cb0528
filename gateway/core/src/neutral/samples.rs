//! Conversations for tests, in a line each.

use super::orphans::NO_RESULT;
use super::{Message, Part, Role, ToolCall, ToolResult};

/// `A` speaks as the assistant, `U` as the user and `S` as the system: `+x` calls, `-x` answers, `!x` says that there is no
/// answer, `?x` is an answer without its call, other words are text.
pub(super) fn conversation(sketch: &str) -> Vec<Message> {
    let message = |sketch: &str| {
        let role = match sketch.get(..1) {
            Some("A") => Role::Assistant,
            Some("S") => Role::System,
            _ => Role::User,
        };
        let result = |id: &str, text: &str, is_error: bool| {
            let parts = vec![Part::Text(text.to_owned())];
            Part::ToolResult(ToolResult { id: id.to_owned(), name: Some(id.to_owned()), parts, is_error })
        };
        let parts = sketch.split(' ').skip(1).map(|word| match word.split_at(1) {
            ("+", id) => Part::ToolCall(ToolCall { id: id.to_owned(), name: id.to_owned(), ..ToolCall::default() }),
            ("-", id) => result(id, "done", false),
            ("!", id) => result(id, NO_RESULT, true),
            ("?", id) => Part::Text(format!("The result of an earlier call of the tool {id}:\ndone")),
            _ => Part::Text(word.to_owned()),
        });
        Message { role, parts: parts.collect() }
    };
    sketch.split(", ").map(message).collect()
}
