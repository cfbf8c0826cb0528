//! The interface as it was in Spin 2 and 3, for tests of the component's WASI 0.2 build.

use crate::bindings::v2::variables::{Error, Host};
use crate::instance::State;

impl Host for &mut State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(self.stores.variables.get(&name).ok_or(Error::Undefined(name)))
    }
}
