//! Joining: what providers offer under different names becomes one public model, with a target for each of them.
//!
//! Names match after their organisation, their case and a final `:free` are dropped. A model that a provider no longer lists is
//! switched off and not removed, since it may come back, and its weight and tier are somebody's decision.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, Document, Edit, EditError, Noun, Part, Provider, ProviderKind};
use crate::order;
use crate::refusal::Refusal;

/// What a provider lists of its models.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The provider's name.
    pub provider: String,
    /// Its own names for its models.
    pub models: Vec<String>,
}

/// What joining would do.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct JoinPlan {
    /// Public models with everything that would serve them, those of several providers first.
    pub models: Vec<JoinedModel>,
    /// Targets whose provider no longer lists their model.
    pub vanished: Vec<Vanished>,
}

/// A public model and what would serve it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct JoinedModel {
    /// Its name.
    pub name: String,
    /// Whether the catalog has it already.
    pub exists: bool,
    /// The targets that would be added to it.
    pub targets: Vec<JoinedTarget>,
    /// The targets that it has and keeps.
    pub kept: usize,
}

/// A target that would be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinedTarget {
    /// The provider's name.
    pub provider: String,
    /// Its own name for the model.
    pub model: String,
    /// 2 for what costs money where the same provider has it for nothing too, else 1.
    #[serde(default = "first_tier")]
    pub tier: u32,
}

fn first_tier() -> u32 {
    1
}

/// A target whose provider no longer lists its model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vanished {
    /// The public model.
    pub model: String,
    /// The target's name.
    pub target: String,
}

/// What is to be joined: all or part of a plan.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The models, with the targets that each of them gets.
    #[serde(default)]
    pub models: Vec<NamedTargets>,
    /// The targets that are switched off.
    #[serde(default)]
    pub vanished: Vec<Vanished>,
}

/// A public model and the targets that are added to it.
#[derive(Debug, Deserialize)]
pub struct NamedTargets {
    /// Its name.
    pub name: String,
    /// The targets.
    pub targets: Vec<JoinedTarget>,
}

/// What a joined catalog has more, and has switched off.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// Models that are new.
    pub created: Vec<String>,
    /// Models that have new targets.
    pub extended: Vec<String>,
    /// Targets that were switched off.
    pub switched_off: usize,
}

/// The name that providers' names for one model have in common.
pub fn common_name(name: &str) -> String {
    let model = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    model.strip_suffix(":free").map(str::to_owned).unwrap_or(model)
}

/// The providers to ask for their models: the chosen ones, or else all that are in use and can be asked.
pub fn providers_to_ask<'c>(catalog: &'c Catalog, chosen: Option<&[String]>) -> Result<Vec<&'c Provider>, Refusal> {
    let providers = || catalog.providers.iter().map(|provider| &**provider);
    let Some(names) = chosen else {
        let can_be_asked = |it: &&Provider| it.enabled && matches!(it.kind, ProviderKind::Http(_));
        return Ok(providers().filter(can_be_asked).collect());
    };
    let find = |name: &String| {
        let unknown =
            || Refusal::bad_request(format!("There is no provider {name:?} in the catalog.")).about("providers");
        providers().find(|provider| *provider.name == **name).ok_or_else(unknown)
    };
    names.iter().map(find).collect()
}

/// What joining these lists into a catalog would do.
pub fn plan(document: &Document, offers: &[Offered]) -> JoinPlan {
    let mut groups: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
    for offered in offers {
        for model in &offered.models {
            groups.entry(common_name(model)).or_default().push((&offered.provider, model));
        }
    }
    let known = known_models(document);
    let mut models: Vec<JoinedModel> =
        groups.into_iter().filter_map(|(common, offered)| joined(document, &known, common, &offered)).collect();
    order::by(&mut models, |one, other| {
        other.providers().cmp(&one.providers()).then_with(|| one.name.cmp(&other.name))
    });
    JoinPlan { models, vanished: vanished(document, offers) }
}

/// The names of the catalog's models by what they and their aliases have in common with others.
fn known_models(document: &Document) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for entry in document.entries(Noun::Model) {
        let Some(name) = Noun::Model.name_of(entry) else { continue };
        let aliases = entry.get("aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for alias in std::iter::once(name).chain(aliases).filter(|alias| !alias.contains('*')) {
            known.entry(common_name(alias)).or_insert_with(|| name.to_owned());
        }
    }
    known
}

