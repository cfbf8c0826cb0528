//! one-api and new-api, which came from it: channels with the models that they serve, and tokens that clients call with.

mod channel;
mod token;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::ImportRequest;
use super::draft::Draft;
use super::report::counted;
use super::row::Row;
use channel::Channel;

/// The tables that are read.
pub(super) const TABLES: &[&str] = &["channels", "tokens", "options", "users"];

/// What one dollar is in units of quota, unless an option says otherwise.
const QUOTA_PER_DOLLAR: f64 = 500_000.0;

/// A ratio of 1 is 0.002 dollars for a thousand tokens.
const DOLLARS_PER_RATIO: f64 = 2.0;

/// What was changed of the defaults.
struct Options {
    quota_per_dollar: f64,
    model_ratios: Map<String, Value>,
    completion_ratios: Map<String, Value>,
    retries: Option<i64>,
}

pub(super) fn read(draft: &mut Draft, request: &ImportRequest) {
    let options = Options::of(request);
    let mut channels: Vec<Channel> = Vec::new();
    for row in request.rows("channels") {
        channels.extend(Channel::add(draft, row));
    }
    models(draft, &channels, &options);
    let groups: BTreeSet<&str> = channels.iter().flat_map(|channel| &channel.groups).map(String::as_str).collect();
    if groups.len() > 1 {
        let note = "llmio has no groups; keys of a group may use the models of its channels, but these models are served \
                    by all channels that have them";
        draft.changed(format!("groups {}", groups.iter().copied().collect::<Vec<_>>().join(", ")), note);
    }
    let users: Vec<Row<'_>> = request.rows("users").filter(|row| !row.is_deleted()).collect();
    for row in request.rows("tokens").filter(|row| !row.is_deleted()) {
        token::add(draft, row, &channels, &users, options.quota_per_dollar);
    }
    let deleted = request.rows("tokens").filter(|row| row.is_deleted()).count();
    if deleted > 0 {
        draft.left("table tokens", format!("{}: deleted there", counted(deleted, "row", "rows")));
    }
    if !users.is_empty() {
        let note = "llmio has no accounts: their passwords, roles and balances are left; a team with a budget can hold \
                    the keys of one together";
        draft.left(counted(users.len(), "user", "users"), note);
    }
    if draft.keys.iter().any(|key| key.fields.contains_key("limits")) {
        let note = "what was left of each token's quota became a budget that does not reset; keys with a budget are only \
                    served where the price of a model is known";
        draft.changed("quotas of tokens", note);
    }
}

impl Options {
    fn of(request: &ImportRequest) -> Options {
        let row = |key: &str| request.rows("options").find(|row| row.text("key") == Some(key));
        let ratios = |name: &str| row(name).map(|row| row.object("value")).unwrap_or_default();
        let per_dollar = row("QuotaPerUnit").and_then(|row| row.number("value")).filter(|units| *units > 0.0);
        Options {
            quota_per_dollar: per_dollar.unwrap_or(QUOTA_PER_DOLLAR),
            model_ratios: ratios("ModelRatio"),
            completion_ratios: ratios("CompletionRatio"),
            retries: row("RetryTimes").and_then(|row| row.integer("value")),
        }
    }

    /// What the old gateway charged for a million tokens, if an admin has set both ratios.
    fn price(&self, model: &str) -> Option<Value> {
        let ratio = |ratios: &Map<String, Value>| Row(ratios).number(model).filter(|ratio| *ratio >= 0.0);
        let input = ratio(&self.model_ratios)? * DOLLARS_PER_RATIO;
        let output = input * ratio(&self.completion_ratios)?;
        let rounded = |price: f64| (price * 1e9).round() / 1e9;
        Some(json!({ "input": rounded(input), "output": rounded(output) }))
    }
}

/// The models of all channels: a channel of a higher priority comes first, those of one priority share by weight.
fn models(draft: &mut Draft, channels: &[Channel], options: &Options) {
    let mut priced = 0;
    let names: Vec<&String> = {
        let mut seen = BTreeSet::new();
        channels
            .iter()
            .flat_map(|channel| channel.models.iter())
            .map(|served| &served.public)
            .filter(|name| seen.insert(name.as_str()))
            .collect()
    };
    for name in names {
        let mut ranks = Vec::new();
        for channel in channels {
            for served in channel.models.iter().filter(|served| served.public == *name) {
                let target = draft.model(name, &channel.from).target(served.provider, &served.upstream);
                channel.fill(target);
                if let Some(price) = options.price(name) {
                    target.set("price", price);
                    priced += 1;
                }
                ranks.push(channel.priority);
            }
        }
        let model = draft.model(name, "");
        model.rank(&ranks);
        if let Some(retries) = options.retries {
            model.set("attempts", retries.saturating_add(1).clamp(1, 10));
        }
    }
    if priced > 0 {
        let note =
            "their prices are what ModelRatio and CompletionRatio said, at 0.002 USD for a thousand tokens and 1";
        draft.changed(counted(priced, "target", "targets"), note);
    }
}
