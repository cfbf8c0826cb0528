//! Puts the turns of a conversation into the order that a dialect requires.

use std::collections::{BTreeMap, HashMap};

use super::{Message, Part, Request, Role, Warnings};

/// The user's first message in a conversation that begins with the model, for dialects in which the user must begin.
pub(crate) const BEGINNING: &str = "…";

/// Adds the name of the tool to every result. Gemini requires it, and only the call has it.
pub(crate) fn name_results(request: &mut Request) {
    let mut names: HashMap<String, String> = HashMap::new();
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::ToolCall(call) => drop(names.insert(call.id.clone(), call.name.clone())),
            Part::ToolResult(result) if result.name.is_none() => result.name = names.get(&result.id).cloned(),
            _ => {}
        }
    }
}

/// Combines messages of the same role that follow each other, with the results of tools first: Anthropic and Gemini
/// require the results of one turn's calls together at the beginning of the next.
pub(crate) fn merge(messages: Vec<Message>) -> Vec<Message> {
    let mut merged: Vec<Message> = Vec::new();
    for message in messages {
        match merged.last_mut() {
            Some(last) if last.role == message.role => last.parts.extend(message.parts),
            _ => merged.push(message),
        }
    }
    for message in merged.iter_mut().filter(|message| message.role == Role::User) {
        results_first(&mut message.parts);
    }
    merged
}

/// Moves the results of tools directly behind the turn that called them: OpenAI and Anthropic refuse a conversation in
/// which anything else follows the calls. Consecutive messages of the model are one turn. A result without an earlier
/// call stays, and so does one that comes after the model has spoken again: what it answered was a conversation without
/// that result, whose beginning has to stay the same.
pub(crate) fn results_behind_calls(messages: &mut Vec<Message>) {
    messages.dedup_by(|next, last| {
        let is_same_turn = next.role == Role::Assistant && last.role == Role::Assistant;
        if is_same_turn {
            last.parts.append(&mut next.parts);
        }
        is_same_turn
    });
    // The calls of the last turn.
    let mut homes: HashMap<String, usize> = HashMap::new();
    let mut moved: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
    // The turn whose results may follow here without being moved.
    let mut open = None;
    for (at, message) in messages.iter_mut().enumerate() {
        match message.role {
            Role::Assistant => {
                let calls = message.parts.iter().filter_map(|part| call_id(part));
                homes = calls.map(|id| (id.to_owned(), at)).collect();
                open = Some(at);
            }
            Role::System => open = None,
            Role::User => {
                let is_away = |part: &mut Part| home_of(part, &homes).is_some_and(|home| Some(home) != open);
                for part in message.parts.extract_if(.., is_away) {
                    if let Some(home) = home_of(&part, &homes) {
                        moved.entry(home).or_default().push(part);
                    }
                }
                results_first(&mut message.parts);
                open = open.filter(|_| !message.parts.iter().any(says_something));
            }
        }
    }
    if !moved.is_empty() {
        *messages = with_moved(std::mem::take(messages), moved);
    }
}

/// The conversation with these results behind the messages at these places, after results that are there already.
fn with_moved(messages: Vec<Message>, mut moved: BTreeMap<usize, Vec<Part>>) -> Vec<Message> {
    let mut ordered: Vec<Message> = Vec::with_capacity(messages.len() + moved.len());
    let mut results = Vec::new();
    for (at, mut message) in messages.into_iter().enumerate() {
        let stay = message.role == Role::User && message.parts.first().is_some_and(is_result);
        if stay && !results.is_empty() {
            let others = message.parts.iter().position(|part| !is_result(part)).unwrap_or(message.parts.len());
            message.parts.splice(others..others, std::mem::take(&mut results));
        } else if !results.is_empty() {
            ordered.push(Message { role: Role::User, parts: std::mem::take(&mut results) });
        }
        results = moved.remove(&at).unwrap_or_default();
        // A message that only had results is empty now.
        if message.role != Role::User || !message.parts.is_empty() {
            ordered.push(message);
        }
    }
    if !results.is_empty() {
        ordered.push(Message { role: Role::User, parts: results });
    }
    ordered
}

fn call_id(part: &Part) -> Option<&str> {
    if let Part::ToolCall(call) = part { Some(&call.id) } else { None }
}

/// The turn that a result answers.
fn home_of(part: &Part, homes: &HashMap<String, usize>) -> Option<usize> {
    if let Part::ToolResult(result) = part { homes.get(&result.id).copied() } else { None }
}

fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolResult(_))
}

fn says_something(part: &Part) -> bool {
    !is_result(part) && !matches!(part, Part::CacheMark(_))
}

/// Moves results to the front. The sort is stable, so that everything else keeps its order.
fn results_first(parts: &mut [Part]) {
    parts.sort_by_key(|part| !is_result(part));
}

/// Leaves out pictures and the like of the model, for dialects in which it can only write and call tools.
pub(crate) fn drop_media_of_model(messages: &mut [Message], warnings: &mut Warnings) {
    for message in messages.iter_mut().filter(|message| message.role == Role::Assistant) {
        let before = message.parts.len();
        message.parts.retain(|part| !matches!(part, Part::Image { .. } | Part::File { .. } | Part::Audio(_)));
        if message.parts.len() < before {
            warnings.dropped("a picture or file in the model's own turn");
        }
    }
}

