//! A provider that is overloaded, which Anthropic and its copies say with a status of their own.

use serde_json::json;

use crate::callers::{DIALECTS, calls, gateway};
use crate::common::Host;
use crate::upstream::{Answer, Upstream};

both_hosts![an_overloaded_provider_is_told_as_such_to_clients_of_anthropic];

/// The overload as a provider of this dialect tells it.
fn overloaded(dialect: &str) -> Answer {
    let error = match dialect {
        "anthropic" => json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }),
        "gemini" => json!({ "error": { "code": 529, "status": "UNAVAILABLE", "message": "Overloaded" } }),
        _ => json!({ "error": { "type": "server_error", "message": "Overloaded" } }),
    };
    Answer::json(529, &error.to_string())
}

fn an_overloaded_provider_is_told_as_such_to_clients_of_anthropic(host: Host) {
    for dialect in DIALECTS {
        for streamed in [false, true] {
            // One that has been told so leaves the provider alone for a while.
            let gateway = gateway(host, &[(dialect, Upstream::answering(overloaded(dialect)))]);
            let (_, call) =
                calls("m0", streamed).into_iter().find(|(caller, _)| *caller == "anthropic").expect("a call");
            let response = gateway.send(&call);
            assert_eq!(response.status, 529, "{dialect} {streamed}: {}", response.text());
            let body = response.json();
            assert_eq!(body["error"]["type"], "overloaded_error", "{dialect} {streamed}: {body}");
            assert!(body["error"]["message"].as_str().is_some_and(|message| message.contains("Overloaded")), "{body}");
        }
    }
}
