//! llmio as one WASI 0.3 HTTP component: it touches the world and decides nothing. What a request is, who may send it
//! and where it goes is decided in `gateway-core`; what stands here reads, sends, relays and stores.
//!
//! An instance serves many requests at once and lives on between them, on every host. So nothing in it may panic on
//! what a request brings (a trap cuts its neighbours' streams), no statics hold a request's data, and caches carry the
//! version of what they hold.

#[cfg(feature = "wasi-0-2")]
extern crate gateway_p2 as spin_sdk;

mod admin;
mod allocator;
mod announced;
mod bodies;
mod carry;
mod console;
mod counters;
mod feed;
mod hold;
mod host;
mod incoming;
mod instance;
mod kept;
mod pass_through;
mod prices;
mod proxy;
mod ready;
mod relay;
mod response;
mod send;
mod settings;
mod store;
mod usage;

use gateway_core::accept::{self, RouteMatch};
use gateway_core::authenticate::{self, Caller};
use gateway_core::endpoint::{Admin, Endpoint, Needs};
use gateway_core::models;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::views::AliveView;
use spin_sdk::wasip3::http::types::{self, ErrorCode};

use carry::Carrier;
use incoming::Incoming;
use instance::Instance;
use response::Response;
use store::catalog::{Freshness, Snapshot};

use std::cell::RefCell;
use std::rc::Rc;

spin_sdk::wasip3::http::service::export!(Gateway);

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator::new();

struct Gateway;

impl spin_sdk::wasip3::exports::http::handler::Guest for Gateway {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        let answered = host::run(async {
            let instance = instance().await;
            let (incoming, call) = Incoming::read(&instance, request).await;
            serve(&instance, incoming).await.give(&instance, call).await
        });
        answered.await
    }
}

thread_local! {
    /// An export of a component has no `self`, so this is where the one instance lives. Only the function `instance` reads it.
    static INSTANCE: RefCell<Option<Rc<Instance>>> = const { RefCell::new(None) };
}

/// The instance. Which headers can be believed depends on the host, so the first request asks the host for its
/// abilities.
async fn instance() -> Rc<Instance> {
    if let Some(instance) = INSTANCE.with_borrow(Clone::clone) {
        return instance;
    }
    let (host, carrier) = (host::Capabilities::read().await, Carrier::open().await);
    // Another request may have been quicker.
    INSTANCE.with_borrow_mut(|instance| instance.get_or_insert_with(|| Rc::new(Instance::new(host, carrier))).clone())
}

/// Finds the route of a request, checks that the caller may use it, and hands the request over.
async fn serve(instance: &Rc<Instance>, mut incoming: Incoming) -> Response {
    let shape = accept::shape(&incoming.path, &incoming.headers, incoming.query.as_deref());
    let (needs, endpoint, parameter) = match accept::find(&incoming.method, &incoming.path) {
        RouteMatch::Route(needs, endpoint, parameter) => (needs, endpoint, parameter.to_owned()),
        RouteMatch::Preflight => return relay::reply(&incoming, incoming::preflight(&incoming)),
        RouteMatch::WrongMethod(allow) => {
            let refusal = Refusal::wrong_method(&incoming.method, &incoming.path, allow);
            return relay::refuse(&incoming, &refusal, shape);
        }
        RouteMatch::Unknown => {
            let refusal = Refusal::unknown_path(&incoming.method, &incoming.path, accept::not_served(&incoming.path));
            return relay::refuse(&incoming, &refusal, shape);
        }
    };
    let shape = match endpoint {
        Endpoint::Call(operation) => Shape::Dialect(operation.dialect()),
        Endpoint::Ready => Shape::Problem,
        _ => shape,
    };
    if matches!(needs, Needs::Admin | Needs::Reader | Needs::Session)
        && let Err(refusal) = incoming.visit(&host::variable("public_url").await.unwrap_or_default()).check()
    {
        let is_page = needs == Needs::Session;
        return if is_page { console::refuse(&incoming, &refusal) } else { relay::refuse(&incoming, &refusal, shape) };
    }
    let (caller, snapshot) = match enter(instance, needs, &incoming).await {
        Ok(entered) => entered,
        // A gateway that cannot serve calls is still alive; readiness is what says why it cannot serve.
        Err(_) if matches!(endpoint, Endpoint::Alive | Endpoint::Probe) => return relay::reply(&incoming, alive()),
        Err(refusal) if needs == Needs::Session => return console::refuse(&incoming, &refusal),
        Err(refusal) => return relay::refuse(&incoming, &refusal, shape),
    };
    incoming.holder.belongs_to(caller.name());
    if matches!(needs, Needs::Admin | Needs::Reader) {
        let own = (&snapshot.token, &snapshot.catalog);
        incoming.query =
            incoming.query.and_then(|query| authenticate::without_credential(&query, &caller, own.0, own.1));
    }
    let answered = match endpoint {
        Endpoint::Call(operation) => {
            return proxy::call(instance, operation, &parameter, incoming, caller, snapshot).await;
        }
        Endpoint::Stored(what) => return proxy::stored(instance, what, &incoming, &caller, snapshot, &parameter).await,
        Endpoint::Kept(what) => return kept::serve(instance, what, &incoming, &caller, &snapshot, &parameter).await,
        Endpoint::Relay => return pass_through::serve(instance, &incoming, snapshot, &parameter, shape).await,
        Endpoint::Console => return console::serve(instance, incoming, &snapshot).await,
        Endpoint::Root => console::root(&incoming)
            .ok_or_else(|| Refusal::wrong_method(&incoming.method, &incoming.path, "HEAD".to_owned())),
        Endpoint::ConsoleSlash => Ok(console::with_slash()),
        Endpoint::Models => {
            Ok(Reply::json(200, &models::list(&caller, &snapshot.catalog, shape, incoming.query.as_deref())))
        }
        Endpoint::Model => model(instance, &caller, &snapshot, shape, &parameter).await,
        Endpoint::Usage => usage::reply(instance, &incoming, &caller, &snapshot).await,
        Endpoint::RecordBodies(verb) => admin::bodies::of_key(instance, &incoming, verb, &caller, &snapshot).await,
        Endpoint::WebSocket => Err(Refusal::no_web_socket()),
        Endpoint::Telemetry => incoming.body().await.map(|_dropped| Reply::json(200, &serde_json::Map::new())),
        Endpoint::Alive | Endpoint::Probe => Ok(alive()),
        Endpoint::Ready => ready::reply(instance, &snapshot).await,
        Endpoint::ProvidersCheck => return admin::check::serve(instance, incoming, &snapshot).await,
        Endpoint::Admin(Admin::RecordsExport) => return admin::export(instance, &incoming),
        Endpoint::Admin(Admin::RecordsTail) => return admin::tail(instance, &incoming),
        Endpoint::Admin(admin) => admin::serve(instance, admin, &incoming, &caller, snapshot, &parameter).await,
    };
    match answered {
        Ok(reply) => relay::reply(&incoming, reply),
        Err(refusal) => relay::refuse(&incoming, &refusal, shape),
    }
}

