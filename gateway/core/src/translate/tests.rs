//! Nothing that is inserted today is missing tomorrow: the translation of a conversation that goes on begins with the
//! translation of what it was before. Providers keep prefixes, and some refuse reasoning behind a prefix that changed.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Direction, request};
use crate::dialect::Dialect;
use crate::profile::Profile;
use crate::reasoning_seals::Readable;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
enum Turn {
    User(String),
    System(String),
    Assistant(String),
    /// Reasoning, and calls of tools.
    Calls(Vec<String>),
    /// Results of the calls with these ids.
    Results(Vec<String>),
}

impl Turn {
    fn is_of_model(&self) -> bool {
        matches!(self, Turn::Assistant(_) | Turn::Calls(_))
    }
}

/// Whole turns: what is asked, what the model calls and what comes of it, and what it says in the end.
fn conversation() -> impl Strategy<Value = Vec<Turn>> {
    let words = || prop_oneof!["[a-z]{1,6}", "[a-z]{1,6} \n", Just("JSON ".to_owned())];
    let ids = || prop::collection::vec("[ab]", 1..3);
    // Some results never come, come late or belong to no call.
    let tools = (ids(), prop::option::of(words()), prop::option::of(ids())).prop_map(|(called, wait, answered)| {
        let wait = wait.map(Turn::User);
        [Some(Turn::Calls(called.clone())), wait, Some(Turn::Results(answered.unwrap_or(called)))]
    });
    let end = (words(), prop::option::of(words()));
    let turn = (prop::option::of(words()), words(), prop::collection::vec(tools, 0..3), prop::option::of(end));
    let messages = turn.prop_map(|(system, question, tools, end)| {
        let (first, second) = end.unzip();
        let asks = system.map(Turn::System).into_iter().chain([Turn::User(question)]);
        let ends = first.into_iter().chain(second.flatten()).map(Turn::Assistant);
        asks.chain(tools.into_iter().flatten().flatten()).chain(ends).collect::<Vec<_>>()
    });
    prop::collection::vec(messages, 1..4).prop_map(|turns| turns.concat())
}

/// The request of a conversation in each dialect.
fn written(dialect: Dialect, turns: &[Turn]) -> Value {
    let schema = json!({ "type": "object", "properties": { "x": { "type": "string" } } });
    let messages: Vec<Value> = turns.iter().flat_map(|turns| message(dialect, turns)).collect();
    match dialect {
        Dialect::OpenaiChat => {
            json!({ "model": "m", "messages": messages, "response_format": { "type": "json_object" },
            "tools": [{ "type": "function", "function": { "name": "look at", "parameters": schema } }] })
        }
        Dialect::OpenaiResponses => json!({ "model": "m", "input": messages, "store": false,
            "tools": [{ "type": "function", "name": "look at", "parameters": schema }] }),
        Dialect::Anthropic => json!({ "model": "m", "max_tokens": 99, "system": "Be brief.", "messages": messages,
            "thinking": { "type": "adaptive" }, "tools": [{ "name": "look at", "input_schema": schema }] }),
        Dialect::Gemini => json!({ "contents": messages, "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "tools": [{ "functionDeclarations": [{ "name": "look at", "parametersJsonSchema": schema }] }] }),
    }
}

fn message(dialect: Dialect, turn: &Turn) -> Vec<Value> {
    let call =
        |id: &String| json!({ "id": id, "type": "function", "function": { "name": "look at", "arguments": "{}" } });
    match (dialect, turn) {
        (Dialect::OpenaiChat, Turn::User(text)) => vec![json!({ "role": "user", "content": text })],
        (Dialect::OpenaiChat, Turn::System(text)) => vec![json!({ "role": "system", "content": text })],
        (Dialect::OpenaiChat, Turn::Assistant(text)) => vec![json!({ "role": "assistant", "content": text })],
        (Dialect::OpenaiChat, Turn::Calls(ids)) => {
            let calls: Vec<Value> = ids.iter().map(call).collect();
            vec![json!({ "role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": calls })]
        }
        (Dialect::OpenaiChat, Turn::Results(ids)) => {
            ids.iter().map(|id| json!({ "role": "tool", "tool_call_id": id, "content": "done" })).collect()
        }
        (Dialect::OpenaiResponses, Turn::User(text)) => vec![json!({ "role": "user", "content": text })],
        (Dialect::OpenaiResponses, Turn::System(text)) => vec![json!({ "role": "developer", "content": text })],
        (Dialect::OpenaiResponses, Turn::Assistant(text)) => vec![json!({ "role": "assistant", "content": text })],
        (Dialect::OpenaiResponses, Turn::Calls(ids)) => {
            let call = |id| json!({ "type": "function_call", "call_id": id, "name": "look at", "arguments": "{}" });
            ids.iter().map(call).collect()
        }
        (Dialect::OpenaiResponses, Turn::Results(ids)) => {
            ids.iter().map(|id| json!({ "type": "function_call_output", "call_id": id, "output": "done" })).collect()
        }
        (Dialect::Anthropic, Turn::User(text)) => vec![json!({ "role": "user", "content": text })],
        (Dialect::Anthropic, Turn::System(text)) => vec![json!({ "role": "system", "content": text })],
        (Dialect::Anthropic, Turn::Assistant(text)) => vec![json!({ "role": "assistant", "content": text })],
        (Dialect::Anthropic, Turn::Calls(ids)) => {
            let thinking = json!({ "type": "thinking", "thinking": "Hm.", "signature": "c2VhbA==" });
            let calls = ids.iter().map(|id| json!({ "type": "tool_use", "id": id, "name": "look at", "input": {} }));
            let blocks: Vec<Value> = std::iter::once(thinking).chain(calls).collect();
            vec![json!({ "role": "assistant", "content": blocks })]
        }
        (Dialect::Anthropic, Turn::Results(ids)) => {
            let result = |id| json!({ "type": "tool_result", "tool_use_id": id, "content": "done" });
            let results: Vec<Value> = ids.iter().map(result).collect();
            vec![json!({ "role": "user", "content": results })]
        }
        (Dialect::Gemini, Turn::User(text) | Turn::System(text)) => {
            vec![json!({ "role": "user", "parts": [{ "text": text }] })]
        }
        (Dialect::Gemini, Turn::Assistant(text)) => vec![json!({ "role": "model", "parts": [{ "text": text }] })],
        (Dialect::Gemini, Turn::Calls(ids)) => {
            let call = |id| json!({ "functionCall": { "id": id, "name": "look at", "args": {} }, "thoughtSignature": "c2VhbA==" });
            let calls: Vec<Value> = ids.iter().map(call).collect();
            vec![json!({ "role": "model", "parts": calls })]
        }
        (Dialect::Gemini, Turn::Results(ids)) => {
            let result =
                |id| json!({ "functionResponse": { "id": id, "name": "look at", "response": { "result": "done" } } });
            let results: Vec<Value> = ids.iter().map(result).collect();
            vec![json!({ "role": "user", "parts": results })]
        }
    }
}

/// What a model reads, piece by piece: who says it, and the piece. Marks for caching are not read.
fn pieces(request: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let first = ["system", "instructions", "systemInstruction"].iter().filter_map(|name| request.get(name));
    found.extend(first.flat_map(|value| parts("system", value)));
    let lists = ["messages", "input", "contents"].iter().filter_map(|name| request.get(name)?.as_array());
    for message in lists.flatten() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or("item");
        let value = ["content", "parts"].iter().find_map(|name| message.get(name));
        let mut rest = message.clone();
        for name in ["content", "parts", "role"] {
            rest.as_object_mut().expect("a message").shift_remove(name);
        }
        if rest.get("type").is_some_and(|kind| kind == "message") {
            rest = json!({});
        }
        found.extend(value.into_iter().flat_map(|value| parts(role, value)));
        if rest.as_object().is_some_and(|rest| !rest.is_empty()) {
            found.push((role.to_owned(), rest));
        }
    }
    found
}

fn parts(role: &str, value: &Value) -> Vec<(String, Value)> {
    let list = match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        Value::Object(content) if content.contains_key("parts") => content["parts"].as_array().expect("parts").clone(),
        text => vec![json!({ "type": "text", "text": text })],
    };
    let unmarked = |mut part: Value| {
        if let Some(members) = part.as_object_mut() {
            members.shift_remove("cache_control");
        }
        (role.to_owned(), part)
    };
    list.into_iter().map(unmarked).collect()
}

