//! What holds of every translation, whatever is in it.

use std::fs;
use std::path::Path;

use gateway_core::dialect::Dialect;
use gateway_core::reasoning_seals::Readable;
use gateway_core::translate::{self, AnswerContext, Direction, Stream};
use proptest::prelude::*;
use serde_json::{Value, json};

fn context() -> AnswerContext {
    AnswerContext { model: "m".to_owned(), id: "0198c0de".to_owned(), include_usage: true, ..AnswerContext::default() }
}

fn direction(from: Dialect, to: Dialect) -> Direction<'static> {
    Direction { from, to, model: "m", profile: "m", streamed: false, readable: Readable::default() }
}

fn request(from: Dialect, to: Dialect, body: &[u8]) -> Value {
    let translated = translate::request(direction(from, to), body).expect("it can be carried");
    serde_json::from_slice(&translated.body).expect("JSON comes out")
}

fn answer(from: Dialect, to: Dialect, body: &Value) -> Value {
    let written = translate::answer(from, to, &context(), body.to_string().as_bytes()).expect("it is an answer");
    serde_json::from_slice(&written).expect("JSON comes out")
}

/// Every file below `golden` of this ending.
fn goldens(ending: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == ending) {
                found.push(read(&path));
            }
        }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "core reads no files; its goldens are files")]
fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file")
}

/// What a stream of OpenAI chat says, put together.
fn contents(stream: &[u8]) -> (String, Vec<(String, String, String)>, Value) {
    let (mut text, mut calls, mut usage) = (String::new(), Vec::new(), Value::Null);
    for line in String::from_utf8_lossy(stream).lines() {
        let Some(Ok(chunk)) = line.strip_prefix("data: ").map(serde_json::from_str::<Value>) else { continue };
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
        let delta = &chunk["choices"][0]["delta"];
        text.push_str(delta["content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            if call["id"].is_string() {
                calls.push((word(&call["id"]), word(&call["function"]["name"]), String::new()));
            }
            if let Some((_, _, arguments)) = calls.last_mut() {
                arguments.push_str(&word(&call["function"]["arguments"]));
            }
        }
    }
    (text, calls, usage)
}

prop_compose! {
    // Long enough that no two of a conversation are alike: those are told apart, and do not come back as they were.
    fn call()(id in "[a-zA-Z0-9_]{8,20}", name in "[a-z_]{1,12}", key in "[a-z]{1,6}", value in any::<i32>()) -> Value {
        let arguments = json!({ key: value }).to_string();
        json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
    }
}

/// Each with an id of its own: those of one turn that share one are told apart, and do not come back alike.
fn calls() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(call(), 1..4).prop_map(|mut calls| {
        let mut seen = std::collections::HashSet::new();
        calls.retain(|call| seen.insert(call["id"].to_string()));
        calls
    })
}

prop_compose! {
    fn tool()(name in "[a-z_]{1,12}", description in "\\PC{0,20}", property in "[a-z]{1,8}") -> Value {
        let parameters = json!({ "type": "object", "properties": { property: { "type": "string" } } });
        json!({ "type": "function", "function": { "name": name, "description": description, "parameters": parameters } })
    }
}

/// No two of one name, which every provider refuses.
fn tools() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(tool(), 1..3).prop_map(|mut tools| {
        tools.dedup_by(|next, last| next["function"]["name"] == last["function"]["name"]);
        tools
    })
}

prop_compose! {
    fn turn()(question in "[^\\s]\\PC{0,20}", calls in calls(), results in prop::collection::vec("[^\\s]\\PC{0,9}", 4)) -> Vec<Value> {
        let mut messages = vec![
            json!({ "role": "user", "content": question }),
            json!({ "role": "assistant", "content": null, "tool_calls": calls }),
        ];
        for (call, result) in calls.iter().zip(results) {
            messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": result }));
        }
        messages.push(json!({ "role": "assistant", "content": "Done." }));
        messages
    }
}

