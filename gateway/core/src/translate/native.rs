//! Removes what a provider of the caller's own dialect refuses: what translations left in a conversation, and reasoning
//! that another model or account sealed.
//!
//! A conversation may change providers at every turn. The client sends back the seals of another dialect's provider,
//! and the mark on reasoning that has no seal, which only translations read. It also sends back the seals of other
//! models and accounts.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::dialects::gemini::NO_SEAL;
use crate::neutral::json::{is_too_intricate, text, written};
use crate::neutral::{SEAL_PREFIX, SEAL_PREFIX_BASE64};
use crate::pace::Pace;
use crate::profile::{NO_REASONING, Profile};
use crate::reasoning_seals::Readable;

/// A request without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) body: Vec<u8>,
    /// Whether the model goes without reasoning that was in the request.
    pub(super) lacks_reasoning: bool,
}

/// The request without it, for a model of this profile that can read these seals. `None` if there is nothing to remove,
/// or if the body is too intricate to be parsed; then the bytes stay as they are.
pub(super) fn clean(dialect: Dialect, profile: &str, body: &[u8], readable: Readable<'_>) -> Option<Cleaned> {
    let trace = match dialect {
        Dialect::OpenaiChat => SEALS,
        Dialect::Gemini => SEAL_PREFIX_BASE64,
        Dialect::OpenaiResponses | Dialect::Anthropic => SEAL_PREFIX,
    };
    let (is_traced, reads_all) = (memchr::memmem::find(body, trace.as_bytes()).is_some(), readable.is_all());
    if !is_traced && reads_all {
        return None;
    }
    let profile = Profile::of(profile, dialect);
    if dialect == Dialect::OpenaiChat && reads_all && !profile.needs_reasoning || is_too_intricate(body) {
        return None;
    }
    let bytes = body.len();
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let foreign = Foreign(readable);
    let (mended, removed) = match dialect {
        Dialect::OpenaiChat => {
            let filled = if profile.needs_reasoning { fill(&mut body) } else { 0 };
            (filled, foreign.messages(&mut body))
        }
        Dialect::OpenaiResponses => (0, foreign.input(&mut body)),
        Dialect::Anthropic if profile.reads_reasoning => foreign.unsign(&mut body),
        Dialect::Anthropic => (0, foreign.blocks(&mut body)),
        Dialect::Gemini => (0, foreign.contents(&mut body, &profile)),
    };
    let body = if mended + removed > 0 { written(&body, bytes, Pace::default())? } else { return None };
    Some(Cleaned { body, lacks_reasoning: removed > 0 })
}

/// OpenAI chat's place for seals. These say in which dialect they were made, and may stay.
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

fn says_something(message: &Value) -> bool {
    message.get("content").and_then(Value::as_array).is_none_or(|content| !content.is_empty())
}

/// Finds what the provider would refuse.
#[derive(Debug, Clone, Copy)]
struct Foreign<'a>(Readable<'a>);

