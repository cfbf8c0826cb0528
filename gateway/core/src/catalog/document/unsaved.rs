//! A provider that is not saved yet, so that its credentials can be tried before they are.
//!
//! Only an operator can ask for this, but may have pasted what somebody else wrote. So it reaches no more than the
//! catalog already does: variables and files only where a saved provider of the same origins names them, stored secrets
//! only by their ids and for the origins they were entered for ([`Document::recall`]), and private addresses only where
//! they are saved as meant.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Document;
use super::nouns::Noun;
use super::secrets::origins;
use crate::providers;

/// The members of a provider that matter when it is asked whether it knows a credential.
const MEMBERS: [&str; 8] = ["auth", "base_url", "dialect", "endpoints", "headers", "local", "name", "preset"];

/// How many credentials may be checked at once.
const CHECKED_MAX: usize = 500;

impl Document {
    /// A document of this provider alone with these credentials, if it may be called as it says. `self` is the catalog
    /// in force. `Err`: why it may not be called.
    pub fn unsaved(&self, provider: &Unsaved, credentials: Vec<Value>) -> Result<Document, String> {
        if credentials.len() > CHECKED_MAX {
            return Err(format!("At most {CHECKED_MAX} credentials are checked at once."));
        }
        let mut entry = match provider {
            Unsaved::Saved(name) => {
                let mut entry = self.entry(Noun::Provider, name).map_err(|error| error.to_string())?.clone();
                entry.shift_remove("credentials");
                entry
            }
            Unsaved::New(entry) => self.checked(entry)?,
        };
        if !entry.contains_key("name") && !entry.contains_key("preset") {
            entry.insert("name".to_owned(), json!("unsaved"));
        }
        let origins = origins(&Value::Object(entry.clone()));
        let allowed = self.references(&origins);
        let mut named = BTreeSet::new();
        credentials.iter().for_each(|credential| references(credential, &mut named));
        refuse_unnamed(&named, &allowed)?;
        entry.insert("credentials".to_owned(), Value::Array(credentials));
        let mut sections = Map::new();
        sections.insert("providers".to_owned(), json!([entry]));
        Ok(Document { sections })
    }

    /// A new provider, if it may be called as it says.
    fn checked(&self, entry: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        if let Some(member) = entry.keys().find(|member| !MEMBERS.contains(&member.as_str())) {
            return Err(format!("A check takes {} of a provider, not {member:?}.", MEMBERS.join(", ")));
        }
        let mut entry = entry.clone();
        let value = Value::Object(entry.clone());
        let origins = origins(&value);
        let mut named = BTreeSet::new();
        references(&value, &mut named);
        refuse_unnamed(&named, &self.references(&origins))?;
        // The preset does not decide this: a private address is reached only if a saved provider allows it.
        let is_local = self.of_origins(&origins).any(is_local);
        if entry.get("local") == Some(&json!(true)) && !is_local {
            let message =
                "`local` allows a private address, which is reached only where it is saved. Save the provider first.";
            return Err(message.to_owned());
        }
        entry.insert("local".to_owned(), json!(is_local));
        Ok(entry)
    }

    /// Saved providers that are reached at no other origin than these, and at each of them.
    fn of_origins<'a>(&'a self, named: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Value> {
        self.entries(Noun::Provider).iter().filter(move |entry| !named.is_empty() && origins(entry) == *named)
    }

    /// The variables and files that saved providers of these origins name.
    fn references(&self, origins: &BTreeSet<String>) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        self.of_origins(origins).for_each(|entry| references(entry, &mut named));
        named
    }
}

/// Whose credentials are checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Unsaved {
    /// A saved provider, by its name.
    Saved(String),
    /// One that is not saved.
    New(Map<String, Value>),
}

fn is_local(entry: &Value) -> bool {
    let preset = || entry.get("preset").and_then(Value::as_str).and_then(providers::preset);
    let is_preset =
        || entry.get("base_url").or(entry.get("endpoints")).is_none() && preset().is_some_and(|it| it.local);
    entry.get("local").and_then(Value::as_bool).unwrap_or_else(is_preset)
}

/// Collects everything that stands for a variable or a file.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.contains("${") => drop(found.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value.as_str()) {
                    ("variable", Some(text)) => drop(found.insert(format!("${{{text}}}"))),
                    ("file", Some(text)) => drop(found.insert(format!("file {text}"))),
                    _ => references(value, found),
                }
            }
        }
        _ => {}
    }
}

