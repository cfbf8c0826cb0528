//! The quota ledger in SQLite. Each operation is one statement (`host.md`), so that it is exact however many instances,
//! processes or hosts share the database, and a crash leaves nothing half done.
//!
//! The statements stand in files of their own beside this one, like the migrations: the tests run the very same text
//! from many threads.

pub(crate) mod allowances;

use std::cell::RefCell;
use std::rc::Rc;

use gateway_core::quota::{self, Adjustment, Charge, ExceededLimit, Moment, Row, Spent};

use super::catalog::{self, Freshness};
use super::database::{self, Row as Found, Trouble, Value, number};
use super::health;
use crate::host;
use crate::instance::Instance;

/// Makes all charges or none: it returns a row for each charge, or no row at all.
const RESERVE: &str = include_str!("quota/reserve.sql");

/// Corrects rows. None falls below zero, and a row that is gone does not come back.
const SETTLE: &str = include_str!("quota/settle.sql");

const READ: &str = include_str!("quota/read.sql");

/// Sets what is spent: the whole amount goes into one bucket, and the other buckets of the window are emptied.
const SET: &str = include_str!("quota/set.sql");

/// Raises what is spent to what the provider told: the difference goes into the bucket for what was spent elsewhere.
const RAISE: &str = include_str!("quota/raise.sql");

const SWEEP: &str = include_str!("quota/sweep.sql");

/// Gives back the slots of one call, whichever limits they belong to. It scans the ledger, which is small; only a crash
/// needs this, so an index would not pay.
const RELEASE: &str = include_str!("quota/release.sql");

/// How long a call waits for a locked database. On the runner all writes go through one thread, which answers sooner; where
/// each instance writes for itself, many wait for each other, and a call that did not wait would pass its quota.
const RESERVE_MS_MAX: u64 = 250;
const RESERVE_MS_MAX_ELSEWHERE: u64 = 2_500;

/// How many limits are read at once. A sliding window has up to 61 rows.
const READ_MAX: usize = 100;

/// How much longer rows are kept than they count, because the clocks of hosts differ.
const SLACK_MS: i64 = 60 * 60 * 1000;

/// A slot of a call that would begin later than this from now is left over from before the clock was set back, as after
/// a power cut on a machine without a clock of its own.
const AHEAD_MS: i64 = 60 * 1000;

/// How long the spent amount of a limit is kept that is no longer in the catalog, so that a limit that is removed and
/// added again goes on where it was.
const UNKNOWN_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// How long the spent amount of a credit that never resets is kept after its last use, so that money does not come back
/// when a provider is removed for a week.
const UNKNOWN_CREDIT_MS: i64 = 92 * 24 * 60 * 60 * 1000;

/// How many rows one statement deletes. The text of [`SWEEP`] repeats the number.
const SWEEP_ROWS: usize = 500;

/// How many corrections are kept while the database does not take them.
const UNSETTLED_MAX: usize = 1024;

/// What an instance remembers of the ledger.
#[derive(Default)]
pub(crate) struct QuotaStore {
    spent: RefCell<Spent>,
    /// Corrections that the database has not taken yet.
    unsettled: RefCell<Vec<Adjustment>>,
    allowances: allowances::AllowanceStore,
}

/// The result of a reservation.
#[derive(Debug)]
pub(crate) enum Reservation {
    /// All charges were made; they must be settled or given back.
    Reserved,
    /// No charge was made because of these limits. Empty if the ledger did not say in time which they are.
    Refused(Vec<ExceededLimit>),
    /// The ledger did not answer in time. If the attempt is made, it is charged afterwards ([`quota::charge_late`]).
    Unknown(Trouble),
}

/// The present time in the form that quotas need.
pub(crate) fn moment(instance: &Instance, snapshot: &catalog::Snapshot) -> Moment {
    let (now, total_ms_max) = (host::now(), snapshot.catalog.total_ms_max());
    Moment { now, total_ms_max, boot_ms: instance.host.boot_ms(), slot: None }
}

