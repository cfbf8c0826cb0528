//! Before the commit point: reads the beginning of an answer with status 200 until it is clear whether it is a good
//! answer. If it turns out to be an error, the call fails over as usual, and the client sees nothing of it.
//!
//! The commit point is the first content, 64 KiB, or ten seconds after the head, whichever comes first, once it is
//! understood what the answer is. An answer that can only be given as a whole is read to its end first.

use std::pin::Pin;

use futures_util::future::{Either, select};
use gateway_core::dialect::Dialect;
use gateway_core::memory;
use gateway_core::observe::{Observer, Preview, SETTLED_MS};
use gateway_core::outcome::{Outcome, SendError, UpstreamError, hint};
use gateway_core::rewrite;
use gateway_core::transform::{RequestedAnswer, ResponseTransform};
use gateway_core::unpack;

use super::{Body, Terms};
use crate::bodies::Bodies;
use crate::hold::{ANSWER_MS_MAX, HeldBytes};
use crate::host;
use crate::instance::Instance;

/// The most that is held back.
const HELD_BYTES_MAX: usize = 64 << 10;

/// The longest time that anything is held back.
const HELD_MS_MAX: u64 = 10_000;

/// The status of an error inside an answer with status 200, if the error does not tell one.
const STATUS_OF_AN_ERROR: u16 = 502;

/// One read of a body. It returns the body, the bytes, and whether more may come.
pub(crate) type Read = Pin<Box<dyn Future<Output = (Body, Vec<u8>, bool)>>>;

/// An answer that can be relayed: its head, its beginning, and the source of the rest.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The headers that the client gets.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The observer, which has seen `held`.
    pub(crate) observer: Observer,
    /// How the bytes are transformed for the client.
    pub(crate) transform: ResponseTransform,
    /// The bytes that have come so far.
    pub(crate) held: Vec<u8>,
    pub(crate) rest: RestOfAnswer,
    /// The memory that the answer takes.
    pub(crate) room: HeldBytes,
}

/// Where the rest of an answer comes from.
pub(crate) enum RestOfAnswer {
    /// From the next read, which is under way.
    Reading(Read),
    /// From nowhere: the body has ended in this way.
    Ended(Result<(), SendError>),
}

/// How an answer is read.
pub(super) struct ReadOptions {
    pub(super) dialect: Dialect,
    /// Whether the stream was asked for as a JSON array.
    pub(super) as_array: bool,
    pub(super) transform: ResponseTransform,
    pub(super) requested: Option<RequestedAnswer>,
}

/// Reads until it is clear what an answer with this head is.
pub(super) async fn preview(
    instance: &Instance,
    (status, raw): (u16, Vec<(String, Vec<u8>)>),
    body: Body,
    reading: ReadOptions,
    terms: &Terms<'_>,
) -> (Outcome, Option<Answer>) {
    let observer = Observer::new(reading.dialect, reading.as_array, &raw);
    let observer = observer.of_chat(terms.is_chat).of_sealed(terms.is_sealed).tapped(terms.bodies.map(Bodies::tap));
    let (held, transformed, room) = (Vec::new(), Vec::new(), terms.holder.nothing());
    let mut beginning = PreviewedAnswer {
        instance,
        terms,
        raw,
        observer,
        reading,
        held,
        transformed,
        room,
        is_fitted: false,
        is_unpacked: false,
        is_contentless: false,
    };
    let rest = match beginning.read(body).await {
        Ok(rest) => rest,
        Err(outcome) => return (outcome, None),
    };
    if !memory::has_room_to_translate(beginning.reading.transform.unread()) {
        return (Outcome::Failed(SendError::NoRoomForAnswer), None);
    }
    let is_contentless = beginning.is_contentless;
    let Some(mut answer) = beginning.into_answer(status, rest) else {
        let message = "an answer came that cannot be read in the provider's dialect";
        return (Outcome::Failed(SendError::Protocol(message.into())), None);
    };
    let kept = answer.held.capacity() + answer.transform.kept() + answer.observer.kept();
    if !answer.room.set_in_turn(kept, ANSWER_MS_MAX).await {
        return (Outcome::Failed(SendError::NoRoomForAnswer), None);
    }
    (if is_contentless { Outcome::Contentless(status) } else { Outcome::Head(status) }, Some(answer))
}

