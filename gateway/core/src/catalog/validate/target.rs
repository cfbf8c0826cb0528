//! `targets` of a model: a table, or the short form `"provider/upstream model"`.

use serde_json::Value;

use crate::catalog::schema::{Fields, Place, did_you_mean, format};
use crate::catalog::{Capabilities, Target};

use super::References;

const WEIGHT_MAX: u64 = 1_000_000;
const TIER_MAX: u32 = 1000;
const CONTEXT_MAX: u64 = 1 << 32;
const PRICES: [&str; 4] = ["input", "cache_read", "cache_write", "output"];

pub(super) fn read(place: &Place<'_>, references: &References<'_>) -> Target {
    let capabilities = Capabilities::default();
    let mut target = Target { provider: 0, model: None, weight: 1, tier: 1, enabled: true, capabilities };
    if let Value::String(short) = place.value {
        read_short(place, short, &mut target, references);
        return target;
    }
    let Some(mut fields) = place.fields() else {
        return target;
    };
    if let Some(place) = fields.needed("provider") {
        target.provider = place.text().map(|name| provider(&place, name, references)).unwrap_or_default();
    }
    target.model = fields.field("model").and_then(|place| read_model(&place));
    target.weight = fields.field("weight").and_then(|place| read_weight(&place)).unwrap_or(1);
    target.tier = fields.field("tier").and_then(|place| place.small_integer(1..=TIER_MAX)).unwrap_or(1);
    target.enabled = fields.enabled();
    if let Some(fields) = fields.field("capabilities").and_then(|place| place.fields()) {
        target.capabilities = read_capabilities(fields);
    }
    read_unbuilt(&mut fields, references);
    fields.finish();
    target
}

fn read_short(place: &Place<'_>, short: &str, target: &mut Target, references: &References<'_>) {
    let Some((name, model)) = short.split_once('/') else {
        place.problem("must be \"provider/upstream model\", or a table with provider and model");
        return;
    };
    target.provider = provider(place, name, references);
    target.model = match upstream_model(model) {
        Ok(model) => model,
        Err(message) => {
            place.problem(format!("the model after the first / {message}"));
            None
        }
    };
}

/// The provider's index; any index will do when there is none, for then the document is refused.
fn provider(place: &Place<'_>, name: &str, references: &References<'_>) -> usize {
    let found = references.providers.get(name).copied();
    if found.is_none() {
        let hint = did_you_mean(name, references.providers.keys().copied());
        place.problem(format!("no provider named \"{}\"{hint}", shortened(name)));
    }
    found.unwrap_or_default()
}

fn read_model(place: &Place<'_>) -> Option<std::sync::Arc<str>> {
    place.parsed(upstream_model).flatten()
}

/// The provider's own name for the model: `*` is the name asked.
fn upstream_model(text: &str) -> Result<Option<std::sync::Arc<str>>, String> {
    if text == "*" {
        return Ok(None);
    }
    format::upstream_model(text).map(|name| Some(name.into()))
}

fn read_weight(place: &Place<'_>) -> Option<u32> {
    let weight = place.value.as_u64().filter(|weight| (1..=WEIGHT_MAX).contains(weight));
    if weight.is_none() {
        place.problem(format!(
            "must be a whole number from 1 to {WEIGHT_MAX}; to switch a target off set enabled = false"
        ));
    }
    weight.and_then(|weight| u32::try_from(weight).ok())
}

fn read_capabilities(mut fields: Fields<'_>) -> Capabilities {
    let mut has = |name| fields.field(name).and_then(|place| place.boolean()).unwrap_or(true);
    let (tools, structured, images) = (has("tools"), has("structured"), has("images"));
    let context = fields.field("context").and_then(|place| place.integer(1..=CONTEXT_MAX));
    fields.finish();
    Capabilities { tools, structured, images, context }
}

/// Fields whose behaviour comes later: checked here, refused by name in `unbuilt.rs`.
fn read_unbuilt(fields: &mut Fields<'_>, references: &References<'_>) {
    fields.field("set").map(|place| place.entries());
    fields.field("default").map(|place| place.entries());
    fields.field("remove").map(|place| place.all_parsed(format::label));
    if let Some(mut price) = fields.field("price").and_then(|place| place.fields()) {
        for name in PRICES {
            price.field(name).and_then(|place| place.amount());
        }
        if let Some(place) = price.field("currency")
            && let Some(currency) = place.parsed(format::currency)
        {
            references.currencies.check(&place, &currency);
        }
        price.finish();
    }
}

/// A name as a problem shows it. A short target without a provider may be anything, so long ones are cut.
fn shortened(name: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    match name.char_indices().nth(CHARACTERS_MAX) {
        Some((cut, _)) => format!("{}…", name.get(..cut).unwrap_or_default()),
        None => name.to_owned(),
    }
}
