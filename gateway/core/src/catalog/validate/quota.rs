//! Quotas and limits: how much per window. Two limits that count the same thing are a problem.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::catalog::schema::format::{HOURS_MAX, Period};
use crate::catalog::schema::{Fields, Place, format};
use crate::catalog::{Count, Day, Limit, Per, Quota, Window};
use crate::providers::{KnownProvider, KnownQuota};

use super::settings::Currencies;

const PERS: [(&str, Per); 3] = [("credential", Per::Credential), ("pool", Per::Pool), ("provider", Per::Provider)];
/// Calls and tokens, each within a window.
const WINDOWS: [&str; 8] = ["rpm", "tpm", "rpd", "tpd", "rpweek", "tpweek", "rpmonth", "tpmonth"];
/// The other members of an entry of `quotas`.
const OTHERS: [&str; 5] = ["rolling", "points", "budget", "credit", "concurrent"];
/// The members whose windows follow the calendar.
const OF_DAYS: [&str; 8] = ["rpd", "tpd", "rpweek", "tpweek", "rpmonth", "tpmonth", "points", "budget"];
const COUNT_MAX: u64 = 1 << 50;
const CONCURRENT_MAX: u64 = 1_000_000;

/// The defaults of quotas.
#[derive(Clone, Copy)]
pub(super) struct Measures<'a> {
    /// Where days begin.
    pub(super) zone: &'a TimeZone,
    /// The known currencies.
    pub(super) currencies: &'a Currencies,
}

/// Everything that limits a provider: `quotas`, the shorthand `quota`, and `concurrent`.
pub(super) fn read_all(fields: &mut Fields<'_>, measures: Measures<'_>, known: &[KnownQuota]) -> Vec<Quota> {
    let mut quotas = Vec::new();
    let mut paths: HashMap<(u8, String, String), String> = HashMap::new();
    let places = fields.list("quotas").into_iter().chain(fields.field("quota"));
    for place in places {
        let Some(quota) = read(&place, measures) else { continue };
        for limit in &quota.limits {
            let same = (quota.per as u8, quota.group(), limit.name());
            match paths.get(&same) {
                Some(other) if *other == place.path => place.problem(format!("limits {} a second time", limit.name())),
                Some(other) => place.problem(format!("limits {} a second time, after {other}", limit.name())),
                None => drop(paths.insert(same, place.path.clone())),
            }
        }
        quotas.push(quota);
    }
    if let Some(place) = fields.field("concurrent")
        && let Some(limit) = read_concurrent(&place)
    {
        if let Some(other) = paths.get(&(Per::Provider as u8, "*".to_owned(), limit.name())) {
            place.problem(format!("is a second limit of the same, after {other}"));
        }
        quotas.push(Quota {
            models: Arc::default(),
            per: Per::Provider,
            limits: vec![limit],
            is_free: false,
            source: None,
        });
    }
    // The document's own limit of the same thing wins.
    for mut quota in known.iter().map(known_quota) {
        let group = quota.group();
        quota.limits.retain(|limit| !paths.contains_key(&(quota.per as u8, group.clone(), limit.name())));
        quotas.push(quota);
    }
    quotas
}

/// An account is shared by the credentials of a pool.
fn known_quota(known: &KnownQuota) -> Quota {
    // A zone that this build does not know, which a test excludes, would make the day begin elsewhere.
    let zone = format::zone(known.zone).unwrap_or(TimeZone::UTC);
    let limit = |most: Option<u64>, window| most.map(|most| Limit { count: Count::Calls, window, most });
    let day = Window::Day(Day { zone, reset: Time::midnight() });
    let limits = limit(known.rpm, Window::Minute).into_iter().chain(limit(known.rpd, day)).collect();
    let models: Vec<String> = known.models.iter().map(|model| (*model).to_owned()).collect();
    Quota { models: models.into(), per: Per::Pool, limits, is_free: true, source: Some(known.source) }
}

