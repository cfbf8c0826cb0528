//! Relays: a request passed to one origin and its answer back, both as they come.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::common::{Builder, End, Gateway, Host, PATIENCE, Request, TOKEN, chat, eventually};
use crate::upstream::{Answer, Upstream, completion};

both_hosts![
    a_request_and_its_answer_pass_as_they_are,
    every_method_passes_and_a_redirect_is_the_clients_business,
    a_relay_needs_a_key_in_its_own_header_unless_it_is_public,
    an_unknown_or_disabled_relay_is_404,
    a_key_of_llmio_never_reaches_the_origin,
    a_body_passes_up_before_its_end,
    an_answer_passes_down_before_its_end,
    a_cut_answer_is_cut_and_nothing_is_added,
    a_loop_through_relays_ends,
    an_origin_out_of_reach_is_502,
    a_kept_connection_that_was_closed_is_nobodys_failure,
    a_body_of_any_size_passes,
    what_fails_at_the_origin_is_recorded_as_that,
    an_origin_that_changes_the_protocol_is_502,
    headers_of_one_connection_stay_on_it,
    a_client_that_leaves_its_body_unfinished_is_to_blame,
    a_page_may_use_a_relay_that_needs_a_key,
];

fn relay(name: &str, upstream: &Upstream, more: &str) -> String {
    format!("[[relays]]\nname = \"{name}\"\norigin = \"{}\"\nlocal = true\n{more}\n", upstream.url())
}

fn relaying(host: Host, upstream: &Upstream) -> Builder {
    Gateway::on(host).catalog(&relay("r", upstream, "")).catalog(&relay("open", upstream, "public = true"))
}

fn get(path: &str) -> Request {
    Request::new("GET", path).header("x-llmio-key", TOKEN)
}

fn a_request_and_its_answer_pass_as_they_are(host: Host) {
    let headers = "content-type: application/x-odd\r\netag: a\r\nserver: origin\r\nx-odd: 1";
    let upstream = Upstream::answering(Answer::whole(418, headers, "\0teapot"));
    let gateway = relaying(host, &upstream).start();
    let request = Request::new("POST", "/relay/r/v1beta/models/a%2Fb:x?alt=sse&key=of-the-origin")
        .header("x-llmio-key", TOKEN)
        .header("authorization", "Bearer of-the-origin")
        .header("cookie", "c=d")
        .header("x-forwarded-for", "203.0.113.7")
        .header("accept-encoding", "gzip")
        .body(b"\0\xff body".to_vec());
    let response = gateway.send(&request);
    assert_eq!((response.status, response.text().as_str(), response.end), (418, "\0teapot", End::Clean));
    for (name, value) in [("content-type", "application/x-odd"), ("etag", "a"), ("server", "origin"), ("x-odd", "1")] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let received = upstream.only();
    assert_eq!(received.line, "POST /v1beta/models/a%2Fb:x?alt=sse&key=of-the-origin HTTP/1.1");
    assert_eq!(received.body, b"\0\xff body");
    assert_eq!(received.header("host"), Some(upstream.authority().as_str()));
    for (name, value) in [("authorization", "Bearer of-the-origin"), ("cookie", "c=d"), ("accept-encoding", "gzip")] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    let own: Vec<_> = received.headers.iter().filter(|(name, _)| name.starts_with("x-")).collect();
    assert_eq!(own, [&("x-llmio-hops".to_owned(), "1".to_owned())]);
    let record = gateway.record(&response);
    assert_eq!(
        (&record["endpoint"], &record["key"], &record["state"]),
        (&json!("relay"), &json!("admin"), &json!("client_error"))
    );
    assert_eq!((&record["provider"], &record["status"]), (&json!("r"), &json!(418)));
    assert_eq!((&record["bytes_in"], &record["bytes_out"]), (&json!(7), &json!(7)));
    let attempt = &record["attempts"][0];
    let expected = (&json!("POST /v1beta/models/a%2Fb:x"), &json!(418), &json!("client"));
    assert_eq!((&attempt["model"], &attempt["status"], &attempt["class"]), expected, "the query may hold a key");
}

fn a_body_of_any_size_passes(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = relaying(host, &upstream).start();
    let body = vec![b'x'; 40 << 20];
    let response = gateway.send(&Request::new("PUT", "/relay/open/big").body(body.clone()));
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(upstream.only().body == body);
    let record = gateway.record(&response);
    assert_eq!((&record["bytes_in"], &record["state"]), (&json!(40 << 20), &json!("ok")));
}

