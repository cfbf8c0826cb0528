//! Step 5, one attempt: sends a request and waits for the head of the answer. All time limits are options of the
//! request, which the host enforces. An attempt has no timer of its own, unless its answer delays its first content.

mod preview;

use std::borrow::Cow;
use std::cell::RefCell;

use futures_util::future::{Either, select};
use gateway_core::carry;
use gateway_core::catalog::Timeouts;
use gateway_core::headers;
use gateway_core::memory;
use gateway_core::outcome::{NamedEgress, Outcome, SendError, UpstreamError, hint};
use gateway_core::redact::{self, Mask};
use gateway_core::pass_through;
use gateway_core::rewrite::{self, EgressRoute, Outgoing};
use gateway_core::transform::ResponseTransform;
use gateway_core::unpack::{self, Unpacker};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields, Method, RequestOptions, Scheme};
use spin_sdk::wasip3::wit_bindgen::FutureWriter;
use spin_sdk::wasip3::wit_future;

use crate::bodies::Bodies;
use crate::carry::{Arriving, Carrier, Failure};
use crate::hold::{HeldBytes, Holder};
use crate::host::{self, body};
use crate::incoming::Incoming;
use crate::instance::Instance;

pub(crate) use preview::{Answer, Read, RestOfAnswer, read_next};

/// Tells the runner whose request this is. The runner removes the header before it sends the request. See `host.md`.
const HOST_HEADER: &str = "x-llmio-host";

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

/// The body of a provider's answer: its bytes, and then how it ended.
pub(crate) struct Body {
    contents: Contents,
    /// The number of bytes still to come, if the provider announced the length.
    left: Option<u64>,
    /// Masks secrets in the body.
    mask: Option<Mask>,
    /// Whether the host has delivered all of the body.
    is_read: bool,
    /// Whether the host tells one break from another.
    names_breaks: bool,
    unpacker: Unpacker,
}

/// Where the bytes of a body come from.
enum Contents {
    /// A stream of the host. Dropping the writer tells the host that nobody reads it any more.
    Stream(body::Reader, FutureWriter<Result<(), ErrorCode>>),
    /// Messages.
    Messages(Arriving),
}

impl Contents {
    async fn read(&mut self, buffer: Vec<u8>) -> (bool, Vec<u8>) {
        match self {
            Contents::Stream(reader, _) => reader.read(buffer).await,
            Contents::Messages(arriving) => arriving.read(buffer).await,
        }
    }

    async fn end(self) -> Result<(), ErrorCode> {
        match self {
            Contents::Stream(reader, _consumed) => reader.end().await.into_result(),
            Contents::Messages(arriving) => arriving.end(),
        }
    }
}

impl Body {
    /// Status, headers and body of an answer. The body still has its content coding.
    fn of(instance: &Instance, response: types::Response) -> (u16, Vec<(String, Vec<u8>)>, Body) {
        let status = response.get_status_code();
        let headers = response.get_headers().copy_all();
        let (consumed, consumed_reader) = wit_future::new(|| Ok(()));
        let contents = body::Reader::of(types::Response::consume_body(response, consumed_reader));
        let body = Body::new(Contents::Stream(contents, consumed), &headers, instance.host.names_breaks);
        (status, headers, body)
    }

    fn new(contents: Contents, headers: &[(String, Vec<u8>)], names_breaks: bool) -> Body {
        let left = announced(headers);
        Body { contents, left, is_read: false, names_breaks, unpacker: Unpacker::none(), mask: None }
    }

    /// The same body, decoded. `is_lenient`: see [`Unpacker::of`].
    fn unpacked(self, headers: &[(String, Vec<u8>)], is_lenient: bool) -> Self {
        Body { unpacker: Unpacker::of(headers, is_lenient), ..self }
    }

    /// Whether the body was decoded, so that headers about its coding and length no longer hold.
    fn is_unpacked(&self) -> bool {
        self.unpacker.has_changed()
    }

    /// Bytes of it that are kept until they are read.
    pub(crate) fn kept(&self) -> usize {
        self.unpacker.kept()
    }

    /// Reads the next bytes into a buffer that is used again and again, and returns whether more may come.
    pub(crate) async fn read(&mut self, mut buffer: Vec<u8>) -> (bool, Vec<u8>) {
        buffer.clear();
        let (is_more, mut buffer) = self.read_plain(buffer).await;
        if let Some(mask) = &mut self.mask {
            mask.pass(&mut buffer, !is_more);
        }
        (is_more, buffer)
    }

    async fn read_plain(&mut self, mut buffer: Vec<u8>) -> (bool, Vec<u8>) {
        loop {
            buffer.clear();
            if self.unpacker.give(&mut buffer) {
                return (true, buffer);
            }
            if self.is_read || self.unpacker.fault(false).is_some() {
                return (false, buffer);
            }
            let (is_more, read) = self.contents.read(buffer).await;
            buffer = read;
            self.left = self.left.and_then(|left| left.checked_sub(buffer.len() as u64));
            self.is_read = !is_more || self.left == Some(0);
            if self.unpacker.lets_pass(&buffer) {
                return (!self.is_read, buffer);
            }
            self.unpacker.take(&buffer, self.is_read);
        }
    }

