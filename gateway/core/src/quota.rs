//! Quotas: what an attempt is charged against, and what follows from what is spent.
//!
//! Every limit becomes a [`Charge`] on rows `(id, bucket) → spent` of one ledger. A limit holds while the rows that its
//! window still counts add up to no more than it allows. So the store sees only one kind of window, and reserves all
//! charges of an attempt or none in a single statement. A counter with a reset for each window would only be right if
//! it were cleaned up in time; a row that says when to forget it is right by itself.
//!
//! The id of a limit follows from the credential's secret and not from its position, its form or its provider's name,
//! so that what is spent survives every edit of the catalog that keeps the secret at its host.

mod allowances;
mod charged;
mod day;
mod learnt;
mod ledger;
mod money;
mod reported;
mod slot;
mod spent;
mod used;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::{Catalog, Count, Credential, Key, Limit, Per, Provider, Quota, Source, Team, Window};
use crate::clock::Now;

pub use allowances::{Allowances, is_allowance};
pub use charged::{Charges, Estimate, UnsettledCharges, has_limits, refused};
pub use learnt::{Learnt, LearntLimits};
pub use ledger::{
    Adjustment, ExceededLimit, Row, Status, adjustments_json, charge_late, charges_json, merge, over, refund, settle,
    status,
};
pub use money::{estimate_cost, human};
pub use reported::{ReportedLimit, ReportedLimits, raises, read as read_reported};
pub use slot::{born_ms, first_slot, slot};
pub use spent::Spent;
pub use used::{AnswerSummary, Prompt};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A sliding minute has 12 buckets of 5 s and the one that is filling, so that what is spent counts for 60 to 65 s.
const MINUTE_BUCKETS: i64 = 12;

/// A week, a month and a limit that never resets have buckets of a day, which show how fast it is spent.
const DAY_MS: i64 = 24 * HOUR_MS;

/// Rolling hours have 60 buckets and the one that is filling.
const ROLLING_BUCKETS: i64 = 60;

/// How many tokens of an answer are reserved, unless the client asks for fewer. Most answers are shorter; what exceeds
/// it is charged when the answer ends.
pub const ANSWER_TOKENS: u64 = 1024;

/// The most that a row of the ledger may hold, far beyond every limit, so that sums of rows never overflow.
pub const SPENT_MAX: u64 = 1 << 50;

/// What one attempt takes from one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The id of the limit: the first part of its rows' key.
    pub id: String,
    /// Whose limit it is.
    pub scope: Scope,
    /// The upstream models that share the limit; all of them if it is empty.
    pub models: Arc<[String]>,
    /// The limit's name, such as `rpd`.
    pub limit_name: String,
    /// What it counts.
    pub unit: Unit,
    /// The bucket that is charged: its beginning on the steady clock, or for calls under way the [`slot()`].
    pub bucket: i64,
    /// The first bucket that counts.
    pub since: i64,
    /// The last bucket that counts. Later ones were written before a clock was set back.
    pub last: i64,
    /// The length of a bucket.
    pub width_ms: i64,
    /// When what is spent stops counting.
    pub ends: Ends,
    /// The amount. It never exceeds the limit, since too large an estimate must not keep a call out for ever.
    pub amount: u64,
    /// The most that may be spent.
    pub limit: u64,
    /// Whether what it grants is free.
    pub is_free: bool,
    /// Where the limit was published, if it is the provider's and not the catalog's.
    pub source: Option<Source>,
}

/// What shares a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One credential, by its label; or the provider if it is called without one.
    #[expect(missing_docs, reason = "what they are is said above")]
    Credential { provider: Arc<str>, credential: Option<String> },
    /// The credentials of one pool. Those that name no pool form one too.
    #[expect(missing_docs, reason = "what they are is said above")]
    Pool { provider: Arc<str>, pool: Option<Arc<str>> },
    /// A provider.
    #[expect(missing_docs, reason = "what it is is said above")]
    Provider { provider: Arc<str> },
    /// A client's key.
    #[expect(missing_docs, reason = "what it is is said above")]
    Key { key: Arc<str> },
    /// Keys that share limits.
    #[expect(missing_docs, reason = "what they are is said above")]
    Team { team: Arc<str> },
}

