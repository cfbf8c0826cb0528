//! The route table against what is really answered: every row with every kind of caller. The table itself comes from
//! the core, so a row added there is tested here without a change.

use gateway_core::accept::{ROUTES, Route};
use gateway_core::endpoint::Needs;

use crate::common::{Gateway, Host, Request, Response, TOKEN};

both_hosts![every_route_answers_to_what_it_declares_and_to_nothing_less, nothing_is_answered_beside_the_table];

fn ask(gateway: &Gateway, route: &Route, credential: Option<&str>, caller: u16) -> Response {
    let path = route.path.replace("{}", "no-such-thing");
    let mut request = Request::new(route.method, &path);
    if let Some(credential) = credential {
        request = request.key(credential);
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
            Needs::Nothing | Needs::Relay => [None; 4],
            Needs::Key => [Some(401), Some(401), None, None],
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
