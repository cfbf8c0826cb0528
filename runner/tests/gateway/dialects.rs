//! Every dialect passed through to a provider that speaks it: bytes, paths, credentials, usage, errors in its own shape.

use serde_json::{Value, json};

use crate::common::{End, Gateway, Host, Request, TOKEN, streamed_chat, upstream_key};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    an_answer_of_each_dialect_passes_unchanged_and_its_usage_is_recorded,
    a_stream_of_each_dialect_passes_unchanged_and_its_usage_is_recorded,
    a_stream_that_breaks_off_ends_with_an_error_of_its_dialect,
    an_error_page_gets_the_shape_of_the_callers_dialect,
    an_overloaded_provider_of_any_dialect_is_left_for_the_next,
    every_refusal_has_the_shape_of_the_callers_dialect,
    a_usage_chunk_nobody_asked_for_is_left_out_and_recorded,
    the_endpoints_beside_the_chat_are_balanced_too,
    models_are_listed_in_the_callers_shape,
    what_clients_probe_for_is_answered,
    a_call_that_goes_on_from_a_response_reaches_whoever_made_it,
    a_kept_response_is_read_and_deleted_where_it_was_made,
];

const ENDPOINTS: &str = "endpoints = { openai-chat = \"{url}/v1\", openai-responses = \"{url}/v1\", \
     anthropic = \"{url}\", gemini = \"{url}\" }";

/// A gateway whose provider speaks every dialect at one upstream.
fn speaking_all(host: Host, upstreams: &[(&str, &Upstream)]) -> Gateway {
    let providers = upstreams.iter().map(|(name, upstream)| {
        let endpoints = ENDPOINTS.replace("{url}", &upstream.url());
        let key = upstream_key(name);
        format!("[[providers]]\nname = \"{name}\"\nlocal = true\ncredentials = [\"{key}\"]\n{endpoints}\n")
    });
    let targets: Vec<String> = upstreams
        .iter()
        .enumerate()
        .map(|(index, (name, _))| format!("{{ provider = \"{name}\", model = \"up\", tier = {} }}", index + 1))
        .collect();
    let model = format!("[[models]]\nname = \"m\"\ntargets = [{}]\n", targets.join(", "));
    Gateway::on(host).catalog(&format!("{}{model}", providers.collect::<String>())).start()
}

struct Spoken {
    dialect: &'static str,
    path: &'static str,
    stream_path: &'static str,
    upstream_path: &'static str,
    credential: &'static str,
    request: Value,
    answer: Value,
    stream: String,
}

fn named(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn anthropic() -> Spoken {
    let usage = json!({ "input_tokens": 3, "cache_read_input_tokens": 8, "output_tokens": 1 });
    let delta = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hi" } });
    Spoken {
        dialect: "anthropic",
        path: "/v1/messages",
        stream_path: "/v1/messages",
        upstream_path: "/v1/messages",
        credential: "x-api-key",
        request: json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hello" }] }),
        answer: json!({ "type": "message", "content": [{ "type": "text", "text": "Hi" }],
            "usage": { "input_tokens": 3, "cache_read_input_tokens": 8, "output_tokens": 7 } }),
        stream: [
            named("message_start", &json!({ "type": "message_start", "message": { "usage": usage } })),
            named("content_block_delta", &delta),
            named(
                "message_delta",
                &json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 7 } }),
            ),
            named("message_stop", &json!({ "type": "message_stop" })),
        ]
        .concat(),
    }
}

fn responses() -> Spoken {
    let usage = json!({ "input_tokens": 11, "input_tokens_details": { "cached_tokens": 8 }, "output_tokens": 7 });
    let delta = json!({ "type": "response.output_text.delta", "delta": "Hi" });
    Spoken {
        dialect: "openai-responses",
        path: "/v1/responses",
        stream_path: "/v1/responses",
        upstream_path: "/v1/responses",
        credential: "authorization",
        request: json!({ "model": "m", "input": "Hello" }),
        answer: json!({ "object": "response", "error": null, "output": [], "usage": usage }),
        stream: [
            named("response.created", &json!({ "type": "response.created", "response": { "error": null } })),
            named("response.output_text.delta", &delta),
            named("response.completed", &json!({ "type": "response.completed", "response": { "usage": usage } })),
        ]
        .concat(),
    }
}