/// Makes all charges of an attempt, or none.
pub(crate) async fn reserve(instance: &Rc<Instance>, charges: &[Charge], now_ms: i64) -> Reservation {
    if charges.is_empty() {
        return Reservation::Reserved;
    }
    let wait_ms = if instance.host.queues_writes { RESERVE_MS_MAX } else { RESERVE_MS_MAX_ELSEWHERE };
    let deadline_ms = host::now_ms().saturating_add(wait_ms);
    let left_ms = || deadline_ms.saturating_sub(host::now_ms()).max(1);
    // A second try, because what was missing may have been given back between the refusal and the look at its reason.
    for _ in 0..2 {
        let (made, settling) = (charges.to_vec(), instance.clone());
        // A reservation that succeeds when nobody waits for it any more is given back.
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
            // The limits of a key are checked in the ledger with each of its calls, so only those of providers are
            // remembered.
            let of_providers: Vec<ExceededLimit> = over.iter().filter(|over| !over.is_key()).cloned().collect();
            instance.store.quota.spent.borrow_mut().learn(&of_providers, now_ms);
            return Reservation::Refused(over);
        }
    }
    Reservation::Refused(Vec::new())
}

/// Reads what this instance knows to be spent.
pub(crate) fn with_spent<T>(instance: &Instance, look: impl FnOnce(&Spent) -> T) -> T {
    look(&instance.store.quota.spent.borrow())
}

/// Corrects the ledger after an attempt. On the runner this is queued and not waited for. If the database does not take
/// a correction, it is sent again with the next one.
pub(crate) async fn settle(instance: &Instance, adjustments: &[Adjustment]) {
    if adjustments.is_empty() {
        return;
    }
    allowances::corrected(instance, adjustments);
    // A limit may have got back what it lacked.
    let given_back = adjustments.iter().filter(|adjustment| adjustment.delta < 0);
    let QuotaStore { spent, unsettled: waiting, .. } = &instance.store.quota;
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
            // Other corrections may have failed meanwhile. Beyond the bound, a slot stays taken until its bucket is too
            // old.
            let mut unsettled = waiting.borrow_mut();
            unsettled.append(&mut all);
            unsettled.truncate(UNSETTLED_MAX);
        }
    }
}

/// Reads the rows that count for these limits.
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

/// Raises what is spent of a limit within its current window to this amount, if it is less.
pub(crate) async fn raise(instance: &Instance, charge: &Charge, spent: u64) -> Result<(), Trouble> {
    let parameters = vec![
        Value::Text(charge.id.clone()),
        Value::Integer(charge.since),
        Value::Integer(charge.last),
        Value::Integer(charge.elsewhere_bucket()),
        number(Some(spent)),
    ];
    database::rows(instance, RAISE, parameters).await.map(drop)
}

/// Forgets what this instance knows to be spent, so that the ledger is asked again.
pub(crate) fn forget_spent(instance: &Instance) {
    instance.store.quota.spent.take();
}

/// Gives back what the call of this id still holds, because it ended without doing so.
pub(crate) async fn release(instance: &Instance, call: &str) -> Result<(), Trouble> {
    match quota::slot(call, host::now()) {
        Some(slot) => database::write(instance, RELEASE, vec![Value::Integer(slot)]).await,
        None => Ok(()),
    }
}

/// Deletes rows that no window counts any more, and slots that no call can hold any more. Returns their number.
pub(crate) async fn sweep(instance: &Rc<Instance>) -> Result<usize, Trouble> {
    // Without a catalog it is not known which rows count.
    let Ok(snapshot) = catalog::current(instance, Freshness::Recent).await else { return Ok(0) };
    let at = moment(instance, &snapshot);
    let known = parameter(&quota::all(&snapshot.catalog, at));
    let mut deleted = 0;
    loop {
        let oldest = Value::Integer(at.now.steady_ms.saturating_sub(UNKNOWN_MS));
        let oldest_credit = Value::Integer(at.now.steady_ms.saturating_sub(UNKNOWN_CREDIT_MS));
        let ahead_ms = if at.boot_ms.is_some() { AHEAD_MS } else { SLACK_MS };
        let first_held = Value::Integer(at.first_held());
        let last_held = Value::Integer(quota::first_slot(at.now.steady_ms.saturating_add(ahead_ms)));
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
