//! What differs between two documents, place by place. Documents are compared and not their meaning: a default that is
//! written out is a difference, so that nothing a person wrote goes unmentioned.
//!
//! Nouns are matched by name and credentials by label, since their order means nothing; targets, quotas and error rows
//! by position. For a secret the difference only says that one is given, since documents that are shown contain none to
//! compare it with.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Document;
use super::secrets::labels;
use crate::catalog::schema::format::variable_reference;

/// Longer values are cut: a line says that something changed, the file says what it is.
const CHARACTERS_MAX: usize = 120;

/// One difference.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The place, such as `models[qwen3].targets[0].weight`.
    pub path: String,
    /// What changed there.
    #[serde(flatten)]
    pub difference: Difference,
}

/// What changed at a place. Values are JSON text, if they may be shown.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Difference {
    /// It is new.
    Added {
        /// A plain value.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// It was removed.
    Removed {
        /// A plain value.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// Its value changed.
    Changed {
        /// The old value.
        before: String,
        /// The new value.
        after: String,
    },
    /// Its value changed, and neither value may be shown.
    Hidden,
    /// A secret is given in plain text. Whether it is a new one cannot be told.
    SecretGiven,
}

/// Whether the value at a place may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It may be shown.
    Open,
    /// It is a credential or a header, which may be or contain a secret.
    Slot,
}

impl Document {
    /// All changes from this document to `after`, in the order of this document. What is new comes last at its level.
    /// Both must be free of sealed secrets ([`Document::redacted`]); otherwise these are listed as given anew.
    pub fn changes(&self, after: &Document) -> Vec<Change> {
        let mut changes = Vec::new();
        let (before, after) = (with_uniform_credentials(self), with_uniform_credentials(after));
        compare_members(&mut changes, Location { path: "", name: "", place: Place::Open }, &before, &after);
        changes
    }
}

/// The place of two values. `name` is the member they stand under, which decides how the entries of a list are matched.
#[derive(Clone, Copy)]
struct Location<'a> {
    path: &'a str,
    name: &'a str,
    place: Place,
}

fn compare(changes: &mut Vec<Change>, at: Location<'_>, before: &Value, after: &Value) {
    let mut push = |difference| changes.push(Change { path: at.path.to_owned(), difference });
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => compare_members(changes, at, before, after),
        (Value::Array(before), Value::Array(after)) if has_tables(before) || has_tables(after) => {
            compare_entries(changes, at, before, after);
        }
        _ if before == after => {}
        _ if at.place == Place::Slot => push(Difference::Hidden),
        _ => push(Difference::Changed { before: shown(before), after: shown(after) }),
    }
}

fn compare_members(
    changes: &mut Vec<Change>,
    at: Location<'_>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) {
    let Location { path, name, place } = at;
    let path_of = |member: &str| if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    for (member, old) in before {
        let (path, inner) = (path_of(member), place_of(name, member));
        match after.get(member) {
            Some(new) if old == new => {}
            Some(_) if place == Place::Slot && is_secret(member) => changes.push(Change::secret_given(path)),
            Some(new) => compare(changes, Location { path: &path, name: member, place: inner }, old, new),
            // The stored one got its id when it was stored; a file need not name it.
            None if place == Place::Slot && (member == "id" || is_secret(member)) => {}
            None => changes.push(Change::removed(path, inner, old)),
        }
    }
    for (member, new) in after.iter().filter(|(member, _)| !before.contains_key(*member)) {
        match place {
            Place::Slot if member == "id" => {}
            Place::Slot if is_secret(member) => changes.push(Change::secret_given(path_of(member))),
            _ => changes.push(Change::added(path_of(member), place_of(name, member), new)),
        }
    }
}

fn compare_entries(changes: &mut Vec<Change>, at: Location<'_>, before: &[Value], after: &[Value]) {
    let Location { path, name, .. } = at;
    let (before, after) = (identified(name, before), identified(name, after));
    let place = if name == "credentials" { Place::Slot } else { Place::Open };
    for (identity, old) in &before {
        let path = format!("{path}[{identity}]");
        match entry(&after, identity) {
            Some(new) => compare(changes, Location { path: &path, name: "", place }, old, new),
            None => changes.push(Change::removed(path, place, old)),
        }
    }
    for (identity, new) in after.iter().filter(|(identity, _)| entry(&before, identity).is_none()) {
        changes.push(Change::added(format!("{path}[{identity}]"), place, new));
    }
}

