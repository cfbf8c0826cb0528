//! Outgoing requests: wasi:http's `send`, over clients of our own. wasmtime's default opens a connection per request,
//! speaks HTTP/1.1 only and limits no TLS handshake; a pooled client with HTTP/2 costs half the CPU. Redirects are
//! never followed, and a request is sent again only where its kept connection was dead.

mod address;
mod body;
mod connector;
mod failure;
mod kept;
mod names;
mod proxy;
mod resend;
mod trust;

#[cfg(test)]
mod h2_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod proxy_tests;
#[cfg(test)]
mod resend_tests;
#[cfg(test)]
mod tls_tests;

use crate::call::{Calls, Reason, Upstream};
use crate::framing;
use crate::hop_by_hop::strip_nominated;
use crate::log;
use connector::Connector;
use http::response::Parts;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, Method, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kept::RequestTurn;
use names::Names;
use proxy::Proxy;
use resend::{Clients, KeptBody};
use std::collections::HashMap;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use uuid::Uuid;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter};
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpHooks};

pub(crate) use address::is_public;
pub(super) use body::UpstreamBody;
pub(crate) use trust::{OwnRoots, TlsConfig, own_roots};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const HOST_HEADER: HeaderName = HeaderName::from_static("x-llmio-host");
/// The component sets all three on every request; these bound one that forgets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(300);
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(90);

const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(60);
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 512;
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 256;
/// What an upstream may send ahead of a slow client, per stream. The connection's window is far larger, so that one
/// stalled stream does not stop the others on it.
const H2_STREAM_WINDOW: u32 = 256 << 10;
const H2_CONNECTION_WINDOW: u32 = 32 << 20;
/// Clients differ by connect timeout, by `local` and by egress proxy; a catalog knows a handful of timeouts, and seldom
/// more than a few dozen proxies.
const CLIENTS_MAX: usize = 256;

/// What the guest may have copied out of one write: part of the 256 KiB a stream may hold.
const GUEST_CHUNK_BYTES_MAX: usize = 64 << 10;

type HttpClient = Client<Connector, KeptBody>;
type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// What all threads share of the way out.
#[derive(Clone)]
pub(crate) struct Net {
    tls: TlsConfig,
    names: Names,
}

impl From<TlsConfig> for Net {
    /// With the system's names.
    fn from(tls: TlsConfig) -> Net {
        Net { tls, names: Names::default() }
    }
}

/// The way out of one thread's instances.
#[derive(Clone)]
pub(crate) struct OutboundHttp {
    clients: Arc<Mutex<HashMap<ClientKind, Clients>>>,
    calls: Calls,
    net: Net,
    quirks: bool,
    forbidden: ForbiddenHeaderFilter,
}

/// A connection belongs to the client that made it: one that was opened under `local` serves no other request, and no
/// two egresses share one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKind {
    connect_timeout: Duration,
    local: bool,
    proxy: Option<Proxy>,
    /// A file of CA certificates to trust besides. It is read when the first connection is made.
    ca: Option<PathBuf>,
}

impl OutboundHttp {
    /// Clients are made when they are first needed. `quirks`: every destination is allowed, no call is known.
    pub(crate) fn new(calls: Calls, net: Net, quirks: bool) -> OutboundHttp {
        let forbidden: ForbiddenHeaderFilter = Arc::new(is_forbidden);
        OutboundHttp { clients: Arc::default(), calls, net, quirks, forbidden }
    }

    fn clients(&self, kind: ClientKind) -> Result<Clients, Error> {
        let mut all = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = all.get(&kind) {
            return Ok(clients.clone());
        }
        if all.len() >= CLIENTS_MAX {
            all.clear();
        }
        let net = match &kind.ca {
            None => self.net.clone(),
            Some(file) => Net { tls: self.trusting(file)?, ..self.net.clone() },
        };
        let clients = Clients::new(Connector::new(kind.connect_timeout, kind.local, kind.proxy.clone(), &net));
        all.insert(kind, clients.clone());
        Ok(clients)
    }