/// What the preset adds where `known_quotas = true` asks for it.
pub(super) fn read_known(fields: &mut Fields<'_>, preset: Option<&'static KnownProvider>) -> &'static [KnownQuota] {
    let is_wanted = fields.flag("known_quotas");
    match preset {
        _ if !is_wanted => &[],
        Some(preset) if !preset.quotas.is_empty() => preset.quotas,
        Some(preset) => {
            let message = format!("no quotas are known of the preset \"{}\"; write them into quotas", preset.name);
            fields.problem_at("known_quotas", message);
            &[]
        }
        None => {
            if !fields.has("preset") {
                fields.problem_at("known_quotas", "are those of a preset; name one, or write them into quotas");
            }
            &[]
        }
    }
}

/// A credential's own quota.
pub(super) fn read_own(place: &Place<'_>, measures: Measures<'_>) -> Option<Quota> {
    let quota = read(place, measures)?;
    refuse_twice(place, &quota.limits);
    if quota.per != Per::Credential {
        place.problem("is this credential's own, so `per` can only be \"credential\"; leave it out");
    }
    Some(quota)
}

/// One entry of `quotas`, or a shorthand.
fn read(place: &Place<'_>, measures: Measures<'_>) -> Option<Quota> {
    let mut fields = place.fields()?;
    let mut models = fields.field("models").map(|place| place.all_parsed(format::model_pattern)).unwrap_or_default();
    models.sort_unstable();
    models.dedup();
    let per = fields.field("per").and_then(|place| read_per(&place)).unwrap_or(Per::Credential);
    let day = read_day(&mut fields, measures.zone);
    let mut limits = read_windows(&mut fields, &day);
    limits.extend(read_points(&mut fields, &day));
    limits.extend(read_budgets(&mut fields, &day, measures.currencies));
    if let Some(most) = fields.field("credit").and_then(|place| read_credit(&place, measures.currencies)) {
        limits.push(Limit { count: Count::Money, window: Window::Ever, most });
    }
    limits.extend(fields.field("concurrent").and_then(|place| read_concurrent(&place)));
    if !WINDOWS.iter().chain(&OTHERS).any(|name| fields.has(name)) {
        let all = [&WINDOWS[..], &OTHERS[..]].concat();
        fields.problem(format!("limits nothing; give one of {}", all.join(", ")));
    }
    let is_free = fields.flag("free");
    fields.finish();
    Some(Quota { models: models.into(), per, limits, is_free, source: None })
}

fn read_per(place: &Place<'_>) -> Option<Per> {
    let word = place.choice(&PERS.map(|(word, _)| word))?;
    PERS.iter().find(|(known, _)| *known == word).map(|(_, per)| *per)
}

/// When the days of an entry begin. An entry that says so and has no limit by day is reported as a mistake.
fn read_day(fields: &mut Fields<'_>, zone: &TimeZone) -> Day {
    for name in ["zone", "reset"] {
        if fields.has(name) && !OF_DAYS.iter().any(|name| fields.has(name)) {
            fields.problem_at(name, "says when a day begins; give it beside what counts by day, week or month");
        }
    }
    let own = fields.field("zone").and_then(|place| place.parsed(format::zone));
    let reset = fields.field("reset").and_then(|place| place.parsed(format::time_of_day));
    Day { zone: own.unwrap_or_else(|| zone.clone()), reset: reset.unwrap_or(Time::midnight()) }
}

/// Calls and tokens per sliding minute, per day, week and month, and within rolling hours. `cache_reads = false` leaves
/// out of the tokens what was read from a cache.
pub(super) fn read_windows(fields: &mut Fields<'_>, day: &Day) -> Vec<Limit> {
    let mut limits = Vec::new();
    let cache_reads = fields.field("cache_reads").and_then(|place| place.boolean());
    let tokens = if cache_reads == Some(false) { Count::FreshTokens } else { Count::Tokens };
    for name in WINDOWS {
        let Some(most) = fields.field(name).and_then(|place| place.integer(1..=COUNT_MAX)) else { continue };
        let count = if name.starts_with('r') { Count::Calls } else { tokens };
        let window = match name.get(2..).unwrap_or_default() {
            "m" => Window::Minute,
            "d" => Window::Day(day.clone()),
            "week" => Window::Week(day.clone()),
            _ => Window::Month(day.clone()),
        };
        limits.push(Limit { count, window, most });
    }
    for place in one_or_many(fields, "rolling") {
        limits.extend(read_rolling(&place, tokens));
    }
    if cache_reads.is_some() && !limits.iter().any(|limit| limit.count == tokens) {
        fields.problem_at("cache_reads", "says what counts as a token; give it beside a limit of tokens");
    }
    limits
}

