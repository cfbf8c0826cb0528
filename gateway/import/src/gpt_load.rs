//! gpt-load: groups of keys for one upstream each, through which any model passes.
//!
//! Source: `internal/models/types.go` of tbphp/gpt-load, version 1.

use serde_json::{Map, Value, json};

use super::draft::{Draft, Provider, literal};
use super::report::counted;
use super::row::Row;
use super::{ImportRequest, address};
use gateway_core::catalog::{hash_key, hash_text};
use gateway_core::order;

/// The tables that are read.
pub(super) const TABLES: &[&str] = &["groups", "api_keys", "group_sub_groups", "system_settings"];

/// What upstreams of a channel speak, and what is between their address and the paths of the dialect.
const CHANNELS: [(&str, &str, &str); 4] = [
    ("openai", "openai-chat", "/v1"),
    ("openai-response", "openai-responses", "/v1"),
    ("anthropic", "anthropic", ""),
    ("gemini", "gemini", ""),
];

/// A group, and the places of its providers.
struct Group<'r> {
    row: Row<'r>,
    id: i64,
    name: String,
    providers: Vec<(usize, i64)>,
}

pub(super) fn read(draft: &mut Draft, request: &ImportRequest) {
    let mut rows: Vec<Row<'_>> = request.rows("groups").collect();
    order::by_key(&mut rows, |row| row.integer("sort").unwrap_or(0));
    let is_aggregate = |row: &Row<'_>| row.text("group_type") == Some("aggregate");
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in rows.iter().filter(|row| !is_aggregate(row)) {
        groups.extend(group(draft, *row, request));
    }
    for group in &groups {
        models(draft, group, groups.len() == 1);
    }
    for row in rows.iter().filter(|row| is_aggregate(row)) {
        aggregate(draft, *row, request, &groups);
    }
    keys(draft, request, &rows);
    let why = "clients called /proxy/GROUP/…; here they call /v1/…, and ask for GROUP/model";
    draft.changed("addresses", why);
}

fn group<'r>(draft: &mut Draft, row: Row<'r>, request: &ImportRequest) -> Option<Group<'r>> {
    let id = row.integer("id")?;
    let name = row.text("name").unwrap_or("group").to_owned();
    let from = format!("group {id}");
    let what = format!("{from} {name:?}");
    let channel = row.text("channel_type").unwrap_or("openai");
    let Some((_, dialect, path)) = CHANNELS.into_iter().find(|(known, ..)| *known == channel) else {
        draft.left(what, format!("its channel type {channel:?} is not known"));
        return None;
    };
    let upstreams = row.json("upstreams");
    let upstreams = upstreams.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let credentials = credentials(draft, id, &what, request);
    let mut providers = Vec::new();
    for upstream in upstreams.map(Row) {
        let Some(url) = upstream.text("url") else { continue };
        let url = literal(&address::with_path(url, path));
        let mut provider = Provider::at(&name, &from, dialect, &url);
        provider.credentials.clone_from(&credentials);
        adjust(draft, &mut provider, row, &what);
        let weight = upstream.integer("weight").unwrap_or(1).clamp(0, 1_000_000);
        providers.push((draft.provider(provider), weight));
    }
    if providers.is_empty() {
        draft.left(what, "it has no upstream");
        return None;
    }
    Some(Group { row, id, name, providers })
}

/// The keys of a group. If gpt-load encrypts them with a key of its own, the file alone does not open them; one sees
/// that by their hash, which is then not that of the stored text.
fn credentials(draft: &mut Draft, group: i64, what: &str, request: &ImportRequest) -> Vec<Value> {
    let (mut credentials, mut sealed) = (Vec::new(), 0);
    for row in request.rows("api_keys").filter(|row| row.integer("group_id") == Some(group)) {
        let Some(key) = row.text("key_value") else { continue };
        let plain = hash_text(&hash_key(key));
        if row.text("key_hash").is_some_and(|hash| !plain.ends_with(&hash.to_ascii_lowercase())) {
            sealed += 1;
            continue;
        }
        let credential = match row.text("status") {
            None | Some("active") => Value::from(key),
            Some(_) => json!({ "value": key, "enabled": false }),
        };
        if !credentials.contains(&credential) {
            credentials.push(credential);
        }
    }
    if sealed > 0 {
        let keys = counted(sealed, "key is", "keys are");
        draft.left(format!("api_keys of {what}"), format!("{keys} encrypted with ENCRYPTION_KEY; export them there"));
    }
    credentials
}

