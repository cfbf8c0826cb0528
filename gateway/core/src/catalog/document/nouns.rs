//! One noun at a time: adds, replaces, changes and removes a provider, a model, a relay, or a credential or target within one of
//! these, and leaves everything else of the document as it is.
//!
//! An edit of a provider begins with the provider as it is shown, its stored secrets named by their ids and not held, so that
//! [`Document::recall`] decides whether each of them may stay: a base URL that is changed carries no secret to another host.

use std::fmt;

use serde_json::{Map, Value, json};

use super::Document;
use super::diff::uniform;
use super::keys::merge;
use super::secrets::labels;

/// A section whose entries are edited one by one. Keys have operations of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// An entry of `providers`.
    Provider,
    /// An entry of `models`.
    Model,
    /// An entry of `relays`.
    Relay,
}

/// What stands in a list of a noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An entry of a provider's `credentials`.
    Credential,
    /// An entry of a model's `targets`.
    Target,
}

/// What is done to an entry.
#[derive(Debug, Clone)]
pub enum Edit {
    /// It is added: a table, or the short form that its list takes.
    Create(Value),
    /// It becomes this one. A name that is left out stays.
    Replace(Map<String, Value>),
    /// A JSON merge patch (RFC 7396) is applied to it.
    Update(Map<String, Value>),
    /// It is removed.
    Delete,
}

/// An entry of a list, and what paths call it.
type NamedEntry = (String, Map<String, Value>);

/// Why an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// There is no entry of this name. The names that there are follow.
    Missing(&'static str, String, Vec<String>),
    /// There is one of this name already.
    Exists(&'static str, String),
    /// The edit would change the name.
    Renames(&'static str, String),
    /// The section or list is written as something else.
    NoList(&'static str),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(word, name, names) if names.is_empty() => {
                write!(f, "There is no {word} {name:?}; there are none.")
            }
            Self::Missing(word, name, names) => {
                write!(f, "There is no {word} {name:?}. There are: {}.", names.join(", "))
            }
            Self::Exists(word, name) => {
                write!(f, "There is a {word} {name:?} already. Change it, or take another name.")
            }
            Self::Renames(word, name) => {
                write!(
                    f,
                    "The name of {word} {name:?} stays, since others refer to it. Make another one and remove it."
                )
            }
            Self::NoList(list) => write!(f, "`{list}` is no list. PATCH /api/catalog mends it."),
        }
    }
}

impl std::error::Error for EditError {}

impl Noun {
    /// Every noun.
    pub const ALL: [Noun; 3] = [Noun::Provider, Noun::Model, Noun::Relay];

    /// Its section, and how paths of the admin API call it.
    pub fn section(self) -> &'static str {
        match self {
            Self::Provider => "providers",
            Self::Model => "models",
            Self::Relay => "relays",
        }
    }

    /// What one of them is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Relay => "relay",
        }
    }

    /// The name of an entry. A provider that has none is called after its preset.
    pub fn name_of(self, entry: &Value) -> Option<&str> {
        let text = |member: &str| entry.get(member).and_then(Value::as_str);
        text("name").or_else(|| text("preset").filter(|_| self == Self::Provider))
    }
}

impl Part {
    /// Both.
    pub const ALL: [Part; 2] = [Part::Credential, Part::Target];

    /// Whose it is.
    pub fn noun(self) -> Noun {
        match self {
            Self::Credential => Noun::Provider,
            Self::Target => Noun::Model,
        }
    }

    /// Its list, and how paths of the admin API call it.
    pub fn list(self) -> &'static str {
        match self {
            Self::Credential => "credentials",
            Self::Target => "targets",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Target => "target",
        }
    }

    /// The entries of a list as tables, each with its name: a credential's label, or a target's provider and model. Of two
    /// targets with one name the second one's ends in `#2`.
    pub fn named(self, owner: &str, entries: &[Value]) -> Vec<NamedEntry> {
        match self {
            Self::Credential => {
                let labelled = labels(entries).into_iter().zip(entries);
                labelled.map(|(label, entry)| (label.clone(), uniform(entry, label))).collect()
            }
            Self::Target => {
                let mut named: Vec<NamedEntry> = Vec::with_capacity(entries.len());
                for entry in entries {
                    let members = target(entry);
                    let text = |member: &str| members.get(member).and_then(Value::as_str);
                    let whole = format!("{}/{}", text("provider").unwrap_or_default(), text("model").unwrap_or(owner));
                    let numbered = (2_usize..).map(|number| format!("{whole}#{number}"));
                    let mut names = std::iter::once(whole.clone()).chain(numbered);
                    let name = names.find(|name| named.iter().all(|(other, _)| other != name)).unwrap_or_default();
                    named.push((name, members));
                }
                named
            }
        }
    }
}

