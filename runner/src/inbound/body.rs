//! Bodies between client and component: the request's with its size limit, the response's with the guard of its call.

use super::activity::InService;
use super::upload::Upload;
use crate::call::{Call, CallGuard};
use crate::host::carry;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use std::collections::VecDeque;
use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};

/// One MiB more than the component's own limit: it answers 413 in the caller's dialect before the host cuts.
pub(super) const READ_BYTES_MAX: u64 = 33 << 20;

/// A body that may be gathered before it is known who sends it.
const SMALL_BYTES_MAX: u64 = carry::BODY_BYTES_MAX as u64;

/// The limit of a body that is passed on as it comes.
pub(super) const PASSED_ON: u64 = u64::MAX;

/// When this much of a body has come it counts as large, whatever its final size.
const GATHERED_BYTES_MAX: u64 = 64 << 10;

/// The body of a client's request, or one that the host made.
pub(crate) struct RequestBody {
    inner: Either<Incoming, Full<Bytes>>,
    bytes: u64,
    bytes_max: u64,
    upload: Option<Arc<Upload>>,
    /// As under Spin, whose one code for every error of a body is this.
    is_unnamed: bool,
    /// What came before it was known which instance gets the body.
    gathered: VecDeque<Result<Frame<Bytes>, Error>>,
    /// The call it is counted for.
    call: Option<Arc<Call>>,
}

impl RequestBody {
    /// A client's body, limited in size and in how slowly it may come.
    pub(super) fn client(body: Incoming, bytes_max: u64, upload: Option<Arc<Upload>>, is_unnamed: bool) -> RequestBody {
        RequestBody { bytes_max, upload, is_unnamed, ..RequestBody::of(Either::Left(body)) }
    }

    /// A body that the host itself sends.
    pub(crate) fn whole(body: Bytes) -> RequestBody {
        RequestBody::of(Either::Right(Full::new(body)))
    }

    fn of(inner: Either<Incoming, Full<Bytes>>) -> RequestBody {
        let gathered = VecDeque::new();
        RequestBody { inner, bytes: 0, bytes_max: u64::MAX, upload: None, is_unnamed: false, gathered, call: None }
    }

    /// How many bytes the body has or will have. Of a body without a length, as much is read as tells a small one from
    /// a large one.
    pub(crate) async fn size(&mut self) -> u64 {
        if let Some(bytes) = self.inner.size_hint().exact() {
            return bytes;
        }
        while self.bytes <= GATHERED_BYTES_MAX {
            let Some(frame) = poll_fn(|context| self.poll_inner(context)).await else { return self.bytes };
            let failed = frame.is_err();
            self.gathered.push_back(frame);
            if failed {
                return self.bytes;
            }
        }
        READ_BYTES_MAX
    }

    /// Gathers a small body of known length if the connection has read it together with the head. Nothing is waited for.
    pub(super) async fn gather_small(&mut self) {
        let (Either::Left(body), false) = (&mut self.inner, self.bytes_max == PASSED_ON) else { return };
        let Some(1..=SMALL_BYTES_MAX) = body.size_hint().exact() else { return };
        // The connection hands a body over only when it is asked to, in its own turn.
        let mut turn = pin!(tokio::task::yield_now());
        let frame = poll_fn(|context| match Pin::new(&mut *body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame),
            Poll::Pending => turn.as_mut().poll(context).map(|()| None),
        });
        let Some(frame) = frame.await else { return };
        let length = frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
        if let Some(upload) = &self.upload {
            upload.received(length, Instant::now);
        }
        self.bytes += length as u64;
        self.gathered.push_back(frame.map_err(client_error));
    }

    /// Takes the body if all of it is here and there is not much of it.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        let is_small = |bytes: &Bytes| bytes.len() as u64 <= SMALL_BYTES_MAX;
        match &mut self.inner {
            Either::Right(body) => {
                let whole = body.clone().into_inner().unwrap_or_default();
                is_small(&whole).then(|| std::mem::take(body)).map(|_| whole)
            }
            // The component reads it as it comes.
            Either::Left(_) if self.bytes_max == PASSED_ON => None,
            Either::Left(body) if self.gathered.is_empty() => body.is_end_stream().then(Bytes::new),
            Either::Left(body) => {
                let is_all = body.is_end_stream() && self.gathered.len() == 1;
                let only = self.gathered.front()?.as_ref().ok()?.data_ref().filter(|only| is_all && is_small(only))?;
                let whole = only.clone();
                self.gathered.clear();
                Some(whole)
            }
        }
    }

    /// Counts what has come, and what comes from now on, for this call.
    pub(crate) fn count_for(&mut self, call: Arc<Call>) {
        call.received(self.bytes);
        self.call = Some(call);
    }

    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = match &mut self.inner {
            Either::Left(body) if self.is_unnamed => {
                Pin::new(body).poll_frame(context).map_err(|_| Error::HttpProtocolError)
            }
            Either::Left(body) => Pin::new(body).poll_frame(context).map_err(client_error),
            Either::Right(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
        };
        if let (Poll::Pending, Some(upload)) = (&polled, &self.upload) {
            let too_slow = upload.poll_too_slow(context, Instant::now);
            return too_slow.map(|()| Some(Err(Error::ConnectionReadTimeout)));
        }
        let frame = ready!(polled);
        let length = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        if let Some(upload) = &self.upload {
            upload.received(length, Instant::now);
        }
        let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
        self.bytes += length as u64;
        if let Some(call) = &self.call {
            call.received(length as u64);
        }
        if self.bytes > self.bytes_max {
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.bytes_max)))));
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.gathered.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => self.poll_inner(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.gathered.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.gathered.is_empty() { self.inner.size_hint() } else { SizeHint::default() }
    }
}

