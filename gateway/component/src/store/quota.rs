//! The quota ledger in SQLite. Each operation is one statement (`host.md`), so it is exact however many instances,
//! processes or hosts share the database, and a crash in the middle leaves nothing half done.
//!
//! The statements stand in files of their own beside this one, like the migrations: the tests run the very same text
//! from many threads.

pub(crate) mod allowances;

use std::cell::RefCell;
use std::rc::Rc;

use gateway_core::quota::{self, Adjustment, Charge, Moment, Over, Row, Spent};

use super::catalog::{self, Freshness};
use super::database::{self, Row as Found, Trouble, Value, number};
use super::health;
use crate::host;
use crate::instance::Instance;

/// All charges or none: a row for each, or no row at all.
const RESERVE: &str = include_str!("quota/reserve.sql");

/// Rows never fall below zero, and what is given back to a row that is gone stays gone.
const SETTLE: &str = include_str!("quota/settle.sql");

const READ: &str = include_str!("quota/read.sql");

/// What was spent elsewhere stands in one bucket, and the others of the window are emptied.
const SET: &str = include_str!("quota/set.sql");

const SWEEP: &str = include_str!("quota/sweep.sql");

/// Slots of one call, whichever limits they are of. The ledger is looked through for them: it is small, and no index is
/// worth its upkeep for what a crash alone asks for.
const RELEASE: &str = include_str!("quota/release.sql");

/// A call waits no longer than this for a locked database.
const RESERVE_MS_MAX: u64 = 250;

/// So many limits are read at once: a sliding window has up to 61 rows.
const READ_MAX: usize = 100;

/// Rows are kept this much longer than they count, for hosts whose clocks differ.
const SLACK_MS: i64 = 60 * 60 * 1000;

/// No call of the only process began later than this from now: such a slot is left from before the clock was set back, as
/// after a power cut on a machine that has none of its own.
const AHEAD_MS: i64 = 60 * 1000;

/// What is spent of a limit that is not in the catalog is forgotten after two days: one that is taken out and put back
/// goes on where it was.
const UNKNOWN_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// What never resets is kept for a quarter of a year after its last use: money is not to come back because a provider was
/// taken out for a week.
const UNKNOWN_CREDIT_MS: i64 = 92 * 24 * 60 * 60 * 1000;

/// Rows deleted by one statement; the text of [`SWEEP`] says so too.
const SWEEP_ROWS: usize = 500;

/// So many corrections wait for a database that did not take them.
const UNSETTLED_MAX: usize = 1024;

/// What an instance knows of the ledger.
#[derive(Default)]
pub(crate) struct Known {
    spent: RefCell<Spent>,
    /// Corrections that wait for a database that did not take them.
    unsettled: RefCell<Vec<Adjustment>>,
    allowances: allowances::Known,
}

/// What became of a reservation.
#[derive(Debug)]
pub(crate) enum Reservation {
    /// All charges are made; they must be settled or refunded.
    Reserved,
    /// None is made, and these limits are why. Empty when the ledger did not say which in time.
    Refused(Vec<Over>),
    /// The ledger did not answer in time. What is sent all the same is charged afterwards ([`quota::charge_late`]).
    Unknown(Trouble),
}

/// Now, as quotas see it.
pub(crate) fn moment(instance: &Instance, snapshot: &catalog::Snapshot) -> Moment {
    let (now_ms, total_ms_max) = (host::unix_ms(), snapshot.catalog.total_ms_max());
    Moment { now_ms, total_ms_max, boot_ms: instance.host.boot_ms(), slot: None }
}

/// Makes all charges of an attempt, or none.
pub(crate) async fn reserve(instance: &Rc<Instance>, charges: &[Charge], now_ms: i64) -> Reservation {
    if charges.is_empty() {
        return Reservation::Reserved;
    }
    let deadline_ms = host::now_ms().saturating_add(RESERVE_MS_MAX);
    let left_ms = || deadline_ms.saturating_sub(host::now_ms()).max(1);
    // Twice, since between a refusal and the look at its reason somebody may have given back what was missing.
    for _ in 0..2 {
        let (made, settling) = (charges.to_vec(), instance.clone());
        // A reservation that comes through after nobody waited for it any more is given back.
        let late = |rows: Vec<Found>| async move {
            if !rows.is_empty() {
                settle(&settling, &quota::refund(&made)).await;
            }
        };
        let reads_before = allowances::reads(instance);
        match database::rows_or_late(instance, RESERVE, vec![parameter(charges)], left_ms(), late).await {
            Ok(rows) if !rows.is_empty() => {
                allowances::reserved(instance, charges, reads_before);
                return Reservation::Reserved;
            }
            Ok(_) => {}
            Err(trouble) => return Reservation::Unknown(trouble),
        }
        let rows = database::rows_within(instance, READ, vec![parameter(charges)], left_ms()).await.unwrap_or_default();
        let over = quota::over(charges, &rows.into_iter().filter_map(row).collect::<Vec<_>>(), now_ms);
        if !over.is_empty() {
            // A key's own limits are asked of the ledger with each of its calls; nobody else need know.
            let of_providers: Vec<Over> = over.iter().filter(|over| !over.is_key()).cloned().collect();
            instance.store.quota.spent.borrow_mut().learn(&of_providers, now_ms);
            return Reservation::Refused(over);
        }
    }
    Reservation::Refused(Vec::new())
}