fn refuse_unnamed(named: &BTreeSet<String>, allowed: &BTreeSet<String>) -> Result<(), String> {
    match named.difference(allowed).next() {
        None => Ok(()),
        Some(other) => Err(format!(
            "{other:?} is not checked: no saved provider of this address names it. Save it, or give the credential itself."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Document {
        let text = r#"
            [[providers]]
            preset = "deepseek"
            credentials = ["${DEEPSEEK}", { file = "keys.txt" }]
            [[providers]]
            name = "home"
            base_url = "http://192.168.1.20:11434/v1"
            local = true
        "#;
        Document::from_toml(text).expect("TOML")
    }

    fn unsaved(provider: Value, credentials: &[Value]) -> Result<Value, String> {
        let provider = match provider {
            Value::String(name) => Unsaved::Saved(name),
            other => Unsaved::New(other.as_object().cloned().expect("a table")),
        };
        saved().unsaved(&provider, credentials.to_vec()).map(|document| document.as_json()["providers"][0].clone())
    }

    #[test]
    fn an_unsaved_provider_stands_alone_with_its_credentials() {
        let preset = unsaved(json!({ "preset": "groq" }), &[json!("gsk-1")]);
        assert_eq!(preset, Ok(json!({ "preset": "groq", "local": false, "credentials": ["gsk-1"] })));
        let url = unsaved(json!({ "base_url": "https://r.example/v1" }), &[]).expect("allowed");
        assert_eq!((&url["name"], &url["local"]), (&json!("unsaved"), &json!(false)));
        let more = unsaved(json!("home"), &[json!("k")]).expect("allowed");
        assert_eq!((&more["local"], &more["credentials"]), (&json!(true), &json!(["k"])));
    }

    #[test]
    fn private_addresses_are_tried_only_where_they_are_saved() {
        let at = |url: &str, local: bool| unsaved(json!({ "base_url": url, "local": local }), &[json!("k")]);
        assert!(at("http://127.0.0.1:9/v1", true).expect_err("refused").contains("Save the provider first"));
        assert_eq!(at("http://127.0.0.1:9/v1", false).expect("the host refuses it")["local"], false);
        assert_eq!(at("http://192.168.1.20:11434/other", true).expect("saved there")["local"], true);
        assert_eq!(unsaved(json!({ "preset": "ollama" }), &[]).expect("allowed")["local"], false);
    }

    #[test]
    fn variables_and_files_are_tried_only_for_the_address_they_are_saved_for() {
        for (provider, credential, is_allowed) in [
            (json!({ "preset": "deepseek" }), json!("${DEEPSEEK}"), true),
            (json!({ "preset": "deepseek" }), json!({ "variable": "DEEPSEEK" }), true),
            (json!({ "preset": "deepseek" }), json!({ "file": "keys.txt" }), true),
            (json!("deepseek"), json!("${DEEPSEEK}"), true),
            (json!({ "preset": "deepseek" }), json!("${OTHER}"), false),
            (json!({ "preset": "deepseek" }), json!({ "file": "/etc/passwd" }), false),
            (json!({ "base_url": "https://evil.example/v1" }), json!("${DEEPSEEK}"), false),
            (json!({ "base_url": "https://evil.example/v1" }), json!({ "variable": "DEEPSEEK" }), false),
            (json!({ "base_url": "https://${DEEPSEEK}.evil.example/v1" }), json!("k"), false),
            (json!({ "base_url": "https://e.example", "headers": { "x": "${DEEPSEEK}" } }), json!("k"), false),
            (json!({ "base_url": "https://e.example", "headers": { "x": { "variable": "A" } } }), json!("k"), false),
            (json!({ "base_url": "https://e.example", "headers": { "x": "plain" } }), json!("k"), true),
        ] {
            let result = unsaved(provider.clone(), std::slice::from_ref(&credential));
            assert_eq!(result.is_ok(), is_allowed, "{provider} {credential}: {result:?}");
        }
    }

    #[test]
    fn nothing_else_of_a_provider_is_tried() {
        for member in ["egress", "query", "ca", "credentials", "timeouts"] {
            let message = unsaved(json!({ "preset": "groq", member: "x" }), &[]).expect_err("refused");
            assert!(message.contains(&format!("not {member:?}")), "{message}");
        }
        let many = vec![json!("k"); CHECKED_MAX + 1];
        assert!(unsaved(json!({ "preset": "groq" }), &many).is_err());
        assert!(unsaved(json!("none"), &[]).expect_err("refused").contains("There is no provider"));
    }
}
