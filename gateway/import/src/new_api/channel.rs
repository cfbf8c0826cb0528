//! A channel: an address, its keys, and the models that it serves.

use serde_json::{Map, Value, json};

use super::super::draft::{Draft, Provider, Target, literal};
use super::super::row::Row;
use super::super::{Kind, address, channel_types};

/// The version that new-api uses if a channel of Azure names none.
const AZURE_VERSION: &str = "2025-04-01-preview";

/// What a catalog has no place for, and what it is.
const LEFT: [(&str, &str); 4] = [
    ("status_code_mapping", "llmio judges failures itself; rows of `errors` in a provider are its own way"),
    ("system_prompt", "llmio adds no words to prompts"),
    ("plugin", "llmio has no plugins"),
    ("remark", "a catalog has no place for it"),
];

/// A channel whose providers are in the draft.
pub(super) struct Channel {
    pub(super) from: String,
    pub(super) groups: Vec<String>,
    pub(super) priority: i64,
    pub(super) models: Vec<Served>,
    weight: i64,
    is_enabled: bool,
    set: Map<String, Value>,
}

/// A model of a channel.
pub(super) struct Served {
    pub(super) public: String,
    pub(super) upstream: String,
    /// The place of its provider in the draft.
    pub(super) provider: usize,
}

impl Channel {
    /// Adds the providers of a channel; `None` where it cannot be called.
    pub(super) fn add(draft: &mut Draft, row: Row<'_>) -> Option<Channel> {
        let name = row.text("name").unwrap_or("channel");
        let from = format!("channel {}", row.integer("id").unwrap_or_default());
        let what = format!("{from} {name:?}");
        let number = row.integer("type").unwrap_or(1);
        let speaks = match channel_types::of(draft.kind, number) {
            Some(known) => match known.speaks {
                Some(speaks) => speaks,
                None => {
                    draft.left(what, format!("llmio has no way to call channels of the type {}", known.name));
                    return None;
                }
            },
            None => {
                draft.left(what, format!("its type {number} is not known"));
                return None;
            }
        };
        let base = row.text("base_url");
        let mut provider = match (base, speaks.preset) {
            (Some(url), _) if number == channel_types::AZURE => {
                Provider::at(name, &from, speaks.dialect, &literal(url))
            }
            (Some(url), _) => {
                let url = address::with_path(url, speaks.path);
                Provider::at(name, &from, speaks.dialect, &literal(&url))
            }
            (None, Some(preset)) => Provider::preset(name, &from, preset),
            (None, None) if !speaks.address.is_empty() => {
                Provider::at(name, &from, speaks.dialect, &address::with_path(speaks.address, speaks.path))
            }
            (None, None) => {
                draft.left(what, "it has no base_url");
                return None;
            }
        };
        credentials(&mut provider, row);
        if provider.credentials.is_empty() {
            draft.left(&what, "its keys are not in the file; add them to the provider");
        }
        let set = adjust(draft, &mut provider, row, &what);
        let models = served(draft, row, provider, number == channel_types::AZURE);
        let is_enabled = row.integer("status").unwrap_or(1) == 1;
        if !is_enabled {
            draft.changed(&what, "it was switched off there, so its targets are switched off here");
        }
        for (column, why) in LEFT {
            if row.text(column).is_some_and(|text| !matches!(text, "{}" | "null")) {
                draft.left(format!("{column} of {what}"), why);
            }
        }
        Some(Channel {
            from,
            groups: row.texts("group", &[',']),
            priority: row.integer("priority").unwrap_or(0),
            models,
            weight: row.integer("weight").unwrap_or(0).clamp(1, 1_000_000),
            is_enabled,
            set,
        })
    }

    /// What each of its targets has.
    pub(super) fn fill(&self, target: &mut Target) {
        target.set("weight", self.weight);
        if !self.is_enabled {
            target.set("enabled", false);
        }
        if !self.set.is_empty() {
            target.set("set", self.set.clone());
        }
    }
}