/// What this instance knows to be spent.
pub(crate) fn with_spent<T>(instance: &Instance, look: impl FnOnce(&Spent) -> T) -> T {
    look(&instance.store.quota.spent.borrow())
}

/// Corrects the ledger after an attempt. On the runner this is queued and not waited for; where the database did not
/// take it, it goes with the next one.
pub(crate) async fn settle(instance: &Instance, adjustments: &[Adjustment]) {
    if adjustments.is_empty() {
        return;
    }
    allowances::corrected(instance, adjustments);
    // What is given back may be what a limit lacked.
    let given_back = adjustments.iter().filter(|adjustment| adjustment.delta < 0);
    let Known { spent, unsettled: waiting, .. } = &instance.store.quota;
    given_back.for_each(|adjustment| spent.borrow_mut().forget(&adjustment.id));
    let unsettled = waiting.take();
    let first = unsettled.is_empty();
    let mut all = quota::merge(unsettled.into_iter().chain(adjustments.iter().cloned()));
    match database::write(instance, SETTLE, vec![Value::Text(quota::adjustments_json(&all))]).await {
        Ok(()) | Err(Trouble::Absent) => {}
        Err(trouble) => {
            if first {
                host::log(&format!("what attempts used could not be settled yet: {trouble}; it is tried again"));
            }
            // Others may have failed meanwhile; beyond the bound a slot under way is missing until its bucket is too old.
            let mut unsettled = waiting.borrow_mut();
            unsettled.append(&mut all);
            unsettled.truncate(UNSETTLED_MAX);
        }
    }
}

/// The rows that count for these limits.
pub(crate) async fn read(instance: &Instance, charges: &[Charge]) -> Result<Vec<Row>, Trouble> {
    let mut found = Vec::new();
    for some in charges.chunks(READ_MAX) {
        found.extend(database::rows(instance, READ, vec![parameter(some)]).await?.into_iter().filter_map(row));
    }
    Ok(found)
}

/// Sets what is spent of a limit within its present window.
pub(crate) async fn set(instance: &Instance, charge: &Charge, spent: u64) -> Result<(), Trouble> {
    let parameters = vec![
        Value::Text(charge.id.clone()),
        Value::Integer(charge.since),
        Value::Integer(charge.elsewhere_bucket()),
        number(Some(spent)),
    ];
    database::rows(instance, SET, parameters).await?;
    instance.store.quota.spent.borrow_mut().forget(&charge.id);
    health::tell_given_back(instance).await;
    Ok(())
}

/// Forgets what this instance knows to be spent: the ledger is asked again.
pub(crate) fn forget_spent(instance: &Instance) {
    instance.store.quota.spent.take();
}

/// Gives back what the call of this id holds that ended without giving it back itself.
pub(crate) async fn release(instance: &Instance, call: &str) -> Result<(), Trouble> {
    match quota::slot(call) {
        Some(slot) => database::write(instance, RELEASE, vec![Value::Integer(slot)]).await,
        None => Ok(()),
    }
}

/// Drops rows that no window counts any more, and slots that nobody can hold any more. Returns how many.
pub(crate) async fn sweep(instance: &Rc<Instance>) -> Result<usize, Trouble> {
    // Without a catalog nobody knows what counts.
    let Ok(snapshot) = catalog::current(instance, Freshness::Recent).await else { return Ok(0) };
    let at = moment(instance, &snapshot);
    let known = parameter(&quota::all(&snapshot.catalog, at));
    let mut deleted = 0;
    loop {
        let oldest = Value::Integer(at.now_ms.saturating_sub(UNKNOWN_MS));
        let oldest_credit = Value::Integer(at.now_ms.saturating_sub(UNKNOWN_CREDIT_MS));
        let ahead_ms = if at.boot_ms.is_some() { AHEAD_MS } else { SLACK_MS };
        let first_held = Value::Integer(at.first_held());
        let last_held = Value::Integer(quota::first_slot(at.now_ms.saturating_add(ahead_ms)));
        let slack = Value::Integer(SLACK_MS);
        let ahead = Value::Integer(ahead_ms);
        let parameters = vec![known.clone(), slack, oldest, oldest_credit, first_held, last_held, ahead];
        let swept = database::rows(instance, SWEEP, parameters).await?.len();
        deleted += swept;
        if swept < SWEEP_ROWS {
            return Ok(deleted);
        }
    }
}

fn parameter(charges: &[Charge]) -> Value {
    Value::Text(quota::charges_json(charges))
}

fn row(row: Found) -> Option<Row> {
    let mut values = row.values.into_iter();
    match (values.next()?, values.next()?, values.next()?) {
        (Value::Text(id), Value::Integer(bucket), Value::Integer(spent)) => {
            Some(Row { id, bucket, spent: u64::try_from(spent).unwrap_or(0) })
        }
        _ => None,
    }
}