fn gemini() -> Spoken {
    let usage = json!({ "promptTokenCount": 11, "cachedContentTokenCount": 8, "candidatesTokenCount": 7 });
    let content = json!({ "role": "model", "parts": [{ "text": "Hi" }] });
    let last = json!({ "candidates": [{ "content": content, "finishReason": "STOP" }], "usageMetadata": usage });
    Spoken {
        dialect: "gemini",
        path: "/v1beta/models/m:generateContent",
        stream_path: "/v1/models/m:streamGenerateContent?alt=sse",
        upstream_path: "/v1beta/models/up:generateContent",
        credential: "x-goog-api-key",
        request: json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello" }] }] }),
        answer: last.clone(),
        stream: format!("data: {}\r\n\r\ndata: {last}\r\n\r\n", json!({ "candidates": [{ "content": content }] })),
    }
}

fn all() -> [Spoken; 3] {
    [anthropic(), responses(), gemini()]
}

impl Spoken {
    fn whole(&self) -> Request {
        Request::new("POST", self.path).key(TOKEN).json(self.request.to_string())
    }

    fn streamed(&self) -> Request {
        let mut body = self.request.clone();
        if self.dialect != "gemini" {
            body["stream"] = true.into();
        }
        Request::new("POST", self.stream_path).key(TOKEN).json(body.to_string())
    }
}

fn assert_recorded(record: &Value, dialect: &str) {
    assert_eq!((&record["dialect"], &record["state"]), (&dialect.into(), &"ok".into()), "{record}");
    let tokens = ["input_tokens", "cache_read_tokens", "output_tokens"].map(|name| record[name].clone());
    assert_eq!(tokens, [json!(11), json!(8), json!(7)], "{dialect}");
}

fn an_answer_of_each_dialect_passes_unchanged_and_its_usage_is_recorded(host: Host) {
    for spoken in all() {
        let answer = serde_json::to_string_pretty(&spoken.answer).expect("JSON");
        let upstream = Upstream::answering(Answer::json(200, &answer));
        let gateway = speaking_all(host, &[("a", &upstream)]);
        let response = gateway.send(&spoken.whole());
        assert_eq!((response.status, response.text()), (200, answer));
        let received = upstream.only();
        assert_eq!(received.line, format!("POST {} HTTP/1.1", spoken.upstream_path));
        let sent = spoken.request.to_string().replace("\"m\"", "\"up\"");
        assert_eq!(String::from_utf8(received.body.clone()).expect("text"), sent);
        let key = received.header(spoken.credential).expect("a credential");
        assert_eq!(key.trim_start_matches("Bearer "), upstream_key("a"));
        assert_recorded(&gateway.record(&response), spoken.dialect);
    }
}

fn a_stream_of_each_dialect_passes_unchanged_and_its_usage_is_recorded(host: Host) {
    for spoken in all() {
        let pieces = spoken.stream.as_bytes().chunks(5);
        let answer = pieces.fold(Answer::stream(), |answer, piece| answer.chunk(piece)).end();
        let upstream = Upstream::answering(answer);
        let gateway = speaking_all(host, &[("a", &upstream)]);
        let response = gateway.send(&spoken.streamed());
        assert_eq!((response.text(), response.end), (spoken.stream.clone(), End::Clean));
        let record = gateway.record(&response);
        assert_recorded(&record, spoken.dialect);
        assert_eq!(record["streamed"], true);
        assert!(record["first_content_ms"].is_u64(), "{record}");
    }
}

fn a_stream_that_breaks_off_ends_with_an_error_of_its_dialect(host: Host) {
    for spoken in all() {
        let cut = spoken.stream.rfind("data: ").expect("an event") + 9;
        let upstream = Upstream::answering(Answer::stream().chunk(&spoken.stream[..cut]).cut());
        let gateway = speaking_all(host, &[("a", &upstream)]);
        let response = gateway.send(&spoken.streamed());
        assert_eq!(response.end, End::Cut, "{}", spoken.dialect);
        let text = response.text();
        let added = text.strip_prefix(&spoken.stream[..cut]).expect("what came before the cut");
        let data = added.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event");
        let error: Value = serde_json::from_str(data).expect("JSON");
        let message = match spoken.dialect {
            "anthropic" => {
                assert!(added.contains("event: error\n"), "{added}");
                &error["error"]["message"]
            }
            "openai-responses" => {
                assert!(added.contains("event: response.failed\n"), "{added}");
                &error["response"]["error"]["message"]
            }
            _ => &error["error"]["message"],
        };
        assert!(message.as_str().is_some_and(|message| message.contains("incomplete")), "{added}");
        assert_ne!(gateway.record(&response)["state"], "ok");
    }
}

