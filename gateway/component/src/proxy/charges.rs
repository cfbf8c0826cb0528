//! The quotas of a call and its attempts as far as they touch the ledger: reserved before anything is sent, corrected when
//! it is known what was used, also of a call that is dropped.

use std::rc::Rc;

use gateway_core::call::Call;
use gateway_core::candidate::{Candidates, Named, Skip};
use gateway_core::catalog::{Key, Model};
use gateway_core::failover;
use gateway_core::outcome::Progress;
use gateway_core::price::Price;
use gateway_core::quota::{self, Adjustment, Estimate, Seen};
use gateway_core::refusal::Refusal;
use gateway_core::route::dearest;
use gateway_core::route::wait::LOOK_MS;

use crate::host;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::quota::{self as ledger, Reservation};

/// Charges that the ledger has, or gets afterwards.
pub(crate) struct Charged {
    instance: Rc<Instance>,
    charged: quota::Charged,
}

impl Charged {
    fn new(instance: &Rc<Instance>, charged: quota::Charged) -> Self {
        Charged { instance: instance.clone(), charged }
    }

    /// The ledger did not answer, and the attempt was made all the same.
    pub(crate) fn is_late(&self) -> bool {
        self.charged.is_late()
    }

    /// Whether it should have been paid from a credit, and nobody knows how much.
    pub(crate) fn lacks_price(&self) -> bool {
        self.charged.lacks_price()
    }

    /// Whether it is charged by more than what the provider said.
    pub(crate) fn is_estimated(&self, seen: &Seen) -> bool {
        self.charged.is_estimated(seen)
    }

    /// Corrects the ledger by what was seen of the answer.
    pub(crate) async fn settle(mut self, seen: &Seen) {
        let adjustments = self.charged.settle(seen);
        ledger::settle(&self.instance, &adjustments).await;
    }

    /// The same where only the answer shows what it is paid by.
    pub(crate) async fn settle_at(mut self, seen: &Seen, price: Option<Price>) {
        let adjustments = self.charged.settle_at(seen, price);
        ledger::settle(&self.instance, &adjustments).await;
    }

    /// Corrects the ledger by how far an attempt came that has no answer. Not waited for: it is done on a call's path.
    pub(crate) fn end(mut self, progress: Progress) {
        let adjustments = self.charged.end(progress);
        self.settle_soon(adjustments);
    }

    fn settle_soon(&self, adjustments: Vec<Adjustment>) {
        if !adjustments.is_empty() {
            let instance = self.instance.clone();
            host::spawn(async move { ledger::settle(&instance, &adjustments).await });
        }
    }
}

/// A call that is dropped while it waits for its answer (its client left) may have been worked on: what was reserved
/// stays charged, and the slot it held is free.
impl Drop for Charged {
    fn drop(&mut self) {
        let adjustments = self.charged.end(Progress::WorkedOn);
        self.settle_soon(adjustments);
    }
}

/// Reserves what an attempt of the call `id` takes of its provider's quotas. `Ok(None)`: it has none.
pub(crate) async fn reserve(
    instance: &Rc<Instance>,
    (estimate, id): (&Estimate<'_>, &str),
    to: Named<'_>,
    snapshot: &Snapshot,
) -> Result<Option<Charged>, Skip> {
    // Most providers have no quotas, and then nobody asks for the time.
    if !quota::has_limits(to) {
        return Ok(None);
    }
    let at = ledger::moment(instance, snapshot).of_call(id);
    let charges = estimate.of_attempt(to, at);
    if charges.list.is_empty() {
        return Ok(None);
    }
    match ledger::reserve(instance, &charges.list, at.now_ms).await {
        Reservation::Reserved => Ok(Some(Charged::new(instance, charges.made(false)))),
        Reservation::Unknown(_) => Ok(Some(Charged::new(instance, charges.made(true)))),
        Reservation::Refused(over) => Err(quota::refused(&over, at.now_ms, LOOK_MS)),
    }
}

/// Reserves what the call `id` takes of its key's limits. These fail closed: they are what keeps a key's holder within
/// bounds. A budget is charged what the dearest of the candidates may take.
pub(crate) async fn reserve_key(
    instance: &Rc<Instance>,
    (call, estimate, id): (&Call, &Estimate<'_>, &str),
    key: Option<&Key>,
    snapshot: &Snapshot,
    (model, candidates): (&Model, &Candidates),
) -> Result<Option<Charged>, Refusal> {
    let Some(key) = key.filter(|key| !key.limits.is_empty()) else { return Ok(None) };
    let at = ledger::moment(instance, snapshot).of_call(id);
    let pieces = estimate.pieces();
    let most =
        |guess: &dyn Fn(&Price) -> u64| dearest(&snapshot.catalog, model, &call.model, candidates, pieces, guess);
    let charges = estimate.of_key(key, most, at);
    match ledger::reserve(instance, &charges.list, at.now_ms).await {
        Reservation::Reserved => Ok(Some(Charged::new(instance, charges.made(false)))),
        Reservation::Unknown(Trouble::Absent) => {
            let said = format!(
                "Key {:?} has limits, and this host has no database to count them in. Take them out of the catalog.",
                &*key.name
            );
            Err(Refusal::unavailable("limits_unknown", said).without_retry())
        }
        Reservation::Unknown(trouble) => {
            let said = format!("The limits of key {:?} cannot be checked now: {trouble}. Try again.", &*key.name);
            Err(Refusal::unavailable("limits_unknown", said).after(1))
        }
        Reservation::Refused(over) => Err(failover::key_spent(&key.name, &over, host::unix_ms())),
    }
}
