//! Before the commit point: reads the beginning of an answer that said 200, until it is clear whether it is one. What
//! turns out to be an error then fails over like any other, unseen by the client.
//!
//! The commit point is the first content, 64 KiB, or ten seconds after the head, whichever comes first, of an answer of which
//! it is understood what it is. What can only be given as a whole is read to its end first.

use std::pin::Pin;

use futures_util::future::{Either, select};
use gateway_core::dialect::Dialect;
use gateway_core::memory;
use gateway_core::observe::{Observer, Preview, SETTLED_MS};
use gateway_core::outcome::{Outcome, SendError, UpstreamError, hint};
use gateway_core::rewrite;
use gateway_core::transform::{ResponseTransform, Wanted};
use gateway_core::unpack;

use super::{Body, Terms};
use crate::hold::{ANSWER_MS_MAX, Held};
use crate::host;
use crate::instance::Instance;

/// More than this is not held back.
const HELD_BYTES_MAX: usize = 64 << 10;

/// Nor is anything for longer than this.
const HELD_MS_MAX: u64 = 10_000;

/// What an error inside an answer of 200 counts as when it does not say.
const STATUS_OF_AN_ERROR: u16 = 502;

/// One read of a body, which gives the body back with its bytes and whether more may come.
pub(crate) type Read = Pin<Box<dyn Future<Output = (Body, Vec<u8>, bool)>>>;

/// An answer that can be relayed: its head, its beginning, and where the rest comes from.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// As they go downstream.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Has seen `held`.
    pub(crate) observer: Observer,
    /// What becomes of the bytes.
    pub(crate) transform: ResponseTransform,
    /// What has come so far.
    pub(crate) held: Vec<u8>,
    pub(crate) rest: Rest,
    /// What it takes of the instance's memory.
    pub(crate) room: Held,
}

/// Where the rest of an answer comes from.
pub(crate) enum Rest {
    /// The next read is under way.
    Reading(Read),
    /// There is none: this is how it ended.
    Ended(Result<(), SendError>),
}

/// How an answer is read.
pub(super) struct Reading {
    pub(super) dialect: Dialect,
    /// The stream was asked for as a JSON array.
    pub(super) as_array: bool,
    pub(super) transform: ResponseTransform,
    pub(super) wanted: Option<Wanted>,
}

/// Reads on until it is clear what an answer with this head is.
pub(super) async fn preview(
    instance: &Instance,
    (status, raw): (u16, Vec<(String, Vec<u8>)>),
    body: Body,
    reading: Reading,
    terms: &Terms<'_>,
) -> (Outcome, Option<Answer>) {
    let observer = Observer::new(reading.dialect, reading.as_array, &raw).of_chat(terms.is_chat);
    let (held, given, room) = (Vec::new(), Vec::new(), terms.holder.nothing());
    let mut beginning =
        Beginning { instance, terms, raw, observer, reading, held, given, room, is_fitted: false, is_unpacked: false };
    let rest = match beginning.read(body).await {
        Ok(rest) => rest,
        Err(outcome) => return (outcome, None),
    };
    if !memory::has_room_to_translate(beginning.reading.transform.kept()) {
        return (Outcome::Failed(SendError::NoRoomForAnswer), None);
    }
    let Some(mut answer) = beginning.into_answer(status, rest) else {
        let said = "an answer came that cannot be read in the provider's dialect";
        return (Outcome::Failed(SendError::Protocol(said.into())), None);
    };
    let kept = answer.held.capacity() + answer.transform.kept() + answer.observer.kept();
    if !answer.room.set_in_turn(kept, ANSWER_MS_MAX).await {
        return (Outcome::Failed(SendError::NoRoomForAnswer), None);
    }
    (Outcome::Head(status), Some(answer))
}

/// What has come of an answer, none of which has been given away.
struct Beginning<'a> {
    instance: &'a Instance,
    terms: &'a Terms<'a>,
    raw: Vec<(String, Vec<u8>)>,
    observer: Observer,
    reading: Reading,
    /// As it came: all of it, or its beginning where nothing is given before all is there.
    held: Vec<u8>,
    /// As the client gets it, where nothing is given before all is there.
    given: Vec<u8>,
    /// What all of it takes.
    room: Held,
    /// The transform knows what the answer is.
    is_fitted: bool,
    is_unpacked: bool,
}