fn an_error_page_gets_the_shape_of_the_callers_dialect(host: Host) {
    for spoken in all() {
        let page = Answer::whole(422, "content-type: text/html", "<html><b>Bad</b> request</html>");
        let upstream = Upstream::answering(page);
        let gateway = speaking_all(host, &[("a", &upstream)]);
        let response = gateway.send(&spoken.whole());
        assert_eq!(response.status, 422, "{}", response.text());
        let message = response.json()["error"]["message"].as_str().expect("a message").to_owned();
        assert!(message.ends_with("Bad request"), "{message}");
        match spoken.dialect {
            "anthropic" => assert_eq!(response.json()["type"], "error"),
            "gemini" => assert_eq!(response.json()["error"]["status"], "INVALID_ARGUMENT"),
            _ => assert!(response.json()["error"]["type"].is_string()),
        }
    }
}

fn an_overloaded_provider_of_any_dialect_is_left_for_the_next(host: Host) {
    for (spoken, error) in all().into_iter().zip([
        json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }),
        json!({ "type": "error", "code": "server_error", "message": "Overloaded" }),
        json!({ "error": { "code": 503, "message": "Overloaded", "status": "UNAVAILABLE" } }),
    ]) {
        let first = Upstream::answering(Answer::stream().chunk(named("error", &error)).end());
        let second = Upstream::answering(Answer::stream().chunk(&spoken.stream).end());
        let gateway = speaking_all(host, &[("a", &first), ("b", &second)]);
        let response = gateway.send(&spoken.streamed());
        assert_eq!((response.status, response.text()), (200, spoken.stream.clone()), "{}", spoken.dialect);
        assert_eq!(first.received().len(), 1);
    }
}

fn every_refusal_has_the_shape_of_the_callers_dialect(host: Host) {
    let gateway = speaking_all(host, &[("a", &Upstream::saying("Hi"))]);
    for spoken in all() {
        let error = |request: &Request, status: u16| {
            let response = gateway.send(request);
            assert_eq!(response.status, status, "{}", response.text());
            assert_eq!(response.header("content-type"), Some("application/json"));
            response.json()
        };
        let wrong_key = error(&spoken.whole().without_key().key("sk-llmio-wrong"), 401);
        let unknown = spoken.request.to_string().replace("\"m\"", "\"none\"");
        let unknown_model = spoken.whole().to(&spoken.path.replace("/m:", "/none:")).body(unknown);
        let unknown_model = error(&unknown_model, 404);
        let bad_body = error(&spoken.whole().body("{"), 400);
        match spoken.dialect {
            "anthropic" => {
                let kinds = [&wrong_key, &unknown_model, &bad_body].map(|error| error["error"]["type"].clone());
                assert_eq!(kinds, ["authentication_error", "not_found_error", "invalid_request_error"]);
                assert!(wrong_key["type"] == "error" && wrong_key["request_id"].is_string(), "{wrong_key}");
            }
            "gemini" => {
                let kinds = [&wrong_key, &unknown_model, &bad_body].map(|error| error["error"]["status"].clone());
                assert_eq!(kinds, ["UNAUTHENTICATED", "NOT_FOUND", "INVALID_ARGUMENT"]);
                assert_eq!(wrong_key["error"]["code"], 401);
            }
            _ => assert_eq!(unknown_model["error"]["code"], "model_not_found"),
        }
    }
}

fn a_usage_chunk_nobody_asked_for_is_left_out_and_recorded(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("Hi")).chunk(last_events()).end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    let response = gateway.send(&streamed_chat("m").body(body));
    let kept: String = last_events().split_inclusive("\n\n").filter(|event| !event.contains("usage")).collect();
    assert_eq!(response.text(), format!("{}{kept}", event("Hi")));
    let expected = r#"{"model":"up","stream":true,"messages":[],"stream_options":{"include_usage":true}}"#;
    assert_eq!(String::from_utf8(upstream.only().body).expect("text"), expected);
    assert_eq!(gateway.record(&response)["output_tokens"], 7);
}

