//! `GET models`: the models a caller may use, in the shape its clients read. A list in another dialect's shape reads as
//! an empty one, without an error.

use serde_json::{Value, json};

use crate::authenticate::{Caller, may_use};
use crate::catalog::{Catalog, Model};
use crate::dialect::Dialect;
use crate::record::kept_text;
use crate::refusal::{Refusal, Shape};
use crate::uri::decode_parameter;

/// The date of every model. Models have none here, but the types of the SDKs need one, and clients that show it or sort
/// by it read zero as a mistake. It is the day of llmio's beginning.
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

/// The same date in Unix seconds.
const CREATED_S: i64 = 1_767_225_600;

/// The names of every enabled model with an enabled target that the caller may use, sorted.
pub fn usable<'c>(caller: &Caller, catalog: &'c Catalog) -> Vec<&'c str> {
    let served = catalog.models.iter().filter(|model| is_served(model));
    let mut names: Vec<&str> = served.flat_map(|model| names(caller, catalog, model)).collect();
    names.sort_unstable();
    names
}

/// Every enabled model with an enabled target that the caller may use, sorted by name. `query` may ask for a page.
///
/// Codex asks with its version, and reads `models` in a form of its own. It takes a list without it for broken; one with
/// entries replaces the system prompts that it has for each model, so it gets an empty one and keeps what it knows.
/// <https://github.com/openai/codex/issues/37122>
pub fn list(caller: &Caller, catalog: &Catalog, shape: Shape, query: Option<&str>) -> Value {
    let names = usable(caller, catalog);
    match shape {
        Shape::Dialect(Dialect::Anthropic) => {
            let (page, has_more) = page(&names, query.unwrap_or_default());
            let data: Vec<Value> = page.iter().map(|name| object(name, shape)).collect();
            json!({ "data": data, "has_more": has_more, "first_id": page.first(), "last_id": page.last() })
        }
        Shape::Dialect(Dialect::Gemini) => {
            json!({ "models": names.iter().map(|name| object(name, shape)).collect::<Vec<_>>() })
        }
        Shape::Dialect(_) | Shape::Problem => {
            let mut list =
                json!({ "object": "list", "data": names.iter().map(|name| object(name, shape)).collect::<Vec<_>>() });
            if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("client_version="))) {
                list["models"] = json!([]);
            }
            list
        }
    }
}

/// One model, by the name or alias of a path, still percent-encoded.
pub fn read(caller: &Caller, catalog: &Catalog, shape: Shape, parameter: &str) -> Result<Value, Refusal> {
    let name = decode_parameter(parameter).unwrap_or_default();
    let found = catalog.model(&name).filter(|model| is_served(model));
    match found.and_then(|model| [&*model.name, &name].into_iter().find(|name| may_use(caller, name, catalog))) {
        Some(name) => Ok(object(name, shape)),
        None => Err(unknown(&name)),
    }
}

/// The refusal of a model that does not exist, or that the caller may not know about.
pub fn unknown(name: &str) -> Refusal {
    let shown = kept_text(name);
    let message = format!("There is no model {shown:?}. GET /v1/models lists the models this key may use.");
    Refusal::not_found("model_not_found", message).about("model")
}

fn is_served(model: &Model) -> bool {
    model.enabled && model.targets.iter().any(|target| target.enabled && target.provider.enabled)
}

/// The names that the caller may use for a model: its own name, or else those of its aliases that the key allows.
fn names<'c>(caller: &Caller, catalog: &Catalog, model: &'c Model) -> Vec<&'c str> {
    if !model.is_pattern() && may_use(caller, &model.name, catalog) {
        return vec![&model.name];
    }
    let exact = model.aliases.iter().filter(|alias| !alias.ends_with('*'));
    exact.map(String::as_str).filter(|alias| may_use(caller, alias, catalog)).collect()
}

