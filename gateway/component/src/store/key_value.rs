//! The key-value store, opened once per instance. Its errors are texts, since no caller distinguishes them.

use std::cell::RefCell;
use std::rc::Rc;

use spin_sdk::key_value::{Error, Store};

use crate::instance::Instance;

/// The connection of an instance to the store.
#[derive(Default)]
pub(crate) struct KeyValue(RefCell<Option<Rc<Store>>>);

/// An open store.
pub(super) struct Open(Rc<Store>);

/// Opens the store; `None` on a host that has none for llmio.
pub(super) async fn open(instance: &Instance) -> Result<Option<Open>, String> {
    let KeyValue(known) = &instance.store.key_value;
    if let Some(store) = &*known.borrow() {
        return Ok(Some(Open(store.clone())));
    }
    let store = match Store::open_default().await {
        Ok(store) => Rc::new(store),
        Err(Error::NoSuchStore | Error::AccessDenied) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    known.replace(Some(store.clone()));
    Ok(Some(Open(store)))
}

impl Open {
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.get(key).await.map_err(|error| error.to_string())
    }

    /// The number that a key holds, if it is there.
    pub(super) async fn number(&self, key: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.get(key).await? else { return Ok(None) };
        let number = std::str::from_utf8(&value).ok().and_then(|text| text.trim().parse().ok());
        number.map(Some).ok_or_else(|| format!("`{key}` in the key-value store is no number"))
    }

    pub(super) async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), String> {
        self.0.set(key, value).await.map_err(|error| error.to_string())
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), String> {
        self.0.delete(key).await.map_err(|error| error.to_string())
    }

    /// All keys.
    pub(super) async fn keys(&self) -> Result<Vec<String>, String> {
        self.0.get_keys().await.collect().await.map_err(|error| error.to_string())
    }
}