fn what_fails_at_the_origin_is_recorded_as_that(host: Host) {
    let upstream = Upstream::answering(Answer::json(503, "{}"));
    let gateway = relaying(host, &upstream).start();
    let record = gateway.record(&gateway.send(&get("/relay/r/x")));
    assert_eq!((&record["state"], &record["attempts"][0]["class"]), (&json!("upstream_error"), &json!("target")));
}

fn an_origin_that_changes_the_protocol_is_502(host: Host) {
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let upstream = Upstream::answering(Answer::nothing().raw(head).cut());
    let gateway = relaying(host, &upstream).start();
    let response = gateway.send(&get("/relay/r/x").header("connection", "upgrade").header("upgrade", "websocket"));
    assert_eq!(response.status, 502, "{}", response.text());
    assert!(response.openai_error().message.contains("WebSockets"), "{}", response.text());
    assert_eq!(upstream.only().header("upgrade"), None);
}

fn headers_of_one_connection_stay_on_it(host: Host) {
    let headers = "connection: keep-alive, x-hop\r\nx-hop: 1\r\nx-odd: 1\r\nx-llmio-relay: refused\r\n\
                   content-type: application/json";
    let upstream = Upstream::answering(Answer::whole(200, headers, &completion("Hi")));
    let gateway = relaying(host, &upstream).provider("a", &upstream).model("m", &["a/up"]).start();
    // Spin takes off `Connection` and leaves what it names.
    let named = if host == Host::Runner { None } else { Some("1") };
    for request in [get("/relay/r/x"), chat("m")] {
        let response =
            gateway.send(&request.header("connection", "X-Once").header("x-once", "1").header("x-stays", "1"));
        assert_eq!((response.status, response.header("x-hop"), response.header("x-odd")), (200, named, Some("1")));
        assert_eq!(response.header("x-llmio-relay"), None, "an origin cannot speak for the relay");
    }
    let passed = &upstream.received()[0];
    assert_eq!((passed.header("x-once"), passed.header("x-stays")), (named, Some("1")));
}

fn a_client_that_leaves_its_body_unfinished_is_to_blame(host: Host) {
    let (origin, seen) = reading_origin();
    let gateway = Gateway::on(host).catalog(&origin).start();
    let mut connection = gateway.connect();
    connection.send_raw(b"PUT /relay/r/x HTTP/1.1\r\nhost: g\r\ncontent-length: 8\r\n\r\nbegin".to_vec());
    while !seen.recv_timeout(PATIENCE).expect("the first part passes").ends_with("begin") {}
    drop(connection);
    let record = eventually("the record", || gateway.records("endpoint=relay").pop());
    let record = gateway.record_by_id(record["id"].as_str().expect("an id"));
    assert_eq!((&record["state"], &record["bytes_in"]), (&json!("client_closed"), &json!(5)), "{record}");
    assert_eq!(record["attempts"][0]["class"], "gone", "{record}");
}

fn every_method_passes_and_a_redirect_is_the_clients_business(host: Host) {
    let moved = Answer::whole(302, "location: https://elsewhere.example/", "");
    let upstream = Upstream::answering(moved);
    let gateway = relaying(host, &upstream).start();
    for method in ["GET", "DELETE", "OPTIONS", "PATCH", "PUT", "PROPFIND"] {
        let response = gateway.send(&Request::new(method, "/proxy/r").header("x-llmio-key", TOKEN));
        assert_eq!(
            (response.status, response.header("location")),
            (302, Some("https://elsewhere.example/")),
            "{method}"
        );
    }
    let head = gateway.send(&Request::new("HEAD", "/relay/open/x"));
    assert_eq!((head.status, head.body.len()), (302, 0));
    let received = upstream.received();
    assert_eq!(received.len(), 7);
    for (received, method) in received.iter().zip(["GET", "DELETE", "OPTIONS", "PATCH", "PUT", "PROPFIND", "HEAD"]) {
        assert!(received.line.starts_with(&format!("{method} /")), "{}", received.line);
        assert_eq!(received.header("transfer-encoding"), None, "{method}: a request without a body stays one");
    }
}