    fn trusting(&self, file: &Path) -> Result<TlsConfig, Error> {
        self.net.tls.and_file(file).map_err(|why| {
            log::warn(format_args!("the catalog's ca {} cannot be used: {why}", file.display()));
            Error::TlsCertificateError
        })
    }

    /// The exchange this request starts; an error when its call has ended.
    fn exchange(&self, instructions: &HostInstructions) -> Result<Arc<Upstream>, Error> {
        let Some(id) = instructions.call else { return Ok(Arc::default()) };
        let call = self.calls.find(id).ok_or(Reason::ClientClosed);
        call.and_then(|call| call.upstream()).map_err(Reason::error)
    }

    /// Finds what a request needs to be sent as it is asked for. `options` are those of `wasi:http`.
    pub(super) fn prepare(
        &self,
        instructions: HostInstructions,
        options: Option<RequestOptions>,
    ) -> Result<Prepared, Error> {
        let upstream = self.exchange(&instructions)?;
        let HostInstructions { local, proxy, ca, limits, .. } = instructions;
        let limits = limits.unwrap_or_else(|| Limits::of(options, self.quirks));
        let clients = self.clients(ClientKind { connect_timeout: limits.connect, local, proxy, ca })?;
        Ok(Prepared { clients, upstream, limits })
    }

    fn instructions(&self, headers: &mut HeaderMap) -> Result<HostInstructions, Error> {
        if self.quirks {
            return Ok(HostInstructions { local: true, ..HostInstructions::default() });
        }
        let Some(value) = headers.remove(HOST_HEADER) else { return Ok(HostInstructions::default()) };
        value.to_str().ok().and_then(|text| text.parse().ok()).ok_or(Error::ConfigurationError)
    }
}

impl WasiHttpHooks for OutboundHttp {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        self.forbidden.clone()
    }

    /// hyper sets it where HTTP/1.1 needs it and leaves it out of HTTP/2.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        GUEST_CHUNK_BYTES_MAX
    }

    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let prepared = self.instructions(request.headers_mut()).and_then(|instructions| {
            if let Some(method) = &instructions.method {
                *request.method_mut() = method.clone();
            }
            if instructions.plain {
                *request.uri_mut() = over_plain_http(request.uri())?;
            }
            self.prepare(instructions, options)
        });
        let quirks = self.quirks;
        Box::new(async move {
            let (head, body) = prepared?.send(request).await?;
            // Ready at the first poll: then wasmtime spawns no task to watch it.
            let sent: Box<dyn Future<Output = _> + Send> = Box::new(std::future::ready(Ok(())));
            let body =
                if quirks { body.map_err(failure::of_body_under_spin).boxed_unsync() } else { body.boxed_unsync() };
            Ok((Response::from_parts(head, body), sent))
        })
    }
}

/// A request that can be sent.
pub(super) struct Prepared {
    clients: Clients,
    upstream: Arc<Upstream>,
    limits: Limits,
}

impl Prepared {
    /// Sends the request and waits for the head of its response.
    pub(super) async fn send(self, request: Request<WasiBody>) -> Result<(Parts, UpstreamBody), Error> {
        let Prepared { clients, upstream, limits } = self;
        let (response, turn) = exchange(&clients, request, &upstream, &limits).await?;
        let (mut head, body) = response.into_parts();
        if let Some(turn) = &turn {
            turn.note(head.headers.get(KEEP_ALIVE).and_then(|value| value.to_str().ok()));
        }
        if !limits.quirks {
            strip_nominated(&mut head.headers);
        }
        upstream.set_body(body);
        Ok((head, UpstreamBody::new(upstream, limits.between_bytes, turn)))
    }
}

