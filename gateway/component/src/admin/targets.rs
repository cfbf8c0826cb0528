//! `POST /api/targets/test`: a small real call, which shows whether a target works with a credential. `POST
//! /api/targets/leave-out`: what a target refuses is sent to it no longer.

use std::cell::Cell;
use std::rc::Rc;

use gateway_core::authenticate::Caller;
use gateway_core::catalog::Document;
use gateway_core::models;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::trial;
use gateway_core::views::LeftOutView;
use serde::Deserialize;

use super::catalog::base;
use super::nouns::change_entry;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::proxy::Trial;
use crate::store::catalog::Snapshot;
use crate::store::parameters;

/// The target to be tested.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestRequest {
    /// A public model, as a client asks for it.
    model: String,
    /// One of its targets, as `provider/upstream-model` or by its provider. Default: the only one.
    target: Option<String>,
    /// A credential of the provider, by its label or id. Default: the first one.
    credential: Option<String>,
    /// The endpoint's name as records write it. Default: a streamed conversation in the provider's own dialect.
    endpoint: Option<String>,
}

/// Answers 200 with the result of the test, whether it passed or not.
pub(super) async fn test(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    caller: &Caller,
    snapshot: &Rc<Snapshot>,
) -> Result<Reply, Refusal> {
    let body: TestRequest = super::json(incoming).await?;
    let catalog = &snapshot.catalog;
    let model = catalog.model(&body.model).ok_or_else(|| models::unknown(&body.model))?;
    let target = trial::target(model, &body.model, body.target.as_deref())?;
    let provider = &target.provider;
    let credential = trial::credential(provider, body.credential.as_deref())?;
    let operation = match body.endpoint.as_deref() {
        None => trial::operation(provider),
        Some(name) => super::operation(name)?,
    };
    let call = trial::call(operation, &body.model)?;
    let report = Trial { call: &call, model, target, credential }.run(instance, incoming, caller, snapshot).await?;
    Ok(Reply::json(200, &report))
}

/// A parameter, and the target that refuses it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    provider: String,
    model: String,
    parameter: String,
}

/// Leaves a parameter out of requests to every target of a provider and its model.
pub(super) async fn leave_out(instance: &Rc<Instance>, incoming: &Incoming) -> Result<Reply, Refusal> {
    let Refused { provider, model, parameter } = super::json(incoming).await?;
    let (targets, snapshot) = left_out(instance, incoming, base(incoming), [&provider, &model, &parameter]).await?;
    Ok(Reply::json(200, &LeftOutView { targets }).with("etag", snapshot.etag.clone()))
}

/// The same for whoever has read which.
pub(crate) async fn left_out(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    [provider, model, parameter]: [&str; 3],
) -> Result<(usize, Rc<Snapshot>), Refusal> {
    let targets = Cell::new(0);
    let edited = |document: &mut Document| {
        targets.set(document.leave_out(provider, model, parameter)?);
        Ok(())
    };
    let snapshot = change_entry(instance, incoming, base, ("models", ""), edited).await?;
    parameters::forget(instance, provider, model, parameter).await;
    Ok((targets.get(), snapshot))
}
