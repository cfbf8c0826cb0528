//! Step 3: which targets can serve a call, in which order, and why others cannot.
//!
//! The order is drawn once, before the first attempt; failover then walks a list and draws nothing more. The whole
//! decision follows from the call, the catalog, what is known about health, and one random number, which the record
//! keeps.

pub mod affinity;
mod dearest;
mod egress;
mod rank;
mod session;
pub mod strategy;
pub mod wait;

use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::call::Demand;
use crate::candidate::{AttemptParts, Candidate, Candidates, ResponseOwner, Skip, SkipReason, Skipped};
use crate::catalog::{Affinity, Catalog, Credential, Model, ProviderKind, Strategy, Target, Translation, Value};
use crate::clock::Now;
use crate::echo;
use crate::health::{Availability, Health, Subject, Subjects, Trouble};
use crate::operation::Operation;
use crate::price::Pieces;
use crate::reasoning_seals::Makers;
pub use dearest::dearest;
use strategy::{Choice, Rotation};

pub use egress::{probed, way_resting};

/// Tells why a quota forbids an attempt, as far as that is known.
pub type KnownSpent<'a> = dyn Fn(AttemptParts<'_>) -> Option<Skip> + 'a;

/// Tells when the first allowance expires that an attempt draws on
/// ([`Allowances::expires_ms`](crate::quota::Allowances::expires_ms)).
pub type Expires<'a> = dyn Fn(AttemptParts<'_>) -> i64 + 'a;

/// What the router is asked for a call.
pub struct RouteRequest<'a> {
    /// The configuration.
    pub catalog: &'a Catalog,
    /// The model that was asked for.
    pub model: &'a Model,
    /// The name by which it was asked for.
    pub requested: &'a str,
    /// The operation that was asked for.
    pub operation: Operation,
    /// Whether the answer is wanted as a stream.
    pub streamed: bool,
    /// What the call needs of a target.
    pub demand: Demand,
    /// Whether the client relies on its provider's review of tool calls.
    pub has_safeguards: bool,
    /// The tags that the caller's key avoids.
    pub avoid: &'a [String],
    /// Whether only targets with a known price may serve the call, because the key has a budget.
    pub priced_only: bool,
    /// What the call generates or transcribes apart from text.
    pub pieces: Pieces,
    /// The hash that the model's affinity depends on, if the call has one: of the session, or of the beginning of the
    /// prompt.
    pub affinity_hash: Option<u64>,
    /// Who sealed the reasoning in the call.
    pub makers: Option<&'a Makers>,
    /// What recent attempts say.
    pub health: &'a Health,
    /// Whether the host can use an egress proxy.
    pub proxies: bool,
    /// Tells whether a quota for an attempt is known to be spent.
    pub spent: &'a KnownSpent<'a>,
    /// Tells when what may be spent expires. Only models with the strategy `quota` ask.
    pub expires: &'a Expires<'a>,
    /// The time.
    pub now: Now,
    /// The random number that the order is drawn from.
    pub draw: u64,
    /// The maker of the response that the call continues.
    pub owner: Option<&'a ResponseOwner>,
}

/// Orders the targets that can serve a call: the model's own by tier, then those of its fallbacks.
pub fn route(ask: &RouteRequest<'_>, rotation: &mut Rotation) -> Candidates {
    let mut random = SmallRng::seed_from_u64(ask.draw);
    let mut candidates = Candidates { draw: ask.draw, ..Candidates::default() };
    for model in ask.catalog.with_fallbacks(ask.model).filter(|model| model.enabled) {
        let is_own = std::ptr::eq(model, ask.model);
        // A pattern is no name that a provider could know.
        let requested = if is_own || model.is_pattern() { ask.requested.into() } else { Arc::clone(&model.name) };
        let mut able = able_targets(ask, model, &requested, &mut candidates.skipped);
        let first = candidates.list.len();
        while let Some(tier) = able.iter().map(|each| each.tier).min() {
            let of_tier: Vec<AbleTarget> = able.extract_if(.., |each| each.tier == tier).collect();
            // A turn is taken once for each call, among the targets that are tried first.
            let is_first = is_own && candidates.list.is_empty();
            order(model, of_tier, is_first.then_some(&mut *rotation), &mut random, &mut candidates.list);
        }
        if is_own && session::keep_together(ask, model, first, &mut candidates.list) {
            candidates.affinity = Some(model.affinity);
        }
        if is_own && session::readers_first(ask, first, &mut candidates.list) {
            candidates.affinity = Some(Affinity::Session);
        }
    }
    for candidate in &mut candidates.list {
        candidate.egress_groups = egress::shared(candidate);
    }
    candidates
}

struct AbleTarget {
    tier: u64,
    weight: u32,
    latency_ms: Option<f64>,
    /// The lowest goes first: what this call would cost there in nano-dollars, or when an allowance expires. What is
    /// unknown comes last.
    rank: i64,
    /// The rank of each credential, if they differ.
    ranks: Vec<(Arc<Credential>, i64)>,
    /// Its position among the model's targets.
    place: usize,
    candidate: Candidate,
}

