//! `/api/catalog`: the whole configuration as one document.

use gateway_core::catalog::Document;
use gateway_core::refusal::{Refusal, Reply};
use serde_json::json;

use crate::host;
use crate::incoming::Incoming;
use crate::store::catalog::{self, Snapshot};

/// The catalog in force. TOML with `accept: application/toml`, JSON otherwise. Secrets are left out, unless an
/// operator who moves to another machine asks for them by `?with_secrets=true`.
pub(super) async fn read(incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let document = match incoming.query.as_deref() {
        Some("with_secrets=true") => with_secrets(&snapshot.document).await?,
        None | Some("") => snapshot.document.redacted(),
        Some(query) => {
            let said =
                format!("There is no parameter `{query}`. GET /api/catalog takes `with_secrets=true` or nothing.");
            return Err(Refusal::bad_request(said));
        }
    };
    let toml = incoming.header("accept").is_some_and(|accept| accept.contains("application/toml"));
    let reply = match document.to_toml() {
        Ok(text) if toml => Reply::new(200, "application/toml", text),
        _ => Reply::new(200, "application/json", document.to_json_string()),
    };
    Ok(reply.with("etag", snapshot.etag.clone()))
}

async fn with_secrets(document: &Document) -> Result<Document, Refusal> {
    let sealer = catalog::sealer().await.map_err(Refusal::invalid_catalog)?;
    match sealer {
        Some(sealer) => document.with_secrets(&sealer).map_err(Refusal::invalid_catalog),
        None => Ok(document.clone()),
    }
}

/// Replaces the stored catalog. A credential that names its `id` without a value keeps its secret.
pub(super) async fn update(incoming: &Incoming) -> Result<Reply, Refusal> {
    let body = incoming.body().await?;
    let snapshot = catalog::administered().await?;
    if let Some(wanted) = incoming.header("if-match")
        && wanted.trim() != "*"
        && !wanted.split(',').any(|etag| etag.trim() == snapshot.etag)
    {
        return Err(catalog::changed_meanwhile());
    }
    let document = catalog::parse(&body.bytes).map_err(Refusal::invalid_catalog)?;
    if let Some(file) = &snapshot.file
        && let Some(section) = document.as_json().keys().find(|section| file.as_json().contains_key(*section))
    {
        let said = format!("`{section}` comes from the catalog file, which is the authority for it. Edit the file.");
        return Err(Refusal::conflict(said));
    }
    let (snapshot, warnings) = replace(document, &snapshot).await?;
    let reply = json!({ "version": snapshot.version, "etag": snapshot.etag, "warnings": warnings });
    Ok(Reply::json(200, &reply).with("etag", snapshot.etag.clone()))
}

/// Says whether a catalog would be accepted, and changes nothing.
pub(super) async fn check(incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let body = incoming.body().await?;
    let mut document = catalog::parse(&body.bytes).map_err(Refusal::invalid_catalog)?;
    document.recall(Some(&snapshot.stored)).map_err(Refusal::invalid_catalog)?;
    // A file that lacks a section is laid over the stored one, so that is what is checked.
    let resolved = catalog::resolved(&document.overlay(&snapshot.stored)).await.map_err(Refusal::invalid_catalog)?;
    let warnings: Vec<String> =
        resolved.missing().into_iter().map(|(path, reason)| format!("{path}: {reason}")).collect();
    Ok(Reply::json(200, &json!({ "ok": true, "warnings": warnings })))
}

/// Seals, validates and stores a document; returns the snapshot then in force and what is missing for it to work.
pub(super) async fn replace(
    mut document: Document,
    snapshot: &Snapshot,
) -> Result<(std::rc::Rc<Snapshot>, Vec<String>), Refusal> {
    let sealer = catalog::sealer().await.map_err(Refusal::invalid_catalog)?;
    let sealed = document.seal(Some(&snapshot.stored), sealer.as_ref(), &mut host::random_bytes);
    let whole = match &snapshot.file {
        Some(file) => file.overlay(&document),
        None => document.clone(),
    };
    match (sealed, whole.validate()) {
        (Ok(()), Ok(_)) => {}
        (Err(unsealed), Err(invalid)) => return Err(Refusal::invalid_catalog(unsealed.and(invalid))),
        (Err(problems), Ok(_)) | (Ok(()), Err(problems)) => return Err(Refusal::invalid_catalog(problems)),
    }
    catalog::accept(&document, snapshot.version).await?;
    let snapshot = catalog::administered().await?;
    let warnings = snapshot.warnings();
    Ok((snapshot, warnings))
}