/// One group as a model; `None` where nothing would be added.
fn joined(
    document: &Document,
    known: &BTreeMap<String, String>,
    common: String,
    offered: &[(&str, &str)],
) -> Option<JoinedModel> {
    let name = known.get(&common).cloned();
    let parts = name.as_deref().and_then(|name| document.parts(Part::Target, name).ok()).unwrap_or_default();
    let has = |provider: &str, model: &str| {
        parts.iter().any(|(_, target)| {
            let text = |member: &str| target.get(member).and_then(Value::as_str);
            text("provider") == Some(provider) && text("model").or(name.as_deref()) == Some(model)
        })
    };
    let is_free_too = |provider: &str, model: &str| {
        let free = |other: &&(&str, &str)| other.0 == provider && other.1.ends_with(":free");
        !model.ends_with(":free") && offered.iter().any(|other| free(&other))
    };
    let new = offered.iter().filter(|(provider, model)| !has(provider, model));
    let targets: Vec<JoinedTarget> = new
        .map(|(provider, model)| JoinedTarget {
            provider: (*provider).to_owned(),
            model: (*model).to_owned(),
            tier: if is_free_too(provider, model) { 2 } else { 1 },
        })
        .collect();
    let exists = name.is_some();
    (!targets.is_empty()).then(|| JoinedModel { name: name.unwrap_or(common), exists, targets, kept: parts.len() })
}

impl JoinedModel {
    /// How many providers would serve it, the targets that it has counted as one each.
    pub fn providers(&self) -> usize {
        let names: BTreeSet<&str> = self.targets.iter().map(|target| target.provider.as_str()).collect();
        names.len() + self.kept
    }
}

fn vanished(document: &Document, offers: &[Offered]) -> Vec<Vanished> {
    let mut vanished = Vec::new();
    for name in document.entries(Noun::Model).iter().filter_map(|entry| Noun::Model.name_of(entry)) {
        for (target, members) in document.parts(Part::Target, name).unwrap_or_default() {
            let text = |member: &str| members.get(member).and_then(Value::as_str);
            let model = text("model").unwrap_or(name);
            let offer = offers.iter().find(|offered| text("provider") == Some(&offered.provider));
            let is_off = members.get("enabled") == Some(&Value::Bool(false));
            let is_gone = offer.is_some_and(|offered| !offered.models.iter().any(|other| other == model));
            // An empty list says that the provider lists nothing, and a pattern stands for whatever is asked.
            if is_gone && !is_off && !model.contains('*') && offer.is_some_and(|offered| !offered.models.is_empty()) {
                vanished.push(Vanished { model: name.to_owned(), target });
            }
        }
    }
    vanished
}

impl Join {
    /// Adds the targets, and switches off what has vanished.
    pub fn apply(&self, document: &mut Document) -> Result<Joined, EditError> {
        let mut done = Joined::default();
        for NamedTargets { name, targets } in &self.models {
            if document.entry(Noun::Model, name).is_err() {
                let targets: Vec<Value> = targets.iter().map(JoinedTarget::entry).collect();
                let entry = json!({ "name": name, "targets": targets });
                document.edit(Noun::Model, name, &Edit::Create(entry))?;
                done.created.push(name.clone());
                continue;
            }
            for target in targets {
                document.edit_part(Part::Target, name, "", &Edit::Create(target.entry()))?;
            }
            done.extended.push(name.clone());
        }
        for Vanished { model, target } in &self.vanished {
            let off = Map::from_iter([("enabled".to_owned(), json!(false))]);
            document.edit_part(Part::Target, model, target, &Edit::Update(off))?;
            done.switched_off += 1;
        }
        Ok(done)
    }
}

