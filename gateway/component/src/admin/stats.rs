//! `GET /api/stats`: what calls come to, by time and by whom.

use gateway_core::refusal::{Refusal, Reply};
use gateway_core::stats::Period;
use gateway_core::views::StatsView;

use super::unavailable;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::stats;

/// The figures of a period.
pub(super) async fn read(instance: &Instance, incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let zone = &snapshot.catalog.settings.zone;
    let period = Period::parse(incoming.query.as_deref().unwrap_or_default(), zone, incoming.at.wall_ms)?;
    Ok(Reply::json(200, &of(instance, &period).await?))
}

/// The same as a view.
pub(crate) async fn of(instance: &Instance, period: &Period) -> Result<StatsView, Refusal> {
    let by_step = stats::by_step(instance, period).await.map_err(unavailable)?;
    let mut by_series = Vec::new();
    if period.by.is_some() {
        by_series = stats::by_series(instance, period).await.map_err(unavailable)?;
        by_series.extend(stats::first_by_series(instance, period).await.map_err(unavailable)?);
    }
    Ok(StatsView::of(period, &by_step, &by_series))
}
