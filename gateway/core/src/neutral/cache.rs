//! Marks that say which part of a request a provider should cache for the next one, as Anthropic and everybody who
//! serves its models write them. <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>

use serde_json::{Value, json};

use super::json::text;
use super::{CacheFor, Message, Object, Part, Role};

/// The member that holds a mark.
pub(crate) const MEMBER: &str = "cache_control";

impl CacheFor {
    /// Takes the mark of `members`, if they have one.
    pub(crate) fn take(members: &mut Object) -> Option<CacheFor> {
        let mark = members.shift_remove(MEMBER)?;
        (text(&mark, "type") == Some("ephemeral")).then(|| match text(&mark, "ttl") {
            Some("1h") => CacheFor::OneHour,
            _ => CacheFor::FiveMinutes,
        })
    }

    /// The value of the member.
    pub(crate) fn write(self) -> Value {
        match self {
            CacheFor::FiveMinutes => json!({ "type": "ephemeral" }),
            CacheFor::OneHour => json!({ "type": "ephemeral", "ttl": "1h" }),
        }
    }
}

/// Marks the whole conversation.
pub(crate) fn mark_end(messages: &mut [Message], cache: CacheFor) {
    if let Some(last) = messages.last_mut() {
        last.parts.push(Part::CacheMark(cache));
    }
}

/// Marks what the request before this one ended with: all that precedes the model's last turn. It had a mark then, and
/// providers look for what they kept only some blocks before a mark, while one turn may have more.
pub(crate) fn mark_end_before(messages: &mut [Message], cache: CacheFor) {
    let last_turn = messages.iter().rposition(|message| message.role == Role::Assistant);
    let before = last_turn.and_then(|at| at.checked_sub(1)).and_then(|at| messages.get_mut(at));
    if let Some(before) = before.filter(|before| before.role != Role::Assistant) {
        before.parts.push(Part::CacheMark(cache));
    }
}

/// Takes the mark at the very end. OpenRouter wants it at the top of the request, since the message of a tool cannot
/// have one. <https://openrouter.ai/docs/guides/best-practices/prompt-caching#anthropic-claude>
pub(crate) fn take_end(messages: &mut [Message]) -> Option<CacheFor> {
    let parts = &mut messages.last_mut()?.parts;
    match parts.pop()? {
        Part::CacheMark(cache) => Some(cache),
        part => {
            parts.push(part);
            None
        }
    }
}