fn a_relay_needs_a_key_in_its_own_header_unless_it_is_public(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = relaying(host, &upstream).start();
    let key = gateway.new_key("k", &[]);
    let wrong = Request::new("GET", "/relay/r/x").header("x-llmio-key", "sk-llmio-wrong");
    for request in [Request::new("GET", "/relay/r/x"), Request::new("GET", "/relay/r/x").key(&key), wrong] {
        let response = gateway.send(&request);
        assert_eq!((response.status, response.header("x-llmio-relay")), (401, Some("refused")), "{request:?}");
        assert!(response.openai_error().message.contains("key"), "{}", response.text());
    }
    assert!(upstream.received().is_empty());
    let response = gateway.send(&Request::new("GET", "/relay/r/x").header("x-llmio-key", &key));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(gateway.record(&response)["key"], "k");
    assert_eq!(gateway.send(&Request::new("GET", "/relay/open/x")).status, 200);
}

fn an_unknown_or_disabled_relay_is_404(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).catalog(&relay("off", &upstream, "enabled = false\npublic = true")).start();
    for path in ["/relay/off/x", "/relay/nobody/x", "/relay/r%2e/x", "/proxy/nobody"] {
        assert_eq!(gateway.send(&get(path)).status, 404, "{path}");
    }
    assert!(upstream.received().is_empty());
}

fn a_key_of_llmio_never_reaches_the_origin(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = relaying(host, &upstream).start();
    let key = gateway.new_key("k", &[]);
    let request = get("/relay/open/x").key(&key).header("x-api-key", &key).header("x-goog-api-key", TOKEN);
    let request = request.header("cookie", format!("k={key}"));
    eventually("the new key is known everywhere", || {
        assert_eq!(gateway.send(&request).status, 200);
        let received = upstream.received().pop().expect("a request");
        (!format!("{:?}", received.headers).contains(&key)).then_some(())
    });
    assert!(!format!("{:?}", upstream.received()).contains(TOKEN));
    let query = format!("/relay/open/x?alt=sse&key={TOKEN}&a=b");
    assert_eq!(gateway.send(&Request::new("GET", &query)).status, 200);
    assert_eq!(upstream.received().pop().expect("a request").line, "GET /x?alt=sse&a=b HTTP/1.1");
    let before = upstream.received().len();
    let response = gateway.send(&Request::new("GET", &format!("/relay/open/{TOKEN}/x")));
    assert_eq!((response.status, upstream.received().len()), (400, before), "{}", response.text());
    assert!(!response.text().contains(TOKEN));
}

fn a_page_may_use_a_relay_that_needs_a_key(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = relaying(host, &upstream).start();
    let preflight = |path| {
        let request = Request::new("OPTIONS", path).header("origin", "https://app.example");
        let request = request.header("access-control-request-method", "PATCH");
        gateway.send(&request.header("access-control-request-headers", "x-llmio-key"))
    };
    let response = preflight("/relay/r/x");
    assert_eq!((response.status, response.header("access-control-allow-origin")), (204, Some("*")));
    assert!(response.header("access-control-allow-methods").is_some_and(|methods| methods.contains("PATCH")));
    assert!(upstream.received().is_empty());
    let response = gateway.send(&get("/relay/r/x").header("origin", "https://app.example"));
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert_eq!((preflight("/relay/open/x").status, upstream.received().len()), (200, 2), "that is its origin's to say");
    assert_eq!(preflight("/relay/nobody/x").status, 404);
}

/// A relay `r` to an origin that answers after `end`, and what it has read so far, again and again.
fn reading_origin() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("a bound socket");
    let (came, seen) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut received = Vec::new();
        while !received.ends_with(b"end") {
            let mut piece = [0; 1024];
            // A body that breaks off is the end of this, too.
            let Some(length) = stream.read(&mut piece).ok().filter(|length| *length > 0) else { return };
            received.extend(&piece[..length]);
            came.send(String::from_utf8_lossy(&received).into_owned()).expect("the test waits");
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("an answer");
    });
    let relay = format!("[[relays]]\nname = \"r\"\norigin = \"http://{address}\"\nlocal = true\npublic = true\n");
    (relay, seen)
}

fn a_body_passes_up_before_its_end(host: Host) {
    let (catalog, seen) = reading_origin();
    let gateway = Gateway::on(host).catalog(&catalog).start();
    let mut connection = gateway.connect();
    connection.send_raw(b"PUT /relay/r/x HTTP/1.1\r\nhost: g\r\ncontent-length: 8\r\n\r\nbegin".to_vec());
    loop {
        let received = seen.recv_timeout(PATIENCE).expect("the first part passes before the last was sent");
        if received.ends_with("begin") {
            break;
        }
    }
    connection.send_raw(b"end".to_vec());
    assert_eq!(connection.status(), 200);
}

