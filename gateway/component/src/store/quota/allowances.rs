//! What this instance knows of allowances that expire, for models with the strategy `quota`. Read behind the calls' backs
//! and only while there are such calls: a call is ordered by what the last look found, and never waits for one.

use std::cell::{Cell, RefCell};

use gateway_core::catalog::Catalog;
use gateway_core::quota::{self, Adjustment, Allowances, Charge, Moment};
use spin_sdk::sqlite::Value;
use spin_sdk::wasip3;

use super::{READ_MAX, parameter};
use crate::host;
use crate::store::database;

/// What is spent of each limit, as one number.
const SUMS: &str = include_str!("sums.sql");

/// What was read is not read again for this long.
const RECENT_MS: u64 = 5_000;

thread_local! {
    static ALLOWANCES: RefCell<Allowances> = RefCell::default();
    /// When the last look began, on the monotonic clock.
    static LOOKED_MS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Looks at what is known.
pub(crate) fn with<T>(look: impl FnOnce(&Allowances) -> T) -> T {
    ALLOWANCES.with_borrow(look)
}

/// Takes note of a reservation.
pub(super) fn reserved(charges: &[Charge]) {
    ALLOWANCES.with_borrow_mut(|allowances| allowances.reserved(charges));
}

/// Takes note of corrections.
pub(super) fn corrected(adjustments: &[Adjustment]) {
    ALLOWANCES.with_borrow_mut(|allowances| allowances.corrected(adjustments));
}

/// Reads anew what is spent, unless that was done a moment ago.
pub(crate) fn refresh(catalog: &Catalog, at: Moment) {
    let now_ms = host::now_ms();
    if LOOKED_MS.get().is_some_and(|looked_ms| now_ms.saturating_sub(looked_ms) < RECENT_MS) {
        return;
    }
    LOOKED_MS.set(Some(now_ms));
    let charges: Vec<Charge> = quota::all(catalog, at).into_iter().filter(quota::is_allowance).collect();
    wasip3::spawn(async move {
        let mut sums = Vec::new();
        for some in charges.chunks(READ_MAX) {
            // A database that does not answer leaves what was known; the next look comes soon enough.
            let Ok(rows) = database::rows(SUMS, vec![parameter(some)]).await else { return };
            sums.extend(rows.into_iter().filter_map(|row| {
                let mut values = row.values.into_iter();
                match (values.next()?, values.next()?) {
                    (Value::Text(id), Value::Integer(spent)) => Some((id, u64::try_from(spent).unwrap_or(0))),
                    _ => None,
                }
            }));
        }
        ALLOWANCES.with_borrow_mut(|allowances| allowances.replace(&charges, sums));
    });
}