/// Sends a request and waits for the head of its response.
async fn exchange(
    clients: &Clients,
    request: Request<WasiBody>,
    upstream: &Upstream,
    limits: &Limits,
) -> Result<(Response<Incoming>, Option<RequestTurn>), Error> {
    let mut response = pin!(clients.request(request));
    let mut late = pin!(tokio::time::sleep(limits.first_byte));
    let head = poll_fn(|context| {
        if let Poll::Ready(reason) = upstream.poll_aborted(context) {
            return Poll::Ready(Err(reason.error()));
        }
        if let Poll::Ready(response) = response.as_mut().poll(context) {
            let of_request = if limits.quirks { failure::of_request_under_spin } else { failure::of_request };
            return Poll::Ready(response.map_err(|error| of_request(&error)));
        }
        late.as_mut().poll(context).map(|()| Err(limits.late()))
    });
    let (response, turn) = head.await?;
    if !limits.quirks && (framing::is_ambiguous(response.headers()) || framing::is_coded(response.headers())) {
        return Err(Error::HttpProtocolError);
    }
    Ok((response, turn))
}

/// What a request says to the host: in `x-llmio-host`, or in the message that it is.
#[derive(Debug, Default, PartialEq)]
pub(super) struct HostInstructions {
    pub(super) call: Option<Uuid>,
    pub(super) local: bool,
    pub(super) proxy: Option<Proxy>,
    pub(super) ca: Option<PathBuf>,
    pub(super) method: Option<Method>,
    /// Not over TLS.
    pub(super) plain: bool,
    pub(super) limits: Option<Limits>,
}

impl FromStr for HostInstructions {
    type Err = ();

    /// Items separated by `; `. One that this host does not know is refused, since an instruction must not be dropped.
    fn from_str(text: &str) -> Result<HostInstructions, ()> {
        let mut instructions = HostInstructions::default();
        for item in text.split(';').map(str::trim) {
            match item.split_once('=') {
                None if item == "local" => instructions.local = true,
                None if item == "plain" => instructions.plain = true,
                Some(("call", id)) => instructions.call = Some(Uuid::try_parse(id).map_err(drop)?),
                Some(("proxy", url)) => instructions.proxy = Some(url.parse()?),
                Some(("ca", file)) => instructions.ca = Some(PathBuf::from(file)),
                Some(("method", method)) => instructions.method = Some(method.parse().map_err(drop)?),
                Some(("limits", ms)) => instructions.limits = Some(ms.parse()?),
                _ => return Err(()),
            }
        }
        Ok(instructions)
    }
}

/// The same URL with another scheme: wasmtime gives one to a request that names none.
fn over_plain_http(uri: &Uri) -> Result<Uri, Error> {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)
}

#[derive(Debug, PartialEq)]
pub(super) struct Limits {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
    quirks: bool,
}

impl FromStr for Limits {
    type Err = ();

    /// To the connection, to the first byte and between two bytes, in milliseconds.
    fn from_str(text: &str) -> Result<Limits, ()> {
        let mut each = text.split(',').map(|ms| ms.parse().map(Duration::from_millis).map_err(drop));
        let mut next = || each.next().unwrap_or(Err(()));
        let limits = Limits::from_instructions(next()?, next()?, next()?);
        each.next().map_or(Ok(limits), |_| Err(()))
    }
}

impl Limits {
    /// As an instruction of the component says.
    pub(super) fn from_instructions(connect: Duration, first_byte: Duration, between_bytes: Duration) -> Limits {
        Limits { connect, first_byte, between_bytes, quirks: false }
    }

    fn of(options: Option<RequestOptions>, quirks: bool) -> Limits {
        let options = options.unwrap_or_default();
        Limits {
            connect: options.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE_TIMEOUT),
            between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES_TIMEOUT),
            quirks,
        }
    }

    /// No head in time. Spin has the same word for this as for a body that stalls.
    fn late(&self) -> Error {
        if self.quirks { Error::ConnectionReadTimeout } else { Error::HttpResponseTimeout }
    }
}

fn new_client(connector: Connector, is_pooled: bool) -> HttpClient {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
    let idle_max = if is_pooled { IDLE_CONNECTIONS_PER_HOST_MAX } else { 0 };
    builder.pool_idle_timeout(IDLE_CONNECTION_MAX).pool_max_idle_per_host(idle_max);
    builder.http1_max_buf_size(HEAD_BYTES_MAX).http1_max_headers(HEADERS_MAX);
    builder.http2_max_header_list_size(HEAD_BYTES_MAX as u32);
    builder.http2_initial_stream_window_size(H2_STREAM_WINDOW);
    builder.http2_initial_connection_window_size(H2_CONNECTION_WINDOW);
    // A dead connection would otherwise be noticed only by each request's own time limit.
    builder.http2_keep_alive_interval(Duration::from_secs(30)).http2_keep_alive_timeout(Duration::from_secs(10));
    builder.build(connector)
}