impl JoinedTarget {
    /// The entry of `targets`.
    fn entry(&self) -> Value {
        match self.tier {
            1 => json!({ "provider": self.provider, "model": self.model }),
            tier => json!({ "provider": self.provider, "model": self.model, "tier": tier }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let text = r#"
            providers = [{ preset = "openrouter" }, { name = "ms", base_url = "https://ms.example/v1" }]
            [[models]]
            name = "Qwen3-Coder"
            targets = ["openrouter/qwen/qwen3-coder:free", { provider = "ms", model = "old", weight = 3 }]
            [[models]]
            name = "any"
            aliases = ["*"]
            targets = ["ms/*", { provider = "ms", model = "gone", enabled = false }]
        "#;
        Document::from_toml(text).expect("TOML")
    }

    fn offered(provider: &str, models: &[&str]) -> Offered {
        Offered { provider: provider.into(), models: models.iter().map(|model| (*model).to_owned()).collect() }
    }

    fn offers() -> Vec<Offered> {
        vec![
            offered("openrouter", &["qwen/qwen3-coder:free", "qwen/qwen3-coder", "deepseek/deepseek-v3.1", "x/only"]),
            offered("ms", &["Qwen/Qwen3-Coder", "deepseek-ai/DeepSeek-V3.1"]),
        ]
    }

    #[test]
    fn names_match_without_organisation_case_and_free() {
        for (name, common) in [
            ("qwen/qwen3-coder:free", "qwen3-coder"),
            ("Qwen/Qwen3-Coder", "qwen3-coder"),
            ("accounts/fireworks/models/Kimi-K2", "kimi-k2"),
            ("gpt-5.4", "gpt-5.4"),
            (":free", ""),
            ("m:free:beta", "m:free:beta"),
        ] {
            assert_eq!(common_name(name), common);
        }
    }

    #[test]
    fn all_that_can_be_asked_are_asked_or_those_that_are_chosen() {
        let text = r#"
            providers = [
                { name = "a", base_url = "https://a.example/v1" },
                { name = "off", base_url = "https://b.example/v1", enabled = false },
                { preset = "echo" },
            ]
        "#;
        let catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a catalog");
        let names = |chosen: Option<&[&str]>| {
            let chosen = chosen.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
            let found = providers_to_ask(&catalog, chosen.as_deref()).map_err(|refusal| refusal.message)?;
            Ok::<_, String>(found.iter().map(|provider| provider.name.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(names(None), Ok(vec!["a".to_owned()]));
        assert_eq!(names(Some(&["off"])), Ok(vec!["off".to_owned()]));
        assert!(names(Some(&["none"])).is_err_and(|message| message.contains("\"none\"")));
    }

    #[test]
    fn what_matches_joins_one_model_and_what_is_there_already_is_left_out() {
        let plan = plan(&document(), &offers());
        let lines: Vec<String> = plan
            .models
            .iter()
            .map(|model| {
                let targets =
                    model.targets.iter().map(|target| format!("{}/{}@{}", target.provider, target.model, target.tier));
                format!("{} {} {}", model.name, model.exists, targets.collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(
            lines,
            [
                "Qwen3-Coder true openrouter/qwen/qwen3-coder@2 ms/Qwen/Qwen3-Coder@1",
                "deepseek-v3.1 false openrouter/deepseek/deepseek-v3.1@1 ms/deepseek-ai/DeepSeek-V3.1@1",
                "only false openrouter/x/only@1",
            ]
        );
        assert_eq!(plan.vanished, [Vanished { model: "Qwen3-Coder".into(), target: "ms/old".into() }]);
    }

    #[test]
    fn a_provider_that_was_not_asked_or_lists_nothing_has_lost_nothing() {
        assert_eq!(plan(&document(), &[]).vanished, []);
        assert_eq!(plan(&document(), &[offered("ms", &[])]).vanished, []);
    }

    #[test]
    fn a_plan_that_is_carried_out_leaves_nothing_to_join() {
        let (mut document, offers) = (document(), offers());
        let plan = plan(&document, &offers);
        let body = json!({ "models": plan.models.iter().map(|model| json!({ "name": model.name, "targets": model.targets })).collect::<Vec<_>>(), "vanished": plan.vanished });
        let join: Join = serde_json::from_value(body).expect("a plan is what is sent back");
        let done = join.apply(&mut document).expect("nothing is in the way");
        assert_eq!(done.created, ["deepseek-v3.1", "only"]);
        assert_eq!((done.extended, done.switched_off), (vec!["Qwen3-Coder".to_owned()], 1));
        document.validate().expect("a valid catalog");
        let old = &document.as_json()["models"][0]["targets"][1];
        assert_eq!(*old, json!({ "provider": "ms", "model": "old", "weight": 3, "enabled": false }));
        let again = super::plan(&document, &offers);
        assert_eq!((again.models, again.vanished), (vec![], vec![]));
    }

    #[test]
    fn a_join_of_what_is_not_there_is_refused() {
        let join = Join { models: vec![], vanished: vec![Vanished { model: "m".into(), target: "a/b".into() }] };
        assert!(matches!(join.apply(&mut document()), Err(EditError::Missing("model", ..))));
    }
}
