//! Bad input: the right status, the caller's shape and a sentence that says what to do; and nothing of it reaches a
//! provider or stops the gateway.

use std::io::{Read, Write};

use crate::common::{Gateway, Host, PATIENCE, Request, Response, TOKEN, chat};
use crate::upstream::Upstream;

both_hosts![
    a_bad_body_is_400_and_says_what_to_mend,
    an_unknown_model_is_404_and_says_where_the_models_are,
    json_of_any_depth_is_refused_and_harms_nobody,
    what_a_large_body_is_refused_with_is_short,
    a_body_over_the_limit_is_413_with_and_without_a_length,
    a_compressed_body_is_415,
    a_wrong_method_is_405_and_names_the_right_one,
    an_unknown_path_is_404_and_says_what_there_is,
    a_base_url_that_ends_in_v1_twice_is_explained,
    odd_heads_harm_nobody,
    under_api_mistakes_are_problem_details,
    a_catalog_with_ten_mistakes_lists_ten,
    a_catalog_that_cannot_be_read_is_422_with_its_place,
    a_query_that_is_not_understood_is_400,
    a_refused_call_has_a_record,
    a_request_that_went_in_circles_is_stopped,
    a_transfer_coding_nobody_undoes_is_501_and_ends_the_connection,
];

fn gateway(host: Host, upstream: &Upstream) -> Gateway {
    Gateway::on(host).provider("a", upstream).model("m", &["a/up"]).start()
}

/// Sends the request, and then a good call, which must work whatever came before it.
fn refused(gateway: &Gateway, request: &Request) -> Response {
    let response = gateway.send(request);
    let after = gateway.send(&chat("m"));
    assert_eq!(after.status, 200, "the call after {request:?} failed: {}", after.text());
    response
}

fn a_bad_body_is_400_and_says_what_to_mend(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let cases: [(&[u8], &str, &str); 12] = [
        (b"not json", "not a JSON object", ""),
        (b"", "is empty", ""),
        (b" \r\n", "is empty", ""),
        (b"[1]", "not a JSON object", ""),
        (b"{\"model\":\"m\"} trailing", "not a JSON object", ""),
        (b"{\"messages\":[]}", "GET /v1/models", "model"),
        (b"{\"model\":7}", "must be a string", "model"),
        (b"{\"model\":\"\"}", "GET /v1/models", "model"),
        (b"{\"model\":\"m\\r\\nx-injected: 1\"}", "control characters", "model"),
        (b"{\"model\":\"m\",\"mod\\u0065l\":\"n\"}", "Send it once", ""),
        (b"{\"model\":\"m\",\"stream\":\"yes\"}", "true or false", "stream"),
        (b"{\"model\":\"m\",\"x\":\"\xff\xfe\"}", "not valid UTF-8", ""),
    ];
    for (body, says, param) in cases {
        let response = refused(&gateway, &chat("m").body(body));
        let shown = String::from_utf8_lossy(body);
        assert_eq!(response.status, 400, "{shown}");
        let error = response.openai_error();
        assert!(error.message.contains(says), "{shown}: {}", error.message);
        assert_eq!((error.kind.as_str(), error.param.as_str()), ("invalid_request_error", param), "{shown}");
    }
    assert_eq!(upstream.received().len(), cases.len(), "only the good calls were to arrive");
}

fn an_unknown_model_is_404_and_says_where_the_models_are(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    let response = refused(&gateway, &chat("gpt-<script>"));
    assert_eq!((response.status, response.header("x-should-retry")), (404, Some("false")));
    let error = response.openai_error();
    assert_eq!((error.code.as_str(), error.param.as_str()), ("model_not_found", "model"));
    assert!(error.message.contains("gpt-<script>") && error.message.contains("GET /v1/models"), "{}", error.message);
}