/// The conversations that were sent to get this one: up to each answer of the model, and all of it.
fn sent(turns: &[Turn]) -> Vec<&[Turn]> {
    let is_end = |at: &usize| *at == turns.len() || turns.get(*at).is_some_and(Turn::is_of_model);
    (1..=turns.len()).filter(is_end).filter_map(|at| turns.get(..at)).collect()
}

const MODELS: [(Dialect, &[&str]); 4] = [
    (Dialect::OpenaiChat, &["m", "gpt-5.1", "deepseek-v4-pro", "anthropic/claude-opus-5.5", "mistral-medium-3.5"]),
    (Dialect::OpenaiResponses, &["gpt-5.5", "gpt-6.2-sol"]),
    (Dialect::Anthropic, &["claude-sonnet-4-5", "claude-opus-5-5", "kimi-k2.6"]),
    (Dialect::Gemini, &["gemini-2.5-pro", "gemini-3.8-flash"]),
];

fn stays(turns: &[Turn], from: Dialect, to: Dialect, model: &str) {
    let mut before: Vec<(String, Value)> = Vec::new();
    for turns in sent(turns) {
        let direction = Direction { from, to, model, profile: model, streamed: false, readable: Readable::default() };
        let body = written(from, turns).to_string();
        let translated = request(direction, body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {body}"));
        let now = pieces(&serde_json::from_slice(&translated.body).expect("JSON"));
        assert!(now.starts_with(&before), "{} to {model}:\n{body}\n{before:#?}\n{now:#?}", from.name());
        before = now;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_conversation_that_goes_on_begins_as_it_did_before(turns in conversation()) {
        for (from, (to, models)) in Dialect::ALL.iter().flat_map(|from| MODELS.iter().map(move |to| (*from, to))) {
            if from == *to {
                continue;
            }
            for model in *models {
                // Two messages of the model are one turn where they cannot be told from one, and where the model goes on
                // with its own text.
                let tells_turns = from.room().messages_are_turns && !Profile::of(model, *to).prefill;
                let has_two = turns.windows(2).any(|two| matches!(two, [Turn::Assistant(_), Turn::Assistant(_)]));
                if tells_turns || !has_two {
                    stays(&turns, from, *to, model);
                }
            }
        }
    }
}
