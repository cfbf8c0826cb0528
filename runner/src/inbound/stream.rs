//! A client's connection as hyper reads and writes it. It notes when bytes come and when a write must wait, and it
//! notices that the client left if hyper does not: hyper sees the end of the stream only while it reads, and it stops
//! reading once it holds bytes beyond the request in service (a blank line after a body, a pipelined request), or while
//! the component does not ask for the body.

use super::activity::Activity;
use super::head_refusal;
use crate::gateway::Stores;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// One client's connection.
pub(super) struct ClientStream {
    stream: TcpStream,
    activity: Arc<Activity>,
    /// Whether hyper waits for bytes in this poll, and so notices the end by itself.
    is_read: bool,
    write_waits: bool,
    departure: Option<Departure>,
    stores: Arc<Stores>,
    /// The rest of the answer that replaces hyper's own refusal.
    refusal: Option<Vec<u8>>,
}

type Departure = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl ClientStream {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, stores: Arc<Stores>) -> ClientStream {
        ClientStream { stream, activity, is_read: false, write_waits: false, departure: None, stores, refusal: None }
    }

    /// Writes another answer in place of hyper's refusal of a head. `None` if these bytes are something else.
    fn poll_refusal(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.refusal.is_none() {
            // This check is cheap, and excludes nearly every write.
            if !bytes.starts_with(b"HTTP/1.1 4") {
                return None;
            }
            let beginning = self.activity.beginning()?;
            self.refusal = Some(head_refusal::in_place_of(bytes, &beginning, &self.stores.refusals)?);
        }
        let rest = self.refusal.as_mut()?;
        while !rest.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(count)) => drop(rest.drain(..count)),
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        self.refusal = None;
        Some(Poll::Ready(Ok(bytes.len())))
    }

    /// An error if the client left while a request was in service. It is called at the end of every poll of the
    /// connection, so the usual case must be cheap: hyper reads, or nothing has come.
    fn poll_departed(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if std::mem::take(&mut self.is_read) || !self.activity.is_serving() {
            return Poll::Pending;
        }
        // Either unread bytes or the end are waiting. Only the end is worth a wake-up.
        let _ = ready!(self.stream.poll_read_ready(context));
        if self.departure.is_none() {
            match departure(&self.stream) {
                Ok(departure) => self.departure = Some(departure),
                // Without a free descriptor, the client's leaving is noticed at the next write.
                Err(_) => return Poll::Pending,
            }
        }
        let Some(departure) = &mut self.departure else { return Poll::Pending };
        let _ = ready!(departure.as_mut().poll(context));
        self.departure = None;
        Poll::Ready(io::Error::new(io::ErrorKind::ConnectionReset, "the client has left"))
    }

    fn note_write<T>(&mut self, polled: &Poll<T>) {
        if self.write_waits != polled.is_pending() {
            self.write_waits = polled.is_pending();
            self.activity.write_waits(self.write_waits.then(Instant::now));
        }
    }

    fn wrote(&mut self, polled: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.note_write(&polled);
        if polled.is_pending()
            && let Poll::Ready(error) = self.poll_departed(context)
        {
            return Poll::Ready(Err(error));
        }
        polled
    }
}

/// Resolves when the peer has closed its side or the connection is broken, whatever is unread. It uses a descriptor of
/// its own, because it clears the readiness without reading, and hyper must not miss bytes.
fn departure(stream: &TcpStream) -> io::Result<Departure> {
    let watched = TcpStream::from_std(socket2::SockRef::from(stream).try_clone()?.into())?;
    Ok(Box::pin(async move {
        while !watched.ready(Interest::READABLE).await?.is_read_closed() {
            let _ = watched.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
        Ok(())
    }))
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.is_read = polled.is_pending();
        let received = &buffer.filled()[before..];
        if !received.is_empty() {
            self.activity.received(received);
        }
        polled
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(polled) = self.poll_refusal(context, bytes) {
            return self.wrote(polled, context);
        }
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(polled) = slices.first().and_then(|first| self.poll_refusal(context, first)) {
            return self.wrote(polled, context);
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes at the end of every poll, so this is the place to notice that the client has left.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        match self.poll_departed(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
