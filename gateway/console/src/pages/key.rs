//! One key: what it may do, and another secret for it.

use askama::Template;
use gateway_core::catalog::{Catalog, Key};
use gateway_core::uri::encode_parameter;
use gateway_core::views::KeyView;
use serde_json::{Map, Value, json};

use super::keys::{May, may};
use crate::edit::{Banner, Editing, Form, Kind};
use crate::frame::Frame;
use crate::query::Query;
use crate::routes::Page;
use crate::words::{edit, key_forms::Words};

/// The limits that have a field of their own.
const LIMITS: [&str; 4] = ["budget", "rpd", "rpm", "tpd"];

/// What can be changed of a key.
#[derive(Debug, Template)]
#[template(path = "key.html")]
pub struct KeyPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    banner: Option<Banner>,
    name: &'a str,
    calls: String,
    other_limits: Option<String>,
    forms: Option<[Form; 3]>,
}

impl<'a> KeyPage<'a> {
    /// A key of a catalog, and its entry as it is written.
    pub fn of(frame: &'a Frame, catalog: &Catalog, key: &'a Key, entry: &KeyView, editing: &Editing<'_>) -> Self {
        let words = Words(frame.language);
        let limits = entry.members().get("limits").and_then(Value::as_object);
        let other = limits.into_iter().flatten().filter(|(name, _)| !LIMITS.contains(&name.as_str()));
        let other: Vec<String> = other.map(|(name, value)| format!("{name} {value}")).collect();
        KeyPage {
            frame,
            here: Some(Page::Keys),
            words,
            banner: Banner::of(frame, editing),
            name: &key.name,
            calls: Query::default().with("key", &key.name).link(&frame.link("records")),
            other_limits: (!other.is_empty()).then(|| words.other_limits(other.join(", "))),
            forms: editing.locked.is_none().then(|| forms(frame, editing, catalog, (key, entry))),
        }
    }
}

fn forms(frame: &Frame, editing: &Editing<'_>, catalog: &Catalog, (key, entry): (&Key, &KeyView)) -> [Form; 3] {
    let (words, edit) = (Words(frame.language), edit::Words(frame.language));
    let path = format!("keys/{}", encode_parameter(&key.name));
    let change = Form::new(frame, editing, "key", &path);
    let change = may(change, frame, catalog, &as_written(entry));
    let change = change.field("enabled", words.enabled(), Kind::Box, if key.enabled { "yes" } else { "" });
    let rotate = Form::new(frame, editing, "rotate", &path);
    let keeps = ["24h", "1h", "7d", "0s"].map(|span| (span.to_owned(), span.to_owned()));
    let rotate = rotate.field("keep", words.keep(), Kind::Choice(keeps.into()), "24h").hint(words.rotate_says());
    let revoke = Form::new(frame, editing, "revoke", &path);
    [
        change.button("save", edit.save()).whole(),
        rotate.button("rotate", words.rotate()).whole(),
        revoke.ask("revoke", words.revoke(), words.sure_revoke(&key.name)).whole(),
    ]
}

/// What the catalog says of a key, as its fields show it.
fn as_written(entry: &KeyView) -> May {
    let members = entry.members();
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let member = |name: &str| text(members.get(name));
    let limit = |name: &str| text(members.get("limits").and_then(|limits| limits.get(name)));
    May {
        models: member("models"),
        expires: member("expires"),
        rpm: limit("rpm"),
        rpd: limit("rpd"),
        tpd: limit("tpd"),
        budget: limit("budget"),
        ips: member("ips"),
        team: member("team"),
        avoid: member("avoid"),
        record_bodies: member("record_bodies"),
        see_bodies: if members.get("see_bodies") == Some(&Value::Bool(true)) { "yes" } else { "" },
    }
}

/// The merge patch that a form asks for. What was left empty is taken away.
pub fn key_changes(form: &Query, is_new: bool) -> Map<String, Value> {
    let list = |name: &str| form.get(name).map(|text| Value::from(names(text)));
    let text = |name: &str| form.get(name).map(Value::from);
    let mut changes = Map::new();
    let members = [
        ("models", list("models")),
        ("expires", text("expires")),
        ("ips", list("ips")),
        ("avoid", list("avoid")),
        ("team", text("team")),
        ("record_bodies", text("record_bodies")),
        ("see_bodies", form.get("see_bodies").map(|_| Value::Bool(true))),
    ];
    let limits: Map<String, Value> = LIMITS
        .iter()
        .map(|name| ((*name).to_owned(), form.get(name).map_or(Value::Null, number_or_text)))
        .filter(|(_, value)| !is_new || !value.is_null())
        .collect();
    for (name, value) in members {
        if !is_new || value.is_some() {
            changes.insert(name.to_owned(), value.unwrap_or_default());
        }
    }
    if !limits.is_empty() {
        changes.insert("limits".to_owned(), Value::Object(limits));
    }
    if !is_new {
        changes.insert("enabled".to_owned(), json!(form.get("enabled").is_some()));
    }
    changes
}

/// The names between commas.
pub fn names(text: &str) -> Vec<String> {
    text.split([',', '\n', '，']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A number, or the text if it is none, so that its field gets a problem.
pub fn number_or_text(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_a_key_says_everything_that_it_may_and_may_not() {
        let form = |text: &str| Query::parse(text).expect("a form");
        let changes = Value::Object(key_changes(&form("models=a,+b*&rpm=5&budget=1+USD/day&enabled=yes"), false));
        let expected = json!({
            "models": ["a", "b*"], "expires": null, "ips": null, "avoid": null, "team": null, "enabled": true, "record_bodies": null, "see_bodies": null,
            "limits": { "budget": "1 USD/day", "rpd": null, "rpm": 5, "tpd": null },
        });
        assert_eq!(changes, expected);
        assert_eq!(Value::Object(key_changes(&form("name=k&rpm=x"), true)), json!({ "limits": { "rpm": "x" } }));
        assert_eq!(Value::Object(key_changes(&form("name=k"), true)), json!({}));
    }
}
