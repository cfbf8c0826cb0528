//! Names of properties in the form that a provider accepts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::all_nested_mut;
use crate::neutral::Object;

/// Anthropic answers 400 `Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'`.
const CHARACTERS_MAX: usize = 64;

/// The properties of a tool that the provider knows under other names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RenamedKeys {
    /// The provider's name of the tool.
    pub tool: String,
    /// The caller's own name for each name that the provider got.
    pub own: BTreeMap<String, String>,
}

/// Renames properties so that Claude accepts their names, which depend on the schema alone. Returns the caller's own
/// name for each new one.
pub(crate) fn rename_keys(schema: &mut Value) -> BTreeMap<String, String> {
    let mut names = BTreeSet::new();
    each_object(schema, &mut |members| {
        let properties = members.get("properties").and_then(Value::as_object);
        names.extend(properties.into_iter().flat_map(Object::keys).cloned());
    });
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for name in names.iter().filter(|name| !is_taken(name)) {
        let plain = plain(name);
        let is_free = is_taken(&plain) && !names.contains(&plain) && !used.contains(&plain);
        let fitting = if is_free { plain } else { marked(name) };
        used.insert(fitting.clone());
        renamed.insert(name.clone(), fitting);
    }
    if !renamed.is_empty() {
        each_object(schema, &mut |members| rename(members, &renamed));
    }
    renamed.into_iter().map(|(own, sent)| (sent, own)).collect()
}

impl RenamedKeys {
    /// Restores the caller's own names in the arguments of a call.
    pub(crate) fn restore(&self, arguments: &mut Value) {
        replace_keys(arguments, &self.own);
    }

    /// The provider's name for each of the caller's own.
    pub(crate) fn sent(&self) -> BTreeMap<String, String> {
        self.own.iter().map(|(sent, own)| (own.clone(), sent.clone())).collect()
    }
}

/// Gives members the names that others have in `names`, at any depth.
pub(crate) fn replace_keys(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace_keys(item, names)),
        Value::Object(members) => {
            members.values_mut().for_each(|value| replace_keys(value, names));
            rename_members(members, names);
        }
        _ => {}
    }
}

/// Renames members and keeps their order.
fn rename_members(members: &mut Object, names: &BTreeMap<String, String>) {
    if members.keys().any(|name| names.contains_key(name)) {
        let renamed = std::mem::take(members).into_iter();
        *members = renamed.map(|(name, value)| (names.get(&name).cloned().unwrap_or(name), value)).collect();
    }
}

fn each_object(schema: &mut Value, visit: &mut impl FnMut(&mut Object)) {
    let Some(members) = schema.as_object_mut() else { return };
    visit(members);
    for nested in all_nested_mut(members) {
        each_object(nested, visit);
    }
}

/// Renames properties wherever a schema names them.
fn rename(members: &mut Object, names: &BTreeMap<String, String>) {
    let rename_list = |list: &mut Value| {
        for name in list.as_array_mut().into_iter().flatten() {
            if let Some(sent) = name.as_str().and_then(|name| names.get(name)) {
                *name = sent.as_str().into();
            }
        }
    };
    for (keyword, value) in members.iter_mut() {
        match (keyword.as_str(), value) {
            ("required", list) => rename_list(list),
            ("properties" | "dependentSchemas", Value::Object(inner)) => rename_members(inner, names),
            ("dependentRequired" | "dependencies", Value::Object(inner)) => {
                inner.values_mut().for_each(rename_list);
                rename_members(inner, names);
            }
            _ => {}
        }
    }
}

fn is_taken(name: &str) -> bool {
    (1..=CHARACTERS_MAX).contains(&name.len()) && name.chars().all(is_plain)
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-')
}

fn plain(name: &str) -> String {
    name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect()
}

/// The beginning of the name, and a suffix that no other name has.
fn marked(name: &str) -> String {
    let mark: String = Sha256::digest(name.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = plain(name).chars().take(CHARACTERS_MAX - 1 - mark.len()).collect();
    format!("{kept}_{mark}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_property_has_a_name_claude_takes_and_its_own_in_the_arguments() {
        let long = "x".repeat(70);
        let mut schema = json!({
            "type": "object",
            "properties": {
                "$filter": { "type": "string" },
                "find it": { "type": "array", "items": { "properties": { "查询": {}, "fine.one-2": {} }, "required": ["查询"] } },
                "find_it": {},
                "": {},
                (long.clone()): {},
            },
            "required": ["$filter", "find_it"],
            "dependentRequired": { "find it": ["$filter"] },
        });
        let own = rename_keys(&mut schema);
        let mut names = Vec::new();
        each_object(&mut schema, &mut |members| {
            names.extend(
                members.get("properties").and_then(Value::as_object).into_iter().flat_map(Object::keys).cloned(),
            );
        });
        assert!(names.iter().all(|name| is_taken(name)), "{names:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "two names stay two: {names:?}");
        assert_eq!(schema["required"], json!(["_filter", "find_it"]));
        assert!(
            schema["dependentRequired"]
                .as_object()
                .is_some_and(|all| all.values().all(|list| *list == json!(["_filter"])))
        );
        let renamed = RenamedKeys { tool: "f".to_owned(), own };
        let caller =
            json!({ "$filter": "a", "find it": [{ "查询": 1, "fine.one-2": 2 }], "find_it": 3, "": 4, (long): 5 });
        let mut arguments = caller.clone();
        replace_keys(&mut arguments, &renamed.sent());
        assert_eq!(arguments["_filter"], "a");
        assert_ne!(arguments, caller);
        renamed.restore(&mut arguments);
        assert_eq!(arguments.to_string(), caller.to_string());
    }

    #[test]
    fn a_schema_whose_names_are_taken_stays_as_it_is() {
        let mut schema = json!({ "properties": { "a_b.c-1": { "properties": {} } }, "required": ["a_b.c-1"] });
        let before = schema.clone();
        assert!(rename_keys(&mut schema).is_empty());
        assert_eq!(schema, before);
    }
}
