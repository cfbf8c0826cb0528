//! What holds for whatever an upstream or a name server says: made-up heads, bodies and addresses. Coverage-guided
//! fuzzing would need a nightly compiler; these run with every test, and with `PROPTEST_CASES=100000` for longer.

use super::address::{is_address_in_disguise, is_public};
use super::connector::{NoConnection, Resolver};
use super::kept::{KeptConnection, Peers};
use super::tls_tests::block_on;
use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::dns::Name;
use proptest::collection::vec;
use proptest::prelude::*;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_service::Service;

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
async fn answers_of(answer: Vec<u8>) -> Vec<Result<(http::response::Parts, Result<Bytes, Error>), Error>> {
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

/// An address, more often a near or special one than chance would have it.
fn address() -> impl Strategy<Value = IpAddr> {
    let beginnings = prop::sample::select(vec![0_u8, 1, 8, 10, 100, 127, 169, 172, 192, 198, 203, 224, 255]);
    let v4 = (beginnings, any::<[u8; 3]>()).prop_map(|(first, [b, c, d])| Ipv4Addr::from([first, b, c, d]));
    let heads = prop::sample::select(vec![0_u16, 0x64, 0x2001, 0x2002, 0x2606, 0x3fff, 0xfc00, 0xfe80, 0xff02]);
    let v6 = (heads, any::<u128>(), 0_u32..128)
        .prop_map(|(head, bits, zeros)| Ipv6Addr::from(u128::from(head) << 112 | bits >> 16 >> zeros));
    prop_oneof![
        4 => v4.clone().prop_map(IpAddr::V4),
        2 => v4.prop_map(|address| IpAddr::V6(address.to_ipv6_mapped())),
        3 => v6.prop_map(IpAddr::V6),
        1 => any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
    ]
}

/// What a resolver says of a name.
#[derive(Debug, Clone)]
enum LookUpResult {
    Addresses(Vec<(IpAddr, u16)>),
    Error(i32),
    Panic,
}

fn look_up_result() -> impl Strategy<Value = LookUpResult> {
    prop_oneof![
        8 => vec((address(), any::<u16>()), 0..12).prop_map(LookUpResult::Addresses),
        1 => (1..140_i32).prop_map(LookUpResult::Error),
        1 => Just(LookUpResult::Panic),
    ]
}

impl LookUpResult {
    /// The name that [`LookUpResult::of`] answers with this. Names are the only thing that a look-up is given.
    fn name(&self) -> String {
        match self {
            LookUpResult::Addresses(all) => all.iter().map(|(address, port)| format!("{address}={port},")).collect(),
            LookUpResult::Error(number) => format!("error,{number}"),
            LookUpResult::Panic => "panic".to_owned(),
        }
    }

    fn of(name: &str) -> io::Result<Vec<SocketAddr>> {
        if let Some(number) = name.strip_prefix("error,") {
            return Err(io::Error::from_raw_os_error(number.parse().expect("a number")));
        }
        // Its thread ends as by a panic, but without a message in the test's output.
        if name == "panic" {
            std::panic::resume_unwind(Box::new("a resolver that panics"));
        }
        let address = |text: &str| {
            let (address, port) = text.split_once('=').expect("an address and a port");
            SocketAddr::new(address.parse().expect("an address"), port.parse().expect("a port"))
        };
        Ok(name.split_terminator(',').map(address).collect())
    }
}

/// The spellings of an IPv4 address that `inet_aton` and with it most resolvers read: one to four numbers, of which the last
/// fills what is left, each decimal, octal or hexadecimal.
fn spelling() -> impl Strategy<Value = String> {
    let number = |(value, base, zeros): (u32, u8, usize)| match base {
        0 => value.to_string(),
        1 => format!("0{}{value:o}", "0".repeat(zeros)),
        2 => format!("0x{}{value:x}", "0".repeat(zeros)),
        _ => format!("0X{}{value:X}", "0".repeat(zeros)),
    };
    let parts = (any::<u32>(), 1..=4_u32, vec((0..4_u8, 0..4_usize), 4), any::<bool>());
    parts.prop_map(move |(bits, count, forms, is_dotted)| {
        let left = 32 - 8 * (count - 1);
        let last = if left == 32 { bits } else { bits & ((1 << left) - 1) };
        let values = (0..count).map(|at| if at + 1 == count { last } else { bits >> (24 - 8 * at) & 0xff });
        let parts: Vec<_> = values.zip(&forms).map(|(value, (base, zeros))| number((value, *base, *zeros))).collect();
        parts.join(".") + if is_dotted { "." } else { "" }
    })
}

/// At least 400 cases, and more where more are asked for.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.max(400), failure_persistence: None, ..usual }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_a_resolver_says_only_what_is_allowed_is_connected_to(look_up_result in look_up_result(), is_local in any::<bool>()) {
        let mut resolver = Resolver::new(Names::by(LookUpResult::of), is_local, PATIENCE);
        let name = Name::from_str(&look_up_result.name()).expect("any text is a name");
        let found = block_on(resolver.call(name));
        match look_up_result {
            LookUpResult::Addresses(all) => {
                let all = all.into_iter().map(|(address, port)| SocketAddr::new(address, port));
                let allowed: Vec<_> = all.filter(|address| is_local || is_public(address.ip())).collect();
                match found {
                    Ok(found) => prop_assert_eq!(found.collect::<Vec<_>>(), allowed),
                    Err(NoConnection::Prohibited) => prop_assert!(allowed.is_empty()),
                    Err(error) => prop_assert!(false, "{}", error),
                }
            }
            LookUpResult::Error(number) => {
                let Err(NoConnection::LookUp(error)) = found else { return Err(TestCaseError::fail("no error")) };
                prop_assert_eq!(error.raw_os_error(), Some(number), "a shortage stays one");
            }
            LookUpResult::Panic => prop_assert!(matches!(found, Err(NoConnection::LookUp(_)))),
        }
    }

    #[test]
    fn no_spelling_of_an_address_is_taken_for_a_name(host in spelling()) {
        prop_assert!(is_address_in_disguise(&host), "{host}");
    }

    #[test]
    fn any_upstream_bytes_are_an_answer_within_limits_or_an_error_in_time(answer in answer()) {
        let answers = block_on(async { tokio::time::timeout(PATIENCE * 2, answers_of(answer)).await });
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
            // These never have a body, whatever length they tell.
            let is_bodiless = matches!(head.status.as_u16(), 101 | 204 | 304);
            if let (Ok(body), Some(length), false) = (&body, lengths.next(), is_bodiless) {
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