/// Calls, tokens or both within the last so many hours.
fn read_rolling(place: &Place<'_>, tokens: Count) -> Vec<Limit> {
    let Some(mut fields) = place.fields() else { return Vec::new() };
    let hours = fields.needed("hours").and_then(|place| place.integer(1..=HOURS_MAX));
    let mut most = |name| fields.field(name).map(|place| place.integer(1..=COUNT_MAX));
    let counts = [(Count::Calls, most("calls")), (tokens, most("tokens"))];
    if counts.iter().all(|(_, most)| most.is_none()) {
        fields.problem("limits nothing; give calls, tokens or both");
    }
    fields.finish();
    let Some(hours) = hours else { return Vec::new() };
    let limit = |(count, most): (Count, Option<Option<u64>>)| {
        most.flatten().map(|most| Limit { count, window: Window::Rolling { hours }, most })
    };
    counts.into_iter().filter_map(limit).collect()
}

/// What may be one or a list of several.
fn one_or_many<'a>(fields: &mut Fields<'a>, name: &'static str) -> Vec<Place<'a>> {
    match fields.field(name) {
        Some(place) if place.value.is_array() => place.list(),
        place => place.into_iter().collect(),
    }
}

/// Reports a limit that an entry states twice.
pub(super) fn refuse_twice(place: &Place<'_>, limits: &[Limit]) {
    let names: Vec<String> = limits.iter().map(Limit::name).collect();
    for (at, name) in names.iter().enumerate() {
        if names.iter().take(at).any(|other| other == name) {
            place.problem(format!("limits {name} a second time"));
        }
    }
}

/// How many calls may be under way at once.
pub(super) fn read_concurrent(place: &Place<'_>) -> Option<Limit> {
    let most = place.integer(1..=CONCURRENT_MAX)?;
    Some(Limit { count: Count::Calls, window: Window::InFlight, most })
}

/// Money that was paid for or given once, in nano-dollars.
fn read_credit(place: &Place<'_>, currencies: &Currencies) -> Option<u64> {
    currencies.nano(place, &place.parsed(format::money)?)
}

/// Budgets: one, or several of different periods that must all hold.
pub(super) fn read_budgets(fields: &mut Fields<'_>, day: &Day, currencies: &Currencies) -> Vec<Limit> {
    one_or_many(fields, "budget").iter().filter_map(|place| read_budget(place, day, currencies)).collect()
}

/// One budget. A number of hours or days slides, as a minute does; calendar days, weeks and months begin when the day
/// does.
fn read_budget(place: &Place<'_>, day: &Day, currencies: &Currencies) -> Option<Limit> {
    let (money, period) = place.parsed(format::budget)?;
    let window = match period {
        Period::Hours(hours) => Window::Rolling { hours },
        Period::Day => Window::Day(day.clone()),
        Period::Week => Window::Week(day.clone()),
        Period::Month => Window::Month(day.clone()),
        Period::Total => Window::Ever,
    };
    Some(Limit { count: Count::Money, window, most: currencies.nano(place, &money)? })
}

fn read_points(fields: &mut Fields<'_>, day: &Day) -> Option<Limit> {
    let [per_day, per_call] = read_pair(fields, "points", [("per_day", COUNT_MAX), ("per_call", COUNT_MAX)])?;
    if per_call > per_day {
        fields.problem_at("points", "has more points per call than per day, so no call could be made");
    }
    Some(Limit { count: Count::Points { per_call }, window: Window::Day(day.clone()), most: per_day })
}

/// A table of two whole numbers, each with its greatest value.
fn read_pair(fields: &mut Fields<'_>, name: &'static str, pair: [(&'static str, u64); 2]) -> Option<[u64; 2]> {
    let mut fields = fields.field(name)?.fields()?;
    let [first, second] = pair.map(|(name, max)| fields.needed(name).and_then(|place| place.integer(1..=max)));
    fields.finish();
    Some([first?, second?])
}