/// The unit of a charge, which decides how it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Calls made.
    Calls,
    /// Tokens, estimated before and known afterwards.
    Tokens,
    /// The same without those that were read from a cache, which nobody knows before.
    FreshTokens,
    /// Points: a fixed number for each call.
    Points,
    /// Nano-dollars, estimated before and known afterwards.
    Money,
    /// Calls under way, which are given back when they end.
    InFlight,
}

/// When what is spent stops counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Each bucket this many milliseconds after its beginning.
    After(i64),
    /// Everything at this time.
    At(i64),
    /// Never by itself.
    Never,
    /// When the calls end.
    Unknown,
}

/// What an attempt uses, as far as it is known: estimated before it, reported by the provider after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spend {
    /// Tokens, in and out.
    pub tokens: Option<u64>,
    /// Of these, those that were read from a cache.
    pub cached_tokens: u64,
    /// Its cost in nano-dollars.
    pub cost_nano: Option<u64>,
    /// Whether not everything was reported, so that it may be more and gives back nothing of the estimate.
    pub is_estimate: bool,
}

impl Spend {
    /// Nothing at all.
    pub const NOTHING: Spend = Spend { tokens: Some(0), cached_tokens: 0, cost_nano: Some(0), is_estimate: false };

    /// This many tokens, at an unknown price.
    pub fn tokens(tokens: u64) -> Self {
        Spend { tokens: Some(tokens), ..Spend::default() }
    }
}

/// The time, and the call that asks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time.
    pub now: Now,
    /// [`Catalog::total_ms_max`]: what has been under way for longer was cut off by a crash.
    pub total_ms_max: u64,
    /// When the only process that charges the ledger began, on the steady clock; `None` if there may be several.
    pub boot_ms: Option<i64>,
    /// The [`slot()`] of the call that asks, if one does.
    pub slot: Option<i64>,
}

/// How many tokens to reserve for a call, by the bytes of its body and the most tokens that it asks for.
pub fn estimate(body_bytes: u64, tokens_max: Option<u64>) -> u64 {
    (body_bytes / 4).saturating_add(tokens_max.map_or(ANSWER_TOKENS, |max| max.min(ANSWER_TOKENS)))
}

/// Everything that one attempt is charged against. The charges are made together or not at all.
pub fn windows(
    provider: &Provider,
    credential: Option<&Credential>,
    upstream_model: &str,
    guess: Spend,
    at: Moment,
) -> Vec<Charge> {
    let pool = credential.and_then(|credential| credential.pool.clone());
    let mut charges = own_and_per_credential(provider, credential, |quota| quota.covers(upstream_model), guess, at);
    for quota in provider.quotas.iter().filter(|quota| quota.covers(upstream_model)) {
        match quota.per {
            Per::Credential => {}
            Per::Pool => charges.extend(charges_of(&pool_scope(provider, pool.clone()), quota, guess, at)),
            Per::Provider => charges.extend(charges_of(&provider_scope(provider), quota, guess, at)),
        }
    }
    charges
}

/// Everything that a call of this key is charged against, whichever target serves it.
pub fn key_windows(key: &Key, guess: Spend, at: Moment) -> Vec<Charge> {
    let scope = Owner { path: format!("key/{}", key.name), scope: Scope::Key { key: key.name.clone() } };
    let own = key.limits.iter().map(|limit| charge(&scope, None, limit, guess, at));
    own.chain(key.team.iter().flat_map(|team| team_windows(team, guess, at))).collect()
}

/// What a call of any of its keys is charged to.
fn team_windows(team: &Team, guess: Spend, at: Moment) -> Vec<Charge> {
    let scope = Owner { path: format!("team/{}", team.name), scope: Scope::Team { team: team.name.clone() } };
    team.limits.iter().map(|limit| charge(&scope, None, limit, guess, at)).collect()
}

/// Every limit of this key as a charge of nothing.
pub fn limits_of(key: &Key, at: Moment) -> Vec<Charge> {
    key_windows(key, Spend::default(), at).into_iter().map(|charge| Charge { amount: 0, ..charge }).collect()
}