proptest! {
    #[test]
    fn a_request_to_anthropic_and_back_keeps_tools_ids_and_text(
        turns in prop::collection::vec(turn(), 1..4),
        tools in tools(),
    ) {
        let body = json!({
            "model": "m",
            "messages": turns.concat(),
            "max_tokens": 100,
            "tools": tools,
            "tool_choice": "required",
            "parallel_tool_calls": false,
        });
        let there = request(Dialect::OpenaiChat, Dialect::Anthropic, body.to_string().as_bytes());
        let back = request(Dialect::Anthropic, Dialect::OpenaiChat, there.to_string().as_bytes());
        for member in ["messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens"] {
            prop_assert_eq!(&back[member], &body[member]);
        }
    }

    #[test]
    fn an_answer_to_anthropic_and_back_keeps_text_calls_and_usage(
        text in "\\PC{1,40}",
        calls in calls(),
        counts in (0u64..1 << 30, 0u64..1 << 20, 0u64..1 << 30, 0u64..1 << 20),
    ) {
        answers_and_comes_back(Dialect::Anthropic, &text, &calls, counts);
    }

    #[test]
    fn no_bytes_make_a_translation_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        try_everything(&bytes);
    }

    /// Every document there is, with one value in it replaced by another.
    #[test]
    fn no_document_makes_a_translation_panic(
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        with in value(),
    ) {
        let documents = goldens("json");
        let mut document: Value = serde_json::from_slice(pick.get::<Vec<u8>>(&documents)).expect("JSON");
        replace(&mut document, at, with);
        try_everything(document.to_string().as_bytes());
    }

    /// Every stream there is, with one value of one event replaced by another, or the event left out or repeated.
    #[test]
    fn no_stream_makes_a_translation_panic(
        pick in any::<prop::sample::Index>(),
        line in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        with in value(),
        times in 0usize..3,
    ) {
        let streams = goldens("sse");
        let stream = String::from_utf8_lossy(pick.get::<Vec<u8>>(&streams)).into_owned();
        let mut lines: Vec<String> = stream.lines().map(str::to_owned).collect();
        if !lines.is_empty() {
            let line = line.index(lines.len());
            if let Some(Ok(mut data)) = lines[line].strip_prefix("data: ").map(serde_json::from_str::<Value>) {
                replace(&mut data, at, with);
                lines[line] = vec![format!("data: {data}\n"); times].join("\n");
            }
        }
        try_everything(lines.join("\n").as_bytes());
    }
}

/// Texts, calls, results and tools, to another dialect and back. `strict` has another default in each dialect.
fn goes_and_comes_back(through: Dialect, turns: &[Vec<Value>], tools: &[Value]) {
    let tools: Vec<Value> = tools.iter().cloned().map(not_strict).collect();
    let body = json!({
        "model": "m", "messages": turns.concat(), "max_tokens": 100, "tools": tools, "tool_choice": "required",
    });
    let there = request(Dialect::OpenaiChat, through, body.to_string().as_bytes());
    let mut back = request(through, Dialect::OpenaiChat, there.to_string().as_bytes());
    if let Some(Value::Array(tools)) = back.get_mut("tools") {
        *tools = tools.drain(..).map(not_strict).collect();
    }
    for member in ["messages", "tools", "tool_choice", "max_tokens"] {
        assert_eq!(back[member], body[member], "{}", through.name());
    }
}

fn not_strict(mut tool: Value) -> Value {
    tool["function"]["strict"] = false.into();
    tool
}

/// An answer with text, calls and usage, whole and as a stream.
fn answers_and_comes_back(through: Dialect, text: &str, calls: &[Value], counts: (u64, u64, u64, u64)) {
    let (input, cached, output, reasoning) = counts;
    let usage = json!({
        "prompt_tokens": input + cached,
        "completion_tokens": output + reasoning,
        "total_tokens": input + cached + output + reasoning,
        "prompt_tokens_details": { "cached_tokens": cached },
        "completion_tokens_details": { "reasoning_tokens": reasoning },
    });
    let message = json!({ "role": "assistant", "content": text, "refusal": null, "tool_calls": calls });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "tool_calls" });
    let whole = json!({ "id": "chatcmpl-1", "model": "m", "choices": [choice], "usage": usage });
    let back = answer(through, Dialect::OpenaiChat, &answer(Dialect::OpenaiChat, through, &whole));
    assert_eq!(back["choices"][0]["message"], message, "{}", through.name());
    assert_eq!(back["choices"][0]["finish_reason"], "tool_calls", "{}", through.name());
    assert_eq!(back["usage"], usage, "{}", through.name());

    let body = whole.to_string();
    let there = translate::answer_as_stream(Dialect::OpenaiChat, through, &context(), body.as_bytes());
    let mut stream = Stream::new(through, Dialect::OpenaiChat, context());
    let mut back = stream.feed(&there.expect("it is an answer"));
    back.extend(stream.end());
    assert!(stream.is_finished(), "{}", through.name());
    let (text_back, calls_back, usage_back) = contents(&back);
    assert_eq!((text_back.as_str(), &usage_back), (text, &usage), "{}", through.name());
    let written = calls_back.into_iter().map(|(id, name, arguments)| {
        json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
    });
    assert_eq!(written.collect::<Vec<_>>(), calls, "{}", through.name());
}

