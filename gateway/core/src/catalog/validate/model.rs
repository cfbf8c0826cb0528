//! `[[models]]`: a public name, and which names and patterns it owns.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::catalog::schema::{Fields, Place, Report, did_you_mean, format};
use crate::catalog::{Affinity, Model, Patience, PhaseLimits, Strategy, Timeouts, Translation};
use crate::order;

use super::{References, name_of, target};

const ATTEMPTS_DEFAULT: u32 = 3;
const ATTEMPTS_MAX: u32 = 10;
const FAILURES_MAX: u32 = 1000;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
pub(super) const TOTAL_MS_DEFAULT: u64 = 60 * MINUTE_MS;
const HEAD_AFTER_MS_DEFAULT: u64 = 20_000;

pub(super) fn read(place: &Place<'_>, references: &References<'_>) -> Model {
    let mut model = Model {
        name: "".into(),
        aliases: Vec::new(),
        enabled: false,
        attempts: ATTEMPTS_DEFAULT,
        timeouts: Timeouts::default(),
        targets: Vec::new(),
        strategy: Strategy::default(),
        affinity: Affinity::default(),
        fallback: Vec::new(),
        translation: Translation::default(),
        head_after_ms: HEAD_AFTER_MS_DEFAULT,
        max_wait_ms: 0,
    };
    let Some(mut fields) = place.fields() else {
        return model;
    };
    model.name = name_of(&mut fields, format::pattern).into();
    model.aliases = fields.field("aliases").map(|place| place.all_parsed(format::pattern)).unwrap_or_default();
    model.enabled = fields.enabled();
    if let Some(attempts) = fields.field("attempts").and_then(|place| place.small_integer(1..=ATTEMPTS_MAX)) {
        model.attempts = attempts;
    }
    if let Some(place) = fields.field("timeouts") {
        model.timeouts = read_timeouts(&place);
    }
    let patience = read_patience(&mut fields);
    let patterns = model.patterns();
    let target = |place: &Place<'_>| Arc::new(target::read(place, references, patience, &patterns));
    model.targets = fields.list("targets").iter().map(target).collect();
    let is_served = !model.targets.is_empty() || texts(place, "fallback").next().is_some();
    if model.enabled && !is_served {
        let is = if fields.has("targets") { "is empty" } else { "is missing" };
        fields.problem_at("targets", format!("{is}; a model without a target or a fallback needs enabled = false"));
    }
    let strategy = fields.field("strategy").and_then(|place| place.choice(&Strategy::ALL.map(Strategy::name)));
    model.strategy = Strategy::ALL.into_iter().find(|each| Some(each.name()) == strategy).unwrap_or_default();
    let affinity = fields.field("affinity").and_then(|place| place.choice(&Affinity::ALL.map(Affinity::name)));
    model.affinity = Affinity::ALL.into_iter().find(|each| Some(each.name()) == affinity).unwrap_or_default();
    let translation =
        fields.field("translation").and_then(|place| place.choice(&Translation::ALL.map(Translation::name)));
    model.translation = Translation::ALL.into_iter().find(|each| Some(each.name()) == translation).unwrap_or_default();
    fields.field("fallback").map(|place| place.all_parsed(format::pattern));
    let max_wait_ms = fields.field("max_wait").and_then(|place| place.duration_ms(1..=10 * MINUTE_MS));
    model.max_wait_ms = max_wait_ms.unwrap_or(0);
    let head_after_ms = fields.field("head_after").and_then(|place| place.duration_ms(1000..=DAY_MS));
    model.head_after_ms = head_after_ms.unwrap_or(HEAD_AFTER_MS_DEFAULT);
    fields.finish();
    model
}

/// How many failures are tolerated, and for how long a failing target then rests.
pub(super) fn read_patience(fields: &mut Fields<'_>) -> Patience {
    Patience {
        failures: fields.field("allowed_fails").and_then(|place| place.small_integer(1..=FAILURES_MAX)),
        cooldown_ms: fields.field("cooldown").and_then(|place| place.duration_ms(1..=DAY_MS)),
    }
}

/// The time limits of an attempt. Limits of the whole call belong to the model.
pub(super) fn read_phases(place: &Place<'_>) -> PhaseLimits {
    let Some(mut fields) = place.fields() else { return PhaseLimits::default() };
    let mut read = |name, ms_max| fields.field(name).and_then(|place| place.duration_ms(1..=ms_max));
    let (connect_ms, first_byte_ms) = (read("connect", 10 * MINUTE_MS), read("first_byte", DAY_MS));
    let idle_ms = read("idle", DAY_MS);
    for name in ["total", "keep_alive"] {
        if let Some(place) = fields.field(name) {
            place.problem("is of the whole call; it goes into the model's timeouts");
        }
    }
    fields.finish();
    PhaseLimits { connect_ms, first_byte_ms, idle_ms }
}

