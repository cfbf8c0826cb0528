//! `/api/catalog/history`: who changed the catalog, what a version changed, and putting an old one back.

use std::rc::Rc;

use gateway_core::catalog::Document;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::{HistoryView, StoredView, VersionView};
use serde::Deserialize;

use super::catalog::{base, change};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::{self, Snapshot};
use crate::store::changes;

/// How many changes are listed at once.
const LIMIT: usize = 50;

/// Lists changes, newest first.
pub(super) async fn list(instance: &Instance, incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let before = match incoming.query.as_deref().filter(|query| !query.is_empty()) {
        None => None,
        Some(query) => Some(query.strip_prefix("before=").and_then(|id| id.parse().ok()).ok_or_else(|| {
            Refusal::bad_request(
                "GET /api/catalog/history takes `before=`, the `next` of the last page, or no parameter.",
            )
        })?),
    };
    let view = page(instance, snapshot, before).await?;
    Ok(Reply::json(200, &view).with("etag", snapshot.etag.clone()))
}

/// A page of changes before the one of this id.
pub(crate) async fn page(
    instance: &Instance,
    snapshot: &Snapshot,
    before: Option<i64>,
) -> Result<HistoryView, Refusal> {
    let limit = i64::try_from(LIMIT).unwrap_or(i64::MAX);
    let changes = changes::list(instance, before.unwrap_or(i64::MAX), limit).await?;
    Ok(HistoryView::of(snapshot.version, changes, LIMIT))
}

/// Shows what a version changed, and what restoring it would change.
pub(super) async fn read(instance: &Instance, snapshot: &Snapshot, parameter: &str) -> Result<Reply, Refusal> {
    Ok(Reply::json(200, &version(instance, snapshot, number(parameter)?).await?).with("etag", snapshot.etag.clone()))
}

/// The same as a view.
pub(crate) async fn version(instance: &Instance, snapshot: &Snapshot, number: u64) -> Result<VersionView, Refusal> {
    let version = find(instance, number).await?;
    let before = match number {
        1 => Some(Document::empty()),
        _ => catalog::version(instance, number.saturating_sub(1)).await?,
    };
    let shown = version.redacted();
    let restored = shown.restored(&snapshot.stored.redacted(), false);
    Ok(VersionView {
        version: number,
        current: snapshot.version,
        made: changes::of_version(instance, number).await?,
        changed: before.map(|before| before.redacted().changes(&shown)),
        restoring: snapshot.stored.redacted().changes(&restored),
    })
}

/// What is restored besides.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoreRequest {
    /// Keys and teams too. A key that was revoked meanwhile is valid again then. Default: they stay.
    #[serde(default)]
    keys: bool,
}

/// Stores an old version once more.
pub(super) async fn restore(instance: &Rc<Instance>, incoming: &Incoming, parameter: &str) -> Result<Reply, Refusal> {
    let body = incoming.body().await?;
    let request: RestoreRequest = match body.bytes.as_slice() {
        [] => RestoreRequest::default(),
        body => serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(format!("The body was not understood: {error}.")))?,
    };
    let number = number(parameter.strip_suffix("/restore").unwrap_or(parameter))?;
    let snapshot = put_back(instance, incoming, base(incoming), number, request.keys).await?;
    let warnings = snapshot.catalog.warnings();
    let view = StoredView { version: snapshot.version, etag: &snapshot.etag, kept: Vec::new(), warnings };
    Ok(Reply::json(200, &view).with("etag", snapshot.etag.clone()))
}

/// Makes an old version the newest one.
pub(crate) async fn put_back(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    number: u64,
    with_keys: bool,
) -> Result<Rc<Snapshot>, Refusal> {
    let version = find(instance, number).await?;
    change(instance, incoming, base, |snapshot| Ok(version.restored(&snapshot.stored, with_keys))).await
}

/// The version that stands in a path.
pub(crate) fn number(parameter: &str) -> Result<u64, Refusal> {
    parameter.parse().map_err(|_| no_version(parameter))
}

async fn find(instance: &Instance, number: u64) -> Result<Document, Refusal> {
    catalog::version(instance, number).await?.ok_or_else(|| no_version(&number.to_string()))
}

fn no_version(number: &str) -> Refusal {
    let message = format!("There is no version {number:?} of the catalog. GET /api/catalog/history lists them.");
    Refusal::not_found("version_not_found", message)
}