/// A target as a table.
fn target(entry: &Value) -> Map<String, Value> {
    match entry {
        Value::Object(members) => members.clone(),
        other => {
            let (provider, model) = other.as_str().unwrap_or_default().split_once('/').unwrap_or_default();
            Map::from_iter([("provider".to_owned(), json!(provider)), ("model".to_owned(), json!(model))])
        }
    }
}

impl Document {
    /// The entries of a noun, in the order of the document.
    pub fn entries(&self, noun: Noun) -> &[Value] {
        self.sections.get(noun.section()).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// The entry of this name.
    pub fn entry(&self, noun: Noun, name: &str) -> Result<&Map<String, Value>, EditError> {
        let found = self.entries(noun).iter().find(|entry| noun.name_of(entry) == Some(name));
        found.and_then(Value::as_object).ok_or_else(|| self.missing(noun, name))
    }

    /// The parts of the noun of this name, each with its own name.
    pub fn parts(&self, part: Part, owner: &str) -> Result<Vec<NamedEntry>, EditError> {
        let entry = self.entry(part.noun(), owner)?;
        let list = entry.get(part.list()).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(part.named(owner, list))
    }

    /// Edits the entry of this name. What the edit makes is judged with everything else by [`Document::validate`].
    pub fn edit(&mut self, noun: Noun, name: &str, edit: &Edit) -> Result<(), EditError> {
        let shown = self.redacted();
        let missing = self.missing(noun, name);
        let index = self.entries(noun).iter().position(|entry| noun.name_of(entry) == Some(name));
        let list = self.list_mut(noun)?;
        match (edit, index) {
            (Edit::Create(_), Some(_)) => return Err(EditError::Exists(noun.word(), name.to_owned())),
            (Edit::Create(entry), None) => list.push(entry.clone()),
            (_, None) => return Err(missing),
            (Edit::Delete, Some(index)) => drop(list.remove(index)),
            (Edit::Replace(entry), Some(index)) => {
                let mut entry = entry.clone();
                let is_named = entry.contains_key("name") || entry.get("preset").and_then(Value::as_str) == Some(name);
                if !is_named {
                    entry.shift_insert(0, "name".to_owned(), json!(name));
                }
                put(list, index, entry, noun, name)?;
            }
            (Edit::Update(changes), Some(index)) => {
                let entry = shown.entries(noun).get(index).and_then(Value::as_object).cloned();
                let mut entry = entry.unwrap_or_default();
                merge(&mut entry, changes);
                put(list, index, entry, noun, name)?;
            }
        }
        Ok(())
    }

    /// Edits a part of the noun `owner`: a credential by its label or id, a target by its name. Returns its place in the list.
    pub fn edit_part(&mut self, part: Part, owner: &str, name: &str, edit: &Edit) -> Result<usize, EditError> {
        let stored = self.entry(part.noun(), owner)?.get(part.list()).cloned();
        let Value::Array(mut list) = stored.unwrap_or_else(|| json!([])) else {
            return Err(EditError::NoList(part.list()));
        };
        let named = self.redacted().parts(part, owner)?;
        let by_id = |(_, entry): &NamedEntry| entry.get("id").and_then(Value::as_str) == Some(name);
        let index = named.iter().position(|(known, _)| known == name).or_else(|| named.iter().position(by_id));
        match (edit, index) {
            (Edit::Create(entry), _) => list.push(entry.clone()),
            (_, None) => {
                let names = named.into_iter().map(|(name, _)| name).collect();
                return Err(EditError::Missing(part.word(), name.to_owned(), names));
            }
            (Edit::Delete, Some(index)) => drop(list.remove(index)),
            (Edit::Replace(changes) | Edit::Update(changes), Some(index)) => {
                let before = named.get(index).map(|(_, entry)| entry.clone()).unwrap_or_default();
                let is_whole = matches!(edit, Edit::Replace(_));
                if let Some(slot) = list.get_mut(index) {
                    *slot = Value::Object(part.changed(before, changes, is_whole));
                }
            }
        }
        let place = index.filter(|_| !matches!(edit, Edit::Create(_))).unwrap_or(list.len().saturating_sub(1));
        let noun = part.noun();
        let owners = self.list_mut(noun)?;
        let entry = owners.iter_mut().find(|entry| noun.name_of(entry) == Some(owner)).and_then(Value::as_object_mut);
        entry.map(|entry| entry.insert(part.list().to_owned(), Value::Array(list)));
        Ok(place)
    }

    /// Leaves a parameter out of requests to every target of this provider that serves by this model of its. Returns how many
    /// there are.
    pub fn leave_out(&mut self, provider: &str, model: &str, parameter: &str) -> Result<usize, EditError> {
        let names = self.entries(Noun::Model).iter().filter_map(|entry| Noun::Model.name_of(entry));
        let names: Vec<String> = names.map(str::to_owned).collect();
        let mut count = 0;
        for owner in names {
            for (name, target) in self.parts(Part::Target, &owner)? {
                let text = |member: &str| target.get(member).and_then(Value::as_str);
                if text("provider") != Some(provider) || text("model").unwrap_or(&owner) != model {
                    continue;
                }
                let mut removed = target.get("remove").and_then(Value::as_array).cloned().unwrap_or_default();
                if removed.iter().all(|each| each != parameter) {
                    removed.push(json!(parameter));
                }
                let change = Map::from_iter([("remove".to_owned(), Value::Array(removed))]);
                self.edit_part(Part::Target, &owner, &name, &Edit::Update(change))?;
                count += 1;
            }
        }
        if count == 0 {
            let target = format!("{provider}/{model}");
            return Err(EditError::Missing(Part::Target.word(), target, Vec::new()));
        }
        Ok(count)
    }

    fn missing(&self, noun: Noun, name: &str) -> EditError {
        const NAMES_MAX: usize = 20;
        let names = self.entries(noun).iter().filter_map(|entry| noun.name_of(entry)).take(NAMES_MAX);
        EditError::Missing(noun.word(), name.to_owned(), names.map(str::to_owned).collect())
    }

    fn list_mut(&mut self, noun: Noun) -> Result<&mut Vec<Value>, EditError> {
        let section = self.sections.entry(noun.section()).or_insert_with(|| json!([]));
        section.as_array_mut().ok_or(EditError::NoList(noun.section()))
    }

    /// Applies a JSON merge patch to `settings`.
    pub fn change_settings(&mut self, changes: &Map<String, Value>) -> Result<(), EditError> {
        let settings = self.sections.entry("settings").or_insert_with(|| json!({}));
        merge(settings.as_object_mut().ok_or(EditError::NoList("settings"))?, changes);
        Ok(())
    }
}

impl Part {
    /// A part after a change. A credential with another secret is a new credential, which has not failed yet: its id is
    /// dropped with the old secret, while its label stays.
    fn changed(self, before: Map<String, Value>, changes: &Map<String, Value>, is_whole: bool) -> Map<String, Value> {
        const SECRETS: [&str; 4] = ["value", "variable", "file", "sealed"];
        let label = before.get("label").cloned();
        let mut after = if is_whole { Map::new() } else { before };
        if self == Self::Credential && SECRETS.iter().any(|member| changes.contains_key(*member)) {
            for member in SECRETS.iter().chain(&["id"]) {
                after.shift_remove(*member);
            }
        }
        merge(&mut after, changes);
        if let (Self::Credential, Some(label)) = (self, label) {
            after.entry("label").or_insert(label);
        }
        after
    }
}

/// Puts an entry back under its own name.
fn put(list: &mut [Value], index: usize, entry: Map<String, Value>, noun: Noun, name: &str) -> Result<(), EditError> {
    let entry = Value::Object(entry);
    if noun.name_of(&entry) != Some(name) {
        return Err(EditError::Renames(noun.word(), name.to_owned()));
    }
    if let Some(slot) = list.get_mut(index) {
        *slot = entry;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
