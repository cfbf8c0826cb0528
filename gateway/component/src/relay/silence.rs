//! The silence between two reads of an answer. Meanwhile the client gets keep-alive bytes; once the answer has said
//! everything, silence is taken for its end.

use futures_util::future::{Either, select};
use gateway_core::observe::{Observer, SETTLED_MS};
use gateway_core::transform::ResponseTransform;

use super::{Receiver, Terms};
use crate::host::{self, StreamTimer};

/// Watches the silence between two reads of a stream.
pub(super) struct Silence<'t> {
    pub(super) terms: &'t Terms,
    /// When the client last got any bytes. What a translation holds back or leaves out is silence to the client.
    pub(super) last_ms: u64,
    pub(super) timer: StreamTimer,
}

/// How waiting for a read ended.
pub(super) enum ReadResult<T> {
    Read(T),
    /// Nothing came, and the answer had already said everything.
    Silent,
    /// The client is gone.
    Left,
}

impl<'t> Silence<'t> {
    /// The client has just got bytes, and no timer is set.
    pub(super) fn none(terms: &'t Terms) -> Self {
        Silence { terms, last_ms: host::now_ms(), timer: StreamTimer::default() }
    }

    /// Waits for the next read, unless the answer is known to be complete.
    pub(super) async fn next_read<F: Future + Unpin>(
        &mut self,
        reading: F,
        receiver: &mut impl Receiver,
        observer: &Observer,
        transform: &ResponseTransform,
    ) -> ReadResult<F::Output> {
        if self.terms.is_chat && observer.so_far().ends_in_silence {
            return match select(reading, std::pin::pin!(host::wait_ms(SETTLED_MS))).await {
                Either::Left((read, _)) => ReadResult::Read(read),
                Either::Right(_) => ReadResult::Silent,
            };
        }
        self.keep_alive(reading, receiver, observer, transform).await.map_or(ReadResult::Left, ReadResult::Read)
    }

    /// Waits for a read, and sends keep-alive bytes to the client where they change nothing of the stream. Returns
    /// `None` if the client is gone.
    async fn keep_alive<F: Future + Unpin>(
        &mut self,
        mut reading: F,
        receiver: &mut impl Receiver,
        observer: &Observer,
        transform: &ResponseTransform,
    ) -> Option<F::Output> {
        if !transform.gives_events(observer.so_far()) {
            return Some(reading.await);
        }
        let keep_alive_ms = self.terms.keep_alive_ms;
        loop {
            // A timer that was set earlier may fire early; a new one covers the rest of the silence.
            reading = {
                let beat = std::pin::pin!(self.timer.beat(keep_alive_ms));
                match select(reading, beat).await {
                    Either::Left((read, _)) => return Some(read),
                    Either::Right(((), unread)) => unread,
                }
            };
            let now_ms = host::now_ms();
            let left_ms = self.last_ms.saturating_add(keep_alive_ms).saturating_sub(now_ms);
            if left_ms > 0 {
                self.timer = StreamTimer::of(left_ms);
            } else if transform.is_between_events(observer.so_far()) {
                if !receiver.take(self.terms.dialect.keep_alive().to_vec()).await.is_empty() {
                    return None;
                }
                self.last_ms = now_ms;
            }
        }
    }
}
