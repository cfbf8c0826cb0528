//! `GET /v1/models`: the models the caller may use, in the shape OpenAI clients expect.

use gateway_core::accept::decode_parameter;
use gateway_core::authenticate::{Caller, may_use};
use gateway_core::catalog::{Catalog, Model};
use gateway_core::record::kept_text;
use gateway_core::refusal::{Refusal, Reply};
use serde_json::{Value, json};

/// Every enabled model with an enabled target that the caller may use, sorted by name.
pub(crate) fn list(caller: &Caller, catalog: &Catalog) -> Reply {
    let served = catalog.models.iter().filter(|model| is_served(catalog, model));
    let mut names: Vec<&str> = served.flat_map(|model| names(caller, catalog, model)).collect();
    names.sort_unstable();
    let data: Vec<Value> = names.into_iter().map(object).collect();
    Reply::json(200, &json!({ "object": "list", "data": data }))
}

/// One model, by name or alias.
pub(crate) fn read(caller: &Caller, catalog: &Catalog, parameter: &str) -> Result<Reply, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let found = catalog.model(&name).and_then(|index| catalog.models.get(index));
    let found = found.filter(|model| is_served(catalog, model));
    match found.and_then(|model| [&*model.name, &name].into_iter().find(|name| may_use(caller, name, catalog))) {
        Some(name) => Ok(Reply::json(200, &object(name))),
        None => Err(unknown(&name)),
    }
}

/// 404 for a model that does not exist, or that the caller has no business to know of.
pub(crate) fn unknown(name: &str) -> Refusal {
    let shown = kept_text(name);
    let said = format!("There is no model {shown:?}. GET /v1/models lists the models this key may use.");
    Refusal::not_found("model_not_found", said).about("model")
}

fn is_served(catalog: &Catalog, model: &Model) -> bool {
    let enabled = |index: usize| catalog.providers.get(index).is_some_and(|provider| provider.enabled);
    model.enabled && model.targets.iter().any(|target| target.enabled && enabled(target.provider))
}

/// What the caller may call it: its own name, else those of its aliases the key allows.
fn names<'c>(caller: &Caller, catalog: &Catalog, model: &'c Model) -> Vec<&'c str> {
    if may_use(caller, &model.name, catalog) {
        return vec![&model.name];
    }
    let exact = model.aliases.iter().filter(|alias| !alias.ends_with('*'));
    exact.map(String::as_str).filter(|alias| may_use(caller, alias, catalog)).collect()
}

/// `created` is a required number in the SDKs' types; models here have no birthday.
fn object(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "llmio" })
}
