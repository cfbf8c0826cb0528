mod stream_options;

use std::sync::Arc;

use super::*;
use crate::accept;
use crate::catalog::{Catalog, Document};
use crate::headers::{HOPS, hops};
use crate::operation::Operation;

const IDENTITY: ResponseIdentity<'_> =
    ResponseIdentity { id: "r-1", created_s: 7, pace: Pace::none(), makers: None, translates: true };

/// The first target with the first credential.
fn first(catalog: &Catalog) -> AttemptParts<'_> {
    let target = &catalog.models[0].targets[0];
    let credential = target.provider.credentials.first().map(Arc::as_ref);
    AttemptParts {
        target,
        provider: &target.provider,
        upstream_model: target.model.as_deref().expect("a name"),
        credential,
    }
}

fn sent(providers: &str, body: &str, headers: &[(&str, &str)]) -> Outgoing {
    let text = format!(
        "providers = [{{ name = \"p\", {providers} }}]\nmodels = [{{ name = \"m\", targets = [\"p/up/stream\"] }}]"
    );
    let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    let call = accept::call(Operation::Chat, accept::Head::default(), body.as_bytes().to_vec()).expect("a valid body");
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let to = first(&catalog);
    match request(&call, &headers, to, IDENTITY, false).expect("a request") {
        Destination::Http(outgoing) => *outgoing,
        Destination::Echo(_) => panic!("not the echo provider"),
    }
}

/// A call of this operation to a provider that speaks each dialect, and what of it goes out.
fn sent_as(operation: Operation, head: accept::Head<'_>, body: &[u8], headers: &[(&str, &str)]) -> Outgoing {
    const PROVIDER: &str = r#"providers = [{ name = "p", credentials = ["sk-1"], forward_headers = ["X-Mine"],
        endpoints = { openai-chat = "https://c.example/v1", openai-responses = "https://r.example/v1",
        anthropic = "https://a.example", gemini = "https://g.example" } }]
        models = [{ name = "m", targets = ["p/up/stream?1"] }]"#;
    let catalog = Document::from_toml(PROVIDER).and_then(|document| document.validate()).expect("a valid catalog");
    let call = accept::call(operation, head, body.to_vec()).expect("a valid call");
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let to = first(&catalog);
    match request(&call, &headers, to, IDENTITY, false).expect("a request") {
        Destination::Http(outgoing) => *outgoing,
        Destination::Echo(_) => panic!("not the echo provider"),
    }
}

fn path_model(query: Option<&str>) -> accept::Head<'_> {
    accept::Head { model: Some("m".into()), query, ..accept::Head::default() }
}

#[test]
fn each_dialect_goes_to_its_own_address_with_its_own_credential() {
    let body = br#"{"model":"m","max_tokens":1}"#;
    let anthropic = sent_as(
        Operation::Messages,
        accept::Head { query: Some("beta=true&x=1"), ..accept::Head::default() },
        body,
        &[("anthropic-beta", "b"), ("openai-beta", "o"), ("x-mine", "1")],
    );
    assert_eq!((anthropic.authority.as_str(), anthropic.path.as_str()), ("a.example", "/v1/messages?beta=true"));
    assert_eq!(header(&anthropic, "x-api-key"), Some("sk-1"));
    assert_eq!(header(&anthropic, "anthropic-version"), Some("2023-06-01"));
    assert_eq!((header(&anthropic, "anthropic-beta"), header(&anthropic, "openai-beta")), (Some("b"), None));
    assert_eq!(header(&anthropic, "x-mine"), Some("1"));
    let responses = sent_as(Operation::Responses, accept::Head::default(), body, &[("anthropic-version", "x")]);
    assert_eq!((responses.authority.as_str(), responses.path.as_str()), ("r.example", "/v1/responses"));
    assert_eq!(
        (header(&responses, "authorization"), header(&responses, "anthropic-version")),
        (Some("Bearer sk-1"), None)
    );
    let version = [("anthropic-version", "2026-10-21")];
    let count = sent_as(Operation::CountTokens, accept::Head::default(), body, &version);
    assert_eq!(count.path, "/v1/messages/count_tokens");
    assert_eq!(header(&count, "anthropic-version"), Some("2026-10-21"));
}

