//! Turns the component's standard error into lines of the host's log. Of its panics only the place is kept, because the
//! message may quote what a client sent.

use crate::log;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The longest line; the component never writes a longer one.
const LINE_BYTES_MAX: usize = 2_000;

/// The standard error of one instance.
#[derive(Clone, Default)]
pub(super) struct GuestLog(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
    panicked: bool,
}

impl GuestLog {
    fn take(&self, bytes: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.complete(bytes) {
            log::note(format_args!("component: {line}"));
        }
    }
}

impl Lines {
    /// The lines that these bytes complete, as far as they may be shown.
    fn complete(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.partial);
                    complete.extend(self.shown(&String::from_utf8_lossy(&line)));
                }
                byte if self.partial.len() < LINE_BYTES_MAX => self.partial.push(*byte),
                _ => {}
            }
        }
        complete
    }

    /// The part of a line that is shown. A panic ends the instance, so what follows its first line is only the message
    /// and notes about backtraces.
    fn shown(&mut self, line: &str) -> Option<String> {
        if let Some((_, place)) = line.split_once("panicked at ") {
            self.panicked = true;
            return Some(format!("panicked at {}", place.trim_end_matches(':')));
        }
        (!self.panicked && !line.trim().is_empty()).then(|| line.to_owned())
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    /// Written at once and not by a separate task, since an instance writes its last line right before it ends.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestLog {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for GuestLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_BYTES_MAX)
    }
}

impl Pollable for GuestLog {
    fn ready<'me, 'future>(&'me mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'future>>
    where
        'me: 'future,
        Self: 'future,
    {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrive_whole_however_they_are_written() {
        let mut lines = Lines::default();
        assert!(lines.complete(b"records are ").is_empty());
        assert_eq!(lines.complete(b"not kept\n\nnext\nla"), ["records are not kept", "next"]);
        assert_eq!(lines.complete(b"st\n"), ["last"]);
    }

    #[test]
    fn a_panic_shows_its_place_and_nothing_a_client_sent() {
        let mut lines = Lines::default();
        let text = b"\nthread '<unnamed>' (1) panicked at src/proxy.rs:7:9:\nbyte 3 of \"sk-secret\"\nnote: run with\n";
        assert_eq!(lines.complete(text), ["panicked at src/proxy.rs:7:9"]);
        assert!(lines.complete(b"more of the message\n").is_empty());
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = Lines::default();
        assert!(lines.complete(&[b'x'; 10 * LINE_BYTES_MAX]).is_empty());
        assert_eq!(lines.complete(b"\n")[0].len(), LINE_BYTES_MAX);
    }
}
