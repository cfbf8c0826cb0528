//! `/api/keys`: the keys clients call with. A key is shown once, when it is made; only its hash is kept.

use std::rc::Rc;

use gateway_core::catalog::{Document, hash_key, hash_text};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::change;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;

const PREFIX: &str = "sk-llmio-";
const CHARACTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 43 characters of 62 hold 256 bits.
const CHARACTERS_COUNT: usize = 43;

/// A key to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    models: Option<Vec<String>>,
    expires: Option<String>,
}

/// Every key, without its hash.
pub(super) fn list(snapshot: &Snapshot) -> Reply {
    let keys = snapshot.document.as_json().get("keys").and_then(Value::as_array);
    let shown: Vec<Value> = keys.into_iter().flatten().map(without_hash).collect();
    Reply::json(200, &json!({ "keys": shown })).with("etag", snapshot.etag.clone())
}

/// Makes a key and shows it, this once.
pub(super) async fn create(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let wanted: Wanted = super::json(incoming).await?;
    let key = new_key();
    let mut entry = json!({ "name": wanted.name, "hash": hash_text(&hash_key(&key)) });
    if let Some(members) = entry.as_object_mut() {
        wanted.models.map(|models| members.insert("models".into(), json!(models)));
        wanted.expires.map(|expires| members.insert("expires".into(), json!(expires)));
    }
    let shown = without_hash(&entry);
    change(instance, None, |snapshot| {
        let mut document = editable(snapshot)?;
        document.insert_key(entry.clone());
        Ok(document)
    })
    .await?;
    let mut reply = json!({ "key": key });
    if let (Some(reply), Value::Object(shown)) = (reply.as_object_mut(), shown) {
        reply.extend(shown);
    }
    Ok(Reply::json(201, &reply))
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

/// What is stored, which an edit of keys starts from; neither a catalog file nor the built-in catalog gets into it.
fn editable(snapshot: &Snapshot) -> Result<Document, Refusal> {
    if snapshot.file.as_ref().is_some_and(|file| file.as_json().contains_key("keys")) {
        let said = "`keys` comes from the catalog file, which is the authority for it. Add the key there: \
                    `llmio keys create NAME --print-toml` prints the lines.";
        return Err(Refusal::conflict(said));
    }
    Ok(snapshot.stored.clone())
}

fn without_hash(key: &Value) -> Value {
    let mut key = key.clone();
    if let Some(members) = key.as_object_mut() {
        members.remove("hash");
    }
    key
}

/// Draws characters without bias: bytes that do not fit are thrown away.
fn new_key() -> String {
    let fits = 256 - 256 % CHARACTERS.len();
    let mut key = PREFIX.to_owned();
    while key.len() < PREFIX.len() + CHARACTERS_COUNT {
        let drawn = host::random_bytes::<64>();
        let fitting = drawn.iter().filter(|byte| usize::from(**byte) < fits);
        let left = PREFIX.len() + CHARACTERS_COUNT - key.len();
        key.extend(
            fitting
                .take(left)
                .filter_map(|byte| CHARACTERS.get(usize::from(*byte) % CHARACTERS.len()))
                .map(|each| char::from(*each)),
        );
    }
    key
}
