//! `targets` of a model: a table, or the short form `"provider/upstream model"`.

use std::sync::Arc;

use serde_json::Value;

use crate::catalog::schema::{Fields, Place, did_you_mean, format};
use crate::catalog::{Adjustments, Capabilities, Patience, PhaseLimits, Provider, Target, Template};
use crate::price::{self, DAYS, Hours, Price, USD_MAX};
use crate::profile::{Family, ModelName, NAMES};
use crate::uri::has_path_steps;

use super::References;
use super::model::{read_patience, read_phases};

const WEIGHT_MAX: u64 = 1_000_000;
const TIER_MAX: u32 = 1000;
const CONTEXT_MAX: u64 = 1 << 32;

/// `patience` is that of the model, and `patterns` are its patterns without their `*`, the longest first.
pub(super) fn read(place: &Place<'_>, references: &References<'_>, patience: Patience, patterns: &[String]) -> Target {
    let (mut target, name) = read_parts(place, references);
    target.timeouts = target.timeouts.or(target.provider.timeouts);
    target.patience = target.patience.or(target.provider.patience).or(patience);
    match name {
        Some(UpstreamName::Own(name)) => target.model = Some(name),
        Some(UpstreamName::Requested { prefix }) => {
            target.template = template(prefix, &target.provider.name, patterns).map(Arc::new);
        }
        None => target.template = template(String::new(), &target.provider.name, patterns).map(Arc::new),
    }
    target
}

/// The model that the provider is asked for.
enum UpstreamName {
    /// A model by its own name there.
    Own(Arc<str>),
    /// This prefix, followed by the name the client asked for.
    Requested { prefix: String },
}

/// How the upstream name is made. A `*` alone is the name the client asked for, without the provider's own name where a
/// pattern has that before its `*`: `openai/gpt-5` is sent to openai as `gpt-5`. After a prefix, `*` is what the
/// pattern's `*` stood for.
fn template(prefix: String, provider: &str, patterns: &[String]) -> Option<Template> {
    let is_own = |stem: &&String| stem.strip_suffix('/') == Some(provider);
    let stems: Vec<String> = match prefix.is_empty() {
        true => patterns.iter().filter(is_own).cloned().collect(),
        false => patterns.iter().filter(|stem| !stem.is_empty()).cloned().collect(),
    };
    (!prefix.is_empty() || !stems.is_empty()).then_some(Template { prefix, stems })
}

fn read_parts(place: &Place<'_>, references: &References<'_>) -> (Target, Option<UpstreamName>) {
    let capabilities = Capabilities::default();
    let mut target = Target {
        provider: Arc::clone(references.nobody),
        model: None,
        template: None,
        profile: None,
        safeguards: None,
        weight: 1,
        tier: 1,
        price: None,
        hours: Vec::new(),
        enabled: true,
        capabilities,
        timeouts: PhaseLimits::default(),
        patience: Patience::default(),
        headers: Vec::new(),
        adjustments: None,
    };
    if let Value::String(short) = place.value {
        let name = read_short(place, short, &mut target, references);
        return (target, name);
    }
    let Some(mut fields) = place.fields() else {
        return (target, None);
    };
    if let Some(place) = fields.needed("provider")
        && let Some(name) = place.text()
    {
        target.provider = provider(&place, name, references);
    }
    let model = fields.field("model").and_then(|place| place.parsed(upstream_model));
    target.profile = fields.field("profile").and_then(|place| place.parsed(profile));
    target.weight = fields.field("weight").and_then(|place| read_weight(&place)).unwrap_or(1);
    target.tier = fields.field("tier").and_then(|place| place.small_integer(1..=TIER_MAX)).unwrap_or(1);
    if let Some((price, hours)) = fields.field("price").and_then(|place| read_price(&place, references)) {
        (target.price, target.hours) = (Some(price), hours);
    }
    target.enabled = fields.enabled();
    if let Some(fields) = fields.field("capabilities").and_then(|place| place.fields()) {
        target.capabilities = read_capabilities(fields);
    }
    target.safeguards = fields.field("safeguards").and_then(|place| place.boolean());
    target.timeouts = fields.field("timeouts").map(|place| read_phases(&place)).unwrap_or_default();
    target.patience = read_patience(&mut fields);
    target.headers = fields.field("headers").map(|place| read_headers(&place)).unwrap_or_default();
    target.adjustments = read_adjustments(&mut fields);
    fields.finish();
    (target, model)
}

