//! The faster way between the component and this host: whole messages through a key-value store that no other host has. A
//! request crosses with its small body, what it is answered goes straight to its connection, and a request to a provider is
//! sent and its answer's beginning received by one call. `wasi:http`, which stays beside it, takes dozens. `host.md` of the
//! gateway says what the messages are.
//!
//! What is refused, limited, timed and cut is the same on both ways: the way out is [`outbound_http`](super::outbound_http).

mod message;

#[cfg(test)]
mod tests;

use super::Interfaces;
use super::outbound_http::{HostInstructions, Limits, UpstreamBody, is_forbidden};
use crate::bindings::key_value::Error;
use crate::instance::{GuestError, State};
use bytes::Bytes;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use message::{FAILED, HEAD, Message, REFUSED, Unread};
use std::borrow::Cow;
use std::collections::HashMap;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;
use uuid::Uuid;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::{Error as HttpError, WasiBody};

/// The name of the store, with the version of the messages. Spin has no store of this name.
pub(crate) const STORE: &str = "llmio-carry-1";

/// The largest body of a client that crosses with its head, and the most of an answer that crosses at once.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 10;

/// What keys begin with: the path of a client's request, a request to be sent, and the rest of an answer.
const CALL: char = '?';
const SEND: char = 's';
const REST: char = 'r';

/// Where the answer to a client's request goes.
pub(crate) type Answering = oneshot::Sender<Result<Response<WasiBody>, GuestError>>;

/// What is crossing between one instance and the host.
#[derive(Default)]
pub(crate) struct Carry {
    /// Whether the instance has opened the store. Nothing crosses as a message before.
    is_open: bool,
    /// The last number that was given.
    number: u64,
    calls: HashMap<String, Call>,
    /// The answers that the component has not read to their ends.
    rests: HashMap<String, Rest>,
}

/// A client's request.
struct Call {
    /// The request, until the component takes it.
    request: Option<Vec<u8>>,
    /// Its answer, until the component gives it.
    answering: Option<Answering>,
}

impl Carry {
    /// Notes that the instance has opened the store.
    pub(crate) fn open(&mut self) {
        self.is_open = true;
    }

    /// Whether requests may cross as messages.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Keeps a request for the component. Returns the path by which it asks for it, which is the key of the answer too.
    pub(crate) fn begin(&mut self, head: &Parts, body: Option<&[u8]>, answering: Answering) -> String {
        let key = self.key(CALL);
        let call = Call { request: Some(request_message(head, body)), answering: Some(answering) };
        self.calls.insert(key.clone(), call);
        key
    }

    /// Forgets a request. Returns where its answer goes, if the component has not given it.
    pub(crate) fn end(&mut self, key: &str) -> Option<Answering> {
        self.calls.remove(key)?.answering
    }

    fn request(&mut self, key: &str) -> Option<Vec<u8>> {
        self.calls.get_mut(key)?.request.take()
    }

    /// Gives a request its answer. An error is what the component is told.
    fn answer(&mut self, key: &str, message: &[u8]) -> Result<(), &'static str> {
        let response = response_of(message).ok_or("this is no answer")?;
        let answering = self.calls.get_mut(key).and_then(|call| call.answering.take());
        let answering = answering.ok_or("there is no such request, or it has an answer")?;
        // Nobody listens if the client has left.
        answering.send(Ok(response)).map_err(|_| "client closed")
    }

    fn keep(&mut self, rest: Rest) -> String {
        let key = self.key(REST);
        self.rests.insert(key.clone(), rest);
        key
    }

    fn key(&mut self, kind: char) -> String {
        self.number += 1;
        format!("{kind}{}", self.number)
    }
}

/// `get`: takes a request, sends one, or reads on.
pub(super) async fn get<T: 'static>(accessor: &Accessor<T, Interfaces>, key: String) -> Option<Vec<u8>> {
    match key.chars().next() {
        Some(CALL) => accessor.with(|mut access| access.get().carry.request(&key)),
        Some(SEND) => Some(send(accessor, key).await),
        Some(REST) => Some(read(accessor, &key).await),
        _ => None,
    }
}

/// `set`: answers a request.
pub(super) fn set(state: &mut State, key: &str, value: &[u8]) -> Result<(), Error> {
    state.carry.answer(key, value).map_err(|why| Error::Other(why.to_owned()))
}

/// `delete`: the component does not read on.
pub(super) fn delete(state: &mut State, key: &str) {
    state.carry.rests.remove(key);
}

/// Why there is no answer, or no rest of it.
enum Failure {
    Failed(HttpError),
    /// The part of the request that is not taken.
    Refused(&'static str),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Failure {
        Failure::Failed(error)
    }
}

impl Failure {
    fn message(&self) -> Vec<u8> {
        let mut message = Message::with_room(64);
        match self {
            Failure::Failed(error) => {
                let (code, detail) = code(error);
                message.number(FAILED);
                message.number(code);
                message.bytes(detail.as_bytes());
            }
            Failure::Refused(part) => {
                message.number(REFUSED);
                message.bytes(part.as_bytes());
            }
        }
        message.0
    }
}