    /// How the body ended. Call it after the last bytes. A body that reached its announced length is complete, and
    /// asking the host once more would cost a suspension.
    pub(crate) async fn end(mut self) -> Result<(), SendError> {
        if let Some(fault) = self.unpacker.fault(false) {
            return Err(SendError::Protocol(fault.to_string()));
        }
        if self.left != Some(0) {
            let names_breaks = self.names_breaks;
            self.contents.end().await.map_err(|code| of_body(code, names_breaks))?;
        }
        self.unpacker.fault(true).map_or(Ok(()), |fault| Err(SendError::Protocol(fault.to_string())))
    }
}

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
        Err(Unsent::Failed(code)) => {
            let error = of_head(code, instance);
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
        let mut body = body.unpacked(&raw, false);
        body.mask = Mask::of(secrets);
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
            Unsent::Failed(code) => of_head(code, instance),
            Unsent::Unfit(error) => error,
        })?;
    let body = body.unpacked(&headers, true);
    let mut body = collect((body, terms.holder.nothing()), &mut headers, bytes_max).await?;
    secrets.hide(&mut body);
    Ok((status, body))
}

/// Why there is no answer to a request.
enum Unsent {
    /// The host's error.
    Failed(ErrorCode),
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
            Failure::Code(code) => Unsent::Failed(code),
            Failure::Refused(part) => HostRefusal(part.into()).into(),
        })?;
        let body = Body::new(Contents::Messages(arriving), &headers, true);
        return Ok((status, headers, body));
    }
    let (writer, contents) = body::known();
    let request = build(instance, head, contents)?;
    let response = exchange(request, writer, (body, room)).await.map_err(Unsent::Failed)?;
    Ok(Body::of(instance, response))
}

/// Writes the body of a request and waits for the head of the answer, which may come first. Then the rest of the body is no
/// longer waited for, since a provider that refused it may never read on.
async fn exchange(
    request: types::Request,
    mut writer: body::Writer,
    (body, room): (Vec<u8>, Option<HeldBytes>),
) -> Result<types::Response, ErrorCode> {
    if body.is_empty() {
        drop(writer);
        return client::send(request).await;
    }
    let write = async move {
        writer.write(body).await;
        drop((writer, room));
    };
    match select(Box::pin(client::send(request)), Box::pin(write)).await {
        Either::Left((sent, rest)) => {
            host::spawn(rest);
            sent
        }
        Either::Right(((), sending)) => sending.await,
    }
}

/// The time limits that the host enforces.
pub(crate) struct Limits {
    pub(crate) connect_ms: u64,
    pub(crate) first_byte_ms: u64,
    pub(crate) idle_ms: u64,
}

/// A request to be sent, without its body.
pub(crate) struct Head<'h> {
    /// The method in capitals.
    pub(crate) method: &'h str,
    pub(crate) tls: bool,
    pub(crate) authority: &'h str,
    /// The path with its query.
    pub(crate) path: &'h str,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Whether a private address is allowed.
    pub(crate) local: bool,
    /// The address of the proxy to send it through.
    pub(crate) proxy: Option<&'h str>,
    /// A file of CA certificates to trust as well.
    pub(crate) ca: Option<&'h str>,
    /// The id of the call, if there is one.
    pub(crate) id: Option<&'h str>,
    pub(crate) limits: Limits,
}

impl Head<'_> {
    fn with_body<'s>(&'s self, body: &'s [u8]) -> carry::Sent<'s> {
        let Head { method, tls, authority, path, headers, local, proxy, ca, id, limits } = self;
        let Limits { connect_ms, first_byte_ms, idle_ms } = *limits;
        carry::Sent {
            method,
            tls: *tls,
            local: *local,
            authority,
            path,
            limits_ms: [connect_ms, first_byte_ms, idle_ms],
            call: *id,
            proxy: *proxy,
            ca: *ca,
            headers,
            body,
        }
    }
}

