//! A request is silently sent again only if it is certain that no byte of it was acted on: its kept connection was
//! found closed before anything was written, or an HTTP/2 upstream said that it did not look at it (GOAWAY below its
//! number, REFUSED_STREAM). A request that failed in any other way may have been delivered, so the guest is told: that
//! is an attempt of the call, which is counted and recorded. hyper-util itself resends what never left its queue.

use super::kept::{KeptConnection, RequestTurn};
use super::{HttpClient, connector::Connector, new_client};
use super::{failure, failure::UnprocessedReason};
use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use wasmtime_wasi_http::{Error, WasiBody};

/// How much of a body is kept until the head of its answer comes. Most calls have less; larger bodies are not sent
/// again.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// How many kept connections are tried before a new one is made.
const KEPT_TRIES_MAX: usize = 4;

/// The HTTP clients for one kind of destination.
#[derive(Clone)]
pub(super) struct Clients {
    /// The client that keeps connections.
    pooled: HttpClient,
    /// The client that makes a connection for each request.
    fresh: HttpClient,
}

impl Clients {
    pub(super) fn new(connector: Connector) -> Clients {
        Clients { pooled: new_client(connector.clone(), true), fresh: new_client(connector, false) }
    }

    /// Sends a request and waits for the head of its response. Also returns the request's turn, if its connection may
    /// be kept.
    pub(super) async fn request(
        &self,
        request: Request<WasiBody>,
    ) -> Result<(Response<Incoming>, Option<RequestTurn>), legacy::Error> {
        let (head, body) = request.into_parts();
        let (mut body, mut client, mut tries) = (KeptBody::new(body), &self.pooled, 0);
        loop {
            let handle = body.handle();
            let error = match send(client, Request::from_parts(head.clone(), body)).await {
                Ok(sent) => {
                    handle.forget();
                    return Ok(sent);
                }
                Err(error) => error,
            };
            tries += 1;
            let again = failure::unprocessed(&error).and_then(|why| self.again(why, tries));
            match again.zip(handle.once_more()) {
                Some((next, rest)) => (client, body) = (next, rest),
                None => return Err(error),
            }
        }
    }

    /// The client with which a request is sent again that was not looked at, if it is.
    fn again(&self, why: UnprocessedReason, tries: usize) -> Option<&HttpClient> {
        match why {
            UnprocessedReason::Unsent if tries < KEPT_TRIES_MAX => Some(&self.pooled),
            // Other kept connections may be dead for the same reason. A new one never has this error.
            UnprocessedReason::Unsent => Some(&self.fresh),
            // The pool drops such a connection, and all requests that it refused share the next one.
            UnprocessedReason::GoingAway => (tries == 1).then_some(&self.pooled),
            UnprocessedReason::Refused => (tries == 1).then_some(&self.fresh),
        }
    }
}

async fn send(
    client: &HttpClient,
    mut request: Request<KeptBody>,
) -> Result<(Response<Incoming>, Option<RequestTurn>), legacy::Error> {
    let captured = capture_connection(&mut request);
    let mut response = pin!(client.request(request));
    let mut turn: Option<RequestTurn> = None;
    let head = poll_fn(|context| {
        let polled = response.as_mut().poll(context);
        // The client itself may move to another connection if it finds one closed.
        if let Some(kept) = kept(&captured).filter(|kept| !turn.as_ref().is_some_and(|turn| turn.is_on(kept))) {
            turn = Some(kept.begin());
        }
        polled
    });
    Ok((head.await?, turn))
}

/// The connection that a request got.
fn kept(captured: &CaptureConnection) -> Option<KeptConnection> {
    let mut extensions = Extensions::new();
    captured.connection_metadata().as_ref()?.get_extras(&mut extensions);
    extensions.remove()
}

/// A body that can be read again while little of it was read.
pub(super) struct KeptBody {
    shared: Arc<Mutex<Shared>>,
    /// The number of this reading, and the next piece that it reads again.
    reading: u8,
    next: usize,
}

struct Shared {
    body: WasiBody,
    /// The pieces that were read, while they are kept.
    pieces: Vec<Bytes>,
    bytes: usize,
    is_kept: bool,
    /// Only the newest reading continues. An earlier one may still be polled by its dying connection.
    reading: u8,
}

impl KeptBody {
    fn new(body: WasiBody) -> KeptBody {
        let shared = Shared { body, pieces: Vec::new(), bytes: 0, is_kept: true, reading: 0 };
        KeptBody { shared: Arc::new(Mutex::new(shared)), reading: 0, next: 0 }
    }

    fn handle(&self) -> KeptBody {
        KeptBody { shared: self.shared.clone(), reading: self.reading, next: self.next }
    }

    /// Drops the pieces, because the body will not be read again.
    fn forget(&self) {
        lock(&self.shared).forget();
    }

    /// Another reading, which ends this one; `None` if not everything that was read is kept.
    fn once_more(self) -> Option<KeptBody> {
        let mut shared = lock(&self.shared);
        if !shared.is_kept {
            return None;
        }
        shared.reading += 1;
        let reading = shared.reading;
        drop(shared);
        Some(KeptBody { reading, next: 0, ..self })
    }
}

impl Shared {
    fn forget(&mut self) {
        self.is_kept = false;
        self.pieces = Vec::new();
    }

    /// Keeps a piece that was read, if there is room. Returns the number of pieces.
    fn keep(&mut self, frame: &Frame<Bytes>) -> usize {
        match frame.data_ref() {
            Some(piece) if self.bytes + piece.len() <= KEPT_BYTES_MAX => {
                self.bytes += piece.len();
                self.pieces.push(piece.clone());
            }
            // Trailers are rare, and only bytes are kept.
            _ => self.forget(),
        }
        self.pieces.len()
    }
}

impl Body for KeptBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let body = &mut *self;
        let mut shared = lock(&body.shared);
        if shared.reading != body.reading {
            return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
        }
        if let Some(piece) = shared.pieces.get(body.next) {
            body.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        let polled = Pin::new(&mut shared.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && shared.is_kept
        {
            body.next = shared.keep(frame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let shared = lock(&self.shared);
        self.next >= shared.pieces.len() && shared.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let shared = lock(&self.shared);
        let again: usize = shared.pieces.iter().skip(self.next).map(Bytes::len).sum();
        let (rest, again) = (shared.body.size_hint(), again as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + again);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + again);
        }
        hint
    }
}

/// Locks the mutex even if it is poisoned, which only means that a panic happened elsewhere.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
