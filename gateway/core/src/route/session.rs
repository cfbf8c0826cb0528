//! What keeps a session together: one target and credential for it, and those that can read what was sealed in it.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{RouteRequest, affinity};
use crate::candidate::{AttemptParts, Candidate};
use crate::catalog::{Affinity, Credential, Model};
use crate::reasoning_seals::SealMaker;

/// Moves the target that the call's session or prompt belongs to before the others of its tier. A target that keeps
/// failing is not moved, since what it cached is lost anyway.
pub(super) fn keep_together(ask: &RouteRequest<'_>, model: &Model, first: usize, list: &mut [Candidate]) -> bool {
    let Some(hash) = ask.affinity_hash.filter(|_| model.affinity != Affinity::None) else { return false };
    let own = first_tier(list, first);
    let choices: Vec<affinity::Choice> = own
        .iter()
        .enumerate()
        .filter(|(_, candidate)| !candidate.failing && candidate.target.weight > 0)
        .map(|(position, candidate)| affinity::Choice {
            position,
            weight: candidate.target.weight,
            name: candidate.parts().name(),
        })
        .collect();
    let Some(position) = affinity::choose(hash, &choices) else { return false };
    if let Some(start) = own.get_mut(..=position) {
        start.rotate_right(1);
    }
    // The cache belongs to the account, so the credential must be the same too. While it rests, the next of its own order
    // serves its sessions, and no other session moves.
    if let Some(kept) = own.first_mut() {
        kept.credentials.sort_by_cached_key(|credential| Reverse(affinity::turn(hash, &credential.id)));
    }
    true
}

/// The candidates from `first` on that are of one tier.
fn first_tier(list: &mut [Candidate], first: usize) -> &mut [Candidate] {
    let own = list.get_mut(first..).unwrap_or_default();
    let lowest = own.first().map(|candidate| candidate.target.tier);
    let count = own.iter().take_while(|candidate| Some(candidate.target.tier) == lowest).count();
    own.get_mut(..count).unwrap_or_default()
}

/// Moves the targets and credentials that can read what was sealed last in the conversation before the others of their
/// tier, whatever the model's affinity: anywhere else the session would go on without it. Tells whether that changed
/// which is tried first.
pub(super) fn readers_first(ask: &RouteRequest<'_>, first: usize, list: &mut [Candidate]) -> bool {
    let Some(makers) = ask.makers.filter(|makers| !makers.is_empty()) else { return false };
    let reads = |candidate: &Candidate, credential: Option<&Credential>| {
        let to = AttemptParts { credential, ..candidate.parts() };
        let dialect = to.provider.serving(ask.operation).map(|endpoint| endpoint.dialect);
        let reader = SealMaker::of(to, ask.operation);
        reader.zip(dialect).is_some_and(|(reader, dialect)| makers.last_is_read_by(&reader, dialect))
    };
    let own = first_tier(list, first);
    let tried_first = |own: &[Candidate]| {
        let candidate = own.first()?;
        Some((Arc::as_ptr(&candidate.target), candidate.credentials.first().map(Arc::as_ptr)))
    };
    let before = tried_first(own);
    for candidate in own.iter_mut() {
        let mut credentials = std::mem::take(&mut candidate.credentials);
        credentials.sort_by_cached_key(|credential| !reads(candidate, Some(credential)));
        candidate.credentials = credentials;
    }
    own.sort_by_cached_key(|candidate| {
        let is_usable = !candidate.failing && candidate.target.weight > 0;
        !(is_usable && reads(candidate, candidate.credentials.first().map(|credential| &**credential)))
    });
    tried_first(own) != before
}
