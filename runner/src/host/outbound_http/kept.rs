//! Connections that are kept between requests, and how no request is lost on them. A peer may close a connection
//! whenever it likes, and a request that is written to it then may or may not have been acted on. So this is checked
//! before the first byte: a connection is not used again if its peer hung up (the socket is asked, and not only what
//! the event loop has heard so far), if it was idle for longer than its peer announced, or for longer than the peer was
//! seen to wait. A request that is refused here was never sent, which its error says: [`UnsentRequest`].
//!
//! hyper-util's pool has one limit for all peers, and does not tell whether a request was begun. HTTP/2 has its own
//! means for this, GOAWAY and REFUSED_STREAM.

use super::connector::Wire;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{error, fmt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Subtracted from the time that a peer says it waits, since a request takes a while to reach it.
const MARGIN: Duration = Duration::from_secs(1);

/// A peer that hangs up sooner was restarted, or keeps no connections; it does not wait.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// How long the behaviour of a peer is remembered: it may have hung up because it was restarted.
const SEEN_FOR: Duration = Duration::from_secs(600);

/// How many peers of one kind of client are remembered.
const PEERS_MAX: usize = 1024;

/// The first write of a request is at most one TLS record. If it fails, no whole record was written, and the peer
/// cannot read a part of one.
const RECORD_BYTES_MAX: usize = 16 << 10;

/// The error of a request of which no byte was written.
#[derive(Debug)]
pub(super) struct UnsentRequest;

impl fmt::Display for UnsentRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the kept connection was closed before the request")
    }
}

impl error::Error for UnsentRequest {}

/// How long peers keep idle connections, as was seen, by scheme and authority.
#[derive(Clone, Default)]
pub(super) struct Peers(Arc<Mutex<HashMap<String, Arc<Peer>>>>);

impl Peers {
    pub(super) fn of(&self, name: &str) -> Arc<Peer> {
        let mut peers = lock(&self.0);
        if let Some(peer) = peers.get(name) {
            return peer.clone();
        }
        if peers.len() >= PEERS_MAX {
            peers.clear();
        }
        peers.entry(name.to_owned()).or_default().clone()
    }
}

/// The shortest time after which the peer closed an idle connection, and when that was seen.
#[derive(Default)]
pub(super) struct Peer(Mutex<Option<(Duration, Instant)>>);

impl Peer {
    fn hung_up(&self, idle: Duration) {
        let mut seen = lock(&self.0);
        let is_news = seen.is_none_or(|(shortest, at)| idle < shortest || at.elapsed() > SEEN_FOR);
        if idle >= LIFE_MIN && is_news {
            *seen = Some((idle, Instant::now()));
        }
    }

    /// How long a connection may have been idle and still be used again.
    fn patience(&self) -> Option<Duration> {
        let seen = *lock(&self.0);
        seen.filter(|(_, at)| at.elapsed() <= SEEN_FOR).map(|(shortest, _)| shortest / 10 * 9)
    }
}

/// What a connection and its requests share.
#[derive(Clone)]
pub(super) struct KeptConnection(Arc<State>);

struct State {
    peer: Arc<Peer>,
    use_: Mutex<ConnectionUse>,
}

#[derive(Default)]
struct ConnectionUse {
    /// How many requests got this connection.
    requests: u64,
    /// Whether nothing of the newest request has been written.
    is_unsent: bool,
    /// How long it was idle before that request, and whether that is too long.
    idle: Duration,
    is_stale: bool,
    idle_since: Option<Instant>,
    /// How long the peer last said that it waits for the next request.
    announced: Option<Duration>,
}

/// The turn of one request on a connection.
pub(super) struct RequestTurn {
    kept: KeptConnection,
    number: u64,
}

impl KeptConnection {
    pub(super) fn new(peer: Arc<Peer>) -> KeptConnection {
        KeptConnection(Arc::new(State { peer, use_: Mutex::default() }))
    }

    /// Begins a request. Call it in the poll that takes the connection out of the pool: the connection's own task runs
    /// in the same thread, and so has not written yet.
    pub(super) fn begin(&self) -> RequestTurn {
        let mut used = lock(&self.0.use_);
        used.requests += 1;
        used.is_unsent = true;
        let patience = [used.announced, self.0.peer.patience()].into_iter().flatten().min();
        used.idle = used.idle_since.take().map(|since| since.elapsed()).unwrap_or_default();
        used.is_stale = patience.is_some_and(|patience| used.requests > 1 && used.idle >= patience);
        RequestTurn { kept: self.clone(), number: used.requests }
    }

    fn closed_by_peer(&self) {
        if let Some(since) = lock(&self.0.use_).idle_since.take() {
            self.0.peer.hung_up(since.elapsed());
        }
    }
}

