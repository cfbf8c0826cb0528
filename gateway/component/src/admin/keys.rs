//! `/api/keys`: the keys clients call with. A key is shown once, when it is made; only its hash is kept.

use std::rc::Rc;

use gateway_core::catalog::{Document, NewKey, new_key};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use gateway_core::views::{KeyView, KeysView, NewKeyView};
use serde_json::Value;

use super::catalog::change;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;

/// Lists every key, without its hash.
pub(super) fn list(snapshot: &Snapshot) -> Reply {
    Reply::json(200, &KeysView::of(&snapshot.document)).with("etag", snapshot.etag.clone())
}

/// Makes a key and shows it, this once.
pub(super) async fn create(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let wanted: NewKey = super::json(incoming).await?;
    let key = new_key(&mut host::random_bytes);
    let entry = wanted.entry(&key);
    let shown = KeyView::of(&entry);
    let entry = Value::Object(entry);
    change(instance, None, |snapshot| {
        let mut document = editable(snapshot)?;
        document.insert_key(entry.clone());
        Ok(document)
    })
    .await?;
    Ok(Reply::json(201, &NewKeyView { key, entry: shown }))
}

/// Revokes a key: from now on it is unknown.
pub(super) async fn delete(instance: &Rc<Instance>, parameter: &str) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    change(instance, None, |snapshot| {
        let mut document = editable(snapshot)?;
        if !document.remove_key(&name) {
            let said = format!("There is no key named {name:?}. GET /api/keys lists them.");
            return Err(Refusal::not_found("key_not_found", said));
        }
        Ok(document)
    })
    .await?;
    Ok(Reply { status: 204, headers: Vec::new(), body: Vec::new() })
}

/// The document an edit of keys starts from: what is stored, without the catalog file and the built-in catalog, so that an
/// edit copies neither of them into the store.
fn editable(snapshot: &Snapshot) -> Result<Document, Refusal> {
    if snapshot.file.as_ref().is_some_and(|file| file.as_json().contains_key("keys")) {
        let said = "`keys` comes from the catalog file, which is the authority for it. Add the key there: \
                    `llmio keys create NAME --print-toml` prints the lines.";
        return Err(Refusal::conflict(said));
    }
    Ok(snapshot.stored.clone())
}
