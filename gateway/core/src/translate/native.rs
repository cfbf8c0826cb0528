//! Removes what translations left in a conversation before it goes to a provider of the caller's own dialect.
//!
//! A conversation may change providers at every turn. The client sends back the seals of another dialect's provider,
//! and the mark on reasoning that has no seal. Translations read them, but a provider of the caller's own dialect
//! refuses them.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::neutral::json::{is_too_intricate, text, written};
use crate::neutral::{SEAL_PREFIX, SEAL_PREFIX_BASE64};
use crate::pace::Pace;
use crate::profile::{NO_REASONING, Profile};

/// The request without them, for a model of this profile. `None` if there are none, or if the body is too intricate to
/// be parsed; then the bytes stay as they are.
pub(super) fn clean(dialect: Dialect, profile: &str, body: &[u8]) -> Option<Vec<u8>> {
    let trace = match dialect {
        Dialect::OpenaiChat => SEALS,
        Dialect::Gemini => SEAL_PREFIX_BASE64,
        Dialect::OpenaiResponses | Dialect::Anthropic => SEAL_PREFIX,
    };
    memchr::memmem::find(body, trace.as_bytes())?;
    let profile = Profile::of(profile, dialect);
    if dialect == Dialect::OpenaiChat && !profile.needs_reasoning || is_too_intricate(body) {
        return None;
    }
    let bytes = body.len();
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let changed = match dialect {
        Dialect::OpenaiChat => fill(&mut body),
        Dialect::OpenaiResponses => items(&mut body, "input").map_or(0, |items| remove(items, &["encrypted_content"])),
        Dialect::Anthropic if profile.reads_reasoning => unsign(&mut body),
        Dialect::Anthropic => anthropic(&mut body),
        Dialect::Gemini => contents(&mut body),
    };
    if changed > 0 { written(&body, bytes, Pace::default()) } else { None }
}

/// OpenAI chat's place for seals. These say whose they are, and may stay.
const SEALS: &str = "reasoning_details";

/// Adds reasoning to calls without any. A provider that hides the reasoning it seals leaves such calls behind, and some
/// models refuse them.
fn fill(body: &mut Value) -> usize {
    let mut filled = 0;
    for message in items(body, "messages").into_iter().flatten().filter_map(Value::as_object_mut) {
        let is_hidden = message.contains_key(SEALS) && message.contains_key("tool_calls");
        let says =
            message.get("reasoning_content").and_then(Value::as_str).is_some_and(|reasoning| !reasoning.is_empty());
        if is_hidden && !says {
            message.insert("reasoning_content".to_owned(), NO_REASONING.into());
            filled += 1;
        }
    }
    filled
}

fn items<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Vec<Value>> {
    value.get_mut(name)?.as_array_mut()
}

fn is_foreign(value: &Value, member: &str) -> bool {
    text(value, member).is_some_and(|seal| seal.starts_with(SEAL_PREFIX))
}

/// Removes the items that have a foreign seal as one of `members`.
fn remove(items: &mut Vec<Value>, members: &[&str]) -> usize {
    let before = items.len();
    items.retain(|item| !members.iter().any(|member| is_foreign(item, member)));
    before - items.len()
}

/// Removes foreign seals. Models of other makers that speak Anthropic's dialect can read unsigned reasoning, and some
/// need it (see [`Profile::reads_reasoning`]); they cannot read reasoning that is sealed as a whole.
fn unsign(body: &mut Value) -> usize {
    let mut changed = 0;
    let Some(messages) = items(body, "messages") else { return 0 };
    for message in messages.iter_mut() {
        let Some(blocks) = items(message, "content") else { continue };
        changed += remove(blocks, &["data"]);
        for block in blocks.iter_mut().filter(|block| is_foreign(block, "signature")) {
            block["signature"] = "".into();
            changed += 1;
        }
    }
    messages.retain(says_something);
    changed
}

fn says_something(message: &Value) -> bool {
    message.get("content").and_then(Value::as_array).is_none_or(|said| !said.is_empty())
}

fn anthropic(body: &mut Value) -> usize {
    let mut removed = 0;
    let mut calls_without_reasoning = false;
    if let Some(messages) = items(body, "messages") {
        for message in messages.iter_mut() {
            if let Some(blocks) = items(message, "content") {
                let here = remove(blocks, &["signature", "data"]);
                removed += here;
                let is = |kind: &str| blocks.iter().any(|block| text(block, "type") == Some(kind));
                let thinks = is("thinking") || is("redacted_thinking");
                calls_without_reasoning |= here > 0 && is("tool_use") && !thinks;
            }
        }
        messages.retain(says_something);
    }
    // With a budget, Anthropic refuses a turn that calls tools and does not begin with reasoning, and it refuses to
    // clear reasoning where there is none.
    let has_budget = body.get("thinking").is_some_and(|thinking| text(thinking, "type") == Some("enabled"));
    if calls_without_reasoning
        && has_budget
        && let Some(members) = body.as_object_mut()
    {
        members.shift_remove("thinking");
        members.shift_remove("context_management");
    }
    removed
}

