//! What a source holds, in terms of the catalog, before it is compared with what the catalog has already.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::report::{Entry, counted};
use super::{Kind, address};
use gateway_core::catalog::{hash_key, hash_text};

/// Everything that was found in a file.
#[derive(Debug)]
pub struct Draft {
    pub(super) kind: Kind,
    pub(super) providers: Vec<Provider>,
    pub(super) models: Vec<Model>,
    pub(super) keys: Vec<Key>,
    /// Settings, and why they are set.
    pub(super) settings: Vec<(&'static str, Value, String)>,
    pub(super) changed: Vec<Entry>,
    pub(super) left: Vec<Entry>,
}

/// A provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: String,
    /// What the source calls it.
    pub(super) from: String,
    /// All but its name and credentials.
    pub(super) fields: Map<String, Value>,
    pub(super) credentials: Vec<Value>,
}

/// A public model.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) from: String,
    /// All but its name and targets.
    pub(super) fields: Map<String, Value>,
    pub(super) targets: Vec<Target>,
}

/// A way to serve a model.
#[derive(Debug)]
pub(super) struct Target {
    /// The place of its provider in [`Draft::providers`].
    pub(super) provider: usize,
    /// All but its provider.
    pub(super) fields: Map<String, Value>,
}

/// A key of a client. The key itself is not kept.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) hash: String,
    /// All but its name and hash.
    pub(super) fields: Map<String, Value>,
}

impl Draft {
    pub(super) fn of(kind: Kind) -> Draft {
        let (providers, models, keys) = (Vec::new(), Vec::new(), Vec::new());
        Draft { kind, providers, models, keys, settings: Vec::new(), changed: Vec::new(), left: Vec::new() }
    }

    /// Which gateway it is of.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Notes that something no longer means quite the same.
    pub(super) fn changed(&mut self, what: impl std::fmt::Display, note: impl Into<String>) {
        self.changed.push(Entry::new(what, note));
    }

    /// Notes that something is left out.
    pub(super) fn left(&mut self, what: impl std::fmt::Display, note: impl Into<String>) {
        self.left.push(Entry::new(what, note));
    }

    /// Adds a provider; returns its place.
    pub(super) fn provider(&mut self, provider: Provider) -> usize {
        self.providers.push(provider);
        self.providers.len() - 1
    }

    /// The model of this name, made where there is none.
    pub(super) fn model(&mut self, name: &str, from: &str) -> &mut Model {
        let at = self.models.iter().position(|model| model.name == name).unwrap_or_else(|| {
            let (name, from) = (name.to_owned(), from.to_owned());
            self.models.push(Model { name, from, fields: Map::new(), targets: Vec::new() });
            self.models.len() - 1
        });
        &mut self.models[at]
    }

    /// Adds the key of a client.
    pub(super) fn key(&mut self, name: &str, from: impl Into<String>, key: &str, fields: Map<String, Value>) {
        let hash = hash_text(&hash_key(key));
        self.keys.push(Key { name: name.to_owned(), from: from.into(), hash, fields });
    }

    /// Notes the tables that are not read.
    pub(super) fn count_others(&mut self, counts: &BTreeMap<String, u64>) {
        for (table, count) in counts.iter().filter(|(_, count)| **count > 0) {
            let rows = counted(usize::try_from(*count).unwrap_or(usize::MAX), "row", "rows");
            self.left(format!("table {table}"), format!("{rows}: history and users' data are not taken"));
        }
    }
}

impl Provider {
    /// A provider at its preset's address.
    pub(super) fn preset(name: &str, from: &str, preset: &str) -> Provider {
        Provider::with(name, from, json!({ "preset": preset }))
    }

    /// A provider at an address of its own.
    pub(super) fn at(name: &str, from: &str, dialect: &str, base_url: &str) -> Provider {
        let mut provider = Provider::with(name, from, json!({ "base_url": base_url }));
        if dialect != "openai-chat" {
            provider.fields.insert("dialect".to_owned(), dialect.into());
        }
        if address::is_near(base_url) {
            provider.fields.insert("local".to_owned(), true.into());
        }
        provider
    }

    fn with(name: &str, from: &str, fields: Value) -> Provider {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Provider { name: name.to_owned(), from: from.to_owned(), fields, credentials: Vec::new() }
    }

    /// Adds a credential, once.
    pub(super) fn credential(&mut self, value: Value) {
        if !self.credentials.contains(&value) {
            self.credentials.push(value);
        }
    }

    /// Adds a header; the values of those that may hold a secret are sealed.
    pub(super) fn header(&mut self, name: &str, value: &str) {
        let value = if is_secret_name(name) { json!({ "value": value }) } else { value.into() };
        let headers = self.fields.entry("headers").or_insert_with(|| json!({}));
        if let Value::Object(headers) = headers {
            headers.insert(name.to_ascii_lowercase(), value);
        }
    }
}

impl Model {
    /// Adds a target.
    pub(super) fn target(&mut self, provider: usize, model: &str) -> &mut Target {
        let mut fields = Map::new();
        fields.insert("model".to_owned(), model.into());
        self.targets.push(Target { provider, fields });
        let last = self.targets.len() - 1;
        &mut self.targets[last]
    }

    /// Sets a field.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// Adds another name.
    pub(super) fn alias(&mut self, alias: &str) {
        let aliases = self.fields.entry("aliases").or_insert_with(|| json!([]));
        if let Value::Array(aliases) = aliases
            && !aliases.iter().any(|known| known == alias)
        {
            aliases.push(alias.into());
        }
    }

    /// Gives each of these ranks a tier, the highest first.
    pub(super) fn rank(&mut self, ranks: &[i64]) {
        let mut order: Vec<i64> = ranks.to_vec();
        order.sort_unstable();
        order.dedup();
        if order.len() < 2 {
            return;
        }
        for (target, rank) in self.targets.iter_mut().zip(ranks) {
            let tier = 1 + order.iter().filter(|other| *other > rank).count();
            target.set("tier", tier);
        }
    }
}

impl Target {
    /// Sets a field.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// Sets a member of a field that is a table.
    pub(super) fn set_in(&mut self, name: &str, member: &str, value: impl Into<Value>) {
        let table = self.fields.entry(name).or_insert_with(|| json!({}));
        if let Value::Object(table) = table {
            table.insert(member.to_owned(), value.into());
        }
    }
}

/// Whether the value of a header of this name is likely a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "auth", "secret", "cookie", "password", "credential"].iter().any(|word| name.contains(word))
}

/// A text as a catalog must write it, so that it is not read as a reference to a variable.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// A text that may be written as a reference to a variable of the catalog.
pub(super) fn reference(name: &str) -> String {
    format!("${{{name}}}")
}
