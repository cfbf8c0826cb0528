//! Requests and responses, in both directions.

use std::cell::{Cell, RefCell};
use std::future::Future;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    self, ErrorCode, HeaderError, IncomingBody, IncomingRequest, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme, http_error_code,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::pipe::{FutureReader, Later, StreamReader, StreamResult};
use crate::tasks;

/// How much is read at a time of what is handed to the host.
const BUFFER_BYTES: usize = 16 << 10;

/// Trailers, of which nobody here makes any.
pub struct Trailers;

/// How a body ended.
type Ending = Result<Option<Trailers>, ErrorCode>;

/// Headers.
pub struct Fields(types::Fields);

impl Fields {
    /// No headers.
    #[allow(clippy::new_without_default, reason = "named as in WASI")]
    pub fn new() -> Self {
        Fields(types::Fields::new())
    }

    /// These headers, if the host takes them all.
    pub fn from_list(list: &[(String, Vec<u8>)]) -> Result<Self, HeaderError> {
        types::Fields::from_list(list).map(Fields)
    }

    /// Adds a header.
    pub fn append(&self, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        self.0.append(name, value)
    }

    /// All of them.
    pub fn copy_all(&self) -> Vec<(String, Vec<u8>)> {
        self.0.entries()
    }
}

/// Time limits of a request.
pub struct RequestOptions(types::RequestOptions);

impl RequestOptions {
    /// The host's own limits.
    #[allow(clippy::new_without_default, reason = "named as in WASI")]
    pub fn new() -> Self {
        RequestOptions(types::RequestOptions::new())
    }

    /// Limits the time until there is a connection.
    pub fn set_connect_timeout(&self, nanos: Option<u64>) -> Result<(), ()> {
        self.0.set_connect_timeout(nanos)
    }

    /// Limits the time until the answer begins.
    pub fn set_first_byte_timeout(&self, nanos: Option<u64>) -> Result<(), ()> {
        self.0.set_first_byte_timeout(nanos)
    }

    /// Limits each silence within the answer.
    pub fn set_between_bytes_timeout(&self, nanos: Option<u64>) -> Result<(), ()> {
        self.0.set_between_bytes_timeout(nanos)
    }
}

/// What is sent with a request besides its head.
struct Outgoing {
    contents: Option<StreamReader<u8>>,
    ending: FutureReader<Ending>,
    options: Option<RequestOptions>,
}

enum RequestKind {
    In(IncomingRequest),
    Out(OutgoingRequest, RefCell<Option<Outgoing>>),
}

/// A request, a client's or one of the component's own.
pub struct Request(RequestKind);

impl Request {
    /// A request of the component's own.
    pub fn new(
        fields: Fields,
        contents: Option<StreamReader<u8>>,
        ending: FutureReader<Ending>,
        options: Option<RequestOptions>,
    ) -> (Self, ()) {
        let rest = RefCell::new(Some(Outgoing { contents, ending, options }));
        (Request(RequestKind::Out(OutgoingRequest::new(fields.0), rest)), ())
    }

    fn outgoing(&self) -> Result<&OutgoingRequest, ()> {
        match &self.0 {
            RequestKind::Out(request, _) => Ok(request),
            RequestKind::In(_) => Err(()),
        }
    }

    /// Sets the method.
    pub fn set_method(&self, method: &Method) -> Result<(), ()> {
        self.outgoing()?.set_method(method)
    }

    /// Sets the scheme.
    pub fn set_scheme(&self, scheme: Option<&Scheme>) -> Result<(), ()> {
        self.outgoing()?.set_scheme(scheme)
    }

    /// Sets host and port.
    pub fn set_authority(&self, authority: Option<&str>) -> Result<(), ()> {
        self.outgoing()?.set_authority(authority)
    }

    /// Sets the path and the query.
    pub fn set_path_with_query(&self, path: Option<&str>) -> Result<(), ()> {
        self.outgoing()?.set_path_with_query(path)
    }

    /// The method.
    pub fn get_method(&self) -> Method {
        match &self.0 {
            RequestKind::In(request) => request.method(),
            RequestKind::Out(request, _) => request.method(),
        }
    }

    /// The path and the query.
    pub fn get_path_with_query(&self) -> Option<String> {
        match &self.0 {
            RequestKind::In(request) => request.path_with_query(),
            RequestKind::Out(request, _) => request.path_with_query(),
        }
    }

    /// Host and port.
    pub fn get_authority(&self) -> Option<String> {
        match &self.0 {
            RequestKind::In(request) => request.authority(),
            RequestKind::Out(request, _) => request.authority(),
        }
    }

