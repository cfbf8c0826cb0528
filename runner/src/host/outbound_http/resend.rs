//! A request whose kept connection turns out to be dead is sent once more. An upstream closes a connection it keeps
//! whenever it likes, and a request may be on its way by then: no fault of it, and nothing a caller or a breaker should
//! hear of. Browsers do the same, whatever the method (RFC 9110, section 9.2.2, asks for means to know that the request
//! was not acted on: a connection that had carried an answer before, and ends at once without a byte of another).
//! hyper-util does it by itself only for a request of which nothing was written.

use super::failure;
use super::{HttpClient, connector::Connector, new_client};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use std::cell::Cell;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};

/// How soon a dead connection is noticed: within a round trip. After longer the upstream was at work.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);

/// So much of a body is kept until its answer's head is there. More than most calls have; what is larger is not sent
/// again.
const KEPT_BYTES_MAX: usize = 1 << 20;

tokio::task_local! {
    /// Whether a connection was made for the request under way.
    static CONNECTED: Cell<bool>;
}

/// Told by the connector, in the task of the request that needs the connection.
pub(super) fn connecting() {
    // Nobody asks outside of a request.
    let _ = CONNECTED.try_with(|connected| connected.set(true));
}

/// The ways to one kind of destination.
#[derive(Clone)]
pub(super) struct Clients {
    /// Keeps connections.
    pooled: HttpClient,
    /// Makes one for each request: what else is kept may be dead for the same reason.
    fresh: HttpClient,
}

impl Clients {
    pub(super) fn new(connector: Connector) -> Clients {
        Clients { pooled: new_client(connector.clone(), true), fresh: new_client(connector, false) }
    }

    /// Sends a request and waits for the head of its response.
    pub(super) async fn request(&self, request: Request<WasiBody>) -> Result<Response<Incoming>, legacy::Error> {
        let (head, body) = request.into_parts();
        let body = KeptBody::new(body);
        let again = body.handle();
        let started = Instant::now();
        let first = self.pooled.request(Request::from_parts(head.clone(), body));
        let sending = async { (first.await, CONNECTED.with(Cell::get)) };
        let (sent, connected) = CONNECTED.scope(Cell::new(false), sending).await;
        let error = match sent {
            Ok(response) => {
                again.forget();
                return Ok(response);
            }
            Err(error) => error,
        };
        if connected || started.elapsed() > NOTICED_WITHIN || !failure::is_lost_connection(&error) {
            return Err(error);
        }
        match again.once_more() {
            Some(body) => self.fresh.request(Request::from_parts(head, body)).await,
            None => Err(error),
        }
    }
}

/// A body that can be read a second time as long as little of it was read.
pub(super) struct KeptBody {
    shared: Arc<Mutex<Shared>>,
    /// Which reading this is, and the next piece it reads again.
    reading: u8,
    next: usize,
}

struct Shared {
    body: WasiBody,
    /// What was read of it, for as long as it is kept.
    pieces: Vec<Bytes>,
    bytes: usize,
    is_kept: bool,
    /// Only the newest reading goes on: an earlier one may still be polled by its dying connection.
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

    /// It is not going to be read again.
    fn forget(&self) {
        lock(&self.shared).forget();
    }

    /// A second and last reading; `None` when not all of the first is kept.
    fn once_more(self) -> Option<KeptBody> {
        let mut shared = lock(&self.shared);
        if !std::mem::take(&mut shared.is_kept) {
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

    /// Keeps a piece that was read, if there is room; returns how many there are.
    fn keep(&mut self, frame: &Frame<Bytes>) -> usize {
        match frame.data_ref() {
            Some(piece) if self.bytes + piece.len() <= KEPT_BYTES_MAX => {
                self.bytes += piece.len();
                self.pieces.push(piece.clone());
            }
            // Trailers are rare, and no reason to keep more than bytes.
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

/// A poisoned lock only means that a panic happened elsewhere.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
