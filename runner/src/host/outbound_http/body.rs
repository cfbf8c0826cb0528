//! The body of an upstream on its way to the guest. It ends with an error if it ends early, if it stalls, or if the
//! host ended its call.

use super::failure;
use super::kept::RequestTurn;
use crate::call::Upstream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

/// The body of one exchange.
pub(in crate::host) struct UpstreamBody {
    upstream: Arc<Upstream>,
    limit: Duration,
    stall: Option<ReadTimer>,
    /// The request's turn on its connection, which ends with the body.
    turn: Option<RequestTurn>,
}

/// The timer of a read that waits. It is set once and only moved when it fires, not at every chunk.
struct ReadTimer {
    timer: Pin<Box<Sleep>>,
    since: Option<Instant>,
}

impl UpstreamBody {
    pub(super) fn new(upstream: Arc<Upstream>, limit: Duration, turn: Option<RequestTurn>) -> UpstreamBody {
        UpstreamBody { upstream, limit, stall: None, turn }
    }

    /// Notes that the guest does not wait for more now, so that what it takes until it does is not the upstream's time.
    pub(in crate::host) fn is_not_waited_for(&mut self) {
        if let Some(stall) = &mut self.stall {
            stall.since = None;
        }
    }

    /// Whether the upstream is too late. The time counts from when the guest began to wait, since an upstream is not
    /// late while a slow client keeps the guest from reading.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let fresh = || ReadTimer { timer: Box::pin(tokio::time::sleep(limit)), since: None };
        let stall = self.stall.get_or_insert_with(fresh);
        let since = *stall.since.get_or_insert_with(Instant::now);
        while stall.timer.as_mut().poll(context).is_ready() {
            let due = since + limit;
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            stall.timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.upstream.poll_body(context, |body, context| Pin::new(body).poll_frame(context)) {
            Poll::Ready(Err(aborted)) => Poll::Ready(Some(Err(aborted))),
            Poll::Ready(Ok(frame)) => {
                if let Some(stall) = &mut self.stall {
                    stall.since = None;
                }
                if frame.is_none() {
                    self.turn = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(|error| failure::of_body(&error))))
            }
            Poll::Pending if self.poll_stalled(context).is_ready() => {
                self.upstream.close();
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.with_body(Body::is_end_stream).unwrap_or(false)
    }

    fn size_hint(&self) -> SizeHint {
        self.upstream.with_body(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        self.upstream.close();
    }
}
