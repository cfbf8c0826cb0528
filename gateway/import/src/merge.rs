//! A draft laid onto the stored catalog. What is there stays as it is: a provider of the same address is used and not
//! changed, a model of the same name and a key of the same secret are left, and other things of the same name get
//! another one. What the catalog refuses is taken out again and reported.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::Kind;
use super::draft::{Draft, Key, Model, Provider};
use super::report::{Entry, Report, counted};
use gateway_core::catalog::{ADMIN_NAME, Document};
use gateway_core::problem::{Problem, Problems};

/// Each round takes something out. A file needs one round for what is wrong and one for what depended on it.
const ROUNDS_MAX: usize = 64;

/// What says where a provider is.
const ADDRESS: [&str; 4] = ["preset", "base_url", "endpoints", "dialect"];

/// The catalog with what was taken, and what became of everything.
#[derive(Debug)]
pub struct Imported {
    /// The catalog as it would be stored.
    pub document: Document,
    /// What was taken, changed and left.
    pub report: Report,
    /// Where the source is from.
    pub kind: Kind,
}

/// How judging a document ends.
pub type Judge<'j> = dyn Fn(&Document) -> Result<(), Problems> + 'j;

impl Draft {
    /// The sections of the catalog that it has something for.
    pub fn sections(&self) -> Vec<&'static str> {
        let sections = [
            ("providers", self.providers.is_empty()),
            ("models", self.models.is_empty()),
            ("keys", self.keys.is_empty()),
            ("settings", self.settings.is_empty()),
        ];
        sections.into_iter().filter(|(_, is_empty)| !is_empty).map(|(section, _)| section).collect()
    }

    /// The variables that its texts name.
    pub fn text_variables(&self) -> Vec<String> {
        let fields = self.providers.iter().map(|provider| &provider.fields);
        let fields = fields.chain(self.models.iter().map(|model| &model.fields));
        let targets = self.models.iter().flat_map(|model| &model.targets).map(|target| &target.fields);
        let names = self.models.iter().map(|model| Value::from(model.name.as_str()));
        let texts = fields.chain(targets).cloned().map(Value::Object).chain(names).collect();
        let mut sections = Map::new();
        sections.insert("all".to_owned(), Value::Array(texts));
        Document::of_sections(sections).text_variables()
    }

    /// Lays what was found onto a stored catalog. `judge` says what is wrong with a document; a problem outside of what
    /// was added is an error.
    pub fn onto(mut self, stored: &Document, judge: &Judge<'_>) -> Result<Imported, Problems> {
        let mut merge = Merge::new(stored);
        let providers = std::mem::take(&mut self.providers);
        let names: Vec<String> = providers.into_iter().map(|provider| merge.provider(provider)).collect();
        for model in std::mem::take(&mut self.models) {
            merge.model(model, &names);
        }
        for key in std::mem::take(&mut self.keys) {
            merge.key(key);
        }
        for (name, value, why) in std::mem::take(&mut self.settings) {
            merge.setting(name, value, &why);
        }
        merge.report.changed.append(&mut self.changed);
        merge.report.left.append(&mut self.left);
        merge.finish(judge, self.kind)
    }
}

/// An entry of the catalog that is new, and where it is from.
struct New {
    from: String,
    entry: Map<String, Value>,
}

struct Merge<'s> {
    stored: &'s Document,
    names: HashSet<String>,
    providers: Vec<New>,
    models: Vec<New>,
    keys: Vec<New>,
    settings: Map<String, Value>,
    report: Report,
}