/// Sends a request and waits for the head of its answer.
async fn send<T: 'static>(accessor: &Accessor<T, Interfaces>, key: String) -> Vec<u8> {
    exchange(accessor, key).await.unwrap_or_else(|failure| failure.message())
}

async fn exchange<T: 'static>(accessor: &Accessor<T, Interfaces>, key: String) -> Result<Vec<u8>, Failure> {
    let (request, instructions) = request_of(&Bytes::from(key))?;
    let prepared = accessor.with(|mut access| access.get().outbound().prepare(instructions, None))?;
    let (head, body) = prepared.send(request).await?;
    let (mut rest, mut beginning) = (Rest { body, left: Bytes::new(), ended: None }, Vec::new());
    rest.begin(&mut beginning).await;
    let mut message = Message::with_room(beginning.len() + 1024);
    message.number(HEAD);
    message.number(head.status.as_u16().into());
    message.headers(&head.headers, is_forbidden);
    let key =
        if rest.is_complete() { String::new() } else { accessor.with(|mut access| access.get().carry.keep(rest)) };
    message.bytes(key.as_bytes());
    message.0.extend_from_slice(&beginning);
    Ok(message.0)
}

/// Reads on in an answer: at least one byte if there is one, and all that has come up to a limit.
async fn read<T: 'static>(accessor: &Accessor<T, Interfaces>, key: &str) -> Vec<u8> {
    let mut message = Message::chunk();
    let ended = poll_fn(|context| {
        accessor.with(|mut access| {
            let Some(rest) = access.get().carry.rests.get_mut(key) else {
                return Poll::Ready(Some(Err(HttpError::HttpResponseIncomplete)));
            };
            ready!(rest.poll_read(context, &mut message.0, BODY_BYTES_MAX));
            // What has come before an error is read first.
            let is_told = rest.ended.as_ref().is_some_and(|ended| ended.is_ok() || message.is_empty_chunk());
            Poll::Ready(if is_told { rest.ended.take() } else { None })
        })
    });
    match ended.await {
        None => return message.0,
        Some(Ok(())) => message.is_last(),
        Some(Err(error)) => message.0 = Failure::Failed(error).message(),
    }
    accessor.with(|mut access| access.get().carry.rests.remove(key));
    message.0
}

/// The rest of an answer.
struct Rest {
    body: UpstreamBody,
    /// What has come of it and did not fit into the last message.
    left: Bytes,
    ended: Option<Result<(), HttpError>>,
}

impl Rest {
    /// Reads what has come with the head, up to a limit.
    async fn begin(&mut self, beginning: &mut Vec<u8>) {
        while self.ended.is_none() && beginning.len() < BODY_BYTES_MAX {
            // The connection reads only when it is asked to, in its own turn, which comes before this one is over.
            let mut turn = pin!(tokio::task::yield_now());
            let room = BODY_BYTES_MAX - beginning.len();
            let has_come = poll_fn(|context| match self.poll_read(context, beginning, room) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => turn.as_mut().poll(context).map(|()| false),
            });
            if !has_come.await {
                break;
            }
        }
        self.body.is_not_waited_for();
    }

    fn is_complete(&self) -> bool {
        self.left.is_empty() && matches!(self.ended, Some(Ok(())))
    }

    /// Appends what has come, up to so many bytes. Pending if that is nothing.
    fn poll_read(&mut self, context: &mut Context<'_>, into: &mut Vec<u8>, bytes_max: usize) -> Poll<()> {
        let begins = into.len();
        loop {
            let piece = self.left.split_to(self.left.len().min(bytes_max - (into.len() - begins)));
            into.extend_from_slice(&piece);
            if self.left.is_empty() && self.ended.is_none() && self.body.is_end_stream() {
                self.ended = Some(Ok(()));
            }
            if self.ended.is_some() || into.len() - begins == bytes_max {
                return Poll::Ready(());
            }
            match Pin::new(&mut self.body).poll_frame(context) {
                // A trailer tells nobody anything.
                Poll::Ready(Some(Ok(frame))) => self.left = frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(error))) => self.ended = Some(Err(error)),
                Poll::Ready(None) => self.ended = Some(Ok(())),
                Poll::Pending if into.len() > begins => {
                    self.body.is_not_waited_for();
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// A body of which all is here.
fn of_whole(body: Bytes) -> WasiBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// The message of a client's request.
fn request_message(head: &Parts, body: Option<&[u8]>) -> Vec<u8> {
    let mut message = Message::with_room(body.map_or(0, <[u8]>::len) + 1024);
    message.bytes(head.method.as_str().as_bytes());
    message.bytes(head.uri.path_and_query().map_or("/", PathAndQuery::as_str).as_bytes());
    message.bytes(head.uri.authority().map_or("", Authority::as_str).as_bytes());
    message.headers(&head.headers, is_forbidden);
    message.number(body.is_some().into());
    message.0.extend_from_slice(body.unwrap_or_default());
    message.0
}

/// The request that a message wants sent, and how.
fn request_of(message: &Bytes) -> Result<(Request<WasiBody>, HostInstructions), Failure> {
    let malformed = || Failure::Failed(HttpError::ConfigurationError);
    let mut rest = Unread(message.get(SEND.len_utf8()..).unwrap_or_default());
    let mut read = || {
        let (flags, method, authority, path) = (rest.number()?, rest.text()?, rest.text()?, rest.text()?);
        let mut ms = || rest.number().map(Duration::from_millis);
        let limits = Limits::from_instructions(ms()?, ms()?, ms()?);
        let (call, proxy, ca) = (rest.some_text()?, rest.some_text()?, rest.some_text()?);
        let headers = rest.headers(is_forbidden)?;
        Some((flags, method, (authority, path), limits, (call, proxy, ca), headers))
    };
    let (flags, method, (authority, path), limits, (call, proxy, ca), (headers, are_fine)) =
        read().ok_or_else(malformed)?;
    let body = message.slice(message.len() - rest.0.len()..);
    let (is_tls, local) = (flags & 1 != 0, flags & 2 != 0);
    let instructions = HostInstructions {
        call: call.map(Uuid::try_parse).transpose().map_err(|_| malformed())?,
        local,
        proxy: proxy.map(str::parse).transpose().map_err(|()| malformed())?,
        ca: ca.map(PathBuf::from),
        limits: Some(limits),
        ..HostInstructions::default()
    };
    if !are_fine || !is_length_of(&headers, &body) {
        return Err(Failure::Refused("a header"));
    }
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(Authority::try_from(authority).map_err(|_| Failure::Refused("the host name"))?);
    uri.path_and_query = Some(PathAndQuery::try_from(path).map_err(|_| Failure::Refused("the path"))?);
    let mut request = Request::new(of_whole(body));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| Failure::Refused("the method"))?;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| HttpError::HttpRequestUriInvalid)?;
    *request.headers_mut() = headers;
    Ok((request, instructions))
}

