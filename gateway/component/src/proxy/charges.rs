//! The charges of a call and its attempts in the ledger: reserved before anything is sent, and corrected when the use
//! is known, even if the call is dropped.

use std::rc::Rc;

use gateway_core::call::Call;
use gateway_core::candidate::{AttemptParts, Candidates, Skip};
use gateway_core::catalog::{Key, Model};
use gateway_core::failover;
use gateway_core::outcome::Progress;
use gateway_core::price::Price;
use gateway_core::quota::{self, Adjustment, AnswerSummary, Estimate};
use gateway_core::refusal::Refusal;
use gateway_core::route::dearest;
use gateway_core::route::wait::LOOK_MS;

use crate::host;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::quota::{self as ledger, Reservation};

/// Charges that are in the ledger, or will be added to it afterwards.
pub(crate) struct LedgerCharges {
    instance: Rc<Instance>,
    charged: quota::UnsettledCharges,
}

impl LedgerCharges {
    fn new(instance: &Rc<Instance>, charged: quota::UnsettledCharges) -> Self {
        LedgerCharges { instance: instance.clone(), charged }
    }

    /// Whether the ledger did not answer, so that the attempt was made without a reservation.
    pub(crate) fn is_late(&self) -> bool {
        self.charged.is_late()
    }

    /// Whether a credit should have paid for the attempt, but its price is not known.
    pub(crate) fn lacks_price(&self) -> bool {
        self.charged.lacks_price()
    }

    /// Whether it is charged for more than the provider reported.
    pub(crate) fn is_estimated(&self, seen: &AnswerSummary) -> bool {
        self.charged.is_estimated(seen)
    }

    /// Corrects the ledger by what was seen of the answer.
    pub(crate) async fn settle(mut self, seen: &AnswerSummary) {
        let adjustments = self.charged.settle(seen);
        ledger::settle(&self.instance, &adjustments).await;
    }

    /// Corrects the ledger, for an answer whose price is only known from the answer itself.
    pub(crate) async fn settle_at(mut self, seen: &AnswerSummary, price: Option<Price>) {
        let adjustments = self.charged.settle_at(seen, price);
        ledger::settle(&self.instance, &adjustments).await;
    }

    /// Corrects the ledger for an attempt without an answer, by how far it came. Does not wait, since the call still
    /// runs.
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

/// A call that is dropped while it waits for its answer (its client has left) may have been worked on. What was
/// reserved stays charged, and its slot becomes free.
impl Drop for LedgerCharges {
    fn drop(&mut self) {
        let adjustments = self.charged.end(Progress::WorkedOn);
        self.settle_soon(adjustments);
    }
}

/// Reserves what an attempt of the call `id` may use of its provider's quotas. Returns `Ok(None)` if there are none.
pub(crate) async fn reserve(
    instance: &Rc<Instance>,
    (estimate, id): (&Estimate<'_>, &str),
    to: AttemptParts<'_>,
    snapshot: &Snapshot,
) -> Result<Option<LedgerCharges>, Skip> {
    // Most providers have no quotas, and asking for the time would cost a call of the host.
    if !quota::has_limits(to) {
        return Ok(None);
    }
    let at = ledger::moment(instance, snapshot).of_call(id);
    let charges = estimate.of_attempt(to, at);
    if charges.list.is_empty() {
        return Ok(None);
    }
    match ledger::reserve(instance, &charges.list, at.now.steady_ms).await {
        Reservation::Reserved => Ok(Some(LedgerCharges::new(instance, charges.made(false)))),
        Reservation::Unknown(_) => Ok(Some(LedgerCharges::new(instance, charges.made(true)))),
        Reservation::Refused(over) => Err(quota::refused(&over, at.now.steady_ms, LOOK_MS)),
    }
}

/// Reserves what the call `id` may use of its key's limits. If the ledger does not answer, the call is refused, since
/// these limits are what keeps the key's holder within bounds. A budget is charged for the most expensive candidate.
pub(crate) async fn reserve_key(
    instance: &Rc<Instance>,
    (call, estimate, id): (&Call, &Estimate<'_>, &str),
    key: Option<&Key>,
    snapshot: &Snapshot,
    (model, candidates): (&Model, &Candidates),
) -> Result<Option<LedgerCharges>, Refusal> {
    let Some(key) = key.filter(|key| key.all_limits().next().is_some()) else { return Ok(None) };
    let at = ledger::moment(instance, snapshot).of_call(id);
    let paid = (estimate.pieces(), at.now.wall_ms);
    let most = |guess: &dyn Fn(&Price) -> u64| dearest(&snapshot.catalog, model, &call.model, candidates, paid, guess);
    let charges = estimate.of_key(key, most, at);
    match ledger::reserve(instance, &charges.list, at.now.steady_ms).await {
        Reservation::Reserved => Ok(Some(LedgerCharges::new(instance, charges.made(false)))),
        Reservation::Unknown(Trouble::Absent) => {
            let message = format!(
                "Key {:?} has limits, and this host has no database to count them in. Take them out of the catalog.",
                &*key.name
            );
            Err(Refusal::unavailable("limits_unknown", message).without_retry())
        }
        Reservation::Unknown(trouble) => {
            let message = format!("The limits of key {:?} cannot be checked now: {trouble}. Try again.", &*key.name);
            Err(Refusal::unavailable("limits_unknown", message).after(1))
        }
        Reservation::Refused(over) => Err(failover::key_spent(&key.name, &over, host::now())),
    }
}
