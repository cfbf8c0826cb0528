//! The way to a provider as the router sees it: who can take it, who shares it, and whether it works now.

use std::sync::Arc;

use crate::candidate::{Candidate, Skip, SkipReason};
use crate::catalog::{Credential, Egress};
use crate::health::{Availability, DIRECT, Health, Subject, Subjects};

/// Why nobody can take this way here, whatever recent attempts say.
pub(super) fn unusable(egress: Option<&Egress>, proxies: bool) -> Option<Skip> {
    let egress = egress?;
    let reason = match egress {
        Egress::Proxy(_) if !proxies => SkipReason::EgressUnsupported,
        _ if !egress.is_known() => SkipReason::NoCredential,
        _ => return None,
    };
    Some(Skip::new(reason, None))
}

/// Which of a candidate's credentials share a way out.
pub(super) fn shared(candidate: &Candidate) -> Vec<usize> {
    let provider = &candidate.target.provider;
    if provider.credentials.iter().all(|credential| credential.egress.is_none()) {
        return Vec::new();
    }
    let mut known: Vec<Option<Arc<str>>> = Vec::new();
    let egress = |credential: &Arc<Credential>| {
        let key = provider.egress_of(Some(credential)).and_then(Egress::key).cloned();
        known.iter().position(|other| *other == key).unwrap_or_else(|| {
            known.push(key);
            known.len() - 1
        })
    };
    candidate.credentials.iter().map(egress).collect()
}

/// What health says against the way to the provider of an attempt, for a call that itself probes what it has `held`.
pub fn way_resting(
    health: &Health,
    of: &Subjects,
    egress: Option<&Egress>,
    held: &[Subject],
    now_ms: i64,
) -> Option<Skip> {
    let waits = of.ways().filter(|way| !held.contains(way)).filter_map(|way| match health.availability(way, now_ms) {
        Availability::Not(_, until_ms) => Some((until_ms, way)),
        Availability::Able | Availability::Probe => None,
    });
    let (until_ms, way) = waits.max_by_key(|(until_ms, _)| *until_ms)?;
    Some(resting(way, egress, until_ms))
}

/// Why an attempt is not made that would have to probe a subject which another call probes.
pub fn probed(health: &Health, of: &Subjects, egress: Option<&Egress>, subject: &Subject, until_ms: i64) -> Skip {
    match health.standing(subject) {
        Some(standing) if of.account().any(|other| other == subject) => {
            super::account_resting(health, subject, standing.trouble, until_ms)
        }
        _ if of.ways().any(|way| way == subject) => resting(subject, egress, until_ms),
        _ => Skip::new(SkipReason::Probing, Some(until_ms)),
    }
}

fn resting(way: &Subject, egress: Option<&Egress>, until_ms: i64) -> Skip {
    let (reason, message) = match way {
        Subject::Address(address) => (SkipReason::Unreachable, Some(address.to_string())),
        _ => (SkipReason::EgressResting, egress.map_or_else(|| Some(DIRECT.to_owned()), Egress::name)),
    };
    Skip { reason, until_ms: Some(until_ms), message }
}
