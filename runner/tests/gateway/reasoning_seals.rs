//! Sealed reasoning in conversations: it goes back to the account that sealed it, and where that is not possible the
//! conversation goes on without it.

use serde_json::{Value, json};

use crate::callers::DIALECTS;
use crate::common::{Gateway, Host, Request, Response, TOKEN};
use crate::upstream::{Answer, Upstream};

both_hosts![
    a_session_stays_with_the_account_that_sealed_its_reasoning,
    a_session_whose_account_is_gone_goes_on_without_the_reasoning,
    what_another_provider_sealed_is_left_out_in_every_dialect,
    a_conversation_made_shorter_stays_with_its_account_and_is_never_left_out,
];

const SEAL: &str = "c2VhbGVkLXJlYXNvbmluZw";

/// What a provider answers: reasoning that it seals, and a call of a tool.
fn answer(dialect: &str) -> String {
    let usage = json!({ "input_tokens": 1, "output_tokens": 7, "total_tokens": 8 });
    let answer = match dialect {
        "anthropic" => json!({ "id": "1", "type": "message", "role": "assistant", "model": "up", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": SEAL },
            { "type": "tool_use", "id": "call_1", "name": "look", "input": { "at": "it" } },
        ], "stop_reason": "tool_use", "usage": { "input_tokens": 1, "output_tokens": 7 } }),
        "openai-responses" => {
            json!({ "id": "r", "object": "response", "status": "completed", "error": null, "output": [
            { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SEAL },
            { "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{\"at\":\"it\"}" },
        ], "usage": usage })
        }
        "gemini" => {
            json!({ "candidates": [{ "index": 0, "finishReason": "STOP", "content": { "role": "model", "parts": [
            { "functionCall": { "name": "look", "args": { "at": "it" } }, "thoughtSignature": SEAL },
        ] } }], "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 7, "totalTokenCount": 8 } })
        }
        _ => {
            json!({ "id": "c", "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": null,
            "reasoning_details": [{ "type": "reasoning.encrypted", "data": SEAL, "index": 0 }],
            "tool_calls": [{ "id": "call_1", "type": "function", "function": { "name": "look", "arguments": "{\"at\":\"it\"}" } }],
        } }], "usage": { "prompt_tokens": 1, "completion_tokens": 7, "total_tokens": 8 } })
        }
    };
    answer.to_string()
}

/// The first call of a session; with an answer it is the next one, which says what the tool returned.
fn call(dialect: &str, model: &str, answered: Option<&Value>) -> Request {
    let schema = json!({ "type": "object", "properties": { "at": { "type": "string" } } });
    let (path, name, mut body) = match dialect {
        "anthropic" => {
            let tool = json!({ "name": "look", "input_schema": schema });
            (
                "/v1/messages".to_owned(),
                "messages",
                json!({ "model": model, "max_tokens": 999, "tools": [tool],
                "thinking": { "type": "adaptive" }, "messages": [{ "role": "user", "content": "Hi" }] }),
            )
        }
        "openai-responses" => {
            let tool = json!({ "type": "function", "name": "look", "parameters": schema });
            (
                "/v1/responses".to_owned(),
                "input",
                json!({ "model": model, "store": false, "tools": [tool],
                "include": ["reasoning.encrypted_content"], "input": [{ "role": "user", "content": "Hi" }] }),
            )
        }
        "gemini" => {
            let tool = json!({ "functionDeclarations": [{ "name": "look", "parametersJsonSchema": schema }] });
            let body = json!({ "tools": [tool], "generationConfig": { "thinkingConfig": { "includeThoughts": true } },
                "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] });
            (format!("/v1beta/models/{model}:generateContent"), "contents", body)
        }
        _ => {
            let tool = json!({ "type": "function", "function": { "name": "look", "parameters": schema } });
            (
                "/v1/chat/completions".to_owned(),
                "messages",
                json!({ "model": model, "tools": [tool],
                "messages": [{ "role": "user", "content": "Hi" }] }),
            )
        }
    };
    if let Some(answered) = answered {
        body[name].as_array_mut().expect("a conversation").extend(next(dialect, answered));
    }
    Request::new("POST", &path).key(TOKEN).json(body.to_string())
}

fn next(dialect: &str, answered: &Value) -> Vec<Value> {
    match dialect {
        "anthropic" => {
            let blocks = answered["content"].as_array().expect("content");
            let call = blocks.iter().find(|block| block["type"] == "tool_use").expect("a call");
            let result = json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "seen" });
            vec![json!({ "role": "assistant", "content": blocks }), json!({ "role": "user", "content": [result] })]
        }
        "openai-responses" => {
            let mut items = answered["output"].as_array().expect("items").clone();
            let call = items.iter().find(|item| item["type"] == "function_call").expect("a call");
            items.push(json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "seen" }));
            items
        }
        "gemini" => {
            let content = answered["candidates"][0]["content"].clone();
            let response = json!({ "functionResponse": { "name": "look", "response": { "result": "seen" } } });
            vec![content, json!({ "role": "user", "parts": [response] })]
        }
        _ => {
            let message = answered["choices"][0]["message"].clone();
            let id = message["tool_calls"][0]["id"].clone();
            vec![message, json!({ "role": "tool", "tool_call_id": id, "content": "seen" })]
        }
    }
}

