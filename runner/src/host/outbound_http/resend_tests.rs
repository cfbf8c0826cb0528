//! Kept connections that die, against a server that counts what it gets of each.

use super::tls_tests::block_on;
use super::*;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const ANSWER_KEPT_FOR_A_SECOND: &[u8] = b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok";
const ANSWER_KEPT_FOR_A_MINUTE: &[u8] =
    b"HTTP/1.1 200 OK\r\nKeep-Alive: max=9, timeout=60\r\ncontent-length: 2\r\n\r\nok";

/// What a server does with the requests of a connection, in their order; it answers those that are not told.
type Script = &'static [&'static [Then]];

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Answer,
    Close,
    Reset,
    /// Sends this and closes.
    Say(&'static [u8]),
    /// Sends this and goes on.
    Answers(&'static [u8]),
    /// Answers, and closes when nothing more comes for so long.
    AnswerFor(Duration),
}

/// Bodies of the requests it got, each with the number of its connection.
type ReceivedRequests = Arc<Mutex<Vec<(usize, Vec<u8>)>>>;

async fn server(script: Script) -> (u16, ReceivedRequests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (port, seen) = (listener.local_addr().expect("its address").port(), ReceivedRequests::default());
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

async fn serve(
    mut stream: TcpStream,
    script: &'static [Then],
    connection: usize,
    seen: ReceivedRequests,
) -> std::io::Result<()> {
    for request in 0.. {
        let body = read_request(&mut stream).await?;
        seen.lock().expect("no thread panics with it").push((connection, body));
        match script.get(request).copied().unwrap_or(Then::Answer) {
            Then::Answer => stream.write_all(ANSWER).await?,
            Then::Answers(bytes) => stream.write_all(bytes).await?,
            Then::AnswerFor(patience) => {
                stream.write_all(ANSWER).await?;
                if tokio::time::timeout(patience, stream.peek(&mut [0])).await.is_err() {
                    return Ok(());
                }
            }
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
    let tls = TlsConfig::new(&OwnRoots::new()).expect("a TLS configuration");
    Clients::new(Connector::new(Duration::from_secs(30), true, None, &tls.into()))
}

/// Sends a body in pieces, as the guest does.
async fn post(clients: &Clients, port: u16, body: &[u8]) -> Result<(), Error> {
    let pieces: Vec<_> = body.chunks(60_000).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    let request = Request::post(format!("http://127.0.0.1:{port}/")).header("content-length", body.len());
    let body = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    let request = request.body(body).expect("a request");
    let (response, turn) = exchange(clients, request, &Upstream::default(), &Limits::of(None, false)).await?;
    let turn = turn.expect("a connection of HTTP/1.1");
    turn.note(response.headers().get(KEEP_ALIVE).and_then(|value| value.to_str().ok()));
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
fn a_request_that_was_delivered_is_not_sent_again() {
    for body in [b"".as_slice(), b"body", &vec![b'x'; 700 << 10]] {
        for script in [&[&[Then::Answer, Then::Close] as &[Then]] as Script, &[&[Then::Answer, Then::Reset]]] {
            let (result, seen) = sent(script, &[b"first", body]);
            assert!(matches!(result, Err(Error::ConnectionTerminated)), "{result:?}");
            assert_eq!(seen, [(0, 5), (0, body.len())]);
        }
    }
}

#[test]
fn a_kept_connection_found_closed_is_replaced_in_silence() {
    for body in [b"".as_slice(), b"body", &vec![b'x'; 700 << 10]] {
        let (result, seen) = sent(&[&[Then::Say(ANSWER)]], &[b"first", body]);
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(seen, [(0, 5), (1, body.len())]);
    }
}

/// The event loop has not heard of it: the server is another thread, and this one sleeps.
#[test]
fn a_close_that_only_the_kernel_knows_of_is_found_before_the_first_byte() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let server = std::thread::spawn(move || {
        let mut got = 0;
        for stream in listener.incoming().take(CLOSED).flatten() {
            got += answer_once(stream);
        }
        got
    });
    block_on(async {
        let clients = clients();
        for round in 0..CLOSED {
            post(&clients, port, b"body").await.unwrap_or_else(|error| panic!("{round}: {error:?}"));
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    assert_eq!(server.join().expect("the server's count"), CLOSED);
}

const CLOSED: usize = 20;

/// Answers one request and closes; returns how many came.
fn answer_once(mut stream: std::net::TcpStream) -> usize {
    use std::io::{Read, Write};
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\nbody") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => got.extend_from_slice(&piece[..length]),
            _ => return 0,
        }
    }
    stream.write_all(ANSWER).map_or(0, |()| 1)
}

#[test]
fn a_connection_is_not_used_for_longer_than_its_peer_said() {
    let (result, seen) = sent(&[&[Then::Answers(ANSWER_KEPT_FOR_A_SECOND)]], &[b"first", b"body"]);
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(seen, [(0, 5), (1, 4)], "a second is no time to send a request in");
    let (result, seen) = sent(&[&[Then::Answers(ANSWER_KEPT_FOR_A_MINUTE)]], &[b"first", b"body"]);
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(seen, [(0, 5), (0, 4)]);
}

#[test]
fn a_connection_is_not_used_for_longer_than_its_peer_was_seen_to_wait() {
    const PATIENCE: Duration = Duration::from_millis(1200);
    const SCRIPT: Script = &[&[Then::AnswerFor(PATIENCE)], &[Then::AnswerFor(PATIENCE)]];
    block_on(async {
        let (port, seen) = server(SCRIPT).await;
        let clients = clients();
        for idle in [PATIENCE * 2, PATIENCE / 100 * 95, Duration::ZERO] {
            post(&clients, port, b"body").await.expect("an answer");
            tokio::time::sleep(idle).await;
        }
        let connections: Vec<_> = seen.lock().expect("no thread panics with it").iter().map(|(at, _)| *at).collect();
        assert_eq!(connections, [0, 1, 2], "the second is still open when the third is made");
    });
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
fn the_connection_made_in_place_of_a_closed_one_has_one_chance() {
    let (result, seen) = sent(&[&[Then::Say(ANSWER)], &[Then::Reset]], &[b"first", b"body"]);
    assert!(matches!(result, Err(Error::ConnectionTerminated)), "{result:?}");
    assert_eq!(seen, [(0, 5), (1, 4)]);
}

/// Whenever a peer closes, before, while and after a request is written.
#[test]
fn no_request_arrives_twice_whenever_its_peer_hangs_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let (arrived, arrivals) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().flatten().enumerate() {
            let arrived = arrived.clone();
            std::thread::spawn(move || {
                hang_up_after(stream, Duration::from_micros(index as u64 * 37 % 1500), &arrived)
            });
        }
    });
    block_on(async {
        let clients = clients();
        for index in 0..400_u64 {
            let _ = post(&clients, port, format!("{index:04}").as_bytes()).await;
            tokio::time::sleep(Duration::from_micros(index * 53 % 1500)).await;
        }
    });
    let mut all: Vec<String> = arrivals.try_iter().collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "each body has its own number");
    assert!(count > 300, "only {count} arrived");
}

/// Answers a request, waits so long for another, and closes, whether that came or not.
fn hang_up_after(mut stream: std::net::TcpStream, patience: Duration, arrived: &std::sync::mpsc::Sender<String>) {
    use std::io::{Read, Write};
    for is_answered in [true, false] {
        let (mut got, mut piece) = (Vec::new(), [0; 1024]);
        while !got.windows(4).any(|bytes| bytes == b"\r\n\r\n") || got.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(length) if length > 0 => got.extend_from_slice(&piece[..length]),
                _ => return,
            }
        }
        let _ = arrived.send(String::from_utf8_lossy(&got[got.len() - 4..]).into_owned());
        if is_answered && stream.write_all(ANSWER).is_err() {
            return;
        }
        let _ = stream.set_read_timeout(Some(patience + Duration::from_micros(1)));
    }
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
