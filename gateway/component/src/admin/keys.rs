//! `/api/keys`: the keys clients call with. A key is shown once, when it is made; only its hash is kept.

use std::rc::Rc;

use gateway_core::catalog::{Document, NewKey, Rotation, fixed_key_field, hash_key, hash_text, new_key};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use gateway_core::views::{KeyView, KeysView, NewKeyView};
use serde_json::{Map, Value};

use super::catalog::{base, change};
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
    let request: NewKey = super::json(incoming).await?;
    let (made, _) = make(instance, incoming, base(incoming), request).await?;
    Ok(Reply::json(201, &made))
}

/// The same for whoever has read what is wanted.
pub(crate) async fn make(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    request: NewKey,
) -> Result<(NewKeyView, Rc<Snapshot>), Refusal> {
    let key = new_key(&mut host::random_bytes);
    let entry = request.entry(&key);
    let shown = KeyView::of(&entry);
    let entry = Value::Object(entry);
    let snapshot = change(instance, incoming, base, |snapshot| {
        let mut document = editable(snapshot)?;
        document.insert_key(entry.clone());
        Ok(document)
    })
    .await?;
    Ok((NewKeyView { key, entry: shown }, snapshot))
}

/// Shows one key.
pub(super) fn read(snapshot: &Snapshot, parameter: &str) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    Ok(Reply::json(200, &find(snapshot, &name)?).with("etag", snapshot.etag.clone()))
}

/// Changes a key by a JSON merge patch (RFC 7396). Its name and its secret stay.
pub(super) async fn update(instance: &Rc<Instance>, incoming: &Incoming, parameter: &str) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let changes: Map<String, Value> = super::json(incoming).await?;
    if let Some(field) = fixed_key_field(&changes) {
        let message = format!("`{field}` of a key cannot be changed. Make another key, or rotate this one.");
        return Err(Refusal::bad_request(message).about(field));
    }
    let change = |document: &mut Document| document.change_key(&name, &changes);
    let snapshot = change_key(instance, incoming, base(incoming), &name, change).await?;
    Ok(Reply::json(200, &find(&snapshot, &name)?).with("etag", snapshot.etag.clone()))
}

/// Gives a key a new secret and shows it, this once. The old secret stays valid for a while.
pub(super) async fn rotate(instance: &Rc<Instance>, incoming: &Incoming, parameter: &str) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let body = incoming.body().await?;
    let rotation = Rotation::parse(&body.bytes).map_err(Refusal::bad_request)?;
    let (made, snapshot) = renew(instance, incoming, base(incoming), &name, rotation).await?;
    Ok(Reply::json(200, &made).with("etag", snapshot.etag.clone()))
}

/// The same for whoever has read how long the old secret stays.
pub(crate) async fn renew(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    name: &str,
    rotation: Rotation,
) -> Result<(NewKeyView, Rc<Snapshot>), Refusal> {
    let key = new_key(&mut host::random_bytes);
    let (hash, until) = (hash_text(&hash_key(&key)), rotation.until(host::unix_ms()));
    let rotate = |document: &mut Document| document.rotate_key(name, &hash, until.as_deref());
    let snapshot = change_key(instance, incoming, base, name, rotate).await?;
    let entry = find(&snapshot, name)?;
    Ok((NewKeyView { key, entry }, snapshot))
}

/// Revokes a key: from now on it is unknown.
pub(super) async fn delete(instance: &Rc<Instance>, incoming: &Incoming, parameter: &str) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    change_key(instance, incoming, base(incoming), &name, |document| document.remove_key(&name)).await?;
    Ok(Reply { status: 204, headers: Vec::new(), body: Vec::new() })
}

/// Stores the catalog after an edit of a key. The edit returns `false` if there is no such key.
pub(crate) async fn change_key(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    name: &str,
    edit: impl Fn(&mut Document) -> bool,
) -> Result<Rc<Snapshot>, Refusal> {
    change(instance, incoming, base, |snapshot| {
        let mut document = editable(snapshot)?;
        if edit(&mut document) { Ok(document) } else { Err(not_found(name)) }
    })
    .await
}

fn find(snapshot: &Snapshot, name: &str) -> Result<KeyView, Refusal> {
    KeyView::find(&snapshot.document, name).ok_or_else(|| not_found(name))
}

fn not_found(name: &str) -> Refusal {
    Refusal::not_found("key_not_found", format!("There is no key named {name:?}. GET /api/keys lists them."))
}

/// The document an edit of keys starts from: what is stored, without the catalog file and the built-in catalog, so that an
/// edit copies neither of them into the store.
fn editable(snapshot: &Snapshot) -> Result<Document, Refusal> {
    snapshot.is_editable("keys", "").map_err(|mut refusal| {
        refusal.message.push_str(" `llmio keys create NAME --print-toml` prints the lines of a new key.");
        refusal
    })?;
    Ok(snapshot.stored.clone())
}
