//! What the component imports beside wasi: one file per interface, of the same name.

pub(crate) mod carry;
pub(crate) mod files;
pub(crate) mod key_value;
pub(crate) mod outbound_http;
pub(crate) mod sqlite;
mod store_thread;
pub(crate) mod variables;

use crate::instance::State;
use wasmtime::component::HasData;

/// Gives generated code its way from a store's data to the implementations.
pub(crate) struct Interfaces;

impl HasData for Interfaces {
    type Data<'a> = &'a mut State;
}
