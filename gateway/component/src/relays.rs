//! `/relay/{name}/…`: a request passed to the one origin its relay names, and the answer back, streamed both ways. Nothing
//! is chosen, tried again or looked into: whoever sends it speaks to the origin, and llmio is the place it leaves from.

use std::rc::Rc;

use gateway_core::accept::Needs;
use gateway_core::authenticate::{Caller, authenticate};
use gateway_core::catalog::{Relay, hash_key};
use gateway_core::failover::SendError;
use gateway_core::record::kept_text;
use gateway_core::refusal::{Refusal, Shape};
use gateway_core::relays::{self, KEY, MARK, Passed, REFUSED};
use gateway_core::rewrite;
use spin_sdk::wasip3;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, Fields, RequestOptions, Scheme};
use spin_sdk::wasip3::wit_bindgen::StreamWriter;

use crate::host;
use crate::incoming::Incoming;
use crate::proxy::OpenCall;
use crate::relay::{self, TrailersWriter};
use crate::send::{self, Body, FIRST_BYTE_MS_WHOLE, HOST_HEADER};
use crate::store::catalog::{self, Freshness, Snapshot};

/// As for balanced calls; a relay has no model that could say otherwise.
const CONNECT_MS: u64 = 5_000;
const IDLE_MS: u64 = 90_000;
const TOTAL_MS: u64 = 60 * 60 * 1000;

const NANOS_PER_MS: u64 = 1_000_000;

/// Passes a request on, or says why not, in this shape. `rest` stands behind `/relay/`.
pub(crate) async fn serve(incoming: &Incoming, snapshot: Rc<Snapshot>, rest: &str, shape: Shape) -> types::Response {
    let (name, path) = relays::split(rest);
    let refused = match enter(incoming, snapshot, name).await {
        Err(refusal) => (refusal, None),
        Ok((snapshot, caller)) => {
            let open = OpenCall::begin_relay(incoming, &caller, &snapshot.catalog);
            match pass(incoming, &snapshot, name, path, &open).await {
                Ok(response) => return response,
                Err(refusal) => (refusal, Some(open)),
            }
        }
    };
    let (refusal, open) = refused;
    let mut reply = refusal.reply(shape, &incoming.id).with(MARK, REFUSED);
    if let Some(open) = open {
        reply = reply.with("x-llmio-record", open.id());
        open.answered(refusal.state, &reply, Some(refusal.message));
    }
    relay::reply(incoming, reply)
}

/// Finds the relay and makes sure of the caller, from a catalog that is certain to be new before anything is refused.
async fn enter(incoming: &Incoming, mut snapshot: Rc<Snapshot>, name: &str) -> Result<(Rc<Snapshot>, Caller), Refusal> {
    let mut decided = decide(incoming, &snapshot, name);
    if decided.is_err() {
        snapshot = catalog::current(Freshness::Now).await?;
        decided = decide(incoming, &snapshot, name);
    }
    match decided {
        Ok(caller) => Ok((snapshot, caller)),
        Err(refusal) if refusal.status == 401 && incoming.header(KEY).is_some() => {
            Err(host::throttle(incoming, &snapshot.catalog.settings.trusted_proxies, refusal))
        }
        Err(refusal) => Err(refusal),
    }
}

fn decide(incoming: &Incoming, snapshot: &Snapshot, name: &str) -> Result<Caller, Refusal> {
    let relay = snapshot.catalog.relay(name).ok_or_else(|| unknown(name))?;
    if relay.public {
        return Ok(Caller::Anyone);
    }
    let Some(key) = incoming.header(KEY) else {
        let said = format!("Relay {name:?} needs a key of llmio in the header `{KEY}`.");
        return Err(Refusal::unauthorized("key_missing", said));
    };
    let presented = [key.trim().to_owned()];
    authenticate(Needs::Key, &presented, &snapshot.token, &snapshot.catalog, incoming.at_ms)
}

fn unknown(name: &str) -> Refusal {
    let said = format!("There is no relay {:?}. The catalog's `relays` name those there are.", kept_text(name));
    Refusal::not_found("relay_not_found", said)
}

