use super::*;

const OPENAI: Shape = Shape::Dialect(Dialect::OpenaiChat);
use crate::problem::Problem;

fn json_of(reply: &Reply) -> serde_json::Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    let found = reply.headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| std::str::from_utf8(value).expect("text"))
}

#[test]
fn openai_clients_get_all_four_members_of_an_error() {
    let reply = Refusal::bad_request("no").about("model").reply(OPENAI, "r-1");
    assert_eq!(reply.status, 400);
    assert_eq!(
        json_of(&reply),
        json!({ "error": { "message": "no", "type": "invalid_request_error", "param": "model", "code": null } })
    );
}

#[test]
fn admin_clients_get_problem_details_with_every_problem() {
    let problems = Problems(vec![Problem::new("models[0].name", "is empty")]);
    let reply = Refusal::invalid_catalog(problems).reply(Shape::Problem, "r-1");
    assert_eq!(header(&reply, "content-type"), Some("application/problem+json"));
    let body = json_of(&reply);
    assert_eq!(body["status"], 422);
    assert_eq!(body["problems"], json!([{ "path": "models[0].name", "message": "is empty" }]));
}

#[test]
fn what_trying_again_cannot_mend_says_so() {
    for refusal in [
        Refusal::unauthorized("key_unknown", ""),
        Refusal::forbidden("model_not_allowed", ""),
        Refusal::not_found("model_not_found", ""),
        Refusal::bad_gateway(State::UpstreamAuth, ""),
        Refusal::throttled(60),
    ] {
        assert_eq!(header(&refusal.reply(OPENAI, "r-1"), "x-should-retry"), Some("false"), "{refusal:?}");
    }
    assert_eq!(header(&Refusal::unavailable("busy", "").after(1).reply(OPENAI, "r-1"), "x-should-retry"), None);
}

#[test]
fn a_401_names_the_scheme_a_405_the_methods_and_a_429_the_wait() {
    assert!(header(&Refusal::unauthorized("x", "").reply(OPENAI, "r-1"), "www-authenticate").is_some());
    assert_eq!(header(&Refusal::wrong_method("GET", "/x", "POST".into()).reply(OPENAI, "r-1"), "allow"), Some("POST"));
    assert_eq!(header(&Refusal::throttled(7).reply(OPENAI, "r-1"), "retry-after"), Some("7"));
}

#[test]
fn a_path_nobody_serves_and_a_doubled_prefix_are_explained() {
    let message = |path: &str| Refusal::unknown_path("POST", path, None).message;
    assert!(message("/v1/v1/chat/completions").contains("already ends in /v1"));
    assert!(message("/typo").contains("…/v1"));
}

#[test]
fn an_event_is_one_data_line_and_a_blank_one() {
    let refusal = Refusal::bad_gateway(State::UpstreamReset, "a\nb");
    let event = String::from_utf8(refusal.event(Dialect::OpenaiChat, "r-1")).expect("text");
    assert!(event.starts_with("data: {\"error\":") && event.ends_with("}\n\n"));
    assert_eq!(event.matches('\n').count(), 2, "a line break inside would end the event early");
}
