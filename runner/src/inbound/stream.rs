//! A client's connection as hyper reads and writes it. On the way it is noted when bytes come and when a write has to
//! wait, and the client's leave is noticed where hyper does not look for it: hyper sees the end of the stream only while
//! it reads, and it reads nothing more once it holds bytes beyond the request in service (a blank line after a body, a
//! pipelined request) or while the component does not ask for the body.

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
    /// hyper waits for bytes in this poll, and will see for itself that none come any more.
    is_read: bool,
    write_waits: bool,
    departure: Option<Departure>,
    stores: Arc<Stores>,
    /// What is written in place of hyper's own refusal, as far as it is not written yet.
    refusal: Option<Vec<u8>>,
}

type Departure = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl ClientStream {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, stores: Arc<Stores>) -> ClientStream {
        ClientStream { stream, activity, is_read: false, write_waits: false, departure: None, stores, refusal: None }
    }

    /// Writes another answer where hyper refuses a head without a word. None: these bytes are something else.
    fn poll_refusal(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        if self.refusal.is_none() {
            // Cheap for nearly every write: only then is it looked at more closely.
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

    /// An error once the client has left a request in service. Asked at the end of every poll of the connection, so the
    /// usual case must be cheap: hyper reads, or nothing has come.
    fn poll_departed(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if std::mem::take(&mut self.is_read) || !self.activity.is_serving() {
            return Poll::Pending;
        }
        // Bytes nobody reads are waiting, or the end is. Only one of them is worth a wake-up later.
        let _ = ready!(self.stream.poll_read_ready(context));
        if self.departure.is_none() {
            match departure(&self.stream) {
                Ok(departure) => self.departure = Some(departure),
                // No descriptor is free: the leave is noticed later, at a write.
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

/// Resolves when the peer has closed its side or the connection is broken, whatever of its bytes is unread. On a
/// descriptor of its own: readiness is cleared here without reading, which must not make hyper miss bytes.
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

    /// hyper flushes at the end of every poll, which makes this the place to look for the client's leave.
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
