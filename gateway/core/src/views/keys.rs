//! Keys as operators see them: never with their hash, and with the key itself only when it was just made.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::catalog::Document;

/// The answer of `GET /api/keys`.
#[derive(Debug, Serialize)]
pub struct KeysView {
    /// Every key, in the order of the catalog.
    pub keys: Vec<KeyView>,
}

/// A key without its hash, and without that of what it was before it was rotated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct KeyView {
    /// The members of its entry in `keys` as they are written there, but for `hash`.
    members: Map<String, Value>,
}

/// The answer of `POST /api/keys` and of `POST /api/keys/{name}/rotate`.
#[derive(Debug, Serialize)]
pub struct NewKeyView {
    /// The key itself. No other answer shows it.
    pub key: String,
    /// What the catalog says of it.
    #[serde(flatten)]
    pub entry: KeyView,
}

impl KeysView {
    /// The keys of a document.
    pub fn of(document: &Document) -> Self {
        let entries = document.as_json().get("keys").and_then(Value::as_array).into_iter().flatten();
        KeysView { keys: entries.filter_map(Value::as_object).map(KeyView::of).collect() }
    }
}

impl KeyView {
    /// What the catalog says of the key.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The view of an entry of `keys`.
    pub fn of(entry: &Map<String, Value>) -> Self {
        let without_hash = |members: &Map<String, Value>| -> Map<String, Value> {
            let shown = members.iter().filter(|(member, _)| *member != "hash");
            shown.map(|(member, value)| (member.clone(), value.clone())).collect()
        };
        let mut members = without_hash(entry);
        if let Some(Value::Object(previous)) = members.get_mut("previous") {
            *previous = without_hash(previous);
        }
        KeyView { members }
    }

    /// The key of this name, where a document has it.
    pub fn find(document: &Document, name: &str) -> Option<Self> {
        let entries = document.as_json().get("keys").and_then(Value::as_array).into_iter().flatten();
        let mut entries = entries.filter_map(Value::as_object);
        entries.find(|entry| entry.get("name").and_then(Value::as_str) == Some(name)).map(KeyView::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::NewKey;

    #[test]
    fn keys_are_listed_as_they_are_written_but_for_their_hash() {
        let shown = |toml: &str| {
            let document = Document::from_toml(toml).expect("TOML");
            serde_json::to_string(&KeysView::of(&document)).expect("JSON")
        };
        assert_eq!(shown(""), r#"{"keys":[]}"#);
        assert_eq!(
            shown(
                "keys = [{ hash = \"sha256:x\", name = \"k\", limits = { rpm = 5 } }, { name = \"l\", enabled = false }]"
            ),
            r#"{"keys":[{"name":"k","limits":{"rpm":5}},{"name":"l","enabled":false}]}"#
        );
    }

    #[test]
    fn a_new_key_is_shown_before_what_the_catalog_says_of_it() {
        let new_key = NewKey { name: "k".into(), models: Some(vec!["m".into()]), ..NewKey::default() };
        let entry = KeyView::of(&new_key.entry("sk-llmio-x"));
        let view = NewKeyView { key: "sk-llmio-x".into(), entry };
        assert_eq!(serde_json::to_string(&view).expect("JSON"), r#"{"key":"sk-llmio-x","name":"k","models":["m"]}"#);
    }

    #[test]
    fn a_rotated_key_is_shown_with_its_old_secrets_end_and_without_hashes() {
        let toml =
            "keys = [{ name = \"k\", hash = \"sha256:x\", previous = { hash = \"sha256:y\", until = \"2027\" } }]";
        let document = Document::from_toml(toml).expect("TOML");
        let shown = serde_json::to_string(&KeyView::find(&document, "k")).expect("JSON");
        assert_eq!(shown, r#"{"name":"k","previous":{"until":"2027"}}"#);
        assert_eq!(KeyView::find(&document, "l"), None);
    }
}