/// The targets of a model that can serve the call. A target without a name of its own is sent the name that was asked
/// for.
fn able_targets(
    ask: &RouteRequest<'_>,
    model: &Model,
    requested: &Arc<str>,
    skipped: &mut Vec<Skipped>,
) -> Vec<AbleTarget> {
    let mut able = Vec::with_capacity(model.targets.len());
    for (place, target) in model.targets.iter().enumerate() {
        let provider = &*target.provider;
        let upstream_model = &target.upstream_model(requested);
        let subject = ask.health.target_of(provider, target, upstream_model);
        let to = AttemptParts { target, provider, upstream_model, credential: None };
        let usable = fits(ask, model, to)
            .and_then(|()| standing(ask, &subject))
            .and_then(|probe| Ok((probe, usable_credentials(ask, to)?)));
        match usable {
            Ok((probe, credentials)) => {
                let ranks = rank::of_credentials(ask, model.strategy, to, &credentials);
                able.push(AbleTarget {
                    tier: tier(ask, model, target),
                    weight: target.weight.max(1),
                    latency_ms: ask.health.wait_ms(&subject, ask.streamed, ask.now.steady_ms),
                    rank: rank::of_target(ask, model.strategy, to, &ranks),
                    ranks,
                    place,
                    candidate: Candidate {
                        target: Arc::clone(target),
                        upstream_model: Arc::clone(upstream_model),
                        failing: probe || ask.health.is_failing(&subject) || is_unreachable(ask, to, &credentials),
                        credentials,
                        egress_groups: Vec::new(),
                        context: target.capabilities.context,
                    },
                });
            }
            Err(skip) => skipped.push(skip.of(to.name())),
        }
    }
    able
}

/// The target's tier, or a tier behind all others if its translation is the last resort. A target of weight 0 comes behind
/// the others of its tier.
fn tier(ask: &RouteRequest<'_>, model: &Model, target: &Target) -> u64 {
    const BEHIND_ALL: u64 = 1 << 32;
    let provider = &target.provider;
    let is_translated = model.translation == Translation::LastResort
        && matches!(provider.kind, ProviderKind::Http(_))
        && provider.endpoint(ask.operation.dialect()).is_none();
    let tier = u64::from(target.tier) + if is_translated { BEHIND_ALL } else { 0 };
    2 * tier + u64::from(target.weight == 0)
}

/// Whether a target could ever serve the call.
fn fits(ask: &RouteRequest<'_>, model: &Model, to: AttemptParts<'_>) -> Result<(), Skip> {
    let AttemptParts { target, provider, upstream_model, .. } = to;
    let speaks = || match &provider.kind {
        ProviderKind::Echo => echo::serves(ask.operation),
        ProviderKind::Http(_) if model.translation == Translation::Off => {
            provider.endpoint(ask.operation.dialect()).is_some()
        }
        ProviderKind::Http(_) => provider.serving(ask.operation).is_some(),
    };
    let (demand, can) = (ask.demand, target.capabilities);
    let lacks =
        (demand.tools && !can.tools) || (demand.structured && !can.structured) || (demand.images && !can.images);
    let reason = match () {
        () if !target.enabled => SkipReason::TargetDisabled,
        () if !provider.enabled => SkipReason::ProviderDisabled,
        () if !speaks() => SkipReason::Dialect,
        () if ask.owner.is_some_and(|owner| owner.provider != *provider.name) => SkipReason::OtherOwner,
        () if ask.has_safeguards && !to.gives_safeguards(ask.operation) => SkipReason::Safeguards,
        () if lacks => SkipReason::Capability,
        () if can.context.is_some_and(|context| demand.tokens > context) => SkipReason::Context,
        () if provider.tags.iter().any(|tag| ask.avoid.contains(tag)) => SkipReason::Tag,
        () if ask.priced_only && target.priced(upstream_model, ask.pieces, ask.now.wall_ms).is_none() => {
            SkipReason::Unpriced
        }
        () => return Ok(()),
    };
    Err(Skip::new(reason, None))
}

/// Whether the target's breaker lets a call through, and whether only as a probe.
fn standing(ask: &RouteRequest<'_>, target: &Subject) -> Result<bool, Skip> {
    match ask.health.availability(target, ask.now.steady_ms) {
        Availability::Able => Ok(false),
        Availability::Probe => Ok(true),
        Availability::Not(Trouble::UnknownModel, until_ms) => Err(Skip::new(SkipReason::UnknownModel, Some(until_ms))),
        Availability::Not(_, until_ms) => Err(Skip::new(SkipReason::Open, Some(until_ms))),
    }
}

