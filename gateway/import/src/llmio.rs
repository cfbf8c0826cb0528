//! llmio as it was written in Go. Its keys, models and addresses mean nearly the same here.

use gateway_core::order;
use serde_json::{Map, Value, json};

use super::draft::{Draft, Provider, is_secret_name, literal};
use super::report::counted;
use super::row::{Row, time};
use super::{ImportRequest, address};

/// The tables that are read.
pub(super) const TABLES: &[&str] = &["providers", "models", "model_with_providers", "auth_keys", "configs"];

/// Its sums are in yuan by default, and a catalog needs a rate for them.
const CNY_IN_USD: f64 = 0.14;

/// How a provider's requests were put together there.
const TYPES: [(&str, &str); 4] =
    [("openai", "openai-chat"), ("openai-res", "openai-responses"), ("anthropic", "anthropic"), ("gemini", "gemini")];

const ATTEMPTS_MAX: i64 = 10;

pub(super) fn read(draft: &mut Draft, request: &ImportRequest) {
    let live = |table: &'static str| request.rows(table).filter(|row| !row.is_deleted());
    for table in TABLES {
        let deleted = request.rows(table).filter(|row| row.is_deleted()).count();
        if deleted > 0 {
            let rows = counted(deleted, "row", "rows");
            draft.left(format!("table {table}"), format!("{rows}: deleted there, and only kept in the file"));
        }
    }
    let providers: Vec<(i64, usize)> =
        live("providers").filter_map(|row| Some((row.integer("id")?, provider(draft, row)?))).collect();
    let mut models: Vec<Row<'_>> = live("models").collect();
    order::by_key(&mut models, |row| std::cmp::Reverse(row.integer("display_order").unwrap_or(0)));
    let associations: Vec<Row<'_>> = live("model_with_providers").collect();
    for row in models {
        model(draft, row, &associations, &providers);
    }
    tell_orphans(draft, &associations, request, &providers);
    for row in live("auth_keys") {
        key(draft, row);
    }
    for row in live("configs") {
        config(draft, row);
    }
    if let Some(token) = request.token.as_deref().filter(|token| !token.is_empty()) {
        draft.key("TOKEN", "the old TOKEN", token, Map::new());
        let why = "the old TOKEN has fewer than 16 characters: it goes on working as the key of a client, without the \
                   rights of an admin; `llmio token` prints the admin token";
        draft.changed("keys[TOKEN]", why);
    }
    let breakers = live("models").filter(|row| row.flag("breaker") != Some(true)).count();
    if breakers > 0 {
        let models = counted(breakers, "model", "models");
        draft.changed("breaker", format!("{models} had none; here a target that keeps failing is always left alone"));
    }
}

fn provider(draft: &mut Draft, row: Row<'_>) -> Option<usize> {
    let name = row.text("name").unwrap_or_default();
    let from = format!("provider {}", row.integer("id").unwrap_or_default());
    let config = row.object("config");
    let config = Row(&config);
    let kind = row.text("type").unwrap_or("openai");
    let Some((_, dialect)) = TYPES.iter().find(|(known, _)| *known == kind) else {
        draft.left(format!("{from} {name:?}"), format!("its type {kind:?} is not known"));
        return None;
    };
    let Some(url) = config.text("base_url") else {
        draft.left(format!("{from} {name:?}"), "its config has no base_url");
        return None;
    };
    let url = address::bare(url);
    if matches!(*dialect, "anthropic" | "gemini") && !address::has_version(&url) {
        let version = if *dialect == "anthropic" { "/v1" } else { "/v1beta" };
        draft.changed(format!("providers[{name}]"), format!("its address has no version; {version} is added to it"));
    }
    let mut provider = Provider::at(name, &from, dialect, &literal(&url));
    if let Some(key) = config.text("api_key") {
        provider.credential(key.into());
    }
    if let Some(version) = config.text("version").filter(|version| *version != "2023-06-01") {
        provider.header("anthropic-version", version);
    }
    if let Some(proxy) = row.text("proxy") {
        provider.fields.insert("egress".to_owned(), json!({ "value": proxy }));
    }
    let matches = row.texts("error_matcher", &['\n', ';', '；']);
    if !matches.is_empty() {
        provider.fields.insert("error_match".to_owned(), matches.into());
    }
    if row.text("console").is_some() {
        draft.left(format!("console of {from} {name:?}"), "a catalog has no place for the address of a vendor's page");
    }
    Some(draft.provider(provider))
}

