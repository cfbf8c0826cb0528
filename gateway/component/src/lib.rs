//! llmio as one WASI 0.3 HTTP component: it touches the world and decides nothing. What a request is, who may send it
//! and where it goes is decided in `gateway-core`; what stands here reads, sends, relays and stores.
//!
//! An instance serves many requests at once and lives on between them, on every host. So nothing in it may panic on
//! what a request brings (a trap cuts its neighbours' streams), no statics hold a request's data, and caches carry the
//! version of what they hold.

mod admin;
mod host;
mod incoming;
mod proxy;
mod ready;
mod relay;
mod relays;
mod send;
mod store;

use gateway_core::accept::{self, Found};
use gateway_core::authenticate::{self, Caller};
use gateway_core::endpoint::{Endpoint, Needs};
use gateway_core::models;
use gateway_core::refusal::{Refusal, Reply, Shape};
use spin_sdk::wasip3::http::types::{self, ErrorCode};

use incoming::Incoming;
use store::catalog::{Freshness, Snapshot};

use std::rc::Rc;

spin_sdk::wasip3::http::service::export!(Gateway);

struct Gateway;

impl spin_sdk::wasip3::exports::http::handler::Guest for Gateway {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        // Whose ids and addresses can be believed depends on the host, so that comes first.
        host::learn_boot().await;
        Ok(serve(Incoming::read(request)).await)
    }
}

/// Finds the route, makes sure of what it needs, and hands over.
async fn serve(mut incoming: Incoming) -> types::Response {
    let shape = accept::shape(&incoming.path, &incoming.headers, incoming.query.as_deref());
    let (needs, endpoint, parameter) = match accept::find(&incoming.method, &incoming.path) {
        Found::Route(needs, endpoint, parameter) => (needs, endpoint, parameter.to_owned()),
        Found::Preflight => return relay::reply(&incoming, incoming::preflight(&incoming)),
        Found::WrongMethod(allow) => {
            let refusal = Refusal::wrong_method(&incoming.method, &incoming.path, allow);
            return relay::refuse(&incoming, &refusal, shape);
        }
        Found::Unknown => {
            let refusal = Refusal::unknown_path(&incoming.method, &incoming.path);
            return relay::refuse(&incoming, &refusal, shape);
        }
    };
    let shape = match endpoint {
        Endpoint::Call(operation) => Shape::Dialect(operation.dialect()),
        Endpoint::Ready => Shape::Problem,
        _ => shape,
    };
    let entered = enter(needs, &incoming).await;
    if let (Needs::Admin, Ok((_, snapshot))) = (needs, &entered) {
        incoming.query = incoming.query.and_then(|query| authenticate::without_token(&query, &snapshot.token));
    }
    match entered {
        Ok((caller, snapshot)) => match endpoint {
            Endpoint::Stored(what) => proxy::stored(what, &incoming, &caller, snapshot, &parameter).await,
            Endpoint::Call(operation) => proxy::call(operation, &parameter, incoming, caller, snapshot).await,
            Endpoint::Relay => relays::serve(&incoming, snapshot, &parameter, shape).await,
            other => {
                let matched = PathMatch { parameter: &parameter, shape };
                match rest(other, &incoming, &caller, snapshot, matched).await {
                    Ok(reply) => relay::reply(&incoming, reply),
                    Err(refusal) => relay::refuse(&incoming, &refusal, shape),
                }
            }
        },
        // A gateway that cannot serve is alive all the same, and readiness says why it cannot.
        Err(_) if endpoint == Endpoint::Alive || endpoint == Endpoint::Probe => relay::reply(&incoming, alive()),
        Err(refusal) => relay::refuse(&incoming, &refusal, shape),
    }
}

/// What the path and its shape say beside the endpoint.
struct PathMatch<'a> {
    /// What stood in the place of the path's `{}`.
    parameter: &'a str,
    shape: Shape,
}

/// Step 2 of the line, and the snapshot every later step of this request sees.
async fn enter(needs: Needs, incoming: &Incoming) -> Result<(Caller, Rc<Snapshot>), Refusal> {
    // Who administers sees what was stored a moment ago, whichever instance stored it.
    let mut snapshot = match needs {
        Needs::Admin => store::catalog::administered().await?,
        Needs::Key | Needs::Relay | Needs::Nothing => store::catalog::current(Freshness::Recent).await?,
    };
    if !snapshot.token.is_set() {
        let said = "llmio is not configured: it has no admin token. Set the variable `token` \
                    (SPIN_VARIABLE_TOKEN under Spin) and start it again.";
        return Err(Refusal::unavailable("not_configured", said));
    }
    let presented = authenticate::presented(&incoming.headers, incoming.query.as_deref());
    let decide = |snapshot: &Snapshot| {
        authenticate::authenticate(needs, &presented, &snapshot.token, &snapshot.catalog, incoming.at_ms)
    };
    let mut decided = decide(&snapshot);
    if decided.is_err() && !presented.is_empty() && needs != Needs::Admin {
        // The key may have been made a moment ago by another instance.
        snapshot = store::catalog::current(Freshness::Now).await?;
        decided = decide(&snapshot);
    }
    match decided {
        Ok(caller) => Ok((caller, snapshot)),
        Err(refusal) if refusal.status == 401 && !presented.is_empty() => {
            Err(host::throttle(incoming, &snapshot.catalog.settings.trusted_proxies, refusal))
        }
        Err(refusal) => Err(refusal),
    }
}

/// Everything that is not a balanced call.
async fn rest(
    endpoint: Endpoint,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: Rc<Snapshot>,
    PathMatch { parameter, shape }: PathMatch<'_>,
) -> Result<Reply, Refusal> {
    match endpoint {
        Endpoint::Models => {
            Ok(Reply::json(200, &models::list(caller, &snapshot.catalog, shape, incoming.query.as_deref())))
        }
        Endpoint::Model => {
            let found = match models::read(caller, &snapshot.catalog, shape, parameter) {
                // The model may have been added a moment ago through another instance.
                Err(_) => {
                    let newest = store::catalog::current(Freshness::Now).await?;
                    models::read(caller, &newest.catalog, shape, parameter)
                }
                found => found,
            };
            found.map(|model| Reply::json(200, &model))
        }
        Endpoint::WebSocket => Err(Refusal::no_web_socket()),
        Endpoint::Telemetry => incoming.body().await.map(|_dropped| Reply::json(200, &serde_json::json!({}))),
        Endpoint::Ready => ready::reply(&snapshot).await,
        Endpoint::Admin(admin) => admin::serve(admin, incoming, caller, snapshot, parameter).await,
        Endpoint::Alive | Endpoint::Probe | Endpoint::Call(_) | Endpoint::Stored(_) | Endpoint::Relay => Ok(alive()),
    }
}

fn alive() -> Reply {
    Reply::json(200, &serde_json::json!({ "status": "ok" }))
}
