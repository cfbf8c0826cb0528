//! Before the commit point: what turns out to be no answer although it began with 200 fails over, unseen by the client;
//! after it nothing does.

use crate::common::{End, Gateway, Host, Response, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    an_error_in_a_stream_before_its_content_goes_to_the_next_target,
    a_stream_that_ends_without_content_goes_to_the_next_target,
    a_stream_that_breaks_before_its_content_goes_to_the_next_target,
    an_error_under_a_status_of_200_goes_to_the_next_target,
    a_text_the_catalog_names_makes_an_answer_a_failure,
    a_web_page_is_no_answer,
    a_short_json_answer_that_breaks_off_goes_to_the_next_target,
    an_error_after_the_first_content_is_passed_on_and_recorded,
    what_was_held_back_reaches_the_client_byte_for_byte,
    the_clients_own_mistake_inside_a_stream_is_its_error,
    what_cannot_be_an_answer_goes_to_the_next_target,
    a_status_that_http_does_not_have_is_no_answer,
    an_answer_with_nothing_in_it_goes_to_the_next_target_and_else_passes,
    events_that_run_together_are_no_stream,
];

const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";

fn good_stream() -> Answer {
    Answer::stream().chunk(event("from b")).chunk(last_events()).end()
}

/// Puts a target before one that works, and returns what the client saw; it must be the second one's.
fn passed_over(host: Host, first: Answer, streamed: bool, state: &str) -> Response {
    let second = if streamed { Upstream::answering(good_stream()) } else { Upstream::saying("from b") };
    let first = Upstream::answering(first);
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let response = gateway.send(&if streamed { streamed_chat("m") } else { chat("m") });
    assert_eq!((response.status, response.end, response.header("x-llmio-target")), (200, End::Clean, Some("b/up")));
    assert!(response.text().contains("from b"), "{}", response.text());
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["attempts"][0]["class"]), (&"ok".into(), &state.into()), "{record}");
    response
}

fn an_error_in_a_stream_before_its_content_goes_to_the_next_target(host: Host) {
    let error = |code: &str| format!("data: {{\"error\":{{\"message\":\"no\",\"code\":{code}}}}}\n\n");
    passed_over(host, Answer::stream().chunk(ROLE).chunk(error("502")).end(), true, "target");
    passed_over(host, Answer::stream().chunk(error("429")).end(), true, "rate");
    passed_over(host, Answer::stream().chunk(error("\"overloaded\"")).wait(), true, "target");
}

fn a_stream_that_ends_without_content_goes_to_the_next_target(host: Host) {
    passed_over(host, Answer::stream().chunk(ROLE).chunk("data: [DONE]\n\n").end(), true, "target");
    passed_over(host, Answer::stream().end(), true, "target");
}

fn a_stream_that_breaks_before_its_content_goes_to_the_next_target(host: Host) {
    passed_over(host, Answer::stream().chunk(ROLE).cut(), true, "target");
    passed_over(host, Answer::stream().chunk(": wait\n\n").raw("nonsense\r\n").cut(), true, "target");
}

