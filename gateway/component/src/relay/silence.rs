//! The silence between two reads of an answer: the client gets signs of life, and where all has been said silence is the
//! end.

use futures_util::future::{Either, select};
use gateway_core::observe::{Observer, SETTLED_MS};
use gateway_core::transform::ResponseTransform;

use super::{Receiver, Terms};
use crate::host::{self, Pulse};

/// Watches over the silence between two reads of a stream.
pub(super) struct Silence<'t> {
    pub(super) terms: &'t Terms,
    /// When the client last got something: what a translation keeps or leaves out is silence to it.
    pub(super) last_ms: u64,
    pub(super) pulse: Pulse,
}

/// What came of waiting for a read.
pub(super) enum Waited<T> {
    Read(T),
    /// Nothing came where silence is the end.
    Silent,
    /// The client is gone.
    Left,
}

impl Silence<'_> {
    /// Waits for a read, or until it is clear that none need be waited for.
    pub(super) async fn next_read<F: Future + Unpin>(
        &mut self,
        reading: F,
        receiver: &mut impl Receiver,
        observer: &Observer,
        transform: &ResponseTransform,
    ) -> Waited<F::Output> {
        if self.terms.is_chat && observer.so_far().ends_in_silence {
            return match select(reading, std::pin::pin!(host::wait_ms(SETTLED_MS))).await {
                Either::Left((read, _)) => Waited::Read(read),
                Either::Right(_) => Waited::Silent,
            };
        }
        self.keep_alive(reading, receiver, observer, transform).await.map_or(Waited::Left, Waited::Read)
    }

    /// Waits for a read, and gives the client signs of life meanwhile, where that changes nothing of the stream. `None`:
    /// the client is gone.
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
            // An unspent timer is over early at most; a new one is for what is left of the silence.
            reading = {
                let beat = std::pin::pin!(self.pulse.beat(keep_alive_ms));
                match select(reading, beat).await {
                    Either::Left((read, _)) => return Some(read),
                    Either::Right(((), unread)) => unread,
                }
            };
            let now_ms = host::now_ms();
            let left_ms = self.last_ms.saturating_add(keep_alive_ms).saturating_sub(now_ms);
            if left_ms > 0 {
                self.pulse = Pulse::of(left_ms);
            } else if transform.is_between_events(observer.so_far()) {
                if !receiver.take(self.terms.dialect.keep_alive().to_vec()).await.is_empty() {
                    return None;
                }
                self.last_ms = now_ms;
            }
        }
    }
}
