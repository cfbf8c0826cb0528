//! Clients: connections, and what a request looks like when the component sees it. HTTP/1.1 only; h2 stays off towards
//! clients until it is proven against header bombs, and proxies in front speak HTTP/1.1 anyway.

mod activity;
mod admission;
mod body;
mod head_refusal;
mod refusal;
mod stream;
mod upload;

pub(crate) use activity::ClientLimits;
pub(crate) use admission::{Admission, ConnectionLimits};
pub(crate) use body::{RequestBody, ResponseBody};
pub(crate) use refusal::{Refusal, Refusals};

use crate::admin;
use crate::call;
use crate::descriptors;
use crate::framing;
use crate::gateway::{Phase, Stores};
use crate::hop_by_hop::strip_nominated;
use crate::instance::{Answer, Dispatch, Fault, Instances};
use crate::log;
use activity::{Activity, ActivityCheck};
use admission::AdmittedConnection;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stream::ClientStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use upload::Upload;
use uuid::Uuid;

const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 128;
/// A listener without free descriptors fails at once, again and again; this keeps it from spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often it is told that no connection is accepted.
const TELL_PAUSE_EVERY: Duration = Duration::from_secs(10);
/// A client that is turned away has so long to say what it wants and to hear why not.
const TURN_AWAY_MAX: Duration = Duration::from_secs(2);

/// Shares of the 2 s within which a process ends after the cut; the rest is for the records.
const REPORTS_MAX: Duration = Duration::from_millis(500);
const ERROR_EVENTS_MAX: Duration = Duration::from_secs(1);

const CALL_HEADER: HeaderName = HeaderName::from_static("x-llmio-call");
const HOST_HEADER: HeaderName = HeaderName::from_static("x-llmio-host");
const CLIENT_HEADER: HeaderName = HeaderName::from_static("spin-client-addr");

