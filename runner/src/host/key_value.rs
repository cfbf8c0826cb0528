//! spin:key-value: `kv.sqlite`, with its whole contents in memory. The process lock makes this process its only user,
//! so that a read never touches the disk and is ready at the first poll, which spares the guest a suspension; a write
//! resolves when it is on the disk.

mod file;
#[cfg(feature = "wasi-0-2")]
mod v2;

pub(crate) use file::FolderHistory;

use super::Interfaces;
use super::carry;
use super::store_thread::StoreThread;
use crate::bindings::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::instance::State;
use anyhow::Result;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

/// The only label that exists, here and in `spin.toml`.
const LABEL: &str = "default";

type Content = Arc<RwLock<HashMap<String, Vec<u8>>>>;

/// The store behind all handles.
pub(crate) struct KeyValue {
    content: Content,
    /// The queue of changes; `None` once the store is closed.
    changes: Mutex<Option<mpsc::Sender<Change>>>,
    thread: StoreThread,
}

/// The handle of the guest.
#[derive(Clone, Copy)]
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub enum Store {
    /// The values that are kept.
    Values,
    /// What crosses as messages.
    Messages,
}

struct Change {
    key: String,
    /// The value; `None` deletes the key.
    value: Option<Vec<u8>>,
    done: oneshot::Sender<Result<(), String>>,
}

impl KeyValue {
    /// Opens or creates the file and reads all of it. `journal` is SQLite's journal mode; `past` says what the folder
    /// held before, and so whether an empty file means that something was lost.
    pub(crate) fn open(path: &Path, journal: &str, past: FolderHistory) -> Result<KeyValue> {
        let (connection, content) = file::open(path, journal, past)?;
        let content = Arc::new(RwLock::new(content));
        let (changes, receiver) = mpsc::channel();
        let writer = content.clone();
        let thread = StoreThread::start("key-value", move || write(&connection, &writer, &receiver))?;
        Ok(KeyValue { content, changes: Mutex::new(Some(changes)), thread })
    }

    /// Accepts no more changes, writes those that are queued and closes the file, which then has everything and needs
    /// no WAL. Returns `false` if that is not done within the limit.
    pub(crate) fn close(&self, limit: Duration) -> bool {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.thread.has_ended_within(limit)
    }

    /// A value that the host keeps for itself.
    pub(crate) fn of_host(&self, key: &str) -> Option<Vec<u8>> {
        self.get(key)
    }

    /// Queues a value that the host keeps for itself. If it cannot be written, the last one stays.
    pub(crate) fn keep_of_host(&self, key: &str, value: Vec<u8>) {
        let change = Change { key: key.to_owned(), value: Some(value), done: oneshot::channel().0 };
        if let Some(changes) = &*self.changes.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = changes.send(change);
        }
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.content.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn contains(&self, key: &str) -> bool {
        self.content.read().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    fn keys(&self) -> Vec<String> {
        self.content.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    async fn change(&self, key: String, value: Option<Vec<u8>>) -> Result<(), Error> {
        let (done, outcome) = oneshot::channel();
        let closed = || Error::Other("the key-value store is closed".to_owned());
        {
            let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            changes.as_ref().ok_or_else(closed)?.send(Change { key, value, done }).map_err(|_| closed())?;
        }
        outcome.await.map_err(|_| closed())?.map_err(Error::Other)
    }
}

/// Writes one change at a time, each in its own transaction. Memory follows the disk, never the other way round.
fn write(connection: &Connection, content: &Content, changes: &mpsc::Receiver<Change>) {
    for Change { key, value, done } in changes {
        let committed = match &value {
            Some(value) => connection
                .prepare_cached("INSERT INTO key_value VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")
                .and_then(|mut statement| statement.execute(params![key, value])),
            None => connection
                .prepare_cached("DELETE FROM key_value WHERE key = ?1")
                .and_then(|mut statement| statement.execute(params![key])),
        };
        if committed.is_ok() {
            let mut content = content.write().unwrap_or_else(PoisonError::into_inner);
            match value {
                Some(value) => content.insert(key, value),
                None => content.remove(&key),
            };
        }
        let _ = done.send(committed.map(|_| ()).map_err(|error| error.to_string()));
    }
}

impl Host for &mut State {}

impl HostStore for &mut State {
    fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table().delete(store)?;
        Ok(())
    }
}

fn kind<T: 'static>(accessor: &Accessor<T, Interfaces>, store: &Resource<Store>) -> wasmtime::Result<Store> {
    accessor.with(|mut access| Ok(*access.get().table().get(store)?))
}

