//! One instance of the component, shared by many calls. An instance for each call would isolate better, but costs four
//! times the CPU. What remains are the limits of turns and memory, and that a trap never looks like a proper end.

mod fault;
mod guest_log;
#[cfg(feature = "wasi-0-2")]
mod p2;
mod pool;
mod turn;

pub(crate) use fault::Fault;
pub(crate) use pool::{Answer, Dispatch, Instances, Isolation};

use crate::call::{Call, Life};
use crate::engine::Engine;
use crate::gateway::Stores;
use crate::host::carry::{Answering, Carry};
use crate::host::outbound_http::OutboundHttp;
use crate::inbound::RequestBody;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use guest_log::GuestLog;
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use turn::Turn;
use wasmtime::component::{Accessor, ResourceTable};
use wasmtime::{AsContextMut, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::p3::bindings::Service;
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{FieldMap, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

const HANDLES_MAX: usize = 50_000;

/// The data of a store: tables, limits and the connections to the host.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    limits: StoreLimits,
    outbound: OutboundHttp,
    /// What crosses as messages.
    pub(crate) carry: Carry,
    /// Databases and variables, shared by all instances of the process.
    pub(crate) stores: Arc<Stores>,
}

impl State {
    /// The table of the resources the guest holds.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// The way out.
    pub(crate) fn outbound(&self) -> &OutboundHttp {
        &self.outbound
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

/// A request on its way to an instance.
pub(crate) struct Job {
    /// Head, already shaped by `inbound`.
    pub(crate) head: Parts,
    /// The client's body.
    pub(crate) body: RequestBody,
    /// The call; `None` if the guest is not told what happened to its answer (as under Spin).
    pub(crate) call: Option<Arc<Call>>,
    /// The fault that a test asks for.
    pub(crate) fault: Option<Fault>,
    /// The receiver of the answer. If it is dropped without one, the instance died.
    pub(crate) answer: Answering,
}

/// The component returned an error code instead of a response.
#[derive(Debug)]
pub(crate) struct GuestError(pub String);

/// The component with a store of its own.
struct Instance {
    store: Store<State>,
    service: Service,
    turn: Arc<Turn>,
}

impl Instance {
    /// Starts an instance. An error here usually means that the machine has no memory or address space left.
    async fn start(engine: &Engine, stores: Arc<Stores>, outbound: OutboundHttp) -> wasmtime::Result<Instance> {
        let mut store = new_store(engine, stores, outbound);
        let turn = Arc::new(Turn::default());
        turn::limit(&mut store, turn.clone());
        turn.start();
        let service = engine.service.instantiate_async(&mut store).await?;
        Ok(Instance { store, service, turn })
    }
}

/// Runs an instance until its jobs end or it traps. Errors are traps.
async fn run(instance: Instance, mut jobs: mpsc::UnboundedReceiver<Job>) -> wasmtime::Result<()> {
    let Instance { mut store, service, turn } = instance;
    let running = store.run_concurrent(async |accessor| {
        let mut running = FuturesUnordered::new();
        poll_fn(|context| {
            // wasmtime polls this before every piece of guest work, which makes it the start of a turn.
            turn.start();
            let open = loop {
                match jobs.poll_recv(context) {
                    Poll::Ready(Some(job)) => running.push(serve(accessor, &service, &turn, job)),
                    Poll::Ready(None) => break false,
                    Poll::Pending => break true,
                }
            };
            while let Poll::Ready(Some(served)) = running.poll_next_unpin(context) {
                if let Err(trap) = served {
                    return Poll::Ready(Err(trap));
                }
            }
            if open || !running.is_empty() {
                return Poll::Pending;
            }
            // Work after the response (records) still belongs to the instance, which ends when that work has.
            accessor.poll_no_interesting_tasks(context).map(Ok)
        })
        .await
    });
    turn.running(running).await?
}

fn new_store(engine: &Engine, stores: Arc<Stores>, outbound: OutboundHttp) -> Store<State> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES_MAX);
    let mut wasi = WasiCtxBuilder::new();
    if stores.guest_stderr {
        wasi.inherit_stderr();
    } else {
        wasi.stderr(GuestLog::default());
    }
    if let Some(clock) = &stores.clock {
        wasi.monotonic_clock(clock.steady());
    }
    let limits = StoreLimitsBuilder::new().memory_size(stores.memory.of_an_instance()).build();
    let state = State {
        table,
        wasi: wasi.build(),
        http: WasiHttpCtx::new(),
        limits,
        outbound,
        carry: Carry::default(),
        stores,
    };
    let mut store = Store::new(&engine.engine, state);
    store.limiter(|state| &mut state.limits);
    store.set_max_component_handles(HANDLES_MAX);
    store
}

async fn serve(accessor: &Accessor<State>, service: &Service, turn: &Turn, job: Job) -> wasmtime::Result<()> {
    let Job { head, body, call, fault, answer } = job;
    if fault == Some(Fault::BeforeHead) {
        trap(accessor, turn);
    }
    let (request, crossing) = accessor.with(|mut access| begin(access.data_mut(), head, body, answer));
    let answered = service.handle(accessor, request).await?;
    let answer = match crossing {
        Crossing::Message(key) => accessor.with(|mut access| access.data_mut().carry.end(&key)),
        Crossing::Parts(answer) => Some(answer),
    };
    if let Some(answer) = answer {
        let answered = match answered {
            Ok(response) => Ok(accessor.with(|access| into_http(access, response, call))?),
            Err(code) => Err(GuestError(format!("{code:?}"))),
        };
        // Nobody listens if the client has left. The response is dropped, and the guest notices at its next write.
        let _ = answer.send(answered);
    }
    if let Some(Fault::AfterHead(delay)) = fault {
        tokio::time::sleep(delay).await;
        trap(accessor, turn);
    }
    Ok(())
}

/// Makes the guest trap: wherever it runs next, it checks the epoch and finds that it has passed.
fn trap(accessor: &Accessor<State>, turn: &Turn) {
    turn.trap();
    accessor.with(|mut access| access.as_context_mut().set_epoch_deadline(0));
}

/// How a request crosses.
enum Crossing {
    /// As a message with this key. The store has where its answer goes.
    Message(String),
    /// Through wasi:http alone.
    Parts(Answering),
}

/// Makes the request that the component gets. If its head crosses as a message, there is nothing in it but the way to that,
/// and the body if that does not cross too.
fn begin(state: &mut State, mut head: Parts, mut body: RequestBody, answer: Answering) -> (Request, Crossing) {
    if !state.carry.is_open() {
        return (new_request(state, head, body), Crossing::Parts(answer));
    }
    let whole = body.take_whole();
    let key = state.carry.begin(&head, whole.as_deref(), answer);
    head.headers.clear();
    head.uri = PathAndQuery::from_maybe_shared(key.clone()).map(Uri::from).unwrap_or_default();
    (new_request(state, head, body), Crossing::Message(key))
}

fn new_request(state: &mut State, head: Parts, body: RequestBody) -> Request {
    let headers = FieldMap::new_immutable(&mut state.outbound, head.headers);
    let uri = head.uri.into_parts();
    let (request, _received) =
        Request::new(head.method, uri.scheme, uri.authority, uri.path_and_query, headers, None, body);
    request
}

fn into_http(
    access: wasmtime::component::Access<'_, State>,
    response: Response,
    call: Option<Arc<Call>>,
) -> wasmtime::Result<http::Response<WasiBody>> {
    match call {
        // What the guest learns about its answer: this future resolves the one that `response.new` returned.
        Some(call) => {
            response.into_http(access, poll_fn(move |context: &mut Context<'_>| call.poll_delivered(context)))
        }
        None => response.into_http(access, std::future::ready(Ok(()))),
    }
}

/// Marks an instance as dead unless it ended properly. It does so when dropped, so that a panic of the host counts too.
struct EndOfLife {
    life: Arc<Life>,
    clean: bool,
}

impl EndOfLife {
    fn of(life: Arc<Life>) -> EndOfLife {
        EndOfLife { life, clean: false }
    }

    fn life(&self) -> &Arc<Life> {
        &self.life
    }

    /// Notes that the instance ended with nothing left to do, so that its bodies are complete.
    fn clean(mut self) {
        self.clean = true;
    }
}

impl Drop for EndOfLife {
    fn drop(&mut self) {
        if !self.clean {
            self.life.end();
        }
    }
}
