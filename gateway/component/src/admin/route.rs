//! `POST /api/route`: says where a request would be sent now, and why not elsewhere, without sending it.

use std::collections::BTreeMap;
use std::rc::Rc;

use gateway_core::accept;
use gateway_core::authenticate::{self, Caller};
use gateway_core::call::Call;
use gateway_core::failover;
use gateway_core::models;
use gateway_core::operation::Operation;
use gateway_core::pace::Pace;
use gateway_core::quota::Estimate;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::PlanView;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::proxy::{PlanRequest, plan, recall};
use crate::store::catalog::Snapshot;
use crate::store::{health, kept, quota, seals};

/// A request as a client would send it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecideRequest {
    /// The endpoint's name as records write it. Default: `chat/completions`.
    endpoint: Option<String>,
    /// The name of the key it would be sent with. Default: the admin token, which may use everything.
    key: Option<String>,
    /// The client's session, which a header would name.
    session: Option<String>,
    /// The random number of the decision. The number of a record repeats the order of that record. Default: a new one.
    draw: Option<String>,
    /// The model, for endpoints whose path names it, as Gemini's do.
    model: Option<String>,
    /// The body, with at least `model` where the path does not name it.
    body: Box<RawValue>,
}

/// Answers with the decision in the form that records have, and with what the client would be told if nothing can serve
/// it.
pub(super) async fn decide(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Rc<Snapshot>,
) -> Result<Reply, Refusal> {
    Ok(Reply::json(200, &planned(instance, snapshot, super::json(incoming).await?).await?))
}

impl DecideRequest {
    /// The smallest conversation with a model, sent with this key.
    pub(crate) fn of(model: &str, key: Option<&str>) -> Option<Self> {
        let body = serde_json::value::to_raw_value(&BTreeMap::from([("model", model)])).ok()?;
        Some(DecideRequest {
            endpoint: None,
            key: key.map(str::to_owned),
            session: None,
            draw: None,
            model: None,
            body,
        })
    }
}

/// The same as a view.
pub(crate) async fn planned(
    instance: &Rc<Instance>,
    snapshot: &Rc<Snapshot>,
    body: DecideRequest,
) -> Result<PlanView, Refusal> {
    let head = accept::Head { model: body.model, ..accept::Head::default() };
    let operation = body.endpoint.as_deref().map_or(Ok(Operation::Chat), super::operation)?;
    let call = accept::call(operation, head, body.body.get().as_bytes().to_vec())?;
    let catalog = &snapshot.catalog;
    let model = catalog.model(&call.model).ok_or_else(|| models::unknown(&call.model))?;
    let key = body.key.as_deref();
    let caller = match key {
        None => Ok(Caller::Admin),
        Some(name) => {
            let found = catalog.keys.iter().find(|key| *key.name == *name);
            let unknown = || Refusal::bad_request(format!("There is no key named {name:?}. GET /api/keys lists them."));
            authenticate::allowed_now(found.ok_or_else(unknown)?, host::unix_ms())
        }
    };
    let draw = match body.draw {
        None => instance.random.draw(),
        Some(text) => {
            let message = format!("`draw` must be a whole number of 64 bits as text, not {text:?}.");
            text.parse().map_err(|_| Refusal::bad_request(message))?
        }
    };
    health::look_now(instance).await;
    let session = body.session.as_deref().or(call.session.as_deref());
    let owner = kept::owner_of_call(instance, &call, key, &snapshot.catalog).await?;
    let look = |call: &Call| accept::demand(call, Pace::default());
    let (estimate, at) = (Estimate::of(&call, &look), quota::moment(instance, snapshot));
    let makers = seals::makers(instance, &call).await;
    let (owner, makers) = (owner.as_ref(), &makers);
    recall(instance, catalog, model, at, false).await;
    let request = PlanRequest { call: &call, estimate: &estimate, model, session, key, owner, makers, at };
    let candidates =
        health::rehearse(instance, |health, rotation| plan(instance, &request, catalog, health, draw, rotation));
    let refused = match caller.and_then(|caller| authenticate::check_model(&caller, &model.name, &call.model, catalog))
    {
        Err(refusal) => Some(refusal),
        Ok(()) if candidates.list.is_empty() => {
            Some(failover::exhausted(&model.name, &candidates.skipped, None, at.now))
        }
        Ok(()) => None,
    };
    Ok(PlanView::of((model, &call.model), (catalog, snapshot.version), (&candidates, at.now), refused))
}