/// An answer while it is judged. Nothing of it has gone to the client.
struct PreviewedAnswer<'a> {
    instance: &'a Instance,
    terms: &'a Terms<'a>,
    raw: Vec<(String, Vec<u8>)>,
    observer: Observer,
    reading: ReadOptions,
    /// The bytes as they came: all of them, or only the beginning if the answer can only be given as a whole.
    held: Vec<u8>,
    /// The bytes for the client, if the answer can only be given as a whole.
    transformed: Vec<u8>,
    /// The memory that all of it takes.
    room: HeldBytes,
    /// Whether the transform knows what the answer is.
    is_fitted: bool,
    is_unpacked: bool,
    /// Whether it ended as answers do, with nothing in it.
    is_contentless: bool,
}

impl PreviewedAnswer<'_> {
    async fn read(&mut self, body: Body) -> Result<RestOfAnswer, Outcome> {
        let mut reading = read_next(body, self.instance.buffers.take());
        // The timer starts only when a read has to wait, since most answers come with their head.
        let mut limit: Pin<Box<dyn Future<Output = ()>>> = Box::pin(host::wait_ms(HELD_MS_MAX));
        loop {
            let is_settled = self.terms.is_chat && self.observer.so_far().ends_in_silence;
            if is_settled {
                limit = Box::pin(host::wait_ms(SETTLED_MS));
            }
            let (body, bytes, more) = match select(reading, limit).await {
                Either::Left((read, unspent)) => {
                    limit = unspent;
                    read
                }
                Either::Right(((), _)) if is_settled => {
                    self.judge(true)?;
                    return Ok(RestOfAnswer::Ended(Ok(())));
                }
                Either::Right(((), unread)) if self.may_be_given() => return Ok(RestOfAnswer::Reading(unread)),
                Either::Right(((), unread)) => {
                    (reading, limit) = (unread, Box::pin(std::future::pending()));
                    continue;
                }
            };
            self.see(&bytes, &body);
            self.keep(body.kept()).await?;
            if !more {
                return self.end(body, bytes).await;
            }
            let is_over = self.terms.is_chat && self.observer.so_far().has_ended;
            match self.judge(is_over)? {
                Preview::Good if is_over || !self.reading.transform.holds_all() => {
                    return Ok(RestOfAnswer::Reading(read_next(body, bytes)));
                }
                Preview::Wait if self.held.len() >= HELD_BYTES_MAX && self.may_be_given() => {
                    return Ok(RestOfAnswer::Reading(read_next(body, bytes)));
                }
                _ => reading = read_next(body, bytes),
            }
        }
    }

    /// `unread` bytes are kept beside what has been read.
    async fn keep(&mut self, unread: usize) -> Result<(), Outcome> {
        let kept = self.reading.transform.kept() + self.observer.kept() + unread;
        let kept = kept + self.held.capacity() + self.transformed.capacity();
        let has_room = self.room.set_in_turn(kept, ANSWER_MS_MAX).await;
        if has_room { Ok(()) } else { Err(Outcome::Failed(SendError::NoRoomForAnswer)) }
    }

    fn see(&mut self, bytes: &[u8], body: &Body) {
        self.observer.see(bytes, host::now_ms().saturating_sub(self.terms.start_ms));
        self.is_unpacked |= body.is_unpacked();
        let (seen, transform) = (self.observer.so_far(), &mut self.reading.transform);
        let was_fitted = self.is_fitted;
        if seen.is_understood && !was_fitted {
            transform.fit(self.reading.dialect, seen, self.reading.requested.take());
            self.is_fitted = true;
        }
        if !transform.holds_all() || self.held.len() < HELD_BYTES_MAX {
            self.held.extend_from_slice(bytes);
        }
        if transform.holds_all() && self.is_fitted {
            self.transformed.extend(transform.pass(if was_fitted { bytes } else { &self.held }));
        }
        if !seen.is_understood && self.held.len() >= HELD_BYTES_MAX {
            // Up to this many blank lines count as keep-alive bytes.
            self.held.clear();
        }
    }

    /// Whether the client may get the beginning: the answer is understood, and need not be given as a whole.
    fn may_be_given(&self) -> bool {
        self.observer.so_far().is_understood && !self.reading.transform.holds_all()
    }

    /// Judges what has come: it is good, or an error, or more is needed.
    fn judge(&mut self, ended: bool) -> Result<Preview, Outcome> {
        let holds_all = self.reading.transform.holds_all();
        let error = self.observer.failure().filter(|_| holds_all);
        let preview = match error {
            Some(error) => error,
            // This much cannot be an empty answer.
            None if holds_all && self.held.len() >= HELD_BYTES_MAX => Preview::Good,
            None => self.observer.preview(&self.held, ended, self.terms.error_match),
        };
        match preview {
            Preview::Wait | Preview::Good => Ok(preview),
            Preview::Contentless => {
                self.is_contentless = true;
                Ok(Preview::Good)
            }
            bad => Err(failure(bad, std::mem::take(&mut self.raw), self.reading.dialect)),
        }
    }

    /// Judges an answer whose body has ended.
    async fn end(&mut self, body: Body, bytes: Vec<u8>) -> Result<RestOfAnswer, Outcome> {
        self.instance.buffers.give(bytes);
        let end = body.end().await;
        let is_whole = end.is_ok() || (self.terms.is_chat && self.observer.so_far().is_settled);
        match (self.judge(is_whole)?, end) {
            (_, Ok(())) => Ok(RestOfAnswer::Ended(Ok(()))),
            (Preview::Good, _) if is_whole => Ok(RestOfAnswer::Ended(Ok(()))),
            (Preview::Good, end) if !self.reading.transform.holds_all() => Ok(RestOfAnswer::Ended(end)),
            (_, Err(error)) => Err(Outcome::Failed(error)),
        }
    }

    /// The answer for the client; `None` if it cannot be decoded.
    fn into_answer(self, status: u16, rest: RestOfAnswer) -> Option<Answer> {
        let PreviewedAnswer { raw, observer, reading, mut held, transformed, room, is_unpacked, .. } = self;
        let mut transform = reading.transform;
        if transform.holds_all() {
            let rest = transform.take_all()?;
            held = if transformed.is_empty() { rest } else { [transformed, rest].concat() };
        }
        let mut headers = rewrite::downstream(raw);
        if is_unpacked {
            unpack::of_plain(&mut headers);
        }
        transform.begin(&mut headers, observer.so_far());
        Some(Answer { status, headers, observer, transform, held, rest, room })
    }
}

