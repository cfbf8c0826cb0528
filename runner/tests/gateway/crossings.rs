//! What crosses between component and host, at the edges of the two ways: small bodies cross within a message, and others
//! do not. Nobody outside sees which way it was.

use serde_json::json;

use crate::common::{End, Gateway, Host, Request, TOKEN, chat};
use crate::upstream::{Answer, Upstream, completion};

both_hosts![
    bodies_of_every_size_arrive_whole_in_both_directions,
    a_body_that_comes_after_its_head_arrives_whole,
    headers_that_are_no_text_arrive_as_they_are,
    an_answer_that_ends_early_is_no_answer_however_little_is_missing,
    requests_on_one_connection_are_told_apart,
];

/// The largest body that crosses within a message.
const SMALL: usize = 16 << 10;

fn body_of(bytes: usize) -> Vec<u8> {
    let empty = json!({ "model": "m", "messages": [{ "role": "user", "content": "" }] }).to_string().len();
    let content = "x".repeat(bytes - empty);
    json!({ "model": "m", "messages": [{ "role": "user", "content": content }] }).to_string().into()
}

/// A completion of this length.
fn completion_of(bytes: usize) -> String {
    completion(&"y".repeat(bytes - completion("").len()))
}

fn bodies_of_every_size_arrive_whole_in_both_directions(host: Host) {
    for bytes in [200, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL + 1, 40 * SMALL] {
        let answer = completion_of(bytes + 100);
        let whole = Upstream::answering(Answer::json(200, &answer));
        let (first, second) = answer.split_at(answer.len() / 3);
        let chunks = Upstream::answering(
            Answer::nothing()
                .raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
                .chunk(first)
                .chunk(second)
                .end(),
        );
        for upstream in [whole, chunks] {
            let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/m"]).start();
            // The first request of an instance crosses before the component knows of any other way.
            for request in [chat("m"), chat("m").body(body_of(bytes)), chat("m").chunked(body_of(bytes))] {
                let response = gateway.send(&request);
                assert_eq!((response.status, response.end), (200, End::Clean), "{bytes}: {}", response.text());
                assert_eq!(response.text(), answer, "{bytes}");
            }
            let received = upstream.received();
            assert!(received[1..].iter().all(|received| received.body == body_of(bytes)), "{bytes}");
        }
    }
}

fn a_body_that_comes_after_its_head_arrives_whole(host: Host) {
    let upstream = Upstream::saying("ok");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/m"]).start();
    let body = body_of(300);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = gateway.connect();
    for split in [0, 1, body.len() - 1] {
        connection.send_raw([head.as_bytes(), &body[..split]].concat());
        // The gateway has read that much by the time it has answered somebody else.
        assert_eq!(gateway.send(&chat("m")).status, 200);
        let response = connection.exchange_raw(body[split..].to_vec());
        assert_eq!((response.status, response.end), (200, End::Clean), "{split}: {}", response.text());
        let received = upstream.received();
        assert_eq!(received.last().expect("a request").body, body, "{split}");
    }
}

fn headers_that_are_no_text_arrive_as_they_are(host: Host) {
    let upstream = Upstream::answering(
        Answer::nothing()
            .raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-odd: ")
            .raw(b"\xe9t\xe9\r\n")
            .raw(format!("content-length: {}\r\n\r\n{}", completion("ok").len(), completion("ok"))),
    );
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/m"]).start();
    for _ in 0..2 {
        let response = gateway.send(&chat("m"));
        assert_eq!((response.status, response.text()), (200, completion("ok")));
        assert!(response.header("x-odd").is_some_and(|value| value.starts_with(|letter| letter != 't')));
    }
}

fn an_answer_that_ends_early_is_no_answer_however_little_is_missing(host: Host) {
    let answer = completion_of(600);
    for missing in [1, 300, 600] {
        let begun = Answer::announcing(200, "content-type: application/json", answer.len());
        let upstream = Upstream::answering(begun.raw(&answer[..answer.len() - missing]).cut());
        let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/m"]).start();
        for _ in 0..2 {
            let response = gateway.send(&chat("m"));
            let is_whole = (200..300).contains(&response.status) && response.end == End::Clean;
            assert!(!is_whole, "{missing}: {} {}", response.status, response.text());
        }
    }
}

fn requests_on_one_connection_are_told_apart(host: Host) {
    let upstream = Upstream::saying("ok");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/m"]).start();
    let mut connection = gateway.connect();
    for _ in 0..3 {
        assert_eq!(connection.exchange(&chat("m")).text(), completion("ok"));
        let models = connection.exchange(&Request::new("GET", "/v1/models").key(TOKEN));
        assert_eq!(models.json()["data"][0]["id"], "m");
        assert_eq!(connection.exchange(&Request::new("HEAD", "/healthz")).status, 200);
        assert_eq!(connection.exchange(&chat("unknown")).status, 404);
        assert_eq!(connection.exchange(&chat("m").key("wrong")).status, 401);
    }
}

/// The paths that stand for requests on their way to the component begin with a question mark.
#[test]
fn no_client_can_ask_for_anothers_request() {
    let upstream = Upstream::answering(Answer::nothing().wait().raw("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"));
    let gateway = Gateway::on(Host::Runner).provider("a", &upstream).model("m", &["a/m"]).start();
    assert_eq!(gateway.send(&Request::new("GET", "/healthz")).status, 200);
    let mut waiting = gateway.connect();
    waiting.send(&chat("m"));
    upstream.wait_for_requests(1);
    for number in 1..9 {
        for target in [format!("http://h?{number}"), format!("/?{number}"), format!("//?{number}")] {
            let response = gateway.send(&Request::new("GET", &target).host("h"));
            assert!(response.status < 500 && !response.text().contains("messages"), "{target}: {}", response.text());
        }
        // This is no request at all.
        let mut connection = gateway.connect();
        connection.send_raw(format!("GET ?{number} HTTP/1.1\r\nhost: h\r\n\r\n").into_bytes());
        assert!(connection.try_status().is_none_or(|status| (400..500).contains(&status)));
    }
    upstream.release();
    assert_eq!(waiting.status(), 500);
}