fn provider(name: &str, dialect: &str, upstream: &Upstream, keys: &str) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\nlocal = true\ndialect = \"{dialect}\"\nauth = \"bearer\"\nbase_url = \"{}/v1\"\n\
         credentials = [{keys}]\n",
        upstream.url()
    )
}

fn model(provider: &str, upstream_model: &str) -> String {
    format!("[[models]]\nname = \"m\"\ntargets = [\"{provider}/{upstream_model}\"]\n")
}

/// The key of the last request, and whether it held the seal.
fn last(upstream: &Upstream) -> (String, bool) {
    let received = upstream.received().pop().expect("a request");
    let key = received.header("authorization").expect("a key").to_owned();
    (key, String::from_utf8_lossy(&received.body).contains(SEAL))
}

fn answered(gateway: &Gateway, response: &Response) -> Value {
    assert_eq!(response.status, 200, "{}", response.text());
    gateway.record(response);
    response.json()
}

fn lost(gateway: &Gateway, response: &Response) -> bool {
    let record = gateway.record(response);
    let warnings = record["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().any(|warning| warning == "dropped: reasoning that another model or account sealed")
}

/// Providers whose models seal for the account, and such a model of each.
const BOUND: [(&str, &str); 2] = [("anthropic", "claude-sonnet-5-5"), ("openai-responses", "gpt-5.5")];

const THREE_KEYS: &str = r#""sk-one-1111", "sk-two-2222", "sk-three-3333""#;

fn a_session_stays_with_the_account_that_sealed_its_reasoning(host: Host) {
    for (dialect, name) in BOUND {
        let upstream = Upstream::answering(Answer::json(200, &answer(dialect)));
        let catalog = provider("a", dialect, &upstream, THREE_KEYS) + &model("a", name);
        let gateway = Gateway::on(host).catalog(&catalog).start();
        for caller in DIALECTS {
            let first = answered(&gateway, &gateway.send(&call(caller, "m", None)));
            let (key, _) = last(&upstream);
            for _ in 0..5 {
                let response = gateway.send(&call(caller, "m", Some(&first)));
                answered(&gateway, &response);
                assert_eq!(last(&upstream), (key.clone(), true), "{caller} to {dialect}");
                assert!(!lost(&gateway, &response), "{caller} to {dialect}");
            }
        }
    }
}

fn a_session_whose_account_is_gone_goes_on_without_the_reasoning(host: Host) {
    for ((dialect, name), caller) in BOUND.iter().flat_map(|bound| DIALECTS.map(|caller| (*bound, caller))) {
        let upstream = Upstream::answering(Answer::json(200, &answer(dialect)));
        let with_keys = |keys: &str| provider("a", dialect, &upstream, keys) + &model("a", name);
        let gateway = Gateway::on(host).catalog(&with_keys(r#""sk-one-1111""#)).start();
        let first = answered(&gateway, &gateway.send(&call(caller, "m", None)));
        assert_eq!(gateway.put_catalog(&with_keys(r#""sk-two-2222""#)).status, 200);
        let gateway = gateway.settled();
        let response = gateway.send(&call(caller, "m", Some(&first)));
        answered(&gateway, &response);
        assert_eq!(last(&upstream), ("Bearer sk-two-2222".to_owned(), false), "{caller} to {dialect}");
        assert!(lost(&gateway, &response), "{caller} to {dialect}");
    }
}

fn what_another_provider_sealed_is_left_out_in_every_dialect(host: Host) {
    let bound = BOUND.iter().flat_map(|bound| DIALECTS.map(|caller| (*bound, caller)));
    let gemini = DIALECTS.map(|caller| (("gemini", "gemini-3.8-flash"), caller));
    // Seals in chat are only handed to callers of chat.
    let chat = [(("openai-chat", "google/gemini-3.8-flash"), "openai-chat")];
    for ((dialect, name), caller) in bound.chain(gemini).chain(chat) {
        let upstreams = [0, 1].map(|_| Upstream::answering(Answer::json(200, &answer(dialect))));
        let [a, b] = ["a", "b"].map(|provider| model(provider, name));
        let both = provider("a", dialect, &upstreams[0], "\"sk-one-1111\"")
            + &provider("b", dialect, &upstreams[1], "\"sk-two-2222\"");
        let gateway = Gateway::on(host).catalog(&(both.clone() + &a)).start();
        let first = answered(&gateway, &gateway.send(&call(caller, "m", None)));
        assert_eq!(gateway.put_catalog(&(both + &b)).status, 200);
        let gateway = gateway.settled();
        let response = gateway.send(&call(caller, "m", Some(&first)));
        answered(&gateway, &response);
        assert!(!last(&upstreams[1]).1, "{caller} to {dialect}");
        assert!(lost(&gateway, &response), "{caller} to {dialect}");
    }
}

fn a_conversation_made_shorter_stays_with_its_account_and_is_never_left_out(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, &answer("openai-responses")));
    let with_keys = |keys: &str| provider("a", "openai-responses", &upstream, keys) + &model("a", "gpt-5.5");
    let gateway = Gateway::on(host).catalog(&with_keys(THREE_KEYS)).start();
    let request = |path: &str, items: &[Value]| {
        let input = [items.to_vec(), vec![json!({ "role": "user", "content": "Go on" })]].concat();
        let body = json!({ "model": "m", "input": input });
        Request::new("POST", path).key(TOKEN).json(body.to_string())
    };
    let shorter = json!({ "type": "compaction", "id": "cmp_1", "encrypted_content": SEAL });
    answered(&gateway, &gateway.send(&request("/v1/responses/compact", &[])));
    let (key, _) = last(&upstream);
    for _ in 0..5 {
        answered(&gateway, &gateway.send(&request("/v1/responses", std::slice::from_ref(&shorter))));
        assert_eq!(last(&upstream), (key.clone(), true));
    }
    assert_eq!(gateway.put_catalog(&with_keys(r#""sk-four-4444""#)).status, 200);
    let gateway = gateway.settled();
    let thought = json!({ "type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": SEAL });
    let response = gateway.send(&request("/v1/responses/compact", &[shorter, thought]));
    answered(&gateway, &response);
    assert!(lost(&gateway, &response));
    let sent = String::from_utf8(upstream.received().pop().expect("a request").body).expect("text");
    assert_eq!((sent.contains("cmp_1"), sent.contains("rs_2")), (true, false), "{sent}");
}
