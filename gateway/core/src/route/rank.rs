//! The ranks of targets for the strategies `cost` and `quota`; the lowest goes first.

use std::sync::Arc;

use crate::candidate::AttemptParts;
use crate::catalog::{Credential, Strategy, Target};
use crate::price;

use super::RouteRequest;
use crate::quota;

/// The rank of a target among those of its tier.
pub(super) fn of_target(
    ask: &RouteRequest<'_>,
    strategy: Strategy,
    to: AttemptParts<'_>,
    ranks: &[(Arc<Credential>, i64)],
) -> i64 {
    match strategy {
        Strategy::Weighted | Strategy::RoundRobin | Strategy::Latency => 0,
        Strategy::Cost => cost_nano(ask, to.target, to.upstream_model),
        Strategy::Quota => ranks.iter().map(|(_, rank)| *rank).min().unwrap_or_else(|| (ask.expires)(to)),
    }
}

/// The rank of each of these credentials: when what it may spend expires.
pub(super) fn of_credentials(
    ask: &RouteRequest<'_>,
    strategy: Strategy,
    to: AttemptParts<'_>,
    credentials: &[Arc<Credential>],
) -> Vec<(Arc<Credential>, i64)> {
    if strategy != Strategy::Quota {
        return Vec::new();
    }
    let rank = |credential: &Arc<Credential>| {
        (Arc::clone(credential), (ask.expires)(AttemptParts { credential: Some(credential), ..to }))
    };
    credentials.iter().map(rank).collect()
}

/// The cost with an answer of the usual length, which is enough to tell which target is cheaper.
fn cost_nano(ask: &RouteRequest<'_>, target: &Target, upstream_model: &str) -> i64 {
    let priced = target.priced(upstream_model, ask.pieces, ask.now.wall_ms);
    priced.map_or(i64::MAX, |priced| price::estimate(&priced.price, ask.demand.tokens, quota::ANSWER_TOKENS))
}