impl Foreign<'_> {
    fn is(self, seal: &str) -> bool {
        seal.starts_with(SEAL_PREFIX) || seal.starts_with(SEAL_PREFIX_BASE64) || self.0.refuses(seal)
    }

    fn is_at(self, value: &Value, member: &str) -> bool {
        text(value, member).is_some_and(|seal| self.is(seal))
    }

    /// Removes the items that have a foreign seal as one of `members`.
    fn remove(self, items: &mut Vec<Value>, members: &[&str]) -> usize {
        let before = items.len();
        items.retain(|item| !members.iter().any(|member| self.is_at(item, member)));
        before - items.len()
    }

    /// OpenAI chat: removes what others sealed, and says of Gemini's calls that their seals are gone.
    fn messages(self, body: &mut Value) -> usize {
        let mut removed = 0;
        for message in items(body, "messages").into_iter().flatten() {
            if let Some(details) = items(message, SEALS) {
                let here = self.remove(details, &["signature", "data"]);
                removed += here;
                if here > 0
                    && details.is_empty()
                    && let Some(members) = message.as_object_mut()
                {
                    members.shift_remove(SEALS);
                }
            }
            for call in items(message, "tool_calls").into_iter().flatten() {
                let seal = call.pointer_mut("/extra_content/google/thought_signature");
                if let Some(seal) = seal.filter(|seal| seal.as_str().is_some_and(|seal| self.is(seal))) {
                    *seal = NO_SEAL.into();
                    removed += 1;
                }
            }
        }
        removed
    }

    /// Responses: removes items with reasoning. OpenAI refuses an item whose id it knows without the reasoning before
    /// it, so that the ids go too. A conversation that was made shorter stays, whoever sealed it: nothing would be left of
    /// it, and its provider's refusal says so.
    fn input(self, body: &mut Value) -> usize {
        let Some(input) = items(body, "input") else { return 0 };
        let is_reasoning = |item: &Value| matches!(text(item, "type"), Some("reasoning" | "item_reference"));
        let is_foreign = |item: &Value| ["encrypted_content", "id"].iter().any(|member| self.is_at(item, member));
        let before = input.len();
        input.retain(|item| !(is_reasoning(item) && is_foreign(item)));
        let removed = before - input.len();
        for item in input.iter_mut().filter(|_| removed > 0) {
            let is_output = matches!(text(item, "type"), Some("message" | "function_call" | "custom_tool_call"));
            if let Some(members) = item.as_object_mut().filter(|_| is_output) {
                members.shift_remove("id");
            }
        }
        removed
    }

    /// Anthropic: removes foreign seals. Models of other makers that speak the dialect can read unsigned reasoning, and
    /// some need it (see [`Profile::reads_reasoning`]); they cannot read reasoning that is sealed as a whole. Returns how
    /// many were unsigned and how many removed.
    fn unsign(self, body: &mut Value) -> (usize, usize) {
        let (mut unsigned, mut removed) = (0, 0);
        let Some(messages) = items(body, "messages") else { return (0, 0) };
        for message in messages.iter_mut() {
            let Some(blocks) = items(message, "content") else { continue };
            removed += self.remove(blocks, &["data"]);
            for block in blocks.iter_mut().filter(|block| self.is_at(block, "signature")) {
                block["signature"] = "".into();
                unsigned += 1;
            }
        }
        messages.retain(says_something);
        (unsigned, removed)
    }

    /// Anthropic: removes foreign reasoning.
    fn blocks(self, body: &mut Value) -> usize {
        let mut removed = 0;
        let mut calls_without_reasoning = false;
        if let Some(messages) = items(body, "messages") {
            for message in messages.iter_mut() {
                if let Some(blocks) = items(message, "content") {
                    let here = self.remove(blocks, &["signature", "data"]);
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

    /// Gemini: removes foreign signatures, and reasoning that has nothing else. A model that requires a signature on its
    /// calls is told that theirs are gone.
    fn contents(self, body: &mut Value, profile: &Profile) -> usize {
        let mut removed = 0;
        for content in items(body, "contents").into_iter().flatten() {
            let Some(parts) = items(content, "parts") else { continue };
            parts.retain_mut(|part| {
                let before = removed;
                let is_call = profile.call_seals && part.get("functionCall").is_some();
                for name in ["thoughtSignature", "thought_signature"] {
                    let is_foreign = self.is_at(part, name);
                    let Some(members) = part.as_object_mut().filter(|_| is_foreign) else { continue };
                    match is_call {
                        true => _ = members.insert(name.to_owned(), NO_SEAL.into()),
                        false => _ = members.shift_remove(name),
                    }
                    removed += 1;
                }
                removed == before || text(part, "text") != Some("")
            });
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reasoning_seals::{Makers, SealMaker, in_request};

    fn cleaned(dialect: Dialect, body: Value) -> Option<Value> {
        cleaned_for("claude-sonnet-4-5", dialect, body)
    }

    fn cleaned_for(model: &str, dialect: Dialect, body: Value) -> Option<Value> {
        let cleaned = clean(dialect, model, body.to_string().as_bytes(), Readable::default())?;
        serde_json::from_slice(&cleaned.body).ok()
    }

    #[test]
    fn a_conversation_without_foreign_seals_stays_as_it_is() {
        let own = json!({ "messages": [{ "role": "assistant", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "c2VhbA==" },
            { "type": "text", "text": "llmio: a gateway" },
        ] }] });
        for dialect in Dialect::ALL {
            assert_eq!(cleaned(dialect, own.clone()), None);
            assert_eq!(clean(dialect, "m", b"llmio: no JSON", Readable::default()), None);
            let intricate = format!("{{\"llmio:\":\"{SEAL_PREFIX_BASE64}\",\"input\":[{}0]}}", "0,".repeat(1 << 20));
            assert_eq!(clean(dialect, "m", intricate.as_bytes(), Readable::default()), None);
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

    /// The request without what somebody else sealed with `c2VhbA==`.
    fn without(dialect: Dialect, model: &str, body: &Value) -> Value {
        let maker = |place: &str| SealMaker { place: place.to_owned(), account: None, profile: "m".to_owned() };
        let seals = in_request(body.to_string().as_bytes());
        let foreign = in_request(br#"{"signature":"c2VhbA=="}"#);
        let known = seals.iter().map(|seal| (*seal, maker(if foreign.contains(seal) { "a" } else { "b" }))).collect();
        let (makers, reader) = (Makers::new(&seals, known), maker("b"));
        let readable = Readable::by(&makers, &reader, dialect);
        let cleaned = clean(dialect, model, body.to_string().as_bytes(), readable).expect("something to remove");
        assert!(cleaned.lacks_reasoning);
        serde_json::from_slice(&cleaned.body).expect("JSON")
    }

    #[test]
    fn what_another_account_sealed_is_left_out_and_the_rest_stays() {
        let thinking = |seal: &str| json!({ "type": "thinking", "thinking": "Hm.", "signature": seal });
        let text = json!({ "type": "text", "text": "c2VhbA==" });
        let conversation = |blocks: &[&Value]| json!({ "messages": [{ "role": "assistant", "content": blocks }] });
        let (own, other) = (thinking("b3du"), thinking("c2VhbA=="));
        assert_eq!(
            without(Dialect::Anthropic, "claude-opus-4-6", &conversation(&[&other, &own, &text])),
            conversation(&[&own, &text])
        );

        let item = |seal: &str| json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": seal });
        let call = json!({ "type": "function_call", "id": "fc_1", "call_id": "c", "name": "n", "arguments": "{}" });
        let called = json!({ "type": "function_call", "call_id": "c", "name": "n", "arguments": "{}" });
        let input = |items: &[&Value]| json!({ "input": items });
        let body = input(&[&item("c2VhbA=="), &call, &item("b3du")]);
        assert_eq!(without(Dialect::OpenaiResponses, "gpt-5.5", &body), input(&[&called, &item("b3du")]));
        let shorter = json!({ "type": "compaction", "id": "cmp_1", "encrypted_content": "c2VhbA==" });
        let body = input(&[&shorter, &item("c2VhbA==")]);
        assert_eq!(without(Dialect::OpenaiResponses, "gpt-5.5", &body), input(&[&shorter]));

        let part = |seal: &str| json!({ "functionCall": { "name": "n" }, "thoughtSignature": seal });
        let contents = |parts: &[&Value]| json!({ "contents": [{ "role": "model", "parts": parts }] });
        let body = contents(&[&part("c2VhbA=="), &part("b3du")]);
        assert_eq!(without(Dialect::Gemini, "gemini-3.8-flash", &body), contents(&[&part(NO_SEAL), &part("b3du")]));

        let detail = |seal: &str| json!({ "type": "reasoning.encrypted", "data": seal });
        let message = |details: &[&Value]| json!({ "messages": [{ "role": "assistant", "content": "Hi", "reasoning_details": details }] });
        let body = message(&[&detail("c2VhbA=="), &detail("b3du")]);
        assert_eq!(without(Dialect::OpenaiChat, "openai/gpt-5.5", &body), message(&[&detail("b3du")]));
        let bare = json!({ "messages": [{ "role": "assistant", "content": "Hi" }] });
        assert_eq!(without(Dialect::OpenaiChat, "openai/gpt-5.5", &message(&[&detail("c2VhbA==")])), bare);
    }

    #[test]
    fn a_chat_call_of_gemini_says_that_its_seal_is_gone() {
        let call = |seal: &str| json!({ "id": "c", "extra_content": { "google": { "thought_signature": seal } } });
        let body = |seal: &str| json!({ "messages": [{ "role": "assistant", "tool_calls": [call(seal)] }] });
        assert_eq!(without(Dialect::OpenaiChat, "gemini-3.8-flash", &body("c2VhbA==")), body(NO_SEAL));
    }
}
