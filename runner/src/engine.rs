//! The compiled component and the clock that watches it: loading, linking, and the epoch ticks by which a guest that
//! does not come back is noticed.

use crate::bindings::{key_value, sqlite, variables};
use crate::engine_config::engine_config;
use crate::host::Interfaces;
use crate::instance::State;
use crate::wasi;
use anyhow::{Context, Result, anyhow};
use rustix::mm::{MprotectFlags, mprotect};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::CustomCodeMemory;
use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::p3::bindings::ServicePre;

/// How often the epoch advances: the grain of the turn limit.
const TICK: Duration = Duration::from_millis(10);

/// The largest page that the kernels of this architecture use, at which compiled code is aligned.
const PAGE_BYTES: usize = if cfg!(target_arch = "x86_64") { 4 << 10 } else { 64 << 10 };

/// Bytes that begin at a page.
#[cfg_attr(target_arch = "x86_64", repr(C, align(4096)))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C, align(65536)))]
struct AtPage<T: ?Sized>(T);

/// The component as `build.rs` compiled it.
static COMPILED: &AtPage<[u8]> = &AtPage(*include_bytes!(concat!(env!("OUT_DIR"), "/gateway.cwasm")));

/// The component, linked and ready to be instantiated on any thread.
#[derive(Clone)]
pub(crate) struct Engine {
    /// The engine the component was compiled for.
    pub(crate) engine: wasmtime::Engine,
    /// The component with its imports resolved.
    pub(crate) service: ServicePre<State>,
}

impl Engine {
    /// The compiled component, as it lies in the binary.
    pub(crate) fn embedded() -> &'static [u8] {
        &COMPILED.0
    }

    /// Loads and links the component and starts the tick thread.
    pub(crate) fn load() -> Result<Engine> {
        let engine = link().map_err(|error| anyhow!("the component cannot be loaded: {error:#}"))?;
        start_ticks(engine.engine.clone())?;
        Ok(engine)
    }
}

fn link() -> wasmtime::Result<Engine> {
    let mut config = engine_config();
    config.with_custom_code_memory(Some(Arc::new(InBinary)));
    let engine = wasmtime::Engine::new(&config)?;
    let component = deserialize(&engine)?;
    let mut linker = Linker::<State>::new(&engine);
    wasi::add_to_linker(&mut linker)?;
    key_value::add_to_linker::<_, Interfaces>(&mut linker, |state| state)?;
    sqlite::add_to_linker::<_, Interfaces>(&mut linker, |state| state)?;
    variables::add_to_linker::<_, Interfaces>(&mut linker, |state| state)?;
    let service = ServicePre::new(linker.instantiate_pre(&component)?)?;
    Ok(Engine { engine, service })
}

/// Loads the component where it lies in the binary. A copy would take 8 MB of memory that nothing else can use, while the
/// pages of a binary are shared, read when they are needed, and given back when memory is short.
#[expect(unsafe_code, reason = "loading compiled code is unsafe by nature; see below")]
fn deserialize(engine: &wasmtime::Engine) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are part of this binary and were made by build.rs with the same wasmtime version. They are
    // never written to and stay where they are.
    unsafe { Component::deserialize_raw(engine, NonNull::from(&COMPILED.0)) }
}

/// Makes the compiled code in the binary executable.
struct InBinary;

impl CustomCodeMemory for InBinary {
    fn required_alignment(&self) -> usize {
        PAGE_BYTES
    }

    fn publish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        protect(start, len, MprotectFlags::READ | MprotectFlags::EXEC)
    }

    fn unpublish_executable(&self, start: *const u8, len: usize) -> wasmtime::Result<()> {
        protect(start, len, MprotectFlags::READ)
    }
}

#[expect(unsafe_code, reason = "changing the protection of memory is unsafe by nature; see below")]
fn protect(start: *const u8, len: usize, flags: MprotectFlags) -> wasmtime::Result<()> {
    // SAFETY: wasmtime gives the part of `COMPILED` that holds code. The part begins at a page and shares its last page
    // with padding at most. Nothing writes to it, before or after.
    unsafe { mprotect(start.cast_mut().cast(), len, flags) }?;
    Ok(())
}

fn start_ticks(engine: wasmtime::Engine) -> Result<()> {
    let tick = move || {
        loop {
            std::thread::sleep(TICK);
            engine.increment_epoch();
        }
    };
    std::thread::Builder::new()
        .name("ticks".to_owned())
        .spawn(tick)
        .context("the thread of the epoch clock cannot be started")?;
    Ok(())
}