    /// The headers.
    pub fn get_headers(&self) -> Fields {
        Fields(match &self.0 {
            RequestKind::In(request) => request.headers(),
            RequestKind::Out(request, _) => request.headers(),
        })
    }

    /// The body of a client's request, which is there once.
    pub fn consume_body(
        self,
        _result: FutureReader<Result<(), ErrorCode>>,
    ) -> (StreamReader<u8>, FutureReader<Ending>) {
        match self.0 {
            RequestKind::In(request) => contents(request.consume().ok()),
            RequestKind::Out(..) => contents(None),
        }
    }
}

enum ResponseKind {
    In(IncomingResponse),
    Out { fields: Fields, status: Cell<u16>, contents: Option<StreamReader<u8>>, ending: FutureReader<Ending> },
}

/// A response, a provider's or the component's own.
pub struct Response(ResponseKind);

impl Response {
    /// A response of the component's own, with the status 200.
    pub fn new(fields: Fields, contents: Option<StreamReader<u8>>, ending: FutureReader<Ending>) -> (Self, ()) {
        (Response(ResponseKind::Out { fields, status: Cell::new(200), contents, ending }), ())
    }

    /// Sets the status.
    pub fn set_status_code(&self, code: u16) -> Result<(), ()> {
        match &self.0 {
            ResponseKind::Out { status, .. } => {
                status.set(code);
                Ok(())
            }
            ResponseKind::In(_) => Err(()),
        }
    }

    /// The status.
    pub fn get_status_code(&self) -> u16 {
        match &self.0 {
            ResponseKind::In(response) => response.status(),
            ResponseKind::Out { status, .. } => status.get(),
        }
    }

    /// The headers.
    pub fn get_headers(&self) -> Fields {
        Fields(match &self.0 {
            ResponseKind::In(response) => response.headers(),
            ResponseKind::Out { fields, .. } => fields.0.clone(),
        })
    }

    /// The body of a provider's response, which is there once.
    pub fn consume_body(
        self,
        _result: FutureReader<Result<(), ErrorCode>>,
    ) -> (StreamReader<u8>, FutureReader<Ending>) {
        match self.0 {
            ResponseKind::In(response) => contents(response.consume().ok()),
            ResponseKind::Out { .. } => contents(None),
        }
    }
}

/// A body that the host reads for the component.
pub(crate) struct IncomingStream {
    /// Before its body, since the host wants it dropped first.
    stream: Option<InputStream>,
    ending: Later<Ending>,
    _body: Option<IncomingBody>,
}

fn contents(body: Option<IncomingBody>) -> (StreamReader<u8>, FutureReader<Ending>) {
    let ending = Later::empty();
    let stream = body.as_ref().and_then(|body| body.stream().ok());
    if stream.is_none() {
        ending.fill(Ok(None));
    }
    (StreamReader::of_host(IncomingStream { stream, ending: ending.clone(), _body: body }), FutureReader(ending))
}

impl IncomingStream {
    pub(crate) async fn read(&mut self, buffer: &mut Vec<u8>, room: usize) -> StreamResult {
        let length = u64::try_from(room).unwrap_or(u64::MAX);
        let end = loop {
            let Some(stream) = &self.stream else { return StreamResult::Dropped };
            match stream.read(length) {
                Ok(bytes) if bytes.is_empty() => tasks::ready(stream.subscribe()).await,
                Ok(bytes) => {
                    buffer.extend_from_slice(&bytes);
                    return StreamResult::Complete(bytes.len());
                }
                Err(StreamError::Closed) => break Ok(None),
                Err(StreamError::LastOperationFailed(error)) => {
                    break Err(http_error_code(&error).unwrap_or_else(|| unnamed(&error.to_debug_string())));
                }
            }
        };
        self.stream = None;
        self.ending.fill(end);
        StreamResult::Dropped
    }
}

/// The code of an error that the host only puts into words, as wasmtime 48 does with what a host's own client reports.
fn unnamed(message: &str) -> ErrorCode {
    let is_late = ["ConnectionReadTimeout", "connection read timeout"].iter().any(|words| message.contains(words));
    if is_late { ErrorCode::ConnectionReadTimeout } else { ErrorCode::HttpProtocolError }
}

impl Drop for IncomingStream {
    /// Whoever drops a body does not want to know how it would have ended.
    fn drop(&mut self) {
        self.stream = None;
        self.ending.fill(Ok(None));
    }
}

/// A body whose first piece has been read.
struct Begun {
    from: StreamReader<u8>,
    first: (StreamResult, Vec<u8>),
}

