//! Step 1 as far as it touches the world: a request's head, and its body when a step asks for it.
//!
//! The body is read only after the caller is known, so that nobody without a key can make an instance hold 32 MiB.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

use gateway_core::accept::BODY_BYTES_MAX;
use gateway_core::headers;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::state::State;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Method};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult};
use spin_sdk::wasip3::wit_future;

use crate::host::{self, Held};

/// A request whose body may not have been read yet.
pub(crate) struct Incoming {
    /// In capitals.
    pub(crate) method: String,
    /// Without query.
    pub(crate) path: String,
    /// What stands behind `?`.
    pub(crate) query: Option<String>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// The record's id: the runner's, else made here.
    pub(crate) id: String,
    /// Who is connected: the client or a proxy in front.
    pub(crate) peer: Option<IpAddr>,
    /// Wall clock at the start.
    pub(crate) at_ms: i64,
    /// Monotonic clock at the start.
    pub(crate) start_ms: u64,
    request: Cell<Option<types::Request>>,
}

/// A body, and its share of what the instance may hold.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    _held: Held,
}

/// A body that is not read here: its bytes, and its end.
pub(crate) type Contents = (StreamReader<u8>, FutureReader<Result<Option<types::Trailers>, ErrorCode>>);

impl Incoming {
    /// Reads the head.
    pub(crate) fn read(request: types::Request) -> Self {
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
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target, None),
        };
        let headers = request.get_headers().copy_all();
        let at_ms = host::unix_ms();
        let mut incoming = Incoming {
            method,
            path,
            query,
            headers,
            id: String::new(),
            peer: None,
            at_ms,
            start_ms: host::now_ms(),
            request: Cell::new(Some(request)),
        };
        // Spin puts its own header last and does not strip a client's, so the last one is the true one.
        incoming.peer = incoming.header_last("spin-client-addr").and_then(parse_address);
        incoming.id = match incoming.header("x-llmio-call").filter(|_| host::is_runner()) {
            Some(id) => id.to_owned(),
            None => new_id(at_ms),
        };
        incoming
    }

    /// The first value of a header, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        headers::text(&self.headers, name)
    }

    fn header_last(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().rfind(|(header, _)| header == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The length of the body, where it is told.
    pub(crate) fn announced(&self) -> Option<usize> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The body as it comes, once, for whoever passes it on. A second time there is none.
    pub(crate) fn contents(&self) -> Option<Contents> {
        let (_result, result_reader) = wit_future::new(|| Ok(()));
        self.request.take().map(|request| types::Request::consume_body(request, result_reader))
    }

    /// Reads the whole body, once. A second time it is empty.
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
        let mut held = Held::none();
        let Some((stream, trailers)) = self.contents() else { return Ok(Body { bytes: Vec::new(), _held: held }) };
        let bytes = collect(stream, trailers, announced, &mut held).await?;
        Ok(Body { bytes, _held: held })
    }
}

/// What is reserved before the first byte has come. More than most bodies; an announced length alone must not hold 32
/// MiB of what an instance may hold, for a client that then sends nothing.
const FIRST_BYTES: usize = 64 << 10;

/// With a known length the end is where the length says, and neither the stream's end nor the trailers, which would
/// cost a suspension each, are waited for.
async fn collect(
    mut stream: StreamReader<u8>,
    trailers: FutureReader<Result<Option<types::Trailers>, ErrorCode>>,
    announced: Option<usize>,
    held: &mut Held,
) -> Result<Vec<u8>, Refusal> {
    let mut bytes: Vec<u8> = Vec::new();
    let first = announced.unwrap_or(8 << 10).clamp(1, FIRST_BYTES);
    grow(&mut bytes, first, held)?;
    loop {
        if announced == Some(bytes.len()) {
            return Ok(bytes);
        }
        if bytes.len() == bytes.capacity() {
            let left = announced.map_or(usize::MAX, |announced| announced - bytes.len());
            let more = bytes.len().max(16 << 10).min(left);
            grow(&mut bytes, more, held)?;
        }
        let (result, read) = stream.read(bytes).await;
        bytes = read;
        if bytes.len() > BODY_BYTES_MAX {
            return Err(Refusal::too_large(BODY_BYTES_MAX));
        }
        if !matches!(result, StreamResult::Complete(_)) {
            break;
        }
    }
    match trailers.await {
        Ok(_) if announced.is_none_or(|announced| announced == bytes.len()) => Ok(bytes),
        Ok(_) | Err(ErrorCode::HttpRequestBodySize(_)) if bytes.len() >= BODY_BYTES_MAX => {
            Err(Refusal::too_large(BODY_BYTES_MAX))
        }
        Ok(_) => Err(unfinished(&ErrorCode::ConnectionTerminated)),
        Err(code) => Err(unfinished(&code)),
    }
}

/// Why a client's body did not come as a whole, in the host's words. It is the client's doing whatever they are.
pub(crate) fn unfinished(code: &ErrorCode) -> Refusal {
    match code {
        ErrorCode::ConnectionReadTimeout => Refusal::too_slow(),
        ErrorCode::HttpProtocolError => {
            Refusal::bad_request("The body is not framed as HTTP frames bodies. Send it again.")
        }
        _ => {
            let said = "The body ended before its announced end. Send it again.";
            Refusal::bad_request(said).ended(State::ClientClosed)
        }
    }
}

fn grow(bytes: &mut Vec<u8>, more: usize, held: &mut Held) -> Result<(), Refusal> {
    held.grow(more)?;
    bytes.try_reserve_exact(more).map_err(|_| {
        Refusal::unavailable("busy", "There is no memory for the body right now. Try again in a second.").after(1)
    })
}

/// A UUID v7: sorts by time, so records do too.
fn new_id(at_ms: i64) -> String {
    let mut bytes = [0u8; 10];
    let (high, low) = (host::draw().to_le_bytes(), host::draw().to_le_bytes());
    bytes.iter_mut().zip(high.into_iter().chain(low)).for_each(|(to, from)| *to = from);
    let millis = u64::try_from(at_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse()).ok()
}

/// Whether a browser asks for a page if it may send a request.
pub(crate) fn is_preflight(incoming: &Incoming) -> bool {
    incoming.method == "OPTIONS" && incoming.header("access-control-request-method").is_some()
}

/// The answer to a CORS preflight. Data routes may be called from any page: the key is what protects them, and a
/// browser sends none on its own.
pub(crate) fn preflight(incoming: &Incoming) -> Reply {
    let asked = incoming.header("access-control-request-headers").unwrap_or("authorization, content-type");
    Reply { status: 204, headers: Vec::new(), body: Vec::new() }
        .with("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        .with("access-control-allow-headers", asked)
        .with("access-control-max-age", "86400")
        .with("vary", "access-control-request-headers")
}
