//! `/api/records`: what became of every call.

use std::rc::Rc;

use gateway_core::refusal::{Refusal, Reply};
use gateway_core::state::State;
use gateway_core::uri::decode_parameter;
use serde::Deserialize;
use serde_json::{Value, json};

use super::unavailable;
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::quota;
use crate::store::records::{self, Filter, PAGE_MAX};

/// A page without `limit` has this many records.
const PAGE: i64 = 50;

/// Newest first. `before` is the `next` of the page before; the other parameters narrow the list.
pub(super) async fn list(instance: &Instance, incoming: &Incoming) -> Result<Reply, Refusal> {
    let filter = filter(incoming.query.as_deref().unwrap_or_default())?;
    let limit = filter.limit;
    let page = records::list(instance, filter).await.map_err(unavailable)?;
    let full = i64::try_from(page.len()).is_ok_and(|count| count >= limit);
    let next = page.last().filter(|_| full).and_then(|record| record.get("id")).cloned().unwrap_or(Value::Null);
    Ok(Reply::json(200, &json!({ "records": page, "next": next })))
}

/// One record.
pub(super) async fn read(instance: &Instance, parameter: &str) -> Result<Reply, Refusal> {
    let id = decode_parameter(parameter).unwrap_or_default();
    match records::read(instance, &id).await.map_err(unavailable)? {
        Some(record) => Ok(Reply::json(200, &record)),
        None => Err(Refusal::not_found(
            "record_not_found",
            format!("There is no record {id:?}. It may have been deleted with age."),
        )),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    id: String,
    state: String,
    at: i64,
}

/// The host tells of a call that ended without the guest. It never changes how a call ended that said so itself.
pub(super) async fn ended(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let ended: Ended = super::json(instance, incoming).await?;
    let state = State::named(&ended.state).filter(|state| *state != State::Running);
    let state = state.ok_or_else(|| Refusal::bad_request(format!("`state` {:?} is not an end state.", ended.state)))?;
    if ended.id.is_empty() || ended.id.len() > 64 {
        return Err(Refusal::bad_request("`id` must be a record's id."));
    }
    let at_ms = if ended.at > 0 { ended.at } else { host::unix_ms() };
    records::end(instance, &ended.id, state.name(), at_ms).await.map_err(unavailable)?;
    // Every other end the guest notices itself, or the host's own end follows it.
    if state == State::GuestTrap {
        quota::release(instance, &ended.id).await.map_err(unavailable)?;
    }
    Ok(Reply { status: 204, headers: Vec::new(), body: Vec::new() })
}

fn filter(query: &str) -> Result<Filter, Refusal> {
    let mut filter = Filter { limit: PAGE, ..Filter::default() };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode_parameter(&value.replace('+', " ")).ok_or_else(|| {
            Refusal::bad_request(format!("The value of `{name}` is not valid percent-encoded UTF-8."))
        })?;
        let text = Some(value.clone());
        match name {
            "before" => filter.before = Some(id(name, &value)?),
            "since" => filter.since_ms = Some(integer(name, &value)?),
            "until" => filter.until_ms = Some(integer(name, &value)?),
            "key" => filter.key = text,
            "model" => filter.model = text,
            "provider" => filter.provider = text,
            "upstream_model" => filter.upstream_model = text,
            "state" => filter.state = Some(state(&value)?),
            "status" => filter.status = Some(status(name, &value)?),
            "session" => filter.session = text,
            "endpoint" => filter.endpoint = text,
            "client" => filter.client = text,
            "streamed" => filter.streamed = Some(truth(name, &value)?),
            "limit" => filter.limit = integer(name, &value)?,
            _ => return Err(unknown_parameter(name)),
        }
    }
    if !(1..=PAGE_MAX).contains(&filter.limit) {
        return Err(Refusal::bad_request(format!("`limit` must be from 1 to {PAGE_MAX}.")));
    }
    Ok(filter)
}

fn integer(name: &str, value: &str) -> Result<i64, Refusal> {
    value.parse().map_err(|_| {
        let unit = if matches!(name, "since" | "until") { " of Unix milliseconds" } else { "" };
        Refusal::bad_request(format!("`{name}` must be a whole number{unit}, not {value:?}."))
    })
}

fn id(name: &str, value: &str) -> Result<String, Refusal> {
    let id = uuid::Uuid::parse_str(value).map(|_| value.to_owned());
    id.map_err(|_| {
        Refusal::bad_request(format!("`{name}` must be the `next` of a page, a record's id, not {value:?}."))
    })
}

fn status(name: &str, value: &str) -> Result<i64, Refusal> {
    let status = integer(name, value)?;
    if (100..=599).contains(&status) {
        return Ok(status);
    }
    Err(Refusal::bad_request(format!("`{name}` must be an HTTP status, from 100 to 599, not {status}.")))
}

fn truth(name: &str, value: &str) -> Result<bool, Refusal> {
    value.parse().map_err(|_| Refusal::bad_request(format!("`{name}` must be true or false, not {value:?}.")))
}

fn state(value: &str) -> Result<String, Refusal> {
    State::named(value).map(|state| state.name().to_owned()).ok_or_else(|| {
        let names: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        Refusal::bad_request(format!("There is no state {value:?}. States: {}.", names.join(", ")))
    })
}

fn unknown_parameter(name: &str) -> Refusal {
    Refusal::bad_request(format!(
        "There is no parameter `{name}`. Use before, since, until, key, model, provider, upstream_model, state, status, session, endpoint, client, streamed, limit."
    ))
}
