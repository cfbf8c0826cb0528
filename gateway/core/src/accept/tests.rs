use super::body::MODEL_CHARACTERS_MAX;
use super::outline::DEPTH_MAX;
use super::*;
use crate::call::Call;
use crate::refusal::Refusal;

fn accepted(body: &str) -> Call {
    super::call(Operation::Chat, Head::default(), body.as_bytes().to_vec()).expect("the body is fine")
}

fn refused(body: impl Into<Vec<u8>>) -> Refusal {
    super::call(Operation::Chat, Head::default(), body.into()).expect_err("the body is not fine")
}

#[test]
fn every_route_finds_itself_and_no_two_routes_are_the_same() {
    for (index, route) in ROUTES.iter().enumerate() {
        let path = route.path.replace("{}", "x");
        assert!(
            matches!(find(route.method, &path), RouteMatch::Route(needs, endpoint, _)
            if needs == route.needs && endpoint == route.endpoint),
            "{} {}",
            route.method,
            route.path
        );
        let same = |other: &&Route| other.method == route.method && other.path == route.path;
        assert_eq!(ROUTES.iter().filter(same).count(), 1, "row {index}");
    }
}

#[test]
fn every_admin_route_needs_the_admin_token_and_every_data_route_a_key() {
    for route in ROUTES {
        match route.endpoint {
            Endpoint::Admin(Admin::RecordsBodies) => assert_eq!(route.needs, Needs::Reader, "{}", route.path),
            Endpoint::Admin(_) | Endpoint::ProvidersCheck => assert_eq!(route.needs, Needs::Admin, "{}", route.path),
            Endpoint::Call(_)
            | Endpoint::Stored(_)
            | Endpoint::Kept(_)
            | Endpoint::Models
            | Endpoint::Model
            | Endpoint::Usage
            | Endpoint::RecordBodies(_)
            | Endpoint::Telemetry => {
                assert_eq!(route.needs, Needs::Key);
            }
            Endpoint::Relay => assert_eq!(route.needs, Needs::Relay),
            Endpoint::Console => assert_eq!(route.needs, Needs::Session),
            Endpoint::Probe
            | Endpoint::WebSocket
            | Endpoint::Alive
            | Endpoint::Ready
            | Endpoint::Root
            | Endpoint::ConsoleSlash => {
                assert_eq!(route.needs, Needs::Nothing);
            }
        }
        let is_of_admin = matches!(route.needs, Needs::Admin | Needs::Reader);
        assert_eq!(is_admin(route.path) && route.method != "HEAD", is_of_admin, "{}", route.path);
    }
}

#[test]
fn a_relay_takes_every_method_and_the_rest_of_its_path_as_it_stands() {
    for method in ["GET", "POST", "OPTIONS", "PROPFIND"] {
        let found = find(method, "/relay/gemini/v1beta/a%2Fb");
        assert_eq!(found, RouteMatch::Route(Needs::Relay, Endpoint::Relay, "gemini/v1beta/a%2Fb"));
        assert_eq!(find(method, "/proxy/x"), RouteMatch::Route(Needs::Relay, Endpoint::Relay, "x"));
        assert_eq!(find(method, "/relay/"), RouteMatch::Unknown);
    }
}

/// What is found at a path with its version.
fn of_version(path: &str) -> RouteMatch<'_> {
    let versioned = format!("/v1{path}");
    match find("POST", &versioned) {
        RouteMatch::Route(needs, endpoint, parameter) => {
            let at = path.find(parameter).expect("the path has it");
            RouteMatch::Route(needs, endpoint, &path[at..at + parameter.len()])
        }
        _ => RouteMatch::Unknown,
    }
}

