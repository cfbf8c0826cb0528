//! Step 1 of the line as far as it needs the host: reading the head of a request, and its body once a step asks for it.
//!
//! The body is read only after the caller is known, so that nobody without a key can make an instance hold 32 MiB.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use gateway_core::accept::browser::Visit;
use gateway_core::accept::{BODY_BYTES_MAX, client_address, is_own};
use gateway_core::authenticate::{self, Caller};
use gateway_core::carry::Request;
use gateway_core::catalog::{Catalog, Network};
use gateway_core::clock::Now;
use gateway_core::headers;
use gateway_core::memory;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Method};
use spin_sdk::wasip3::wit_future;

use crate::carry::Call;
use crate::hold::{HeldBytes, Holder, TURN_MS_MAX};
use crate::host::{self, body};
use crate::instance::Instance;
use crate::store::wrong_credentials;

/// A request whose body may not have been read yet.
pub(crate) struct Incoming {
    /// The method in capitals.
    pub(crate) method: String,
    /// The path without the query, and without the base path.
    pub(crate) path: String,
    /// What that is, for messages that name a path.
    pub(crate) base_path: Rc<str>,
    /// What follows `?` in the request target.
    pub(crate) query: Option<String>,
    /// The host that the request names. It may not have been read of requests that are not to the admin API or the
    /// console.
    authority: Option<String>,
    /// The headers, their names in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The id of the call and its record: the runner's, or one made here.
    pub(crate) id: String,
    /// The address that is connected: the client's, or that of a proxy in front.
    pub(crate) peer: Option<IpAddr>,
    /// When the request came.
    pub(crate) at: Now,
    /// The monotonic clock when the request came.
    pub(crate) start_ms: u64,
    /// The memory that the request takes.
    pub(crate) holder: Holder,
    request: Cell<Option<types::Request>>,
    /// The body, if it came with the head or was made here.
    carried: Cell<Option<Vec<u8>>>,
}

/// A body, and the memory that it takes.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) held: HeldBytes,
}

impl Incoming {
    /// Reads the head of a request. If the request crosses as a message, there is the key of its answer too.
    pub(crate) async fn read(instance: &Rc<Instance>, request: types::Request) -> (Self, Option<Call>) {
        let target = request.get_path_with_query().unwrap_or_default();
        let carried = match &instance.carrier {
            Some(carrier) => carrier.request(&target).await,
            None => None,
        };
        let (call, head) = match carried {
            Some((call, head)) => (Some(call), head),
            None => (None, read_head(&request, target, &instance.host.base_path)),
        };
        (Incoming::of(instance, head, request), call)
    }