/// Whether the client broke off or did not send HTTP. The component blames the client for either, with different
/// messages.
fn client_error(error: hyper::Error) -> Error {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match cause {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Error::HttpProtocolError,
        None if !error.is_incomplete_message() => Error::HttpProtocolError,
        _ => Error::ConnectionTerminated,
    }
}

/// The body of an answer to a client. It ends its call: as sent when it was read to its end, as left when it is dropped
/// before.
pub(crate) struct ResponseBody {
    inner: Inner,
    /// An error that came while earlier bytes may still wait in hyper's buffer.
    failed: Option<Error>,
    /// Keeps the request in service until hyper drops its answer.
    service: Option<InService>,
    /// As under Spin: an error goes to the server at once, with what it has not sent yet.
    drops_at_errors: bool,
}

enum Inner {
    Guest { body: WasiBody, guard: CallGuard },
    Host(Full<Bytes>),
}

impl ResponseBody {
    /// An answer of the component.
    pub(crate) fn guest(body: WasiBody, guard: CallGuard) -> ResponseBody {
        if body.is_end_stream() && !guard.life().is_dead() {
            guard.sent();
        }
        ResponseBody::of(Inner::Guest { body, guard })
    }

    /// An answer of the host itself.
    pub(crate) fn text(text: String) -> ResponseBody {
        ResponseBody::of(Inner::Host(Full::new(Bytes::from(text))))
    }

    fn of(inner: Inner) -> ResponseBody {
        ResponseBody { inner, failed: None, service: None, drops_at_errors: false }
    }

    /// The same body, whose errors may come too early for what was sent before.
    pub(super) fn drops_at_errors(self, drops_at_errors: bool) -> ResponseBody {
        ResponseBody { drops_at_errors, ..self }
    }

    /// The text of the host's own answer.
    pub(super) fn into_text(self) -> Option<String> {
        match self.inner {
            Inner::Host(body) => String::from_utf8(body.into_inner()?.to_vec()).ok(),
            Inner::Guest { .. } => None,
        }
    }

    /// The same body, as the answer to a client's request.
    pub(super) fn in_service(mut self, service: InService) -> ResponseBody {
        if let Inner::Guest { guard, .. } = &self.inner {
            service.answers(guard.call().recorded());
        }
        self.service = Some(service);
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let (body, guard) = match &mut self.inner {
            Inner::Guest { body, guard } => (body, guard),
            Inner::Host(body) => return Pin::new(body).poll_frame(context).map_err(Into::into),
        };
        let error = match ready!(Pin::new(&mut *body).poll_frame(context)) {
            Some(Ok(frame)) => {
                // hyper drops a body of known length at its last byte, without asking for the end.
                if body.size_hint().exact() == Some(0) {
                    guard.sent();
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            // A dead store closes its streams like a guest that is done; that must not look complete to the client.
            None if guard.life().is_dead() && body.size_hint().exact() != Some(0) => Error::ConnectionTerminated,
            None => {
                guard.sent();
                return Poll::Ready(None);
            }
            Some(Err(error)) => error,
        };
        if self.drops_at_errors {
            return Poll::Ready(Some(Err(error)));
        }
        // At an error hyper drops the connection with whatever it has buffered, often the very event that tells the
        // client what went wrong. Returning once more lets it flush first.
        self.failed = Some(error);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Guest { body, guard } => {
                let ended = self.failed.is_none() && !guard.life().is_dead() && body.is_end_stream();
                if ended {
                    guard.sent();
                }
                ended
            }
            Inner::Host(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Guest { body, .. } => body.size_hint(),
            Inner::Host(body) => body.size_hint(),
        }
    }
}