/// Every limit of the catalog as a charge of nothing, for the admin API and the sweep.
pub fn all(catalog: &Catalog, at: Moment) -> Vec<Charge> {
    let (mut charges, none) = (Vec::new(), Spend::default());
    for provider in &catalog.providers {
        let mut pools: BTreeSet<Option<Arc<str>>> = BTreeSet::new();
        for credential in &provider.credentials {
            charges.extend(own_and_per_credential(provider, Some(credential), |_| true, none, at));
            pools.insert(credential.pool.clone());
        }
        if provider.credentials.is_empty() {
            charges.extend(own_and_per_credential(provider, None, |_| true, none, at));
            pools.insert(None);
        }
        for quota in &provider.quotas {
            match quota.per {
                Per::Credential => {}
                Per::Pool => pools.iter().for_each(|pool| {
                    charges.extend(charges_of(&pool_scope(provider, pool.clone()), quota, none, at));
                }),
                Per::Provider => charges.extend(charges_of(&provider_scope(provider), quota, none, at)),
            }
        }
    }
    // A team's limits are there once, however many keys it has.
    let of_keys = catalog.keys.iter().flat_map(|key| key_windows(key, none, at));
    charges.extend(of_keys.filter(|charge| !matches!(charge.scope, Scope::Team { .. })));
    charges.extend(catalog.teams.iter().flat_map(|team| team_windows(team, none, at)));
    charges.into_iter().map(|charge| Charge { amount: 0, ..charge }).collect()
}

/// Whose limit it is, in the ledger's form and for people.
struct Owner {
    /// The part of ids, without a slash at its end.
    path: String,
    scope: Scope,
}

/// The limits of a credential. Its own limit replaces the provider's limit of the same kind on the same models.
fn own_and_per_credential(
    provider: &Provider,
    credential: Option<&Credential>,
    covers: impl Fn(&Quota) -> bool,
    guess: Spend,
    at: Moment,
) -> Vec<Charge> {
    let none = provider.quotas.is_empty() && credential.is_none_or(|credential| credential.quota.is_none());
    if none {
        return Vec::new();
    }
    let owner = credential_scope(provider, credential);
    let own = credential.and_then(|credential| credential.quota.as_ref()).filter(|quota| covers(quota));
    let mut charges: Vec<Charge> = own.into_iter().flat_map(|quota| charges_of(&owner, quota, guess, at)).collect();
    let own_count = charges.len();
    let per_credential = provider.quotas.iter().filter(|quota| quota.per == Per::Credential && covers(quota));
    for each in per_credential.flat_map(|quota| charges_of(&owner, quota, guess, at)) {
        if !charges.iter().take(own_count).any(|own| own.id == each.id) {
            charges.push(each);
        }
    }
    charges
}

fn credential_scope(provider: &Provider, credential: Option<&Credential>) -> Owner {
    let path = match credential {
        Some(credential) => format!("credential/{}", credential.account),
        None => format!("without/{}", provider.name),
    };
    let credential = credential.map(|credential| credential.label.clone());
    Owner { path, scope: Scope::Credential { provider: provider.name.clone(), credential } }
}

fn pool_scope(provider: &Provider, pool: Option<Arc<str>>) -> Owner {
    let path = format!("pool/{}/{}", provider.name, pool.as_deref().unwrap_or_default());
    Owner { path, scope: Scope::Pool { provider: provider.name.clone(), pool } }
}

fn provider_scope(provider: &Provider) -> Owner {
    let path = format!("provider/{}", provider.name);
    Owner { path, scope: Scope::Provider { provider: provider.name.clone() } }
}

fn charges_of(owner: &Owner, quota: &Quota, guess: Spend, at: Moment) -> Vec<Charge> {
    quota.limits.iter().map(|limit| charge(owner, Some(quota), limit, guess, at)).collect()
}