    fn of(instance: &Rc<Instance>, head: Request, request: types::Request) -> Self {
        let Request { method, target, authority, headers, body } = head;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target, None),
        };
        // A proxy in front may have taken it away.
        let base_path = instance.host.base_path.clone();
        let path = match uri::without_base(&path, &base_path) {
            Some(rest) => rest.to_owned(),
            None => path,
        };
        let at = host::now();
        let mut incoming = Incoming {
            method,
            path,
            base_path,
            query,
            authority: Some(authority).filter(|authority| !authority.is_empty()),
            headers,
            id: String::new(),
            peer: None,
            at,
            start_ms: host::now_ms(),
            holder: Holder::new(instance),
            request: Cell::new(Some(request)),
            carried: Cell::new(body),
        };
        // Spin puts its own header last and does not strip a client's, so the last one is the true one.
        incoming.peer = incoming.header_last("spin-client-addr").and_then(parse_address);
        incoming.id = match incoming.header("x-llmio-call").filter(|_| instance.host.names_calls) {
            Some(id) => id.to_owned(),
            None => new_id(instance, at.wall_ms),
        };
        incoming
    }

    /// The request that this one asks for in the name of its caller: another body in JSON and another query, and nothing of
    /// what a browser adds.
    pub(crate) fn asking(&self, instance: &Rc<Instance>, query: Option<String>, body: Vec<u8>) -> Self {
        const NOT_OURS: [&str; 5] = ["accept", "content-encoding", "content-length", "content-type", "cookie"];
        let kept = self.headers.iter().filter(|(name, _)| !NOT_OURS.contains(&name.as_str()));
        let mut headers: Vec<(String, Vec<u8>)> = kept.cloned().collect();
        headers.push(("content-type".to_owned(), b"application/json".to_vec()));
        headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
        Incoming {
            method: self.method.clone(),
            path: self.path.clone(),
            base_path: self.base_path.clone(),
            query,
            authority: self.authority.clone(),
            headers,
            id: self.id.clone(),
            peer: self.peer,
            at: self.at,
            start_ms: self.start_ms,
            holder: Holder::new(instance),
            request: Cell::new(None),
            carried: Cell::new(Some(body)),
        }
    }

    /// The first value of a header, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        headers::text(&self.headers, name)
    }

    /// What a browser says about where the request comes from.
    pub(crate) fn visit<'a>(&'a self, public_url: &'a str) -> Visit<'a> {
        Visit {
            method: &self.method,
            path: &self.path,
            authority: self.authority.as_deref(),
            origin: self.header("origin"),
            fetch_site: self.header("sec-fetch-site"),
            public_url,
        }
    }

    /// The host that a request to the admin API or the console names, with its port.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    fn header_last(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().rfind(|(header, _)| header == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The length of the body, if the request tells it.
    pub(crate) fn announced(&self) -> Option<usize> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The body as a stream, to be passed on. It is given once; afterwards there is none.
    pub(crate) fn contents(&self) -> Option<body::Reader> {
        if let Some(bytes) = self.carried() {
            let (writer, reader) = body::passed_on();
            host::spawn(async move {
                writer.give(bytes).await;
            });
            return Some(reader);
        }
        let (_result, result_reader) = wit_future::new(|| Ok(()));
        let request = self.request.take()?;
        Some(body::Reader::of(types::Request::consume_body(request, result_reader)))
    }

    /// The body, if it is here. Nothing more is read of the request then.
    fn carried(&self) -> Option<Vec<u8>> {
        let bytes = self.carried.take()?;
        drop(self.request.take());
        Some(bytes)
    }

    /// Reads the whole body. A second call returns an empty one.
    pub(crate) async fn body(&self) -> Result<Body, Refusal> {
        if let Some(encoding) =
            self.header("content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
        {
            return Err(Refusal::unsupported_encoding(encoding));
        }
        let announced = self.announced();
        if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
            return Err(Refusal::too_large(BODY_BYTES_MAX));
        }
        self.holder.expects(announced);
        let mut held = self.holder.nothing();
        if let Some(bytes) = self.carried() {
            if !held.set_in_turn(bytes.capacity(), TURN_MS_MAX).await {
                return Err(Refusal::no_room());
            }
            return Ok(Body { bytes, held });
        }
        let Some(contents) = self.contents() else { return Ok(Body { bytes: Vec::new(), held }) };
        let bytes = collect(contents, announced, &mut held).await?;
        Ok(Body { bytes, held })
    }
}

/// Reads the head of a request from the host, part by part.
fn read_head(request: &types::Request, target: String, base_path: &str) -> Request {
    let method = match request.get_method() {
        Method::Get => "GET".into(),
        Method::Head => "HEAD".into(),
        Method::Post => "POST".into(),
        Method::Put => "PUT".into(),
        Method::Delete => "DELETE".into(),
        Method::Connect => "CONNECT".into(),
        Method::Options => "OPTIONS".into(),
        Method::Trace => "TRACE".into(),
        Method::Patch => "PATCH".into(),
        Method::Other(name) => name,
    };
    let path = target.split_once('?').map_or(&*target, |(path, _)| path);
    // It is only needed of requests to the admin API or the console, and every question to the host costs time.
    let is_asked = is_own(uri::without_base(path, base_path).unwrap_or(path));
    let authority = if is_asked { request.get_authority().unwrap_or_default() } else { String::new() };
    Request { method, authority, headers: request.get_headers().copy_all(), body: None, target }
}

/// How much memory is reserved before the first byte has come. Most bodies are smaller. A length that is only announced
/// must not reserve 32 MiB for a client that then sends nothing.
const FIRST_BYTES: usize = 64 << 10;

