//! Step 5, one attempt: sends a request and waits for the head of the answer. All time limits are options of the
//! request, which the host enforces. An attempt has no timer of its own, unless its answer delays its first content.

mod exchange;
mod preview;

use std::cell::RefCell;

use gateway_core::catalog::Timeouts;
use gateway_core::memory;
use gateway_core::outcome::{NamedEgress, Outcome, SendError, UpstreamError, hint};
use gateway_core::pass_through;
use gateway_core::redact::{self, Mask};
use gateway_core::rewrite::{self, EgressRoute, Outgoing};
use gateway_core::transform::ResponseTransform;
use gateway_core::unpack;

use crate::bodies::Bodies;
use crate::carry::{Carrier, Failure};
use crate::hold::{HeldBytes, Holder};
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;

pub(crate) use exchange::{Body, Head, HostRefusal, Limits, pass_on};
pub(crate) use preview::{Answer, Read, RestOfAnswer, read_next};

/// An error answer is kept up to this many bytes.
const ERROR_BYTES_MAX: usize = 256 << 10;

/// A provider's list of models, or what it keeps, is read up to this many bytes.
pub(crate) const LIST_BYTES_MAX: usize = 8 << 20;

const FIRST_BYTE_MS_STREAMED: u64 = 60_000;
pub(crate) const FIRST_BYTE_MS_WHOLE: u64 = 300_000;

/// How many bytes are read at a time, and so the most that is held of a stream while it is relayed.
const BUFFER_BYTES: usize = 16 << 10;

/// How many buffers are kept for the next answers.
const BUFFERS_MAX: usize = 16;

/// Empty buffers that answers are read into, kept for the next answers.
#[derive(Default)]
pub(crate) struct Buffers(RefCell<Vec<Vec<u8>>>);

/// The conditions under which an attempt is made.
pub(crate) struct Terms<'a> {
    pub(crate) timeouts: &'a Timeouts,
    pub(crate) streamed: bool,
    /// What is left of the call's total time.
    pub(crate) left_ms: u64,
    /// When the call began, on the monotonic clock.
    pub(crate) start_ms: u64,
    /// The id of the call, which tells the runner whose request this is; `None` if it belongs to no call.
    pub(crate) id: Option<&'a str>,
    /// Texts that make an answer with status 200 a failure.
    pub(crate) error_match: &'a [String],
    /// Whether the request is a conversation.
    pub(crate) is_chat: bool,
    /// Whether the answer may hold what only its maker can read.
    pub(crate) is_sealed: bool,
    /// The owner of the memory that the answer takes until it goes to the client.
    pub(crate) holder: &'a Holder,
    /// Where the answer is kept, if it is.
    pub(crate) bodies: Option<&'a Bodies>,
}

impl<'a> Terms<'a> {
    /// The terms of a request that is no call, such as one for a list of models or for a stored response.
    pub(crate) fn of_no_call(timeouts: &'a Timeouts, incoming: &'a Incoming) -> Self {
        Terms {
            timeouts,
            streamed: false,
            left_ms: timeouts.total_ms,
            start_ms: host::now_ms(),
            id: Some(&incoming.id),
            error_match: &[],
            is_chat: false,
            is_sealed: false,
            holder: &incoming.holder,
            bodies: None,
        }
    }

    /// The terms of a background request, which belongs to no call.
    pub(crate) fn of_nobody(timeouts: &'a Timeouts, holder: &'a Holder) -> Self {
        Terms {
            timeouts,
            streamed: false,
            left_ms: timeouts.total_ms,
            start_ms: host::now_ms(),
            id: None,
            error_match: &[],
            is_chat: false,
            is_sealed: false,
            holder,
            bodies: None,
        }
    }
}

/// Makes one attempt. Only with [`Outcome::Head`] and [`Outcome::Contentless`] there is an answer. `room` is the memory of the request's body, which
/// is given back when the body has been written.
pub(crate) async fn attempt(
    instance: &Instance,
    (mut outgoing, room): (Outgoing, HeldBytes),
    terms: &Terms<'_>,
) -> (Outcome, Option<Answer>) {
    let (dialect, transform) = (outgoing.dialect, std::mem::replace(&mut outgoing.transform, ResponseTransform::AsIs));
    let (as_array, is_post, requested) = (outgoing.as_array, outgoing.method == "POST", outgoing.requested.take());
    let secrets = std::mem::take(&mut outgoing.secrets);
    let through = outgoing.egress.as_ref().map(EgressRoute::through);
    let (status, mut raw, body) = match transmit(instance, outgoing, Some(room), terms).await {
        Ok(answer) => answer,
        Err(Unsent::Failed(error)) => {
            let error = if let Some(through) = through { error.blamed(&through) } else { error };
            return (Outcome::Failed(error), None);
        }
        Err(Unsent::Unfit(error)) => return (Outcome::Failed(error), None),
    };
    secrets.hide_in_headers(&mut raw);
    if let Some(NamedEgress { name, is_relay: true }) = &through
        && pass_through::is_refusal(&raw)
    {
        return (Outcome::Failed(SendError::refused_by_relay(name, status)), None);
    }
    if let Some(error) = SendError::of_status(status, is_post) {
        return (Outcome::Failed(error), None);
    }
    if (200..300).contains(&status) {
        let body = body.unpacked(&raw, false).masked(Mask::of(secrets));
        let reading = preview::ReadOptions { dialect, as_array, transform, requested };
        return preview::preview(instance, (status, raw), body, reading, terms).await;
    }
    let body = body.unpacked(&raw, true);
    match collect((body, terms.holder.nothing()), &mut raw, ERROR_BYTES_MAX).await {
        Ok(mut body) => {
            secrets.hide(&mut body);
            redact::hide_accounts(&mut body);
            let hint = hint::read(&raw, &body, host::unix_ms());
            let headers = rewrite::downstream(raw);
            (Outcome::Answered(UpstreamError { status, headers, body, hint, dialect }), None)
        }
        Err(error) => (Outcome::Failed(error), None),
    }
}