/// The keys of a channel, one a line. new-api knows for each whether it was switched off.
fn credentials(provider: &mut Provider, row: Row<'_>) {
    let info = row.object("channel_info");
    let states = Row(&info).object("multi_key_status_list");
    let lines = row.text("key").unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty());
    for (at, key) in lines.enumerate() {
        let is_off = states.get(&at.to_string()).and_then(Value::as_i64).is_some_and(|state| state != 1);
        provider.credential(match is_off {
            true => json!({ "value": key, "enabled": false }),
            false => key.into(),
        });
    }
}

/// What a channel changes in requests: this sets headers and the egress, and returns the members of the body.
fn adjust(draft: &mut Draft, provider: &mut Provider, row: Row<'_>, what: &str) -> Map<String, Value> {
    if let Some(organization) = row.text("openai_organization") {
        provider.header("openai-organization", organization);
    }
    for (name, value) in row.object("header_override") {
        match value.as_str().filter(|value| !value.contains('{')) {
            Some(value) => provider.header(&name, value),
            None => draft.left(format!("header {name} of {what}"), "its value is filled in there for each request"),
        }
    }
    let setting = row.object("setting");
    let setting = Row(&setting);
    if let Some(proxy) = setting.text("proxy") {
        provider.fields.insert("egress".to_owned(), json!({ "value": proxy }));
    }
    let others: Vec<&str> = setting
        .0
        .iter()
        .filter(|(name, value)| {
            let asks = !value.is_null() && **value != Value::Bool(false) && **value != "";
            *name != "proxy" && asks
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !others.is_empty() {
        draft.left(format!("setting of {what}"), format!("{} have no meaning here", others.join(", ")));
    }
    let mut set = row.object("param_override");
    if set.contains_key("operations") {
        draft.left(
            format!("param_override of {what}"),
            "operations on requests; `set`, `default` and `remove` are alike",
        );
        return Map::new();
    }
    let own: Vec<&str> = ["model", "stream"].into_iter().filter(|name| set.shift_remove(*name).is_some()).collect();
    if !own.is_empty() {
        let note = format!("{} is llmio's own to write", own.join(" and "));
        draft.left(format!("param_override of {what}"), note);
    }
    set
}

/// The models of a channel, and their providers: Azure has an address for each.
fn served(draft: &mut Draft, row: Row<'_>, provider: Provider, is_azure: bool) -> Vec<Served> {
    let mapping = row.object("model_mapping");
    let upstream = |public: &str| literal(Row(&mapping).text(public).unwrap_or(public));
    let names = row.texts("models", &[',', '\n']);
    if !is_azure {
        let place = draft.provider(provider);
        let served = |name: String| {
            let (public, upstream) = (literal(&name), upstream(&name));
            Served { public, upstream, provider: place }
        };
        return names.into_iter().map(served).collect();
    }
    let version = row.text("other").filter(|other| other.starts_with(|first: char| first.is_ascii_digit()));
    let base = row.text("base_url").map(address::bare).unwrap_or_default();
    let mut models = Vec::new();
    for name in names {
        let deployment = upstream(&name);
        // one-api leaves dots out of the names of deployments.
        let in_path = if draft.kind == Kind::OneApi { deployment.replace('.', "") } else { deployment.clone() };
        let version = version.unwrap_or(AZURE_VERSION);
        let url = format!("{base}/openai/deployments/{in_path}?api-version={version}");
        let own_name = format!("{}-{in_path}", provider.name);
        let mut own = Provider::at(&own_name, &provider.from, "openai-chat", &literal(&url));
        let address = own.fields.clone();
        own.fields = provider.fields.clone();
        own.fields.extend(address);
        own.fields.insert("auth".to_owned(), "api-key".into());
        own.credentials.clone_from(&provider.credentials);
        let provider = draft.provider(own);
        models.push(Served { public: literal(&name), upstream: deployment, provider });
    }
    models
}