fn read_short(
    place: &Place<'_>,
    short: &str,
    target: &mut Target,
    references: &References<'_>,
) -> Option<UpstreamName> {
    let Some((name, model)) = short.split_once('/') else {
        place.problem("must be \"provider/upstream model\", or a table with provider and model");
        return None;
    };
    target.provider = provider(place, name, references);
    upstream_model(model).map_err(|message| place.problem(format!("the model after the first / {message}"))).ok()
}

/// Headers of one target: plain text, since what is secret belongs to its provider.
fn read_headers(place: &Place<'_>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, place) in place.entries() {
        let name = match format::header_name(name) {
            Ok(name) => name,
            Err(message) => {
                place.problem(message);
                continue;
            }
        };
        if headers.iter().any(|(other, _)| *other == name) {
            place.problem("is there twice: header names do not differ in case");
        }
        let value = place.parsed(|text| format::header_value(text).map(|()| text.to_owned()));
        headers.extend(value.map(|value| (name, value)));
    }
    headers
}

/// The provider of this name, or a placeholder if there is none.
fn provider(place: &Place<'_>, name: &str, references: &References<'_>) -> Arc<Provider> {
    let found = references.providers.get(name).copied();
    if found.is_none() {
        let hint = did_you_mean(name, references.providers.keys().copied());
        place.problem(format!("no provider named \"{}\"{hint}", shortened(name)));
    }
    Arc::clone(found.unwrap_or(references.nobody))
}

/// The provider's own name for the model. A `*` at its end stands for the name the client asked for.
fn upstream_model(text: &str) -> Result<UpstreamName, String> {
    if let Some(prefix) = text.strip_suffix('*').filter(|prefix| !prefix.contains('*')) {
        if !prefix.is_empty() {
            format::upstream_model(prefix)?;
        }
        return Ok(UpstreamName::Requested { prefix: prefix.to_owned() });
    }
    if has_path_steps(text) {
        return Err("must have no steps of a path (\".\", \"..\" or nothing between two /)".to_owned());
    }
    format::upstream_model(text).map(|name| UpstreamName::Own(name.into()))
}

/// The name of a known model whose profile applies.
fn profile(text: &str) -> Result<std::sync::Arc<str>, String> {
    let name = format::upstream_model(text)?;
    if ModelName::read(&name.to_ascii_lowercase()).family == Family::Other {
        let hint = did_you_mean(&name, NAMES.iter().copied());
        return Err(format!("no model is known by this name; it must be the maker's own, such as \"kimi-k2.6\"{hint}"));
    }
    Ok(name.into())
}

fn read_weight(place: &Place<'_>) -> Option<u32> {
    let weight = place.value.as_u64().filter(|weight| *weight <= WEIGHT_MAX);
    if weight.is_none() {
        place.problem(format!(
            "must be a whole number from 0 to {WEIGHT_MAX}; 0 is for one that serves when the others of its tier cannot"
        ));
    }
    weight.and_then(|weight| u32::try_from(weight).ok())
}

/// Prices of a million tokens in `currency`, USD when absent. Input and output must be there: a part that was forgotten
/// must not make calls look free. Tokens read from or written to a cache cost what others do unless the table has a
/// price for them.
fn read_price(place: &Place<'_>, references: &References<'_>) -> Option<(Price, Vec<(Hours, Price)>)> {
    let mut fields = place.fields()?;
    let rate = match fields.field("currency") {
        Some(place) => {
            place.parsed(format::currency).and_then(|currency| references.currencies.rate(&place, &currency))
        }
        None => Some(1.0),
    };
    let hours: Vec<_> = fields.list("hours").iter().map(|place| read_hours(place, rate)).collect();
    let price = read_parts_of_price(fields, rate)?;
    Some((price, hours.into_iter().collect::<Option<_>>()?))
}

