//! A token: the key of a client, with its models, networks, end and what is left of its quota.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::draft::{Draft, literal};
use super::super::row::{Row, unix_time};
use super::channel::Channel;

/// Clients send a token with this before it; the database has it without.
const PREFIX: &str = "sk-";

/// What the states of a token are called; 1 is enabled.
const STATES: [(i64, &str); 3] =
    [(2, "it was disabled there"), (3, "it had expired there"), (4, "its quota was used up")];

pub(super) fn add(draft: &mut Draft, row: Row<'_>, channels: &[Channel], users: &[Row<'_>], quota_per_dollar: f64) {
    let id = row.integer("id").unwrap_or_default();
    let from = format!("token {id}");
    let named = row.text("name").map_or_else(|| format!("token-{id}"), str::to_owned);
    let Some(key) = row.text("key").filter(|key| !key.contains('*')) else {
        draft.left(format!("{from} {named:?}"), "its key is not in the file");
        return;
    };
    let key = if key.starts_with(PREFIX) { key.to_owned() } else { format!("{PREFIX}{key}") };
    let mut fields = Map::new();
    let state = row.integer("status").unwrap_or(1);
    if state != 1 {
        let why = STATES.iter().find(|(known, _)| *known == state).map_or("its state is not known", |(_, why)| *why);
        draft.changed(format!("keys[{named}]"), format!("{why}, so it is switched off"));
        fields.insert("enabled".to_owned(), false.into());
    }
    if let Some(at) = row.integer("expired_time").filter(|at| *at > 0).and_then(unix_time) {
        fields.insert("expires".to_owned(), at.into());
    }
    if let Some(models) = models(draft, row, channels, users, &named) {
        fields.insert("models".to_owned(), models.into());
    }
    let networks = row.texts("allow_ips", &['\n', ',', ' ']).into_iter().chain(row.texts("subnet", &[',']));
    let networks: Vec<String> = networks.collect();
    if !networks.is_empty() {
        fields.insert("ips".to_owned(), networks.into());
    }
    if row.flag("unlimited_quota") != Some(true) {
        limit(draft, &mut fields, row, quota_per_dollar, &named);
    }
    draft.key(&named, from, &key, fields);
}

/// What is left of its quota, as a budget; one without anything left is switched off.
fn limit(draft: &mut Draft, fields: &mut Map<String, Value>, row: Row<'_>, quota_per_dollar: f64, named: &str) {
    let left = row.number("remain_quota").unwrap_or(0.0) / quota_per_dollar;
    if left < 0.000_001 {
        if fields.get("enabled").is_none() {
            draft.changed(format!("keys[{named}]"), "nothing was left of its quota, so it is switched off");
            fields.insert("enabled".to_owned(), false.into());
        }
        return;
    }
    let amount = format!("{left:.6}");
    let amount = amount.trim_end_matches('0').trim_end_matches('.');
    fields.insert("limits".to_owned(), json!({ "budget": format!("{amount} USD/total") }));
}

/// The models that it may use; `None`: all. Where there are groups, those of its own.
fn models(
    draft: &mut Draft,
    row: Row<'_>,
    channels: &[Channel],
    users: &[Row<'_>],
    named: &str,
) -> Option<Vec<String>> {
    let own =
        if row.flag("model_limits_enabled") == Some(true) { row.texts("model_limits", &[',']) } else { Vec::new() };
    let own = if own.is_empty() { row.texts("models", &[',']) } else { own };
    if !own.is_empty() {
        return Some(own.iter().map(|model| literal(model)).collect());
    }
    let groups: BTreeSet<&str> = channels.iter().flat_map(|channel| &channel.groups).map(String::as_str).collect();
    if groups.len() < 2 {
        return None;
    }
    let user = users.iter().find(|user| user.integer("id") == row.integer("user_id"));
    let group = row.text("group").or(user.and_then(|user| user.text("group"))).unwrap_or("default");
    if group == "auto" {
        return None;
    }
    let of_group = channels.iter().filter(|channel| channel.groups.iter().any(|own| own == group));
    let models: BTreeSet<&String> = of_group.flat_map(|channel| &channel.models).map(|served| &served.public).collect();
    draft.changed(format!("keys[{named}]"), format!("it was of the group {group:?}, so it has the models of that"));
    Some(models.into_iter().cloned().collect())
}
