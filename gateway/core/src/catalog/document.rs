//! The document: a catalog as a person wrote it, in TOML or JSON, names and order kept.
//!
//! A JSON object and not typed structs: what is stored, shown and edited must be what was written, and problems
//! must name places in it. Only [`Document::validate`] turns it into types.

mod diff;
mod keys;
mod nouns;
mod secrets;
mod text;
mod unsaved;
mod variables;

use std::fmt;

use serde_json::{Map, Value};

use super::{Catalog, validate};
use crate::problem::{Problem, Problems};

pub use diff::{Change, Difference};
pub use keys::fixed_key_field;
pub use nouns::{Edit, EditError, Noun, Part};
pub(super) use secrets::{credential_id, labels};
pub use unsaved::Unsaved;

const BUILT_IN: &str = include_str!("default.toml");

/// The sections that say what is served. The other sections say to whom and how.
const SERVING: [&str; 3] = ["providers", "models", "relays"];

/// The sections that say to whom.
const WHO_MAY_ASK: [&str; 2] = ["keys", "teams"];

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

    /// The built-in catalog, which applies until a catalog says what to serve ([`Document::or_built_in`]): the model
    /// `demo`, which the gateway itself answers.
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

    /// The document of these sections.
    pub fn of_sections(sections: Map<String, Value>) -> Document {
        Document { sections }
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

    /// This document on top of another: each section it has replaces the other's section whole. An export may have
    /// carried the built-in catalog into the other document. It then gives way as a whole to a document that says what
    /// to serve, since half of it would be models without their provider.
    pub fn overlay(&self, below: &Document) -> Document {
        let drops_built_in = self.says_what_to_serve() && below.has_built_in();
        let mut sections = self.sections.clone();
        for (name, section) in &below.sections {
            let is_dropped = drops_built_in && matches!(name.as_str(), "providers" | "models");
            if !sections.contains_key(name) && !is_dropped {
                sections.insert(name.clone(), section.clone());
            }
        }
        Document { sections }
    }

    /// This document, with the built-in catalog below it while it does not say what to serve: keys can be made, and
    /// settings chosen, before there is a provider.
    pub fn or_built_in(self) -> Document {
        if self.says_what_to_serve() { self } else { self.overlay(&Document::built_in()) }
    }

    /// The sections this document lacks and the other has.
    pub fn lacks<'a>(&self, other: &'a Document) -> Vec<&'a str> {
        other.sections.keys().filter(|name| !self.sections.contains_key(*name)).map(String::as_str).collect()
    }

    /// The problems of this document on top of another. The reader edits this document, so a problem in a section of
    /// the other one says where that section is kept and how to edit it.
    pub fn locate(&self, below: &Document, mut problems: Problems) -> Problems {
        let stored = self.lacks(below);
        for Problem { path, message } in &mut problems.0 {
            let section = path.split(['.', '[']).next().unwrap_or_default();
            if !stored.contains(&section) {
                continue;
            }
            let mend = match section {
                "keys" => "`llmio keys list` shows them, `llmio keys revoke NAME` takes one away",
                _ => "`llmio catalog export` shows it, `llmio catalog import` changes it",
            };
            message.push_str(&format!(" (in the stored `{section}`, which this catalog does not have: {mend})"));
        }
        problems
    }

    /// What is stored when this old document is put back in the place of the one that is stored now. Keys and teams
    /// stay as they are now unless they are asked for: restoring an old weight must not bring back a revoked key.
    pub fn restored(&self, now: &Document, with_keys: bool) -> Document {
        if with_keys {
            return self.clone();
        }
        let is_kept = |name: &str| WHO_MAY_ASK.contains(&name);
        let of = |document: &Document, kept: bool| {
            let sections = document.sections.iter().filter(|(name, _)| is_kept(name) == kept);
            sections.map(|(name, section)| (name.clone(), section.clone())).collect::<Vec<_>>()
        };
        Document { sections: of(self, false).into_iter().chain(of(now, true)).collect() }
    }

    /// The line of a TOML text on which the entry of this name in a section begins, or else the section. Texts in another
    /// form have none.
    pub fn line_of(text: &str, section: &str, name: &str) -> Option<usize> {
        text::line_of(text, section, name)
    }

    fn says_what_to_serve(&self) -> bool {
        SERVING.iter().any(|name| self.sections.contains_key(*name))
    }

    fn has_built_in(&self) -> bool {
        let built_in = Document::built_in();
        built_in.sections.iter().all(|(name, section)| self.sections.get(name) == Some(section))
    }

    /// The catalog of the document, or every problem in it.
    pub fn validate(&self) -> Result<Catalog, Problems> {
        validate::validate(&self.sections)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sections.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
