//! Ids of calls, which results refer to. Each provider makes its own and some refuse those of others, while a
//! conversation may go through several providers.
//!
//! An id that a provider refuses is changed on the way to it, in the call and its result alike. The change can always
//! be undone: Kimi derives its next id from those it is shown (`functions.search:0`), so a client that cannot keep such
//! an id gets another one from which it can be read again.
//! <https://github.com/MoonshotAI/K2-Vendor-Verifier#suggestions-to-vendors>

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::dialect::Dialect;
use crate::neutral::{AnswerContext, Message, Part};
use crate::profile::CallIds;

/// The prefix of an id that stands for another one in a conversation of Anthropic's dialect.
const WRITTEN: &str = "llmio_";

/// What precedes the number of an id that its provider used again. [`write()`] never writes it.
const AGAIN: &str = "__";

/// The ids that a provider accepts.
#[derive(Debug, Clone, Copy)]
struct IdRules {
    characters_min: usize,
    characters_max: usize,
    is_taken: fn(char) -> bool,
}

/// Gives every call and result of a conversation in the dialect `from` an id that the model accepts behind a provider
/// of the dialect `to`, and restores ids that the provider itself made. Ids that occur twice are made different for
/// providers that refuse them: Anthropic answers 400 `tool_use ids must be unique`.
pub(super) fn carry(messages: &mut [Message], from: Dialect, to: Dialect, ids: CallIds) -> Vec<String> {
    let is_always_unique = ids != CallIds::Any && matches!(to, Dialect::Anthropic | Dialect::OpenaiResponses);
    let (turn, used, calls, known) = (0, UsedIds::default(), HashMap::new(), Vec::new());
    let mut carrier = Carrier { from, taken: taken(to, ids), is_always_unique, turn, used, calls, known };
    for (turn, message) in messages.iter_mut().enumerate() {
        for part in &mut message.parts {
            match part {
                Part::ToolCall(call) => carrier.call(&mut call.id, turn),
                Part::ToolResult(result) => carrier.result(&mut result.id),
                _ => {}
            }
        }
    }
    carrier.known
}

/// Walks through a conversation. Each id depends only on what came before, so that it stays the same as a conversation
/// goes on.
struct Carrier {
    from: Dialect,
    taken: Option<IdRules>,
    /// Whether no id may occur twice in the whole conversation, and not only in one turn.
    is_always_unique: bool,
    turn: usize,
    used: UsedIds,
    /// For each of the caller's ids, the last turn that used it and the ids that its calls got.
    calls: HashMap<String, (usize, VecDeque<String>)>,
    known: Vec<String>,
}

impl Carrier {
    fn call(&mut self, id: &mut String, turn: usize) {
        if !self.is_always_unique && self.turn != turn {
            self.used = UsedIds::default();
        }
        self.turn = turn;
        let made = || format!("call-{}", self.known.len());
        let mut fitting = self.fitting(id).or_else(|| self.fitting(&made())).unwrap_or_default();
        self.used.make_new(&mut fitting, |id, number| {
            let again = again(id, number);
            self.taken.and_then(|taken| fit(&again, taken)).unwrap_or(again)
        });
        let own = std::mem::replace(id, fitting.clone());
        let (last, used) = self.calls.entry(own.clone()).or_default();
        if *last != turn {
            used.clear();
        }
        *last = turn;
        used.push_back(fitting);
        self.known.push(own);
    }

    /// Gives a result the id of its call. Results of calls that share an id come in the order of the calls.
    fn result(&mut self, id: &mut String) {
        let used = self
            .calls
            .get_mut(id)
            .and_then(|(_, used)| if used.len() > 1 { used.pop_front() } else { used.front().cloned() });
        if let Some(fitting) = used.or_else(|| self.fitting(id)) {
            *id = fitting;
        }
    }

    /// The id that the provider accepts; `None` if there is none.
    fn fitting(&self, id: &str) -> Option<String> {
        let is_written = self.from == Dialect::Anthropic || is_again(id);
        let id = is_written.then(|| read(id)).flatten().unwrap_or_else(|| id.to_owned());
        let fitting = self.taken.filter(|_| !id.is_empty()).and_then(|taken| fit(&id, taken)).unwrap_or(id);
        (!fitting.is_empty()).then_some(fitting)
    }
}

/// Ids that are in use.
#[derive(Debug, Default)]
struct UsedIds {
    /// For each id, the last number that was added to it.
    counts: HashMap<String, usize>,
}

impl UsedIds {
    /// Makes `id` unique by numbering it.
    fn make_new(&mut self, id: &mut String, numbered: impl Fn(&str, usize) -> String) {
        let base = id.clone();
        loop {
            let count = self.counts.entry(id.clone()).or_default();
            if *count == 0 {
                *count = 1;
                return;
            }
            let number = self.counts.entry(base.clone()).or_default();
            *number += 1;
            *id = numbered(&base, *number);
        }
    }
}