impl Begun {
    /// Reads the first piece; `None` if there is nothing to read.
    async fn of(contents: Option<StreamReader<u8>>) -> Option<Self> {
        let mut from = contents?;
        let first = from.read(Vec::with_capacity(BUFFER_BYTES)).await;
        let is_empty = first.0 == StreamResult::Dropped && first.1.is_empty();
        (!is_empty).then_some(Begun { from, first })
    }
}

/// Hands a body to the host. Returns `false` if nobody takes it any more.
async fn pump(Begun { mut from, first }: Begun, to: &OutputStream) -> bool {
    let (mut result, mut buffer) = first;
    loop {
        let mut rest = buffer.as_slice();
        while !rest.is_empty() {
            let Some(room) = room(to).await else { return false };
            let (now, later) = rest.split_at(rest.len().min(room));
            if to.write(now).is_err() {
                return false;
            }
            rest = later;
        }
        // What was written goes out before anything else is waited for: a stream's client waits for each event.
        if !buffer.is_empty() && (to.flush().is_err() || room(to).await.is_none()) {
            return false;
        }
        if result == StreamResult::Dropped {
            return true;
        }
        buffer.clear();
        (result, buffer) = from.read(buffer).await;
    }
}

/// How many bytes the host takes, as soon as it takes any.
async fn room(to: &OutputStream) -> Option<usize> {
    loop {
        match to.check_write() {
            Ok(0) => tasks::ready(to.subscribe()).await,
            Ok(room) => return Some(usize::try_from(room).unwrap_or(usize::MAX)),
            Err(_) => return None,
        }
    }
}

/// Hands a body to the host. Returns whether it ended as it should.
async fn give(body: &OutgoingBody, contents: Option<Begun>, ending: FutureReader<Ending>) -> bool {
    let is_whole = match (contents, body.write()) {
        (None, _) => true,
        (Some(contents), Ok(stream)) => pump(contents, &stream).await,
        (Some(_), Err(())) => false,
    };
    is_whole && ending.await.is_ok()
}

/// Tells the host how a body ended: one that is dropped has an unclean end.
fn end(body: OutgoingBody, is_whole: bool) {
    if is_whole {
        // An error here means that its length was not the announced one, and the host has cut it.
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Sends a request and waits for the head of its response.
pub async fn send(request: Request) -> Result<Response, ErrorCode> {
    let RequestKind::Out(request, rest) = request.0 else { return Err(ErrorCode::InternalError(None)) };
    let Some(Outgoing { contents, ending, options }) = rest.take() else { return Err(ErrorCode::InternalError(None)) };
    // A body that is asked for is one that comes in chunks, which a request without any must not have.
    let contents = Begun::of(contents).await;
    let body = contents.as_ref().map(|_| request.body()).transpose().map_err(|()| ErrorCode::InternalError(None))?;
    let answer = outgoing_handler::handle(request, options.map(|options| options.0))?;
    if let Some(body) = body {
        tasks::spawn(async move {
            let is_whole = give(&body, contents, ending).await;
            end(body, is_whole);
        });
    }
    tasks::ready(answer.subscribe()).await;
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(Response(ResponseKind::In(response))),
        Some(Ok(Err(code))) => Err(code),
        Some(Err(())) | None => Err(ErrorCode::InternalError(None)),
    }
}

/// The component's handler of requests.
pub trait Guest {
    /// Answers a request.
    fn handle(request: Request) -> impl Future<Output = Result<Response, ErrorCode>>;
}

/// Answers the one request of this instance, and does what is left to do behind the answer.
pub fn serve<G: Guest + 'static>(request: IncomingRequest, out: ResponseOutparam) {
    tasks::spawn(async move {
        let answered = G::handle(Request(RequestKind::In(request))).await;
        tasks::at_rest().await;
        match answered {
            Ok(response) => respond(response, out).await,
            Err(code) => ResponseOutparam::set(out, Err(code)),
        }
        tasks::answered();
    });
    tasks::run();
}

async fn respond(response: Response, out: ResponseOutparam) {
    let ResponseKind::Out { fields, status, contents, ending } = response.0 else {
        return ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
    };
    let response = OutgoingResponse::new(fields.0);
    // A host only refuses a status outside 100 to 999. Then it stays 200.
    let _ = response.set_status_code(status.get());
    let body = response.body();
    ResponseOutparam::set(out, Ok(response));
    if let Ok(body) = body {
        let is_whole = give(&body, Begun::of(contents).await, ending).await;
        tasks::at_rest().await;
        end(body, is_whole);
    }
}