#[test]
fn a_client_that_leaves_the_version_out_reaches_the_same_routes() {
    for path in [
        "/chat/completions",
        "/completions",
        "/responses",
        "/responses/r-1/cancel",
        "/messages",
        "/messages/count_tokens",
        "/embeddings",
        "/moderations",
        "/audio/speech",
        "/models/m:generateContent",
        "/models/a/b:free:streamGenerateContent",
    ] {
        assert_eq!(find("POST", path), of_version(path), "{path}");
        assert!(matches!(find("POST", path), RouteMatch::Route(Needs::Key, ..)), "{path}");
        assert_eq!(find("OPTIONS", path), RouteMatch::Preflight, "{path}");
    }
    for path in ["/models", "/models/a%2Fb", "/responses/r-1"] {
        assert!(matches!(find("GET", path), RouteMatch::Route(Needs::Key, ..)), "{path}");
    }
    assert_eq!(find("GET", "/responses"), RouteMatch::Route(Needs::Nothing, Endpoint::WebSocket, ""));
    let shaped = |path: &str| shape(path, &[], None);
    assert_eq!(shaped("/messages"), Shape::Dialect(Dialect::Anthropic));
    assert_eq!(shaped("/models/m:generateContent"), Shape::Dialect(Dialect::Gemini));
    assert_eq!(shaped("/chat/completions"), Shape::Dialect(Dialect::OpenaiChat));
}

#[test]
fn what_providers_serve_and_llmio_does_not_is_named() {
    for (method, path, what) in [
        ("POST", "/v1/files/file-1/content", Some("files")),
        ("POST", "/v1/uploads", Some("files")),
        ("POST", "/openai/v1/batches/b/results", Some("batches")),
        ("POST", "/anthropic/v1/messages/batches/b", Some("batches")),
        ("POST", "/v1beta/models/m:batchGenerateContent", Some("batches")),
        ("POST", "/v1/fine_tuning/jobs", Some("fine-tuning")),
        ("GET", "/v1beta/cachedContents", Some("cached contents")),
        ("POST", "/vector_stores", Some("vector stores")),
        ("POST", "/v1/filesystem", None),
        ("POST", "/v1/nothing", None),
    ] {
        assert_eq!(find(method, path), RouteMatch::Unknown, "{path}");
        assert_eq!(not_served(path), what, "{path}");
        let refusal = Refusal::unknown_path(method, path, not_served(path));
        assert_eq!((refusal.status, refusal.code == Some("not_served")), (404, what.is_some()), "{path}");
        assert_eq!(refusal.message.contains("base URL"), what.is_none(), "{}", refusal.message);
    }
    assert_eq!(find("POST", "/v1/models/qwen3:32b"), RouteMatch::WrongMethod("GET, HEAD".to_owned()));
}

#[test]
fn a_repetition_says_so() {
    let header = |count: &str| vec![("x-stainless-retry-count".to_owned(), count.as_bytes().to_vec())];
    assert!(is_repeated(&header("1")));
    assert!(!is_repeated(&header("0")) && !is_repeated(&header("x")) && !is_repeated(&[]));
}

#[test]
fn the_openai_prefix_leads_to_the_same_routes() {
    assert_eq!(find("POST", "/openai/v1/embeddings"), find("POST", "/v1/embeddings"));
    assert_eq!(find("GET", "/openai/v1/models/a%2Fb"), RouteMatch::Route(Needs::Key, Endpoint::Model, "a%2Fb"));
    assert_eq!(find("GET", "/openai/api/catalog"), RouteMatch::Unknown);
    assert_eq!(find("GET", "/openai/healthz"), RouteMatch::Unknown);
}

#[test]
fn every_dialect_is_served_under_its_prefix_and_its_clients_paths() {
    let call = |operation| Endpoint::Call(operation);
    for (path, endpoint, parameter) in [
        ("/anthropic/v1/messages", call(Operation::Messages), ""),
        ("/v1/v1/messages", call(Operation::Messages), ""),
        ("/anthropic/v1/v1/messages/count_tokens", call(Operation::CountTokens), ""),
        ("/v1/models/a/b:free:generateContent", call(Operation::Generate), "a/b:free"),
        ("/v1beta/models/m:streamGenerateContent", call(Operation::StreamGenerate), "m"),
        ("/gemini/v1beta/models/m:countTokens", call(Operation::GeminiCountTokens), "m"),
        ("/gemini/v1/models/m:embedContent", call(Operation::EmbedContent), "m"),
        ("/openai/deployments/a%2Fb/chat/completions", call(Operation::Chat), "a%2Fb"),
        ("/openai/responses", call(Operation::Responses), ""),
        ("/v1/responses/compact", call(Operation::Compact), ""),
        ("/openai/v1/responses/input_tokens", call(Operation::InputTokens), ""),
        ("/anthropic/api/event_logging/batch", Endpoint::Telemetry, ""),
    ] {
        assert_eq!(find("POST", path), RouteMatch::Route(Needs::Key, endpoint, parameter), "{path}");
    }
    assert_eq!(find("POST", "/v1/models/:generateContent"), RouteMatch::WrongMethod("GET, HEAD".into()));
    assert_eq!(find("GET", "/v1beta/models/m"), RouteMatch::Route(Needs::Key, Endpoint::Model, "m"));
    assert_eq!(find("GET", "/v1/responses"), RouteMatch::Route(Needs::Nothing, Endpoint::WebSocket, ""));
    assert_eq!(find("OPTIONS", "/gemini/v1beta/models/m:generateContent"), RouteMatch::Preflight);
}

