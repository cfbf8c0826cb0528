//! spin:key-value: `kv.sqlite`, with its whole content in memory. The process lock makes us its only user, so a read
//! never touches the disk and is ready at the first poll, which spares the guest a suspension; a write is on the disk
//! before it resolves.

use super::Interfaces;
use crate::bindings::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::instance::State;
use anyhow::{Context, Result};
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

/// The only label there is, here and in `spin.toml`.
const LABEL: &str = "default";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

type Content = Arc<RwLock<HashMap<String, Vec<u8>>>>;

/// The store behind all handles.
pub(crate) struct KeyValue {
    content: Content,
    changes: mpsc::Sender<Change>,
}

/// The guest's handle.
#[expect(unreachable_pub, reason = "the generated code re-exports it")]
pub struct Store;

struct Change {
    key: String,
    /// None deletes.
    value: Option<Vec<u8>>,
    done: oneshot::Sender<Result<(), String>>,
}

impl KeyValue {
    /// Opens or creates the file and reads it whole. `journal` is SQLite's journal mode.
    pub(crate) fn open(file: &Path, journal: &str) -> Result<KeyValue> {
        let damaged = || format!("{} cannot be read; restore a backup, or move it away to start empty", file.display());
        let connection = Connection::open(file).with_context(damaged)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", journal).with_context(damaged)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS key_value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
            )
            .with_context(damaged)?;
        // Never silently empty: an unreadable catalog would be a gateway without keys.
        let content = Arc::new(RwLock::new(read(&connection).with_context(damaged)?));
        let (changes, receiver) = mpsc::channel();
        let writer = content.clone();
        std::thread::Builder::new()
            .name("key-value".to_owned())
            .spawn(move || write(&connection, &writer, &receiver))
            .context("no thread for the key-value store")?;
        Ok(KeyValue { content, changes })
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
        self.changes.send(Change { key, value, done }).map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?.map_err(Error::Other)
    }
}

fn read(connection: &Connection) -> rusqlite::Result<HashMap<String, Vec<u8>>> {
    let mut statement = connection.prepare("SELECT key, value FROM key_value")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// One change at a time, each its own transaction; memory follows the disk, never the other way round.
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

impl<T: 'static> HostStoreWithStore<T> for Interfaces {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> wasmtime::Result<Result<Resource<Store>, Error>> {
        if label != LABEL {
            return Ok(Err(Error::NoSuchStore));
        }
        accessor.with(|mut access| Ok(Ok(access.get().table().push(Store)?)))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        _: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(Ok(accessor.with(|mut access| access.get().stores.key_value.get(&key))))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        _: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let stores = accessor.with(|mut access| access.get().stores.clone());
        Ok(stores.key_value.change(key, Some(value)).await)
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        _: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
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

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn a_value_that_was_acknowledged_is_there_after_the_process_ends() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("kv.sqlite");
        let store = KeyValue::open(&file, "WAL").expect("a new store");
        block_on(store.change("catalog".into(), Some(b"2".to_vec()))).expect("a write");
        block_on(store.change("gone".into(), Some(b"x".to_vec()))).expect("a write");
        block_on(store.change("gone".into(), None)).expect("a delete");
        // A second connection sees only what is committed, as would a process started after kill -9.
        let content = read(&Connection::open(&file).expect("the same file")).expect("its rows");
        assert_eq!(content, HashMap::from([("catalog".to_owned(), b"2".to_vec())]));
        drop(store);
        let store = KeyValue::open(&file, "WAL").expect("the same store");
        assert_eq!(store.get("catalog"), Some(b"2".to_vec()));
        assert!(!store.contains("gone"));
        assert_eq!(store.keys(), ["catalog"]);
    }

    #[test]
    fn a_write_that_fails_changes_nothing_in_memory() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("kv.sqlite");
        let store = KeyValue::open(&file, "WAL").expect("a new store");
        block_on(store.change("a".into(), Some(b"1".to_vec()))).expect("a write");
        Connection::open(&file).and_then(|other| other.execute_batch("DROP TABLE key_value")).expect("a broken table");
        assert!(block_on(store.change("a".into(), Some(b"2".to_vec()))).is_err());
        assert_eq!(store.get("a"), Some(b"1".to_vec()));
    }

    #[test]
    fn a_damaged_file_is_refused_and_never_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("kv.sqlite");
        std::fs::write(&file, [b'x'; 8192]).expect("a file");
        let error = KeyValue::open(&file, "WAL").err().expect("a damaged file");
        assert!(error.to_string().contains("restore a backup"), "{error}");
        assert_eq!(std::fs::read(&file).expect("the file").len(), 8192);
    }
}