proptest! {
    #[test]
    fn a_request_to_responses_or_gemini_and_back_keeps_tools_ids_and_text(
        turns in prop::collection::vec(turn(), 1..4),
        tools in tools(),
    ) {
        for through in [Dialect::OpenaiResponses, Dialect::Gemini] {
            goes_and_comes_back(through, &turns, &tools);
        }
    }

    #[test]
    fn an_answer_to_responses_or_gemini_and_back_keeps_text_calls_and_usage(
        text in "\\PC{1,40}",
        calls in calls(),
        counts in (1u64..1 << 30, 1u64..1 << 20, 1u64..1 << 30, 1u64..1 << 20),
    ) {
        for through in [Dialect::OpenaiResponses, Dialect::Gemini] {
            answers_and_comes_back(through, &text, &calls, counts);
        }
    }
}

#[test]
fn an_answer_of_openai_chat_that_its_provider_broke_off_is_none() {
    let answer = |reason: &str| {
        let message = json!({ "role": "assistant", "content": "The answer" });
        let body = json!({ "choices": [{ "index": 0, "message": message, "finish_reason": reason }] }).to_string();
        translate::answer(Dialect::OpenaiChat, Dialect::Gemini, &context(), body.as_bytes())
    };
    for reason in ["insufficient_system_resource", "network_error", "error"] {
        assert_eq!(answer(reason), None, "{reason}");
    }
    for (reason, expected) in [
        ("stop", "STOP"),
        ("eos", "STOP"),
        ("sensitive", "SAFETY"),
        ("model_length", "MAX_TOKENS"),
        ("model_context_window_exceeded", "MAX_TOKENS"),
    ] {
        let body: Value = serde_json::from_slice(&answer(reason).expect("an answer")).expect("JSON");
        assert_eq!(body["candidates"][0]["finishReason"], expected, "{reason}");
    }
}