/// The ids that a client knows: those of its conversation, and those of the answer so far.
#[derive(Debug)]
pub(super) struct ClientIds(UsedIds);

impl ClientIds {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let counts = context.call_ids.iter().map(|id| (id.clone(), 1)).collect();
        ClientIds(UsedIds { counts })
    }

    /// Changes the id of a call in an answer so that a client of the dialect `to` can tell it from all others, and a
    /// translation can read the provider's own id from it.
    pub(super) fn give(&mut self, id: &mut String, to: Dialect) {
        for_client(id, to);
        self.0.make_new(id, |id, number| {
            let again = again(id, number);
            if again.len() <= ANTHROPIC.characters_max { again } else { fit(&again, ANTHROPIC).unwrap_or(again) }
        });
    }
}

/// An id that is used again, with a number, from which it can be read.
fn again(id: &str, number: usize) -> String {
    let written = if id.starts_with(WRITTEN) { id.to_owned() } else { write(id) };
    format!("{written}{AGAIN}{number}")
}

/// The id of a call in an answer to a client of the dialect `to`, which sends it back later.
fn for_client(id: &mut String, to: Dialect) {
    if to != Dialect::Anthropic || id.chars().all(is_plain) {
        return;
    }
    let written = write(id);
    *id = if written.len() <= ANTHROPIC.characters_max { written } else { fit(id, ANTHROPIC).unwrap_or(written) };
}

/// Anthropic answers 400 `tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`; the length is the limit of
/// clouds that resell it.
const ANTHROPIC: IdRules = IdRules { characters_min: 0, characters_max: 64, is_taken: is_plain };

/// Mistral answers 400 `Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9`, and so do the templates of
/// its open models. <https://mistralai.github.io/mistral-common/usage/tools/>
const MISTRAL: IdRules =
    IdRules { characters_min: 9, characters_max: 9, is_taken: |letter| letter.is_ascii_alphanumeric() };

/// The ids that are accepted; `None` if all are.
fn taken(to: Dialect, ids: CallIds) -> Option<IdRules> {
    let any_up_to = |characters_max| IdRules { characters_min: 0, characters_max, is_taken: |_| true };
    match (ids, to) {
        (CallIds::Any, _) => None,
        (CallIds::NineLetters, _) => Some(MISTRAL),
        (CallIds::OfDialect, Dialect::Anthropic) => Some(ANTHROPIC),
        // <https://github.com/vercel/ai/issues/5171>
        (CallIds::OfDialect, Dialect::OpenaiChat) => Some(any_up_to(40)),
        // <https://platform.openai.com/docs/api-reference/responses/create#responses-create-input>
        (CallIds::OfDialect, Dialect::OpenaiResponses) => Some(any_up_to(64)),
        (CallIds::OfDialect, Dialect::Gemini) => None,
    }
}

