//! Step 5, one attempt: sends a request and waits for the answer's head. All limits are options of the request, which
//! the host enforces: an attempt has no timer, but for an answer that keeps one waiting before its first content.

mod preview;

use std::cell::RefCell;

use futures_util::future::{Either, select};
use gateway_core::catalog::Timeouts;
use gateway_core::headers;
use gateway_core::outcome::{Outcome, SendError, UpstreamError, hint};
use gateway_core::relays;
use gateway_core::rewrite::{self, EgressRoute, Outgoing};
use gateway_core::transform::ResponseTransform;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields, Method, RequestOptions, Scheme};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};
use spin_sdk::wasip3::{self, wit_future, wit_stream};

use crate::host;

pub(crate) use preview::{Answer, Rest};

/// Tells the runner whose request this is; it is stripped before the wire. See `host.md`.
pub(crate) const HOST_HEADER: &str = "x-llmio-host";

/// What the runner says when it ended a call's requests because the client left, or because it shuts down.
const CLIENT_CLOSED: &str = "client closed";
const DRAINED: &str = "drained";

/// What the runner's words begin with when the egress proxy could not be used, and when it did not get through.
const PROXY: &str = "egress proxy: ";
const TUNNEL: &str = "egress tunnel: ";

/// An error answer is kept up to this many bytes.
const ERROR_BYTES_MAX: usize = 256 << 10;

const FIRST_BYTE_MS_STREAMED: u64 = 60_000;
pub(crate) const FIRST_BYTE_MS_WHOLE: u64 = 300_000;

/// Bytes read at a time, and so the most that is held of a stream once it is relayed.
const BUFFER_BYTES: usize = 16 << 10;

/// Buffers kept for the next answer.
const BUFFERS_MAX: usize = 16;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An upstream body: its bytes, then how it ended.
pub(crate) struct Body {
    stream: StreamReader<u8>,
    trailers: FutureReader<Result<Option<types::Trailers>, ErrorCode>>,
    /// Bytes still to come, where the upstream announced their number.
    left: Option<u64>,
    /// Dropping it tells the host that nobody reads any more.
    _consumed: FutureWriter<Result<(), ErrorCode>>,
}

impl Body {
    /// An answer's status, headers and body.
    pub(crate) fn of(response: types::Response) -> (u16, Vec<(String, Vec<u8>)>, Body) {
        let status = response.get_status_code();
        let headers = response.get_headers().copy_all();
        let (consumed, consumed_reader) = wit_future::new(|| Ok(()));
        let (stream, trailers) = types::Response::consume_body(response, consumed_reader);
        let left = announced(&headers);
        (status, headers, Body { stream, trailers, left, _consumed: consumed })
    }

    /// The next bytes, in a buffer that is used again and again, and whether more may come.
    pub(crate) async fn read(&mut self, mut buffer: Vec<u8>) -> (bool, Vec<u8>) {
        buffer.clear();
        let (result, buffer) = self.stream.read(buffer).await;
        self.left = self.left.and_then(|left| left.checked_sub(buffer.len() as u64));
        (matches!(result, StreamResult::Complete(_)) && self.left != Some(0), buffer)
    }

    /// How it ended. To be asked after the last bytes. An announced length that was reached is an end as good as any,
    /// and asking the host for another would cost a suspension.
    pub(crate) async fn end(self) -> Result<(), SendError> {
        if self.left == Some(0) {
            return Ok(());
        }
        drop(self.stream);
        self.trailers.await.map(drop).map_err(translate)
    }
}

/// What went wrong before a head, with the way out blamed for what is its own.
fn blame(egress: &str, is_relay: bool, error: SendError) -> SendError {
    match error {
        SendError::Egress(why) => SendError::Egress(format!("{egress} {why}")),
        SendError::Tunnel(why) => SendError::Tunnel(format!("{egress} {why}")),
        SendError::Denied if is_relay => SendError::Egress(format!(
            "{egress} is at an address that is not allowed; if a private one is meant set `local = true` inside `egress = {{…}}`"
        )),
        // Who is connected to is the relay.
        SendError::Connect(_) | SendError::ConnectTimeout | SendError::Tls(_) if is_relay => {
            SendError::Egress(format!("{egress} {}", error.describe()))
        }
        error => error,
    }
}

/// A relay's own answer: of a gateway that did not reach the origin, or of one that does not let llmio through.
fn relay_refused(egress: &str, status: u16) -> SendError {
    match status {
        502 | 504 => SendError::Tunnel(format!("{egress} did not get through to it ({status})")),
        401 | 404 => SendError::Egress(format!("{egress} refused llmio ({status}); check its name and key")),
        _ => SendError::Egress(format!("{egress} refused llmio ({status})")),
    }
}

