//! `POST /api/targets/test`: a small real call, which shows whether a target works with a credential.

use std::rc::Rc;

use gateway_core::authenticate::Caller;
use gateway_core::models;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::trial;
use serde::Deserialize;

use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::proxy::Trial;
use crate::store::catalog::Snapshot;

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
    let wanted: TestRequest = super::json(incoming).await?;
    let catalog = &snapshot.catalog;
    let model = catalog.model(&wanted.model).ok_or_else(|| models::unknown(&wanted.model))?;
    let target = trial::target(model, &wanted.model, wanted.target.as_deref())?;
    let provider = &target.provider;
    let credential = trial::credential(provider, wanted.credential.as_deref())?;
    let operation = match wanted.endpoint.as_deref() {
        None => trial::operation(provider),
        Some(name) => super::operation(name)?,
    };
    let call = trial::call(operation, &wanted.model)?;
    let report = Trial { call: &call, model, target, credential }.run(instance, incoming, caller, snapshot).await?;
    Ok(Reply::json(200, &report))
}