/// The answer that a message is; `None` if it is none.
fn response_of(message: &[u8]) -> Option<Response<WasiBody>> {
    let mut rest = Unread(message);
    let (status, (headers, _)) = (rest.number()?, rest.headers(is_forbidden)?);
    let body = Bytes::copy_from_slice(rest.0);
    // The answer to a request for a head has the length of what is left out.
    if !body.is_empty() && !is_length_of(&headers, &body) {
        return None;
    }
    let mut response = Response::new(of_whole(body));
    *response.status_mut() =
        u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default();
    *response.headers_mut() = headers;
    Some(response)
}

/// Whether a body has the length that its head announces. Who reads the message could not tell where it ends otherwise.
fn is_length_of(headers: &HeaderMap, body: &[u8]) -> bool {
    let lengths = headers.get_all(header::CONTENT_LENGTH).into_iter();
    let mut lengths = lengths.map(|length| length.to_str().ok()?.parse::<usize>().ok());
    lengths.all(|length| length == Some(body.len()))
}

/// The number and the text of an error. The component makes the same code of wasi:http of them, or none, with the text.
fn code(error: &HttpError) -> (u64, Cow<'_, str>) {
    let text = |text: &Option<String>| Cow::Owned(text.clone().unwrap_or_default());
    let code = match error {
        HttpError::InternalError(detail) => return (0, text(detail)),
        HttpError::DnsTimeout => 1,
        HttpError::DnsError { rcode, .. } => return (2, text(rcode)),
        HttpError::DestinationNotFound => 3,
        HttpError::DestinationUnavailable => 4,
        HttpError::DestinationIpProhibited => 5,
        HttpError::DestinationIpUnroutable => 6,
        HttpError::ConnectionRefused => 7,
        HttpError::ConnectionTerminated => 8,
        HttpError::ConnectionTimeout => 9,
        HttpError::ConnectionReadTimeout => 10,
        HttpError::ConnectionWriteTimeout => 11,
        HttpError::ConnectionLimitReached => 12,
        HttpError::TlsProtocolError => 13,
        HttpError::TlsCertificateError => 14,
        HttpError::TlsAlertReceived { alert_message, .. } => return (15, text(alert_message)),
        HttpError::HttpRequestDenied => 16,
        HttpError::HttpRequestUriInvalid => 17,
        HttpError::HttpResponseIncomplete => 18,
        HttpError::HttpResponseHeaderSectionSize(_) => 19,
        HttpError::HttpResponseTimeout => 20,
        HttpError::HttpProtocolError => 21,
        HttpError::ConfigurationError => 22,
        other => return (0, Cow::Owned(format!("{other:?}"))),
    };
    (code, Cow::Borrowed(""))
}
