//! `/api/records/{id}/bodies`: the recorded request and answer of a call. `/v1/record_bodies`: what is kept of a key's
//! calls, for its holder.

use std::rc::Rc;

use gateway_core::authenticate::Caller;
use gateway_core::bodies::{Gone, KeptBody, unpacked};
use gateway_core::catalog::{Document, RecordBodies};
use gateway_core::endpoint::Verb;
use gateway_core::record::Filter;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use gateway_core::views::{BodiesView, DeletedBodiesView, KeptOfKeyView, lowered};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{keys, own_record, record, unavailable};
use crate::bodies::seal_id;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::bodies as store;
use crate::store::catalog::{self, Snapshot};
use crate::store::changes::{self, Author};
use crate::store::looks;
use crate::store::records;

/// How long a deletion by filter goes on before it says how far it came.
const DELETE_MS_MAX: u64 = 5_000;

/// The number of calls whose bodies are deleted at a time.
const DELETE_CALLS: i64 = 500;

/// The bodies of a call, to the admin, and to the holder of its key where that may see them.
pub(super) async fn read(
    instance: &Instance,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: &Snapshot,
    parameter: &str,
) -> Result<Reply, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    own_record(instance, &id, caller.key()).await?;
    if caller.key().is_some_and(|name| !may_see(snapshot, name)) {
        let message = "This key may not read the requests and answers of its calls. An admin can allow it with `see_bodies` of the key.";
        return Err(Refusal::forbidden("may_not_see_bodies", message));
    }
    let bodies = opened(instance, &id).await?.map_err(gone)?;
    let view = BodiesView::of(&id, bodies, incoming.query.as_deref())?;
    Ok(Reply::json(200, &view).with("cache-control", "no-store"))
}

/// Whether the holder of a key may read the bodies of its own calls.
pub(crate) fn may_see(snapshot: &Snapshot, key: &str) -> bool {
    snapshot.catalog.key_named(key).is_some_and(|key| key.see_bodies)
}

/// The bodies of a call, or why there are none.
pub(crate) async fn opened(instance: &Instance, id: &str) -> Result<Result<Vec<KeptBody>, Gone>, Refusal> {
    let sealed = match store::read(instance, id).await.map_err(unavailable)? {
        Ok(sealed) => sealed,
        Err(gone) => return Ok(Err(gone)),
    };
    let sealer = catalog::sealer().await.map_err(Refusal::invalid_catalog)?;
    let packed = sealer.and_then(|sealer| sealer.open_bytes(&seal_id(id), &sealed).ok());
    Ok(packed.and_then(|packed| unpacked(&packed)).ok_or(Gone::Sealed))
}

/// The refusal of bodies that are not there.
fn gone(gone: Gone) -> Refusal {
    let code = match gone {
        Gone::Off => "bodies_off",
        Gone::Dropped => "bodies_dropped",
        Gone::Expired => "bodies_expired",
        Gone::Deleted => "bodies_deleted",
        Gone::Sealed => "bodies_sealed",
    };
    Refusal::not_found(code, gone.says())
}

/// Deletes the bodies of one call. Its record stays.
pub(super) async fn delete_one(
    instance: &Instance,
    incoming: &Incoming,
    snapshot: &Snapshot,
    parameter: &str,
) -> Result<Reply, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    record(instance, &id).await?;
    let deleted = forget(instance, incoming, snapshot, id).await?;
    Ok(Reply::json(200, &DeletedBodiesView { deleted, next: None }))
}

/// The same for whoever has found the record.
pub(crate) async fn forget(
    instance: &Instance,
    incoming: &Incoming,
    snapshot: &Snapshot,
    id: String,
) -> Result<usize, Refusal> {
    let deleted = store::delete(instance, &[id]).await.map_err(unavailable)?;
    changes::save(instance, Author::of(incoming, snapshot), None).await;
    Ok(deleted)
}

/// Deletes the bodies of all calls that fit. A filter must say which, so that nobody deletes all by leaving it out.
pub(super) async fn delete(instance: &Instance, incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let query = incoming.query.as_deref().unwrap_or_default();
    if query.is_empty() {
        return Err(Refusal::bad_request(
            "DELETE /api/records/bodies takes the filters of GET /api/records; `since=0` means all calls.",
        ));
    }
    let mut filter = Filter::parse(query)?;
    filter.limit = DELETE_CALLS;
    changes::save(instance, Author::of(incoming, snapshot), None).await;
    let (mut deleted, start_ms) = (0, host::now_ms());
    loop {
        let page = records::page(instance, &filter).await.map_err(unavailable)?;
        let ids: Vec<String> = page.records.into_iter().map(|record| record.id).collect();
        let is_full = i64::try_from(ids.len()).is_ok_and(|count| count >= filter.limit);
        let next = page.stopped.map(|(id, _)| id).or_else(|| ids.last().cloned().filter(|_| is_full));
        deleted += store::delete(instance, &ids).await.map_err(unavailable)?;
        let is_late = host::now_ms().saturating_sub(start_ms) > DELETE_MS_MAX;
        if next.is_none() || is_late {
            return Ok(Reply::json(200, &DeletedBodiesView { deleted, next }));
        }
        filter.before = next;
    }
}

/// What the holder of a key wants to be kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordBodiesRequest {
    record_bodies: String,
}

/// Tells what is kept of the calls of a key, and lets its holder lower it.
pub(crate) async fn of_key(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    verb: Verb,
    caller: &Caller,
    snapshot: &Rc<Snapshot>,
) -> Result<Reply, Refusal> {
    let mut snapshot = snapshot.clone();
    if verb == Verb::Replace {
        let RecordBodiesRequest { record_bodies } = super::json(incoming).await?;
        let Some(name) = caller.key() else {
            let message = "`record_bodies` of the settings decides which bodies of the admin token's calls are kept.";
            return Err(Refusal::bad_request(message));
        };
        snapshot = lower(instance, incoming, &snapshot, name, &record_bodies).await?;
    }
    let key = caller.key().and_then(|name| snapshot.catalog.key_named(name));
    Ok(Reply::json(200, &KeptOfKeyView::of(&snapshot.catalog, key)).with("cache-control", "no-store"))
}

/// Lowers what is kept of the calls of a key, for its holder.
pub(crate) async fn lower(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    name: &str,
    level: &str,
) -> Result<Rc<Snapshot>, Refusal> {
    let key =
        snapshot.catalog.key_named(name).ok_or_else(|| Refusal::unauthorized("key_unknown", "The key is gone."))?;
    let level = lowered(&snapshot.catalog, key, level)?;
    let at_most = if level == RecordBodies::All { Value::Null } else { Value::from(level.name()) };
    let changes = Map::from_iter([("record_bodies_at_most".to_owned(), at_most)]);
    let change = |document: &mut Document| document.change_key(name, &changes);
    let changed = keys::change_key(instance, incoming, None, name, change).await?;
    looks::seen_by_all().await;
    Ok(changed)
}
