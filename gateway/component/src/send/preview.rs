//! Before the commit point: reads the beginning of an answer that said 200, until it is clear whether it is one. What
//! turns out to be an error then fails over like any other, unseen by the client.
//!
//! The commit point is the first content, 64 KiB, or ten seconds after the head, whichever comes first.

use std::pin::Pin;

use futures_util::future::{Either, select};
use gateway_core::dialect::Dialect;
use gateway_core::observe::{Observer, Preview, SETTLED_MS};
use gateway_core::outcome::{Outcome, SendError, UpstreamError, hint};
use gateway_core::rewrite;
use gateway_core::transform::ResponseTransform;

use super::{Body, Terms};
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
}

/// Reads on until it is clear what an answer with this head is.
pub(super) async fn preview(
    instance: &Instance,
    (status, raw): (u16, Vec<(String, Vec<u8>)>),
    body: Body,
    Reading { dialect, as_array, mut transform }: Reading,
    terms: &Terms<'_>,
) -> (Outcome, Option<Answer>) {
    let Terms { start_ms, error_match, is_chat, .. } = *terms;
    let mut observer = Observer::new(dialect, as_array, &raw).of_chat(is_chat);
    let mut held: Vec<u8> = Vec::new();
    let mut reading = read_next(body, instance.buffers.take());
    // Asked for only when a read has to wait: most answers come with their head.
    let mut limit: Pin<Box<dyn Future<Output = ()>>> = Box::pin(host::wait_ms(HELD_MS_MAX));
    let rest = loop {
        let is_settled = is_chat && observer.so_far().ends_in_silence;
        if is_settled {
            limit = Box::pin(host::wait_ms(SETTLED_MS));
        }
        let (body, bytes, more) = match select(reading, limit).await {
            Either::Left((read, unspent)) => {
                limit = unspent;
                read
            }
            Either::Right(((), _)) if is_settled => match observer.preview(&held, true, error_match) {
                Preview::Good => break Rest::Ended(Ok(())),
                bad => return (failure(bad, raw, dialect), None),
            },
            Either::Right(((), reading)) => break Rest::Reading(reading),
        };
        observer.see(&bytes, host::now_ms().saturating_sub(start_ms));
        held.extend_from_slice(&bytes);
        let seen = observer.so_far();
        if !more {
            let end = body.end().await;
            let is_whole = end.is_ok() || (is_chat && seen.is_settled);
            match (observer.preview(&held, is_whole, error_match), end) {
                (Preview::Good, end) => {
                    instance.buffers.give(bytes);
                    break Rest::Ended(if is_whole { Ok(()) } else { end });
                }
                (Preview::Wait, Err(error)) => return (Outcome::Failed(error), None),
                (bad, _) => return (failure(bad, raw, dialect), None),
            }
        }
        match observer.preview(&held, is_chat && seen.has_ended, error_match) {
            Preview::Wait if held.len() < HELD_BYTES_MAX => reading = read_next(body, bytes),
            Preview::Wait | Preview::Good => break Rest::Reading(read_next(body, bytes)),
            bad => return (failure(bad, raw, dialect), None),
        }
    };
    let mut headers = rewrite::downstream(raw);
    transform.begin(&mut headers, observer.so_far());
    if matches!(rest, Rest::Ended(Ok(()))) {
        let Some(whole) = transform.take_whole(std::mem::take(&mut held)) else {
            let said = "an answer came that cannot be read in the provider's dialect";
            return (Outcome::Failed(SendError::Protocol(said.into())), None);
        };
        held = whole;
    }
    (Outcome::Head(status), Some(Answer { status, headers, observer, transform, held, rest }))
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