/// An id that fits, always the same for the same id. `None` if the id fits already.
fn fit(id: &str, IdRules { characters_min, characters_max, is_taken }: IdRules) -> Option<String> {
    let has_length = (characters_min..=characters_max).contains(&id.chars().count());
    if has_length && id.chars().all(is_taken) {
        return None;
    }
    let flat = id.chars().map(|letter| if is_taken(letter) { letter } else { '_' });
    if has_length && is_taken('_') {
        return Some(flat.collect());
    }
    let mark: String = Sha256::digest(id.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let kept = flat.take(characters_max.saturating_sub(mark.len()));
    Some(kept.chain(mark.chars()).take(characters_max).collect())
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

/// Writes an id with letters, digits and `_`, which precedes the two digits of any other byte.
fn write(id: &str) -> String {
    let mut written = WRITTEN.to_owned();
    for byte in id.bytes() {
        match byte {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => written.push(byte.into()),
            _ => written.push_str(&format!("_{byte:02X}")),
        }
    }
    written
}

/// Whether an id has a number because its provider used it again.
fn is_again(id: &str) -> bool {
    without_number(id).is_some()
}

/// An id without the number that makes it unique.
fn without_number(id: &str) -> Option<&str> {
    let (id, number) = id.rsplit_once(AGAIN)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && id.starts_with(WRITTEN)).then_some(id)
}

/// The id that [`write()`] wrote; `None` if it did not write this one.
fn read(written: &str) -> Option<String> {
    let written = without_number(written).unwrap_or(written);
    let mut pieces = written.strip_prefix(WRITTEN)?.split('_');
    let mut read = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        read.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        read.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(read).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::{Role, ToolCall, ToolResult};
    use crate::profile::Profile;

    /// The id that a call and its result have behind a provider.
    fn carried(id: &str, from: Dialect, to: Dialect, model: &str) -> String {
        let call = Part::ToolCall(ToolCall { id: id.to_owned(), ..ToolCall::default() });
        let result = Part::ToolResult(ToolResult { id: id.to_owned(), name: None, parts: vec![], is_error: false });
        let mut messages =
            [(Role::Assistant, call), (Role::User, result)].map(|(role, part)| Message { role, parts: vec![part] });
        carry(&mut messages, from, to, Profile::of(model, to).call_ids);
        let ids: Vec<&str> = messages
            .iter()
            .flat_map(|message| &message.parts)
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(call.id.as_str()),
                Part::ToolResult(result) => Some(result.id.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(ids.first(), ids.last());
        ids.first().copied().unwrap_or_default().to_owned()
    }

    #[test]
    fn an_id_that_a_provider_takes_stays_as_it_is() {
        for to in Dialect::ALL {
            for id in ["toolu_01A-b", "call_1"] {
                assert_eq!(carried(id, Dialect::Gemini, to, "m"), id, "{}", to.name());
            }
        }
        assert_eq!(carried("functions.search:0", Dialect::Gemini, Dialect::OpenaiChat, "m"), "functions.search:0");
    }

    #[test]
    fn an_id_is_as_long_as_the_provider_takes_and_another_for_another_call() {
        let long = |last: &str| format!("chatcmpl-tool-{}{last}", "0123456789".repeat(6));
        for (to, most) in [(Dialect::OpenaiChat, 40), (Dialect::OpenaiResponses, 64), (Dialect::Anthropic, 64)] {
            let [a, b] = ["a", "b"].map(|last| carried(&long(last), Dialect::Gemini, to, "m"));
            assert_eq!(a.len(), most);
            assert_ne!(a, b);
        }
        assert_eq!(carried(&long("a"), Dialect::Gemini, Dialect::Gemini, "m"), long("a"));
    }

    #[test]
    fn mistral_gets_nine_letters_and_digits() {
        let carried_id = |id: &str| carried(id, Dialect::Gemini, Dialect::OpenaiChat, "mistralai/Devstral-Small");
        assert_eq!(carried_id("aB3dE6gH9"), "aB3dE6gH9");
        let others = ["call_0", "call_1", "call_1234", "", "toolu_01ABCDEFGHIJKLMNOP"].map(carried_id);
        for (at, id) in others.iter().enumerate() {
            assert!(id.len() == 9 && id.chars().all(|letter| letter.is_ascii_alphanumeric()), "{id}");
            assert!(!others[..at].contains(id), "{id}");
        }
    }

    #[test]
    fn anthropic_gets_letters_and_digits_alone() {
        assert_eq!(carried("functions.search:0", Dialect::OpenaiChat, Dialect::Anthropic, "m"), "functions_search_0");
    }

    #[test]
    fn kimi_gets_back_the_ids_it_made_through_a_client_that_cannot_keep_them() {
        for id in ["functions.Bash:0", "functions.mcp__docs__find-it:12", "a é", "_", "functions.x:1"] {
            let mut carried_id = id.to_owned();
            for_client(&mut carried_id, Dialect::Anthropic);
            assert!(carried_id.chars().all(is_plain), "{carried_id}");
            assert_eq!(carried(&carried_id, Dialect::Anthropic, Dialect::OpenaiChat, "kimi-k2"), id);
        }
        let long = format!("functions.{}:0", "x".repeat(60));
        assert_eq!(carried(&long, Dialect::Gemini, Dialect::OpenaiChat, "moonshotai/Kimi-K2"), long);
    }

    #[test]
    fn an_id_in_an_answer_changes_only_where_its_client_would_refuse_it() {
        let carried_id = |id: &str, to: Dialect| {
            let mut id = id.to_owned();
            for_client(&mut id, to);
            id
        };
        assert_eq!(carried_id("functions.Bash:0", Dialect::Anthropic), "llmio_functions_2EBash_3A0");
        assert_eq!(carried_id("call_1", Dialect::Anthropic), "call_1");
        assert_eq!(carried_id("functions.Bash:0", Dialect::Gemini), "functions.Bash:0");
        let long = carried_id(&"a:".repeat(40), Dialect::Anthropic);
        assert!(long.len() == 64 && long.chars().all(is_plain), "{long}");
    }

    /// The ids of calls (`+`) and results (`-`) of a conversation, turn by turn, behind a provider.
    fn ids_of(turns: &[&str], from: Dialect, to: Dialect, model: &str) -> (String, Vec<String>) {
        let part = |word: &str| match word.split_at(1) {
            ("+", id) => Part::ToolCall(ToolCall { id: id.to_owned(), ..ToolCall::default() }),
            (_, id) => Part::ToolResult(ToolResult { id: id.to_owned(), name: None, parts: vec![], is_error: false }),
        };
        let message = |turn: &&str| Message { role: Role::User, parts: turn.split(' ').map(part).collect() };
        let mut messages: Vec<Message> = turns.iter().map(message).collect();
        let known = carry(&mut messages, from, to, Profile::of(model, to).call_ids);
        let word = |part: &Part| match part {
            Part::ToolCall(call) => format!("+{}", call.id),
            Part::ToolResult(result) => format!("-{}", result.id),
            _ => String::new(),
        };
        let turn = |message: &Message| message.parts.iter().map(word).collect::<Vec<_>>().join(" ");
        (messages.iter().map(turn).collect::<Vec<_>>().join(", "), known)
    }

    #[test]
    fn ids_that_come_again_are_made_unique_for_those_who_insist() {
        let again = ["+a", "-a", "+a +b", "-b -a", "+a"];
        for (to, model, expected) in [
            (Dialect::Anthropic, "claude-sonnet-4-5", "+a, -a, +llmio_a__2 +b, -b -llmio_a__2, +llmio_a__3"),
            (Dialect::OpenaiResponses, "gpt-6", "+a, -a, +llmio_a__2 +b, -b -llmio_a__2, +llmio_a__3"),
            (Dialect::OpenaiChat, "m", "+a, -a, +a +b, -b -a, +a"),
            (Dialect::Gemini, "gemini-3-pro", "+a, -a, +a +b, -b -a, +a"),
        ] {
            assert_eq!(ids_of(&again, Dialect::OpenaiChat, to, model).0, expected, "{}", to.name());
            for turns in 0..again.len() {
                let shorter = ids_of(&again[..turns], Dialect::OpenaiChat, to, model).0;
                assert!(expected.starts_with(&shorter), "what comes later changes nothing: {shorter}");
            }
        }
    }

    #[test]
    fn calls_of_one_turn_that_share_an_id_are_told_apart_everywhere() {
        for to in Dialect::ALL {
            let (ids, known) = ids_of(&["+a +a +b", "-a -b -a"], Dialect::OpenaiChat, to, "m");
            assert_eq!(ids, "+a +llmio_a__2 +b, -a -b -llmio_a__2", "{}", to.name());
            assert_eq!(known, ["a", "a", "b"]);
        }
        let none = ids_of(&["+ +", "- -", "+", "-"], Dialect::OpenaiResponses, Dialect::Anthropic, "m").0;
        assert_eq!(none, "+call-0 +call-1, -call-0 -call-1, +call-2, -call-2", "those without any");
        let flat = ids_of(&["+a.b +a:b"], Dialect::OpenaiChat, Dialect::Anthropic, "m").0;
        assert_eq!(flat, "+a_b +llmio_a_5Fb__2", "those that become one");
    }

    #[test]
    fn an_id_that_comes_again_is_made_new_and_goes_back_as_the_providers() {
        for to in Dialect::ALL {
            let context = AnswerContext { call_ids: vec!["call_0".to_owned()], ..AnswerContext::default() };
            let mut client_ids = ClientIds::new(&context);
            let mut seen = vec!["call_0".to_owned()];
            for _ in 0..3 {
                let mut id = "call_0".to_owned();
                client_ids.give(&mut id, to);
                assert!(!seen.contains(&id) && id.chars().all(is_plain), "{id}");
                assert_eq!(carried(&id, to, Dialect::OpenaiChat, "m"), "call_0");
                seen.push(id);
            }
        }
        let mut client_ids = ClientIds::new(&AnswerContext::default());
        let mut ids = ["functions.f:0", "functions.f:0", "functions.f:1"].map(str::to_owned);
        ids.iter_mut().for_each(|id| client_ids.give(id, Dialect::Anthropic));
        let back = ids.map(|id| carried(&id, Dialect::Anthropic, Dialect::OpenaiChat, "kimi-k2"));
        assert_eq!(back, ["functions.f:0", "functions.f:0", "functions.f:1"]);
    }

    /// Guards against trying every number for each of them.
    #[test]
    fn many_calls_that_share_an_id_are_numbered_at_once() {
        let mut client_ids = ClientIds::new(&AnswerContext::default());
        let mut last = String::new();
        for _ in 0..50_000 {
            last = "a".to_owned();
            client_ids.give(&mut last, Dialect::OpenaiChat);
        }
        assert_eq!(last, "llmio_a__50000");
    }

    #[test]
    fn an_id_that_only_looks_like_one_of_llmios_stays() {
        for other in ["llmio_a_zz", "llmio_a_", "llmio_a_2", "llmio_a_é", "llmio_a_FF"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