/// The part of a request that the host refused, in words.
pub(crate) struct HostRefusal(pub(crate) Cow<'static, str>);

/// Sends a request whose body is written by another task.
pub(crate) async fn pass_on(
    instance: &Instance,
    head: Head<'_>,
    contents: body::Reader,
) -> Result<Result<(u16, Vec<(String, Vec<u8>)>, Body), SendError>, HostRefusal> {
    let request = build(instance, head, contents)?;
    Ok(client::send(request).await.map(|response| Body::of(instance, response)).map_err(|code| of_head(code, instance)))
}

fn build(instance: &Instance, head: Head<'_>, contents: body::Reader) -> Result<types::Request, HostRefusal> {
    let (stream, end) = contents.into_parts();
    if instance.host.reads_instructions {
        let value = instructions(&head);
        let Head { mut headers, authority, path, .. } = head;
        headers.push((HOST_HEADER.into(), value.into_bytes()));
        let fields = Fields::from_list(&headers).map_err(|_| HostRefusal("a header".into()))?;
        let (request, _transmitted) = types::Request::new(fields, stream, end, None);
        request.set_authority(Some(authority)).map_err(|()| HostRefusal("the host name".into()))?;
        request.set_path_with_query(Some(path)).map_err(|()| HostRefusal("the path".into()))?;
        return Ok(request);
    }
    let Head { method, tls, authority, path, headers, limits, .. } = head;
    let fields = Fields::from_list(&headers).map_err(|_| HostRefusal("a header".into()))?;
    let options = RequestOptions::new();
    // A host that does not know one of these options keeps its own limit.
    let nanos = |ms: u64| Some(ms.saturating_mul(1_000_000));
    let _ = options.set_connect_timeout(nanos(limits.connect_ms));
    let _ = options.set_first_byte_timeout(nanos(limits.first_byte_ms));
    let _ = options.set_between_bytes_timeout(nanos(limits.idle_ms));
    let (request, _transmitted) = types::Request::new(fields, stream, end, Some(options));
    let scheme = if tls { Scheme::Https } else { Scheme::Http };
    request.set_method(&method_of(method)).map_err(|()| HostRefusal("the method".into()))?;
    request.set_scheme(Some(&scheme)).map_err(|()| HostRefusal("the scheme".into()))?;
    request.set_authority(Some(authority)).map_err(|()| HostRefusal("the host name".into()))?;
    request.set_path_with_query(Some(path)).map_err(|()| HostRefusal("the path".into()))?;
    Ok(request)
}

/// What the runner is told of a request. Method, scheme and limits are told here too, since setting them takes seven calls
/// of the host.
fn instructions(head: &Head<'_>) -> String {
    let Head { method, tls, local, proxy, ca, id, limits, .. } = head;
    let Limits { connect_ms, first_byte_ms, idle_ms } = limits;
    let mut text = format!("method={method}; limits={connect_ms},{first_byte_ms},{idle_ms}");
    text.push_str(if *tls { "" } else { "; plain" });
    text.push_str(if *local { "; local" } else { "" });
    for (name, value) in [("; call=", id), ("; proxy=", proxy), ("; ca=", ca)] {
        if let Some(value) = value {
            text.extend([name, value]);
        }
    }
    text
}

/// The host's type for a method in capitals.
fn method_of(name: &str) -> Method {
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

/// The length that an answer announces. A length of 0 is ignored, since nothing would be read that could reach it.
fn announced(headers: &[(String, Vec<u8>)]) -> Option<u64> {
    headers::text(headers, "content-length")?.trim().parse().ok().filter(|length| *length > 0)
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
        let (is_unpacked, is_spoilt) = (body.is_unpacked(), body.unpacker.fault(false).is_some());
        if is_unpacked || is_spoilt {
            unpack::of_plain(headers);
        }
        return if is_enough || is_spoilt { Ok(kept) } else { body.end().await.map(|()| kept) };
    }
}

/// The error of an answer without a head. Hosts other than the runner have one code for a connection that was closed, which
/// is common, and for what is no HTTP.
fn of_head(code: ErrorCode, instance: &Instance) -> SendError {
    match code {
        ErrorCode::HttpProtocolError if !instance.host.names_breaks => {
            SendError::Reset("or sent what is no HTTP".into())
        }
        code => translate(code).before_head(),
    }
}

/// The error of a body. The same hosts have one code for an end that came too early and for chunks that are no HTTP; that it
/// is not complete is true of all.
fn of_body(code: ErrorCode, names_breaks: bool) -> SendError {
    match code {
        ErrorCode::HttpProtocolError if !names_breaks => SendError::Truncated,
        code => translate(code),
    }
}

/// Translates the host's error codes.
fn translate(code: ErrorCode) -> SendError {
    let payload = |text: Option<String>| text.unwrap_or_default();
    match code {
        ErrorCode::InternalError(Some(detail)) => SendError::from_runner_message(&detail),
        ErrorCode::DnsTimeout => SendError::LookUpTimeout,
        ErrorCode::DnsError(error) => SendError::Connect(match payload(error.rcode) {
            rcode if rcode.is_empty() => "its name could not be resolved".into(),
            rcode => format!("its name could not be resolved: {rcode}"),
        }),
        ErrorCode::DestinationNotFound => SendError::Connect("there is no such host".into()),
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            SendError::Connect("the host is not reachable".into())
        }
        ErrorCode::ConnectionRefused => SendError::Connect("connection refused".into()),
        ErrorCode::ConnectionLimitReached => SendError::Shortage,
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