#[test]
fn an_answer_has_the_shape_of_its_path_or_else_of_the_callers_headers() {
    let shape_of = |path: &str, header: &str| {
        let headers = [(header.to_owned(), b"v".to_vec())];
        shape(path, &headers, None)
    };
    for (path, header, dialect) in [
        ("/v1/messages", "x-goog-api-key", Dialect::Anthropic),
        ("/anthropic/v1/models", "authorization", Dialect::Anthropic),
        ("/v1beta/models", "authorization", Dialect::Gemini),
        ("/v1/chat/completions", "anthropic-version", Dialect::OpenaiChat),
        ("/v1/models", "x-goog-api-key", Dialect::Gemini),
        ("/v1/models/m", "anthropic-version", Dialect::Anthropic),
        ("/v1/models", "authorization", Dialect::OpenaiChat),
        ("/typo", "anthropic-version", Dialect::Anthropic),
    ] {
        assert_eq!(shape_of(path, header), Shape::Dialect(dialect), "{path} {header}");
    }
    assert_eq!(shape("/v1/models", &[], Some("a=b&key=k")), Shape::Dialect(Dialect::Gemini));
    assert_eq!(shape_of("/api/keys", "anthropic-version"), Shape::Problem);
}

#[test]
fn tricks_with_paths_find_nothing() {
    for path in [
        "/v1//models",
        "/v1/./models",
        "/V1/models",
        "/v1/models;x",
        "/v1/chat/../models",
        "//api/catalog",
        "/api%2Fcatalog",
        "/v1/models/",
        "/api/catalog/",
        "",
        "*",
        "/v1\\models",
        "/api/../api/catalog",
    ] {
        assert_eq!(find("GET", path), RouteMatch::Unknown, "{path}");
    }
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    assert_eq!(find("GET", "/v1/chat/completions"), RouteMatch::WrongMethod("POST".into()));
    assert_eq!(find("POST", "/api/catalog"), RouteMatch::WrongMethod("GET, PUT, PATCH".into()));
    assert_eq!(find("HEAD", "/v1/models"), RouteMatch::Route(Needs::Key, Endpoint::Models, ""));
    assert_eq!(find("HEAD", "/readyz"), RouteMatch::Route(Needs::Nothing, Endpoint::Ready, ""));
    assert_eq!(find("HEAD", "/api/catalog"), RouteMatch::WrongMethod("GET, PUT, PATCH".into()));
}

#[test]
fn preflights_are_answered_on_data_routes_and_never_on_admin_ones() {
    assert_eq!(find("OPTIONS", "/v1/chat/completions"), RouteMatch::Preflight);
    assert_eq!(find("OPTIONS", "/api/catalog"), RouteMatch::WrongMethod("GET, PUT, PATCH".into()));
    assert_eq!(find("OPTIONS", "/v1/nothing"), RouteMatch::Unknown);
}

#[test]
fn the_span_of_model_is_its_value_with_quotes() {
    let call = accepted("{ \"messages\": [], \"model\" :\n \"a\\u0062c\" , \"n\": 1e999 }");
    assert_eq!(call.model, "abc");
    assert_eq!(&call.body[call.names[0].span.clone()], b"\"a\\u0062c\"");
}

