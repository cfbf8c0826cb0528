//! The route table against what is really answered: every row with every kind of caller. The table itself comes from
//! the core, so a row added there is tested here without a change.

use gateway_core::accept::{ROUTES, Route};
use gateway_core::endpoint::{Admin, Endpoint, Needs};

use crate::common::{Gateway, Host, Request, Response, TOKEN};

both_hosts![
    every_route_answers_to_what_it_declares_and_to_nothing_less,
    nothing_is_answered_beside_the_table,
    a_client_that_leaves_the_version_out_is_served,
    what_is_not_served_is_named_in_the_callers_shape,
];

fn ask(gateway: &Gateway, route: &Route, credential: Option<&str>, caller: u16) -> Response {
    let mut path = route.path.replace("{}", "no-such-thing");
    if route.endpoint == Endpoint::Admin(Admin::RecordsTail) {
        // The stream of new records does not end, but a query that is refused does.
        path.push_str("?colour=blue");
    }
    let mut request = Request::new(route.method, &path);
    if let Some(credential) = credential {
        request = request.key(credential);
    }
    if route.endpoint == Endpoint::Root {
        // The address itself answers browsers only.
        request = request.header("accept", "text/html");
    }
    if matches!(route.method, "POST" | "PUT" | "PATCH") {
        // Understood by no route, so that none of them changes anything.
        request = request.json("[]");
    }
    // Failing credentials are throttled by address, and this is not about that.
    let mut connection = gateway.connect_from(caller);
    connection.send(&request);
    connection.finish()
}

fn every_route_answers_to_what_it_declares_and_to_nothing_less(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("client", &[]);
    let callers = [None, Some("sk-llmio-wrong"), Some(key.as_str()), Some(TOKEN)];
    let mut count = 0;
    for route in ROUTES {
        let expected = match route.needs {
            // One that does not exist is unknown to everybody.
            // The console asks who comes by a page of its own.
            Needs::Nothing | Needs::Relay | Needs::Session => [None; 4],
            Needs::Key | Needs::Reader => [Some(401), Some(401), None, None],
            Needs::Admin => [Some(401), Some(401), Some(403), None],
        };
        for (caller, expected) in callers.iter().zip(expected) {
            count += 1;
            let response = ask(&gateway, route, *caller, count);
            let what = format!("{} {} with {caller:?}: {}", route.method, route.path, response.text());
            match expected {
                Some(status) => assert_eq!(response.status, status, "{what}"),
                None => assert!(![401, 403, 405, 500].contains(&response.status), "{} {what}", response.status),
            }
            assert!(!response.text().contains("unknown_path"), "{what}");
            if expected == Some(401) {
                assert!(response.header("www-authenticate").is_some(), "{what}");
            }
        }
    }
    assert_eq!(usize::from(count), ROUTES.len() * callers.len());
}

fn nothing_is_answered_beside_the_table(host: Host) {
    let gateway = Gateway::on(host).start();
    let paths = [
        "/api",
        "/api/",
        "/api/catalog/",
        "/api//catalog",
        "/api/keys/",
        "/api/Catalog",
        "/api/catalog/check/x",
        "/v1/../api/catalog",
        "/%61pi/catalog",
        "/api/catalog%00",
        "/openai/api/catalog",
        "/openai/healthz",
        "/.env",
    ];
    for path in paths {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let response = gateway.send(&Request::new(method, path).key(TOKEN));
            assert_eq!(response.status, 404, "{method} {path}: {}", response.text());
        }
    }
}

fn a_client_that_leaves_the_version_out_is_served(host: Host) {
    let gateway = Gateway::on(host).start();
    for (path, body) in [
        ("/chat/completions", r#"{"model":"demo","messages":[{"role":"user","content":"Hi"}]}"#),
        ("/responses", r#"{"model":"demo","input":"Hi"}"#),
        ("/messages", r#"{"model":"demo","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#),
        ("/models/demo:generateContent", r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#),
        ("/embeddings", r#"{"model":"demo","input":"Hi"}"#),
    ] {
        let response = gateway.send(&Request::new("POST", path).key(TOKEN).json(body));
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        assert_eq!(gateway.send(&Request::new("POST", path).json(body)).status, 401, "{path}");
    }
    let models = gateway.send(&Request::new("GET", "/models").key(TOKEN)).json();
    assert_eq!(models["data"][0]["id"], "demo", "{models}");
    assert!(models["data"][0]["created"].as_u64().is_some_and(|created| created > 0), "{models}");
}

fn what_is_not_served_is_named_in_the_callers_shape(host: Host) {
    let gateway = Gateway::on(host).start();
    for (path, pointer, what) in [
        ("/v1/files", "/error/code", "files"),
        ("/v1/messages/batches", "/error/type", "batches"),
        ("/v1beta/models/m:batchGenerateContent", "/error/status", "batches"),
    ] {
        let response = gateway.send(&Request::new("POST", path).key(TOKEN).json("{}"));
        assert_eq!((response.status, response.header("x-should-retry")), (404, Some("false")), "{}", response.text());
        assert!(response.json().pointer(pointer).is_some(), "{}", response.text());
        let message = response.text();
        assert!(message.contains(&format!("llmio serves no {what}")) && !message.contains("base URL"), "{message}");
    }
}
