use super::*;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

/// The same bytes stand in the tests of the component's side.
const REQUEST: &[u8] =
    b"\0\0\0\x04POST\0\0\0\x06/v1?x=\0\0\0\x03h:1\0\0\0\x02\0\0\0\x01a\0\0\0\x02\xff1\0\0\0\x01a\0\0\0\0\0\0\0\x01{}";
const SENT: &str = "s\0\0\0\x02\0\0\0\x04POST\0\0\0\x03h:1\0\0\0\x02/p\0\0\0\x05\0\0\x01\x02\x7f\x7f\x7f\x7f\
    \0\0\0\x24018f0000-0000-7000-8000-000000000001\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01a\0\0\0\x01b{}";
const RESPONSE: &[u8] = b"\0\0\x01\x48\0\0\0\x01\0\0\0\x01a\0\0\0\x01\xff{}";

fn head() -> Parts {
    let request = Request::post("http://h:1/v1?x=").header("a", HeaderValue::from_bytes(b"\xff1").expect("a value"));
    request
        .header("a", "")
        .header("host", "h:1")
        .header("connection", "close")
        .body(())
        .expect("a request")
        .into_parts()
        .0
}

fn begun(carry: &mut Carry) -> (String, oneshot::Receiver<Result<Response<WasiBody>, GuestError>>) {
    let (answering, answered) = oneshot::channel();
    (carry.begin(&head(), Some(b"{}"), answering), answered)
}