fn json_of_any_depth_is_refused_and_harms_nobody(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let mixed = format!("{{\"model\":\"m\",\"x\":{}", "{\"x\":[".repeat(100_000));
    for body in ["[".repeat(100_000), format!("{{\"model\":\"m\",\"x\":{}", "[".repeat(100_000)), mixed] {
        let response = refused(&gateway, &chat("m").body(body));
        assert_eq!(response.status, 400);
        assert!(response.openai_error().message.contains("deeper than 128 levels"), "{}", response.text());
    }
    let nested = |depth: usize| format!("{{\"model\":\"m\",\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(refused(&gateway, &chat("m").body(nested(127))).status, 200);
    assert_eq!(refused(&gateway, &chat("m").body(nested(128))).status, 400);
}

/// What a refusal repeats of a body takes memory of an instance that other calls share.
fn what_a_large_body_is_refused_with_is_short(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let long = "x".repeat(1 << 20);
    let zeros = format!("[{}0]", "0,".repeat(999_999));
    let cases = [
        (format!("{{\"model\":\"{long}\"}}"), 400, "must be a name of 1 to 256 characters"),
        (format!("\"{long}\""), 400, "not a JSON object"),
        (format!("{{\"model\":\"nobody\",\"stream_options\":{zeros}}}"), 404, "GET /v1/models"),
    ];
    for (body, status, says) in &cases {
        let response = refused(&gateway, &chat("m").body(body.as_str()));
        let shown = &body[..30];
        assert_eq!(response.status, *status, "{shown}");
        let message = response.openai_error().message;
        assert!(message.contains(says) && message.len() < 300, "{shown}: {} bytes", message.len());
        let head: usize = response.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(response.body.len() + head < 2000, "{shown}: {} + {head} bytes", response.body.len());
    }
    assert_eq!(upstream.received().len(), cases.len(), "only the good calls were to arrive");
}

fn a_body_over_the_limit_is_413_with_and_without_a_length(host: Host) {
    const LIMIT: usize = 32 << 20;
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let body = |bytes: usize| {
        let (start, end) = ("{\"model\":\"m\",\"x\":\"", "\"}");
        format!("{start}{}{end}", "x".repeat(bytes - start.len() - end.len()))
    };
    let large = [chat("m").announcing(LIMIT + 1), chat("m").body(body(LIMIT + 1)), chat("m").chunked(body(LIMIT + 1))];
    for request in large {
        let response = gateway.send(&request);
        assert_eq!((response.status, response.header("x-should-retry")), (413, Some("false")));
        let error = response.openai_error();
        assert!(error.code == "request_too_large" && error.message.contains("32 MiB"), "{}", response.text());
    }
    assert_eq!(upstream.received().len(), 0);
    assert_eq!(gateway.send(&chat("m").body(body(LIMIT))).status, 200, "the limit itself is allowed");
    assert_eq!(upstream.only().body.len(), LIMIT + "up".len() - "m".len());
}

fn a_compressed_body_is_415(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    for encoding in ["gzip", "br", "zstd"] {
        let response = refused(&gateway, &chat("m").header("content-encoding", encoding));
        assert_eq!((response.status, response.openai_error().code.as_str()), (415, "unsupported_encoding"));
        assert!(response.openai_error().message.contains("Send the body as it is"), "{}", response.text());
    }
    assert_eq!(gateway.send(&chat("m").header("content-encoding", "identity")).status, 200);
}

fn a_wrong_method_is_405_and_names_the_right_one(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    for (method, path, allow) in [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/embeddings", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("BREW", "/openai/v1/models/m", "GET, HEAD"),
    ] {
        let response = refused(&gateway, &Request::new(method, path).key(TOKEN));
        assert_eq!((response.status, response.header("allow")), (405, Some(allow)), "{method} {path}");
        assert!(response.openai_error().message.contains(&format!("Use {allow}")), "{}", response.text());
    }
}

fn an_unknown_path_is_404_and_says_what_there_is(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    for path in ["/", "/v1", "/v1/nonsense", "/v2/models", "/v1/chat/completions/", "//v1/models", "/V1/models"] {
        let response = refused(&gateway, &Request::new("GET", path).key(TOKEN));
        let expected = if path == "/" { 405 } else { 404 };
        assert_eq!(response.status, expected, "{path}");
        assert!(!response.openai_error().message.is_empty());
    }
}

fn a_base_url_that_ends_in_v1_twice_is_explained(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    for prefix in ["", "/openai"] {
        let response = refused(&gateway, &chat("m").to(&format!("{prefix}/v1/v1/chat/completions")));
        assert_eq!(response.status, 404);
        assert!(response.openai_error().message.contains("remove one of the two"), "{}", response.text());
    }
}

fn odd_heads_harm_nobody(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let garbage: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nno colon here\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nname : space before the colon\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nx: a\0b\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
    ];
    for bytes in garbage {
        let mut connection = gateway.connect();
        connection.send_raw(bytes.to_vec());
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(connection.status(), 400, "{shown:?}");
        assert!(connection.finish().headers.iter().any(|(_, value)| value == "close" || value == "0"), "{shown:?}");
    }
    // 0xff is allowed in a header's value, but it is no UTF-8 and so no credential.
    let response = refused(&gateway, &chat("m").without_key().header("authorization", b"Bearer \xff\xfe"));
    let odd = chat("m").header("user-agent", b"\xff\t\xfe").header("x-session-id", b"\xc3\x28");
    if host == Host::Runner {
        assert_eq!((response.status, response.openai_error().code.as_str()), (401, "key_missing"));
        assert_eq!(refused(&gateway, &odd).status, 200);
    } else {
        // Spin's own answer.
        assert_eq!((response.status, refused(&gateway, &odd).status), (500, 500));
    }
    let many = (0..200).fold(chat("m"), |request, index| request.header(&format!("x-{index}"), "1"));
    assert_eq!(refused(&gateway, &many).status, 431);
    let long = chat("m").header("x-long", "x".repeat(200 << 10));
    assert_eq!(refused(&gateway, &long).status, 431);
}

