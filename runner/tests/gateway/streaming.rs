//! Streams: byte for byte, piece by piece, and what the record learns from them.

use serde_json::json;

use crate::common::{End, Gateway, Host, Request, TOKEN, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    a_chunk_reaches_the_client_before_the_provider_sends_the_next,
    a_stream_split_anywhere_arrives_byte_for_byte,
    a_stream_of_usage_is_recorded,
    an_error_that_is_null_is_no_error,
    an_error_inside_a_stream_passes_and_is_recorded,
    comments_and_odd_line_ends_pass_unchanged,
    a_stream_that_ends_without_saying_so_never_looks_complete,
    two_streams_at_once_keep_apart,
    every_stream_tells_proxies_in_front_not_to_hold_it_back,
];

fn a_chunk_reaches_the_client_before_the_provider_sends_the_next(host: Host) {
    let answer = Answer::stream().chunk(event("one")).wait().chunk(event("two")).wait().chunk(last_events()).end();
    let upstream = Upstream::answering(answer);
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    assert_eq!((stream.status(), stream.header("content-type").as_deref()), (200, Some("text/event-stream")));
    assert_eq!(stream.read_until("one"), event("one").into_bytes());
    upstream.release();
    assert_eq!(stream.read_until("two"), event("two").into_bytes());
    upstream.release();
    let rest = stream.finish();
    assert_eq!((rest.text(), rest.end), (last_events(), End::Clean));
}

fn a_stream_split_anywhere_arrives_byte_for_byte(host: Host) {
    let text = format!("{}{}", event("雪 \\\" 😀 é"), last_events()).replace('\n', "\r\n");
    let bytes = text.as_bytes();
    // One byte a chunk through the first event, which splits every character, escape and line end there is in it.
    let first = text.find("\r\n\r\n").expect("the end of an event") + 4;
    let answer = bytes[..first].chunks(1).fold(Answer::stream(), |answer, byte| answer.chunk(byte));
    let upstream =
        Upstream::answering(bytes[first..].chunks(7).fold(answer, |answer, piece| answer.chunk(piece)).end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!((response.text(), response.end), (text, End::Clean));
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["output_tokens"]), (&"ok".into(), &7.into()));
}

fn a_stream_of_usage_is_recorded(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("Hi")).chunk(last_events()).end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    let record = gateway.record(&response);
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&11.into(), &7.into()));
    assert_eq!((&record["streamed"], &record["state"]), (&true.into(), &"ok".into()));
    assert_eq!(record["bytes_out"], response.body.len());
    let times = ["first_byte_ms", "first_content_ms", "duration_ms"].map(|name| record[name].as_u64());
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{record}");
}

fn an_error_that_is_null_is_no_error(host: Host) {
    let with_null = |text: &str| event(text).replace("data: {", "data: {\"error\": null, ");
    let upstream =
        Upstream::answering(Answer::stream().chunk(with_null("a")).chunk(with_null("b")).chunk(last_events()).end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!(response.text(), format!("{}{}{}", with_null("a"), with_null("b"), last_events()));
    let record = gateway.record(&response);
    assert!(record["state"] == "ok" && record["error"].is_null(), "{record}");
}

fn an_error_inside_a_stream_passes_and_is_recorded(host: Host) {
    let error = "data: {\"error\":{\"message\":\"the engine is overloaded\",\"code\":529}}\n\n";
    let upstream = Upstream::answering(Answer::stream().chunk(event("a")).chunk(error).end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!((response.text(), response.end), (format!("{}{error}", event("a")), End::Clean));
    let record = gateway.record(&response);
    assert_eq!(record["state"], "upstream_error");
    assert_eq!(record["error"], "the engine is overloaded");
}

fn comments_and_odd_line_ends_pass_unchanged(host: Host) {
    let text = format!("\u{feff}: OPENROUTER PROCESSING\n\nretry: 5\rid: 1\r\rdata:{{}}\n\n{}", last_events());
    let upstream = Upstream::answering(Answer::stream().chunk(&text).chunk("\0 after the end\n\n").end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!((response.text(), response.end), (text, End::Clean), "what comes behind the last event is none of it");
    assert_eq!(gateway.record(&response)["state"], "ok");
}

fn a_stream_that_ends_without_saying_so_never_looks_complete(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("a")).end());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let response = gateway.send(&streamed_chat("m"));
    assert_eq!(response.end, End::Cut);
    assert!(response.text().contains("ended its answer before"), "{}", response.text());
    let record = gateway.record(&response);
    assert_eq!(record["state"], "upstream_truncated");
    assert_eq!(record["warnings"], serde_json::json!(["stream_ended_without_finish"]));
    assert!(record["output_tokens"].is_null(), "unknown is not zero: {record}");
}

fn two_streams_at_once_keep_apart(host: Host) {
    let end = |name: &str| format!("{}{}", event(&name.repeat(2)), last_events());
    let answer = |name: &str| Answer::stream().chunk(event(name)).wait().chunk(end(name)).end();
    let (one, two) = (Upstream::answering(answer("one")), Upstream::answering(answer("two")));
    let gateway = Gateway::on(host).provider("a", &one).provider("b", &two);
    let gateway = gateway.model("m1", &["a/up"]).model("m2", &["b/up"]).start();
    let (mut first, mut second) = (gateway.open(&streamed_chat("m1")), gateway.open(&streamed_chat("m2")));
    first.read_until("one");
    second.read_until("two");
    two.release();
    assert_eq!(second.finish().text(), end("two"));
    one.release();
    assert_eq!(first.finish().text(), end("one"));
}

fn every_stream_tells_proxies_in_front_not_to_hold_it_back(host: Host) {
    let says = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\
                cache-control: public\r\nx-accel-buffering: yes\r\n\r\n";
    let stream = |answer: Answer| answer.chunk(event("Hi")).chunk(last_events()).end();
    let upstream = Upstream::answering(stream(Answer::stream()));
    let says = Upstream::answering(stream(Answer::nothing().raw(says)));
    let gateway = Gateway::on(host).provider("a", &upstream).provider("b", &says);
    let gateway = gateway.model("m", &["a/up"]).model("says", &["b/up"]).start();
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    for model in ["m", "says"] {
        let anthropic = json!({ "model": model, "max_tokens": 9, "stream": true, "messages": messages }).to_string();
        for request in [streamed_chat(model), Request::new("POST", "/v1/messages").key(TOKEN).json(anthropic)] {
            let response = gateway.send(&request);
            let headers = ["content-type", "cache-control", "x-accel-buffering"].map(|name| response.header(name));
            assert_eq!(headers, [Some("text/event-stream"), Some("no-cache"), Some("no")], "{model}");
        }
    }
}