impl RequestTurn {
    /// Notes how long the peer keeps the connection, as the head of its answer says (`Keep-Alive: timeout=5, max=100`).
    pub(super) fn note(&self, keep_alive: Option<&str>) {
        let seconds = keep_alive.and_then(|text| {
            let fields = text.split(',').filter_map(|field| field.split_once('='));
            let timeout =
                fields.map(|(name, value)| (name.trim(), value)).find(|(name, _)| name.eq_ignore_ascii_case("timeout"));
            timeout?.1.trim().trim_matches('"').parse::<u32>().ok()
        });
        if let Some(seconds) = seconds {
            lock(&self.kept.0.use_).announced = Some(Duration::from_secs(seconds.into()).saturating_sub(MARGIN));
        }
    }

    pub(super) fn is_on(&self, kept: &KeptConnection) -> bool {
        Arc::ptr_eq(&self.kept.0, &kept.0)
    }
}

/// Dropped when the answer was read, or is no longer wanted.
impl Drop for RequestTurn {
    fn drop(&mut self) {
        let mut used = lock(&self.kept.0.use_);
        // hyper may know earlier that the connection is free, so that the next request has begun.
        if used.requests == self.number {
            used.idle_since = Some(Instant::now());
        }
    }
}

/// The stream of a connection.
pub(super) struct KeptStream {
    stream: TokioIo<MaybeHttpsStream<Wire>>,
    /// The state of the connection; `None` for HTTP/2.
    kept: Option<KeptConnection>,
}

impl KeptStream {
    pub(super) fn new(stream: MaybeHttpsStream<Wire>, peer: Arc<Peer>) -> KeptStream {
        let kept = (!stream.connected().is_negotiated_h2()).then(|| KeptConnection::new(peer));
        KeptStream { stream: TokioIo::new(stream), kept }
    }

    /// Whether the next bytes are the first of a request on a connection that was used before. An error if that
    /// connection cannot be trusted.
    fn is_first(&self) -> io::Result<bool> {
        let Some(kept) = &self.kept else { return Ok(false) };
        let used = lock(&kept.0.use_);
        if !used.is_unsent || used.requests == 1 {
            return Ok(false);
        }
        let is_open = is_silent(socket(self.stream.inner()));
        if !is_open {
            kept.0.peer.hung_up(used.idle);
        }
        match is_open && !used.is_stale {
            true => Ok(true),
            false => Err(io::Error::new(io::ErrorKind::NotConnected, UnsentRequest)),
        }
    }

    /// Notes the result of a write.
    fn note(&self, written: io::Result<usize>) -> io::Result<usize> {
        let Some(kept) = &self.kept else { return written };
        let mut used = lock(&kept.0.use_);
        match written {
            Err(error) if used.is_unsent && used.requests > 1 => Err(io::Error::new(error.kind(), UnsentRequest)),
            Ok(count) if count > 0 => {
                used.is_unsent = false;
                Ok(count)
            }
            other => other,
        }
    }
}

/// Whether an idle connection is open and nothing has come on it. The kernel is asked, since the event loop may not
/// have looked yet. Unexpected bytes are a farewell, or cannot be told from one under TLS.
fn is_silent(socket: &TcpStream) -> bool {
    let flags = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
    let mut polled = [PollFd::new(socket, flags)];
    matches!(poll(&mut polled, Some(&Timespec::default())), Ok(0))
}

fn socket(stream: &MaybeHttpsStream<Wire>) -> &TcpStream {
    let wire: &Wire = match stream {
        MaybeHttpsStream::Http(wire) => wire,
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner(),
    };
    match wire {
        MaybeHttpsStream::Http(tcp) => tcp.inner(),
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner().inner(),
    }
}

fn is_encrypted(stream: &MaybeHttpsStream<Wire>) -> bool {
    !matches!(stream, MaybeHttpsStream::Http(MaybeHttpsStream::Http(_)))
}

impl Connection for KeptStream {
    fn connected(&self) -> Connected {
        let connected = self.stream.inner().connected();
        match &self.kept {
            Some(kept) => connected.extra(kept.clone()),
            None => connected,
        }
    }
}

impl AsyncRead for KeptStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if let Some(kept) = &self.kept
            && (read.is_err() || buffer.filled().len() == before)
        {
            kept.closed_by_peer();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for KeptStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let length = if self.is_first()? { bytes.len().min(RECORD_BYTES_MAX) } else { bytes.len() };
        let bytes = bytes.get(..length).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.note(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_first()? && is_encrypted(self.stream.inner()) {
            let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter()).take(RECORD_BYTES_MAX).copied().collect();
            return self.poll_write(context, &bytes);
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, pieces));
        Poll::Ready(self.note(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Locks the mutex even if it is poisoned, which only means that a panic happened elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
