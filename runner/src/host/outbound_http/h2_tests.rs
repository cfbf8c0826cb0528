//! HTTP/2 upstreams that misbehave, frame by frame (RFC 9113). A server library would not let the tests do that.

use super::tls_tests::{block_on, client, get, identity, named, trusting};
use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use rustls::pki_types::CertificateDer;
use std::future::pending;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const INTERNAL_ERROR: u8 = 2;
const REFUSED_STREAM: u8 = 7;
const CANCEL: u8 = 8;

/// `:status: 200` from HPACK's static table.
const STATUS_200: &[u8] = &[0x88];
const PREFACE_BYTES: usize = 24;

/// One connection, from the server's side.
struct Peer(TlsStream<TcpStream>);

impl Peer {
    /// Shakes hands; `settings` are the payload of the server's own.
    async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor, settings: &[u8]) -> Peer {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut peer = Peer(acceptor.accept(stream).await.expect("a handshake"));
        let mut preface = [0; PREFACE_BYTES];
        peer.0.read_exact(&mut preface).await.expect("a preface");
        peer.send(SETTINGS, 0, 0, settings).await;
        peer
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        // A client that has hung up is for the test to notice.
        let _ = self.0.write_all(&frame).await;
    }

    /// The next frame that is not about the connection itself: its kind and stream.
    async fn next(&mut self) -> Option<(u8, u32)> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            let (kind, flags) = (head[3], head[4]);
            match kind {
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                PING if flags & ACK == 0 => self.send(PING, ACK, 0, &payload).await,
                DATA | HEADERS | RST_STREAM => {
                    return Some((kind, u32::from_be_bytes([head[5], head[6], head[7], head[8]])));
                }
                _ => {}
            }
        }
    }

    /// The stream of the next request.
    async fn request(&mut self) -> u32 {
        loop {
            match self.next().await {
                Some((HEADERS, stream)) => return stream,
                Some(_) => {}
                None => return pending().await,
            }
        }
    }

    async fn answer(&mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200).await;
        self.send(DATA, END_STREAM, stream, b"served").await;
    }

    async fn go_away(&mut self, last: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat()).await;
    }

    async fn reset(&mut self, stream: u32, code: u8) {
        self.send(RST_STREAM, 0, stream, &[0, 0, 0, code]).await;
    }
}

struct Bound {
    listener: TcpListener,
    port: u16,
    acceptor: TlsAcceptor,
    certificate: CertificateDer<'static>,
}

async fn bind() -> Bound {
    let (certificate, acceptor) = identity(named("localhost"), &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    Bound { listener, port, acceptor, certificate }
}

/// What an upstream does to the second request of its first connection; all others are answered.
#[derive(Clone, Copy)]
enum Fate {
    /// It was not looked at: the connection ends before it.
    GoAwayBelow,
    /// It may have been looked at.
    GoAwayAt,
    Reset(u8),
    /// The connection ends without a word.
    Closed,
}

/// Sends two requests one after the other; returns what came of the second, and how many arrived.
fn second(fate: Fate) -> (Result<Bytes, Error>, usize) {
    block_on(async {
        let Bound { listener, port, acceptor, certificate } = bind().await;
        let (arrived, mut arrivals) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for connection in 0.. {
                let mut peer = Peer::accept(&listener, &acceptor, &[]).await;
                let arrived = arrived.clone();
                tokio::spawn(async move {
                    loop {
                        let stream = peer.request().await;
                        let _ = arrived.send(());
                        match fate {
                            _ if connection > 0 || stream == 1 => peer.answer(stream).await,
                            Fate::GoAwayBelow => peer.go_away(1).await,
                            Fate::GoAwayAt => {
                                peer.go_away(stream).await;
                                return;
                            }
                            Fate::Reset(code) => peer.reset(stream, code).await,
                            Fate::Closed => return,
                        }
                    }
                });
            }
        });
        let client = client(&trusting(&certificate));
        get(&client, port).await.expect("the first is answered");
        let second = get(&client, port).await.map(|(_, body)| body);
        drop(client);
        let mut count = 0;
        while arrivals.try_recv().is_ok() {
            count += 1;
        }
        (second, count)
    })
}

#[test]
fn a_request_that_http_2_says_was_not_looked_at_is_sent_again() {
    for fate in [Fate::GoAwayBelow, Fate::Reset(REFUSED_STREAM)] {
        let (result, arrived) = second(fate);
        assert_eq!(result.expect("an answer"), "served");
        assert_eq!(arrived, 3);
    }
}

#[test]
fn a_request_that_an_http_2_upstream_may_have_looked_at_is_not_sent_again() {
    for fate in [Fate::GoAwayAt, Fate::Reset(CANCEL), Fate::Reset(INTERNAL_ERROR), Fate::Closed] {
        let (result, arrived) = second(fate);
        assert!(matches!(result, Err(Error::ConnectionTerminated)), "{result:?}");
        assert_eq!(arrived, 2);
    }
}

