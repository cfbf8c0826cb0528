//! What holds for whatever an upstream or a name server says: made-up heads, bodies and addresses. Coverage-guided
//! fuzzing would need a nightly compiler; these run with every test.

use super::address::is_public;
use super::kept::{KeptConnection, Peers};
use super::tls_tests::block_on;
use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Nothing here takes long: every answer ends with its connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pieces of heads, right, wrong and beside the point.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200\r\n",
        "HTTP/1.1 999 \r\n",
        "HTTP/1.1 000 \r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/2.0 200 OK\r\n",
        "content-length: 5\r\n",
        "content-length: 5, 5\r\n",
        "content-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding : chunked\r\n",
        "connection: close\r\n",
        "connection: upgrade, content-length\r\n",
        "upgrade: h2c\r\n",
        "keep-alive: timeout=5\r\n",
        "x: a\0b\r\n",
        "x: a\r\n folded\r\n",
        "x\r\n",
        ": x\r\n",
        "\n",
        "\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\nhello",
        "5;x=y\r\nhello\r\n0\r\nx: trailer\r\n\r\n",
        "hello",
    ]);
    prop_oneof![
        9 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..40),
        1 => (1..300_usize).prop_map(|count| b"x-many: 1\r\n".repeat(count)),
        1 => (1..70_000_usize).prop_map(|length| [b"x-long: ".as_slice(), &b"x".repeat(length), b"\r\n"].concat()),
    ]
}

/// Most begin as an answer does, or nothing would be learnt behind the first line.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    (prop::bool::weighted(0.9), vec(piece(), 0..8)).prop_map(|(is_begun, pieces)| {
        let begun: &[u8] = if is_begun { b"HTTP/1.1 200 OK\r\n" } else { b"" };
        [begun, &pieces.concat()].concat()
    })
}

/// Asks twice, so that what is left of the first answer has a chance to be taken for the second.
async fn asked(answer: Vec<u8>) -> Vec<Result<(http::response::Parts, Result<Bytes, Error>), Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    let tls = TlsConfig::new(&OwnRoots::new()).expect("a TLS configuration");
    let clients = Clients::new(connector::Connector::new(PATIENCE, true, None, &tls.into()));
    let mut answers = Vec::new();
    for _ in 0..2 {
        let body = Full::new(Bytes::new()).map_err(Error::from).boxed_unsync();
        let request = Request::get(format!("http://127.0.0.1:{port}/")).body(body).expect("a request");
        let limits = Limits { first_byte: PATIENCE, ..Limits::of(None, false) };
        answers.push(match exchange(&clients, request, &Upstream::default(), &limits).await {
            Ok((response, _turn)) => {
                let (head, body) = response.into_parts();
                let body = body.collect().await.map(|body| body.to_bytes());
                Ok((head, body.map_err(|error| failure::of_body(&error))))
            }
            Err(error) => Err(error),
        });
    }
    server.abort();
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_upstream_bytes_are_an_answer_within_limits_or_an_error_in_time(answer in answer()) {
        let answers = block_on(async { tokio::time::timeout(PATIENCE * 2, asked(answer)).await });
        for answer in answers.expect("an end") {
            let (head, body) = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    let known = matches!(
                        error,
                        Error::HttpProtocolError | Error::ConnectionTerminated | Error::HttpResponseHeaderSectionSize(_)
                    );
                    prop_assert!(known, "{error:?}");
                    continue;
                }
            };
            prop_assert!(head.headers.len() <= HEADERS_MAX);
            prop_assert!(!framing::is_ambiguous(&head.headers) && !framing::is_coded(&head.headers));
            for value in head.headers.values() {
                prop_assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
            }
            let lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
            let mut lengths = lengths.filter_map(|value| value.to_str().ok()?.parse::<usize>().ok());
            if let (Ok(body), Some(length), false) = (&body, lengths.next(), head.status == 204) {
                prop_assert_eq!(body.len(), length, "a body that ends well is as long as it was to be");
            }
        }
    }

    #[test]
    fn whatever_keep_alive_says_is_read_or_read_over(text in ".*", seconds in any::<u64>()) {
        let turn = KeptConnection::new(Peers::default().of("http://a/")).begin();
        turn.note(Some(&text));
        turn.note(Some(&format!("timeout={seconds}, max=1")));
        turn.note(Some(&format!("{text}, timeout={seconds}{text}")));
    }

    #[test]
    fn an_ipv4_address_is_as_public_in_every_form_ipv6_has_for_it(bits in any::<u32>()) {
        let address = Ipv4Addr::from(bits);
        let (high, low) = ((bits >> 16) as u16, bits as u16);
        let expected = is_public(IpAddr::V4(address));
        let forms = [
            address.to_ipv6_mapped(),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ];
        for form in forms {
            prop_assert_eq!(is_public(IpAddr::V6(form)), expected, "{}", form);
        }
    }

    #[test]
    fn what_the_standard_library_knows_to_be_near_is_never_public(
        prefix in prop::sample::select(vec![0_u8, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255]),
        rest in any::<[u8; 3]>(),
        bits in any::<u128>(),
        head in prop::sample::select(vec![0_u16, 0x64, 0xfc00, 0xfd00, 0xfe80, 0xfec0, 0xff02, 0x2001, 0x2002, 0x3fff]),
    ) {
        let near = Ipv4Addr::from([prefix, rest[0], rest[1], rest[2]]);
        if near.is_loopback() || near.is_private() || near.is_link_local() || near.is_multicast()
            || near.is_broadcast() || near.is_documentation() || near.is_unspecified()
        {
            prop_assert!(!is_public(IpAddr::V4(near)), "{near}");
        }
        let near = Ipv6Addr::from((bits & (u128::MAX >> 16)) | (u128::from(head) << 112));
        if near.is_loopback() || near.is_multicast() || near.is_unspecified() || near.is_unique_local()
            || near.is_unicast_link_local()
        {
            prop_assert!(!is_public(IpAddr::V6(near)), "{near}");
        }
    }
}
