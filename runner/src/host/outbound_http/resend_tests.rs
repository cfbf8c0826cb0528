//! Kept connections that die, against a server that counts what it gets of each.

use super::tls_tests::block_on;
use super::*;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a server does with the requests of a connection, in their order; it answers those that are not told.
type Script = &'static [&'static [Then]];

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Answer,
    Close,
    Reset,
    /// Sends this and closes.
    Say(&'static [u8]),
}

/// Bodies of the requests it got, each with the number of its connection.
type Seen = Arc<Mutex<Vec<(usize, Vec<u8>)>>>;

async fn server(script: Script) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (port, seen) = (listener.local_addr().expect("its address").port(), Seen::default());
    let shared = seen.clone();
    tokio::spawn(async move {
        for connection in 0.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            let script = script.get(connection).copied().unwrap_or_default();
            tokio::spawn(serve(stream, script, connection, shared.clone()));
        }
    });
    (port, seen)
}

async fn serve(mut stream: TcpStream, script: &'static [Then], connection: usize, seen: Seen) -> std::io::Result<()> {
    for request in 0.. {
        let body = read_request(&mut stream).await?;
        seen.lock().expect("no thread panics with it").push((connection, body));
        match script.get(request).copied().unwrap_or(Then::Answer) {
            Then::Answer => stream.write_all(ANSWER).await?,
            Then::Close => return Ok(()),
            Then::Say(bytes) => return stream.write_all(bytes).await,
            Then::Reset => {
                return socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        }
    }
    Ok(())
}

/// The body of one request, by its content-length.
async fn read_request(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

fn clients() -> Clients {
    let tls = tls_config().expect("a TLS configuration");
    Clients::new(Connector::new(Duration::from_secs(30), true, None, &tls))
}

/// Sends a body in pieces, as the guest does.
async fn post(clients: &Clients, port: u16, body: &[u8]) -> Result<(), Error> {
    let pieces: Vec<_> = body.chunks(60_000).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    let request = Request::post(format!("http://127.0.0.1:{port}/")).header("content-length", body.len());
    let body = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    let request = request.body(body).expect("a request");
    let response = exchange(clients, request, &Upstream::default(), &Limits::of(None, false)).await?;
    let body = response.into_body().collect().await.map_err(|error| failure::of_body(&error))?;
    assert_eq!(body.to_bytes(), "ok");
    Ok(())
}

/// Sends these bodies one after another; returns what came of the last, and on which connections how much arrived.
fn sent(script: Script, bodies: &[&[u8]]) -> (Result<(), Error>, Vec<(usize, usize)>) {
    block_on(async {
        let (port, seen) = server(script).await;
        let clients = clients();
        let (last, before) = bodies.split_last().expect("a request");
        for body in before {
            post(&clients, port, body).await.expect("an answer");
        }
        let result = post(&clients, port, last).await;
        let seen = seen.lock().expect("no thread panics with it").clone();
        for (_, body) in &seen {
            assert!(bodies.contains(&body.as_slice()), "a body arrives as it was sent");
        }
        (result, seen.iter().map(|(connection, body)| (*connection, body.len())).collect())
    })
}

#[test]
fn a_request_whose_kept_connection_dies_is_sent_again_on_a_new_one() {
    for body in [b"".as_slice(), b"body", &vec![b'x'; 700 << 10]] {
        for script in [&[&[Then::Answer, Then::Close] as &[Then]] as Script, &[&[Then::Answer, Then::Reset]]] {
            let (result, seen) = sent(script, &[b"first", body]);
            assert!(result.is_ok(), "{result:?}");
            assert_eq!(seen, [(0, 5), (0, body.len()), (1, body.len())]);
        }
    }
}

#[test]
fn a_connection_that_dies_at_its_first_request_is_the_upstreams_doing() {
    for script in [&[&[Then::Close] as &[Then]] as Script, &[&[Then::Reset]]] {
        let (result, seen) = sent(script, &[b"body"]);
        assert!(matches!(result, Err(Error::ConnectionTerminated)), "{result:?}");
        assert_eq!(seen, [(0, 4)]);
    }
}

#[test]
fn a_request_is_sent_again_once() {
    let (result, seen) = sent(&[&[Then::Answer, Then::Reset], &[Then::Reset]], &[b"first", b"body"]);
    assert!(matches!(result, Err(Error::ConnectionTerminated)), "{result:?}");
    assert_eq!(seen, [(0, 5), (0, 4), (1, 4)]);
}

#[test]
fn an_answer_that_came_is_not_asked_for_again() {
    let nonsense: Script = &[&[Then::Answer, Then::Say(b"nonsense\r\n\r\n")]];
    let cut: Script = &[&[Then::Answer, Then::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")]];
    for script in [nonsense, cut] {
        let (result, seen) = sent(script, &[b"first", b"body"]);
        assert!(result.is_err());
        assert_eq!(seen, [(0, 5), (0, 4)]);
    }
}

#[test]
fn a_body_too_large_to_be_kept_is_sent_once() {
    let body = vec![b'x'; 3 << 20];
    let (result, seen) = sent(&[&[Then::Answer, Then::Close]], &[b"first", &body]);
    assert!(result.is_err());
    assert_eq!(seen, [(0, 5), (0, body.len())]);
}