/// What an attempt is made under.
pub(crate) struct Terms<'a> {
    pub(crate) timeouts: &'a Timeouts,
    pub(crate) streamed: bool,
    /// What is left of the call's total time.
    pub(crate) left_ms: u64,
    /// When the call began, on the monotonic clock.
    pub(crate) start_ms: u64,
    /// The call's id, which tells the runner whose request this is.
    pub(crate) id: &'a str,
    /// Texts that make an answer of 200 a failure.
    pub(crate) error_match: &'a [String],
    /// It is a conversation.
    pub(crate) is_chat: bool,
}

/// Makes one attempt. The answer comes only with [`Outcome::Head`].
pub(crate) async fn attempt(mut outgoing: Outgoing, terms: &Terms<'_>) -> (Outcome, Option<Answer>) {
    let (dialect, transform) = (outgoing.dialect, std::mem::replace(&mut outgoing.transform, ResponseTransform::AsIs));
    let (as_array, is_post) = (outgoing.as_array, outgoing.method == "POST");
    let egress = outgoing.egress.as_ref().map(|egress| (egress.describe(), matches!(egress, EgressRoute::Relay(_))));
    let (request, mut writer, trailers, body) = match build(outgoing, terms) {
        Ok(built) => built,
        Err(error) => return (Outcome::Failed(error), None),
    };
    let write = async move {
        writer.write_all(body).await;
        drop(writer);
        drop(trailers);
    };
    // The answer may come before the whole body was taken; then the rest of it is no longer waited for, since an
    // upstream that refused it may never read on.
    let sent = match select(Box::pin(client::send(request)), Box::pin(write)).await {
        Either::Left((sent, rest)) => {
            wasip3::spawn(rest);
            sent
        }
        Either::Right(((), sending)) => sending.await,
    };
    let response = match sent {
        Ok(response) => response,
        Err(code) => {
            let error = before_head(code);
            let blamed = egress.map(|(name, is_relay)| blame(&name, is_relay, error.clone()));
            return (Outcome::Failed(blamed.unwrap_or(error)), None);
        }
    };
    let (status, raw, body) = Body::of(response);
    if let Some((name, true)) = &egress
        && relays::is_refusal(&raw)
    {
        return (Outcome::Failed(relay_refused(name, status)), None);
    }
    if let Some(error) = no_answer(status, is_post) {
        return (Outcome::Failed(error), None);
    }
    if (200..300).contains(&status) {
        return preview::preview((status, raw), body, preview::Reading { dialect, as_array, transform }, terms).await;
    }
    match collect(body).await {
        Ok(body) => {
            let hint = hint::read(&raw, &body, host::unix_ms());
            let headers = rewrite::downstream(raw);
            (Outcome::Answered(UpstreamError { status, headers, body, hint, dialect }), None)
        }
        Err(error) => (Outcome::Failed(error), None),
    }
}

type Built = (types::Request, StreamWriter<u8>, FutureWriter<Result<Option<types::Trailers>, ErrorCode>>, Vec<u8>);

