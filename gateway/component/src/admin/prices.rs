//! `/api/prices`: the operator's own prices, asking for them now, and the yes to those that fell by more than half.

use std::rc::Rc;

use gateway_core::price::Waiting;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::{AcceptedPricesView, PricesView};
use serde::Deserialize;

use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::prices;
use crate::store::catalog::Snapshot;

/// Shows where they come from, what is in force and what waits.
pub(super) async fn read(instance: &Instance, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    Ok(Reply::json(200, &view(instance, snapshot).await?))
}

/// The same as a view.
pub(crate) async fn view(instance: &Instance, snapshot: &Snapshot) -> Result<PricesView, Refusal> {
    let Some(origin) = &snapshot.catalog.settings.prices else { return Ok(PricesView::of(None, None)) };
    let state = prices::known(instance).await.map_err(unavailable)?;
    Ok(PricesView::of(Some(origin), state))
}

/// Asks their file or address now.
pub(super) async fn refresh(instance: &Rc<Instance>, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    renew(instance, snapshot).await?;
    read(instance, snapshot).await
}

/// The same for pages.
pub(crate) async fn renew(instance: &Rc<Instance>, snapshot: &Snapshot) -> Result<(), Refusal> {
    let Some(origin) = &snapshot.catalog.settings.prices else {
        let message = "There is no `settings.prices`. Set it to the name of a file or an https address.";
        return Err(Refusal::not_found("no_price_file", message));
    };
    prices::renew(instance, origin).await.map_err(unavailable)
}

/// Which waiting prices are accepted: those of a provider, of a model, of both, or all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
}

impl Accepted {
    fn names(&self, waiting: &Waiting) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        is(&self.provider, &waiting.provider) && is(&self.model, &waiting.model)
    }
}

/// Puts waiting prices in force.
pub(super) async fn accept(instance: &Instance, incoming: &Incoming) -> Result<Reply, Refusal> {
    let accepted = take(instance, super::json(incoming).await?).await?;
    Ok(Reply::json(200, &AcceptedPricesView { accepted }))
}

/// The same for pages. Returns how many these were.
pub(crate) async fn take(instance: &Instance, accepted: Accepted) -> Result<usize, Refusal> {
    let count = prices::accept(instance, |waiting| accepted.names(waiting)).await.map_err(unavailable)?;
    match count {
        0 => {
            let message = "No such price waits. GET /api/prices lists those that do.";
            Err(Refusal::not_found("price_not_found", message))
        }
        count => Ok(count),
    }
}

fn unavailable(problem: String) -> Refusal {
    Refusal::unavailable("store_failed", format!("Prices cannot be changed now: {problem}.")).after(1)
}