fn an_answer_passes_down_before_its_end(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk("data: one\n\n").wait().chunk("data: two\n\n").end());
    let gateway = relaying(host, &upstream).start();
    let mut connection = gateway.open(&get("/relay/r/stream"));
    assert_eq!(connection.read_until("one"), b"data: one\n\n");
    upstream.release();
    let rest = connection.finish();
    assert_eq!((rest.text().as_str(), rest.end), ("data: two\n\n", End::Clean));
}

fn a_cut_answer_is_cut_and_nothing_is_added(host: Host) {
    for answer in [
        Answer::stream().chunk("data: one\n\n").cut(),
        Answer::stream().chunk("data: one\n\n").reset(),
        Answer::announcing(200, "content-type: text/event-stream", 99).raw("data: one\n\n").cut(),
    ] {
        let upstream = Upstream::answering(answer);
        let gateway = relaying(host, &upstream).start();
        let response = gateway.send(&get("/relay/r/stream"));
        assert_eq!(response.end, End::Cut);
        assert!(["", "data: one\n\n"].contains(&response.text().as_str()), "{}", response.text());
        let state = gateway.record(&response)["state"].clone();
        assert!([json!("upstream_truncated"), json!("upstream_reset")].contains(&state), "{state}");
    }
}

fn a_loop_through_relays_ends(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = relaying(host, &upstream).start();
    assert_eq!(gateway.send(&get("/relay/r/x").header("x-llmio-hops", "4")).status, 200);
    let response = gateway.send(&get("/relay/r/x").header("x-llmio-hops", "5"));
    assert_eq!((response.status, response.openai_error().code.as_str()), (508, "loop_detected"));
    assert_eq!(upstream.received().len(), 1);
}

fn an_origin_out_of_reach_is_502(host: Host) {
    let gateway = relaying(host, &Upstream::absent()).start();
    let response = gateway.send(&get("/relay/r/x"));
    assert_eq!((response.status, response.header("x-llmio-relay")), (502, Some("refused")));
    assert!(response.openai_error().message.contains("relay \"r\""), "{}", response.text());
    assert_eq!(response.header("x-should-retry"), None, "nobody tried again yet");
    assert_eq!(gateway.record(&response)["state"], "upstream_connect");
}

fn a_kept_connection_that_was_closed_is_nobodys_failure(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, &completion("Hi")).cut());
    let gateway = relaying(host, &upstream).provider("a", &upstream).model("m", &["a/up"]).start();
    let post = Request::new("POST", "/relay/r/x").header("x-llmio-key", TOKEN).body("body");
    for request in [post, get("/relay/r/x"), chat("m")] {
        let before = upstream.received().len();
        // More than there are threads, each of which keeps connections of its own.
        for count in 1..=8 {
            let response = gateway.send(&request);
            assert_eq!(response.status, 200, "{}", response.text());
            upstream.wait_for_closed(before + count);
            let attempts = gateway.record(&response)["attempts"].as_array().map(Vec::len);
            assert_eq!(attempts, Some(1));
        }
        assert_eq!(upstream.received().len(), before + 8, "each arrives once");
    }
}

#[test]
fn a_private_origin_needs_local() {
    let upstream = Upstream::saying("Hi");
    let catalog = relay("r", &upstream, "").replace("local = true\n", "");
    let gateway = Gateway::on(Host::Runner).catalog(&catalog).start();
    let response = gateway.send(&get("/relay/r/x"));
    assert_eq!(response.status, 502);
    assert!(response.openai_error().message.contains("local = true"), "{}", response.text());
    assert!(upstream.received().is_empty());
}

/// Spin's guest learns of it at its next write (host.md).
#[test]
fn a_client_that_leaves_ends_what_is_passed() {
    for answer in [Answer::nothing().wait(), Answer::stream().chunk("data: one\n\n").wait()] {
        let upstream = Upstream::answering(answer);
        let gateway = relaying(Host::Runner, &upstream).start();
        let connection = gateway.open(&get("/relay/r/x"));
        upstream.wait_for_requests(1);
        drop(connection);
        assert!(upstream.is_hung_up_within(Duration::from_secs(2)), "the origin still works for a client that left");
        let record = eventually("the record", || gateway.records("endpoint=relay").pop());
        let record = gateway.record_by_id(record["id"].as_str().expect("an id"));
        assert_eq!(record["state"], "client_closed");
        assert!([json!("gone"), json!("ok")].contains(&record["attempts"][0]["class"]), "{record}");
    }
}