fn an_error_under_a_status_of_200_goes_to_the_next_target(host: Host) {
    passed_over(host, Answer::json(200, r#"{"error":{"message":"no channel","code":503}}"#), false, "target");
    let broke = r#"{"error":{"message":"insufficient balance","code":"x"}}"#;
    passed_over(host, Answer::json(200, broke), false, "target");
}

fn a_text_the_catalog_names_makes_an_answer_a_failure(host: Host) {
    let streamed = Answer::stream().chunk(event("积分已耗尽")).chunk(last_events()).end();
    for (first, is_streamed) in [
        (Upstream::saying("您的积分已耗尽"), false),
        (Upstream::answering(Answer::json(200, &completion("积分已耗尽").replace('积', "\\u79ef"))), false),
        (Upstream::answering(streamed), true),
    ] {
        let second = Upstream::saying("from b")
            .then(is_streamed.then(|| Answer::stream().chunk(event("from b")).chunk(last_events()).end()));
        let catalog = format!(
            "[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\nlocal = true\nerror_match = [\"积分已耗尽\"]\n",
            first.url()
        );
        let gateway = Gateway::on(host).catalog(&catalog).provider("b", &second).model("m", &["a/up", "b/up"]).start();
        let response = gateway.send(&if is_streamed { streamed_chat("m") } else { chat("m") });
        assert!(response.text().contains("from b"), "{}", response.text());
        assert_eq!(first.received().len(), 1);
    }
}

fn a_web_page_is_no_answer(host: Host) {
    let page = Answer::whole(200, "content-type: text/html; charset=utf-8", "<html><title>My relay</title></html>");
    passed_over(host, page, false, "target");
}

fn a_short_json_answer_that_breaks_off_goes_to_the_next_target(host: Host) {
    let head = Answer::announcing(200, "content-type: application/json", 1000);
    passed_over(host, head.raw("{\"choices\":[").cut(), false, "target");
}

fn an_error_after_the_first_content_is_passed_on_and_recorded(host: Host) {
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n";
    let (first, second) =
        (Upstream::answering(Answer::stream().chunk(event("one")).chunk(error).end()), Upstream::saying("never"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!(response.text(), format!("{}{error}", event("one")));
    assert_eq!(second.received().len(), 0);
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["error"]), (&"upstream_error".into(), &"overloaded".into()));
}

fn what_was_held_back_reaches_the_client_byte_for_byte(host: Host) {
    let events = [": a comment\r\n\r\n", ROLE, &event("é"), &event("two"), &last_events()].concat();
    let stream = events.as_bytes().chunks(3).fold(Answer::stream(), |answer, piece| answer.chunk(piece));
    let gateway = Gateway::on(host).provider("a", &Upstream::answering(stream.end())).model("m", &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!((response.text(), response.end), (events, End::Clean));
}

fn the_clients_own_mistake_inside_a_stream_is_its_error(host: Host) {
    let mistake = "data: {\"error\":{\"message\":\"Unsupported value\",\"code\":400}}\n\n";
    let (first, second) = (Upstream::answering(Answer::stream().chunk(mistake).end()), Upstream::saying("never"));
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!((response.status, response.json()["error"]["message"].as_str()), (400, Some("Unsupported value")));
    assert_eq!(second.received().len(), 0);
    assert_eq!(gateway.record(&response)["state"], "client_error");
}

fn what_cannot_be_an_answer_goes_to_the_next_target(host: Host) {
    let typed = |media_type: &str, body: &str| Answer::whole(200, &format!("content-type: {media_type}"), body);
    let answers = [
        Answer::json(205, &completion("reset")),
        Answer::whole(205, "x-odd: 1", ""),
        Answer::nothing().raw("HTTP/1.1 204 No Content\r\n\r\n"),
        typed("text/plain", "OK"),
        typed("application/json", "OK"),
        typed("application/json", "<!doctype html><title>New API</title>"),
        typed("application/json", ""),
        typed("application/octet-stream", ""),
    ];
    for (answer, streamed) in answers.into_iter().zip([false, true].into_iter().cycle()) {
        passed_over(host, answer, streamed, "target");
    }
}

fn an_answer_with_nothing_in_it_goes_to_the_next_target_and_else_passes(host: Host) {
    let silent = completion("").replace("\"completion_tokens\":7", "\"completion_tokens\":0");
    let stop = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let events = format!("{ROLE}{stop}data: [DONE]\n\n");
    let no_choices = "{\"choices\":[]}".to_owned();
    for (body, streamed) in [(silent, false), (no_choices, false), (events, true)] {
        let answer = if streamed { Answer::stream().chunk(&body).end() } else { Answer::json(200, &body) };
        passed_over(host, answer.clone(), streamed, "target");
        let (first, second) = (Upstream::answering(answer), Upstream::absent());
        let gateway =
            Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
        for _ in 0..3 {
            let response = gateway.send(&if streamed { streamed_chat("m") } else { chat("m") });
            assert_eq!((response.status, response.text(), response.end), (200, body.clone(), End::Clean));
            assert_eq!(response.header("x-llmio-target"), Some("a/up"));
            assert_eq!(gateway.record(&response)["state"], "ok");
        }
    }
}

fn a_status_that_http_does_not_have_is_no_answer(host: Host) {
    for status in [600, 777, 999] {
        let odd = Answer::json(status, &completion("odd"));
        passed_over(host, odd.clone(), false, "target");
        let gateway = Gateway::on(host).provider("a", &Upstream::answering(odd)).model("m", &["a/up"]).start();
        let response = gateway.send(&chat("m"));
        assert_eq!(response.status, 502, "{}", response.text());
        assert!(response.openai_error().message.contains(&status.to_string()), "{}", response.text());
        assert_eq!(gateway.record(&response)["state"], "upstream_error");
    }
}

fn events_that_run_together_are_no_stream(host: Host) {
    let lines = format!("{}{}", event("one"), last_events()).replace("\n\n", "\n");
    passed_over(host, Answer::stream().chunk(&lines).end(), true, "target");
    let (first, rest) = lines.split_at(lines.find('\n').expect("a line") + 1);
    passed_over(host, Answer::stream().chunk(first).chunk(rest).end(), true, "target");
}

/// RFC 9112, section 6.3: one of the two is wrong, and a proxy that believed the other one would see another answer
/// begin. What a length says is the provider's word, so the client has nothing to do with it.
#[test]
fn a_length_beside_chunks_and_unknown_codings_are_the_providers_fault() {
    let framed = |framing: &str| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{framing}\r\n\r\n");
        Answer::nothing().raw(head).chunk(completion("odd")).end()
    };
    let framings = ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: gzip, chunked"];
    for framing in framings {
        passed_over(Host::Runner, framed(framing), false, "target");
        let upstream = Upstream::answering(framed(framing));
        let gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/up"]).start();
        let response = gateway.send(&chat("m"));
        assert_eq!(response.status, 502, "{framing}: {}", response.text());
        assert_eq!(gateway.record(&response)["state"], "upstream_error", "{framing}");
    }
}