/// Removes foreign signatures, and reasoning that has nothing else.
fn contents(body: &mut Value) -> usize {
    let mut removed = 0;
    for content in items(body, "contents").into_iter().flatten() {
        let Some(parts) = items(content, "parts") else { continue };
        parts.retain_mut(|part| {
            let before = removed;
            for name in ["thoughtSignature", "thought_signature"] {
                let is_foreign = text(part, name).is_some_and(|seal| seal.starts_with(SEAL_PREFIX_BASE64));
                if is_foreign && part.as_object_mut().is_some_and(|members| members.shift_remove(name).is_some()) {
                    removed += 1;
                }
            }
            removed == before || text(part, "text") != Some("")
        });
    }
    removed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cleaned(dialect: Dialect, body: Value) -> Option<Value> {
        cleaned_for("claude-sonnet-4-5", dialect, body)
    }

    fn cleaned_for(model: &str, dialect: Dialect, body: Value) -> Option<Value> {
        clean(dialect, model, body.to_string().as_bytes()).and_then(|body| serde_json::from_slice(&body).ok())
    }

    #[test]
    fn a_conversation_without_foreign_seals_stays_as_it_is() {
        let own = json!({ "messages": [{ "role": "assistant", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "c2VhbA==" },
            { "type": "text", "text": "llmio: a gateway" },
        ] }] });
        for dialect in Dialect::ALL {
            assert_eq!(cleaned(dialect, own.clone()), None);
            assert_eq!(clean(dialect, "m", b"llmio: no JSON"), None);
            let intricate = format!("{{\"llmio:\":\"{SEAL_PREFIX_BASE64}\",\"input\":[{}0]}}", "0,".repeat(1 << 20));
            assert_eq!(clean(dialect, "m", intricate.as_bytes()), None);
        }
    }

    #[test]
    fn anthropic_gets_no_foreign_reasoning_and_no_budget_for_a_call_without() {
        let call = json!({ "type": "tool_use", "id": "a", "name": "b", "input": {} });
        let body = json!({ "thinking": { "type": "enabled", "budget_tokens": 1024 }, "context_management": {}, "messages": [
            { "role": "user", "content": "Hi" },
            { "role": "assistant", "content": [{ "type": "thinking", "thinking": "Hm.", "signature": "llmio:unsigned" }] },
            { "role": "assistant", "content": [{ "type": "redacted_thinking", "data": "llmio:gemini:eA==" }, call] },
        ] });
        let expected = json!({ "messages": [
            { "role": "user", "content": "Hi" },
            { "role": "assistant", "content": [call] },
        ] });
        assert_eq!(cleaned(Dialect::Anthropic, body), Some(expected));
    }

    #[test]
    fn a_model_that_reads_unsigned_reasoning_in_anthropics_dialect_keeps_it() {
        let call = json!({ "type": "tool_use", "id": "a", "name": "b", "input": {} });
        let reasoning = |signature: &str| json!({ "type": "thinking", "thinking": "Hm.", "signature": signature });
        let body = json!({ "thinking": { "type": "enabled" }, "messages": [{ "role": "assistant", "content": [
            reasoning("llmio:unsigned"), { "type": "redacted_thinking", "data": "llmio:gemini:eA==" }, call,
        ] }] });
        let expected = json!({ "thinking": { "type": "enabled" }, "messages": [{ "role": "assistant", "content": [reasoning(""), call] }] });
        for reads in ["deepseek-v4-pro", "kimi-k2.6", "glm-4.6"] {
            assert_eq!(cleaned_for(reads, Dialect::Anthropic, body.clone()), Some(expected.clone()), "{reads}");
        }
    }

    #[test]
    fn a_chat_model_that_needs_reasoning_with_calls_gets_some_if_hidden() {
        let calls = json!({ "role": "assistant", "tool_calls": [{}] });
        let mut hidden = calls.clone();
        hidden["reasoning_details"] = json!([{ "type": "reasoning.encrypted", "data": "x" }]);
        let mut shown = hidden.clone();
        shown["reasoning_content"] = "Hm.".into();
        let body = json!({ "messages": [hidden, shown, calls] });
        let mut expected = body.clone();
        expected["messages"][0]["reasoning_content"] = " ".into();
        assert_eq!(cleaned_for("deepseek-v4-pro", Dialect::OpenaiChat, body.clone()), Some(expected));
        assert_eq!(cleaned_for("gpt-4o", Dialect::OpenaiChat, body), None);
    }

    #[test]
    fn responses_get_no_sealed_item() {
        let body = json!({ "input": [{ "type": "reasoning", "encrypted_content": "llmio:anthropic:eA==" }, { "type": "message" }] });
        assert_eq!(cleaned(Dialect::OpenaiResponses, body), Some(json!({ "input": [{ "type": "message" }] })));
    }

    #[test]
    fn gemini_gets_no_foreign_signature_and_no_reasoning_with_nothing_else() {
        let foreign = "bGxtaW86c2lnbmF0dXJlOmxsbWlvOmFudGhyb3BpYzpFcVFCc2VhbA==";
        let body = json!({ "contents": [{ "parts": [
            { "text": "Hm.", "thought": true, "thoughtSignature": foreign },
            { "text": "", "thought": true, "thoughtSignature": foreign },
            { "functionCall": { "name": "a" }, "thoughtSignature": "c2VhbA==" },
        ] }] });
        let expected = json!({ "contents": [{ "parts": [
            { "text": "Hm.", "thought": true },
            { "functionCall": { "name": "a" }, "thoughtSignature": "c2VhbA==" },
        ] }] });
        assert_eq!(cleaned(Dialect::Gemini, body), Some(expected));
    }
}
