//! `/relay/{name}/…`: a request is passed to the one origin that its relay names, and the answer passed back, both as
//! streams. Nothing is chosen, retried or read: the client speaks to the origin, and llmio is only the address it comes
//! from.

mod upload;

use std::rc::Rc;

use gateway_core::authenticate::{Caller, authenticate};
use gateway_core::catalog::{Relay, hash_key};
use gateway_core::endpoint::Needs;
use gateway_core::headers::{self, RELAY_KEY};
use gateway_core::outcome::SendError;
use gateway_core::pass_through::{self, MARK, REFUSED, RelayedRequest};
use gateway_core::record::{self, kept_text};
use gateway_core::refusal::{Refusal, Shape};
use gateway_core::state::State;
use gateway_core::verdict::Class;

use crate::host::{self, body};
use crate::incoming::{self, Incoming};
use crate::instance::Instance;
use crate::proxy::OpenCall;
use crate::relay;
use crate::response::{self, Response};
use crate::send::{self, Body, FIRST_BYTE_MS_WHOLE, HostRefusal, Limits};
use crate::store::catalog::{self, Freshness, Snapshot};

use upload::Upload;

/// The same limit as for balanced calls. There is no model here that could set another one.
const CONNECT_MS: u64 = 5_000;
const IDLE_MS: u64 = 90_000;
const TOTAL_MS: u64 = 60 * 60 * 1000;

const KEY_MISSING: &str = "key_missing";

/// Passes a request on, or refuses it in this shape. `rest` is the part of the path behind `/relay/`.
pub(crate) async fn serve(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: Rc<Snapshot>,
    rest: &str,
    shape: Shape,
) -> Response {
    let (name, path) = pass_through::split(rest);
    let refused = match enter(instance, incoming, snapshot, name).await {
        // A preflight never carries a key. If the relay needs none, the preflight is passed on like any other request.
        Err(refusal) if refusal.code == Some(KEY_MISSING) && incoming::is_preflight(incoming) => {
            return relay::reply(incoming, incoming::preflight(incoming));
        }
        Err(refusal) => (refusal, None),
        Ok((snapshot, caller)) => {
            let open = OpenCall::begin_other(instance, "relay", incoming, &caller, &snapshot.catalog);
            match pass(instance, incoming, &snapshot, name, path, &open).await {
                Ok(response) => return response,
                Err(refusal) => (refusal, Some(open)),
            }
        }
    };
    let (refusal, open) = refused;
    let mut reply = refusal.under(&incoming.base_path).reply(shape, &incoming.id).with(MARK, REFUSED);
    if let Some(open) = open {
        reply = reply.with("x-llmio-record", open.id());
        open.answered(refusal.state, &reply, Some(&refusal.message));
    }
    relay::reply(incoming, reply)
}

/// Finds the relay and authenticates the caller. Before anything is refused, the newest catalog is read.
async fn enter(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    mut snapshot: Rc<Snapshot>,
    name: &str,
) -> Result<(Rc<Snapshot>, Caller), Refusal> {
    let mut decided = decide(incoming, &snapshot, name);
    if decided.is_err() {
        snapshot = catalog::current(instance, Freshness::Now).await?;
        decided = decide(incoming, &snapshot, name);
    }
    match decided {
        Ok(caller) => {
            incoming::check_address(incoming, &caller, &snapshot.catalog)?;
            Ok((snapshot, caller))
        }
        Err(refusal) if refusal.status == 401 && incoming.header(RELAY_KEY).is_some() => {
            Err(incoming::throttle(instance, incoming, &snapshot.catalog.settings.trusted_proxies, refusal).await)
        }
        Err(refusal) => Err(refusal),
    }
}

fn decide(incoming: &Incoming, snapshot: &Snapshot, name: &str) -> Result<Caller, Refusal> {
    let relay = snapshot.catalog.relay(name).ok_or_else(|| unknown(name))?;
    if relay.public {
        return Ok(Caller::Anyone);
    }
    let Some(key) = incoming.header(RELAY_KEY) else {
        let message = format!("Relay {name:?} needs a key of llmio in the header `{RELAY_KEY}`.");
        return Err(Refusal::unauthorized(KEY_MISSING, message));
    };
    let presented = [key.trim().to_owned()];
    authenticate(Needs::Key, &presented, &snapshot.token, &snapshot.catalog, incoming.at.wall_ms)
}

fn unknown(name: &str) -> Refusal {
    let message = format!("There is no relay {:?}. `relays` in the catalog lists them.", kept_text(name));
    Refusal::not_found("relay_not_found", message)
}