fn under_api_mistakes_are_problem_details(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    let cases = [
        ("GET", "/api/nonsense", "", 404, "There is no GET /api/nonsense"),
        ("DELETE", "/api/catalog", "", 405, "Use GET, PUT, PATCH"),
        ("POST", "/api/keys", "not json", 400, "not understood"),
        ("POST", "/api/keys", r#"{"nmae":"x"}"#, 400, "unknown field `nmae`"),
        ("DELETE", "/api/keys/nobody", "", 404, "no key named \"nobody\""),
        ("GET", "/api/records/nothing", "", 404, "no record \"nothing\""),
        ("POST", "/api/records/ended", r#"{"id":"x","state":"happy","at":1}"#, 400, "\"happy\" is not an end state"),
        ("POST", "/api/records/ended", r#"{"id":"x","state":"running","at":1}"#, 400, "not an end state"),
    ];
    for (method, path, body, status, says) in cases {
        let response = gateway.admin(method, path, body);
        assert_eq!(response.status, status, "{method} {path}: {}", response.text());
        let detail = response.problem_detail();
        assert!(detail.contains(says), "{method} {path}: {detail}");
    }
}

const TEN_MISTAKES: &str = r#"
[settings]
retention_days = 0

[[keys]]
name = "k"
hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
metrics = true

[[providers]]
name = "one"
base_url = "ftp://example.org"

[[providers]]
name = "one"
base_url = "https://example.org/v1/chat/completions"
auth = "basic"

[[models]]
name = "m"
attempts = 99
targets = ["oen/x", { provider = "one", model = "y", weight = -1 }]

[[models]]
name = "m2"
aliases = ["m"]
targets = ["one/z"]
"#;

fn a_catalog_with_ten_mistakes_lists_ten(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    let before = gateway.admin("GET", "/api/catalog", "").header("etag").map(str::to_owned);
    let check = Request::new("POST", "/api/catalog/check").key(TOKEN).body(TEN_MISTAKES);
    for response in [gateway.put_catalog(TEN_MISTAKES), gateway.send(&check)] {
        assert_eq!(response.status, 422);
        assert!(response.problem_detail().contains("Mend every problem"), "{}", response.text());
        let body = response.json();
        let problems = body["problems"].as_array().expect("a list");
        let mut paths: Vec<&str> = problems.iter().map(|problem| problem["path"].as_str().expect("a path")).collect();
        paths.sort_unstable();
        let ten = [
            "keys[0].metrics",
            "models[0].attempts",
            "models[0].targets[0]",
            "models[0].targets[1].weight",
            "models[1].aliases[0]",
            "providers[0].base_url",
            "providers[1].auth",
            "providers[1].base_url",
            "providers[1].name",
            "settings.retention_days",
        ];
        assert_eq!(paths, ten, "{body}");
        let message = body.to_string();
        assert!(message.contains(r#"did you mean \"one\"?"#) && message.contains("not built yet"), "{message}");
    }
    assert_eq!(gateway.admin("GET", "/api/catalog", "").header("etag").map(str::to_owned), before);
    assert_eq!(gateway.send(&chat("m")).status, 200, "the last good catalog stays");
}

fn a_catalog_that_cannot_be_read_is_422_with_its_place(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    for (text, says) in [
        ("[[providers]\n", "line 1"),
        ("{\"providers\": [,]}", "line 1"),
        ("{\"models\": [], \"models\": []}", "models"),
        ("models = 7", "must be a list"),
    ] {
        let response = gateway.put_catalog(text);
        assert_eq!(response.status, 422, "{text}");
        assert!(response.json()["problems"].to_string().contains(says), "{text}: {}", response.text());
    }
    let response = gateway.send(&Request::new("PUT", "/api/catalog").key(TOKEN).body(b"name = \"\xff\"".as_slice()));
    assert!(response.status == 422 && response.text().contains("not UTF-8"), "{}", response.text());
}

fn a_query_that_is_not_understood_is_400(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    for (query, says) in [
        ("colour=blue", "colour"),
        ("limit=0", "from 1 to 500"),
        ("before=zzz", "`before` must be the `next` of a page"),
        ("status=-1", "`status` must be an HTTP status"),
        ("streamed=yes", "`streamed` must be true or false"),
        ("limit=501", "from 1 to 500"),
        ("limit=many", "whole number"),
        ("since=yesterday", "Unix milliseconds"),
        ("state=happy", "happy"),
        ("model=%ff", "percent-encoded UTF-8"),
    ] {
        let response = gateway.admin("GET", &format!("/api/records?{query}"), "");
        assert_eq!(response.status, 400, "{query}");
        assert!(response.problem_detail().contains(says), "{query}: {}", response.problem_detail());
    }
}

fn a_refused_call_has_a_record(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    for (request, status) in [(chat("m").body("not json"), 400), (chat("nobody"), 404)] {
        let response = gateway.send(&request);
        let record = gateway.record(&response);
        assert_eq!((&record["state"], &record["status"]), (&"rejected".into(), &status.into()));
        assert_eq!(record["error"], response.openai_error().message);
        assert_eq!(record["attempts"], serde_json::json!([]));
    }
}

fn a_request_that_went_in_circles_is_stopped(host: Host) {
    let gateway = gateway(host, &Upstream::saying("Hi"));
    assert_eq!(gateway.send(&chat("m").header("x-llmio-hops", "4")).status, 200);
    let response = gateway.send(&chat("m").header("x-llmio-hops", "5"));
    assert_eq!((response.status, response.openai_error().code.as_str()), (508, "loop_detected"));
}

/// RFC 9112, section 6.1.
fn a_transfer_coding_nobody_undoes_is_501_and_ends_the_connection(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(host, &upstream);
    let head = |codings: &str| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKEN}\r\n\
             transfer-encoding: {codings}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        )
    };
    for codings in ["gzip, chunked", "deflate,chunked"] {
        let mut connection = gateway.connect();
        connection.send_raw(head(codings).into_bytes());
        assert_eq!(connection.status(), 501, "{codings}");
        assert!(connection.finish().headers.iter().any(|(name, value)| name == "connection" && value == "close"));
    }
    assert_eq!(upstream.received().len(), 0);
    let mut connection = gateway.connect();
    connection.send_raw(head("chunked").into_bytes());
    assert_eq!(connection.status(), 400, "which is about the body");
}

/// Neither asked for by its preface nor by an upgrade.
#[test]
fn http_2_is_not_spoken_towards_clients() {
    let upstream = Upstream::saying("Hi");
    let gateway = gateway(Host::Runner, &upstream);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let mut stream = std::net::TcpStream::connect(gateway.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(preface).expect("a connection");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    let upgrade = chat("m").header("connection", "upgrade, http2-settings").header("upgrade", "h2c");
    let response = refused(&gateway, &upgrade.header("http2-settings", "AAMAAABkAAQAAP__"));
    assert_eq!(response.status, 200, "answered as if the upgrade had not been asked for");
}