impl<'s> Merge<'s> {
    fn new(stored: &'s Document) -> Merge<'s> {
        let names = HashSet::new();
        let (providers, models, keys) = (Vec::new(), Vec::new(), Vec::new());
        Merge { stored, names, providers, models, keys, settings: Map::new(), report: Report::default() }
    }

    /// The stored entries of a section.
    fn stored(&self, section: &str) -> impl Iterator<Item = &'s Map<String, Value>> + use<'s> {
        let entries = self.stored.as_json().get(section).and_then(Value::as_array);
        entries.into_iter().flatten().filter_map(Value::as_object)
    }

    /// Adds a provider, or finds that it is there; returns its name in the catalog.
    fn provider(&mut self, provider: Provider) -> String {
        let Provider { name: original, from, fields, credentials } = provider;
        let plain = plain_name(&original, "provider");
        let is_same = |stored: &Map<String, Value>| ADDRESS.iter().all(|name| stored.get(*name) == fields.get(*name));
        let candidates = std::iter::once(plain.clone()).chain((2..).map(|number| format!("{plain}-{number}")));
        let mut name = plain.clone();
        for candidate in candidates {
            let stored = self.stored("providers").find(|stored| provider_name(stored) == Some(&candidate));
            if stored.is_some_and(is_same) && !self.names.contains(&candidate) {
                let note = format!("is there already with this address, and stays as it is ({from})");
                self.report.left.push(Entry::new(format!("providers[{candidate}]"), note));
                // Of two with one address in the file, the second would be taken for the first.
                self.names.insert(candidate.clone());
                return candidate;
            }
            if stored.is_none() && self.names.insert(candidate.clone()) {
                name = candidate;
                break;
            }
        }
        if name != original {
            let why = format!("{from} is named so here, because {}", renamed(&original, &plain));
            self.report.changed.push(Entry::new(format!("providers[{name}]"), why));
        }
        let mut entry = Map::new();
        if fields.get("preset").and_then(Value::as_str) != Some(&name) {
            entry.insert("name".to_owned(), name.clone().into());
        }
        entry.extend(fields);
        if !credentials.is_empty() {
            entry.insert("credentials".to_owned(), credentials.into());
        }
        self.providers.push(New { from, entry });
        name
    }

    fn model(&mut self, model: Model, providers: &[String]) {
        let Model { name, from, mut fields, targets } = model;
        let answers_to = |stored: &Map<String, Value>, name: &str| {
            let aliases = stored.get("aliases").and_then(Value::as_array).into_iter().flatten();
            stored.get("name").into_iter().chain(aliases).any(|known| known == name)
        };
        if self.stored("models").any(|stored| answers_to(stored, &name)) {
            let note = format!("a model answers to this name already, and stays as it is ({from})");
            self.report.left.push(Entry::new(format!("models[{name}]"), note));
            return;
        }
        if let Some(Value::Array(aliases)) = fields.get_mut("aliases") {
            let stored: Vec<_> = self.stored("models").collect();
            aliases.retain(|alias| {
                alias.as_str().is_some_and(|alias| !stored.iter().any(|stored| answers_to(stored, alias)))
            });
        }
        let target = |target: super::draft::Target| {
            let mut entry = Map::new();
            entry.insert("provider".to_owned(), providers.get(target.provider).cloned().unwrap_or_default().into());
            entry.extend(target.fields);
            Value::Object(entry)
        };
        let mut entry = Map::new();
        entry.insert("name".to_owned(), name.into());
        entry.extend(fields);
        entry.insert("targets".to_owned(), targets.into_iter().map(target).collect());
        self.models.push(New { from, entry });
    }

    fn key(&mut self, key: Key) {
        let Key { name: original, from, hash, fields } = key;
        let mut entries = self.stored("keys").chain(self.keys.iter().map(|new| &new.entry));
        let known = entries.find(|entry| entry.get("hash").and_then(Value::as_str) == Some(&hash));
        let known = known.and_then(|entry| entry.get("name")?.as_str()).map(str::to_owned);
        drop(entries);
        if let Some(name) = known {
            let note = format!("is there already as key {name:?}, and stays as it is");
            self.report.left.push(Entry::new(from, note));
            return;
        }
        let plain = label(&original);
        let name = self.free_key_name(&plain);
        if name != original {
            let why = format!("{from} is named so here, because {}", renamed(&original, &plain));
            self.report.changed.push(Entry::new(format!("keys[{name}]"), why));
        }
        let mut entry = Map::new();
        entry.insert("name".to_owned(), name.into());
        entry.insert("hash".to_owned(), hash.into());
        entry.extend(fields);
        self.keys.push(New { from, entry });
    }

    /// This name, or it with a number, where no key has it yet.
    fn free_key_name(&self, plain: &str) -> String {
        let entries = self.stored("keys").chain(self.keys.iter().map(|new| &new.entry));
        let taken: HashSet<&str> = entries.filter_map(|entry| entry.get("name")?.as_str()).collect();
        let mut candidates = std::iter::once(plain.to_owned()).chain((2..).map(|number| format!("{plain}-{number}")));
        let is_free = |name: &String| name != ADMIN_NAME && !taken.contains(name.as_str());
        candidates.find(is_free).unwrap_or_else(|| plain.to_owned())
    }

    /// Sets what the catalog does not set. A table gets the members that it lacks.
    fn setting(&mut self, name: &str, value: Value, why: &str) {
        let known = self.stored.as_json().get("settings").and_then(|settings| settings.get(name));
        match (known, value) {
            (None, value) => {
                self.settings.insert(name.to_owned(), value);
                self.report.changed.push(Entry::new(format!("settings.{name}"), why));
            }
            (Some(Value::Object(known)), Value::Object(members)) => {
                let new: Map<String, Value> =
                    members.into_iter().filter(|(member, _)| !known.contains_key(member)).collect();
                if !new.is_empty() {
                    let whole: Map<String, Value> = known.clone().into_iter().chain(new).collect();
                    self.settings.insert(name.to_owned(), whole.into());
                    self.report.changed.push(Entry::new(format!("settings.{name}"), why));
                }
            }
            (Some(_), _) => {
                self.report.left.push(Entry::new(format!("settings.{name}"), "is set already, and stays as it is"));
            }
        }
    }

    fn finish(mut self, judge: &Judge<'_>, kind: Kind) -> Result<Imported, Problems> {
        for _ in 0..ROUNDS_MAX {
            let document = self.document();
            let Err(problems) = judge(&document) else {
                self.tell_taken();
                return Ok(Imported { document, report: self.report, kind });
            };
            let foreign: Vec<Problem> = problems.0.iter().filter(|problem| !self.is_mine(problem)).cloned().collect();
            if !foreign.is_empty() {
                return Err(Problems(foreign));
            }
            self.take_out(&problems);
        }
        Err(Problems::one("", "the file has too much that depends on what cannot be taken; take a part of it away"))
    }

    fn document(&self) -> Document {
        let mut sections = self.stored.as_json().clone();
        for (section, new) in [("providers", &self.providers), ("models", &self.models), ("keys", &self.keys)] {
            if new.is_empty() {
                continue;
            }
            let entries = sections.entry(section).or_insert_with(|| json!([]));
            if let Value::Array(entries) = entries {
                entries.extend(new.iter().map(|new| Value::Object(new.entry.clone())));
            }
        }
        if !self.settings.is_empty() {
            let settings = sections.entry("settings").or_insert_with(|| json!({}));
            if let Value::Object(settings) = settings {
                settings.extend(self.settings.clone());
            }
        }
        Document::of_sections(sections)
    }

    /// Whether a problem is about something that is new here.
    fn is_mine(&self, problem: &Problem) -> bool {
        let Some(place) = Place::of(&problem.path) else {
            let setting = problem.path.strip_prefix("settings.").unwrap_or_default();
            let name = setting.split(['.', '[']).next().unwrap_or_default();
            return self.settings.contains_key(name);
        };
        self.at(place.section, place.index).is_some()
    }

    /// The place among the new entries of the entry that has this place in the whole document.
    fn at(&self, section: &str, index: usize) -> Option<usize> {
        let stored = self.stored.as_json().get(section).and_then(Value::as_array).map_or(0, Vec::len);
        let new = match section {
            "providers" => self.providers.len(),
            "models" => self.models.len(),
            "keys" => self.keys.len(),
            _ => 0,
        };
        index.checked_sub(stored).filter(|at| *at < new)
    }

    /// Takes out what these problems are about: as little as their paths allow.
    fn take_out(&mut self, problems: &Problems) {
        let mut places: Vec<(&'static str, usize, Option<Within>, &str)> = Vec::new();
        for Problem { path, message } in &problems.0 {
            let Some(place) = Place::of(path) else {
                let setting = path.strip_prefix("settings.").unwrap_or_default();
                let name = setting.split(['.', '[']).next().unwrap_or_default();
                if self.settings.remove(name).is_some() {
                    self.report.changed.retain(|entry| entry.what != format!("settings.{name}"));
                    self.report.left.push(Entry::new(format!("settings.{name}"), message.clone()));
                }
                continue;
            };
            if let Some(at) = self.at(place.section, place.index) {
                places.push((place.section, at, place.within, message));
            }
        }
        // The last come first, so that the places of the others stay valid, and a whole comes before its parts.
        places.sort_by_key(|(section, at, within, _)| {
            std::cmp::Reverse((*section, *at, within.map(|(name, n)| (n, name))))
        });
        let whole: HashSet<_> = places
            .iter()
            .filter(|(_, _, within, _)| within.is_none())
            .map(|(section, at, ..)| (*section, *at))
            .collect();
        let mut gone = HashSet::new();
        for (section, at, within, message) in places {
            let within = within.filter(|_| !whole.contains(&(section, at)));
            if gone.insert((section, at, within)) {
                self.take_out_one(section, at, within, message);
            }
        }
    }

    fn take_out_one(&mut self, section: &str, at: usize, within: Option<(&str, usize)>, message: &str) {
        let new = match section {
            "providers" => &mut self.providers,
            "models" => &mut self.models,
            _ => &mut self.keys,
        };
        let Some(New { from, entry }) = new.get_mut(at) else { return };
        let name = entry.get("name").or(entry.get("preset")).and_then(Value::as_str).unwrap_or_default();
        let what = format!("{section}[{name}]");
        match within {
            Some((list, index)) => {
                let note = format!("{} is left out ({from}): {message}", part(entry, list, index));
                if let Some(Value::Array(values)) = entry.get_mut(list)
                    && index < values.len()
                {
                    values.remove(index);
                }
                self.report.left.push(Entry::new(what, note));
            }
            None => {
                let note = format!("{message} ({from})");
                new.remove(at);
                self.report.left.push(Entry::new(what, note));
            }
        }
    }

    fn tell_taken(&mut self) {
        let count =
            |entry: &Map<String, Value>, list: &str| entry.get(list).and_then(Value::as_array).map_or(0, Vec::len);
        for New { from, entry } in &self.providers {
            let name = provider_name(entry).unwrap_or_default();
            let where_to = entry.get("base_url").or(entry.get("preset")).and_then(Value::as_str).unwrap_or_default();
            let credentials = counted(count(entry, "credentials"), "credential", "credentials");
            let note = format!("{where_to}, {credentials}{} ({from})", switched_off(entry));
            self.report.taken.push(Entry::new(format!("providers[{name}]"), note));
        }
        for New { from, entry } in &self.models {
            let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
            let targets = counted(count(entry, "targets"), "target", "targets");
            self.report.taken.push(Entry::new(format!("models[{name}]"), format!("{targets} ({from})")));
        }
        for New { from, entry } in &self.keys {
            let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
            let models = match entry.get("models") {
                Some(_) => counted(count(entry, "models"), "model", "models"),
                None => "all models".to_owned(),
            };
            let note = format!("as a hash; {models}{} ({from})", switched_off(entry));
            self.report.taken.push(Entry::new(format!("keys[{name}]"), note));
        }
    }
}

/// A list of an entry, and a place in it.
type Within = (&'static str, usize);

/// What a problem's path leads to.
struct Place {
    section: &'static str,
    index: usize,
    /// The list within the entry, and the place there, where a part of it can be left out alone.
    within: Option<Within>,
}

impl Place {
    fn of(path: &str) -> Option<Place> {
        const PARTS: [(&str, &[&str]); 3] = [
            ("providers", &["credentials", "error_match", "quotas"]),
            ("models", &["targets", "aliases", "fallback"]),
            ("keys", &["models", "ips"]),
        ];
        let (section, lists) = PARTS.into_iter().find(|(section, _)| path.starts_with(section))?;
        let (index, rest) = indexed(path.strip_prefix(section)?)?;
        let within = rest.strip_prefix('.').and_then(|rest| {
            let list = lists.iter().copied().find(|list| rest.starts_with(*list))?;
            Some((list, indexed(rest.strip_prefix(list)?)?.0))
        });
        Some(Place { section, index, within })
    }
}

/// The number in brackets that a text begins with, and what follows.
fn indexed(text: &str) -> Option<(usize, &str)> {
    let (number, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// What a part of an entry is called; never what stands in a credential.
fn part(entry: &Map<String, Value>, list: &str, index: usize) -> String {
    let value = entry.get(list).and_then(|values| values.get(index));
    match (list, value) {
        ("targets", Some(target)) => {
            let text = |name: &str| target.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("target {}/{}", text("provider"), text("model"))
        }
        ("aliases" | "fallback" | "models" | "ips", Some(Value::String(text))) => format!("{text:?} of its {list}"),
        _ => format!("number {} of its {list}", index + 1),
    }
}

fn provider_name(entry: &Map<String, Value>) -> Option<&str> {
    entry.get("name").or(entry.get("preset"))?.as_str()
}

fn switched_off(entry: &Map<String, Value>) -> &'static str {
    if entry.get("enabled") == Some(&Value::Bool(false)) { ", switched off" } else { "" }
}

fn renamed(original: &str, plain: &str) -> String {
    if original == plain { "its name is taken".to_owned() } else { format!("{original:?} cannot be a name here") }
}

/// A name that targets can refer to.
fn plain_name(text: &str, otherwise: &str) -> String {
    let plain = |character: char| {
        if character.is_whitespace() || character.is_control() || "/*".contains(character) { '-' } else { character }
    };
    let name: String = text.trim().chars().take(100).map(plain).collect();
    if name.is_empty() { otherwise.to_owned() } else { name.replace("${", "$-{") }
}

/// A name that people read.
fn label(text: &str) -> String {
    let name: String = text.trim().chars().take(100).filter(|character| !character.is_control()).collect();
    if name.is_empty() { "key".to_owned() } else { name.replace("${", "$-{") }
}