fn adjust(draft: &mut Draft, provider: &mut Provider, row: Row<'_>, what: &str) {
    let config = row.object("config");
    let config = Row(&config);
    if let Some(proxy) = config.text("proxy_url") {
        provider.fields.insert("egress".to_owned(), json!({ "value": proxy }));
    }
    let seconds = |name: &str| config.integer(name).filter(|seconds| (1..=600).contains(seconds));
    let mut timeouts = Map::new();
    for (name, phase) in [("connect_timeout", "connect"), ("response_header_timeout", "first_byte")] {
        if let Some(seconds) = seconds(name) {
            timeouts.insert(phase.to_owned(), format!("{seconds}s").into());
        }
    }
    if !timeouts.is_empty() {
        provider.fields.insert("timeouts".to_owned(), timeouts.into());
    }
    let rules = row.json("header_rules");
    for rule in rules.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).map(Row) {
        match (rule.text("key"), rule.text("value"), rule.text("action")) {
            (Some(name), Some(value), Some("set")) if !value.contains("${") => provider.header(name, value),
            (Some(name), ..) => {
                let note = "llmio passes few headers of clients on, and fills none in";
                draft.left(format!("header rule {name} of {what}"), note);
            }
            _ => {}
        }
    }
}

/// Any model passes through a group: as `GROUP/model`, and by its own name if there is only one group.
fn models(draft: &mut Draft, group: &Group<'_>, is_alone: bool) {
    let Group { row, name, providers, .. } = group;
    let (from, retries) = (format!("group {}", group.id), row.object("config"));
    let retries = Row(&retries).integer("max_retries");
    let mut set = row.object("param_overrides");
    set.retain(|name, _| !matches!(name.as_str(), "model" | "stream"));
    let rules = row.object("model_redirect_rules");
    let public = literal(name);
    let mut named: Vec<(String, String)> =
        rules.iter().filter_map(|(requested, sent)| Some((literal(requested), literal(sent.as_str()?)))).collect();
    if let Some(test) = row.text("test_model").filter(|test| !rules.contains_key(*test)) {
        named.push((literal(test), literal(test)));
    }
    for (requested, sent) in named {
        for (provider, weight) in providers {
            let target = draft.model(&requested, &from).target(*provider, &sent);
            target.set("weight", *weight);
            fill(target, &set);
        }
        attempts(draft.model(&requested, &from), retries);
    }
    if row.flag("model_redirect_strict") == Some(true) {
        return;
    }
    let Some((first, _)) = providers.first() else { return };
    let model = draft.model(&format!("{public}/*"), &from);
    fill(model.target(*first, "*"), &set);
    if is_alone {
        model.alias("*");
    }
    attempts(model, retries);
    if providers.len() > 1 {
        let others = counted(providers.len() - 1, "upstream", "upstreams");
        let note = format!(
            "models that the group does not name go to its first upstream; the other {others} serve those that it names"
        );
        draft.changed(format!("models[{public}/*]"), note);
    }
}

fn fill(target: &mut super::draft::Target, set: &Map<String, Value>) {
    if !set.is_empty() {
        target.set("set", set.clone());
    }
}

fn attempts(model: &mut super::draft::Model, retries: Option<i64>) {
    if let Some(retries) = retries {
        model.set("attempts", retries.saturating_add(1).clamp(1, 10));
    }
}

/// A group of groups: the models that its groups name, by its weights.
fn aggregate(draft: &mut Draft, row: Row<'_>, request: &ImportRequest, groups: &[Group<'_>]) {
    let (id, name) = (row.integer("id"), literal(row.text("name").unwrap_or("group")));
    let parts: Vec<(&Group<'_>, i64)> = request
        .rows("group_sub_groups")
        .filter(|part| part.integer("group_id") == id)
        .filter_map(|part| {
            let group = groups.iter().find(|group| Some(group.id) == part.integer("sub_group_id"))?;
            Some((group, part.integer("weight").unwrap_or(1).clamp(0, 1_000_000)))
        })
        .collect();
    let from = format!("group {}", id.unwrap_or_default());
    for (group, weight) in &parts {
        let Some(test) = group.row.text("test_model") else { continue };
        for (provider, _) in &group.providers {
            let public = format!("{name}/{}", literal(test));
            draft.model(&public, &from).target(*provider, &literal(test)).set("weight", *weight);
        }
    }
    let note = "of a group of groups only the models are taken that its groups name; add others as models with a target \
                in each";
    draft.changed(format!("{from} {name:?}"), note);
}

/// `proxy_keys`: the settings hold those of all groups, the row of a group its own.
fn keys(draft: &mut Draft, request: &ImportRequest, groups: &[Row<'_>]) {
    let setting = request.rows("system_settings").find(|row| row.text("setting_key") == Some("proxy_keys"));
    let all = setting.map(|row| row.texts("setting_value", &[',', '\n', ' '])).unwrap_or_default();
    for key in all {
        draft.key("proxy", "proxy_keys", &key, Map::new());
    }
    for row in groups {
        let name = row.text("name").unwrap_or("group");
        for key in row.texts("proxy_keys", &[',', '\n', ' ']) {
            let prefix = format!("{}/", literal(name));
            let of_group = |model: &&super::draft::Model| {
                model.name.starts_with(&prefix) || model.from == format!("group {}", row.integer("id").unwrap_or(0))
            };
            let models: Vec<Value> =
                draft.models.iter().filter(of_group).map(|model| model.name.as_str().into()).collect();
            let mut fields = Map::new();
            fields.insert("models".to_owned(), models.into());
            draft.key(name, format!("proxy_keys of group {name:?}"), &key, fields);
        }
    }
}