fn read_timeouts(place: &Place<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let Some(mut fields) = place.fields() else {
        return timeouts;
    };
    let mut read = |name, ms_max| fields.field(name).and_then(|place| place.duration_ms(1..=ms_max));
    timeouts.connect_ms = read("connect", 10 * MINUTE_MS).unwrap_or(timeouts.connect_ms);
    timeouts.first_byte_ms = read("first_byte", DAY_MS);
    timeouts.idle_ms = read("idle", DAY_MS).unwrap_or(timeouts.idle_ms);
    timeouts.total_ms = read("total", DAY_MS).unwrap_or(timeouts.total_ms);
    let keep_alive_ms = fields.field("keep_alive").and_then(|place| place.duration_ms(1000..=DAY_MS));
    timeouts.keep_alive_ms = keep_alive_ms.unwrap_or(timeouts.keep_alive_ms);
    fields.finish();
    timeouts
}

/// The models by name.
pub(super) type Names = HashMap<String, usize>;

/// Finds the owner of each exact name and of each pattern's stem. Two owners of one are a problem.
pub(super) fn claim_names(report: &Report, places: &[Place<'_>], models: &[Model]) -> (Names, Names) {
    let (mut names, mut patterns) = (Names::new(), Names::new());
    // Names come first: where a name and an alias are the same, the alias is the one to change.
    for (index, model) in models.iter().enumerate().filter(|(_, model)| !model.name.is_empty()) {
        let path = format!("models[{index}].name");
        claim(report, &mut names, &model.name, index, &path);
        if let Some(stem) = model.name.strip_suffix('*') {
            claim(report, &mut patterns, stem, index, &path);
        }
    }
    for (index, place) in places.iter().enumerate() {
        for (at, alias) in texts(place, "aliases") {
            let path = format!("models[{index}].aliases[{at}]");
            match alias.strip_suffix('*') {
                Some(stem) => claim(report, &mut patterns, stem, index, &path),
                None => claim(report, &mut names, alias, index, &path),
            }
        }
    }
    (names, patterns)
}

fn claim(report: &Report, owners: &mut Names, name: &str, index: usize, path: &str) {
    match owners.get(name) {
        Some(owner) => report.problem(path, format!("models[{owner}] has this name, alias or pattern already")),
        None => {
            owners.insert(name.to_owned(), index);
        }
    }
}

/// Checks that every `fallback` is another model. A model without its own has that of the longest pattern that is a
/// model's name and matches its name, else that of the settings. The models that the settings name have none, since
/// they are the last resort.
pub(super) fn resolve_fallbacks(
    report: &Report,
    places: &[Place<'_>],
    models: &mut [Model],
    (names, of_settings): (&Names, &[String]),
) {
    for (at, name) in of_settings.iter().enumerate().filter(|(_, name)| !names.contains_key(*name)) {
        let hint = did_you_mean(name, names.keys().map(String::as_str));
        report.problem(format!("settings.fallback[{at}]"), format!("no model has this name{hint}"));
    }
    let mut inherited: Vec<(String, Vec<usize>)> =
        vec![(String::new(), of_settings.iter().filter_map(|name| names.get(name).copied()).collect())];
    let says_its_own = |place: &Place<'_>| place.value.get("fallback").is_some();
    for (index, (place, model)) in places.iter().zip(models.iter_mut()).enumerate() {
        model.fallback = stated_fallback(report, place, index, names);
        if let Some(stem) = model.name.strip_suffix('*').filter(|_| says_its_own(place)) {
            inherited.push((stem.to_owned(), model.fallback.clone()));
        }
    }
    // Of two that fit equally well the later one counts: `*` comes before the settings.
    order::by_key(&mut inherited, |(stem, _)| stem.len());
    let silent = places.iter().zip(models).enumerate().filter(|(_, (place, _))| !says_its_own(place));
    for (index, (_, model)) in silent {
        let fitting = inherited.iter().rfind(|(stem, _)| model.name.starts_with(stem));
        model.fallback = fitting.map(|(_, fallback)| fallback.clone()).unwrap_or_default();
        if model.fallback.contains(&index) {
            model.fallback.clear();
        }
    }
}

/// The model's own fallback, as indexes of models.
fn stated_fallback(report: &Report, place: &Place<'_>, index: usize, names: &Names) -> Vec<usize> {
    let mut stated = Vec::new();
    for (at, name) in texts(place, "fallback") {
        let path = format!("{}.fallback[{at}]", place.path);
        match names.get(name) {
            Some(fallback) if *fallback == index => report.problem(path, "is this model itself; leave it out"),
            Some(fallback) => stated.push(*fallback),
            None => {
                let hint = did_you_mean(name, names.keys().map(String::as_str));
                report.problem(path, format!("no model has this name{hint}"));
            }
        }
    }
    stated
}

/// Reports a name that no model answers to.
pub(super) fn check_known(report: &Report, path: &str, name: &str, names: &Names, patterns: &Names) {
    if names.contains_key(name) || patterns.keys().any(|stem| name.starts_with(stem.as_str())) {
        return;
    }
    let hint = did_you_mean(name, names.keys().map(String::as_str));
    report.problem(path, format!("no model answers to this name{hint}"));
}

/// The strings of a list with their positions. Other values are reported elsewhere.
pub(super) fn texts<'a>(place: &Place<'a>, field: &str) -> impl Iterator<Item = (usize, &'a str)> + use<'a> {
    let list = place.value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().enumerate().filter_map(|(index, value)| Some((index, value.as_str()?)))
}
