//! One exchange with a provider over the host's HTTP: the request with its instructions for the host, the head of the
//! answer, its body, and the host's errors in the terms of core.

use std::borrow::Cow;

use futures_util::future::{Either, select};
use gateway_core::carry;
use gateway_core::headers;
use gateway_core::outcome::SendError;
use gateway_core::redact::Mask;
use gateway_core::unpack::Unpacker;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields, Method, RequestOptions, Scheme};
use spin_sdk::wasip3::wit_bindgen::FutureWriter;
use spin_sdk::wasip3::wit_future;

use crate::carry::Arriving;
use crate::hold::HeldBytes;
use crate::host::{self, body};
use crate::instance::Instance;

/// Tells the runner whose request this is. The runner removes the header before it sends the request. See `host.md`.
const HOST_HEADER: &str = "x-llmio-host";

/// An answer: its status, its headers and its body, which still has its content coding.
type Received = (u16, Vec<(String, Vec<u8>)>, Body);

/// Sends a request whose body is known, and waits for the head of its answer. `room` is the memory of the body.
pub(super) async fn send(
    instance: &Instance,
    head: Head<'_>,
    body: (Vec<u8>, Option<HeldBytes>),
) -> Result<Result<Received, SendError>, HostRefusal> {
    let (writer, contents) = body::known();
    let request = build(instance, head, contents)?;
    let response = exchange(request, writer, body).await;
    Ok(response.map(|response| Body::of(instance, response)).map_err(|code| of_head(code, instance)))
}

/// Writes the body of a request and waits for the head of the answer, which may come first. Then the rest of the body
/// is no longer waited for, since a provider that refused it may never read on.
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
    pub(super) fn with_body<'s>(&'s self, body: &'s [u8]) -> carry::Sent<'s> {
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
) -> Result<Result<Received, SendError>, HostRefusal> {
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

/// What the runner is told of a request. Method, scheme and limits are told here too, since setting them takes seven
/// calls of the host.
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
    /// The parts of an answer.
    fn of(instance: &Instance, response: types::Response) -> Received {
        let status = response.get_status_code();
        let headers = response.get_headers().copy_all();
        let (consumed, consumed_reader) = wit_future::new(|| Ok(()));
        let contents = body::Reader::of(types::Response::consume_body(response, consumed_reader));
        let body = Body::new(Contents::Stream(contents, consumed), &headers, instance.host.names_breaks);
        (status, headers, body)
    }

    /// A body that arrives in messages.
    pub(super) fn of_messages(arriving: Arriving, headers: &[(String, Vec<u8>)]) -> Body {
        Body::new(Contents::Messages(arriving), headers, true)
    }

    fn new(contents: Contents, headers: &[(String, Vec<u8>)], names_breaks: bool) -> Body {
        let left = announced(headers);
        Body { contents, left, is_read: false, names_breaks, unpacker: Unpacker::none(), mask: None }
    }

    /// The same body, decoded. `is_lenient`: see [`Unpacker::of`].
    pub(super) fn unpacked(self, headers: &[(String, Vec<u8>)], is_lenient: bool) -> Self {
        Body { unpacker: Unpacker::of(headers, is_lenient), ..self }
    }

    /// The same body, with secrets masked.
    pub(super) fn masked(self, mask: Option<Mask>) -> Self {
        Body { mask, ..self }
    }

    /// Whether the body cannot be decoded.
    pub(super) fn is_spoilt(&mut self) -> bool {
        self.unpacker.fault(false).is_some()
    }

    /// Whether the body was decoded, so that headers about its coding and length no longer hold.
    pub(super) fn is_unpacked(&self) -> bool {
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

/// The length that an answer announces. A length of 0 is ignored, since nothing would be read that could reach it.
fn announced(headers: &[(String, Vec<u8>)]) -> Option<u64> {
    headers::text(headers, "content-length")?.trim().parse().ok().filter(|length| *length > 0)
}

/// The error of an answer without a head. Hosts other than the runner have one code for a connection that was closed,
/// which is common, and for what is no HTTP.
pub(super) fn of_head(code: ErrorCode, instance: &Instance) -> SendError {
    match code {
        ErrorCode::HttpProtocolError if !instance.host.names_breaks => {
            SendError::Reset("or sent what is no HTTP".into())
        }
        code => translate(code).before_head(),
    }
}

/// The error of a body. The same hosts have one code for an end that came too early and for chunks that are no HTTP;
/// that it is not complete is true of all.
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