/// Accepts and serves until the phase is `Draining`, then waits for what is in flight. `Cut` ends that too.
pub(crate) async fn listen(
    listener: TcpListener,
    instances: Instances,
    limits: ClientLimits,
    mut phase: watch::Receiver<Phase>,
) {
    let mut connections = JoinSet::new();
    let mut door = AcceptFailureLog::default();
    while *phase.borrow_and_update() == Phase::Running {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted.and_then(checked) {
                Ok((stream, peer)) => match instances.stores().admission.admit(peer.ip()) {
                    Some(place) => {
                        let serve = serve(stream, peer, instances.clone(), limits, phase.clone());
                        connections.spawn(async move {
                            serve.await;
                            drop(place);
                        });
                    }
                    None => {
                        // With no place left to tell it, a connection is closed without a word.
                        if let Some(place) = instances.stores().admission.tell() {
                            connections.spawn(turn_away(stream, instances.stores().clone(), place));
                        }
                    }
                },
                Err(error) => {
                    instances.stores().counters.accept_paused();
                    door.tell(&error);
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = phase.changed() => {}
        }
    }
    drop(listener);
    loop {
        tokio::select! {
            ended = connections.join_next() => if ended.is_none() { return },
            _ = phase.wait_for(|phase| *phase == Phase::Cut) => break,
        }
    }
    cut(connections, &instances).await;
}

/// When a listener last told that it accepts no connection.
#[derive(Default)]
struct AcceptFailureLog {
    told_at: Option<Instant>,
}

impl AcceptFailureLog {
    /// The connection, unless it took a descriptor that is kept for others; then it is closed.
    fn tell(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.told_at.is_none_or(|told_at| now - told_at >= TELL_PAUSE_EVERY) {
            self.told_at = Some(now);
            log::warn(format_args!("no connection can be accepted for a moment: {error}"));
        }
    }
}

/// The connection, unless it took a descriptor that is kept for others; then it is closed.
fn checked(accepted: (TcpStream, SocketAddr)) -> io::Result<(TcpStream, SocketAddr)> {
    if descriptors::is_reserved(&accepted.0) {
        return Err(io::Error::other("nearly all file descriptors are taken; allow more (`ulimit -n`)"));
    }
    Ok(accepted)
}

/// Tells a client why it is not served, whatever it asks for.
async fn turn_away(stream: TcpStream, stores: Arc<Stores>, _place: AdmittedConnection) {
    let service = service_fn(|request: Request<Incoming>| {
        let mut response = stores.refusals.answer(Refusal::Busy, request.uri().path(), new_id());
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    // Whether it heard is its own business.
    let _ = timeout(TURN_AWAY_MAX, http.serve_connection(TokioIo::new(stream), service)).await;
}

/// Ends what is in flight: each call's upstream first, which the component tells the client as an error event, then the
/// connections whose clients did not take that in time.
async fn cut(mut connections: JoinSet<()>, instances: &Instances) {
    let cut = instances.live_calls();
    instances.drain_calls();
    let all_ended = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(ERROR_EVENTS_MAX, all_ended).await;
    // Dropping a connection closes it unfinished: no client takes its answer for complete.
    connections.shutdown().await;
    // Last: the component records most of them itself, and knows more of them.
    let _ = timeout(REPORTS_MAX, admin::report_ended(instances, &cut, "drained")).await;
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    instances: Instances,
    limits: ClientLimits,
    phase: watch::Receiver<Phase>,
) {
    // Head and first event leave in separate writes; without this the second waits for the client's ACK.
    let _ = stream.set_nodelay(true);
    let client = HeaderValue::try_from(peer.to_string()).ok();
    // By now the connection is closed, so that the component has seen its call end.
    if let Some(stalled) = serve_requests(stream, client, &instances, &limits, phase).await {
        admin::report_ended(&instances, &[stalled], "client_stalled").await;
    }
}

/// Serves until the connection ends. Returns the call whose client took nothing of its answer for too long.
async fn serve_requests(
    stream: TcpStream,
    client: Option<HeaderValue>,
    instances: &Instances,
    limits: &ClientLimits,
    phase: watch::Receiver<Phase>,
) -> Option<Uuid> {
    let activity = Activity::new(Instant::now());
    let service = service_fn(|request: Request<Incoming>| {
        let (instances, client, activity) = (instances.clone(), client.clone(), activity.clone());
        async move { Ok::<_, Infallible>(answer(&instances, request, client, &activity).await) }
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let io = TokioIo::new(ClientStream::new(stream, activity.clone(), instances.stores().clone()));
    let mut connection = pin!(http.serve_connection(io, service));
    let mut drain = pin!(drained(phase));
    let mut draining = false;
    let mut look = pin!(sleep(limits.look_every()));
    loop {
        tokio::select! {
            biased;
            // Errors here are the client's doing (it left, it sent nonsense); hyper has answered what can be answered.
            _ = connection.as_mut() => return None,
            () = drain.as_mut(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = look.as_mut() => match activity.look(limits, Instant::now()) {
                ActivityCheck::Again(at) => look.as_mut().reset(at),
                ActivityCheck::Late => return None,
                ActivityCheck::Stalled(call) => return call,
            },
        }
    }
}

async fn drained(mut phase: watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
}

async fn answer(
    instances: &Instances,
    request: Request<Incoming>,
    client: Option<HeaderValue>,
    activity: &Arc<Activity>,
) -> Response<ResponseBody> {
    let (mut head, body) = request.into_parts();
    let (id, refusals) = (new_id(), &instances.stores().refusals);
    strip_base(&mut head.uri, &instances.stores().base_path);
    if !names_one_host(&head) {
        return unread(refusals.answer(Refusal::HostMissing, head.uri.path(), id));
    }
    if framing::is_coded(&head.headers) {
        return unread(refusals.answer(Refusal::BodyCoded, head.uri.path(), id));
    }
    let quirks = instances.stores().quirks;
    if quirks && head.headers.values().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
        return bare_error();
    }
    let upload = (!quirks && !body.is_end_stream()).then(Upload::new);
    let service = activity.serve(upload.clone());
    shape(&mut head, id, client, quirks);
    let fault = if instances.stores().faults { Fault::take(&mut head.headers) } else { None };
    // What is relayed is held nowhere as a whole.
    let (mut body, bytes) = if is_relayed(&head) || quirks {
        (RequestBody::client(body, body::PASSED_ON, upload, quirks), 0)
    } else {
        let mut body = RequestBody::client(body, body::READ_BYTES_MAX, upload, quirks);
        let bytes = body.size().await;
        (body, bytes)
    };
    let (recorded, method, uri) = (may_have_record(&head), head.method.clone(), head.uri.clone());
    if recorded && instances.stores().memory.is_short_for(bytes) {
        if instances.stores().counters.turned_away() {
            log::warn(format_args!("memory is short: calls are answered 503 until others have ended"));
        }
        return unread(refusals.answer(Refusal::MemoryShort, uri.path(), id));
    }
    if instances.stores().carries && !head.headers.contains_key(header::EXPECT) {
        body.gather_small().await;
    }
    let request = call::Request { id, recorded, method, uri: uri.clone(), bytes };
    let answer = instances.send(Dispatch { request, head, body, is_report: false, fault }).await;
    respond(refusals, answer, uri.path(), id).map(|body| body.in_service(service).drops_at_errors(quirks))
}

/// What Spin says of a header that is not UTF-8 (`crates/trigger-http/src/headers.rs`), before any component sees it.
fn bare_error() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::text(String::new()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Takes off what stands before every path. A proxy in front may have done so already.
fn strip_base(uri: &mut Uri, base_path: &str) {
    let rest = uri.path().strip_prefix(base_path).filter(|_| !base_path.is_empty());
    let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) else { return };
    let path = if rest.is_empty() { "/" } else { rest };
    let text = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = text.parse().ok();
    if let Ok(stripped) = Uri::from_parts(parts) {
        *uri = stripped;
    }
}

/// Closes the connection after a refusal: a proxy in front of llmio may read such a request differently, and take the
/// rest of it for another request.
fn unread(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// As RFC 9112, section 3.2, wants it of every request, whatever else names the host. Older than HTTP/1.1 it may be
/// missing.
fn names_one_host(head: &Parts) -> bool {
    let mut hosts = head.headers.get_all(header::HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => head.version < Version::HTTP_11,
        (Some(host), None) if host.is_empty() => true,
        (Some(host), None) => Authority::try_from(host.as_bytes()).is_ok_and(|host| !host.as_str().contains('@')),
        (Some(_), Some(_)) => false,
    }
}

/// Whether a call may be one that is recorded: by the public API only a POST outside `/api` is, and whatever goes
/// through a relay.
fn may_have_record(head: &Parts) -> bool {
    let path = head.uri.path();
    is_relayed(head) || (head.method == Method::POST && path != "/api" && !path.starts_with("/api/"))
}

/// Whether a request is passed on as it comes.
fn is_relayed(head: &Parts) -> bool {
    ["/relay/", "/proxy/"].iter().any(|prefix| head.uri.path().starts_with(prefix))
}

/// What the client gets: the component's response, or what the host is to say where there is none.
pub(crate) fn respond(refusals: &Refusals, answer: Answer, path: &str, id: Uuid) -> Response<ResponseBody> {
    match answer {
        Answer::Response(response, guard) => response.map(|body| ResponseBody::guest(body, guard)),
        Answer::Failed(error) => {
            log::warn(format_args!("the component failed a request: {}", error.0));
            refusals.answer(Refusal::Failed, path, id)
        }
        Answer::Trapped => refusals.answer(Refusal::Trapped, path, id),
    }
}

/// Makes the head what the component may trust: the host's own headers come from the host, and the URI is whole.
pub(crate) fn shape(head: &mut Parts, id: Uuid, client: Option<HeaderValue>, quirks: bool) {
    head.uri = whole(std::mem::take(&mut head.uri), &head.headers);
    // Before the host adds its own, which no client may have taken away.
    if quirks {
        head.headers.remove(header::CONNECTION);
    } else {
        strip_nominated(&mut head.headers);
        strip_reserved(&mut head.headers);
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text: &str = id.hyphenated().encode_lower(&mut text);
        if let Ok(value) = HeaderValue::from_str(text) {
            head.headers.insert(CALL_HEADER, value);
        }
    }
    if let Some(client) = client {
        head.headers.append(CLIENT_HEADER, client);
    }
}

fn strip_reserved(headers: &mut HeaderMap) {
    headers.remove(HOST_HEADER);
    headers.remove(CALL_HEADER);
    if headers.keys().any(|name| name.as_str().starts_with("spin-")) {
        let names: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

/// wasmtime strips `host`, so the authority is how the component learns which name the client used.
fn whole(uri: Uri, headers: &HeaderMap) -> Uri {
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    if let Some(host) = headers.get(header::HOST) {
        parts.authority = Authority::try_from(host.as_bytes()).ok();
    }
    if parts.authority.is_none() {
        parts.authority = Some(Authority::from_static("localhost"));
    }
    // Such a path is one of the host's own; `carry` says what for.
    let target = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
    if !target.starts_with(['/', '*']) {
        parts.path_and_query = format!("/{target}").parse().ok();
    }
    Uri::from_parts(parts).unwrap_or_default()
}

/// A record's id: ordered by time, unique without any state.
pub(crate) fn new_id() -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(now.as_millis() as u64, &rand::random()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(request: http::request::Builder, quirks: bool) -> Parts {
        let (mut head, ()) = request.body(()).expect("the test's request is valid").into_parts();
        shape(&mut head, Uuid::from_u128(7), Some(HeaderValue::from_static("10.1.2.3:4")), quirks);
        head
    }

    fn forged() -> http::request::Builder {
        let request = Request::get("/v1/models?x=1").header("host", "gateway.example:7070");
        let request = request.header("x-llmio-host", "local").header("x-llmio-call", "forged");
        request.header("spin-client-addr", "1.1.1.1:1").header("Spin-Full-Url", "http://forged/")
    }

    #[test]
    fn headers_of_the_host_never_come_from_a_client() {
        let head = shaped(forged(), false);
        assert!(head.headers.get("x-llmio-host").is_none());
        assert!(head.headers.get("spin-full-url").is_none());
        assert_eq!(head.headers["x-llmio-call"], Uuid::from_u128(7).to_string());
        let clients: Vec<_> = head.headers.get_all("spin-client-addr").iter().collect();
        assert_eq!(clients, ["10.1.2.3:4"]);
    }

    #[test]
    fn imitating_spin_the_forged_client_address_stays_and_comes_first() {
        let head = shaped(forged(), true);
        let clients: Vec<_> = head.headers.get_all("spin-client-addr").iter().collect();
        assert_eq!(clients, ["1.1.1.1:1", "10.1.2.3:4"]);
        assert_eq!(head.headers["x-llmio-call"], "forged");
    }

    #[test]
    fn the_authority_is_the_host_header_and_path_and_query_stay() {
        let head = shaped(forged(), false);
        assert_eq!(head.uri, "http://gateway.example:7070/v1/models?x=1");
        assert_eq!(shaped(Request::get("/x").header("host", "a b"), false).uri, "http://localhost/x");
    }

    #[test]
    fn a_request_names_its_host_once() {
        let names_one_host = |request: http::request::Builder| {
            names_one_host(&request.body(()).expect("the test's request is valid").into_parts().0)
        };
        let get = || Request::get("/x");
        for host in ["gateway.example", "gateway.example:7070", "127.0.0.1:7070", "[::1]:7070", ""] {
            assert!(names_one_host(get().header("host", host)), "{host:?}");
        }
        for host in ["a b", "a/b", "user@a", "a:b:c"] {
            assert!(!names_one_host(get().header("host", host)), "{host:?}");
        }
        assert!(!names_one_host(get().header("host", "a").header("host", "a")));
        assert!(!names_one_host(get()));
        assert!(!names_one_host(Request::get("http://a/x")), "the other form of a request needs it, too");
        assert!(names_one_host(get().version(Version::HTTP_10)));
    }

    #[test]
    fn a_client_takes_no_header_of_the_host_away() {
        let head = shaped(
            forged().header("connection", "x-llmio-call, spin-client-addr, x-once").header("x-once", "1"),
            false,
        );
        assert_eq!(head.headers["x-llmio-call"], Uuid::from_u128(7).to_string());
        assert!(head.headers.contains_key("spin-client-addr") && !head.headers.contains_key("x-once"));
    }

    #[test]
    fn only_calls_and_what_is_relayed_may_have_a_record() {
        let may = |request: http::request::Builder| may_have_record(&shaped(request, false));
        assert!(may(Request::post("/v1/chat/completions?x=1")));
        assert!(may(Request::post("/v1beta/models/m:streamGenerateContent")));
        assert!(may(Request::post("/apis")));
        assert!(may(Request::get("/relay/gemini/v1beta/models")) && may(Request::delete("/proxy/x")));
        let others = [Request::get("/healthz"), Request::get("/v1/models"), Request::post("/api/records/ended")];
        assert!(others.into_iter().all(|other| !may(other)));
    }

    #[test]
    fn ids_are_version_7_and_ordered_by_time() {
        let first = new_id();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(first.get_version_num(), 7);
        assert!(first < new_id());
    }
}
