//! Step 3: which targets can serve a call, in which order, and why others cannot.
//!
//! The order is drawn once, before the first attempt: failover then walks a list and never asks for luck again. The
//! whole decision follows from the call, the catalog and one number, the draw, which the record keeps.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::catalog::{Catalog, Credential, Model, Provider, ProviderKind, Target, Value};
use crate::dialect::Dialect;

/// The targets that can serve a call, best first, and those that cannot.
#[derive(Debug, Default)]
pub struct Candidates {
    /// In the order in which they are tried.
    pub list: Vec<Candidate>,
    /// The rest, each with its reason.
    pub skipped: Vec<Skipped>,
    /// The number the order was drawn from.
    pub draw: u64,
}

/// A target and the credentials it can be called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Index into the model's targets.
    pub target: usize,
    /// Indexes into the provider's credentials, in the order in which they are tried. Empty: called without one.
    pub credentials: Vec<usize>,
}

/// A target that was not considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// `provider/upstream-model`
    pub target: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a target was not considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// `enabled = false` on the target.
    TargetDisabled,
    /// `enabled = false` on its provider.
    ProviderDisabled,
    /// The provider does not speak the call's dialect.
    Dialect,
    /// None of the provider's credentials is enabled and can be read.
    NoCredential,
}

/// Orders the targets of `model` for a call in `dialect`.
pub fn route(catalog: &Catalog, model: &Model, dialect: Dialect, draw: u64) -> Candidates {
    let mut random = SmallRng::seed_from_u64(draw);
    let mut candidates = Candidates { draw, ..Candidates::default() };
    let mut able: Vec<Drawable> = Vec::with_capacity(model.targets.len());
    for (index, target) in model.targets.iter().enumerate() {
        let Some(provider) = catalog.providers.get(target.provider) else { continue };
        match usable(provider, target, dialect) {
            Ok(credentials) => able.push(Drawable { index, tier: target.tier, weight: target.weight, credentials }),
            Err(reason) => {
                candidates.skipped.push(Skipped { target: target_name(provider, target, &model.name), reason });
            }
        }
    }
    while let Some(chosen) = draw_one(&mut able, &mut random) {
        let credentials = shuffled(chosen.credentials, &mut random);
        candidates.list.push(Candidate { target: chosen.index, credentials });
    }
    candidates
}

/// What records and messages call a target.
pub fn target_name(provider: &Provider, target: &Target, asked: &str) -> String {
    format!("{}/{}", provider.name, target.model.as_deref().unwrap_or(asked))
}

struct Drawable {
    index: usize,
    tier: u32,
    weight: u32,
    credentials: Vec<usize>,
}

fn usable(provider: &Provider, target: &Target, dialect: Dialect) -> Result<Vec<usize>, SkipReason> {
    let ProviderKind::Http(endpoints) = &provider.kind else {
        return if target.enabled && provider.enabled { Ok(Vec::new()) } else { Err(disabled(target)) };
    };
    let able = |credential: &Credential| credential.enabled && matches!(credential.value, Value::Plain(_));
    let credentials: Vec<usize> =
        provider.credentials.iter().enumerate().filter(|(_, each)| able(each)).map(|(index, _)| index).collect();
    match () {
        () if !target.enabled || !provider.enabled => Err(disabled(target)),
        () if !endpoints.iter().any(|endpoint| endpoint.dialect == dialect) => Err(SkipReason::Dialect),
        () if credentials.is_empty() && !provider.credentials.is_empty() => Err(SkipReason::NoCredential),
        () => Ok(credentials),
    }
}

fn disabled(target: &Target) -> SkipReason {
    if target.enabled { SkipReason::ProviderDisabled } else { SkipReason::TargetDisabled }
}

/// Takes one out of the lowest tier that is left, with a chance in proportion to its weight.
fn draw_one(able: &mut Vec<Drawable>, random: &mut SmallRng) -> Option<Drawable> {
    let tier = able.iter().map(|each| each.tier).min()?;
    let total: u64 = able.iter().filter(|each| each.tier == tier).map(|each| u64::from(each.weight)).sum();
    let mut point = random.random_range(0..total.max(1));
    let mut chosen = None;
    for (position, each) in able.iter().enumerate().filter(|(_, each)| each.tier == tier) {
        chosen = Some(position);
        match point.checked_sub(u64::from(each.weight)) {
            None => break,
            Some(rest) => point = rest,
        }
    }
    chosen.map(|position| able.remove(position))
}

fn shuffled(mut credentials: Vec<usize>, random: &mut SmallRng) -> Vec<usize> {
    for last in (1..credentials.len()).rev() {
        credentials.swap(last, random.random_range(0..=last));
    }
    credentials
}

#[cfg(test)]
mod tests;