fn sent(message: &str) -> Result<(Request<WasiBody>, HostInstructions), Failure> {
    request_of(&Bytes::from(message.to_owned()))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

#[test]
fn a_clients_request_has_these_bytes_and_is_given_once() {
    let mut carry = Carry::default();
    let (key, _answered) = begun(&mut carry);
    assert!(key.starts_with('?') && Uri::from(PathAndQuery::try_from(&*key).expect("a path")).path() == "/");
    assert_eq!(carry.request(&key).as_deref(), Some(REQUEST));
    assert_eq!(carry.request(&key), None);
    assert_eq!(carry.request("?99"), None);
}

#[test]
fn an_answer_goes_to_its_request_alone_and_once() {
    let mut carry = Carry::default();
    let (first, mut first_answered) = begun(&mut carry);
    let (second, mut second_answered) = begun(&mut carry);
    assert_eq!(carry.answer(&second, RESPONSE), Ok(()));
    let response = second_answered.try_recv().expect("an answer").expect("no error");
    assert_eq!((response.status(), response.headers()["a"].as_bytes()), (StatusCode::OK, &b"\xff"[..]));
    assert_eq!(block_on(response.into_body().collect()).expect("a body").to_bytes(), "{}");
    assert!(first_answered.try_recv().is_err());
    assert!(carry.answer(&second, RESPONSE).is_err() && carry.answer("?99", RESPONSE).is_err());
    assert!(carry.end(&second).is_none(), "it has its answer");
    assert!(carry.end(&first).is_some(), "it has none");
    assert!(carry.end(&first).is_none() && carry.calls.is_empty());
}

#[test]
fn the_component_is_told_that_a_client_has_left() {
    let mut carry = Carry::default();
    let (key, answered) = begun(&mut carry);
    drop(answered);
    assert_eq!(carry.answer(&key, RESPONSE), Err("client closed"));
}

#[test]
fn a_request_is_sent_as_its_message_says() {
    let Ok((request, instructions)) = sent(SENT) else { panic!("it is a request") };
    assert_eq!((request.method(), request.uri().to_string()), (&Method::POST, "http://h:1/p".to_owned()));
    assert_eq!(request.headers()["a"], "b");
    let limits = Limits::from_instructions(
        Duration::from_millis(5),
        Duration::from_millis(130),
        Duration::from_millis((1 << 28) - 1),
    );
    let call = Uuid::try_parse("018f0000-0000-7000-8000-000000000001").ok();
    let expected = HostInstructions { call, local: true, limits: Some(limits), ..HostInstructions::default() };
    assert_eq!(instructions, expected);
    assert_eq!(block_on(request.into_body().collect()).expect("a body").to_bytes(), "{}");
}

#[test]
fn a_request_that_no_server_could_read_is_refused_with_the_part() {
    let refused = |from: &str, to: &str| match sent(&SENT.replacen(from, to, 1)) {
        Err(Failure::Refused(part)) => part,
        Err(Failure::Failed(error)) => panic!("{error}"),
        Ok(_) => panic!("{to:?} is taken"),
    };
    assert_eq!(refused("\x01a\0\0\0\x01b", "\x01a\0\0\0\x01\n"), "a header");
    assert_eq!(refused("\x01a\0\0\0\x01b", "\x0econtent-length\0\0\0\x013"), "a header");
    assert_eq!(refused("\x01a\0\0\0\x01b", "\x11transfer-encoding\0\0\0\x01b"), "a header");
    assert_eq!(refused("\x03h:1", "\x03h 1"), "the host name");
    assert_eq!(refused("\x02/p", "\x02/\n"), "the path");
    assert_eq!(refused("\x04POST", "\x04PO T"), "the method");
    for cut in 0..SENT.len() - 2 {
        assert!(matches!(sent(&SENT[..cut]), Err(Failure::Failed(HttpError::ConfigurationError))), "{cut}");
    }
}

#[test]
fn an_answer_of_wrong_length_is_none_and_a_forbidden_header_is_left_out() {
    let answer = |name: &str, value: &str, body: &str| {
        let mut message = Message::with_room(64);
        message.number(299);
        message.number(1);
        [name, value].iter().for_each(|text| message.bytes(text.as_bytes()));
        message.0.extend_from_slice(body.as_bytes());
        response_of(&message.0)
    };
    assert!(answer("content-length", "3", "{}").is_none());
    assert!(answer("content-length", "2", "{}").is_some());
    assert!(answer("content-length", "2", "").is_some(), "the answer to a request for a head");
    assert!(answer("transfer-encoding", "chunked", "{}").is_some_and(|response| response.headers().is_empty()));
    assert!(answer("a", "\n", "{}").is_some_and(|response| response.headers().is_empty()));
}

#[test]
fn errors_have_the_numbers_that_the_component_knows() {
    let dns = HttpError::DnsError { rcode: Some("NXDOMAIN".into()), info_code: None };
    let error_code = |error: HttpError| {
        let (code, message) = code(&error);
        (code, message.into_owned())
    };
    assert_eq!(error_code(dns), (2, "NXDOMAIN".into()));
    assert_eq!(error_code(HttpError::InternalError(Some("client closed".into()))), (0, "client closed".into()));
    assert_eq!(error_code(HttpError::LoopDetected), (0, "LoopDetected".into()));
    let plain = [
        (1, HttpError::DnsTimeout),
        (3, HttpError::DestinationNotFound),
        (4, HttpError::DestinationUnavailable),
        (5, HttpError::DestinationIpProhibited),
        (6, HttpError::DestinationIpUnroutable),
        (7, HttpError::ConnectionRefused),
        (8, HttpError::ConnectionTerminated),
        (9, HttpError::ConnectionTimeout),
        (10, HttpError::ConnectionReadTimeout),
        (11, HttpError::ConnectionWriteTimeout),
        (12, HttpError::ConnectionLimitReached),
        (13, HttpError::TlsProtocolError),
        (14, HttpError::TlsCertificateError),
        (16, HttpError::HttpRequestDenied),
        (17, HttpError::HttpRequestUriInvalid),
        (18, HttpError::HttpResponseIncomplete),
        (19, HttpError::HttpResponseHeaderSectionSize(None)),
        (20, HttpError::HttpResponseTimeout),
        (21, HttpError::HttpProtocolError),
        (22, HttpError::ConfigurationError),
    ];
    for (number, error) in plain {
        assert_eq!(error_code(error), (number, String::new()));
    }
    assert_eq!(Failure::Refused("why").message(), b"\0\0\0\x03\0\0\0\x03why");
    assert_eq!(Failure::Failed(HttpError::ConnectionRefused).message(), b"\0\0\0\x02\0\0\0\x07\0\0\0\0");
}

#[test]
fn a_piece_of_a_body_has_these_bytes() {
    let mut message = Message::chunk();
    assert!(message.is_empty_chunk());
    message.0.extend_from_slice(b"ab");
    assert!(!message.is_empty_chunk());
    assert_eq!(message.0, b"\0\0\0\x01\0\0\0\x01ab");
    message.is_last();
    assert_eq!(message.0, b"\0\0\0\x01\0\0\0\0ab");
}

proptest! {
    #[test]
    fn any_message_of_the_component_is_read_without_a_panic(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = sent(&format!("s{text}"));
        let _ = response_of(&bytes);
    }

    #[test]
    fn a_message_with_a_character_changed_is_read_without_a_panic(place in 0..SENT.len(), letter in 0u8..128) {
        let mut message = SENT.as_bytes().to_vec();
        message[place] = letter;
        let _ = sent(std::str::from_utf8(&message).expect("one of ASCII"));
    }

    #[test]
    fn headers_are_read_as_they_were_written(headers in prop::collection::vec(("[a-z]{1,9}", "[ -~]{0,20}"), 0..9)) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(value).expect("a value"));
        }
        let mut message = Message::with_room(0);
        message.headers(&map, |_| false);
        prop_assert_eq!(Unread(&message.0).headers(|_| false), Some((map, true)));
    }
}
