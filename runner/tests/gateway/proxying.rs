//! What passes through unchanged, and what does not pass.

use crate::common::{Gateway, Host, Request, TOKEN, chat, upstream_key};
use crate::upstream::{Answer, Upstream, completion};

both_hosts![
    only_the_model_changes_on_the_way_to_the_provider,
    completions_and_embeddings_are_balanced_like_chat,
    embeddings_asked_for_in_base64_come_so,
    the_openai_prefix_changes_nothing,
    the_providers_credential_is_presented_and_the_clients_are_not,
    the_clients_cookies_and_forwarding_headers_stay_here,
    the_hosts_own_header_never_reaches_the_provider,
    an_answer_arrives_byte_for_byte,
    a_large_pretty_printed_answer_arrives_whole_and_its_usage_is_recorded,
    an_answer_names_its_record_and_target,
    account_ids_and_cookies_of_the_provider_stay_here,
    headers_that_are_llmios_to_say_are_said_once,
    a_compressed_answer_that_is_damaged_is_the_providers_failure,
    an_alias_leads_to_its_model,
    a_large_request_arrives_whole,
    many_requests_share_one_connection,
];

fn only_the_model_changes_on_the_way_to_the_provider(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up-model"]).start();
    let body =
        "{\n  \"seed\": 1.0e+02,\t\"model\" : \"m\", \"messages\":[ ],\"x\":\"\\ud83d\\ude00 é\", \"y\":[1,  2]}\r\n";
    let request = Request::new("POST", "/v1/chat/completions").key(TOKEN).json(body);
    assert_eq!(gateway.send(&request).status, 200);
    let received = upstream.only();
    assert_eq!(received.line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(String::from_utf8_lossy(&received.body), body.replace("\"m\"", "\"up-model\""));
}

fn embeddings_asked_for_in_base64_come_so(host: Host) {
    let answer = |vector: &str| {
        format!(r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{vector}}}],"model":"up"}}"#)
    };
    let upstream = Upstream::answering(Answer::json(200, &answer("[1.0, -0.5]")));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let ask = |form: &str| {
        let body = format!(r#"{{"model":"m","input":"Hi"{form}}}"#);
        gateway.send(&Request::new("POST", "/v1/embeddings").key(TOKEN).json(body)).text()
    };
    assert_eq!(ask(r#","encoding_format":"base64""#), answer(r#""AACAPwAAAL8=""#));
    assert_eq!(ask(r#","encoding_format":"float""#), answer("[1.0, -0.5]"));
    assert_eq!(ask(""), answer("[1.0, -0.5]"));
}

fn completions_and_embeddings_are_balanced_like_chat(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, r#"{"object":"list","data":[]}"#));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    for (path, rest) in [("/v1/completions", r#""prompt":"Hello""#), ("/v1/embeddings", r#""input":["a","b"]"#)] {
        let request = Request::new("POST", path).key(TOKEN).json(format!(r#"{{"model":"m",{rest}}}"#));
        let response = gateway.send(&request);
        assert_eq!((response.status, response.text().as_str()), (200, r#"{"object":"list","data":[]}"#));
        let received = upstream.received().pop().expect("a request");
        assert_eq!(received.line, format!("POST {path} HTTP/1.1"));
        assert_eq!(String::from_utf8_lossy(&received.body), format!(r#"{{"model":"up",{rest}}}"#));
        assert_eq!(gateway.record(&response)["endpoint"], path.trim_start_matches("/v1/"));
    }
}

fn the_openai_prefix_changes_nothing(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m").to("/openai/v1/chat/completions"));
    assert_eq!((response.status, response.text()), (200, completion("Hi")));
    assert_eq!(upstream.only().line, "POST /v1/chat/completions HTTP/1.1");
    let model = gateway.send(&Request::new("GET", "/openai/v1/models/m").key(TOKEN));
    assert_eq!(model.json()["id"], "m");
}

fn the_providers_credential_is_presented_and_the_clients_are_not(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let request = chat("m").header("x-api-key", TOKEN).header("api-key", TOKEN).header("x-goog-api-key", TOKEN);
    assert_eq!(gateway.send(&request.to(&format!("/v1/chat/completions?key={TOKEN}"))).status, 200);
    let received = upstream.only();
    let expected = format!("Bearer {}", upstream_key("a"));
    assert_eq!(received.header("authorization"), Some(expected.as_str()));
    assert_eq!(received.headers.iter().filter(|(name, _)| name == "authorization").count(), 1);
    assert!(!format!("{received:?}").contains(TOKEN), "the client's credential travelled on: {received:?}");
}

fn the_clients_cookies_and_forwarding_headers_stay_here(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let request = chat("m").header("cookie", "session=c00kie").header("x-forwarded-for", "203.0.113.9");
    let request = request.header("x-stainless-lang", "python").header("openai-beta", "assistants=v2");
    assert_eq!(gateway.send(&request).status, 200);
    let received = upstream.only();
    for name in ["cookie", "x-forwarded-for", "x-stainless-lang", "connection"] {
        assert_eq!(received.header(name), None, "{name} travelled on");
    }
    assert_eq!(received.header("openai-beta"), Some("assistants=v2"));
    assert_eq!(received.header("host"), Some(upstream.authority().as_str()));
    assert_eq!(received.header("accept-encoding"), Some("identity"));
}

fn the_hosts_own_header_never_reaches_the_provider(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let request = chat("m").header("x-llmio-host", "local; proxy=http://127.0.0.1:1").header("spin-full-url", "x");
    assert_eq!(gateway.send(&request.header("x-llmio-call", "forged")).status, 200);
    let names: Vec<String> = upstream.only().headers.into_iter().map(|(name, _)| name).collect();
    let foreign = |name: &&String| name.starts_with("x-llmio-") && *name != "x-llmio-hops" || name.starts_with("spin-");
    assert_eq!(names.iter().find(foreign), None);
}

fn an_answer_arrives_byte_for_byte(host: Host) {
    let body = "\u{feff}{ \"choices\" :[],\n\n \"n\": 1e400, \"t\":\"\\u0000 \u{10ffff}\" }\r\n ";
    let upstream = Upstream::answering(Answer::whole(201, "content-type: application/json; charset=utf-8", body));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.text().as_str()), (201, body));
    assert_eq!(response.header("content-type"), Some("application/json; charset=utf-8"));
}

fn a_large_pretty_printed_answer_arrives_whole_and_its_usage_is_recorded(host: Host) {
    let mut answer: serde_json::Value = serde_json::from_str(&completion("x")).expect("JSON");
    answer["choices"][0]["message"]["content"] = "\"usage\": {\"prompt_tokens\": 5} 雪\n".repeat(600).into();
    answer["usage"]["prompt_tokens_details"] = serde_json::json!({ "cached_tokens": 3 });
    let body = serde_json::to_string_pretty(&answer).expect("JSON");
    assert!(body.len() > 20_000);
    let upstream = Upstream::answering(Answer::json(200, &body));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(response.text(), body);
    let record = gateway.record(&response);
    assert_eq!(record["state"], "ok");
    assert_eq!(record["bytes_out"], body.len());
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&11.into(), &7.into()));
    assert_eq!(record["cache_read_tokens"], 3);
}

fn an_answer_names_its_record_and_target(host: Host) {
    let upstream =
        Upstream::answering(Answer::whole(200, "content-type: application/json\r\nx-request-id: up-7", "{}"));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up/with/slashes"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(response.header("x-llmio-target"), Some("a/up/with/slashes"));
    assert_eq!(response.header("x-upstream-request-id"), Some("up-7"));
    let record = response.header("x-llmio-record").expect("a record");
    assert_eq!(response.header("x-request-id"), Some(record));
    assert_eq!(gateway.record(&response)["id"], record);
}

fn account_ids_and_cookies_of_the_provider_stay_here(host: Host) {
    let headers = "content-type: application/json\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nserver: up\r\n\
                   openai-organization: org-1\r\nopenai-project: proj-1\r\nopenai-processing-ms: 12";
    let upstream = Upstream::answering(Answer::whole(200, headers, "{}"));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    for name in ["set-cookie", "server", "openai-organization", "openai-project"] {
        assert_eq!(response.header(name), None, "{name} came through");
    }
    assert_eq!(response.header("openai-processing-ms"), Some("12"));
}

/// The provider may be another llmio, and browsers refuse an answer that names two origins.
fn headers_that_are_llmios_to_say_are_said_once(host: Host) {
    let headers = "content-type: application/json\r\naccess-control-allow-origin: https://up.example\r\n\
                   x-llmio-record: 01890000-0000-7000-8000-000000000001\r\nx-llmio-target: up/other";
    let upstream = Upstream::answering(Answer::whole(200, headers, &completion("Hi")));
    let upstream = upstream.then([Answer::whole(400, headers, r#"{"error":{"message":"no"}}"#)]);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    for status in [400, 200] {
        let response = gateway.send(&chat("m").header("origin", "https://app.example"));
        assert_eq!(response.status, status, "{}", response.text());
        for name in ["access-control-allow-origin", "x-llmio-record", "x-llmio-target"] {
            let count = response.headers.iter().filter(|(header, _)| header == name).count();
            assert_eq!(count, 1, "{status}: {name} of {:?}", response.headers);
        }
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        assert_eq!(response.header("x-llmio-target"), Some("a/up"));
        assert_eq!(gateway.record(&response)["status"], status);
    }
}

fn a_compressed_answer_that_is_damaged_is_the_providers_failure(host: Host) {
    let body = [0x1f, 0x8b, 8, 0, 0xff, 0, b'"', b'u', b's', b'a', b'g', b'e', b'"'];
    let head = Answer::announcing(200, "content-type: application/json\r\ncontent-encoding: gzip", body.len());
    let upstream = Upstream::answering(head.raw(body));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(response.status, 502, "{}", response.text());
    assert!(response.openai_error().message.contains("damaged"), "{}", response.text());
    assert_eq!(gateway.record(&response)["state"], "upstream_error");
}

fn an_alias_leads_to_its_model(host: Host) {
    let upstream = Upstream::saying("Hi");
    let fields = r#"aliases = ["other", "claude-*"]"#;
    let gateway = Gateway::on(host).provider("a", &upstream).model_with("m", fields, &["a/up"]).start();
    for model in ["other", "claude-opus-9"] {
        let response = gateway.send(&chat(model));
        assert_eq!(response.header("x-llmio-target"), Some("a/up"));
        assert_eq!(gateway.record(&response)["model"], model);
    }
}

fn a_large_request_arrives_whole(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let text = "0123456789abcdef".repeat(1 << 16);
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}],"model":"m"}}"#);
    for request in [chat("m").body(body.as_str()), chat("m").chunked(body.as_str())] {
        let response = gateway.send(&request);
        assert_eq!(response.status, 200, "{}", response.text());
        let received = upstream.received().pop().expect("a request");
        assert!(received.body == body.replace(r#""model":"m""#, r#""model":"up""#).into_bytes(), "the body changed");
        assert_eq!(gateway.record(&response)["bytes_in"], body.len());
    }
}

fn many_requests_share_one_connection(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    for _ in 0..20 {
        let response = connection.exchange(&chat("m"));
        assert_eq!((response.status, response.text()), (200, completion("Hi")));
    }
    assert_eq!(upstream.received().len(), 20);
}
