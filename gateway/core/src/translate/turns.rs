//! Puts the turns of a conversation into the order a dialect wants.

use std::collections::HashMap;

use super::neutral::{Message, Part, Request, Role, Warnings};

/// Gives every result of a tool the tool's name, which Gemini asks for and only the call says.
pub(super) fn name_results(request: &mut Request) {
    let mut names: HashMap<String, String> = HashMap::new();
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::ToolCall(call) => drop(names.insert(call.id.clone(), call.name.clone())),
            Part::ToolResult(result) if result.name.is_none() => result.name = names.get(&result.id).cloned(),
            _ => {}
        }
    }
}

/// One message for all that follow one another in the same role, results of tools first: Anthropic and Gemini want the
/// answers to one turn's calls together at the beginning of the next.
pub(super) fn merge(messages: Vec<Message>) -> Vec<Message> {
    let mut merged: Vec<Message> = Vec::new();
    for message in messages {
        match merged.last_mut() {
            Some(last) if last.role == message.role => last.parts.extend(message.parts),
            _ => merged.push(message),
        }
    }
    for message in merged.iter_mut().filter(|message| message.role == Role::User) {
        // A stable sort: results keep their order, and so does everything else.
        message.parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
    }
    merged
}

/// Puts an instruction that stands between calls of tools and their results behind the results: OpenAI refuses a
/// conversation in which anything else follows the calls.
pub(super) fn results_first(mut messages: Vec<Message>) -> Vec<Message> {
    let answers = |message: &Message| message.parts.iter().any(|part| matches!(part, Part::ToolResult(_)));
    for at in 1..messages.len() {
        let (before, rest) = messages.split_at_mut(at);
        if let (Some(before), Some(message)) = (before.last_mut(), rest.first_mut())
            && before.role == Role::System
            && message.role == Role::User
            && answers(message)
        {
            std::mem::swap(before, message);
        }
    }
    messages
}

/// Instructions inside a conversation become words of the user, for dialects that know them before it only.
pub(super) fn system_to_user(messages: &mut [Message], warnings: &mut Warnings) {
    for message in messages.iter_mut().filter(|message| message.role == Role::System) {
        warnings.changed("system message inside the conversation to text of the user");
        message.role = Role::User;
        for part in &mut message.parts {
            if let Part::Text(text) = part {
                *text = format!("<system>\n{text}\n</system>");
            }
        }
    }
}

/// Where the model's current turn begins: behind the last message that is more than results of tools. What the model
/// thought earlier no provider needs.
pub(super) fn current_turn(messages: &[Message]) -> usize {
    let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
    let asks = |message: &Message| message.role != Role::Assistant && !message.parts.iter().all(is_result);
    messages.iter().rposition(asks).map_or(0, |last| last + 1)
}
