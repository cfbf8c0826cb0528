//! The end of an answer is its dialect's last event, and not its connection's: what comes or does not come behind it
//! changes neither the client's answer nor the record.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::callers::{answer, calls, gateway, stream};
use crate::common::{End, Gateway, Host, Request, Response, streamed_chat};
use crate::upstream::{Answer, Upstream};

both_hosts![
    behind_the_last_event_nothing_changes_an_answer,
    geminis_answer_ends_when_a_second_passes_behind_its_reason,
    a_whole_answer_ends_with_its_last_bracket,
];

/// The end of a body as it should not be.
fn endings(answer: &Answer) -> Vec<(&'static str, Answer)> {
    vec![
        ("open", answer.clone().wait()),
        ("cut", answer.clone().cut()),
        ("reset", answer.clone().reset()),
        ("malformed", answer.clone().raw("nonsense\r\n").cut()),
    ]
}

/// Less than the idle limit, after which an open body would be given up.
const SOON: Duration = Duration::from_secs(20);

/// The answer is whole, soon, and the record says so.
fn ends_well(gateway: &Gateway, call: &Request, what: &str) -> Response {
    let begun = Instant::now();
    let response = gateway.send(call);
    assert_eq!((response.status, response.end), (200, End::Clean), "{what}: {}", response.text());
    assert!(begun.elapsed() < SOON, "{what}: it ended after {:?}", begun.elapsed());
    assert!(
        response.text().contains("one") && !response.text().contains("The answer is incomplete"),
        "{what}: {}",
        response.text()
    );
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["output_tokens"]), (&json!("ok"), &json!(7)), "{what}: {record}");
    response
}

fn behind_the_last_event_nothing_changes_an_answer(host: Host) {
    let mut cases = Vec::new();
    let done = stream("openai-responses").replace("response.completed", "response.done");
    for (dialect, stream) in [
        ("openai-chat", stream("openai-chat")),
        ("anthropic", stream("anthropic")),
        ("openai-responses", stream("openai-responses")),
        ("openai-responses", done),
    ] {
        let answers = endings(&Answer::stream().chunk(&stream));
        cases.extend(answers.into_iter().map(|(how, answer)| (dialect, stream.clone(), how, answer)));
    }
    let providers: Vec<_> =
        cases.iter().map(|(dialect, _, _, answer)| (*dialect, Upstream::answering(answer.clone()))).collect();
    let gateway = gateway(host, &providers);
    for (number, (dialect, stream, how, _)) in cases.iter().enumerate() {
        for (spoken, call) in calls(&format!("m{number}"), true) {
            let is_native = spoken == *dialect;
            if is_native || *how == "open" {
                let response = ends_well(&gateway, &call, &format!("{how}, {spoken} from {dialect}"));
                assert!(!is_native || response.text() == *stream, "{how}, {dialect}: {}", response.text());
            }
        }
    }
}

fn geminis_answer_ends_when_a_second_passes_behind_its_reason(host: Host) {
    let answers = endings(&Answer::stream().chunk(stream("gemini")));
    let providers: Vec<_> = answers.iter().map(|(_, answer)| ("gemini", Upstream::answering(answer.clone()))).collect();
    let gateway = gateway(host, &providers);
    for (number, (how, _)) in answers.iter().enumerate() {
        for (_, call) in calls(&format!("m{number}"), true).iter().skip(if *how == "open" { 1 } else { 3 }) {
            ends_well(&gateway, call, how);
        }
    }
}

fn a_whole_answer_ends_with_its_last_bracket(host: Host) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let answers = endings(&Answer::nothing().raw(head).chunk(answer("openai-chat")));
    let providers: Vec<_> =
        answers.iter().map(|(_, answer)| ("openai-chat", Upstream::answering(answer.clone()))).collect();
    let gateway = gateway(host, &providers);
    for (number, (how, _)) in answers.iter().enumerate() {
        let model = format!("m{number}");
        for (_, call) in calls(&model, false).iter().take(2) {
            ends_well(&gateway, call, how);
        }
    }
}

/// The connection is kept where the body ends soon after the last event.
#[test]
fn a_body_that_ends_soon_leaves_its_connection_for_the_next_call() {
    let upstream = Upstream::answering(Answer::stream().chunk(stream("openai-chat")).end());
    let gateway =
        Gateway::on(Host::Runner).arg("--threads").arg("1").provider("a", &upstream).model("m", &["a/up"]).start();
    for _ in 0..3 {
        ends_well(&gateway, &streamed_chat("m"), "kept");
    }
    assert_eq!(upstream.connections(), 1);
}