/// Starts the next read.
pub(crate) fn read_next(mut body: Body, buffer: Vec<u8>) -> Read {
    Box::pin(async move {
        let (more, bytes) = body.read(buffer).await;
        (body, bytes, more)
    })
}

fn failure(bad: Preview, raw: Vec<(String, Vec<u8>)>, dialect: Dialect) -> Outcome {
    let (status, body) = match bad {
        Preview::Error { status, body } => (status.unwrap_or(STATUS_OF_AN_ERROR), body),
        Preview::Page => {
            let message = "a web page came instead of an answer; check the provider's base_url";
            return Outcome::Failed(SendError::Protocol(message.into()));
        }
        Preview::Unreadable(why) => return Outcome::Failed(SendError::Protocol(why.into())),
        Preview::Empty | Preview::Contentless | Preview::Wait | Preview::Good => {
            return Outcome::Failed(SendError::Empty);
        }
    };
    let hint = hint::read(&raw, &body, host::unix_ms());
    let mut headers = rewrite::downstream(raw);
    headers.retain(|(name, _)| !matches!(name.as_str(), "content-type" | "content-length" | "cache-control"));
    headers.push(("content-type".to_owned(), b"application/json".to_vec()));
    Outcome::Answered(UpstreamError { status, headers, body, hint, dialect })
}