#[test]
fn an_upstream_that_refuses_every_stream_is_asked_twice() {
    block_on(async {
        let Bound { listener, port, acceptor, certificate } = bind().await;
        let (arrived, mut arrivals) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let mut peer = Peer::accept(&listener, &acceptor, &[]).await;
                let arrived = arrived.clone();
                tokio::spawn(async move {
                    loop {
                        let stream = peer.request().await;
                        let _ = arrived.send(());
                        peer.reset(stream, REFUSED_STREAM).await;
                    }
                });
            }
        });
        let result = get(&client(&trusting(&certificate)), port).await;
        assert!(matches!(result, Err(Error::ConnectionTerminated)), "{result:?}");
        assert!(arrivals.recv().await.is_some() && arrivals.recv().await.is_some());
        assert!(arrivals.try_recv().is_err(), "no third time");
    });
}

/// Sends a request with a body of this length; the body of the answer is not read.
async fn post(clients: &Clients, port: u16, length: usize, limit: Duration) -> Result<Response<Incoming>, Error> {
    let body = Full::new(Bytes::from(vec![b'x'; length])).map_err(Error::from).boxed_unsync();
    let request = Request::post(format!("https://localhost:{port}/")).body(body).expect("a request");
    let limits = Limits { first_byte: limit, ..Limits::of(None, false) };
    exchange(clients, request, &Upstream::default(), &limits).await.map(|(response, _)| response)
}

const LONG: Duration = Duration::from_secs(60);

/// The server's SETTINGS_INITIAL_WINDOW_SIZE is 0, and it never opens a window.
#[test]
fn an_upload_without_a_window_ends_at_its_own_limit_and_holds_nobody_up() {
    block_on(async {
        let Bound { listener, port, acceptor, certificate } = bind().await;
        tokio::spawn(async move {
            let mut peer = Peer::accept(&listener, &acceptor, &[0, 4, 0, 0, 0, 0]).await;
            let first = peer.request().await;
            loop {
                let stream = peer.request().await;
                assert_ne!(stream, first);
                peer.answer(stream).await;
            }
        });
        let client = client(&trusting(&certificate));
        let stuck = post(&client, port, 100_000, Duration::from_millis(1500));
        let others = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            futures_util::future::join_all((0..20).map(|_| get(&client, port))).await
        };
        let (stuck, others) = tokio::join!(stuck, tokio::time::timeout(Duration::from_secs(1), others));
        assert!(others.expect("before the stuck one ends").iter().all(Result::is_ok));
        assert!(matches!(stuck, Err(Error::HttpResponseTimeout)), "{stuck:?}");
    });
}

/// A slow client's stream is full to the brim; the connection is shared with everybody else's.
#[test]
fn an_answer_that_nobody_reads_holds_no_other_stream_up() {
    block_on(async {
        let Bound { listener, port, acceptor, certificate } = bind().await;
        tokio::spawn(async move {
            let mut peer = Peer::accept(&listener, &acceptor, &[]).await;
            let first = peer.request().await;
            peer.send(HEADERS, END_HEADERS, first, STATUS_200).await;
            for _ in 0..H2_STREAM_WINDOW / 16_384 {
                peer.send(DATA, 0, first, &[b'x'; 16_384]).await;
            }
            loop {
                let stream = peer.request().await;
                peer.answer(stream).await;
            }
        });
        let client = client(&trusting(&certificate));
        let unread = post(&client, port, 0, LONG).await.expect("a head");
        for _ in 0..20 {
            get(&client, port).await.expect("an answer beside it");
        }
        drop(unread);
    });
}

#[test]
fn a_stream_that_is_reset_in_its_body_ends_alone() {
    block_on(async {
        let Bound { listener, port, acceptor, certificate } = bind().await;
        tokio::spawn(async move {
            let mut peer = Peer::accept(&listener, &acceptor, &[]).await;
            let first = peer.request().await;
            peer.send(HEADERS, END_HEADERS, first, STATUS_200).await;
            peer.send(DATA, 0, first, b"begun").await;
            let second = peer.request().await;
            peer.reset(first, INTERNAL_ERROR).await;
            peer.answer(second).await;
            pending::<()>().await;
        });
        let client = client(&trusting(&certificate));
        let first = post(&client, port, 0, LONG).await.expect("a head");
        assert_eq!(get(&client, port).await.expect("an answer").1, "served");
        let error = first.into_body().collect().await.expect_err("a body that breaks off");
        assert!(matches!(failure::of_body(&error), Error::ConnectionTerminated), "{error:?}");
    });
}

/// The flood of CVE-2024-27316 and its like, from an upstream.
#[test]
fn a_head_that_never_ends_is_refused_after_its_limit() {
    block_on(async {
        let Bound { listener, port, acceptor, certificate } = bind().await;
        let (sent, mut frames) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut peer = Peer::accept(&listener, &acceptor, &[]).await;
            let stream = peer.request().await;
            peer.send(HEADERS, 0, stream, STATUS_200).await;
            // A literal header of 1,000 bytes, without indexing.
            let field = [b"\x00\x01a\x7f\xe9\x06".as_slice(), &[b'x'; 1000]].concat();
            while sent.send(()).is_ok() {
                peer.send(CONTINUATION, 0, stream, &field).await;
                tokio::task::yield_now().await;
            }
        });
        let refused = tokio::time::timeout(LONG, get(&client(&trusting(&certificate)), port)).await;
        assert!(refused.expect("an end").is_err());
        let mut count = 0;
        while frames.try_recv().is_ok() {
            count += 1;
        }
        assert!(count < 10_000, "{count} frames of a kilobyte were taken");
    });
}
