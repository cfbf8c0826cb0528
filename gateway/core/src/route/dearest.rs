//! The most a call may cost wherever it goes: what its key's budget is charged before anything is sent. Not the price of
//! the first candidate: failover may end at any of them, and a budget is asked only once for a call.

use crate::catalog::{Catalog, Target};
use crate::price::Price;

use crate::candidate::{Candidates, name_asked};

/// The largest of the guesses for the candidates of a call of the model at `ask_model`, in nano-dollars. Where none is
/// free at the moment, as when the call is about to wait for a slot, all enabled targets count. Targets without a price
/// are none: a key with a budget skips them.
pub fn dearest(
    catalog: &Catalog,
    ask_model: usize,
    asked: &str,
    candidates: &Candidates,
    guess: impl Fn(&Price) -> u64,
) -> u64 {
    let of = |index: usize, target: &Target| {
        let model = catalog.models.get(index)?;
        let provider = catalog.providers.get(target.provider)?;
        let name = target.model.as_deref().unwrap_or_else(|| name_asked(ask_model, asked, index, model));
        Some(guess(&target.priced(provider, name)?.price))
    };
    if !candidates.list.is_empty() {
        let chosen = candidates.list.iter().filter_map(|candidate| {
            of(candidate.model, catalog.models.get(candidate.model)?.targets.get(candidate.target)?)
        });
        return chosen.max().unwrap_or(0);
    }
    let fallback = catalog.models.get(ask_model).map(|model| model.fallback.as_slice()).unwrap_or_default();
    let models = std::iter::once(ask_model).chain(fallback.iter().copied());
    let all = models.flat_map(|index| {
        let targets = catalog.models.get(index).map(|model| model.targets.as_slice()).unwrap_or_default();
        targets.iter().filter(|target| target.enabled).filter_map(move |target| of(index, target))
    });
    all.max().unwrap_or(0)
}
