//! The document: a catalog as a person wrote it, in TOML or JSON, names and order kept.
//!
//! A JSON object and not typed structs: what is stored, shown and edited must be what was written, and problems
//! must name places in it. Only [`Document::validate`] turns it into types.

mod secrets;
mod text;

use std::fmt;

use serde_json::{Map, Value};

use super::{Catalog, Problems, validate};

pub(super) use secrets::{credential_id, labels};

const BUILT_IN: &str = include_str!("default.toml");

/// A catalog as written. Not yet checked; may hold secrets, so its `Debug` shows section names only.
#[derive(Clone, PartialEq, Default)]
pub struct Document {
    sections: Map<String, Value>,
}

impl Document {
    /// A document without any section.
    pub fn empty() -> Document {
        Document::default()
    }

    /// What is served until a first catalog is accepted: the model `demo`, answered inside the gateway.
    pub fn built_in() -> Document {
        Document::from_toml(BUILT_IN).expect("default.toml is compiled in and parsed by a test")
    }

    /// The document of a TOML text. A syntax error is one problem with line and column.
    pub fn from_toml(text: &str) -> Result<Document, Problems> {
        Ok(Document { sections: text::from_toml(text)? })
    }

    /// The document of a JSON text, which must be an object; the same name twice in one object is refused.
    pub fn from_json(text: &[u8]) -> Result<Document, Problems> {
        Ok(Document { sections: text::from_json(text)? })
    }

    /// The document as a JSON object.
    pub fn as_json(&self) -> &Map<String, Value> {
        &self.sections
    }

    /// The document as JSON text on one line.
    pub fn to_json_string(&self) -> String {
        Value::Object(self.sections.clone()).to_string()
    }

    /// The document as TOML text. Only what TOML cannot express is refused: `null` inside a list, and whole
    /// numbers of 64 bits without sign; a `null` in a table is left out.
    pub fn to_toml(&self) -> Result<String, Problems> {
        text::to_toml(&self.sections)
    }

    /// This document on top of another: each section it has replaces the other's section whole.
    pub fn overlay(&self, below: &Document) -> Document {
        let mut sections = self.sections.clone();
        for (name, section) in &below.sections {
            if !sections.contains_key(name) {
                sections.insert(name.clone(), section.clone());
            }
        }
        Document { sections }
    }

    /// The catalog of the document, or every problem in it.
    pub fn validate(&self) -> Result<Catalog, Problems> {
        validate::validate(&self.sections)
    }

    /// Adds an entry to `keys`. It is checked with everything else by [`Document::validate`], and so is a
    /// section `keys` that is no list, which is left as it is.
    pub fn insert_key(&mut self, key: Value) {
        let keys = self.sections.entry("keys").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(keys) = keys {
            keys.push(key);
        }
    }

    /// Removes the entry of this name from `keys`; `false` when there is none.
    pub fn remove_key(&mut self, name: &str) -> bool {
        let Some(Value::Array(keys)) = self.sections.get_mut("keys") else {
            return false;
        };
        let before = keys.len();
        keys.retain(|key| key.get("name").and_then(Value::as_str) != Some(name));
        keys.len() < before
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sections.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
