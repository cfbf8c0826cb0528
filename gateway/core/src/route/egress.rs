//! The egress of a provider in routing: whether this host can use it, which credentials share it, and whether it works
//! now.

use std::sync::Arc;

use crate::candidate::{Candidate, Skip, SkipReason};
use crate::catalog::{Credential, Egress};
use crate::health::{Availability, DIRECT, Health, Subject, Subjects};

/// Why this host cannot use the egress at all, whatever recent attempts say.
pub(super) fn unusable(egress: Option<&Egress>, proxies: bool) -> Option<Skip> {
    let egress = egress?;
    let reason = match egress {
        Egress::Proxy(_) if !proxies => SkipReason::EgressUnsupported,
        _ if !egress.is_known() => SkipReason::NoCredential,
        _ => return None,
    };
    Some(Skip::new(reason, None))
}

/// Which credentials of a candidate share an egress.
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

/// Why the egress or address of an attempt cannot be used now. The call itself may probe the subjects that it has
/// `held`.
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

/// Why an attempt must not be made now, because another call is probing its subject.
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