fn the_endpoints_beside_the_chat_are_balanced_too(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, "{\"answer\": true}"));
    let gateway = speaking_all(host, &[("a", &upstream)]);
    let form = |model: &str| {
        format!(
            "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\u{0}RIFF\r\n--b--\r\n"
        )
    };
    let json = |model: &str| format!("{{\"model\":\"{model}\",\"input\":\"x\"}}");
    let in_path = |_: &str| "{}".to_owned();
    type Body<'b> = &'b dyn Fn(&str) -> String;
    let cases: [(&str, &str, &str, Body<'_>); 16] = [
        ("/v1/embeddings", "/v1/embeddings", "embeddings", &json),
        ("/v1/responses/compact", "/v1/responses/compact", "responses/compact", &json),
        ("/v1/responses/input_tokens", "/v1/responses/input_tokens", "responses/input_tokens", &json),
        ("/openai/responses?api-version=1", "/v1/responses", "responses", &json),
        ("/v1/images/generations", "/v1/images/generations", "images/generations", &json),
        ("/v1/images/edits", "/v1/images/edits", "images/edits", &form),
        ("/v1/audio/speech", "/v1/audio/speech", "audio/speech", &json),
        ("/v1/audio/transcriptions", "/v1/audio/transcriptions", "audio/transcriptions", &form),
        ("/v1/audio/translations", "/v1/audio/translations", "audio/translations", &form),
        ("/v1/moderations", "/v1/moderations", "moderations", &json),
        ("/v1/rerank", "/v1/rerank", "rerank", &json),
        ("/v1/messages/count_tokens", "/v1/messages/count_tokens", "messages/count_tokens", &json),
        ("/v1beta/models/m:countTokens", "/v1beta/models/up:countTokens", "countTokens", &in_path),
        ("/gemini/v1beta/models/m:embedContent", "/v1beta/models/up:embedContent", "embedContent", &in_path),
        ("/v1beta/models/m:batchEmbedContents", "/v1beta/models/up:batchEmbedContents", "batchEmbedContents", &in_path),
        ("/openai/deployments/m/chat/completions?api-version=1", "/v1/chat/completions", "chat/completions", &json),
    ];
    for (count, (path, upstream_path, endpoint, body)) in cases.into_iter().enumerate() {
        let is_form = body("m").starts_with("--b");
        let media_type = if is_form { "multipart/form-data; boundary=b" } else { "application/json" };
        let request = Request::new("POST", path).key(TOKEN).body(body("m")).header("content-type", media_type);
        let response = gateway.send(&request);
        assert_eq!((response.status, response.text().as_str()), (200, "{\"answer\": true}"), "{path}");
        let received = upstream.received().remove(count);
        assert_eq!(received.line, format!("POST {upstream_path} HTTP/1.1"));
        assert_eq!(String::from_utf8(received.body.clone()).expect("text"), body("up"), "{path}");
        assert_eq!(received.header("content-type"), Some(media_type));
        assert_eq!(gateway.record(&response)["endpoint"], endpoint);
    }
}

fn models_are_listed_in_the_callers_shape(host: Host) {
    let gateway = speaking_all(host, &[("a", &Upstream::saying("Hi"))]).settled();
    let listed = |path: &str, header: &str| gateway.send(&Request::new("GET", path).header(header, TOKEN)).json();
    assert_eq!(listed("/v1beta/models", "x-goog-api-key")["models"][0]["name"], "models/m");
    assert_eq!(listed("/v1/models", "x-goog-api-key")["models"][0]["name"], "models/m");
    assert_eq!(listed("/v1/models/m", "x-goog-api-key")["name"], "models/m");
    assert_eq!(listed("/anthropic/v1/models", "x-api-key")["data"][0]["type"], "model");
    let versioned = Request::new("GET", "/v1/models/m").key(TOKEN).header("anthropic-version", "2023-06-01");
    assert_eq!(gateway.send(&versioned).json()["display_name"], "m");
    let in_query = gateway.send(&Request::new("GET", &format!("/v1/models?key={TOKEN}"))).json();
    assert_eq!(in_query["models"][0]["name"], "models/m");
    assert_eq!(listed("/v1/models", "api-key")["data"][0]["object"], "model");
    assert_eq!(listed("/openai/models?api-version=1", "api-key")["data"][0]["object"], "model");
}

fn what_clients_probe_for_is_answered(host: Host) {
    let gateway = speaking_all(host, &[("a", &Upstream::saying("Hi"))]);
    let web_socket = Request::new("GET", "/v1/responses").header("openai-beta", "responses_websockets=2026-02-06");
    assert_eq!(gateway.send(&web_socket).status, 426);
    assert_eq!(gateway.send(&Request::new("HEAD", "/anthropic/api/hello")).status, 200);
    let telemetry = Request::new("POST", "/anthropic/api/event_logging/batch").json("{\"events\":[]}");
    assert_eq!(gateway.send(&telemetry).status, 401);
    assert_eq!(gateway.send(&telemetry.key(TOKEN)).status, 200);
    assert!(gateway.records("").is_empty());
}