fn model(draft: &mut Draft, row: Row<'_>, associations: &[Row<'_>], providers: &[(i64, usize)]) {
    let (Some(id), Some(name)) = (row.integer("id"), row.text("name")) else { return };
    let name = literal(name);
    let from = format!("model {id}");
    let mut own: Vec<(Row<'_>, usize)> = Vec::new();
    for association in associations.iter().filter(|each| each.integer("model_id") == Some(id)) {
        let provider = association.integer("provider_id");
        if let Some((_, place)) = providers.iter().find(|(known, _)| Some(*known) == provider) {
            own.push((*association, *place));
        }
    }
    if own.is_empty() {
        draft.left(format!("models[{name}]"), format!("no provider is associated with it ({from})"));
        return;
    }
    let by_weight = row.text("strategy") == Some("rotor");
    draft.model(&name, &from);
    settings_of_model(draft, row, &name, &from);
    for (association, place) in &own {
        target(draft, *association, *place, &name, by_weight);
    }
    if by_weight {
        let ranks: Vec<i64> = own.iter().map(|(row, _)| row.integer("weight").unwrap_or(1)).collect();
        draft.model(&name, &from).rank(&ranks);
        draft.changed(format!("models[{name}]"), "rotor tried by weight, so each weight became a tier");
    }
    if row.text("remark").is_some() {
        draft.left(format!("remark of {from} {name:?}"), "a catalog has no place for it");
    }
}

fn settings_of_model(draft: &mut Draft, row: Row<'_>, name: &str, from: &str) {
    if let Some(tries) = row.integer("max_retry") {
        let attempts = tries.clamp(1, ATTEMPTS_MAX);
        if attempts != tries {
            let note = format!("max_retry {tries} became {attempts} attempts, since 1 to {ATTEMPTS_MAX} are possible");
            draft.changed(format!("models[{name}]"), note);
        }
        draft.model(name, from).set("attempts", attempts);
    }
    if let Some(seconds) = row.integer("time_out").filter(|seconds| (1..=86_400).contains(seconds)) {
        draft.model(name, from).set("timeouts", json!({ "first_byte": format!("{seconds}s") }));
    }
}

fn target(draft: &mut Draft, row: Row<'_>, place: usize, name: &str, by_weight: bool) {
    let upstream = literal(row.text("provider_model").unwrap_or(name));
    let weight = row.integer("weight").unwrap_or(1).clamp(0, 1_000_000);
    let what = format!("models[{name}], target {upstream}");
    let (mut dropped, mut is_passing) = (Vec::new(), false);
    let headers: Vec<(String, String)> =
        row.object("customer_headers").into_iter().filter_map(|(name, value)| Some((name, text_of(&value)?))).collect();
    for (header, value) in headers.iter().filter(|(header, _)| is_secret_name(header)) {
        if let Some(provider) = draft.providers.get_mut(place) {
            provider.header(header, value);
        }
        let note =
            format!("its header {header} may hold a secret, so its provider has it and sends it for all targets");
        draft.changed(&what, note);
    }
    let target = draft.model(name, "").target(place, &upstream);
    if !by_weight {
        target.set("weight", weight);
    }
    if row.flag("status") == Some(false) {
        target.set("enabled", false);
    }
    for (column, member) in [("tool_call", "tools"), ("structured_output", "structured"), ("image", "images")] {
        if row.flag(column) != Some(true) {
            target.set_in("capabilities", member, false);
        }
    }
    for (header, value) in headers.iter().filter(|(header, _)| !is_secret_name(header)) {
        target.set_in("headers", &header.to_ascii_lowercase(), value.clone());
    }
    for (member, value) in row.object("extra_body") {
        if matches!(member.as_str(), "model" | "stream") {
            dropped.push(member);
        } else {
            target.set_in("set", &member, value);
        }
    }
    let price = price(row);
    if let Some(price) = &price {
        target.set("price", price.clone());
    }
    is_passing |= row.flag("with_header") == Some(true);
    if !dropped.is_empty() {
        draft.left(&what, format!("{} in extra_body is llmio's own to write", dropped.join(" and ")));
    }
    if is_passing {
        draft.left(&what, "passing on all headers of clients; `forward_headers` of its provider names those that pass");
    }
    if price.is_some_and(|price| price.get("currency") == Some(&json!("CNY"))) {
        let is_known = draft.settings.iter().any(|(name, _, _)| *name == "rates");
        if !is_known {
            let why = format!("prices are in CNY, which needs a rate; {CNY_IN_USD} is a guess, correct it");
            draft.settings.push(("rates", json!({ "CNY": CNY_IN_USD }), why));
        }
    }
}

/// Prices of a million tokens; where none was entered all of them are 0.
fn price(row: Row<'_>) -> Option<Value> {
    let of = |name: &str| row.number(name).filter(|price| *price > 0.0);
    let (input, output) = (of("input_price"), of("output_price"));
    input.or(output)?;
    let currency = row.text("currency").unwrap_or("CNY");
    let mut price = json!({ "input": input.unwrap_or(0.0), "output": output.unwrap_or(0.0), "currency": currency });
    if let (Some(cached), Value::Object(price)) = (of("cache_read_price"), &mut price) {
        price.insert("cache_read".to_owned(), json!(cached));
    }
    Some(price)
}

fn key(draft: &mut Draft, row: Row<'_>) {
    let from = format!("auth key {}", row.integer("id").unwrap_or_default());
    let name = row.text("name").unwrap_or_default();
    let Some(secret) = row.text("key") else {
        draft.left(format!("{from} {name:?}"), "it has no key");
        return;
    };
    let mut fields = Map::new();
    if row.flag("status") != Some(true) {
        fields.insert("enabled".to_owned(), false.into());
    }
    if row.flag("allow_all") != Some(true) {
        let models: Vec<String> = row.texts("models", &[',']).iter().map(|model| literal(model)).collect();
        fields.insert("models".to_owned(), models.into());
    }
    if let Some(text) = row.text("expires_at") {
        match time(text) {
            Some(at) => fields.insert("expires".to_owned(), at.into()),
            None => {
                draft.changed(format!("keys[{name}]"), "its end cannot be read, so it is switched off");
                fields.insert("enabled".to_owned(), false.into())
            }
        };
    }
    if row.flag("io_log") == Some(true) {
        draft.left(format!("io_log of {from} {name:?}"), "bodies are not recorded unless the catalog says so");
    }
    draft.key(name, from, secret, fields);
}

fn config(draft: &mut Draft, row: Row<'_>) {
    let value = row.object("value");
    let value = Row(&value);
    match row.text("key") {
        Some("log_cleanup_policy") => {
            let days = value.integer("retention_days").filter(|days| (1..=36_500).contains(days));
            if let (Some(true), Some(days)) = (value.flag("enabled"), days) {
                let why = format!("the scheduled cleanup kept {days} days");
                draft.settings.push(("retention_days", days.into(), why));
            }
        }
        Some("anthropic_count_tokens") if value.text("base_url").is_some() => {
            draft.left("config anthropic_count_tokens", "tokens are counted by the target that would serve the call");
        }
        _ => {}
    }
}

/// What associations belong to nobody any more.
fn tell_orphans(draft: &mut Draft, associations: &[Row<'_>], request: &ImportRequest, providers: &[(i64, usize)]) {
    let has_model = |row: &Row<'_>| {
        let live = |model: &Row<'_>| !model.is_deleted() && model.integer("id") == row.integer("model_id");
        request.rows("models").any(|model| live(&model))
    };
    let has_provider = |row: &Row<'_>| providers.iter().any(|(id, _)| Some(*id) == row.integer("provider_id"));
    let orphans = associations.iter().filter(|row| !has_model(row) || !has_provider(row)).count();
    if orphans > 0 {
        let them = counted(orphans, "association", "associations");
        draft.left(them, "the model or the provider is gone or was left");
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
