//! Calls without results and results without calls. Clients that shorten a conversation, or are interrupted, leave them
//! behind, and every provider refuses them.

use std::collections::HashMap;

use super::{Message, Part, Role, ToolResult, Warnings};

/// The result that a call without one gets.
pub(super) const NO_RESULT: &str = "There is no result of this call.";

/// Gives every call a result, and turns every result without a call into text, in a conversation whose results follow
/// their calls (see [`results_behind_calls`](super::turns::results_behind_calls)). What is added depends on nothing
/// that comes later, so that it stays the same at every further turn.
pub(crate) fn mend(messages: &mut Vec<Message>, warnings: &mut Warnings) {
    let mut mended: Vec<Message> = Vec::with_capacity(messages.len());
    let mut open = OpenCalls::default();
    for mut message in std::mem::take(messages) {
        if message.role == Role::User {
            message.parts = open.answer(message.parts, warnings);
        } else {
            open.close(&mut mended, warnings);
        }
        if message.role == Role::Assistant {
            open = OpenCalls::of(&message.parts);
        }
        mended.push(message);
    }
    open.close(&mut mended, warnings);
    *messages = mended;
}

/// The calls of a turn that have no result yet.
#[derive(Default)]
struct OpenCalls {
    /// The id and name of each call, in order.
    calls: Vec<(String, String)>,
    /// How many calls of each id have no result yet.
    unanswered: HashMap<String, usize>,
}

impl OpenCalls {
    fn of(parts: &[Part]) -> Self {
        let mut open = OpenCalls::default();
        for part in parts {
            if let Part::ToolCall(call) = part {
                *open.unanswered.entry(call.id.clone()).or_default() += 1;
                open.calls.push((call.id.clone(), call.name.clone()));
            }
        }
        open
    }

    /// Takes the user's parts. If they contain more than results, no later message can answer the calls.
    fn answer(&mut self, parts: Vec<Part>, warnings: &mut Warnings) -> Vec<Part> {
        let (mut results, mut others) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::ToolResult(result) => match self.unanswered.get_mut(&result.id).filter(|count| **count > 0) {
                    Some(count) => {
                        *count -= 1;
                        results.push(Part::ToolResult(result));
                    }
                    None => {
                        warnings.changed("a tool's result without its call to text");
                        others.extend(in_words(result));
                    }
                },
                part => others.push(part),
            }
        }
        if others.iter().any(|part| !matches!(part, Part::CacheMark(_))) {
            results.extend(self.missing(warnings));
        }
        results.append(&mut others);
        results
    }

    /// Ends the turn, and adds the missing results.
    fn close(&mut self, mended: &mut Vec<Message>, warnings: &mut Warnings) {
        let missing = self.missing(warnings);
        if missing.is_empty() {
            return;
        }
        match mended.last_mut() {
            Some(last) if last.role == Role::User => last.parts.extend(missing),
            _ => mended.push(Message { role: Role::User, parts: missing }),
        }
    }

    /// Results for all calls that have none, in the order of the calls. Of calls with the same id, the first ones count
    /// as answered.
    fn missing(&mut self, warnings: &mut Warnings) -> Vec<Part> {
        let mut missing = Vec::new();
        for (id, name) in std::mem::take(&mut self.calls).into_iter().rev() {
            let Some(count) = self.unanswered.get_mut(&id).filter(|count| **count > 0) else { continue };
            *count -= 1;
            let parts = vec![Part::Text(NO_RESULT.to_owned())];
            missing.push(Part::ToolResult(ToolResult { id, name: Some(name), parts, is_error: true }));
        }
        if !missing.is_empty() {
            warnings.changed("a call without a result to one that says so");
        }
        missing.reverse();
        missing
    }
}

/// A result as text, for a model that does not see the call.
fn in_words(result: ToolResult) -> impl Iterator<Item = Part> {
    let of = result.name.map(|name| format!(" {name}")).unwrap_or_default();
    let how = if result.is_error { "error" } else { "result" };
    let mut words = format!("The {how} of an earlier call of the tool{of}:");
    let mut others = Vec::new();
    for part in result.parts {
        match part {
            Part::Text(text) => {
                words.push('\n');
                words.push_str(&text);
            }
            part => others.push(part),
        }
    }
    [Part::Text(words)].into_iter().chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::samples::conversation;

    #[test]
    fn every_call_has_a_result_and_every_result_a_call() {
        for (came, expected, warnings) in [
            ("U hi, A +a +b, U -b -a, A done", "U hi, A +a +b, U -b -a, A done", 0),
            ("A +a +a, U -a, U -a", "A +a +a, U -a, U -a", 0),
            ("U -a hi, A hello", "U ?a hi, A hello", 1),
            ("A +a, U -b", "A +a, U !a ?b", 2),
            ("A +a, U stop", "A +a, U !a stop", 1),
            ("A +a +b, U -a, U stop", "A +a +b, U -a, U !b stop", 1),
            ("A +a +b, U -b, A next", "A +a +b, U -b !a, A next", 1),
            ("A +a, A next", "A +a, U !a, A next", 1),
            ("A +a, S rule", "A +a, U !a, S rule", 1),
            ("U hi, A +a", "U hi, A +a, U !a", 1),
            ("A +a, U -a -a", "A +a, U -a ?a", 1),
            ("A +a +a, U -a, A +a, U -a", "A +a +a, U -a !a, A +a, U -a", 1),
        ] {
            let (mut messages, mut found) = (conversation(came), Warnings::default());
            mend(&mut messages, &mut found);
            assert_eq!(messages, conversation(expected), "{came}");
            assert_eq!(found.into_list().len(), warnings, "{came}");
        }
    }
}