/// Sends a request without a body and reads the whole answer, up to `bytes_max`, whatever its status is.
pub(crate) async fn fetch(
    instance: &Instance,
    mut outgoing: Outgoing,
    terms: &Terms<'_>,
    bytes_max: usize,
) -> Result<(u16, Vec<u8>), SendError> {
    let secrets = std::mem::take(&mut outgoing.secrets);
    let (status, mut headers, body) =
        transmit(instance, outgoing, None, terms).await.map_err(|unsent| match unsent {
            Unsent::Failed(error) | Unsent::Unfit(error) => error,
        })?;
    let body = body.unpacked(&headers, true);
    let mut body = collect((body, terms.holder.nothing()), &mut headers, bytes_max).await?;
    secrets.hide(&mut body);
    Ok((status, body))
}

/// Why there is no answer to a request.
enum Unsent {
    /// The host could not send it or got no answer.
    Failed(SendError),
    /// The request was not sent.
    Unfit(SendError),
}

impl From<HostRefusal> for Unsent {
    fn from(HostRefusal(part): HostRefusal) -> Self {
        Unsent::Unfit(SendError::Protocol(format!("{part} was refused by the host; mend the provider's entry")))
    }
}

/// Sends a request and waits for the head of its answer. `room` is the memory of the body.
async fn transmit(
    instance: &Instance,
    outgoing: Outgoing,
    room: Option<HeldBytes>,
    terms: &Terms<'_>,
) -> Result<(u16, Vec<(String, Vec<u8>)>, Body), Unsent> {
    let Terms { timeouts, streamed, left_ms, id, .. } = *terms;
    let Outgoing { method, tls, authority, path, headers, body, local, ca, egress, .. } = outgoing;
    let proxy = match &egress {
        Some(EgressRoute::Proxy(_, url)) => Some(url.expose()),
        _ => None,
    };
    if let (false, Some(egress), Some(_)) = (instance.host.reads_instructions, &egress, proxy) {
        // This target should have been skipped. A request must never leave from another place than the one it names.
        let detail = format!("{} can be used by llmio's own runner only", egress.describe());
        return Err(Unsent::Unfit(SendError::Egress(detail)));
    }
    if ca.is_some() && !instance.host.reads_instructions {
        let detail = "has a `ca` in the catalog, which llmio's own runner can use only".to_owned();
        return Err(Unsent::Unfit(SendError::Protocol(detail)));
    }
    let first_byte_ms =
        timeouts.first_byte_ms.unwrap_or(if streamed { FIRST_BYTE_MS_STREAMED } else { FIRST_BYTE_MS_WHOLE });
    let limits = Limits {
        connect_ms: timeouts.connect_ms,
        first_byte_ms: first_byte_ms.min(left_ms),
        idle_ms: timeouts.idle_ms.min(left_ms),
    };
    let (path, ca) = (path.as_str(), ca.as_deref());
    let head = Head { method, tls, authority: &authority, path, headers, local, proxy, ca, id, limits };
    if let Some(carrier) = &instance.carrier
        && let Some(message) = Carrier::message(&head.with_body(&body))
    {
        drop((body, head));
        let answer = carrier.send(&message).await;
        let (status, headers, arriving) = answer.map_err(|failure| match failure {
            Failure::Code(code) => Unsent::Failed(exchange::of_head(code, instance)),
            Failure::Refused(part) => HostRefusal(part.into()).into(),
        })?;
        let body = Body::of_messages(arriving, &headers);
        return Ok((status, headers, body));
    }
    exchange::send(instance, head, (body, room)).await?.map_err(Unsent::Failed)
}

/// Reads a whole body, up to a length and as far as there is room in memory, and corrects its headers. A body that
/// cannot be decoded is empty: of an error, the status says enough.
async fn collect(
    (mut body, mut room): (Body, HeldBytes),
    headers: &mut Vec<(String, Vec<u8>)>,
    bytes_max: usize,
) -> Result<Vec<u8>, SendError> {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let (more, read) = body.read(buffer).await;
        buffer = read;
        let has_room = memory::append(&mut kept, &buffer);
        let is_enough = !has_room || kept.len() > bytes_max || !room.set(kept.capacity() + body.kept());
        if more && !is_enough {
            continue;
        }
        let (is_unpacked, is_spoilt) = (body.is_unpacked(), body.is_spoilt());
        if is_unpacked || is_spoilt {
            unpack::of_plain(headers);
        }
        return if is_enough || is_spoilt { Ok(kept) } else { body.end().await.map(|()| kept) };
    }
}

impl Buffers {
    /// Takes an empty buffer to read into.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// Gives a buffer back for the next answer.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut buffers = self.0.borrow_mut();
        if buffers.len() < BUFFERS_MAX && buffer.capacity() >= BUFFER_BYTES {
            buffers.push(buffer);
        }
    }
}