/// Hours of the week, in UTC, and what is paid in them.
fn read_hours(place: &Place<'_>, rate: Option<f64>) -> Option<(Hours, Price)> {
    let mut fields = place.fields()?;
    let span =
        |text: &str| Hours::span(text).ok_or("must be two times of a day in UTC, such as \"01:00-04:00\"".to_owned());
    let spans = fields.needed("utc").map(|place| place.all_parsed(span));
    let mut days = [!fields.has("days"); 7];
    for place in fields.list("days") {
        let day = place.choice(&DAYS).and_then(|day| DAYS.iter().position(|known| *known == day));
        if let Some(day) = day.and_then(|day| days.get_mut(day)) {
            *day = true;
        }
    }
    let price = read_parts_of_price(fields, rate);
    Some((Hours { spans: spans?, days }, price?))
}

fn read_parts_of_price(mut fields: Fields<'_>, rate: Option<f64>) -> Option<Price> {
    let part = |place: Place<'_>| read_nano(&place, rate?);
    let input = fields.needed("input").and_then(part);
    let output = fields.needed("output").and_then(part);
    let cache_read = fields.field("cache_read").map(part);
    let cache_write = fields.field("cache_write").map(part);
    fields.finish();
    Some(Price {
        input: input?,
        cache_read: cache_read.unwrap_or(input)?,
        cache_write: cache_write.unwrap_or(input)?,
        output: output?,
        call: 0,
    })
}

/// An amount as nano-dollars.
fn read_nano(place: &Place<'_>, rate: f64) -> Option<u64> {
    let nano = price::nano(place.amount()? * rate);
    if nano.is_none() {
        place.problem(format!("must be at most {USD_MAX} USD; a price is that of a million tokens"));
    }
    nano
}

fn read_capabilities(mut fields: Fields<'_>) -> Capabilities {
    let mut has = |name| fields.field(name).and_then(|place| place.boolean()).unwrap_or(true);
    let (tools, structured, images) = (has("tools"), has("structured"), has("images"));
    let context = fields.field("context").and_then(|place| place.integer(1..=CONTEXT_MAX));
    fields.finish();
    Capabilities { tools, structured, images, context }
}

/// `set`, `default` and `remove`. They may not change what llmio itself writes into a body, nor the `safeguards` that a client
/// relies on, which are passed on unchanged or refused.
fn read_adjustments(fields: &mut Fields<'_>) -> Option<Box<Adjustments>> {
    let mut read = |name| {
        let entries = fields.field(name).map(|place| place.entries()).unwrap_or_default();
        let pairs = entries.into_iter().map(|(name, place)| {
            refuse_own(name, &place);
            (name.to_owned(), place.value.clone())
        });
        pairs.filter(|(name, _)| !is_of_safeguards(name)).collect::<Vec<_>>()
    };
    let (set, default) = (read("set"), read("default"));
    let remove = fields.field("remove").map(|place| {
        let mut names = place.all_parsed(format::label);
        names.iter().for_each(|name| refuse_own(name, &place));
        names.retain(|name| !is_of_safeguards(name));
        names
    });
    let adjustments = Adjustments { set, default, remove: remove.unwrap_or_default() };
    (adjustments != Adjustments::default()).then(|| Box::new(adjustments))
}

fn is_of_safeguards(name: &str) -> bool {
    name.split('.').next() == Some("safeguards")
}

fn refuse_own(name: &str, place: &Place<'_>) {
    if matches!(name, "model" | "stream") {
        place.problem(format!("\"{name}\" is llmio's own to write; the target's model says what is sent"));
    }
}

/// A name as problems show it. A short target without a provider may be any text, so long ones are cut.
fn shortened(name: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    match name.char_indices().nth(CHARACTERS_MAX) {
        Some((cut, _)) => format!("{}…", name.get(..cut).unwrap_or_default()),
        None => name.to_owned(),
    }
}
