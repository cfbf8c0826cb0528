//! The component's WASI 0.2 build, for its tests: an instance for each request, as hosts of that age make them.

use super::{GuestError, Job, State, new_store};
use crate::bindings::v2::{key_value, sqlite, variables};
use crate::engine::Engine;
use crate::gateway::Stores;
use crate::host::Interfaces;
use crate::host::outbound_http::OutboundHttp;
use crate::wasi;
use http_body_util::BodyExt;
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Component, Linker};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::{Error, WasiHttpView};

/// The component as `build.rs` compiled it.
static COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gateway-0.2.cwasm"));

static PROXY: OnceLock<ProxyPre<State>> = OnceLock::new();

/// Serves the one request of an instance. Errors are traps.
pub(super) async fn run(
    engine: &Engine,
    stores: Arc<Stores>,
    outbound: OutboundHttp,
    mut jobs: mpsc::UnboundedReceiver<Job>,
) -> wasmtime::Result<()> {
    let Some(Job { head, body, answer, .. }) = jobs.recv().await else { return Ok(()) };
    let proxy = proxy(&engine.engine)?;
    let mut store = new_store(engine, stores, outbound);
    // Nothing of such a host stops a guest that does not come back.
    store.set_epoch_deadline(u64::MAX / 2);
    let proxy = proxy.instantiate_async(&mut store).await?;
    let (out, answered) = oneshot::channel();
    let request = http::Request::from_parts(head, body);
    let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
    let out = store.data_mut().http().new_response_outparam(out)?;
    let forward = async {
        // A guest that ends without an answer has failed; whoever waits learns it when the sender is dropped.
        if let Ok(answered) = answered.await {
            let answered = answered.map(|response| response.map(|body| body.map_err(Error::from).boxed_unsync()));
            let _ = answer.send(answered.map_err(|code| GuestError(format!("{code:?}"))));
        }
        wasmtime::error::Ok(())
    };
    let handler = proxy.wasi_http_incoming_handler();
    tokio::try_join!(handler.call_handle(&mut store, request, out), forward).map(drop)
}

fn proxy(engine: &wasmtime::Engine) -> wasmtime::Result<&'static ProxyPre<State>> {
    if let Some(proxy) = PROXY.get() {
        return Ok(proxy);
    }
    let mut linker = Linker::<State>::new(engine);
    wasi::add_to_linker_for_std(&mut linker)?;
    p2::clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    p2::clocks::wall_clock::add_to_linker::<_, WasiClocks>(&mut linker, State::clocks)?;
    p2::random::random::add_to_linker::<_, WasiRandom>(&mut linker, State::random)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    key_value::add_to_linker::<_, Interfaces>(&mut linker, |state| state)?;
    sqlite::add_to_linker::<_, Interfaces>(&mut linker, |state| state)?;
    variables::add_to_linker::<_, Interfaces>(&mut linker, |state| state)?;
    let proxy = ProxyPre::new(linker.instantiate_pre(&deserialize(engine)?)?)?;
    Ok(PROXY.get_or_init(|| proxy))
}

#[expect(unsafe_code, reason = "loading compiled code is unsafe by nature; see below")]
fn deserialize(engine: &wasmtime::Engine) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are part of this binary and were made by build.rs with the same wasmtime version.
    unsafe { Component::deserialize(engine, COMPILED) }
}