/// A model as an object. <https://platform.openai.com/docs/api-reference/models>,
/// <https://platform.claude.com/docs/en/api/models-list>, <https://ai.google.dev/api/models>.
fn object(name: &str, shape: Shape) -> Value {
    match shape {
        Shape::Dialect(Dialect::Anthropic) => {
            json!({ "type": "model", "id": name, "display_name": name, "created_at": CREATED_AT })
        }
        Shape::Dialect(Dialect::Gemini) => json!({
            "name": format!("models/{name}"),
            "displayName": name,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }),
        Shape::Dialect(_) | Shape::Problem => {
            json!({ "id": name, "object": "model", "created": CREATED_S, "owned_by": "llmio" })
        }
    }
}

/// The page that Anthropic's `limit`, `after_id` and `before_id` ask for, and whether there is more beyond it.
fn page<'n, 's>(names: &'n [&'s str], query: &str) -> (&'n [&'s str], bool) {
    let parameter = |key: &str| {
        let pair = query.split('&').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key));
        pair.and_then(|(_, value)| decode_parameter(value))
    };
    let limit = parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(1000).max(1);
    if let Some(before) = parameter("before_id") {
        let end = names.partition_point(|name| *name < before.as_str());
        let start = end.saturating_sub(limit);
        return (names.get(start..end).unwrap_or_default(), start > 0);
    }
    let start = parameter("after_id").map_or(0, |after| names.partition_point(|name| *name <= after.as_str()));
    let end = names.len().min(start.saturating_add(limit));
    (names.get(start..end).unwrap_or_default(), end < names.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    fn catalog() -> Catalog {
        let text = "providers = [{ name = \"p\", base_url = \"https://p.example\" }]\n\
            models = [{ name = \"c\", targets = [\"p/x\"] }, { name = \"a/1\", targets = [\"p/x\"] }, \
            { name = \"b\", targets = [\"p/x\"] }, { name = \"off\", enabled = false, targets = [\"p/x\"] }]";
        Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog")
    }

    fn listed(dialect: Dialect, query: &str) -> Value {
        list(&Caller::Admin, &catalog(), Shape::Dialect(dialect), Some(query))
    }

    #[test]
    fn each_dialects_clients_find_the_names_where_they_look_for_them() {
        let ids = |list: &Value, member: &str, name: &str| {
            let items = list[member].as_array().expect("a list").clone();
            items.iter().map(|item| item[name].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&listed(Dialect::OpenaiChat, ""), "data", "id"), ["a/1", "b", "c"]);
        assert_eq!(ids(&listed(Dialect::Gemini, ""), "models", "name"), ["models/a/1", "models/b", "models/c"]);
        let anthropic = listed(Dialect::Anthropic, "limit=1000");
        assert_eq!(ids(&anthropic, "data", "id"), ["a/1", "b", "c"]);
        assert_eq!(
            [&anthropic["has_more"], &anthropic["first_id"], &anthropic["last_id"]],
            [&json!(false), &json!("a/1"), &json!("c")]
        );
    }

    #[test]
    fn codex_finds_a_list_of_its_own_beside_that_of_everybody() {
        let codex = listed(Dialect::OpenaiResponses, "client_version=0.169.0");
        assert_eq!((&codex["models"], codex["data"].as_array().map(Vec::len)), (&json!([]), Some(3)));
        assert_eq!(listed(Dialect::OpenaiChat, "").get("models"), None);
        assert_eq!(listed(Dialect::Anthropic, "client_version=1").get("models"), None);
    }

    #[test]
    fn anthropics_pages_follow_each_other_without_gap_or_repeat() {
        let page = |query: &str| {
            let list = listed(Dialect::Anthropic, query);
            let ids =
                list["data"].as_array().expect("a list").iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
            (ids, list["has_more"].clone())
        };
        assert_eq!(page("limit=2"), (vec![json!("a/1"), json!("b")], json!(true)));
        assert_eq!(page("limit=2&after_id=b"), (vec![json!("c")], json!(false)));
        assert_eq!(page("limit=1&before_id=c"), (vec![json!("b")], json!(true)));
        assert_eq!(page("after_id=a%2F1"), (vec![json!("b"), json!("c")], json!(false)));
        assert_eq!(page("limit=none&after_id=z"), (vec![], json!(false)));
    }
}