fn charge(owner: &Owner, quota: Option<&Quota>, limit: &Limit, guess: Spend, at: Moment) -> Charge {
    let limit_name = limit.name();
    let (id, models) = match quota {
        Some(quota) => (format!("{}/{}/{limit_name}", owner.path, quota.group()), quota.models.clone()),
        None => (format!("{}/{limit_name}", owner.path), Arc::default()),
    };
    let (unit, amount) = match (&limit.window, limit.count) {
        (Window::InFlight, _) => (Unit::InFlight, 1),
        (_, Count::Calls) => (Unit::Calls, 1),
        (_, Count::Tokens) => (Unit::Tokens, guess.tokens.unwrap_or(0)),
        (_, Count::FreshTokens) => (Unit::FreshTokens, guess.tokens.unwrap_or(0)),
        (_, Count::Money) => (Unit::Money, guess.cost_nano.unwrap_or(0)),
        (_, Count::Points { per_call }) => (Unit::Points, per_call),
    };
    let Frame { bucket, since, last, width_ms, ends } = frame(&limit.window, at);
    let (amount, limit, scope) = (amount.min(limit.most), limit.most, owner.scope.clone());
    let (source, is_free) = (quota.and_then(|quota| quota.source), quota.is_some_and(|quota| quota.is_free));
    Charge { id, scope, models, limit_name, unit, bucket, since, last, width_ms, ends, amount, limit, is_free, source }
}

/// The position of a window at a moment.
struct Frame {
    bucket: i64,
    since: i64,
    last: i64,
    width_ms: i64,
    ends: Ends,
}

fn frame(window: &Window, at: Moment) -> Frame {
    match window {
        Window::Minute => sliding(at.now.steady_ms, MINUTE_MS / MINUTE_BUCKETS, MINUTE_BUCKETS),
        Window::Rolling { hours } => {
            let hours = i64::try_from(*hours).unwrap_or(i64::MAX);
            sliding(at.now.steady_ms, hours.saturating_mul(HOUR_MS / ROLLING_BUCKETS), ROLLING_BUCKETS)
        }
        Window::Day(day) => {
            // The hours of a day only show how fast it is spent; all of them count until the day ends.
            of_calendar(day::bounds(day, at.now.wall_ms), HOUR_MS, at.now)
        }
        Window::Week(day) => of_calendar(day::week_bounds(day, at.now.wall_ms), DAY_MS, at.now),
        Window::Month(day) => of_calendar(day::month_bounds(day, at.now.wall_ms), DAY_MS, at.now),
        Window::Ever => {
            let bucket = floor(at.now.steady_ms, DAY_MS);
            Frame { bucket, since: 0, last: i64::MAX, width_ms: DAY_MS, ends: Ends::Never }
        }
        Window::InFlight => {
            let (bucket, since) = (at.own_slot(), at.first_held());
            Frame { bucket, since, last: i64::MAX, width_ms: 1, ends: Ends::Unknown }
        }
    }
}

/// A window between two times of the wall clock. Its buckets are kept by the steady clock, so that what was spent an hour
/// ago belongs to today whatever date that hour had: a machine may begin in 1970. They are moved by whole buckets, so
/// that a clock that is set by a minute moves none of them.
fn of_calendar((start, next): (i64, i64), width_ms: i64, now: Now) -> Frame {
    let moved_ms = floor(now.ahead_ms().saturating_add(width_ms / 2), width_ms);
    let kept_ms = |wall_ms: i64| wall_ms.saturating_sub(moved_ms);
    let bucket = start.saturating_add(floor(now.wall_ms.saturating_sub(start), width_ms));
    Frame {
        bucket: kept_ms(bucket),
        since: kept_ms(start),
        last: kept_ms(next).saturating_sub(1),
        width_ms,
        ends: Ends::At(now.kept_ms(next)),
    }
}

fn sliding(now_ms: i64, width_ms: i64, buckets: i64) -> Frame {
    let width_ms = width_ms.max(1);
    let bucket = floor(now_ms, width_ms);
    let since = bucket.saturating_sub(width_ms.saturating_mul(buckets));
    // The clock of another host may be a little ahead.
    let last = bucket.saturating_add(width_ms);
    Frame { bucket, since, last, width_ms, ends: Ends::After(width_ms.saturating_mul(buckets + 1)) }
}

fn floor(ms: i64, width_ms: i64) -> i64 {
    ms.saturating_sub(ms.rem_euclid(width_ms))
}

#[cfg(test)]
mod tests;
