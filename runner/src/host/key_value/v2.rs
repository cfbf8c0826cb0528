//! The interface as it was in Spin 2 and 3, for tests of the component's WASI 0.2 build.

use super::{LABEL, Store};
use crate::bindings::key_value::Error as Failure;
use crate::bindings::v2::key_value::{Error, Host, HostStore};
use crate::instance::State;
use wasmtime::component::Resource;

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::StoreTableFull => Error::StoreTableFull,
            Failure::NoSuchStore => Error::NoSuchStore,
            Failure::AccessDenied => Error::AccessDenied,
            Failure::Other(message) => Error::Other(message),
        }
    }
}

impl Host for &mut State {}

impl HostStore for &mut State {
    async fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<Store>, Error>> {
        if label != LABEL {
            return Ok(Err(Error::NoSuchStore));
        }
        Ok(Ok(self.table().push(Store::Values)?))
    }

    async fn get(&mut self, _: Resource<Store>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(Ok(self.stores.key_value.get(&key)))
    }

    async fn set(&mut self, _: Resource<Store>, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let stores = self.stores.clone();
        Ok(stores.key_value.change(key, Some(value)).await.map_err(Error::from))
    }

    async fn delete(&mut self, _: Resource<Store>, key: String) -> wasmtime::Result<Result<(), Error>> {
        let stores = self.stores.clone();
        Ok(stores.key_value.change(key, None).await.map_err(Error::from))
    }

    async fn get_keys(&mut self, _: Resource<Store>) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(Ok(self.stores.key_value.keys()))
    }

    async fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table().delete(store)?;
        Ok(())
    }
}
