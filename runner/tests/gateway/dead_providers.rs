//! What agents are told if only the operator can help: the refusal is final in every dialect, and no client is asked to
//! wait.

use serde_json::Value;

use crate::common::{Gateway, Host, Request, Response, TOKEN};
use crate::upstream::{Answer, Upstream};

both_hosts![
    a_dead_provider_is_final_in_every_dialect_from_the_first_call_on,
    another_llmio_with_a_dead_provider_is_passed_over,
    no_wait_above_a_minute_is_sent_as_one,
];

const CALLS: [(&str, &str); 4] = [
    ("/v1/chat/completions", r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#),
    ("/v1/responses", r#"{"model":"m","input":"Hi"}"#),
    ("/v1/messages", r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#),
    ("/v1beta/models/m:generateContent", r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#),
];

fn send(gateway: &Gateway, (path, body): (&str, &str)) -> Response {
    gateway.send(&Request::new("POST", path).key(TOKEN).json(body))
}

/// The message of an error of any dialect.
fn message(response: &Response) -> String {
    let body: Value = response.json();
    body["error"]["message"].as_str().unwrap_or_else(|| panic!("no message: {body}")).to_owned()
}

fn a_dead_provider_is_final_in_every_dialect_from_the_first_call_on(host: Host) {
    for (status, error, expected) in [
        (401, r#"{"error":{"message":"Incorrect API key provided"}}"#, "refused llmio's credential (401)"),
        (402, r#"{"error":{"message":"Insufficient Balance"}}"#, "has nothing left (402)"),
        (
            429,
            r#"{"error":{"code":"insufficient_quota","message":"You exceeded your quota"}}"#,
            "has nothing left (429)",
        ),
        (
            404,
            r#"{"error":{"code":"model_not_found","message":"No such model"}}"#,
            "does not serve a model of that name",
        ),
    ] {
        let upstream = Upstream::answering(Answer::json(status, error));
        let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
        let answers: Vec<Response> = CALLS.iter().chain(&CALLS).map(|call| send(&gateway, *call)).collect();
        for response in &answers {
            let what = response.text();
            assert_eq!((response.status, response.header("x-should-retry")), (400, Some("false")), "{what}");
            assert_eq!(response.header("retry-after"), None, "{what}");
            assert!(!what.contains("RetryInfo"), "{what}");
        }
        assert!(message(&answers[0]).contains(expected), "{}", message(&answers[0]));
        let later = answers.last().expect("eight of them");
        assert!(later.header("x-llmio-until").is_some_and(|until| until.ends_with('Z')), "{}", later.text());
        assert_eq!(answers[0].openai_error().code, "no_usable_provider");
    }
}

fn another_llmio_with_a_dead_provider_is_passed_over(host: Host) {
    let dead =
        r#"{"error":{"message":"No provider answered","type":"invalid_request_error","code":"no_usable_provider"}}"#;
    let (far, near) = (Upstream::answering(Answer::json(400, dead)), Upstream::saying("Hi"));
    let gateway = Gateway::on(host).provider("a", &far).provider("b", &near);
    let gateway = gateway.model_with("m", "strategy = \"round-robin\"", &["a/up", "b/up"]).start();
    for _ in 0..3 {
        assert_eq!(send(&gateway, CALLS[0]).status, 200);
    }
}

fn no_wait_above_a_minute_is_sent_as_one(host: Host) {
    let slow = |seconds: &str| {
        Answer::whole(
            429,
            &format!("content-type: application/json\r\nretry-after: {seconds}"),
            r#"{"error":{"message":"later"}}"#,
        )
    };
    let upstream = Upstream::answering(slow("3600"));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    for call in CALLS.iter().chain(&CALLS) {
        let response = send(&gateway, *call);
        assert_eq!((response.status, response.header("retry-after")), (429, None), "{}", response.text());
        assert!(response.header("x-llmio-until").is_some(), "{}", response.text());
        assert!(!response.text().contains("RetryInfo"), "{}", response.text());
    }
}
