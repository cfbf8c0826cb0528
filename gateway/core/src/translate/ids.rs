//! Ids of calls, which a result names. Each provider makes its own and some refuse another's, while a conversation may go
//! through several of them.
//!
//! What a provider refuses is changed on the way to it, in a call and its result alike. Nothing is changed for good: Kimi
//! takes its cue for the next id from those it is shown (`functions.search:0`), so a client that cannot keep such an id is
//! given one from which it can be read again.
//! <https://github.com/MoonshotAI/K2-Vendor-Verifier#suggestions-to-vendors>

use sha2::{Digest, Sha256};

use crate::dialect::Dialect;
use crate::neutral::{Message, Part};
use crate::profile::CallIds;

/// What an id begins with that stands for another in a conversation of Anthropic's dialect.
const WRITTEN: &str = "llmio_";

/// What a provider takes.
#[derive(Debug, Clone, Copy)]
struct Taken {
    characters_min: usize,
    characters_max: usize,
    is_taken: fn(char) -> bool,
}

/// Gives every call and result of a conversation, which came in the dialect `from`, an id that a model which takes these
/// ids takes behind a provider of the dialect `to`.
pub(super) fn carry(messages: &mut [Message], from: Dialect, to: Dialect, ids: CallIds) {
    let taken = taken(to, ids);
    for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
        let id = match part {
            Part::ToolCall(call) => &mut call.id,
            Part::ToolResult(result) => &mut result.id,
            _ => continue,
        };
        if from == Dialect::Anthropic
            && let Some(original) = read(id)
        {
            *id = original;
        }
        if let Some(fitting) = taken.and_then(|taken| fit(id, taken)) {
            *id = fitting;
        }
    }
}

/// The id of a call in an answer to a client of the dialect `to`, which gives it back.
pub(super) fn for_client(id: &mut String, to: Dialect) {
    if to != Dialect::Anthropic || id.chars().all(is_plain) {
        return;
    }
    let written = write(id);
    *id = if written.len() <= ANTHROPIC.characters_max { written } else { fit(id, ANTHROPIC).unwrap_or(written) };
}

/// Anthropic answers 400 `tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`; the length is that of clouds that
/// sell it.
const ANTHROPIC: Taken = Taken { characters_min: 0, characters_max: 64, is_taken: is_plain };

/// Mistral answers 400 `Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9`, and so do the templates of
/// its open models. <https://mistralai.github.io/mistral-common/usage/tools/>
const MISTRAL: Taken =
    Taken { characters_min: 9, characters_max: 9, is_taken: |letter| letter.is_ascii_alphanumeric() };

/// `None`: anything.
fn taken(to: Dialect, ids: CallIds) -> Option<Taken> {
    let any_up_to = |characters_max| Taken { characters_min: 0, characters_max, is_taken: |_| true };
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

/// The same for the same id. `None`: it fits as it is.
fn fit(id: &str, Taken { characters_min, characters_max, is_taken }: Taken) -> Option<String> {
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

/// In letters, digits and `_`, which stands before the two digits of any other byte.
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

/// What [`write()`] wrote. `None`: it is another id.
fn read(written: &str) -> Option<String> {
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
            for id in ["toolu_01A-b", "call_1", ""] {
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
        let given = |id: &str| carried(id, Dialect::Gemini, Dialect::OpenaiChat, "mistralai/Devstral-Small");
        assert_eq!(given("aB3dE6gH9"), "aB3dE6gH9");
        let others = ["call_0", "call_1", "call_1234", "", "toolu_01ABCDEFGHIJKLMNOP"].map(given);
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
            let mut given = id.to_owned();
            for_client(&mut given, Dialect::Anthropic);
            assert!(given.chars().all(is_plain), "{given}");
            assert_eq!(carried(&given, Dialect::Anthropic, Dialect::OpenaiChat, "kimi-k2"), id);
        }
        let long = format!("functions.{}:0", "x".repeat(60));
        assert_eq!(carried(&long, Dialect::Gemini, Dialect::OpenaiChat, "moonshotai/Kimi-K2"), long);
    }

    #[test]
    fn an_id_in_an_answer_changes_only_where_its_client_would_refuse_it() {
        let given = |id: &str, to: Dialect| {
            let mut id = id.to_owned();
            for_client(&mut id, to);
            id
        };
        assert_eq!(given("functions.Bash:0", Dialect::Anthropic), "llmio_functions_2EBash_3A0");
        assert_eq!(given("call_1", Dialect::Anthropic), "call_1");
        assert_eq!(given("functions.Bash:0", Dialect::Gemini), "functions.Bash:0");
        let long = given(&"a:".repeat(40), Dialect::Anthropic);
        assert!(long.len() == 64 && long.chars().all(is_plain), "{long}");
    }

    #[test]
    fn an_id_that_only_looks_like_one_of_llmios_stays() {
        for other in ["llmio_a_zz", "llmio_a_", "llmio_a_2", "llmio_a_é", "llmio_a_FF"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
