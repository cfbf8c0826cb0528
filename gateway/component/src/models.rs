//! `GET /v1/models`: the models the caller may use, in the shape OpenAI clients expect.

use gateway_core::accept::decode_parameter;
use gateway_core::authenticate::{Caller, may_use};
use gateway_core::catalog::{Catalog, Model};
use gateway_core::record::kept_text;
use gateway_core::refusal::{Refusal, Reply};
use serde_json::{Value, json};

/// Every enabled model with an enabled target that the caller may use, sorted by name.
pub(crate) fn list(caller: &Caller, catalog: &Catalog) -> Reply {
    let mut models: Vec<&Model> = catalog.models.iter().filter(|model| visible(caller, catalog, model)).collect();
    models.sort_by(|one, other| one.name.cmp(&other.name));
    let data: Vec<Value> = models.into_iter().map(object).collect();
    Reply::json(200, &json!({ "object": "list", "data": data }))
}

/// One model, by name or alias.
pub(crate) fn read(caller: &Caller, catalog: &Catalog, parameter: &str) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let found = catalog.model(&name).and_then(|index| catalog.models.get(index));
    match found.filter(|model| visible(caller, catalog, model)) {
        Some(model) => Ok(Reply::json(200, &object(model))),
        None => Err(unknown(&name)),
    }
}

/// 404 for a model that does not exist, or that the caller has no business to know of.
pub(crate) fn unknown(name: &str) -> Refusal {
    let shown = kept_text(name);
    let said = format!("There is no model {shown:?}. GET /v1/models lists the models this key may use.");
    Refusal::not_found("model_not_found", said).about("model")
}

fn visible(caller: &Caller, catalog: &Catalog, model: &Model) -> bool {
    let enabled = |index: usize| catalog.providers.get(index).is_some_and(|provider| provider.enabled);
    let served = model.targets.iter().any(|target| target.enabled && enabled(target.provider));
    model.enabled && served && may_use(caller, &model.name, catalog)
}

/// `created` is a required number in the SDKs' types; models here have no birthday.
fn object(model: &Model) -> Value {
    json!({ "id": &*model.name, "object": "model", "created": 0, "owned_by": "llmio" })
}
