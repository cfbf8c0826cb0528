//! The first bytes of a provider's answer show what it is: events without a type, events for a whole call and the other
//! way round, compressed bodies. An answer of any other kind fails over to the next target.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use crate::callers::{DIALECTS, answer, calls, gateway, stream, text_of};
use crate::common::{End, Gateway, Host, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, completion, event, last_events};

both_hosts![
    events_are_read_whatever_their_type_is_called,
    a_call_of_either_form_is_answered_in_it_whatever_the_provider_sends,
    a_compressed_answer_is_unpacked,
    a_compressed_stream_comes_as_it_is_sent,
    what_cannot_be_unpacked_goes_to_the_next_target,
    a_compressed_error_is_judged_by_its_words,
    an_error_behind_content_of_a_whole_call_goes_to_the_next_target,
];

/// A whole answer with these header lines and a body of any bytes.
fn sent(headers: &str, body: &[u8]) -> Answer {
    Answer::announcing(200, headers, body.len()).raw(body)
}

fn gzip(plain: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain.as_bytes()).and_then(|()| encoder.finish()).expect("memory")
}

fn zlib(plain: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain.as_bytes()).and_then(|()| encoder.finish()).expect("memory")
}

fn is_answered(gateway: &Gateway, number: usize, streamed: bool, what: &str) {
    for (dialect, call) in calls(&format!("m{number}"), streamed) {
        let what = format!("{what}, {dialect}, streamed: {streamed}");
        let response = gateway.send(&call);
        assert_eq!((response.status, response.end), (200, End::Clean), "{what}: {}", response.text());
        assert_eq!(text_of(dialect, &response.text()), "one", "{what}: {}", response.text());
        let media_type = if streamed { "text/event-stream" } else { "application/json" };
        let named = response.header("content-type").unwrap_or_default();
        assert!(named.starts_with(media_type), "{what}: {named}");
        assert_eq!(response.header("content-encoding"), None, "{what}");
        let record = gateway.record(&response);
        assert_eq!((&record["state"], &record["output_tokens"]), (&json!("ok"), &json!(7)), "{what}: {record}");
    }
}

fn events_are_read_whatever_their_type_is_called(host: Host) {
    let types = ["x-none: 1", "content-type: text/plain; charset=utf-8", "content-type: application/json"];
    let providers: Vec<_> = DIALECTS
        .iter()
        .flat_map(|dialect| types.map(|named| (*dialect, Upstream::answering(sent(named, stream(dialect).as_bytes())))))
        .collect();
    let gateway = gateway(host, &providers);
    for (number, (dialect, _)) in providers.iter().enumerate() {
        is_answered(&gateway, number, true, dialect);
    }
}

fn a_call_of_either_form_is_answered_in_it_whatever_the_provider_sends(host: Host) {
    let forms = |dialect: &'static str| {
        [
            (dialect, Upstream::answering(sent("content-type: text/event-stream", stream(dialect).as_bytes()))),
            (dialect, Upstream::answering(Answer::json(200, &answer(dialect)))),
        ]
    };
    let providers: Vec<_> = DIALECTS.into_iter().flat_map(forms).collect();
    let gateway = gateway(host, &providers);
    for (number, (dialect, _)) in providers.iter().enumerate() {
        for streamed in [false, true] {
            is_answered(&gateway, number, streamed, dialect);
        }
    }
}

fn a_compressed_answer_is_unpacked(host: Host) {
    let chat = answer("openai-chat");
    let json = "content-type: application/json\r\n";
    let chunks = Answer::nothing()
        .raw(format!("HTTP/1.1 200 OK\r\n{json}content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"));
    let providers = [
        sent(&format!("{json}content-encoding: gzip"), &gzip(&chat)),
        sent(&format!("{json}content-encoding: deflate"), &zlib(&chat)),
        sent(json.trim_end(), &gzip(&chat)),
        sent(&format!("{json}content-encoding: gzip"), chat.as_bytes()),
        sent(&format!("{json}content-encoding: br"), chat.as_bytes()),
        gzip(&chat).chunks(7).fold(chunks, |answer, piece| answer.chunk(piece)).end(),
    ];
    let providers = providers.map(|answer| ("openai-chat", Upstream::answering(answer)));
    let gateway = gateway(host, &providers);
    for number in 0..providers.len() {
        is_answered(&gateway, number, false, &format!("compressed {number}"));
    }
}

fn a_compressed_stream_comes_as_it_is_sent(host: Host) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut packed = |text: &str| {
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.flush()).expect("memory");
        std::mem::take(encoder.get_mut())
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
    let (first, last) = (packed(&event("one")), packed(&last_events()));
    // The end of the body is missing, and nobody waits for it behind the last event.
    let upstream = Upstream::answering(Answer::nothing().raw(head).chunk(first).wait().chunk(last).wait());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    assert_eq!(stream.read_until("one"), event("one").into_bytes());
    upstream.release();
    let rest = stream.finish();
    assert_eq!((rest.text(), rest.end), (last_events(), End::Clean));
}

fn what_cannot_be_unpacked_goes_to_the_next_target(host: Host) {
    let json = "content-type: application/json\r\ncontent-encoding: ";
    let whole = gzip(&completion(&"long ".repeat(50)));
    let answers = [
        sent(&format!("{json}br"), b"\x8b\x0b\x80{\"a\":1}\x03"),
        sent(&format!("{json}zstd"), b"\x28\xb5\x2f\xfd\x00"),
        sent(&format!("{json}gzip"), whole.get(..whole.len() / 2).expect("half of it")),
        sent(&format!("{json}gzip"), &gzip(&" ".repeat(8 << 20))),
    ];
    for answer in answers {
        let (first, second) = (Upstream::answering(answer), Upstream::saying("from b"));
        let gateway = Gateway::on(host).provider("a", &first).provider("b", &second);
        let gateway = gateway.model("m", &["a/up", "b/up"]).model("alone", &["a/up"]).start();
        let response = gateway.send(&chat("m"));
        assert_eq!((response.status, response.header("x-llmio-target")), (200, Some("b/up")), "{}", response.text());
        let alone = gateway.send(&chat("alone"));
        assert!(alone.status >= 500, "{}: {}", alone.status, alone.text());
        assert_ne!(gateway.record(&alone)["state"], "ok");
    }
}

fn a_compressed_error_is_judged_by_its_words(host: Host) {
    let error =
        json!({ "error": { "message": "You exceeded your current quota, please check your plan and billing details.",
        "type": "insufficient_quota", "code": "insufficient_quota" } })
        .to_string();
    for (coding, body) in [("gzip", gzip(&error)), ("deflate", zlib(&error)), ("br", error.clone().into_bytes())] {
        let headers = format!("content-type: application/json\r\ncontent-encoding: {coding}");
        let upstream = Upstream::answering(Answer::announcing(429, &headers, body.len()).raw(&body));
        let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
        let response = gateway.send(&chat("m"));
        assert_eq!(response.header("content-encoding"), None, "{coding}");
        let record = gateway.record(&response);
        assert_eq!(record["attempts"][0]["class"], "credential", "{coding}: {record}");
    }
}

fn an_error_behind_content_of_a_whole_call_goes_to_the_next_target(host: Host) {
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n";
    let first = Upstream::answering(Answer::stream().chunk(event("one")).chunk(error).end());
    let second = Upstream::saying("from b");
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &second).model("m", &["a/up", "b/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(text_of("openai-chat", &response.text()), "from b", "{}", response.text());
    assert_eq!(gateway.record(&response)["attempts"][0]["class"], "target");
}