impl Beginning<'_> {
    async fn read(&mut self, body: Body) -> Result<Rest, Outcome> {
        let mut reading = read_next(body, self.instance.buffers.take());
        // Asked for only when a read has to wait: most answers come with their head.
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
                    return Ok(Rest::Ended(Ok(())));
                }
                Either::Right(((), unread)) if self.may_be_given() => return Ok(Rest::Reading(unread)),
                Either::Right(((), unread)) => {
                    (reading, limit) = (unread, Box::pin(std::future::pending()));
                    continue;
                }
            };
            self.see(&bytes, &body);
            self.keep().await?;
            if !more {
                return self.end(body, bytes).await;
            }
            let is_over = self.terms.is_chat && self.observer.so_far().has_ended;
            match self.judge(is_over)? {
                Preview::Good if is_over || !self.reading.transform.holds_all() => {
                    return Ok(Rest::Reading(read_next(body, bytes)));
                }
                Preview::Wait if self.held.len() >= HELD_BYTES_MAX && self.may_be_given() => {
                    return Ok(Rest::Reading(read_next(body, bytes)));
                }
                _ => reading = read_next(body, bytes),
            }
        }
    }

    async fn keep(&mut self) -> Result<(), Outcome> {
        let kept = self.reading.transform.kept() + self.observer.kept();
        let kept = kept + self.held.capacity() + self.given.capacity();
        let has_room = self.room.set_in_turn(kept, ANSWER_MS_MAX).await;
        if has_room { Ok(()) } else { Err(Outcome::Failed(SendError::NoRoomForAnswer)) }
    }

    fn see(&mut self, bytes: &[u8], body: &Body) {
        self.observer.see(bytes, host::now_ms().saturating_sub(self.terms.start_ms));
        self.is_unpacked |= body.is_unpacked();
        let (seen, transform) = (self.observer.so_far(), &mut self.reading.transform);
        let was_fitted = self.is_fitted;
        if seen.is_understood && !was_fitted {
            transform.fit(self.reading.dialect, seen, self.reading.wanted.take());
            self.is_fitted = true;
        }
        if !transform.holds_all() || self.held.len() < HELD_BYTES_MAX {
            self.held.extend_from_slice(bytes);
        }
        if transform.holds_all() && self.is_fitted {
            self.given.extend(transform.pass(if was_fitted { bytes } else { &self.held }));
        }
        if !seen.is_understood && self.held.len() >= HELD_BYTES_MAX {
            // So many blank lines are signs of life.
            self.held.clear();
        }
    }

    /// What is not understood commits to nothing, and what is given as a whole waits for all of it.
    fn may_be_given(&self) -> bool {
        self.observer.so_far().is_understood && !self.reading.transform.holds_all()
    }

    /// How it looks: good, or to be waited for.
    fn judge(&mut self, ended: bool) -> Result<Preview, Outcome> {
        let holds_all = self.reading.transform.holds_all();
        let error = self.observer.failure().filter(|_| holds_all);
        let preview = match error {
            Some(error) => error,
            // Too long to be nothing.
            None if holds_all && self.held.len() >= HELD_BYTES_MAX => Preview::Good,
            None => self.observer.preview(&self.held, ended, self.terms.error_match),
        };
        match preview {
            Preview::Wait | Preview::Good => Ok(preview),
            bad => Err(failure(bad, std::mem::take(&mut self.raw), self.reading.dialect)),
        }
    }

    /// The body has ended.
    async fn end(&mut self, body: Body, bytes: Vec<u8>) -> Result<Rest, Outcome> {
        self.instance.buffers.give(bytes);
        let end = body.end().await;
        let is_whole = end.is_ok() || (self.terms.is_chat && self.observer.so_far().is_settled);
        match (self.judge(is_whole)?, end) {
            (_, Ok(())) => Ok(Rest::Ended(Ok(()))),
            (Preview::Good, _) if is_whole => Ok(Rest::Ended(Ok(()))),
            (Preview::Good, end) if !self.reading.transform.holds_all() => Ok(Rest::Ended(end)),
            (_, Err(error)) => Err(Outcome::Failed(error)),
        }
    }

    /// `None`: it cannot be read.
    fn into_answer(self, status: u16, rest: Rest) -> Option<Answer> {
        let Beginning { raw, observer, reading, mut held, mut given, room, is_unpacked, .. } = self;
        let mut transform = reading.transform;
        if transform.holds_all() {
            given.extend(transform.take_all()?);
            held = given;
        }
        let mut headers = rewrite::downstream(raw);
        if is_unpacked {
            unpack::of_plain(&mut headers);
        }
        transform.begin(&mut headers, observer.so_far());
        Some(Answer { status, headers, observer, transform, held, rest, room })
    }
}

/// Reads on.
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
            let said = "a web page came instead of an answer; check the provider's base_url";
            return Outcome::Failed(SendError::Protocol(said.into()));
        }
        Preview::Unreadable(why) => return Outcome::Failed(SendError::Protocol(why.into())),
        Preview::Empty | Preview::Wait | Preview::Good => return Outcome::Failed(SendError::Empty),
    };
    let hint = hint::read(&raw, &body, host::unix_ms());
    let mut headers = rewrite::downstream(raw);
    headers.retain(|(name, _)| !matches!(name.as_str(), "content-type" | "content-length" | "cache-control"));
    headers.push(("content-type".to_owned(), b"application/json".to_vec()));
    Outcome::Answered(UpstreamError { status, headers, body, hint, dialect })
}