#[test]
fn gemini_has_the_model_in_the_path_and_streams_as_the_client_asked() {
    let sent = |operation, query| sent_as(operation, path_model(query), br#"{"contents":[]}"#, &[]);
    let whole = sent(Operation::Generate, Some("key=sk-llmio-client"));
    assert_eq!(whole.path, "/v1beta/models/up/stream%3F1:generateContent");
    assert_eq!(header(&whole, "x-goog-api-key"), Some("sk-1"));
    assert_eq!(whole.body, br#"{"contents":[]}"#);
    let events = sent(Operation::StreamGenerate, Some("alt=sse"));
    assert_eq!(events.path, "/v1beta/models/up/stream%3F1:streamGenerateContent?alt=sse");
    assert_eq!(sent(Operation::StreamGenerate, None).path, "/v1beta/models/up/stream%3F1:streamGenerateContent");
}

#[test]
fn a_name_that_geminis_body_repeats_is_replaced_wherever_it_stands() {
    let batch = br#"{"requests":[{"model":"models/m","content":{}}, {"content":{"model":"x"},"model": "models/m"}]}"#;
    let outgoing = sent_as(Operation::BatchEmbedContents, path_model(None), batch, &[]);
    let expected = r#"{"requests":[{"model":"models/up/stream?1","content":{}}, {"content":{"model":"x"},"model": "models/up/stream?1"}]}"#;
    assert_eq!(String::from_utf8(outgoing.body).expect("text"), expected);
    let count = br#"{"generateContentRequest":{"model":"models/m"}}"#;
    let outgoing = sent_as(Operation::GeminiCountTokens, path_model(None), count, &[]);
    assert_eq!(outgoing.body, br#"{"generateContentRequest":{"model":"models/up/stream?1"}}"#);
}

#[test]
fn a_form_changes_in_its_field_model_alone() {
    let form = |model: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\"model\"\r\n--b\r\n\
             Content-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b--\r\n"
        )
    };
    let media_type = "multipart/form-data; boundary=b";
    let head = accept::Head { content_type: media_type.as_bytes(), ..accept::Head::default() };
    let outgoing = sent_as(Operation::Transcriptions, head, form("m").as_bytes(), &[("content-type", media_type)]);
    assert_eq!(outgoing.path, "/v1/audio/transcriptions");
    assert_eq!(header(&outgoing, "content-type"), Some(media_type));
    assert_eq!(String::from_utf8(outgoing.body).expect("text"), form("up/stream?1"));
}

#[test]
fn a_deployment_in_the_path_becomes_the_model_of_the_body() {
    for (body, expected) in [
        ("{}", r#"{"model":"up/stream?1"}"#),
        (" { \"n\":1}", r#" {"model":"up/stream?1", "n":1}"#),
        (r#"{"n":1,"model":"other"}"#, r#"{"n":1,"model":"up/stream?1"}"#),
    ] {
        let outgoing = sent_as(Operation::Chat, path_model(None), body.as_bytes(), &[]);
        assert_eq!(String::from_utf8(outgoing.body).expect("text"), expected);
    }
}

#[test]
fn a_chat_stream_is_asked_for_its_usage_where_the_client_did_not() {
    for (body, expected) in [
        (
            "{\"model\":\"m\",\"stream\":true\n}\n",
            "{\"model\":\"up/stream\",\"stream\":true\n,\"stream_options\":{\"include_usage\":true}}\n",
        ),
        (
            r#"{"stream_options":{"x":[1], "include_usage":false},"model":"m","stream":true}"#,
            r#"{"stream_options":{"x":[1],"include_usage":true},"model":"up/stream","stream":true}"#,
        ),
        (
            r#"{"stream_options":null,"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"up/stream","stream":true}"#,
        ),
        (
            r#"{"model":"m","stream":true,"session_id":"s"}"#,
            r#"{"model":"up/stream","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (r#"{"model":"m","stream":false}"#, r#"{"model":"up/stream","stream":false}"#),
    ] {
        assert_eq!(String::from_utf8(sent(PLAIN, body, &[]).body).expect("text"), expected);
    }
    let streamed = r#"{"model":"m","stream":true,"stream_options":{ "include_usage": true }}"#;
    assert_eq!(sent(PLAIN, streamed, &[]).body, streamed.replace("\"m\"", "\"up/stream\"").into_bytes());
}

fn header<'o>(outgoing: &'o Outgoing, name: &str) -> Option<&'o str> {
    let found = outgoing.headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| std::str::from_utf8(value).expect("text"))
}

const PLAIN: &str = r#"base_url = "https://p.example:8443/api/v1/", credentials = ["sk-1"]"#;

#[test]
fn only_the_value_of_model_changes() {
    let body = "{\n  \"n\": 1.0e+02, \"model\":\t\"m\", \"x\": [1,  2],\"y\":\"\\ud83d\\ude00\" }\n";
    let outgoing = sent(PLAIN, body, &[]);
    assert_eq!(String::from_utf8(outgoing.body).expect("text"), body.replace("\"m\"", "\"up/stream\""));
}

#[test]
fn a_session_id_stays_here_wherever_it_stands() {
    for (body, rest) in [
        (r#"{"session_id": "s" , "model":"m","n":1}"#, r#"{ "model":"up/stream","n":1}"#),
        (r#"{"n":1, "session_id":{"a":[1,2]},"model":"m"}"#, r#"{"n":1, "model":"up/stream"}"#),
        (r#"{"model":"m" , "session_id":null }"#, r#"{"model":"up/stream"  }"#),
        (r#"{"metadata":{"session_id":"s"},"model":"m"}"#, r#"{"metadata":{"session_id":"s"},"model":"up/stream"}"#),
        (r#"{"model":"session_id"}"#, r#"{"model":"up/stream"}"#),
    ] {
        let outgoing = sent(PLAIN, body, &[]);
        assert_eq!(String::from_utf8(outgoing.body).expect("text"), rest, "of {body}");
    }
}

#[test]
fn a_model_name_with_quotes_stays_one_json_string() {
    let body = br#"{"model":"m"}"#.to_vec();
    let call = accept::call(Operation::Chat, accept::Head::default(), body).expect("a valid body");
    assert_eq!(body_for(&call, "a\"b\\c", None), br#"{"model":"a\"b\\c"}"#);
}

#[test]
fn the_path_is_the_base_url_and_the_operation() {
    let outgoing = sent(PLAIN, r#"{"model":"m"}"#, &[]);
    assert!(outgoing.tls);
    assert_eq!((outgoing.authority.as_str(), outgoing.path.as_str()), ("p.example:8443", "/api/v1/chat/completions"));
}

#[test]
fn the_content_length_is_that_of_the_new_body() {
    let outgoing = sent(PLAIN, r#"{"model":"m"}"#, &[("content-length", "13")]);
    assert_eq!(header(&outgoing, "content-length"), Some(outgoing.body.len().to_string().as_str()));
}

#[test]
fn nothing_but_the_allowed_headers_travels_on() {
    let client = [
        ("authorization", "Bearer sk-llmio-client"),
        ("x-api-key", "sk-llmio-client"),
        ("cookie", "a=b"),
        ("host", "llmio"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-llmio-host", "call=1; local"),
        ("x-stainless-lang", "python"),
        ("openai-beta", "assistants=v2"),
        ("traceparent", "00-1"),
        ("idempotency-key", "k"),
    ];
    let outgoing = sent(PLAIN, r#"{"model":"m"}"#, &client);
    let mut names: Vec<&str> = outgoing.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "idempotency-key",
            "openai-beta",
            "traceparent",
            "user-agent",
            "x-llmio-hops",
        ]
    );
    assert_eq!(header(&outgoing, "authorization"), Some("Bearer sk-1"));
}

#[test]
fn a_credential_is_presented_the_way_its_provider_wants_it() {
    let with = |auth: &str| {
        let provider = format!(r#"base_url = "https://p.example", credentials = ["s+k/1"], auth = "{auth}""#);
        sent(&provider, r#"{"model":"m"}"#, &[])
    };
    assert_eq!(header(&with("bearer"), "authorization"), Some("Bearer s+k/1"));
    assert_eq!(header(&with("x-api-key"), "x-api-key"), Some("s+k/1"));
    assert_eq!(header(&with("api-key"), "api-key"), Some("s+k/1"));
    assert_eq!(header(&with("x-goog-api-key"), "x-goog-api-key"), Some("s+k/1"));
    let outgoing = with("query");
    assert_eq!(outgoing.path, "/chat/completions?key=s%2Bk%2F1");
    assert_eq!(header(&outgoing, "authorization"), None);
}

#[test]
fn a_provider_without_credentials_gets_none() {
    let outgoing = sent(r#"base_url = "http://127.0.0.1:11434/v1", local = true"#, r#"{"model":"m"}"#, &[]);
    assert_eq!(header(&outgoing, "authorization"), None);
    assert!(outgoing.local && !outgoing.tls);
}

#[test]
fn a_providers_own_headers_win_over_the_clients() {
    let provider = r#"base_url = "https://p.example", headers = { x-title = "llmio", openai-beta = "mine" }"#;
    let outgoing = sent(provider, r#"{"model":"m"}"#, &[("openai-beta", "theirs")]);
    assert_eq!(header(&outgoing, "x-title"), Some("llmio"));
    assert_eq!(header(&outgoing, "openai-beta"), Some("mine"));
}

#[test]
fn hops_are_counted_up() {
    let outgoing = sent(PLAIN, r#"{"model":"m"}"#, &[(HOPS, "3")]);
    assert_eq!(header(&outgoing, HOPS), Some("4"));
    assert_eq!(hops(&[(HOPS.to_owned(), b"nonsense".to_vec())]), 0);
}

#[test]
fn account_ids_cookies_and_hop_by_hop_headers_stay_here() {
    let upstream = [
        "set-cookie",
        "server",
        "openai-organization",
        "connection",
        "transfer-encoding",
        "x-request-id",
        "content-type",
        "access-control-allow-origin",
        "x-llmio-record",
        "x-upstream-request-id",
        "x-ratelimit-remaining-requests",
    ];
    let upstream = upstream.iter().map(|name| ((*name).to_owned(), b"v".to_vec())).collect();
    let names: Vec<String> = downstream(upstream).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["content-type", "x-ratelimit-remaining-requests", "x-upstream-request-id"]);
}

#[test]
fn a_targets_profile_says_what_a_model_of_another_name_takes() {
    let body = br#"{"model":"m","max_completion_tokens":9,"reasoning_effort":"none","messages":[{"role":"user","content":"Hi"}]}"#;
    let sent = |target: &str| {
        let text = format!(
            r#"providers = [{{ name = "p", base_url = "https://p.example", dialect = "anthropic" }}]
            models = [{{ name = "m", targets = [{{ provider = "p", model = "ours"{target} }}] }}]"#
        );
        let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
        let call = accept::call(Operation::Chat, accept::Head::default(), body.to_vec()).expect("a valid body");
        let to = first(&catalog);
        match request(&call, &[], to, IDENTITY, false).expect("a request") {
            Destination::Http(outgoing) => String::from_utf8(outgoing.body).expect("text"),
            Destination::Echo(_) => panic!("not the echo provider"),
        }
    };
    assert!(sent("").contains(r#""thinking":{"type":"disabled"}"#));
    let profiled = sent(r#", profile = "claude-opus-5-5""#);
    assert!(profiled.contains(r#""model":"ours""#) && profiled.contains(r#""effort":"low""#), "{profiled}");
    assert!(!profiled.contains("disabled"), "{profiled}");
}

#[test]
fn what_chooses_another_model_is_held_back_from_limited_keys_alone() {
    let sent = |provider: &str, body: &str, is_limited: bool| {
        let text = format!(
            "models = [{{ name = \"m\", targets = [{{ provider = \"p\", model = \"up\", set = {{ route = \"own\" }} }}] }}]\n\
             [[providers]]\nname = \"p\"\nbase_url = \"https://p.example/v1\"\n{provider}"
        );
        let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
        let call = accept::call(Operation::Chat, accept::Head::default(), body.into()).expect("a call");
        match request(&call, &[], first(&catalog), IDENTITY, is_limited).expect("a request") {
            Destination::Http(outgoing) => (String::from_utf8(outgoing.body).expect("text"), outgoing.warnings.len()),
            Destination::Echo(_) => panic!("not the built-in provider"),
        }
    };
    let body = r#"{"model":"m","mod\u0065ls":["dear"],"provider":{"order":["x"]},"models":["dear"],"messages":[]}"#;
    let (limited, warnings) = sent("", body, true);
    let expected = r#"{"model":"up","messages":[],"route":"own"}"#;
    assert_eq!((limited.as_str(), warnings), (expected, 2), "what is set is the operator's own");
    for (provider, is_limited) in [("", false), ("forward_routing = true", true)] {
        let (whole, warnings) = sent(provider, body, is_limited);
        assert!(whole.contains(r#""models":["dear"]"#) && warnings == 0, "{provider}: {whole}");
    }
    let plain = r#"{"model":"m","messages":[{"role":"user","content":"models"}]}"#;
    assert_eq!(sent("", plain, true).1, 0);
}

/// Where a call of this operation and body goes: the path, and what is said of the effort.
fn asked_at(operation: Operation, model: &str, body: &str, translates: bool) -> (String, serde_json::Value) {
    let text = format!(
        r#"providers = [
            {{ name = "both", endpoints = {{ openai-chat = "https://c.example/v1", openai-responses = "https://c.example/v1" }} }},
            {{ name = "chat", base_url = "https://c.example/v1" }},
        ]
        models = [{{ name = "m", targets = ["{model}"] }}]"#
    );
    let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect("a valid catalog");
    let head = match operation.dialect() {
        Dialect::Gemini => path_model(None),
        _ => accept::Head::default(),
    };
    let call = accept::call(operation, head, body.as_bytes().to_vec()).expect("a valid call");
    let identity = ResponseIdentity { translates, ..IDENTITY };
    match request(&call, &[], first(&catalog), identity, false).expect("a request") {
        Destination::Http(outgoing) => {
            let sent: serde_json::Value = serde_json::from_slice(&outgoing.body).expect("JSON");
            let effort = sent.pointer("/reasoning/effort").or(sent.get("reasoning_effort")).cloned();
            (outgoing.path, effort.unwrap_or_default())
        }
        Destination::Echo(_) => panic!("not the echo provider"),
    }
}

#[test]
fn tools_of_a_model_that_reasons_go_to_responses_where_chat_refuses_them() {
    const TOOL: &str =
        r#""tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object","properties":{}}}}]"#;
    let members = r#""model":"m","messages":[{"role":"user","content":"Hi"}]"#;
    let chat = |more: &str| format!("{{{members}{more}}}");
    let (tools, high, none) = (format!(",{TOOL}"), r#","reasoning_effort":"high""#, r#","reasoning_effort":"none""#);
    for (model, body, path) in [
        ("both/gpt-5.4", chat(&tools), "/v1/responses"),
        ("both/gpt-5.4", chat(&format!("{tools}{high}")), "/v1/responses"),
        ("both/gpt-6-astra", chat(&tools), "/v1/responses"),
        // This one cannot be told not to reason.
        ("both/gpt-6-astra", chat(&format!("{tools}{none}")), "/v1/responses"),
        ("both/gpt-5.4", chat(&format!("{tools}{none}")), "/v1/chat/completions"),
        ("both/gpt-5.4", chat(""), "/v1/chat/completions"),
        ("both/gpt-5.4", chat(r#","tools":[]"#), "/v1/chat/completions"),
        ("both/gpt-5.4", chat(r#","tools":[ ],"functions":null"#), "/v1/chat/completions"),
        ("both/gpt-5.4", chat(r#","functions":[{"name":"t","parameters":{"type":"object"}}]"#), "/v1/responses"),
        ("both/gpt-4o", chat(&tools), "/v1/chat/completions"),
        ("both/openai/gpt-5.4", chat(&tools), "/v1/chat/completions"),
        ("chat/gpt-5.4", chat(&tools), "/v1/chat/completions"),
    ] {
        assert_eq!(asked_at(Operation::Chat, model, &body, true).0, path, "{model} {body}");
        assert_eq!(asked_at(Operation::Chat, model, &body, false).0, "/v1/chat/completions", "{model}");
    }
    assert_eq!(asked_at(Operation::Chat, "both/gpt-5.4", &chat(&format!("{tools}{high}")), true).1, "high");
}

#[test]
fn tools_of_callers_of_other_dialects_go_to_responses_as_well() {
    let anthropic = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"thinking":{"type":"adaptive"},
        "output_config":{"effort":"high"},"tools":[{"name":"t","input_schema":{"type":"object"}}]}"#;
    let gemini =
        r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"tools":[{"functionDeclarations":[{"name":"t"}]}]}"#;
    let without = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    for (operation, body, path) in [
        (Operation::Messages, anthropic, "/v1/responses"),
        (Operation::Generate, gemini, "/v1/responses"),
        (Operation::Messages, without, "/v1/chat/completions"),
    ] {
        assert_eq!(asked_at(operation, "both/gpt-5.4", body, true).0, path);
    }
    assert_eq!(asked_at(Operation::Messages, "both/gpt-5.4", anthropic, true).1, "high");
}

#[test]
fn what_a_client_relies_on_is_not_removed() {
    let body = r#"{"model":"m","max_tokens":9,"safeguards":[{"type":"dangerous_tool_use"}],"x":1,"messages":[]}"#;
    let text = r#"providers = [{ name = "p", preset = "anthropic", credentials = ["k"] }]
        models = [{ name = "m", targets = [{ provider = "p", model = "c", remove = ["x", "safeguards"],
        set = { "safeguards.type" = "none", safeguards = [] }, default = { safeguards = [1] } }] }]"#;
    let catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
    let call = accept::call(Operation::Messages, accept::Head::default(), body.as_bytes().to_vec()).expect("a call");
    assert!(call.has_safeguards);
    let Ok(Destination::Http(outgoing)) = request(&call, &[], first(&catalog), IDENTITY, false) else {
        panic!("it is sent")
    };
    let expected = r#"{"model":"c","max_tokens":9,"safeguards":[{"type":"dangerous_tool_use"}],"messages":[]}"#;
    assert_eq!(String::from_utf8_lossy(&outgoing.body), expected);
}
