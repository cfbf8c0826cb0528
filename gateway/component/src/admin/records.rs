//! `/api/records`: what became of every call.

use std::rc::Rc;

use gateway_core::quota::born_ms;
use gateway_core::record::Filter;
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::state::State;
use gateway_core::uri::decode_parameter;
use gateway_core::views::{Export, RecordView, RecordsView};
use serde::Deserialize;

use super::unavailable;
use crate::feed;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::relay;
use crate::response::Response;
use crate::store::quota;
use crate::store::records::{self, Page};

/// The pauses before the looks for a record. A record is saved behind the answer of its call, which names it, so that its
/// client may ask for it first.
const PAUSES_MS: [u64; 10] = [0, 10, 20, 50, 100, 200, 400, 800, 1600, 2000];

/// A call that began earlier is not waited for.
const NEW_MS_MAX: i64 = 60_000;

/// Lists records, newest first. `before` takes the `next` of the last page; the other parameters narrow the list.
pub(super) async fn list(instance: &Instance, incoming: &Incoming) -> Result<Reply, Refusal> {
    let filter = Filter::parse(incoming.query.as_deref().unwrap_or_default())?;
    let Page { records, stopped } = records::page(instance, &filter).await.map_err(unavailable)?;
    Ok(Reply::json(200, &RecordsView::of(records, stopped, &filter)))
}

/// Lists the sessions of the latest calls: those of a key, or of all.
pub(super) async fn sessions(instance: &Instance, incoming: &Incoming) -> Result<Reply, Refusal> {
    let filter = Filter::parse(incoming.query.as_deref().unwrap_or_default())?;
    let only = Filter { key: filter.key.clone(), before: filter.before.clone(), ..Filter::default() };
    if only != filter {
        return Err(Refusal::bad_request("GET /api/records/sessions takes `key` and `before`, or no parameter."));
    }
    let found = records::conversations(instance, filter.key, filter.before).await.map_err(unavailable)?;
    Ok(Reply::json(200, &found))
}

/// Sends every record that fits, as a file.
pub(crate) fn export(instance: &Rc<Instance>, incoming: &Incoming) -> Response {
    let parsed = Export::parse(incoming.query.as_deref().unwrap_or_default());
    let parsed = parsed.and_then(|(format, query)| Ok((format, Filter::parse(&query)?)));
    match parsed {
        Ok((format, filter)) => feed::export(instance, filter, format, Box::new(|record| record)),
        Err(refusal) => relay::refuse(incoming, &refusal, Shape::Problem),
    }
}

/// Sends the records that come from now on.
pub(crate) fn tail(instance: &Rc<Instance>, incoming: &Incoming) -> Response {
    match Filter::parse(incoming.query.as_deref().unwrap_or_default()) {
        Ok(filter) => feed::tail(instance, filter, Box::new(|record| record)),
        Err(refusal) => relay::refuse(incoming, &refusal, Shape::Problem),
    }
}

/// Answers with one record.
pub(super) async fn read(instance: &Instance, parameter: &str) -> Result<Reply, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    Ok(Reply::json(200, &one(instance, &id).await?))
}

/// The record of this id.
pub(crate) async fn one(instance: &Instance, id: &str) -> Result<RecordView, Refusal> {
    let age_ms = born_ms(id).map(|born_ms| host::unix_ms().saturating_sub(born_ms));
    let is_new = age_ms.is_some_and(|age_ms| (0..NEW_MS_MAX).contains(&age_ms));
    for pause_ms in PAUSES_MS.iter().take(if is_new { PAUSES_MS.len() } else { 1 }) {
        if *pause_ms > 0 {
            host::wait_ms(*pause_ms).await;
        }
        if let Some(record) = records::read(instance, id).await.map_err(unavailable)? {
            return Ok(record);
        }
    }
    Err(no_record(id))
}

/// The same for the holder of this key, who sees no other key's records; for the admin, if there is none.
pub(crate) async fn own(instance: &Instance, id: &str, key: Option<&str>) -> Result<RecordView, Refusal> {
    let record = one(instance, id).await?;
    let is_own = key.is_none_or(|key| record.key.as_deref() == Some(key));
    if is_own { Ok(record) } else { Err(no_record(id)) }
}

/// The refusal of a record that is not there.
fn no_record(id: &str) -> Refusal {
    Refusal::not_found("record_not_found", format!("There is no record {id:?}. It may have been deleted with age."))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndedCalls {
    #[serde(default)]
    id: Option<String>,
    /// The ids of several calls that ended in the same way.
    #[serde(default)]
    ids: Vec<String>,
    state: String,
    at: i64,
    /// Whether the clients have their answers or have left. The component may then have recorded the ends itself, and
    /// what it recorded stays.
    #[serde(default)]
    delivered: bool,
}

/// The most calls whose ends one request may report.
const ENDED_MAX: usize = 1000;

/// Notes calls whose end the host reports because the component could not. The end that a call recorded itself is never
/// changed.
pub(super) async fn ended(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let ended: EndedCalls = super::json(incoming).await?;
    let state = State::named(&ended.state).filter(|state| *state != State::Running);
    let state = state.ok_or_else(|| Refusal::bad_request(format!("`state` {:?} is not an end state.", ended.state)))?;
    let ids: Vec<String> = ended.id.into_iter().chain(ended.ids).collect();
    if ids.is_empty() || ids.len() > ENDED_MAX || ids.iter().any(|id| id.is_empty() || id.len() > 64) {
        return Err(Refusal::bad_request("`id` must be a record's id."));
    }
    let at_ms = if ended.at > 0 { ended.at } else { host::unix_ms() };
    for id in &ids {
        records::end(instance, id, state, at_ms, ended.delivered).await.map_err(unavailable)?;
        // Every other end is noticed by the component itself, or the host reports it separately.
        if state == State::GuestTrap {
            quota::release(instance, id).await.map_err(unavailable)?;
        }
    }
    Ok(Reply { status: 204, headers: Vec::new(), body: Vec::new() })
}