/// The credentials that can be used now. If none can, the one that recovers first says why.
fn usable_credentials(ask: &RouteRequest<'_>, to: AttemptParts<'_>) -> Result<Vec<Arc<Credential>>, Skip> {
    let provider = to.provider;
    let kept_back = |credential: Option<&Credential>| {
        let to = AttemptParts { credential, ..to };
        egress::unusable(provider.egress_of(credential), ask.proxies)
            .or_else(|| resting(ask, to))
            .or_else(|| (ask.spent)(to))
    };
    if provider.credentials.is_empty() {
        return kept_back(None).map_or(Ok(Vec::new()), Err);
    }
    let owner = ask.owner.and_then(|owner| owner.credential.as_deref());
    let is_owner = |credential: &Credential| owner.is_none_or(|id| *credential.id == *id);
    let able = |credential: &&Arc<Credential>| {
        credential.enabled && matches!(credential.value, Value::Plain(_)) && is_owner(credential)
    };
    let (mut usable, mut first_back): (Vec<Arc<Credential>>, Option<Skip>) = (Vec::new(), None);
    for credential in provider.credentials.iter().filter(able) {
        match kept_back(Some(credential)) {
            None => usable.push(Arc::clone(credential)),
            Some(skip) if first_back.as_ref().is_none_or(|first| skip.back_ms() < first.back_ms()) => {
                first_back = Some(skip);
            }
            Some(_) => {}
        }
    }
    match (usable.is_empty(), first_back) {
        (false, _) => Ok(usable),
        (true, Some(skip)) => Err(skip),
        (true, None) => Err(Skip::new(SkipReason::NoCredential, None)),
    }
}

/// What health says against a credential on this model, or against the provider if it is called without a credential.
fn resting(ask: &RouteRequest<'_>, to: AttemptParts<'_>) -> Option<Skip> {
    if ask.health.is_calm() {
        return None;
    }
    let of = Subjects::to(to, ask.operation, ask.health);
    if let Some(skip) = way_resting(ask.health, &of, to.provider.egress_of(to.credential), &[], ask.now.steady_ms) {
        return Some(skip);
    }
    let waits = of.account().filter_map(|subject| match ask.health.availability(subject, ask.now.steady_ms) {
        Availability::Not(trouble, until_ms) => Some((until_ms, trouble, subject)),
        Availability::Able | Availability::Probe => None,
    });
    let (until_ms, trouble, subject) = waits.max_by_key(|(until_ms, ..)| *until_ms)?;
    Some(account_resting(ask.health, subject, trouble, until_ms))
}

/// Whether the host is known to be unreachable, if one of these credentials connects to it directly.
fn is_unreachable(ask: &RouteRequest<'_>, to: AttemptParts<'_>, credentials: &[Arc<Credential>]) -> bool {
    let first = credentials.iter().map(|each| Some(&**each)).chain(credentials.is_empty().then_some(None));
    let mut addresses = first.filter_map(|credential| AttemptParts { credential, ..to }.address(ask.operation));
    addresses.next().is_some_and(|address| ask.health.is_failing(&Subject::Address(Arc::clone(address))))
}

/// Why a credential in this trouble is not used.
fn account_resting(health: &Health, subject: &Subject, trouble: Trouble, until_ms: i64) -> Skip {
    let reason = match trouble {
        Trouble::Spent => SkipReason::QuotaSpent,
        Trouble::Cooling => SkipReason::Cooling,
        _ => SkipReason::CredentialsResting,
    };
    let message =
        (trouble == Trouble::Spent).then(|| health.standing(subject).map(|standing| standing.message.clone()));
    Skip { reason, until_ms: Some(until_ms), message: message.flatten() }
}

/// Appends the targets of one tier in the order of the model's strategy.
fn order(
    model: &Model,
    mut able: Vec<AbleTarget>,
    rotation: Option<&mut Rotation>,
    random: &mut SmallRng,
    list: &mut Vec<Candidate>,
) {
    let mut first = match model.strategy {
        Strategy::Weighted | Strategy::Cost | Strategy::Quota => None,
        Strategy::RoundRobin => rotation.and_then(|rotation| {
            let choices = able.iter().map(|each| Choice { id: each.place, weight: each.weight });
            rotation.next(&model.name, choices.collect::<Vec<_>>().as_slice())
        }),
        Strategy::Latency => {
            let weighted: Vec<(u32, Option<f64>)> = able.iter().map(|each| (each.weight, each.latency_ms)).collect();
            strategy::quicker_of_two(&weighted, random).and_then(|position| able.get(position)).map(|each| each.place)
        }
    };
    while !able.is_empty() {
        let lowest = able.iter().map(|each| each.rank).min();
        let weight = |each: &AbleTarget| if Some(each.rank) == lowest { each.weight } else { 0 };
        let weights: Vec<u32> = able.iter().map(weight).collect();
        let position_of_first = first.take().and_then(|place| able.iter().position(|each| each.place == place));
        let Some(position) = position_of_first.or_else(|| strategy::draw(&weights, random)) else { return };
        let AbleTarget { mut candidate, ranks, .. } = able.remove(position);
        shuffle(&mut candidate.credentials, random);
        if !ranks.is_empty() {
            let rank = |credential: &Arc<Credential>| {
                ranks.iter().find(|(known, _)| Arc::ptr_eq(known, credential)).map(|(_, rank)| *rank)
            };
            candidate.credentials.sort_by_key(rank);
        }
        list.push(candidate);
    }
}

fn shuffle(credentials: &mut [Arc<Credential>], random: &mut SmallRng) {
    for last in (1..credentials.len()).rev() {
        credentials.swap(last, random.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests;
