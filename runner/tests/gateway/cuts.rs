//! An answer that was cut never looks complete: the client sees an error event where there is a stream, and an unclean
//! end always.

use crate::common::{End, Gateway, Host, Response, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    a_stream_whose_chunks_break_off_is_cut_for_the_client_too,
    a_stream_shorter_than_its_length_is_cut_for_the_client_too,
    a_stream_that_is_reset_is_cut_for_the_client_too,
    a_json_answer_shorter_than_its_length_is_cut_for_the_client_too,
    an_answer_cut_within_an_event_gets_its_error_as_an_event_of_its_own,
    a_malformed_chunk_is_no_clean_end,
    an_answer_that_ends_with_its_connection_is_whole,
    other_calls_go_on_when_one_is_cut,
];

/// Spin has one word for a reset, for chunks that are no HTTP and for an end that came too early, which is the commonest.
fn named_by(host: Host, state: &'static str) -> &'static str {
    if host == Host::Runner { state } else { "upstream_truncated" }
}

fn cut_stream(host: Host, upstream: &Upstream, state: &str) -> Response {
    let gateway = Gateway::on(host).provider("a", upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    // The provider breaks off only now, so that what came before has surely been relayed.
    assert_eq!(stream.read_until("one"), event("one").into_bytes());
    upstream.release();
    let rest = stream.finish();
    assert_eq!((rest.status, rest.end), (200, End::Cut), "the cut looked like an end: {}", rest.text());
    let record = gateway.record_by_id(&id);
    assert_eq!((&record["state"], &record["status"]), (&state.into(), &200.into()), "{record}");
    assert!(record["error"].is_string(), "{record}");
    rest
}

fn error_code(event: &str) -> String {
    let data = event.strip_prefix("data: ").and_then(|data| data.strip_suffix("\n\n"));
    let error: serde_json::Value = serde_json::from_str(data.expect("one whole event")).expect("JSON");
    assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains("incomplete")), "{error}");
    error["error"]["code"].as_str().expect("a code").to_owned()
}

fn a_stream_whose_chunks_break_off_is_cut_for_the_client_too(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait().cut());
    assert_eq!(error_code(&cut_stream(host, &upstream, "upstream_truncated").text()), "upstream_truncated");
}

fn a_stream_shorter_than_its_length_is_cut_for_the_client_too(host: Host) {
    let head = Answer::announcing(200, "content-type: text/event-stream", 1000);
    let upstream = Upstream::answering(head.raw(event("one")).wait().cut());
    assert_eq!(error_code(&cut_stream(host, &upstream, "upstream_truncated").text()), "upstream_truncated");
}

fn a_stream_that_is_reset_is_cut_for_the_client_too(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait().reset());
    let state = named_by(host, "upstream_reset");
    assert_eq!(error_code(&cut_stream(host, &upstream, state).text()), state);
}

fn a_json_answer_shorter_than_its_length_is_cut_for_the_client_too(host: Host) {
    // Beyond what is held back, so that some of it has reached the client.
    let begun = format!("{{\"choices\":[{}", " ".repeat(100_000));
    let head = Answer::announcing(200, "content-type: application/json", 200_000);
    let upstream = Upstream::answering(head.raw(&begun).cut());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.end), (200, End::Cut));
    assert!(response.text() == begun, "nothing may be added to a JSON answer");
    assert_eq!(gateway.record(&response)["state"], "upstream_truncated");
}

fn an_answer_cut_within_an_event_gets_its_error_as_an_event_of_its_own(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait().chunk("data: {\"half").cut());
    let text = cut_stream(host, &upstream, "upstream_truncated").text();
    let error = text.strip_prefix("data: {\"half\n\n").unwrap_or_else(|| panic!("not closed: {text:?}"));
    assert_eq!(error_code(error), "upstream_truncated");
}

fn a_malformed_chunk_is_no_clean_end(host: Host) {
    let answer = Answer::stream().chunk(event("one")).wait().raw("nonsense\r\n");
    let state = named_by(host, "upstream_error");
    let rest = cut_stream(host, &Upstream::answering(answer), state);
    assert_eq!(error_code(&rest.text()), state);
}

/// Without length and chunks the end of the connection is the end of the answer (RFC 9112, section 6.3).
fn an_answer_that_ends_with_its_connection_is_whole(host: Host) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let upstream = Upstream::answering(Answer::nothing().raw(head).raw("{\"whole\":1}").cut());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.text().as_str(), response.end), ("{\"whole\":1}", End::Clean));
    assert_eq!(gateway.record(&response)["state"], "ok");
}

fn other_calls_go_on_when_one_is_cut(host: Host) {
    let end = format!("{}{}", event("two"), last_events());
    let answer = Answer::stream().chunk(event("one")).wait().chunk(&end).end();
    let (cut, whole) =
        (Upstream::answering(Answer::stream().chunk(event("one")).wait().reset()), Upstream::answering(answer));
    let gateway = Gateway::on(host).provider("a", &cut).provider("b", &whole);
    let gateway = gateway.model("cut", &["a/up"]).model("whole", &["b/up"]).start();
    let (mut first, mut second) = (gateway.open(&streamed_chat("cut")), gateway.open(&streamed_chat("whole")));
    first.read_until("one");
    second.read_until("one");
    cut.release();
    assert_eq!(first.finish().end, End::Cut);
    whole.release();
    let rest = second.finish();
    assert_eq!((rest.text(), rest.end), (end, End::Clean));
}
