//! What differs between two catalogs, place by place. Documents are compared and not their meaning: a default that is
//! written out is a difference, so that nothing a person wrote goes unmentioned.
//!
//! Nouns are matched by name and credentials by label, since their order means nothing; targets, quotas and error rows
//! by position. Of a secret it is only told that one is given: the gateway shows none to compare it with.

use crate::commands::output::plain;
use crate::language::Language;
use serde_json::{Map, Value, json};

/// Longer values are cut: a line says that something changed, the file says what it is.
const CHARACTERS_MAX: usize = 120;

/// One difference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    path: String,
    what: What,
}

/// What is different; values as JSON, where they may be shown.
#[derive(Debug, PartialEq, Eq)]
enum What {
    Added(Option<String>),
    Removed(Option<String>),
    Changed(String, String),
    /// Changed, and the values are not shown.
    Hidden,
    /// A secret is written out; whether it is another one cannot be seen.
    SecretGiven,
}

/// What stands at a place, as far as showing it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// May be shown.
    Open,
    /// A credential or a header: may be a secret as a whole, or hold one.
    Slot,
}

/// Everything that is different in `after`, in the order of `before`; what is new comes last at its level.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut changes, "", "", Place::Open, &with_uniform_credentials(before), &with_uniform_credentials(after));
    changes
}

/// The changes as lines.
pub(super) fn report(changes: &[Change], language: Language) -> String {
    changes
        .iter()
        .map(|change| format!("{}: {}\n", plain(&change.path), plain(&in_words(&change.what, language))))
        .collect()
}

fn in_words(what: &What, language: Language) -> String {
    let with_value = |word: &str, value: &Option<String>| match value {
        Some(value) => format!("{word} {value}"),
        None => word.to_owned(),
    };
    match what {
        What::Added(value) => with_value(language.pick("added", "新增"), value),
        What::Removed(value) => with_value(language.pick("removed", "删除"), value),
        What::Changed(before, after) => format!("{before} → {after}"),
        What::Hidden => language.pick("changed (not shown)", "有变化（不显示）").to_owned(),
        What::SecretGiven => {
            language.pick("a secret is given (secrets are not compared)", "写有密钥（密钥不作比较）").to_owned()
        }
    }
}

/// `name` is the member the values stand under, which says what the entries of a list are matched by.
fn compare(changes: &mut Vec<Change>, path: &str, name: &str, place: Place, before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => compare_members(changes, path, name, place, before, after),
        (Value::Array(before), Value::Array(after)) if has_tables(before) || has_tables(after) => {
            compare_entries(changes, path, name, before, after);
        }
        _ if before == after => {}
        _ if place == Place::Slot => changes.push(Change { path: path.to_owned(), what: What::Hidden }),
        _ => changes.push(Change { path: path.to_owned(), what: What::Changed(shown(before), shown(after)) }),
    }
}

fn compare_members(
    changes: &mut Vec<Change>,
    path: &str,
    name: &str,
    place: Place,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) {
    let path_of = |member: &str| if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    for (member, old) in before {
        match after.get(member) {
            Some(new) if old == new => {}
            Some(_) if place == Place::Slot && is_secret(member) => changes.push(Change::secret_given(path_of(member))),
            Some(new) => compare(changes, &path_of(member), member, place_of(name, member), old, new),
            // The stored one got its id when it was stored; a file need not name it.
            None if place == Place::Slot && (member == "id" || is_secret(member)) => {}
            None => changes.push(Change::removed(path_of(member), place_of(name, member), old)),
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

fn compare_entries(changes: &mut Vec<Change>, path: &str, name: &str, before: &[Value], after: &[Value]) {
    let (before, after) = (identified(name, before), identified(name, after));
    let place = if name == "credentials" { Place::Slot } else { Place::Open };
    for (identity, old) in &before {
        let path = format!("{path}[{identity}]");
        match entry(&after, identity) {
            Some(new) => compare(changes, &path, "", place, old, new),
            None => changes.push(Change::removed(path, place, old)),
        }
    }
    for (identity, new) in after.iter().filter(|(identity, _)| entry(&before, identity).is_none()) {
        changes.push(Change::added(format!("{path}[{identity}]"), place, new));
    }
}

impl Change {
    fn added(path: String, place: Place, value: &Value) -> Change {
        Change { path, what: What::Added(shown_in(place, value)) }
    }

    fn removed(path: String, place: Place, value: &Value) -> Change {
        Change { path, what: What::Removed(shown_in(place, value)) }
    }

    fn secret_given(path: String) -> Change {
        Change { path, what: What::SecretGiven }
    }
}

fn entry<'v>(entries: &[(String, &'v Value)], identity: &str) -> Option<&'v Value> {
    entries.iter().find(|(other, _)| other == identity).map(|(_, entry)| *entry)
}

/// What each entry of a list is matched by: its name or label, else its position. The second of two with one name is
/// another one.
fn identified<'v>(list: &str, entries: &'v [Value]) -> Vec<(String, &'v Value)> {
    let names: &[&str] = match list {
        "providers" => &["name", "preset"],
        "models" | "keys" | "relays" => &["name"],
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
    if parent == "headers" || member == "egress" { Place::Slot } else { Place::Open }
}

fn is_secret(member: &str) -> bool {
    matches!(member, "value" | "sealed" | "key")
}

fn has_tables(values: &[Value]) -> bool {
    values.iter().any(|value| value.is_object() || value.is_array())
}

/// The value where it may be shown and fits a line; a table is only said to be there.
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

/// The document with every credential as a table that has a label, as the gateway labels them when it stores them:
/// its own, else its variable's name, else its number.
fn with_uniform_credentials(document: &Value) -> Value {
    let mut document = document.clone();
    let providers = document.get_mut("providers").and_then(Value::as_array_mut);
    for credentials in
        providers.into_iter().flatten().filter_map(|provider| provider.get_mut("credentials")?.as_array_mut())
    {
        for (index, credential) in credentials.iter_mut().enumerate() {
            *credential = Value::Object(uniform(credential, index));
        }
    }
    document
}

fn uniform(credential: &Value, index: usize) -> Map<String, Value> {
    let mut members = match credential {
        Value::Object(members) => members.clone(),
        other => Map::from_iter([("value".to_owned(), other.clone())]),
    };
    let value = members.get("value").and_then(Value::as_str);
    if let Some(variable) = value.and_then(variable_reference).map(str::to_owned) {
        members.shift_remove("value");
        members.insert("variable".to_owned(), Value::String(variable));
    }
    let label = members.get("variable").cloned().unwrap_or_else(|| json!(format!("#{}", index + 1)));
    members.entry("label").or_insert(label);
    members
}

/// `X` of `${X}`.
fn variable_reference(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(before: Value, after: Value) -> Vec<String> {
        report(&changes(&before, &after), Language::English).lines().map(str::to_owned).collect()
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
            "providers[a].credentials[#1].value: a secret is given (secrets are not compared)",
            "providers[a].credentials[TWO]: removed",
            "providers[a].credentials[#2]: added",
            "providers[a].credentials[#3]: added",
            "providers[a].headers.x-a.value: a secret is given (secrets are not compared)",
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

    #[test]
    fn lines_come_in_chinese_too() {
        let changes = changes(&json!({ "keys": [{ "name": "k" }] }), &json!({ "keys": [] }));
        assert_eq!(report(&changes, Language::Chinese), "keys[k]: 删除\n");
    }
}