/// Collects the body. If its length is known, reading stops there, without waiting for the end of the stream or for
/// trailers, which would cost one suspension each.
async fn collect(
    mut contents: body::Reader,
    announced: Option<usize>,
    held: &mut HeldBytes,
) -> Result<Vec<u8>, Refusal> {
    let mut bytes: Vec<u8> = Vec::new();
    let first = announced.unwrap_or(8 << 10).clamp(1, FIRST_BYTES);
    grow(&mut bytes, first, held).await?;
    loop {
        if announced == Some(bytes.len()) {
            return Ok(bytes);
        }
        if bytes.len() == bytes.capacity() {
            let left = announced.map_or(usize::MAX, |announced| announced - bytes.len());
            let more = memory::growth(bytes.len()).min(left);
            grow(&mut bytes, more, held).await?;
        }
        let (is_more, read) = contents.read(bytes).await;
        bytes = read;
        if bytes.len() > BODY_BYTES_MAX {
            return Err(Refusal::too_large(BODY_BYTES_MAX));
        }
        if !is_more {
            break;
        }
    }
    let end = contents.end().await;
    match (end.unfinished(announced.is_some()), end.into_result()) {
        (None, _) if announced.is_none_or(|announced| announced == bytes.len()) => Ok(bytes),
        (None, _) | (_, Err(ErrorCode::HttpRequestBodySize(_))) if bytes.len() >= BODY_BYTES_MAX => {
            Err(Refusal::too_large(BODY_BYTES_MAX))
        }
        (None, _) => Err(body::broken_off()),
        (Some(refusal), _) => Err(refusal),
    }
}

/// Waits for the body's turn if there is no room for more of it now. Nothing is read from the client meanwhile.
async fn grow(bytes: &mut Vec<u8>, more: usize, held: &mut HeldBytes) -> Result<(), Refusal> {
    let has_room = held.set_in_turn(held.bytes() + more, TURN_MS_MAX).await;
    if has_room && bytes.try_reserve_exact(more).is_ok() { Ok(()) } else { Err(Refusal::no_room()) }
}

/// A UUID of version 7, so that records sort by time.
fn new_id(instance: &Instance, at_ms: i64) -> String {
    let mut bytes = [0u8; 10];
    let (high, low) = (instance.random.draw().to_le_bytes(), instance.random.draw().to_le_bytes());
    bytes.iter_mut().zip(high.into_iter().chain(low)).for_each(|(to, from)| *to = from);
    let millis = u64::try_from(at_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse()).ok()
}

/// Whether this is a preflight: a browser's question whether a page may send a request.
pub(crate) fn is_preflight(incoming: &Incoming) -> bool {
    incoming.method == "OPTIONS" && incoming.header("access-control-request-method").is_some()
}

/// The answer to a CORS preflight. Data routes may be called from any page, since they are protected by keys, and a
/// browser never adds a key by itself.
pub(crate) fn preflight(incoming: &Incoming) -> Reply {
    let requested = incoming.header("access-control-request-headers").unwrap_or("authorization, content-type");
    Reply { status: 204, headers: Vec::new(), body: Vec::new() }
        .with("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        .with("access-control-allow-headers", requested)
        .with("access-control-max-age", "86400")
        .with("vary", "access-control-request-headers")
}

/// Refuses a key that may not be used from where its caller is.
pub(crate) fn check_address(incoming: &Incoming, caller: &Caller, catalog: &Catalog) -> Result<(), Refusal> {
    let address = || client_address(incoming.peer, &incoming.headers, &catalog.settings.trusted_proxies);
    // Most keys may be used from anywhere, and then nobody looks where that is.
    match caller {
        Caller::Key(_) => authenticate::check_address(caller, catalog, address()),
        Caller::Anyone | Caller::Admin => Ok(()),
    }
}

/// Counts a wrong credential, and refuses its address for longer once there were too many. Behind a trusted proxy this
/// is the address of the client, so that one client that guesses does not lock out the others.
pub(crate) async fn throttle(
    instance: &Instance,
    incoming: &Incoming,
    trusted: &[Network],
    refusal: Refusal,
) -> Refusal {
    let Some(address) = client_address(incoming.peer, &incoming.headers, trusted) else { return refusal };
    let stored = match instance.host.is_one_process {
        true => None,
        false => Box::pin(wrong_credentials::failed(instance, address, incoming.at.steady_ms)).await.ok(),
    };
    // Without a database each instance counts for itself.
    match stored.unwrap_or_else(|| instance.throttle.borrow_mut().failed(address, incoming.at.steady_ms)) {
        Ok(()) => refusal,
        Err(wait_s) => Refusal::throttled(wait_s),
    }
}