impl<T: 'static> HostStoreWithStore<T> for Interfaces {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> wasmtime::Result<Result<Resource<Store>, Error>> {
        accessor.with(|mut access| {
            let state = access.get();
            let store = match &*label {
                LABEL => Store::Values,
                carry::STORE if state.stores.carries => {
                    state.carry.open();
                    Store::Messages
                }
                _ => return Ok(Err(Error::NoSuchStore)),
            };
            Ok(Ok(state.table().push(store)?))
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        match kind(accessor, &store)? {
            Store::Values => Ok(Ok(accessor.with(|mut access| access.get().stores.key_value.get(&key)))),
            Store::Messages => Ok(Ok(carry::get(accessor, key).await)),
        }
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        if let Store::Messages = kind(accessor, &store)? {
            return Ok(accessor.with(|mut access| carry::set(access.get(), &key, &value)));
        }
        let stores = accessor.with(|mut access| access.get().stores.clone());
        Ok(stores.key_value.change(key, Some(value)).await)
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        if let Store::Messages = kind(accessor, &store)? {
            accessor.with(|mut access| carry::delete(access.get(), &key));
            return Ok(Ok(()));
        }
        let stores = accessor.with(|mut access| access.get().stores.clone());
        Ok(stores.key_value.change(key, None).await)
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        _: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        Ok(Ok(accessor.with(|mut access| access.get().stores.key_value.contains(&key))))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        _: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        accessor.with(|mut access| {
            let keys = access.get().stores.key_value.keys();
            let stream = StreamReader::new(&mut access, keys)?;
            Ok((stream, FutureReader::new(&mut access, async { wasmtime::error::Ok(Ok(())) })?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    fn set(store: &KeyValue, key: &str, value: &str) {
        block_on(store.change(key.into(), Some(value.into()))).expect("a write");
    }

    #[test]
    fn a_value_that_was_acknowledged_is_there_after_the_process_ends() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kv.sqlite");
        let store = KeyValue::open(&path, "WAL", FolderHistory::None).expect("a new store");
        set(&store, "catalog", "2");
        set(&store, "gone", "x");
        block_on(store.change("gone".into(), None)).expect("a delete");
        // A second connection only sees what is committed, like a process that is started after `kill -9`.
        let content = file::read(&Connection::open(&path).expect("the same file")).expect("its rows");
        assert_eq!(content, HashMap::from([("catalog".to_owned(), b"2".to_vec())]));
        drop(store);
        let store = KeyValue::open(&path, "WAL", FolderHistory::Kept).expect("the same store");
        assert_eq!(store.get("catalog"), Some(b"2".to_vec()));
        assert!(!store.contains("gone"));
        assert_eq!(store.keys(), ["catalog"]);
    }

    #[test]
    fn a_write_that_fails_changes_nothing_in_memory() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kv.sqlite");
        let store = KeyValue::open(&path, "WAL", FolderHistory::None).expect("a new store");
        set(&store, "a", "1");
        Connection::open(&path).and_then(|other| other.execute_batch("DROP TABLE key_value")).expect("a broken table");
        assert!(block_on(store.change("a".into(), Some(b"2".to_vec()))).is_err());
        assert_eq!(store.get("a"), Some(b"1".to_vec()));
    }

    #[test]
    fn once_closed_everything_is_in_the_file_itself_and_no_change_is_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kv.sqlite");
        let store = KeyValue::open(&path, "WAL", FolderHistory::None).expect("a new store");
        set(&store, "catalog", "2");
        assert!(store.close(LIMIT));
        assert!(block_on(store.change("catalog".into(), Some(b"3".to_vec()))).is_err());
        assert!(!folder.path().join("kv.sqlite-wal").exists());
        let copy = folder.path().join("copy");
        std::fs::copy(&path, &copy).expect("a copy of the one file");
        let store = KeyValue::open(&copy, "WAL", FolderHistory::Kept).expect("the copy");
        assert_eq!(store.get("catalog"), Some(b"2".to_vec()));
    }
}
