//! The most that a call may cost wherever it goes, which its key's budget is charged before anything is sent. The price
//! of the first candidate would not do, because failover may end at any of them and a budget is only asked once for a
//! call.

use std::sync::Arc;

use crate::candidate::{Candidate, Candidates};
use crate::catalog::{Catalog, Model, Target};
use crate::price::{Pieces, Price};

/// The largest estimate over the candidates of a call of `model` by the name `requested`, in nano-dollars. If none is free
/// at the moment, as when the call is about to wait for a slot, all enabled targets count. Targets without a price do
/// not, since a key with a budget skips them.
pub fn dearest(
    catalog: &Catalog,
    model: &Model,
    requested: &str,
    candidates: &Candidates,
    (pieces, at_ms): (Pieces, i64),
    guess: impl Fn(&Price) -> u64,
) -> u64 {
    let of = |target: &Target, upstream_model: &str| Some(guess(&target.priced(upstream_model, pieces, at_ms)?.price));
    if !candidates.list.is_empty() {
        let of = |candidate: &Candidate| of(&candidate.target, &candidate.upstream_model);
        return candidates.list.iter().filter_map(of).max().unwrap_or(0);
    }
    let all = catalog.with_fallbacks(model).flat_map(|each| {
        let is_asked = std::ptr::eq(each, model) || each.is_pattern();
        let requested: Arc<str> = if is_asked { requested.into() } else { Arc::clone(&each.name) };
        let enabled = each.targets.iter().filter(|target| target.enabled);
        enabled.map(move |target| (target, target.upstream_model(&requested)))
    });
    all.filter_map(|(target, upstream_model)| of(target, &upstream_model)).max().unwrap_or(0)
}