async fn pass(
    incoming: &Incoming,
    snapshot: &Snapshot,
    name: &str,
    path: &str,
    open: &OpenCall,
) -> Result<types::Response, Refusal> {
    let relay = snapshot.catalog.relay(name).ok_or_else(|| unknown(name))?;
    if rewrite::hops(&incoming.headers) >= rewrite::HOPS_MAX {
        return Err(Refusal::loop_detected(rewrite::HOPS_MAX));
    }
    let own = |credential: &str| {
        let presented = [credential.to_owned()];
        snapshot.catalog.key(&hash_key(credential)).is_some()
            || authenticate(Needs::Key, &presented, &snapshot.token, &snapshot.catalog, incoming.at_ms).is_ok()
    };
    let passed = relays::request(path, incoming.query.as_deref(), &incoming.headers, &own);
    let started_ms = host::now_ms();
    let sent = client::send(build(incoming, relay, passed)?).await.map_err(send::before_head);
    let (status, headers, body) = match sent {
        Ok(response) => Body::of(response),
        Err(error) => {
            open.passed_by(relay, Err(&error), started_ms);
            return Err(failed(relay, &error));
        }
    };
    open.passed_by(relay, Ok(status), started_ms);
    open.head(status);
    let mut headers = relays::answer(headers);
    headers.push(("x-llmio-record".to_owned(), open.id().into_bytes()));
    let (response, writer, trailers) = relay::head(status, &headers);
    wasip3::spawn(copy(body, writer, trailers, incoming.start_ms.saturating_add(TOTAL_MS), open.clone()));
    Ok(response)
}

/// The client's body goes on as it comes, and so does its end: one that breaks off here breaks off there.
fn build(incoming: &Incoming, relay: &Relay, passed: Passed) -> Result<types::Request, Refusal> {
    let Passed { path, mut headers } = passed;
    if host::is_runner() {
        let value = format!("call={}{}", incoming.id, if relay.local { "; local" } else { "" });
        headers.push((HOST_HEADER.into(), value.into_bytes()));
    }
    let refused = |what: &str| Refusal::bad_request(format!("{what} of the request cannot be passed on."));
    let fields = Fields::from_list(&headers).map_err(|_| refused("A header"))?;
    let (contents, trailers) = incoming.contents().ok_or_else(|| refused("The body"))?;
    let options = RequestOptions::new();
    // A host that knows none of these keeps its own limits.
    let _ = options.set_connect_timeout(Some(CONNECT_MS * NANOS_PER_MS));
    let _ = options.set_first_byte_timeout(Some(FIRST_BYTE_MS_WHOLE * NANOS_PER_MS));
    let _ = options.set_between_bytes_timeout(Some(IDLE_MS * NANOS_PER_MS));
    let (request, _transmitted) = types::Request::new(fields, Some(contents), trailers, Some(options));
    let scheme = if relay.tls { Scheme::Https } else { Scheme::Http };
    request.set_method(&send::method_of(&incoming.method)).map_err(|()| refused("The method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("The scheme"))?;
    request.set_authority(Some(&relay.authority)).map_err(|()| refused("The host"))?;
    request.set_path_with_query(Some(&path)).map_err(|()| refused("The path"))?;
    Ok(request)
}

fn failed(relay: &Relay, error: &SendError) -> Refusal {
    let said = format!("{} {}.", relay.describe(), error.describe());
    match error {
        SendError::ClientClosed | SendError::Drained => {
            Refusal::unavailable("draining", "llmio ended the request. Try again.").after(1).ended(error.state())
        }
        SendError::Denied => Refusal::bad_gateway(error.state(), said),
        // Nobody has tried again yet, unlike for a balanced call: whether it helps is the client's to find out.
        SendError::FirstByteTimeout | SendError::IdleTimeout => {
            Refusal { should_retry: None, ..Refusal::timed_out(error.state(), said) }
        }
        _ => Refusal { should_retry: None, ..Refusal::bad_gateway(error.state(), said) },
    }
}

/// Hands the answer on. One that is cut gets an unclean end and nothing of llmio's own.
async fn copy(
    mut body: Body,
    mut writer: StreamWriter<u8>,
    trailers: TrailersWriter,
    deadline_ms: u64,
    open: OpenCall,
) {
    let (mut buffer, mut bytes) = (send::take_buffer(), 0u64);
    let error = loop {
        let (more, read) = body.read(buffer).await;
        buffer = read;
        let length = buffer.len() as u64;
        if length > 0 {
            buffer = writer.write_all(buffer).await;
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
    send::give_buffer(buffer);
    match &error {
        None => relay::end_whole(writer, trailers).await,
        Some(_) => relay::cut(writer, trailers).await,
    }
    open.passed(bytes, error).await;
}