fn build(outgoing: Outgoing, terms: &Terms<'_>) -> Result<Built, SendError> {
    let Terms { timeouts, streamed, left_ms, id, .. } = *terms;
    let Outgoing { method, tls, authority, path, mut headers, body, local, egress, .. } = outgoing;
    if host::is_runner() {
        let mut value = format!("call={id}{}", if local { "; local" } else { "" });
        if let Some(EgressRoute::Proxy(_, url)) = egress {
            value.push_str("; proxy=");
            value.push_str(url.expose());
        }
        headers.push((HOST_HEADER.into(), value.into_bytes()));
    } else if let Some(egress @ EgressRoute::Proxy(..)) = egress {
        // Nobody routes here; a request for a place must never leave from another one.
        return Err(SendError::Egress(format!("{} can be used by llmio's own runner only", egress.describe())));
    }
    let refused =
        |what: &str| SendError::Protocol(format!("{what} was refused by the host; mend the provider's entry"));
    let fields = Fields::from_list(&headers).map_err(|_| refused("a header"))?;
    let (writer, contents) = wit_stream::new();
    let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
    let options = RequestOptions::new();
    let first_byte_ms =
        timeouts.first_byte_ms.unwrap_or(if streamed { FIRST_BYTE_MS_STREAMED } else { FIRST_BYTE_MS_WHOLE });
    // A host that knows none of these keeps its own limits.
    let nanos = |ms: u64| Some(ms.min(left_ms).saturating_mul(1_000_000));
    let _ = options.set_connect_timeout(Some(timeouts.connect_ms.saturating_mul(1_000_000)));
    let _ = options.set_first_byte_timeout(nanos(first_byte_ms));
    let _ = options.set_between_bytes_timeout(nanos(timeouts.idle_ms));
    let (request, _transmitted) = types::Request::new(fields, Some(contents), trailers_reader, Some(options));
    let scheme = if tls { Scheme::Https } else { Scheme::Http };
    request.set_method(&method_of(method)).map_err(|()| refused("the method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("the scheme"))?;
    request.set_authority(Some(&authority)).map_err(|()| refused("the host name"))?;
    request.set_path_with_query(Some(&path)).map_err(|()| refused("the path"))?;
    Ok((request, writer, trailers, body))
}

/// The host's word for a method in capitals.
pub(crate) fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// The length an answer announces; 0 is no use, since nothing is read then that could reach it.
fn announced(headers: &[(String, Vec<u8>)]) -> Option<u64> {
    headers::text(headers, "content-length")?.trim().parse().ok().filter(|length| *length > 0)
}

/// Why nothing can be an answer under this status, whatever stands behind it.
fn no_answer(status: u16, is_post: bool) -> Option<SendError> {
    match status {
        // Both say that there is no content (RFC 9110, sections 15.3.5 and 15.3.6), and a call asks for some.
        204 | 205 if is_post => Some(SendError::Empty),
        // HTTP knows five classes (RFC 9110, section 15). Hosts let more through.
        100..600 => None,
        _ => Some(SendError::Protocol(format!("its status is {status}"))),
    }
}

/// The body of an error answer, cut where it gets too long.
async fn collect(mut body: Body) -> Result<Vec<u8>, SendError> {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let (more, read) = body.read(buffer).await;
        buffer = read;
        kept.extend_from_slice(&buffer);
        if !more {
            return body.end().await.map(|()| kept);
        }
        if kept.len() > ERROR_BYTES_MAX {
            return Ok(kept);
        }
    }
}

/// Why there is no head. Some hosts have one word for both silences; without a head it is this one.
pub(crate) fn before_head(code: ErrorCode) -> SendError {
    match translate(code) {
        SendError::IdleTimeout => SendError::FirstByteTimeout,
        error => error,
    }
}

/// The host's words for what went wrong, in ours.
fn translate(code: ErrorCode) -> SendError {
    let payload = |text: Option<String>| text.unwrap_or_default();
    match code {
        ErrorCode::InternalError(Some(said)) => said_by_runner(&said),
        ErrorCode::DnsTimeout => SendError::Connect("its name was not resolved in time".into()),
        ErrorCode::DnsError(error) => SendError::Connect(match payload(error.rcode) {
            rcode if rcode.is_empty() => "its name could not be resolved".into(),
            rcode => format!("its name could not be resolved: {rcode}"),
        }),
        ErrorCode::DestinationNotFound => SendError::Connect("there is no such host".into()),
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            SendError::Connect("the host is not reachable".into())
        }
        ErrorCode::ConnectionRefused => SendError::Connect("connection refused".into()),
        ErrorCode::ConnectionLimitReached => SendError::Connect("too many connections".into()),
        ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied => SendError::Denied,
        ErrorCode::ConnectionTimeout => SendError::ConnectTimeout,
        ErrorCode::HttpResponseTimeout => SendError::FirstByteTimeout,
        ErrorCode::ConnectionReadTimeout | ErrorCode::ConnectionWriteTimeout => SendError::IdleTimeout,
        ErrorCode::TlsProtocolError => SendError::Tls(String::new()),
        ErrorCode::TlsCertificateError => SendError::Tls("its certificate is not valid".into()),
        ErrorCode::TlsAlertReceived(alert) => SendError::Tls(payload(alert.alert_message)),
        ErrorCode::ConnectionTerminated => SendError::Reset(String::new()),
        ErrorCode::HttpResponseIncomplete | ErrorCode::HttpResponseBodySize(_) => SendError::Truncated,
        ErrorCode::HttpProtocolError => SendError::Protocol("protocol error".into()),
        ErrorCode::HttpResponseHeaderSize(_) | ErrorCode::HttpResponseHeaderSectionSize(_) => {
            SendError::Protocol("the head of its answer is too large".into())
        }
        other => SendError::Protocol(format!("{other:?}")),
    }
}

/// wasi:http has no words for these, so the runner has its own. See `host.md`.
fn said_by_runner(said: &str) -> SendError {
    match (said, said.strip_prefix(PROXY), said.strip_prefix(TUNNEL)) {
        (CLIENT_CLOSED, ..) => SendError::ClientClosed,
        (DRAINED, ..) => SendError::Drained,
        (_, Some(why), _) => SendError::Egress(why.to_owned()),
        (_, _, Some(why)) => SendError::Tunnel(why.to_owned()),
        _ => SendError::Protocol(format!("internal error: {said}")),
    }
}

/// An empty buffer to read into.
pub(crate) fn take_buffer() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
}

/// Keeps a buffer for the next answer.
pub(crate) fn give_buffer(mut buffer: Vec<u8>) {
    buffer.clear();
    BUFFERS.with_borrow_mut(|buffers| {
        if buffers.len() < BUFFERS_MAX && buffer.capacity() >= BUFFER_BYTES {
            buffers.push(buffer);
        }
    });
}
