use proptest::prelude::*;

use super::*;

/// The same bytes stand in the tests of the runner's side.
const REQUEST: &[u8] =
    b"\0\0\0\x04POST\0\0\0\x06/v1?x=\0\0\0\x03h:1\0\0\0\x02\0\0\0\x01a\0\0\0\x02\xff1\0\0\0\x01a\0\0\0\0\0\0\0\x01{}";
const SENT: &str = "s\0\0\0\x02\0\0\0\x04POST\0\0\0\x03h:1\0\0\0\x02/p\0\0\0\x05\0\0\x01\x02\x7f\x7f\x7f\x7f\
    \0\0\0\x02id\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01a\0\0\0\x01b{}";
const HEAD: &[u8] = b"\0\0\0\0\0\0\x01\x48\0\0\0\x01\0\0\0\x01a\0\0\0\x01\xff\0\0\0\x02r7{}";
const RESPONSE: &[u8] = b"\0\0\x01\x48\0\0\0\x01\0\0\0\x01a\0\0\0\x01\xff{}";

fn header(name: &str, value: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), value.to_owned())
}

fn sent<'s>(headers: &'s [(String, Vec<u8>)], body: &'s [u8]) -> Sent<'s> {
    Sent {
        method: "POST",
        tls: false,
        local: true,
        authority: "h:1",
        path: "/p",
        limits_ms: [5, 130, u64::MAX],
        call: Some("id"),
        proxy: None,
        ca: None,
        headers,
        body,
    }
}

#[test]
fn each_message_has_these_bytes() {
    let expected = Request {
        method: "POST".into(),
        target: "/v1?x=".into(),
        authority: "h:1".into(),
        headers: vec![header("a", b"\xff1"), header("a", b"")],
        body: Some(b"{}".to_vec()),
    };
    assert_eq!(request(REQUEST.to_vec()), Some(expected));
    assert_eq!(sent(&[header("a", b"b")], b"{}").message("s").as_deref(), Some(SENT));
    let head = answer(HEAD.to_vec());
    let headers = vec![header("a", b"\xff")];
    let expected =
        Answer::Head { status: 200, headers: headers.clone(), body: b"{}".to_vec(), rest: Some("r7".into()) };
    assert_eq!(head, Some(expected));
    assert_eq!(response(200, &headers, b"{}").as_deref(), Some(RESPONSE));
    let answers = [
        (&b"\0\0\0\x01\0\0\0\x01ab"[..], Answer::Chunk { bytes: b"ab".to_vec(), more: true }),
        (b"\0\0\0\x01\0\0\0\0", Answer::Chunk { bytes: Vec::new(), more: false }),
        (b"\0\0\0\x02\0\0\0\x07\0\0\0\x03why", Answer::Failed(7, "why".into())),
        (b"\0\0\0\x03\0\0\0\x03why", Answer::Refused("why".into())),
    ];
    for (message, expected) in answers {
        assert_eq!(answer(message.to_vec()), Some(expected));
    }
}

#[test]
fn a_request_without_its_body_is_told_from_one_with_an_empty_body() {
    let mut message = REQUEST[..REQUEST.len() - 2].to_vec();
    assert_eq!(request(message.clone()).map(|request| request.body), Some(Some(Vec::new())));
    message.pop();
    message.push(0);
    assert_eq!(request(message).map(|request| request.body), Some(None));
}

#[test]
fn a_message_that_is_cut_off_in_its_head_is_none() {
    let cut =
        |message: &[u8], body: usize| (0..message.len() - body).map(|end| message[..end].to_vec()).collect::<Vec<_>>();
    assert!(cut(REQUEST, 2).into_iter().all(|message| request(message).is_none()));
    assert!(cut(HEAD, 2).into_iter().all(|message| answer(message).is_none()));
    for kind in [b"\0\0\0\x04", b"\x01\0\0\0", b"\x80\0\0\0"] {
        assert_eq!(answer([&kind[..], &[0; 64]].concat()), None);
    }
}

#[test]
fn lengths_and_counts_beyond_the_message_take_no_memory() {
    let huge = b"\x7f\x7f\x7f\x7f";
    assert_eq!(request([huge, &[0u8; 64][..]].concat()), None);
    assert_eq!(answer([b"\0\0\0\0\0\0\x01\x48", &huge[..], &[0; 64]].concat()), None);
}

#[test]
fn what_is_no_text_and_what_is_too_long_is_not_sent_as_a_message() {
    assert!(sent(&[header("a", "ü".as_bytes())], "ü".as_bytes()).message("s").is_some());
    assert!(sent(&[header("a", b"\xff")], b"").message("s").is_none());
    assert!(sent(&[], b"\xff").message("s").is_none());
    let long = vec![b'x'; MESSAGE_BYTES_MAX];
    assert!(sent(&[], &long).message("s").is_none() && response(200, &[], &long).is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(message in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = request(message.clone());
        let _ = answer(message);
    }

    #[test]
    fn a_message_with_a_byte_changed_is_read_without_a_panic(place in 0..REQUEST.len(), byte: u8) {
        for message in [REQUEST, HEAD] {
            let mut message = message.to_vec();
            let length = message.len();
            message[place % length] = byte;
            let _ = (request(message.clone()), answer(message));
        }
    }

    #[test]
    fn numbers_are_read_as_they_were_written(number in 0..=NUMBER_MAX, more: u64) {
        let mut message = Message(Vec::new());
        message.number(number);
        message.number(more);
        let mut unread = Unread(&message.0);
        prop_assert_eq!((unread.number(), unread.number()), (Some(number), Some(more.min(NUMBER_MAX))));
        prop_assert!(std::str::from_utf8(&message.0).is_ok());
    }

    #[test]
    fn headers_are_read_as_they_were_written(
        headers in prop::collection::vec(("[a-z-]{1,20}", prop::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let mut message = Message(Vec::new());
        message.headers(&headers);
        prop_assert_eq!(Unread(&message.0).headers(), Some(headers));
    }
}