/// Step 2 of the line: authenticates the caller, and takes the snapshot that every later step of this request uses.
async fn enter(instance: &Rc<Instance>, needs: Needs, incoming: &Incoming) -> Result<(Caller, Rc<Snapshot>), Refusal> {
    // An admin request sees what was stored a moment ago, whichever instance stored it.
    let mut snapshot = match needs {
        Needs::Admin | Needs::Reader | Needs::Session => store::catalog::administered(instance).await?,
        Needs::Key | Needs::Relay | Needs::Nothing => store::catalog::current(instance, Freshness::Recent).await?,
    };
    if !snapshot.token.is_set() {
        let message = "llmio is not configured: it has no admin token. Set the variable `token` \
                    (SPIN_VARIABLE_TOKEN under Spin) and start it again.";
        return Err(Refusal::unavailable("not_configured", message));
    }
    settings::check_token(instance, &snapshot.token, incoming)?;
    let presented = authenticate::presented(&incoming.headers, incoming.query.as_deref());
    let decide = |snapshot: &Snapshot| {
        authenticate::authenticate(needs, &presented, &snapshot.token, &snapshot.catalog, incoming.at.wall_ms)
    };
    let mut decided = decide(&snapshot);
    if decided.is_err() && !presented.is_empty() && needs != Needs::Admin {
        // The key may have been made a moment ago by another instance.
        snapshot = store::catalog::current(instance, Freshness::Now).await?;
        decided = decide(&snapshot);
    }
    match decided {
        Ok(caller) => {
            incoming::check_address(incoming, &caller, &snapshot.catalog)?;
            Ok((caller, snapshot))
        }
        Err(refusal) if refusal.status == 401 && !presented.is_empty() => {
            Err(incoming::throttle(instance, incoming, &snapshot.catalog.settings.trusted_proxies, refusal).await)
        }
        Err(refusal) => Err(refusal),
    }
}

/// One model as a client may see it. If it is not found, it may have just been added through another instance, so the
/// newest catalog is read.
async fn model(
    instance: &Rc<Instance>,
    caller: &Caller,
    snapshot: &Snapshot,
    shape: Shape,
    name: &str,
) -> Result<Reply, Refusal> {
    let found = match models::read(caller, &snapshot.catalog, shape, name) {
        Ok(model) => Ok(model),
        Err(_) => {
            let newest = store::catalog::current(instance, Freshness::Now).await?;
            models::read(caller, &newest.catalog, shape, name)
        }
    };
    found.map(|model| Reply::json(200, &model))
}

fn alive() -> Reply {
    Reply::json(200, &AliveView::OK)
}