/// wasmtime's list, without the allocation its default makes for every header.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    // The usual headers are none of them; most are told apart by their length.
    !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH) && DEFAULT_FORBIDDEN_HEADERS.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net() -> Net {
        TlsConfig::new(&OwnRoots::new()).expect("a TLS configuration").into()
    }

    #[test]
    fn the_host_header_is_read_and_what_it_does_not_know_is_refused() {
        let id = Uuid::from_u128(9);
        let instructions = |text: &str| text.parse::<HostInstructions>();
        let expected = |call, local| Ok(HostInstructions { call, local, ..HostInstructions::default() });
        assert_eq!(instructions(&format!("call={id}")), expected(Some(id), false));
        assert_eq!(instructions(&format!("call={id}; local")), expected(Some(id), true));
        assert_eq!(instructions("local"), expected(None, true));
        let through = instructions("local; proxy=http://u:p@proxy.example:1").expect("all of it is known");
        assert_eq!(through.proxy, "http://u:p@proxy.example:1".parse().ok());
        let whole = instructions(&format!("method=POST; limits=1,20,300; plain; local; call={id}"));
        let whole = whole.expect("all of it is known");
        assert_eq!((whole.call, whole.local, whole.plain), (Some(id), true, true));
        assert_eq!(whole.method, Some(Method::POST));
        let [connect, first_byte, between_bytes] = [1, 20, 300].map(Duration::from_millis);
        assert_eq!(whole.limits, Some(Limits { connect, first_byte, between_bytes, quirks: false }));
        for text in ["limits=1,2", "limits=1,2,3,4", "limits=1,,3", "method=A B", "plain=1"] {
            assert_eq!(instructions(text), Err(()), "{text:?}");
        }
        for text in ["", "call=x", "proxy", "proxy=", "proxy=ftp://p.example", "Local", "local=1", "local,local"] {
            assert_eq!(instructions(text), Err(()), "{text:?}");
        }
    }

    #[test]
    fn a_send_for_a_call_that_ended_is_refused() {
        let calls = Calls::default();
        let outbound = OutboundHttp::new(calls.clone(), net(), false);
        let id = Uuid::from_u128(3);
        let instructions = HostInstructions { call: Some(id), ..HostInstructions::default() };
        assert!(
            matches!(outbound.exchange(&instructions), Err(Error::InternalError(Some(text))) if text == "client closed")
        );
        let (method, uri) = (http::Method::POST, "/".parse().expect("a path"));
        let request = crate::call::Request { id, recorded: true, method, uri, bytes: 0 };
        let guard = calls.open(request, Arc::default());
        assert!(outbound.exchange(&instructions).is_ok());
        drop(guard);
        assert!(outbound.exchange(&instructions).is_err());
    }

    #[test]
    fn imitating_spin_a_head_that_is_late_is_told_in_spins_words() {
        assert!(matches!(Limits::of(None, false).late(), Error::HttpResponseTimeout));
        assert!(matches!(Limits::of(None, true).late(), Error::ConnectionReadTimeout));
    }

    #[test]
    fn imitating_spin_the_host_header_means_nothing_and_is_not_stripped() {
        let mut headers = HeaderMap::from_iter([(HOST_HEADER, http::HeaderValue::from_static("call=x"))]);
        let spin = OutboundHttp::new(Calls::default(), net(), true);
        assert!(spin.instructions(&mut headers).is_ok_and(|instructions| instructions.local));
        assert!(headers.contains_key(HOST_HEADER));
        let runner = OutboundHttp::new(Calls::default(), net(), false);
        assert!(runner.instructions(&mut headers).is_err());
        assert!(!headers.contains_key(HOST_HEADER));
    }
}