impl Change {
    fn added(path: String, place: Place, value: &Value) -> Change {
        Change { path, difference: Difference::Added { value: shown_in(place, value) } }
    }

    fn removed(path: String, place: Place, value: &Value) -> Change {
        Change { path, difference: Difference::Removed { value: shown_in(place, value) } }
    }

    fn secret_given(path: String) -> Change {
        Change { path, difference: Difference::SecretGiven }
    }
}

fn entry<'v>(entries: &[(String, &'v Value)], identity: &str) -> Option<&'v Value> {
    entries.iter().find(|(other, _)| other == identity).map(|(_, entry)| *entry)
}

/// What the entries of a list are matched by: their name or label, else their position. Of two entries with the same
/// name the second counts as another one.
fn identified<'v>(list: &str, entries: &'v [Value]) -> Vec<(String, &'v Value)> {
    let names: &[&str] = match list {
        "providers" => &["name", "preset"],
        "models" | "keys" | "teams" | "relays" => &["name"],
        "credentials" => &["label"],
        _ => &[],
    };
    let mut identified: Vec<(String, &Value)> = Vec::with_capacity(entries.len());
    for (index, value) in entries.iter().enumerate() {
        let own = names.iter().find_map(|name| value.get(name)?.as_str());
        let mut identity = own.map_or_else(|| index.to_string(), str::to_owned);
        if entry(&identified, &identity).is_some() {
            identity = format!("{identity}, {index}");
        }
        identified.push((identity, value));
    }
    identified
}

fn place_of(parent: &str, member: &str) -> Place {
    // An egress proxy's URL may hold a password.
    if matches!(parent, "headers" | "query") || member == "egress" { Place::Slot } else { Place::Open }
}

fn is_secret(member: &str) -> bool {
    matches!(member, "value" | "sealed" | "key")
}

fn has_tables(values: &[Value]) -> bool {
    values.iter().any(|value| value.is_object() || value.is_array())
}

