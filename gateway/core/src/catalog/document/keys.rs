//! The `keys` section of a document: adds, changes, rotates and removes entries.

use serde_json::{Map, Value, json};

use super::Document;

/// The members that are only set when a key is made or rotated.
const NOT_CHANGED: [&str; 3] = ["name", "hash", "previous"];

impl Document {
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

    /// Applies a JSON merge patch (RFC 7396) to the entry of this name: tables are merged member by member, and `null` removes
    /// a member. Returns `false` if there is no such key.
    pub fn change_key(&mut self, name: &str, changes: &Map<String, Value>) -> bool {
        let Some(key) = self.key_mut(name) else { return false };
        merge(key, changes);
        true
    }

    /// Gives the key of this name a new hash. The old hash stays valid until the given time, if there is one. Returns `false`
    /// if there is no such key.
    pub fn rotate_key(&mut self, name: &str, hash: &str, until: Option<&str>) -> bool {
        let Some(key) = self.key_mut(name) else { return false };
        let before = key.insert("hash".to_owned(), json!(hash));
        match (before, until) {
            (Some(before), Some(until)) => key.insert("previous".to_owned(), json!({ "hash": before, "until": until })),
            _ => key.shift_remove("previous"),
        };
        true
    }

    fn key_mut(&mut self, name: &str) -> Option<&mut Map<String, Value>> {
        let keys = self.sections.get_mut("keys")?.as_array_mut()?;
        keys.iter_mut()
            .filter_map(Value::as_object_mut)
            .find(|key| key.get("name").and_then(Value::as_str) == Some(name))
    }
}

/// The first member of a patch that may not be changed.
pub fn fixed_key_field(changes: &Map<String, Value>) -> Option<&'static str> {
    NOT_CHANGED.into_iter().find(|name| changes.contains_key(*name))
}

/// A JSON merge patch.
pub(super) fn merge(into: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (name, change) in changes {
        match (change, into.get_mut(name)) {
            (Value::Null, _) => drop(into.shift_remove(name)),
            (Value::Object(changes), Some(Value::Object(members))) => merge(members, changes),
            (Value::Object(changes), _) => {
                let mut members = Map::new();
                merge(&mut members, changes);
                into.insert(name.clone(), Value::Object(members));
            }
            _ => drop(into.insert(name.clone(), change.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let text = r#"
            [[keys]]
            name = "one"
            hash = "sha256:aa"
            models = ["m"]
            limits = { rpm = 5, budget = "1 USD/day" }
            [[keys]]
            name = "two"
            hash = "sha256:bb"
        "#;
        Document::from_toml(text).expect("TOML")
    }

    fn changed(changes: Value) -> Value {
        let mut document = document();
        assert!(document.change_key("one", changes.as_object().expect("an object")));
        assert_eq!(document.as_json()["keys"][1], json!({ "name": "two", "hash": "sha256:bb" }));
        document.as_json()["keys"][0].clone()
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        for (changes, members) in [
            (json!({}), json!({ "models": ["m"], "limits": { "rpm": 5, "budget": "1 USD/day" } })),
            (json!({ "models": null }), json!({ "limits": { "rpm": 5, "budget": "1 USD/day" } })),
            (
                json!({ "limits": { "rpm": 7, "tpd": 9 } }),
                json!({ "models": ["m"], "limits": { "rpm": 7, "budget": "1 USD/day", "tpd": 9 } }),
            ),
            (json!({ "limits": { "rpm": null } }), json!({ "models": ["m"], "limits": { "budget": "1 USD/day" } })),
            (json!({ "limits": null, "enabled": false }), json!({ "models": ["m"], "enabled": false })),
            (json!({ "models": ["a", "b"], "limits": null }), json!({ "models": ["a", "b"] })),
        ] {
            let mut expected = json!({ "name": "one", "hash": "sha256:aa" });
            expected.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
            assert_eq!(changed(changes.clone()), expected, "{changes}");
        }
        assert!(!document().change_key("three", &Map::new()));
    }

    #[test]
    fn a_table_that_was_not_there_is_made_without_its_nulls() {
        let mut document = document();
        let changes = json!({ "limits": { "rpm": 3, "tpm": null } });
        assert!(document.change_key("two", changes.as_object().expect("an object")));
        assert_eq!(document.as_json()["keys"][1]["limits"], json!({ "rpm": 3 }));
    }

    #[test]
    fn rotating_keeps_the_last_hash_for_as_long_as_it_is_told() {
        let mut document = document();
        assert!(document.rotate_key("one", "sha256:cc", Some("2027-01-01T00:00:00Z")));
        let key = document.as_json()["keys"][0].clone();
        assert_eq!(key["hash"], "sha256:cc");
        assert_eq!(key["previous"], json!({ "hash": "sha256:aa", "until": "2027-01-01T00:00:00Z" }));
        assert_eq!(key["limits"]["rpm"], 5, "all else stays");
        assert!(document.rotate_key("one", "sha256:dd", None));
        assert_eq!(document.as_json()["keys"][0].get("previous"), None);
        assert!(!document.rotate_key("three", "sha256:ee", None));
    }

    #[test]
    fn name_and_hashes_are_not_changed() {
        for (changes, field) in [
            (json!({ "limits": {}, "models": [] }), None),
            (json!({ "name": "k" }), Some("name")),
            (json!({ "hash": "sha256:aa" }), Some("hash")),
            (json!({ "previous": null }), Some("previous")),
        ] {
            assert_eq!(fixed_key_field(changes.as_object().expect("an object")), field, "{changes}");
        }
    }
}
