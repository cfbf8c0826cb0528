//! From a document to a [`Catalog`]: reads every noun, then checks the references between them, and returns all
//! problems.
//!
//! A reader always returns its noun, with defaults where something is wrong, because one mistake must not make
//! others appear: a provider with a bad URL still exists for the targets that name it. Any problem refuses the whole
//! document, so no default of this kind is ever used.

mod credential;
mod key;
mod model;
mod provider;
mod quota;
mod relay;
mod settings;
mod target;
mod unbuilt;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::schema::{Fields, Place, Report};
use super::{Catalog, Key, Model, Provider, Relay, Team};
use crate::order;
use crate::problem::Problems;

pub(super) fn validate(document: &Map<String, Value>) -> Result<Catalog, Problems> {
    let report = Report::default();
    let mut root = Fields::root(document, &report);
    let (settings, currencies) = settings::read(root.field("settings"));
    let measures = quota::Measures { zone: &settings.zone, currencies: &currencies };
    let provider_places = root.list("providers");
    let providers: Vec<Arc<Provider>> =
        provider_places.iter().map(|place| Arc::new(provider::read(place, measures))).collect();
    let provider_names = providers.iter().map(|provider| (&*provider.name, provider)).collect();
    let nobody = Arc::new(provider::nothing());
    let references = References { providers: provider_names, nobody: &nobody, currencies, zone: &settings.zone };
    let model_places = root.list("models");
    let mut models: Vec<Model> = model_places.iter().map(|place| model::read(place, &references)).collect();
    let teams: Vec<Arc<Team>> =
        root.list("teams").iter().map(|place| Arc::new(key::read_team(place, &references))).collect();
    let key_places = root.list("keys");
    let mut keys: Vec<Key> = key_places.iter().map(|place| key::read(place, &references, &teams)).collect();
    let relays: Vec<Relay> = root.list("relays").iter().map(relay::read).collect();
    root.finish();

    unique(&report, "providers", "provider", providers.iter().map(|provider| &*provider.name));
    unique(&report, "keys", "key", keys.iter().map(|key| &*key.name));
    unique(&report, "teams", "team", teams.iter().map(|team| &*team.name));
    unique(&report, "relays", "relay", relays.iter().map(|relay| &*relay.name));
    credential::check_unique(&report, &providers);
    let (names, patterns) = model::claim_names(&report, &model_places, &models);
    model::resolve_fallbacks(&report, &model_places, &mut models, (&names, &settings.fallback));
    settings::check_default_models(&report, &settings, |model| names.contains_key(model));
    let hashes = key::claim_hashes(&report, &keys);
    key::resolve_models(&report, &key_places, &mut keys, &models, (&names, &patterns));
    unbuilt::check(document, &report);

    drop((references, provider_places, model_places, key_places));
    report.into_problems().into_result()?;
    let total_ms_max = models.iter().map(|model| model.timeouts.total_ms).max().unwrap_or(model::TOTAL_MS_DEFAULT);
    let (models, patterns) = (models.into_iter().map(Arc::new).collect(), longest_first(patterns));
    Ok(Catalog { settings, providers, models, keys, teams, relays, names, patterns, hashes, total_ms_max })
}

/// The nouns that other nouns of the document refer to.
struct References<'a> {
    providers: HashMap<&'a str, &'a Arc<Provider>>,
    /// Takes the place of a provider that does not exist. The document is then refused.
    nobody: &'a Arc<Provider>,
    currencies: settings::Currencies,
    zone: &'a TimeZone,
}

/// The name of a noun. It is checked, and returned even if it is wrong, so that references still find it.
fn name_of(fields: &mut Fields<'_>, format: fn(&str) -> Result<String, String>) -> String {
    fields.needed("name").map(|place| name_at(&place, format)).unwrap_or_default()
}

fn name_at(place: &Place<'_>, format: fn(&str) -> Result<String, String>) -> String {
    place.parsed(format).or(place.value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Checks that the names of a section differ. Missing names are reported elsewhere.
fn unique<'a>(report: &Report, section: &str, noun: &str, names: impl Iterator<Item = &'a str>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, name) in names.enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(first) = seen.get(name) {
            report.problem(
                format!("{section}[{index}].name"),
                format!("the {noun} {section}[{first}] is named \"{name}\" too; names must differ"),
            );
        } else {
            seen.insert(name, index);
        }
    }
}

fn longest_first(patterns: HashMap<String, usize>) -> Vec<(String, usize)> {
    let mut patterns: Vec<_> = patterns.into_iter().collect();
    order::by_key(&mut patterns, |(stem, _)| Reverse(stem.len()));
    patterns
}

#[cfg(test)]
mod tests;
