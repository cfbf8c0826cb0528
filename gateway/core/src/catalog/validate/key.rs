//! `[[keys]]`: what llmio issues to clients. Only the hash of a key is in a document.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Time;

use crate::catalog::schema::{Place, Report, did_you_mean, format};
use crate::catalog::{ADMIN_NAME, Day, Key, Limit, Model, PreviousKey, Team};

use super::model::{Names, check_known, texts};
use super::settings::record_bodies;
use super::{References, name_of, quota};

/// Takes the place of a missing or wrong hash, which is reported elsewhere.
const NO_HASH: [u8; 32] = [0; 32];

pub(super) fn read(place: &Place<'_>, references: &References<'_>, teams: &[Arc<Team>]) -> Key {
    let mut key = Key {
        name: "".into(),
        hash: NO_HASH,
        previous: None,
        models: None,
        expires_ms: None,
        enabled: false,
        avoid: Vec::new(),
        networks: None,
        limits: Vec::new(),
        team: None,
        record_bodies: None,
        record_bodies_at_most: None,
        see_bodies: false,
    };
    let Some(mut fields) = place.fields() else {
        return key;
    };
    key.name = name_of(&mut fields, key_name).into();
    key.hash = fields.needed("hash").and_then(|place| place.parsed(format::hash)).unwrap_or_default();
    key.previous = fields.field("previous").and_then(|place| read_previous(&place));
    key.models = fields.field("models").map(|place| place.all_parsed(format::pattern));
    key.expires_ms = fields.field("expires").and_then(|place| place.parsed(format::timestamp_ms));
    key.enabled = fields.enabled();
    key.record_bodies = fields.field("record_bodies").and_then(|place| record_bodies(&place));
    key.record_bodies_at_most = fields.field("record_bodies_at_most").and_then(|place| record_bodies(&place));
    key.see_bodies = fields.flag("see_bodies");
    key.avoid = fields.field("avoid").map(|place| place.all_parsed(format::name)).unwrap_or_default();
    key.networks = fields.field("ips").map(|place| place.all_parsed(format::network));
    fields.field("metrics").and_then(|place| place.boolean());
    if let Some(place) = fields.field("limits") {
        key.limits = read_limits(&place, references);
    }
    key.team = fields.field("team").and_then(|place| team(&place, teams));
    fields.finish();
    key
}

/// The previous secret of a rotated key.
fn read_previous(place: &Place<'_>) -> Option<PreviousKey> {
    let mut fields = place.fields()?;
    let hash = fields.needed("hash").and_then(|place| place.parsed(format::hash));
    let until_ms = fields.needed("until").and_then(|place| place.parsed(format::timestamp_ms));
    fields.finish();
    Some(PreviousKey { hash: hash?, until_ms: until_ms? })
}

fn key_name(text: &str) -> Result<String, String> {
    match format::label(text)? {
        name if name == ADMIN_NAME => Err(format!("may not be {ADMIN_NAME:?}: records name the admin token so")),
        name => Ok(name),
    }
}

/// `[[teams]]`: a name, and what all keys that bear it may spend together.
pub(super) fn read_team(place: &Place<'_>, references: &References<'_>) -> Team {
    let Some(mut fields) = place.fields() else { return Team { name: "".into(), limits: Vec::new() } };
    let name = name_of(&mut fields, format::pool).into();
    let limits = fields.field("limits").map(|place| read_limits(&place, references)).unwrap_or_default();
    fields.finish();
    Team { name, limits }
}

/// The team of this name.
fn team(place: &Place<'_>, teams: &[Arc<Team>]) -> Option<Arc<Team>> {
    let name = place.text()?;
    let found = teams.iter().find(|team| *team.name == *name);
    if found.is_none() {
        let hint = did_you_mean(name, teams.iter().map(|team| &*team.name));
        place.problem(format!("no team has this name{hint}"));
    }
    found.cloned()
}

fn read_limits(place: &Place<'_>, references: &References<'_>) -> Vec<Limit> {
    let Some(mut fields) = place.fields() else {
        return Vec::new();
    };
    let day = Day { zone: references.zone.clone(), reset: Time::midnight() };
    let mut limits = quota::read_windows(&mut fields, &day);
    limits.extend(fields.field("concurrent").and_then(|place| quota::read_concurrent(&place)));
    limits.extend(quota::read_budgets(&mut fields, &day, &references.currencies));
    fields.finish();
    quota::refuse_twice(place, &limits);
    limits
}

/// Assigns each hash to its key, old hashes of rotated keys included. If two keys had the same hash, the caller would be
/// ambiguous.
pub(super) fn claim_hashes(report: &Report, keys: &[Key]) -> HashMap<[u8; 32], usize> {
    let mut hashes = HashMap::new();
    for (index, key) in keys.iter().enumerate() {
        let previous = key.previous.as_ref().map(|previous| ("previous.hash", previous.hash));
        for (member, hash) in [("hash", key.hash)].into_iter().chain(previous).filter(|(_, hash)| *hash != NO_HASH) {
            if let Some(first) = hashes.get(&hash) {
                report.problem(format!("keys[{index}].{member}"), format!("is the hash of keys[{first}] too"));
            } else {
                hashes.insert(hash, index);
            }
        }
    }
    hashes
}

/// Checks that each exact name that a key lists is a model, and replaces aliases by the model's name. Patterns are not
/// checked, since they may be meant for future models.
pub(super) fn resolve_models(
    report: &Report,
    places: &[Place<'_>],
    keys: &mut [Key],
    models: &[Model],
    (names, patterns): (&Names, &Names),
) {
    for place in places {
        for (at, name) in texts(place, "models").filter(|(_, name)| !name.ends_with('*')) {
            check_known(report, &format!("{}.models[{at}]", place.path), name, names, patterns);
        }
    }
    for name in keys.iter_mut().filter_map(|key| key.models.as_mut()).flatten() {
        if let Some(model) = names.get(name.as_str()).and_then(|index| models.get(*index)) {
            *name = model.name.to_string();
        }
    }
}