async fn pass(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    name: &str,
    path: &str,
    open: &OpenCall,
) -> Result<Response, Refusal> {
    let relay = snapshot.catalog.relay(name).ok_or_else(|| unknown(name))?;
    if headers::hops(&incoming.headers) >= headers::HOPS_MAX {
        return Err(Refusal::loop_detected(headers::HOPS_MAX));
    }
    let own = |credential: &str| {
        let presented = [credential.to_owned()];
        snapshot.catalog.key(&hash_key(credential)).is_some()
            || authenticate(Needs::Key, &presented, &snapshot.token, &snapshot.catalog, incoming.at.wall_ms).is_ok()
    };
    let passed = pass_through::request(path, incoming.query.as_deref(), &incoming.headers, &own)?;
    let request_line = format!("{} {path}", incoming.method);
    let started_ms = host::now_ms();
    let (upload, contents) = Upload::start(instance, incoming, open).await?;
    let (status, headers, body) = match send(instance, incoming, relay, passed, contents).await? {
        Ok(answer) => answer,
        Err(error) => {
            let (refusal, class, why) = match upload.broken() {
                Some(refusal) => (refusal.clone(), Class::Gone, refusal.message),
                None => (failed(relay, &error), pass_through::blame(&error), error.describe()),
            };
            let passed = record::OriginResult { status: None, class, error: Some(why) };
            open.passed_by(&relay.name, &request_line, passed, started_ms);
            return Err(refusal);
        }
    };
    let passed = record::OriginResult { status: Some(status), class: pass_through::verdict(status).1, error: None };
    open.passed_by(&relay.name, &request_line, passed, started_ms);
    if status == 101 {
        let message =
            format!("{} changed the protocol, which nobody asked for: relays carry no WebSockets.", relay.describe());
        return Err(Refusal::bad_gateway(State::UpstreamError, message));
    }
    if status >= 600 {
        let message = format!("{} answered with the status {status}, which HTTP does not have.", relay.describe());
        return Err(Refusal::bad_gateway(State::UpstreamError, message));
    }
    open.head(status);
    let mut headers = pass_through::answer(headers);
    headers.push(("x-llmio-record".to_owned(), open.id().as_bytes().to_vec()));
    if !relay.public && headers::value(&headers, "access-control-allow-origin").is_none() {
        relay::allow_origin(incoming, &mut headers);
    }
    let (response, writer) = response::head(status, headers);
    let deadline_ms = incoming.start_ms.saturating_add(TOTAL_MS);
    let (instance, open) = (instance.clone(), open.clone());
    host::spawn(async move {
        let (bytes, error) = copy(&instance, body, writer, deadline_ms).await;
        let (state, message) = match (error, upload.broken()) {
            (None, _) => (pass_through::verdict(status).0, None),
            (Some(_), Some(refusal)) => (refusal.state, Some(refusal.message)),
            (Some(error), None) => (error.state(), Some(error.describe())),
        };
        open.passed(bytes, state, message).await;
    });
    Ok(response)
}

async fn send(
    instance: &Instance,
    incoming: &Incoming,
    relay: &Relay,
    passed: RelayedRequest,
    contents: body::Reader,
) -> Result<Result<(u16, Vec<(String, Vec<u8>)>, Body), SendError>, Refusal> {
    let RelayedRequest { path, mut headers } = passed;
    if contents.is_none() && headers::value(&headers, "content-length").is_none() {
        headers.push(("content-length".to_owned(), b"0".to_vec()));
    }
    let head = send::Head {
        method: &incoming.method,
        tls: relay.tls,
        authority: &relay.authority,
        path: &path,
        headers,
        local: relay.local,
        proxy: None,
        ca: None,
        id: Some(&incoming.id),
        limits: Limits { connect_ms: CONNECT_MS, first_byte_ms: FIRST_BYTE_MS_WHOLE, idle_ms: IDLE_MS },
    };
    send::pass_on(instance, head, contents)
        .await
        .map_err(|HostRefusal(part)| Refusal::bad_request(format!("The host does not take {part} of the request.")))
}

fn failed(relay: &Relay, error: &SendError) -> Refusal {
    let message = format!("{} {}.", relay.describe(), error.describe());
    match error {
        SendError::ClientClosed | SendError::Drained => {
            Refusal::unavailable("draining", "llmio ended the request. Try again.").after(1).ended(error.state())
        }
        SendError::Denied => Refusal::bad_gateway(error.state(), message),
        SendError::Shortage => Refusal::unavailable("busy", message).after(1),
        // Unlike for a balanced call nothing was retried here, so the client is told that it may try again.
        SendError::FirstByteTimeout | SendError::IdleTimeout => {
            Refusal { should_retry: None, ..Refusal::timed_out(error.state(), message) }
        }
        _ => Refusal { should_retry: None, ..Refusal::bad_gateway(error.state(), message) },
    }
}

/// Passes the answer on. Returns the number of its bytes that were passed, and why these are not all. An answer that is
/// cut off ends uncleanly, and llmio adds nothing to it.
async fn copy(
    instance: &Instance,
    mut body: Body,
    mut writer: body::Writer,
    deadline_ms: u64,
) -> (u64, Option<SendError>) {
    let (mut buffer, mut bytes) = (instance.buffers.take(), 0u64);
    let error = loop {
        let (more, read) = body.read(buffer).await;
        buffer = read;
        let length = buffer.len() as u64;
        if length > 0 {
            buffer = writer.write(buffer).await;
            bytes = bytes.saturating_add(length - buffer.len() as u64);
            if !buffer.is_empty() {
                break Some(SendError::ClientClosed);
            }
        }
        if !more {
            break body.end().await.err();
        }
        if host::now_ms() > deadline_ms {
            break Some(SendError::TotalTimeout);
        }
    };
    instance.buffers.give(buffer);
    match &error {
        None => writer.finish().await,
        Some(_) => relay::cut(instance, writer).await,
    }
    (bytes, error)
}