/// Adds a request of the user to continue if the conversation ends with the model, for models that cannot continue
/// their own text. Other dialects' models take the last message as something they have said.
pub(crate) fn end_with_user(messages: &mut Vec<Message>, warnings: &mut Warnings) {
    if messages.last().is_some_and(|message| message.role == Role::Assistant) {
        warnings.changed("a last message of the assistant to one that the user wants continued");
        messages.push(Message { role: Role::User, parts: vec![Part::Text(CONTINUE.to_owned())] });
    }
}

/// Adds the same request between two messages of the assistant, the first of which says something and calls nothing: a
/// client that once ended a conversation with it has got its answer since, and the model's answer to a conversation with
/// that request must not follow one without.
pub(crate) fn between_assistants(messages: Vec<Message>) -> Vec<Message> {
    let mut parted: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        let ended = parted.last().filter(|last| last.role == Role::Assistant && message.role == Role::Assistant);
        let is_text = |part: &Part| matches!(part, Part::Text(text) if !text.trim().is_empty());
        if ended.is_some_and(|last| {
            last.parts.iter().any(is_text) && !last.parts.iter().any(|part| call_id(part).is_some())
        }) {
            parted.push(Message { role: Role::User, parts: vec![Part::Text(CONTINUE.to_owned())] });
        }
        parted.push(message);
    }
    parted
}

/// What the user says in the place of a client that wants the assistant to go on.
const CONTINUE: &str = "Continue.";

/// Turns instructions inside a conversation into messages of the user, for dialects that only have them at the
/// beginning.
pub(crate) fn system_to_user(messages: &mut [Message], warnings: &mut Warnings) {
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

/// Where the model's current turn begins: after the last message that is more than results of tools.
pub(crate) fn current_turn(messages: &[Message]) -> usize {
    messages.iter().rposition(asks).map_or(0, |last| last + 1)
}

/// For each message, whether it belongs to a turn in which the model calls tools.
pub(crate) fn with_calls(messages: &[Message]) -> Vec<bool> {
    let turns = messages.chunk_by(|_, next| !asks(next));
    let of_turn = |turn: &[Message]| {
        let calls = turn.iter().flat_map(|message| &message.parts).any(|part| matches!(part, Part::ToolCall(_)));
        vec![calls; turn.len()]
    };
    turns.flat_map(of_turn).collect()
}

fn asks(message: &Message) -> bool {
    message.role != Role::Assistant && message.parts.iter().any(says_something)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::samples::conversation;

    fn check(came: &str, expected: &str) {
        let mut messages = conversation(came);
        results_behind_calls(&mut messages);
        assert_eq!(messages, conversation(expected), "{came}");
    }

    #[test]
    fn results_that_stand_behind_their_calls_stay_as_they_are() {
        for fine in
            ["U hi, A +a +b, U -a, U -b, U next", "A +a +b, U -b -a next, A +c, U -c", "U -z, A +a, U -z, S x", "S x"]
        {
            check(fine, fine);
        }
    }

    #[test]
    fn what_stands_between_calls_and_results_goes_behind_them() {
        check("A +a, U wait, U -a, A done", "A +a, U -a, U wait, A done");
        check("A +a, S rule, U -a", "A +a, U -a, S rule");
        check("A +a, U wait -a", "A +a, U -a wait");
        check("A +a, A +b, A text, U -a -b", "A +a +b text, U -a -b");
        check("A +a, U wait, A text, U -a", "A +a, U wait, A text, U -a");
    }

    #[test]
    fn results_of_parallel_calls_come_together() {
        check("A +a +b, U -a, U wait, U -b", "A +a +b, U -a -b, U wait");
        check("A +a +b, U -a wait, U -b", "A +a +b, U -a -b wait");
        check("A +a +b, U -a, S rule, U -b, U next", "A +a +b, U -a -b, S rule, U next");
    }

    #[test]
    fn a_turn_goes_from_what_the_user_says_to_what_the_user_says_next() {
        let check =
            |sketch: &str, expected: &[bool]| assert_eq!(with_calls(&conversation(sketch)), expected, "{sketch}");
        check(
            "U hi, A hello, U go, A +a, U -a, A done, U thanks, A welcome",
            &[false, false, true, true, true, true, false, false],
        );
        check("A +a, U -a wait, A done", &[true, false, false]);
        check("U hi", &[false]);
    }

    #[test]
    fn a_request_to_continue_the_assistants_words_says_that_it_asks_for_it() {
        for (came, expected) in [
            ("U hi, A hello, A there, U ok", "U hi, A hello, U Continue., A there, U ok"),
            ("U hi, A hello, A +a, U -a", "U hi, A hello, U Continue., A +a, U -a"),
            ("U hi, A +a, A +b, U -a -b", "U hi, A +a, A +b, U -a -b"),
            ("U hi, A hello", "U hi, A hello"),
        ] {
            assert_eq!(between_assistants(conversation(came)), conversation(expected), "{came}");
        }
    }

    #[test]
    fn a_result_answers_the_last_call_of_its_id() {
        check("A +a, U -a, A +a, U wait, U -a", "A +a, U -a, A +a, U -a, U wait");
        check("U -a, A +a, U -a", "U -a, A +a, U -a");
    }
}
