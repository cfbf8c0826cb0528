//! What this instance knows of allowances that expire, for models with the strategy `quota`. It is read in the
//! background, and only while there are such calls. A call is ordered by the last result and never waits for a new one,
//! unless it is the only call that its instance will ever serve.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gateway_core::catalog::Catalog;
use gateway_core::quota::{self, Adjustment, Allowances, Charge, Moment};

use super::{READ_MAX, parameter};
use crate::host;
use crate::instance::Instance;
use crate::store::database::{self, Value};

/// The spent amount of each limit, as one number.
const SUMS: &str = include_str!("sums.sql");

/// How long a result is used before it is read again.
const RECENT_MS: u64 = 5_000;

/// What an instance remembers of allowances.
#[derive(Default)]
pub(crate) struct AllowanceStore {
    allowances: RefCell<Allowances>,
    /// When the last look began, on the monotonic clock.
    looked_ms: Cell<Option<u64>>,
}

/// Reads what is known.
pub(crate) fn with<T>(instance: &Instance, look: impl FnOnce(&Allowances) -> T) -> T {
    look(&instance.store.quota.allowances.allowances.borrow())
}

/// How many times this instance has read the ledger. Ask before a reservation is sent.
pub(super) fn reads(instance: &Instance) -> u64 {
    with(instance, Allowances::reads)
}

/// Notes a reservation that was sent after so many reads.
pub(super) fn reserved(instance: &Instance, charges: &[Charge], reads_before: u64) {
    instance.store.quota.allowances.allowances.borrow_mut().reserved(charges, reads_before);
}

/// Notes corrections.
pub(super) fn corrected(instance: &Instance, adjustments: &[Adjustment]) {
    instance.store.quota.allowances.allowances.borrow_mut().corrected(adjustments);
}

/// Reads again what is spent, in the background, unless that was done a moment ago.
pub(crate) fn refresh(instance: &Rc<Instance>, catalog: &Catalog, at: Moment) {
    if let Some(charges) = due(instance, catalog, at) {
        let instance = instance.clone();
        host::spawn(async move { read(&instance, charges).await });
    }
}

/// Reads what is spent, for a call that is the only one of its instance.
pub(crate) async fn refresh_now(instance: &Instance, catalog: &Catalog, at: Moment) {
    if let Some(charges) = due(instance, catalog, at) {
        read(instance, charges).await;
    }
}

/// What is to be read, if that was not done a moment ago.
fn due(instance: &Instance, catalog: &Catalog, at: Moment) -> Option<Vec<Charge>> {
    let now_ms = host::now_ms();
    let looked_ms = &instance.store.quota.allowances.looked_ms;
    if looked_ms.get().is_some_and(|looked_ms| now_ms.saturating_sub(looked_ms) < RECENT_MS) {
        return None;
    }
    looked_ms.set(Some(now_ms));
    Some(quota::all(catalog, at).into_iter().filter(quota::is_allowance).collect())
}

async fn read(instance: &Instance, charges: Vec<Charge>) {
    let mut sums = Vec::new();
    for some in charges.chunks(READ_MAX) {
        // If the database does not answer, the last result stays; the next read comes soon.
        let Ok(rows) = database::rows(instance, SUMS, vec![parameter(some)]).await else { return };
        sums.extend(rows.into_iter().filter_map(|row| {
            let mut values = row.values.into_iter();
            match (values.next()?, values.next()?) {
                (Value::Text(id), Value::Integer(spent)) => Some((id, u64::try_from(spent).unwrap_or(0))),
                _ => None,
            }
        }));
    }
    instance.store.quota.allowances.allowances.borrow_mut().replace(&charges, sums);
}