/// The value, if it may be shown and fits a line. Of a table only its presence is shown.
fn shown_in(place: Place, value: &Value) -> Option<String> {
    let is_plain = match value {
        Value::Object(_) => false,
        Value::Array(values) => !has_tables(values),
        _ => true,
    };
    (place == Place::Open && is_plain).then(|| shown(value))
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The sections with every credential as a table that has a label, as it has when it is stored.
fn with_uniform_credentials(document: &Document) -> Map<String, Value> {
    let mut sections = document.sections.clone();
    let providers = sections.get_mut("providers").and_then(Value::as_array_mut);
    for credentials in
        providers.into_iter().flatten().filter_map(|provider| provider.get_mut("credentials")?.as_array_mut())
    {
        for (label, credential) in labels(credentials).into_iter().zip(credentials) {
            *credential = Value::Object(uniform(credential, label));
        }
    }
    sections
}

pub(super) fn uniform(credential: &Value, label: String) -> Map<String, Value> {
    let mut members = match credential {
        Value::Object(members) => members.clone(),
        other => Map::from_iter([("value".to_owned(), other.clone())]),
    };
    let value = members.get("value").and_then(Value::as_str);
    if let Some(variable) = value.and_then(|text| variable_reference(text).ok().flatten()).map(str::to_owned) {
        members.shift_remove("value");
        members.insert("variable".to_owned(), Value::String(variable));
    }
    members.entry("label").or_insert(Value::String(label));
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(value: Value) -> Document {
        Document::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn changes(before: Value, after: Value) -> Vec<Change> {
        document(before).changes(&document(after))
    }

    fn lines(before: Value, after: Value) -> Vec<String> {
        let in_words = |difference: Difference| match difference {
            Difference::Added { value } => format!("added {}", value.unwrap_or_default()).trim_end().to_owned(),
            Difference::Removed { value } => format!("removed {}", value.unwrap_or_default()).trim_end().to_owned(),
            Difference::Changed { before, after } => format!("{before} → {after}"),
            Difference::Hidden => "changed (not shown)".to_owned(),
            Difference::SecretGiven => "a secret is given".to_owned(),
        };
        let line = |change: Change| format!("{}: {}", change.path, in_words(change.difference));
        changes(before, after).into_iter().map(line).collect()
    }

    fn provider(credentials: Value) -> Value {
        json!({ "providers": [{ "name": "relay-x", "credentials": credentials }] })
    }

    #[test]
    fn a_changed_value_is_told_with_its_path_and_both_values() {
        let model =
            |weight| json!({ "models": [{ "name": "qwen3", "targets": [{ "provider": "a", "weight": weight }] }] });
        assert_eq!(lines(model(1), model(3)), ["models[qwen3].targets[0].weight: 1 → 3"]);
        assert!(lines(model(1), model(1)).is_empty());
    }

    #[test]
    fn a_change_is_an_object_with_its_path_and_kind() {
        let model = |more: Value| json!({ "settings": more });
        let [removed, added] = changes(model(json!({ "a": 1 })), model(json!({ "b": {} }))).try_into().expect("two");
        let written = [removed, added].map(|change| serde_json::to_value(change).expect("JSON"));
        let expected = json!([
            { "path": "settings.a", "change": "removed", "value": "1" },
            { "path": "settings.b", "change": "added" },
        ]);
        assert_eq!(json!(written), expected);
    }

    #[test]
    fn nouns_are_matched_by_name_wherever_they_stand() {
        let before =
            json!({ "models": [{ "name": "a" }, { "name": "b", "max_wait": "1s" }], "keys": [{ "name": "k" }] });
        let after = json!({ "models": [{ "name": "b", "enabled": false }, { "name": "c" }, { "name": "a" }] });
        let expected = [
            "models[b].max_wait: removed \"1s\"",
            "models[b].enabled: added false",
            "models[c]: added",
            "keys: removed",
        ];
        assert_eq!(lines(before, after), expected);
        let presets = |list: [&str; 2]| json!({ "providers": list.map(|preset| json!({ "preset": preset })) });
        assert!(lines(presets(["gemini", "echo"]), presets(["echo", "gemini"])).is_empty());
    }

    #[test]
    fn the_forms_of_a_credential_are_one_and_labels_tell_them_apart() {
        let stored = provider(json!([{ "id": "c-1", "label": "#1" }, "${TWO}", { "id": "c-3", "label": "third" }]));
        let same = provider(json!([{ "label": "third", "id": "c-3" }, { "variable": "TWO" }]));
        assert_eq!(lines(stored.clone(), same), ["providers[relay-x].credentials[#1]: removed"]);
        let other = provider(json!([{ "id": "c-1", "label": "#1", "enabled": false }, "${TWO}", { "label": "third" }]));
        assert_eq!(lines(stored, other), ["providers[relay-x].credentials[#1].enabled: added false"]);
    }

    #[test]
    fn no_secret_is_shown_in_any_form() {
        let before = json!({ "providers": [{
            "name": "a", "egress": "http://u:SECRET0@proxy", "credentials": [{ "id": "c-1", "label": "#1" }, "${TWO}"],
            "headers": { "x-a": { "id": "header/a/x-a" }, "x-b": "SECRET1", "x-d": "same" },
        }] });
        let after = json!({ "providers": [{
            "name": "a", "egress": "http://u:SECRET2@proxy", "credentials": ["SECRET3", "SECRET4", { "value": "SECRET5" }],
            "headers": { "x-a": { "value": "SECRET6" }, "x-b": "SECRET7", "x-c": "SECRET8", "x-d": "same" },
        }] });
        let lines = lines(before, after);
        assert!(!lines.concat().contains("SECRET"), "{lines:#?}");
        let expected = [
            "providers[a].egress: changed (not shown)",
            "providers[a].credentials[#1].value: a secret is given",
            "providers[a].credentials[TWO]: removed",
            "providers[a].credentials[#2]: added",
            "providers[a].credentials[#3]: added",
            "providers[a].headers.x-a.value: a secret is given",
            "providers[a].headers.x-b: changed (not shown)",
            "providers[a].headers.x-c: added",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn lists_of_plain_values_are_one_value_and_long_ones_are_cut() {
        let key = |models: Value| json!({ "keys": [{ "name": "k", "models": models }] });
        assert_eq!(lines(key(json!(["a"])), key(json!(["a", "b*"]))), [r#"keys[k].models: ["a"] → ["a","b*"]"#]);
        let long = lines(key(json!([])), key(json!(["模".repeat(200)])));
        assert!(long.concat().ends_with('…') && long.concat().chars().count() < 160, "{long:?}");
    }

    #[test]
    fn two_entries_of_one_name_are_compared_one_by_one() {
        let twice = |weight| json!({ "models": [{ "name": "a" }, { "name": "a", "weight": weight }] });
        assert_eq!(lines(twice(1), twice(2)), ["models[a, 1].weight: 1 → 2"]);
    }
}