/// A response that its provider keeps, as a whole.
fn kept_response() -> String {
    let item = json!({ "type": "message", "content": [{ "type": "output_text", "text": "Hi" }] });
    json!({ "id": "resp_1", "object": "response", "output": [item] }).to_string()
}

fn a_call_that_goes_on_from_a_response_reaches_whoever_made_it(host: Host) {
    let whole = kept_response();
    let stream = [
        named("response.created", &json!({ "type": "response.created", "response": { "id": "resp_2" } })),
        named("response.output_text.delta", &json!({ "type": "response.output_text.delta", "delta": "Hi" })),
        named("response.completed", &json!({ "type": "response.completed", "response": { "id": "resp_2" } })),
    ];
    for (id, answer) in
        [("resp_1", Answer::json(200, &whole)), ("resp_2", Answer::stream().chunk(stream.concat()).end())]
    {
        let first = Upstream::answering(answer.clone()).then([Answer::json(503, "{}")]);
        let second = Upstream::answering(answer);
        let gateway = speaking_all(host, &[("a", &first), ("b", &second)]);
        let other_key = gateway.new_key("other", &[]);
        let ask = |key: &str, more: Value| {
            let mut body = json!({ "model": "m", "input": "Hello", "stream": id == "resp_2" });
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            let response = gateway.send(&Request::new("POST", "/v1/responses").key(key).json(body.to_string()));
            gateway.record(&response);
            (response.status, first.received().len(), second.received().len())
        };
        assert_eq!(ask(TOKEN, json!({})), (200, 1, 1), "the first fails, so the second makes it");
        assert_eq!(ask(TOKEN, json!({ "previous_response_id": id })), (200, 1, 2));
        assert_eq!(ask(TOKEN, json!({ "previous_response_id": "resp_unknown" })), (200, 2, 2));
        assert_eq!(ask(&other_key, json!({ "previous_response_id": id })), (404, 2, 2), "it is not this key's");
        assert_eq!(ask(&other_key, json!({ "previous_response_id": "resp_unknown" })), (200, 3, 2));
    }
}

fn a_kept_response_is_read_and_deleted_where_it_was_made(host: Host) {
    let whole = kept_response();
    let first = Upstream::answering(Answer::json(404, "{}")).then([Answer::json(503, "{}")]);
    let second = Upstream::answering(Answer::json(200, &whole));
    let gateway = speaking_all(host, &[("a", &first), ("b", &second)]);
    let made = Request::new("POST", "/v1/responses").key(TOKEN).json(r#"{"model":"m","input":"Hello"}"#);
    // It can be used at once.
    assert_eq!(gateway.send(&made).status, 200);
    for (count, (method, path, line)) in [
        ("GET", "/v1/responses/resp_1?include[]=x&key=k", "GET /v1/responses/resp_1?include[]=x HTTP/1.1"),
        ("GET", "/v1/responses/resp_1/input_items", "GET /v1/responses/resp_1/input_items HTTP/1.1"),
        ("POST", "/v1/responses/resp_1/cancel", "POST /v1/responses/resp_1/cancel HTTP/1.1"),
        ("DELETE", "/openai/v1/responses/resp_1", "DELETE /v1/responses/resp_1 HTTP/1.1"),
    ]
    .into_iter()
    .enumerate()
    {
        let response = gateway.send(&Request::new(method, path).key(TOKEN));
        assert_eq!((response.status, response.text()), (200, whole.clone()), "{path}");
        let received = second.received().remove(count + 1);
        assert_eq!(received.line, line);
        assert_eq!(received.header("authorization"), Some(format!("Bearer {}", upstream_key("b")).as_str()));
    }
    let other_key = gateway.new_key("other", &[]);
    for (id, key) in [("resp_1", other_key.as_str()), ("resp_2", TOKEN)] {
        let response = gateway.send(&Request::new("GET", &format!("/v1/responses/{id}")).key(key));
        assert_eq!((response.status, response.openai_error().code.as_str()), (404, "response_not_found"));
    }
    assert_eq!((first.received().len(), second.received().len()), (1, 5));
}