#[test]
fn stream_options_and_session_are_read_where_they_are() {
    let call = accepted(r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"session_id":"s"}"#);
    assert!(call.streamed && call.include_usage);
    assert_eq!(call.session.as_deref(), Some("s"));
    let call = accepted(r#"{"model":"m","stream":null,"stream_options":null,"session_id":7}"#);
    assert!(!call.streamed && !call.include_usage && call.session.is_none());
}

#[test]
fn a_member_called_model_deeper_down_is_not_the_model() {
    let call = accepted(r#"{"metadata":{"model":"inner"},"model":"outer"}"#);
    assert_eq!(call.model, "outer");
}

#[test]
fn a_duplicate_member_is_refused_however_it_is_spelled() {
    for body in [
        r#"{"model":"a","model":"b"}"#,
        r#"{"model":"a","mod\u0065l":"b"}"#,
        r#"{"model":"a","stream":true,"stream":false}"#,
        r#"{"model":"a","max_tokens":1,"max_tokens":2}"#,
        r#"{"model":"a","session_id":"s","session_id":"t"}"#,
    ] {
        let refusal = refused(body);
        assert_eq!(refusal.status, 400);
        assert!(refusal.message.contains("more than once"), "{}", refusal.message);
    }
}

#[test]
fn what_is_wrong_with_a_body_is_said() {
    let cases: [(&[u8], &str); 14] = [
        (b"", "The body is empty"),
        (b"\xef\xbb\xbf{\"model\":\"m\"}", "byte order mark"),
        (b"hello", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b"{\"model\":\"m\"} x", "not a JSON object"),
        (b"{\"model\":\"m\"", "not a JSON object"),
        (b"{\"messages\":[]}", "`model` is missing"),
        (b"{\"model\":7}", "`model` must be a string"),
        (b"{\"model\":null}", "`model` must be a string"),
        (b"{\"model\":\"\"}", "`model` must be a name"),
        (b"{\"model\":\"a\\r\\nx: y\"}", "`model` must be a name"),
        (b"\"{\\\"model\\\":\\\"m\\\"}\"", "not a JSON object. Send one with `model`, and encode it once"),
        (b"{\"model\":\"m\",\"stream\":\"yes\"}", "`stream` must be true or false"),
        (b"{\"model\":\"\xff\"}", "not valid UTF-8 (at byte 10)"),
    ];
    for (body, message) in cases {
        let refusal = refused(body);
        assert_eq!(refusal.status, 400);
        assert!(refusal.message.contains(message), "{message}: {}", refusal.message);
    }
}

#[test]
fn a_name_with_steps_of_a_path_is_refused_wherever_it_stands() {
    for name in ["a/../b", "..", ".", "a//b", "/a", "a/", "gemini-2.5-flash/../../v1alpha/models/x"] {
        assert!(refused(format!("{{\"model\":\"{name}\"}}")).message.contains("steps of a path"), "{name}");
        let head = Head { model: Some(name.into()), ..Head::default() };
        assert!(super::call(Operation::Generate, head, b"{}".to_vec()).is_err(), "{name}");
    }
    assert_eq!(accepted(r#"{"model":"a/b.c/..d"}"#).model, "a/b.c/..d");
}

#[test]
fn a_request_of_a_batch_that_names_its_model_twice_is_refused() {
    let body = |requests: &str| format!("{{\"requests\":{requests}}}").into_bytes();
    let read = |requests: &str| {
        let head = Head { model: Some("m".into()), ..Head::default() };
        super::call(Operation::BatchEmbedContents, head, body(requests))
    };
    assert!(read(r#"[{"model":"models/a","model":"models/b"}]"#).is_err());
    assert_eq!(read(r#"[{"model":"models/a"},{}]"#).expect("a valid batch").names.len(), 1);
}

#[test]
fn what_a_body_repeats_is_short_however_large_the_body_is() {
    let long = "x".repeat(1 << 20);
    for body in [
        format!("\"{long}\""),
        format!("{{\"model\":\"{long}\"}}"),
        format!("{{\"model\":\"m\",\"stream\":\"{long}\"}}"),
    ] {
        assert!(refused(body).message.len() < 300);
    }
    assert_eq!(accepted(&format!("{{\"model\":\"{}\"}}", "é".repeat(MODEL_CHARACTERS_MAX))).model.len(), 512);
}

#[test]
fn stream_options_of_any_size_and_type_are_read_without_building_them() {
    let options = format!("[{}0]", "0,".repeat(1 << 20));
    assert!(!accepted(&format!("{{\"model\":\"m\",\"stream_options\":{options}}}")).include_usage);
    let other = r#"{"model":"m","stream_options":{"other":[1],"include_usage":true}}"#;
    assert!(accepted(other).include_usage);
}

#[test]
fn deep_nesting_is_refused_before_anything_recurses() {
    let body = |depth: usize| format!("{{\"model\":\"m\",\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(accepted(&body(DEPTH_MAX - 1)).model, "m");
    assert!(refused(body(DEPTH_MAX)).message.contains("nests deeper"));
    assert!(refused(body(100_000)).message.contains("nests deeper"));
    assert_eq!(accepted(&format!("{{\"model\":\"m\",\"x\":\"{}\\\"[\"}}", "[".repeat(500))).model, "m");
}

#[test]
fn only_what_a_trusted_proxy_wrote_is_believed_of_the_client() {
    let network = |text: &str, prefix| Network { address: text.parse().expect("an address"), prefix };
    let trusted = [network("10.0.0.0", 8)];
    let headers = |value: &str| vec![("x-forwarded-for".to_owned(), value.as_bytes().to_vec())];
    let peer = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
    let client = |from: &str, value: &str| client_address(peer(from), &headers(value), &trusted);
    assert_eq!(client("203.0.113.9", "1.2.3.4"), peer("203.0.113.9"));
    assert_eq!(client("10.0.0.1", "1.2.3.4"), peer("1.2.3.4"));
    assert_eq!(client("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.7"), peer("1.2.3.4"));
    for with_port in ["1.2.3.4:51234", "1.2.3.4:51234, 10.0.0.7:80"] {
        assert_eq!(client("10.0.0.1", with_port), peer("1.2.3.4"), "{with_port}");
    }
    for version_6 in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"] {
        assert_eq!(client("10.0.0.1", version_6), peer("2001:db8::1"), "{version_6}");
    }
    for nonsense in ["nonsense", "1.2.3.4:", "1.2.3.4:99999", "[1.2.3.4", "2001:db8::1]:443", ":80", ""] {
        assert_eq!(client("10.0.0.1", nonsense), peer("10.0.0.1"), "{nonsense}");
    }
    assert_eq!(client_address(None, &headers("1.2.3.4"), &trusted), None);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_reading_a_body_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = super::call(Operation::Chat, Head::default(), bytes);
    }

    #[test]
    fn splicing_the_model_changes_nothing_else(
        before in "[ \n]{0,3}", name in "[a-zA-Z0-9:_\u{e9}-][a-zA-Z0-9:._\u{e9}-]{0,9}(/[a-zA-Z0-9:_-]{1,9})?", space in "[ \t\r\n]{0,3}", text in "\\PC{0,40}",
    ) {
        let text = serde_json::Value::from(text).to_string();
        let with_model = |model: &str| {
            format!("{before}{{\"a\":{text},{space}\"model\"{space}:{space}\"{model}\"{space},\"b\":[1.0,{text}]}}")
        };
        let call = super::call(Operation::Chat, Head::default(), with_model(&name).into_bytes()).expect("a valid body");
        proptest::prop_assert_eq!(&call.model, &name);
        let spliced = crate::rewrite::body_for(&call, "other", None);
        proptest::prop_assert_eq!(String::from_utf8(spliced).expect("text"), with_model("other"));
    }
}

#[test]
fn a_model_that_nobody_names_is_the_default() {
    let head = || Head { default_model: Some("usual".to_owned()), ..Head::default() };
    let of = |body: &str| super::call(Operation::Moderations, head(), body.as_bytes().to_vec()).expect("it is fine");
    let call = of(r#"{"input":"x"}"#);
    assert_eq!((call.model.as_str(), call.names[0].form), ("usual", crate::call::NameForm::Member { followed: true }));
    assert_eq!(of(r#"{"model":"mine","input":"x"}"#).model, "mine");
}