/// Two bytes of a body can become two hundred of memory, and any key's holder may send megabytes.
#[test]
fn what_would_not_fit_into_memory_is_not_parsed() {
    let zeros = format!("[{}0]", "0,".repeat(2 << 20));
    let answer =
        format!(r#"{{"choices":[{{"message":{{"content":{zeros}}}}}],"error":{{"message":"x","y":{zeros}}}}}"#);
    let message = "more values than can be carried";
    for from in Dialect::ALL {
        for to in Dialect::ALL {
            let refused = translate::request(direction(from, to), format!(r#"{{"messages":{zeros}}}"#).as_bytes());
            let refused = refused.expect_err("it is too much");
            assert!(refused.message.contains(message), "{refused:?}");
            assert_eq!(translate::answer(from, to, &context(), answer.as_bytes()), None);
            assert_eq!(translate::answer_as_stream(from, to, &context(), answer.as_bytes()), None);
            let error = to.error(&from.read_error(500, answer.as_bytes()), "id");
            assert!(error.to_string().contains("without an error that can be read"));
            let mut stream = Stream::new(from, to, context());
            let mut written = stream.feed(format!("data: {answer}\n\n").as_bytes());
            assert!(stream.is_finished());
            written.extend(stream.feed(b"data: [DONE]\n\n"));
            assert!(String::from_utf8_lossy(&written).contains(message));
        }
    }
}

#[test]
fn arguments_that_together_would_not_fit_into_memory_are_refused() {
    let arguments = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(100_000));
    let call = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let body = |calls: Value| json!({ "messages": [{ "role": "assistant", "tool_calls": calls }] }).to_string();
    let direction = direction(Dialect::OpenaiChat, Dialect::Gemini);
    assert!(translate::request(direction, body(json!([call("a")])).as_bytes()).is_ok());
    let refused =
        translate::request(direction, body(json!([call("a"), call("b")])).as_bytes()).expect_err("it is too much");
    assert_eq!(refused.param, "messages");
}

#[test]
fn a_picture_of_megabytes_is_carried_whole() {
    let picture = format!("data:image/png;base64,{}", "A".repeat(8 << 20));
    let content = json!([{ "type": "image_url", "image_url": { "url": picture } }]);
    let body = json!({ "messages": [{ "role": "user", "content": content }] }).to_string();
    for to in [Dialect::OpenaiResponses, Dialect::Anthropic, Dialect::Gemini] {
        let body = request(Dialect::OpenaiChat, to, body.as_bytes()).to_string();
        assert!(body.contains(&picture[22..]), "{}", to.name());
    }
    // In a stream one event is all of it.
    let event =
        json!({ "type": "response.output_item.done", "item": { "type": "image", "result": picture[..4 << 20] } });
    let mut stream = Stream::new(Dialect::OpenaiResponses, Dialect::Anthropic, context());
    stream.feed(format!("data: {event}\n\n").as_bytes());
    assert!(!stream.is_finished());
}

/// No double holds either of them.
const DIGITS: &str = r#"{"id":25227143063332189585438,"pi":3.14159265358979323846264338,"e":1.50e+400,"one":1.0}"#;

/// A conversation with a call and a tool's schema in the words of each dialect.
fn with_digits(dialect: Dialect) -> String {
    let text = serde_json::to_string(DIGITS).expect("text");
    let schema = format!(
        r#"{{"type":"object","properties":{{"id":{{"type":"integer","default":25227143063332189585438,"examples":[{DIGITS}]}}}}}}"#
    );
    match dialect {
        Dialect::OpenaiChat => format!(
            r#"{{"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","tool_calls":[{{"id":"t","type":"function","function":{{"name":"f","arguments":{text}}}}}]}},{{"role":"tool","tool_call_id":"t","content":"y"}}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}"#
        ),
        Dialect::OpenaiResponses => format!(
            r#"{{"input":[{{"role":"user","content":"x"}},{{"type":"function_call","call_id":"t","name":"f","arguments":{text}}},{{"type":"function_call_output","call_id":"t","output":"y"}}],"tools":[{{"type":"function","name":"f","parameters":{schema}}}]}}"#
        ),
        Dialect::Anthropic => format!(
            r#"{{"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"f","input":{DIGITS}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":"y"}}]}}],"tools":[{{"name":"f","input_schema":{schema}}}]}}"#
        ),
        Dialect::Gemini => format!(
            r#"{{"contents":[{{"role":"user","parts":[{{"text":"x"}}]}},{{"role":"model","parts":[{{"functionCall":{{"id":"t","name":"f","args":{DIGITS}}}}}]}},{{"role":"user","parts":[{{"functionResponse":{{"id":"t","name":"f","response":{{"output":"y"}}}}}}]}}],"tools":[{{"functionDeclarations":[{{"name":"f","parametersJsonSchema":{schema}}}]}}]}}"#
        ),
    }
}

/// An answer with a call in the words of each dialect, and the event that brings it.
fn answer_with_digits(dialect: Dialect) -> (String, String) {
    let text = serde_json::to_string(DIGITS).expect("text");
    match dialect {
        Dialect::OpenaiChat => {
            let calls = format!(
                r#""tool_calls":[{{"index":0,"id":"t","type":"function","function":{{"name":"f","arguments":{text}}}}}]"#
            );
            let choice = |member: &str| {
                format!(r#"{{"choices":[{{"index":0,"{member}":{{{calls}}},"finish_reason":"tool_calls"}}]}}"#)
            };
            (choice("message"), format!("data: {}\n\ndata: [DONE]\n\n", choice("delta")))
        }
        Dialect::OpenaiResponses => {
            let item = format!(r#"{{"type":"function_call","id":"i","call_id":"t","name":"f","arguments":{text}}}"#);
            let response = format!(r#"{{"id":"r","status":"completed","output":[{item}]}}"#);
            let event = format!("data: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n");
            (response, event)
        }
        Dialect::Anthropic => {
            let block = format!(r#"{{"type":"tool_use","id":"t","name":"f","input":{DIGITS}}}"#);
            let whole =
                format!(r#"{{"type":"message","role":"assistant","content":[{block}],"stop_reason":"tool_use"}}"#);
            let events = [
                format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#),
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#.to_owned(),
                r#"{"type":"message_stop"}"#.to_owned(),
            ];
            (whole, events.map(|event| format!("data: {event}\n\n")).concat())
        }
        Dialect::Gemini => {
            let whole = format!(
                r#"{{"candidates":[{{"index":0,"content":{{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{DIGITS}}}}}]}},"finishReason":"STOP"}}]}}"#
            );
            let event = format!("data: {whole}\n\n");
            (whole, event)
        }
    }
}

#[test]
fn numbers_keep_their_digits_between_all_dialects() {
    let plain = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\\', "");
    for from in Dialect::ALL {
        for to in Dialect::ALL {
            let pair = format!("{} to {}", from.name(), to.name());
            let translated = translate::request(direction(from, to), with_digits(from).as_bytes()).expect("carried");
            let sent = plain(&translated.body);
            assert_eq!(sent.matches(DIGITS).count(), 2, "{pair}, arguments and schema: {sent}");
            assert_eq!(sent.matches("25227143063332189585438").count(), 3, "{pair}: {sent}");
            let (whole, stream) = answer_with_digits(from);
            let answered = translate::answer(from, to, &context(), whole.as_bytes()).expect("an answer");
            assert!(plain(&answered).contains(DIGITS), "{pair}, whole: {}", plain(&answered));
            let mut translation = Stream::new(from, to, context());
            let streamed = plain(&[translation.feed(stream.as_bytes()), translation.end()].concat());
            assert!(streamed.contains(DIGITS), "{pair}, streamed: {streamed}");
        }
    }
}

#[test]
fn an_answer_of_more_calls_than_any_model_makes_ends_with_an_error() {
    let call = |index: usize| json!({ "index": index, "id": format!("c{index}"), "function": { "name": "f", "arguments": "{" } });
    let calls = |count| (0..count).map(call).collect::<Vec<_>>();
    for to in [Dialect::OpenaiResponses, Dialect::Anthropic, Dialect::Gemini] {
        for (count, ends) in [(256, false), (5_000, true)] {
            let mut stream = Stream::new(Dialect::OpenaiChat, to, context());
            let chunk = json!({ "choices": [{ "index": 0, "delta": { "tool_calls": calls(count) } }] });
            let written = stream.feed(format!("data: {chunk}\n\n").as_bytes());
            assert_eq!(stream.is_finished(), ends);
            assert_eq!(String::from_utf8_lossy(&written).contains("more than 256 calls"), ends);
        }
    }
}

/// Each of these used to be looked for in a list of all others.
#[test]
fn many_names_are_looked_up_at_once() {
    let names: Vec<String> = (0..12_000).map(|number| format!("f{number}")).collect();
    let calls = |name: &String| json!({ "id": name, "type": "function", "function": { "name": name } });
    let history = json!([{ "role": "assistant", "tool_calls": names.iter().map(calls).collect::<Vec<_>>() }]);
    let there = request(Dialect::OpenaiChat, Dialect::Anthropic, json!({ "messages": history }).to_string().as_bytes());
    assert_eq!(there["tools"].as_array().map(Vec::len), Some(12_000));

    let tools: Vec<Value> = names.iter().map(|name| json!({ "type": "function", "name": name })).collect();
    let choice = json!({ "type": "allowed_tools", "mode": "auto", "tools": tools });
    let body = json!({ "input": "Hi", "tools": tools, "tool_choice": choice }).to_string();
    let there = request(Dialect::OpenaiResponses, Dialect::OpenaiChat, body.as_bytes());
    assert_eq!(there["tools"].as_array().map(Vec::len), Some(12_000));

    let properties: Value = names.iter().map(|name| (name.clone(), json!({}))).collect();
    let schema =
        json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false });
    let format = json!({ "type": "json_schema", "schema": schema });
    let body = json!({ "messages": [], "output_config": { "format": format } }).to_string();
    let there = request(Dialect::Anthropic, Dialect::OpenaiChat, body.as_bytes());
    assert_eq!(there["response_format"]["json_schema"]["strict"], true);
}

/// Gives a stream of OpenAI chat the same chunk again until it ends, and how many had been taken by then.
fn feed_until_it_ends(to: Dialect, first: &Value, again: &Value) -> Option<usize> {
    let mut stream = Stream::new(Dialect::OpenaiChat, to, context());
    let chunk = |delta: &Value| format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": delta }] }));
    stream.feed(chunk(first).as_bytes());
    (0..16).find(|_| {
        let written = stream.feed(chunk(again).as_bytes());
        assert_eq!(stream.is_finished(), String::from_utf8_lossy(&written).contains("too long to be carried"));
        stream.is_finished()
    })
}

#[test]
fn a_stream_that_would_have_to_be_kept_ends_when_it_is_too_long() {
    // More than 36 MiB are not kept, so the fourth is too much. Responses says each text four times more, which may be
    // 64 MiB, so the second is.
    let letters = "x".repeat(10 << 20);
    let call = |index: u32, arguments: &str| json!({ "index": index, "id": format!("c{index}"), "function": { "name": "f", "arguments": arguments } });
    let text = json!({ "content": letters });
    let opened = json!({ "tool_calls": [call(0, "{"), call(1, "{")] });
    let in_turn = json!({ "tool_calls": [call(0, &letters)] });
    let waiting = json!({ "tool_calls": [call(1, &letters)] });
    let nothing = json!({});
    for (to, first, again, ends) in [
        (Dialect::OpenaiResponses, &nothing, &text, Some(1)),
        (Dialect::OpenaiResponses, &opened, &in_turn, Some(1)),
        (Dialect::Gemini, &nothing, &text, None),
        (Dialect::Gemini, &opened, &in_turn, Some(3)),
        (Dialect::Gemini, &opened, &waiting, Some(3)),
        (Dialect::Anthropic, &nothing, &text, None),
        (Dialect::Anthropic, &opened, &in_turn, None),
        (Dialect::Anthropic, &opened, &waiting, Some(3)),
    ] {
        assert_eq!(feed_until_it_ends(to, first, again), ends, "{}", to.name());
    }
}

fn try_everything(bytes: &[u8]) {
    for from in Dialect::ALL {
        for model in ["claude-opus-4-6", "deepseek-v4-pro"] {
            translate::native(from, model, bytes, Readable::default());
        }
        for to in Dialect::ALL {
            drop(translate::request(direction(from, to), bytes));
            translate::answer(from, to, &context(), bytes);
            translate::answer_as_stream(from, to, &context(), bytes);
            to.error(&from.read_error(500, bytes), "id");
            for as_array in [false, true] {
                let mut stream = Stream::new(from, to, AnswerContext { as_array, ..context() });
                stream.feed(bytes);
                stream.end();
            }
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!({ "type": "function", "function": {} })),
        Just(json!("data:")),
        Just(json!("data:;base64,é")),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("type|role|content|text|name|id|index", inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Replaces the value at a place chosen among all.
fn replace(document: &mut Value, at: prop::sample::Index, with: Value) {
    let mut place = at.index(count(document));
    let mut with = Some(with);
    visit(document, &mut place, &mut with);
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

fn visit(value: &mut Value, place: &mut usize, with: &mut Option<Value>) {
    if *place == 0 {
        if let Some(with) = with.take() {
            *value = with;
        }
        return;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit_unless_done(item, place, with)),
        Value::Object(members) => members.values_mut().for_each(|member| visit_unless_done(member, place, with)),
        _ => {}
    }
}

fn visit_unless_done(value: &mut Value, place: &mut usize, with: &mut Option<Value>) {
    if with.is_some() {
        visit(value, place, with);
    }
}
