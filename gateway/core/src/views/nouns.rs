//! Providers, credentials, models, targets and relays as they are written in the catalog, without secrets.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::catalog::{Document, EditError, Noun, Part};

/// Where a section of the catalog in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SectionSource {
    /// The catalog file, which is the only place where it can be changed.
    File,
    /// The store, or nowhere yet: the admin API and the console change it.
    Stored,
    /// What is served until a catalog says what to serve.
    BuiltIn,
}

/// All entries of a section: the answer of `GET /api/providers` and its like.
#[derive(Debug)]
pub struct NounsView {
    noun: Noun,
    source: SectionSource,
    entries: Vec<Map<String, Value>>,
}

impl Serialize for NounsView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.noun.section(), &self.entries)?;
        map.serialize_entry("source", &self.source)?;
        map.end()
    }
}

/// One entry of a section.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct EntryView {
    members: Map<String, Value>,
}

/// All parts of an entry.
#[derive(Debug)]
pub struct PartsView {
    part: Part,
    parts: Vec<PartView>,
}

impl Serialize for PartsView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.part.list(), &self.parts)?;
        map.end()
    }
}

/// One part of an entry.
#[derive(Debug, Serialize)]
pub struct PartView {
    /// What paths of the admin API call it.
    pub name: String,
    /// What the catalog says of it.
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// The settings as they are written.
#[derive(Debug, Serialize)]
pub struct SettingsView {
    settings: Map<String, Value>,
    source: SectionSource,
}

impl NounsView {
    /// The entries of a noun in the catalog in force.
    pub fn of(document: &Document, noun: Noun, source: SectionSource) -> Self {
        let shown = document.redacted();
        let entries = shown.entries(noun).iter().filter_map(|entry| EntryView::members(noun, entry));
        NounsView { noun, source, entries: entries.collect() }
    }
}

impl EntryView {
    /// The entry of this name in the catalog in force.
    pub fn of(document: &Document, noun: Noun, name: &str) -> Result<Self, EditError> {
        let members = document.redacted().entry(noun, name)?.clone();
        Ok(EntryView { members: EntryView::members(noun, &Value::Object(members)).unwrap_or_default() })
    }

    /// The members of an entry. A provider that is called after its preset gets its name written out.
    fn members(noun: Noun, entry: &Value) -> Option<Map<String, Value>> {
        let mut members = entry.as_object()?.clone();
        if let (false, Some(name)) = (members.contains_key("name"), noun.name_of(entry)) {
            members.shift_insert(0, "name".to_owned(), name.into());
        }
        Some(members)
    }
}

impl PartsView {
    /// The parts of the entry of this name.
    pub fn of(document: &Document, part: Part, owner: &str) -> Result<Self, EditError> {
        let parts = document.redacted().parts(part, owner)?;
        Ok(PartsView { part, parts: parts.into_iter().map(|(name, members)| PartView { name, members }).collect() })
    }

    /// The part at this place of the list.
    pub fn at(self, place: usize) -> Option<PartView> {
        self.parts.into_iter().nth(place)
    }
}

impl SettingsView {
    /// The settings of the catalog in force.
    pub fn of(document: &Document, source: SectionSource) -> Self {
        let settings = document.as_json().get("settings").and_then(Value::as_object).cloned();
        SettingsView { settings: settings.unwrap_or_default(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(view: &impl Serialize) -> String {
        serde_json::to_string(view).expect("JSON")
    }

    #[test]
    fn nouns_are_shown_as_they_are_written_without_their_secrets() {
        let toml = "providers = [{ preset = \"deepseek\", credentials = [\"sk-secret\", \"${A}\"] }]\n\
                    models = [{ name = \"m\", targets = [\"deepseek/a/b\"] }]\nsettings = { zone = \"Asia/Tokyo\" }";
        let document = Document::from_toml(toml).expect("TOML");
        let shown = json(&NounsView::of(&document, Noun::Provider, SectionSource::File));
        let expected = r##"{"providers":[{"name":"deepseek","preset":"deepseek","credentials":[{"id":"ID","label":"#1"},"${A}"]}],"source":"file"}"##;
        let id =
            PartsView::of(&document, Part::Credential, "deepseek").expect("credentials").parts[0].members["id"].clone();
        assert_eq!(shown, expected.replace("\"ID\"", &id.to_string()));
        let shown = json(&PartsView::of(&document, Part::Credential, "deepseek").expect("credentials"));
        assert!(shown.ends_with(r##"{"name":"A","variable":"A","label":"A"}]}"##), "{shown}");
        let targets = || PartsView::of(&document, Part::Target, "m").expect("targets");
        assert_eq!(json(&targets()), r#"{"targets":[{"name":"deepseek/a/b","provider":"deepseek","model":"a/b"}]}"#);
        assert!(targets().at(0).is_some() && targets().at(1).is_none());
        let shown = json(&EntryView::of(&document, Noun::Model, "m").expect("a model"));
        assert_eq!(shown, r#"{"name":"m","targets":["deepseek/a/b"]}"#);
        assert!(EntryView::of(&document, Noun::Model, "n").is_err());
        let shown = json(&SettingsView::of(&document, SectionSource::BuiltIn));
        assert_eq!(shown, r#"{"settings":{"zone":"Asia/Tokyo"},"source":"built_in"}"#);
    }
}
