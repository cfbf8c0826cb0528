//! The statements of the quota ledger on a real SQLite, from many threads at once: the very text the component runs,
//! fed with what the core makes of a catalog. Nothing of the runner is in between.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gateway_core::catalog::Document;
use gateway_core::clock::Now;
use gateway_core::quota::{
    self, Adjustment, Charge, Moment, Row, Spend, adjustments_json, charges_json, refund, settle, windows,
};
use rusqlite::{Connection, params};

use crate::common::PATIENCE;

const TABLE: &str = include_str!("../../../gateway/component/src/store/migrations/0005_quota.sql");
const SLOTS: &str = include_str!("../../../gateway/component/src/store/migrations/0008_quota_slots.sql");
const RESERVE: &str = include_str!("../../../gateway/component/src/store/quota/reserve.sql");
const SETTLE: &str = include_str!("../../../gateway/component/src/store/quota/settle.sql");
const READ: &str = include_str!("../../../gateway/component/src/store/quota/read.sql");
const SET: &str = include_str!("../../../gateway/component/src/store/quota/set.sql");
const RAISE: &str = include_str!("../../../gateway/component/src/store/quota/raise.sql");
const SWEEP: &str = include_str!("../../../gateway/component/src/store/quota/sweep.sql");
const RELEASE: &str = include_str!("../../../gateway/component/src/store/quota/release.sql");

const THREADS: usize = 32;
const HOUR_MS: i64 = 3_600_000;
const NOW_MS: i64 = 1_700_000_000_000;

/// One connection to a ledger.
struct Ledger(Connection);

impl Ledger {
    fn open(folder: &Path) -> Ledger {
        let connection = Connection::open(folder.join("quota.db")).expect("a database");
        connection.busy_timeout(PATIENCE).expect("a connection");
        // What is tested is who gets what, not whether it survives a power cut.
        connection.pragma_update(None, "synchronous", "OFF").expect("a setting");
        connection.execute_batch(TABLE).expect("the migration");
        connection.execute_batch(SLOTS).expect("the migration");
        Ledger(connection)
    }

    /// A ledger that many write at once: with a log, as the runner has it.
    fn shared(folder: &Path) -> Ledger {
        let ledger = Ledger::open(folder);
        ledger.0.execute_batch("PRAGMA journal_mode = WAL").expect("a log");
        ledger
    }

    fn reserve(&self, charges: &[Charge]) -> bool {
        let mut statement = self.0.prepare_cached(RESERVE).expect("a statement");
        let rows = statement
            .query_map([charges_json(charges)], |_| Ok(()))
            .expect("it runs")
            .map(|row| row.expect("a row"))
            .count();
        assert!(rows == 0 || rows == charges.len(), "{rows} of {} charges", charges.len());
        rows > 0
    }

    fn settle(&self, adjustments: &[Adjustment]) {
        self.0.prepare_cached(SETTLE).expect("a statement").execute([adjustments_json(adjustments)]).expect("it runs");
    }

    fn read(&self, charges: &[Charge]) -> Vec<Row> {
        let mut statement = self.0.prepare_cached(READ).expect("a statement");
        let rows = statement.query_map([charges_json(charges)], |row| {
            let spent: i64 = row.get(2)?;
            Ok(Row { id: row.get(0)?, bucket: row.get(1)?, spent: u64::try_from(spent).expect("never below zero") })
        });
        rows.expect("it runs").map(|row| row.expect("a row")).collect()
    }

    fn set(&self, charge: &Charge, spent: i64) {
        let mut statement = self.0.prepare_cached(SET).expect("a statement");
        let parameters = params![charge.id, charge.since, charge.elsewhere_bucket(), spent];
        assert!(
            statement.query_map(parameters, |_| Ok(())).expect("it runs").map(|row| row.expect("a row")).count() > 0
        );
    }

    /// Whether it was less before.
    fn raise(&self, charge: &Charge, spent: i64) -> bool {
        let mut statement = self.0.prepare_cached(RAISE).expect("a statement");
        let parameters = params![charge.id, charge.since, charge.last, charge.elsewhere_bucket(), spent];
        statement.query_map(parameters, |_| Ok(())).expect("it runs").map(|row| row.expect("a row")).count() > 0
    }

    fn sweep(&self, charges: &[Charge], slack_ms: i64, oldest_ms: i64) -> usize {
        let mut statement = self.0.prepare_cached(SWEEP).expect("a statement");
        let oldest_credit_ms = oldest_ms - 90 * 24 * HOUR_MS;
        let parameters = params![charges_json(charges), slack_ms, oldest_ms, oldest_credit_ms, 0, i64::MAX, slack_ms];
        statement.query_map(parameters, |_| Ok(())).expect("it runs").map(|row| row.expect("a row")).count()
    }

    /// Sweeps slots alone: none counts below the first or above the last.
    fn sweep_slots(&self, first: i64, last: i64) -> usize {
        let mut statement = self.0.prepare_cached(SWEEP).expect("a statement");
        let parameters = params!["[]", 0, i64::MIN, i64::MIN, first, last, 0];
        statement.query_map(parameters, |_| Ok(())).expect("it runs").map(|row| row.expect("a row")).count()
    }

    fn release(&self, slot: i64) {
        self.0.prepare_cached(RELEASE).expect("a statement").execute([slot]).expect("it runs");
    }

    /// All rows there are.
    fn count(&self) -> i64 {
        self.0.query_row("SELECT count(*) FROM quota", [], |row| row.get(0)).expect("a number")
    }

    /// What is spent of each of these limits.
    fn spent(&self, charges: &[Charge], now_ms: i64) -> Vec<u64> {
        let rows = self.read(charges);
        charges.iter().map(|charge| quota::status(charge, &rows, now_ms).spent).collect()
    }
}

/// The charges of a call of so many tokens at a provider with this quota.
fn charges(quota: &str, tokens: u64, now_ms: i64) -> Vec<Charge> {
    charges_at(quota, tokens, Moment { now: Now::of_wall(now_ms), total_ms_max: 3_600_000, boot_ms: None, slot: None })
}

/// The same of the call that began at this time, as one of several.
fn charges_of_call(quota: &str, now_ms: i64, index: usize) -> Vec<Charge> {
    let slot = Some(quota::first_slot(now_ms) + i64::try_from(index).expect("a few"));
    charges_at(quota, 0, Moment { now: Now::of_wall(now_ms), total_ms_max: 3_600_000, boot_ms: None, slot })
}

fn charges_at(quota: &str, tokens: u64, at: Moment) -> Vec<Charge> {
    let text = format!("[[providers]]\nname = \"p\"\nbase_url = \"https://p.example\"\nquota = {{ {quota} }}");
    let catalog = Document::from_toml(&text).expect("TOML").validate().expect("a catalog");
    let provider = catalog.providers.first().expect("a provider");
    windows(provider, None, "m", Spend::tokens(tokens), at)
}

/// Runs this in every thread, each with a connection of its own.
fn in_many_threads(folder: &Path, run: impl Fn(&Ledger, usize) + Sync) {
    thread::scope(|scope| {
        for index in 0..THREADS {
            let run = &run;
            scope.spawn(move || run(&Ledger::open(folder), index));
        }
    });
}

#[test]
fn many_threads_get_exactly_what_the_limit_allows() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::shared(folder.path());
    let charges = charges("rpd = 500, rpm = 1000, tpm = 1000000, rolling = { calls = 800, hours = 5 }", 7, NOW_MS);
    let granted = AtomicUsize::new(0);
    in_many_threads(folder.path(), |ledger, _| {
        let count = (0..40).filter(|_| ledger.reserve(&charges)).count();
        granted.fetch_add(count, Ordering::Relaxed);
    });
    assert_eq!(granted.into_inner(), 500);
    assert_eq!(ledger.spent(&charges, NOW_MS), [500, 3500, 500, 500], "a refused call is charged nowhere");
    let over = quota::over(&charges, &ledger.read(&charges), NOW_MS);
    assert_eq!(over.iter().map(|over| (over.limit_name.as_str(), over.spent)).collect::<Vec<_>>(), [("rpd", 500)]);
}

#[test]
fn many_threads_settle_and_refund_to_exactly_what_was_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::shared(folder.path());
    let charges = charges("rpd = 100000, tpd = 100000000, concurrent = 40", 100, NOW_MS);
    in_many_threads(folder.path(), |ledger, thread| {
        for call in 0..20 {
            assert!(ledger.reserve(&charges));
            // Every fourth call fails; the others use more than was guessed, less, or nobody knows what.
            ledger.settle(&match (thread + call) % 4 {
                0 => refund(&charges),
                1 => settle(&charges, Spend::tokens(150)),
                2 => settle(&charges, Spend::tokens(10)),
                _ => settle(&charges, Spend::default()),
            });
        }
    });
    let calls = THREADS as u64 * 20 / 4;
    assert_eq!(ledger.spent(&charges, NOW_MS), [3 * calls, calls * (150 + 10 + 100), 0]);
}

#[test]
fn calls_under_way_never_exceed_their_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Ledger::shared(folder.path());
    let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    in_many_threads(folder.path(), |ledger, thread| {
        for call in 0..20 {
            let charges = charges_of_call("concurrent = 5", NOW_MS, thread * 20 + call);
            if ledger.reserve(&charges) {
                most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                under_way.fetch_sub(1, Ordering::SeqCst);
                ledger.settle(&settle(&charges, Spend::default()));
            }
        }
    });
    assert!((1..=5).contains(&most.into_inner()));
    assert_eq!(first.count(), 0, "a slot that is given back leaves no row");
}

#[test]
fn a_call_that_ended_without_a_word_gives_back_only_its_own_slots() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let [first, second] = [1, 2].map(|index| charges_of_call("rpm = 9, concurrent = 2", NOW_MS, index));
    assert!(ledger.reserve(&first) && ledger.reserve(&second));
    assert_eq!(ledger.spent(&first, NOW_MS), [2, 2]);
    ledger.release(first[1].bucket);
    assert_eq!(ledger.spent(&second, NOW_MS), [2, 1]);
    ledger.settle(&settle(&first, Spend::default()));
    assert_eq!(ledger.spent(&second, NOW_MS), [2, 1], "nothing is given back twice");
    ledger.settle(&refund(&second));
    assert_eq!(ledger.spent(&first, NOW_MS), [1, 0]);
}

#[test]
fn the_sweep_takes_the_slots_of_an_earlier_start_and_of_another_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let began_at = |ms: i64| charges_of_call("rpd = 9, concurrent = 9", NOW_MS + ms, 7);
    for ms in [-HOUR_MS, -1, 0, 1, HOUR_MS] {
        assert!(ledger.reserve(&began_at(ms)));
    }
    let calls = ledger.spent(&began_at(0), NOW_MS)[0];
    assert_eq!(ledger.sweep_slots(quota::first_slot(NOW_MS), quota::first_slot(NOW_MS + 2)), 3);
    let since_all = Charge { since: 0, ..began_at(0).remove(1) };
    assert_eq!(ledger.read(&[since_all]).len(), 2);
    assert_eq!(ledger.spent(&began_at(0), NOW_MS)[0], calls, "nothing else is touched");
}

#[test]
fn a_window_forgets_bucket_by_bucket() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let at = |seconds: i64| charges("rpm = 2", 0, 1_700_000_000_000 + seconds * 1000);
    for (seconds, granted) in [(0, true), (30, true), (59, false), (64, false), (65, true), (94, false), (95, true)] {
        assert_eq!(ledger.reserve(&at(seconds)), granted, "after {seconds} s");
    }
}

#[test]
fn what_was_spent_before_the_clock_was_set_back_never_counts_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let at = |ms: i64| charges("rpm = 1, rpd = 9, rolling = { calls = 1, hours = 5 }", 0, NOW_MS + ms);
    let spent = |ms: i64, name: &str| {
        let charge = at(ms).into_iter().find(|charge| charge.limit_name == name).expect("a limit");
        ledger.spent(&[charge], NOW_MS + ms)[0]
    };
    assert!(ledger.reserve(&at(8 * HOUR_MS)));
    assert!(ledger.reserve(&at(0)), "eight hours from now is not within the last five");
    assert!(!ledger.reserve(&at(0)), "and this one counts");
    ledger.sweep(&at(0), HOUR_MS, 0);
    for (name, then) in [("rpm", 0), ("rolling-5h", 0), ("rpd", 1)] {
        assert_eq!(
            (spent(0, name), spent(8 * HOUR_MS, name)),
            (1, then),
            "{name}: what a day may is kept for that day"
        );
    }
}

#[test]
fn a_correction_never_falls_below_zero_and_what_is_gone_stays_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let charges = charges("tpm = 1000", 100, NOW_MS);
    ledger.settle(&refund(&charges));
    assert_eq!(ledger.read(&charges), [], "nothing was there to give back");
    assert!(ledger.reserve(&charges));
    ledger.settle(&refund(&charges));
    ledger.settle(&refund(&charges));
    assert_eq!(ledger.spent(&charges, NOW_MS), [0]);
    ledger.settle(&quota::charge_late(&charges, Spend::tokens(u64::MAX)));
    ledger.settle(&quota::charge_late(&charges, Spend::tokens(u64::MAX)));
    assert_eq!(ledger.spent(&charges, NOW_MS), [quota::SPENT_MAX], "no usage a provider claims overflows");
    assert!(!ledger.reserve(&charges));
}

#[test]
fn what_was_spent_elsewhere_takes_the_place_of_the_whole_window() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let early = charges("rolling = { calls = 10, hours = 5 }, rpd = 10", 0, NOW_MS);
    let later = charges("rolling = { calls = 10, hours = 5 }, rpd = 10", 0, NOW_MS + HOUR_MS / 2);
    assert!(ledger.reserve(&early) && ledger.reserve(&later));
    for charge in &later {
        ledger.set(charge, 9);
    }
    assert_eq!(ledger.spent(&later, NOW_MS), [9, 9]);
    assert!(ledger.reserve(&later));
    assert!(!ledger.reserve(&later));
    for charge in &later {
        ledger.set(charge, 0);
    }
    assert!(ledger.reserve(&later));
}

#[test]
fn the_sweep_takes_what_counts_no_more_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let quota = "rpm = 9, rpd = 9, rolling = { calls = 9, hours = 5 }";
    for hours in [0, 26] {
        assert!(ledger.reserve(&charges(quota, 0, NOW_MS + hours * HOUR_MS)));
    }
    let removed = charges("tpm = 9", 1, NOW_MS);
    assert!(ledger.reserve(&removed));
    let now_ms = NOW_MS + 26 * HOUR_MS;
    let now = charges(quota, 0, now_ms);
    assert_eq!(ledger.sweep(&now, HOUR_MS, NOW_MS), 3);
    assert_eq!(ledger.read(&now).len(), 3);
    assert_eq!(ledger.read(&removed).len(), 1, "a limit taken out of the catalog is not forgotten at once");
    assert_eq!(ledger.sweep(&now, HOUR_MS, now_ms), 1);
    assert_eq!(ledger.read(&now).len(), 3);
}

#[test]
fn the_sweep_keeps_what_never_resets_long_after_it_has_left_the_catalog() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path());
    let mut credit = charges("credit = \"10 USD\"", 0, NOW_MS);
    credit[0].amount = 7;
    assert!(ledger.reserve(&credit));
    let days = |days: i64| NOW_MS + days * 24 * HOUR_MS;
    assert_eq!(ledger.sweep(&credit, HOUR_MS, days(400)), 0, "what is in the catalog counts for ever");
    assert_eq!(ledger.sweep(&[], HOUR_MS, days(80)), 0, "taken out it is not forgotten for a while");
    assert_eq!(ledger.spent(&charges("credit = \"10 USD\"", 0, days(80)), days(80)), [7]);
    assert_eq!(ledger.sweep(&[], HOUR_MS, days(92)), 1);
}

#[test]
fn many_threads_spend_a_credit_to_its_last_cent_and_no_further() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::shared(folder.path());
    let mut charges = charges("credit = \"1 USD\"", 0, NOW_MS);
    charges[0].amount = 10_000_000;
    let granted = AtomicUsize::new(0);
    in_many_threads(folder.path(), |ledger, thread| {
        for call in 0..10 {
            if ledger.reserve(&charges) {
                granted.fetch_add(1, Ordering::Relaxed);
                // Half of them turn out to cost half a cent.
                let cost_nano = Some(if (thread + call) % 2 == 0 { 5_000_000 } else { 10_000_000 });
                ledger.settle(&settle(&charges, Spend { cost_nano, ..Spend::default() }));
            }
        }
    });
    let spent = ledger.spent(&charges, NOW_MS)[0];
    assert!((990_000_001..=1_000_000_000).contains(&spent), "{spent} of 10^9 after {granted:?} calls");
}

#[test]
fn a_told_number_only_ever_raises_what_is_spent_in_its_window() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::shared(folder.path());
    let day = charges("rpd = 1000", 0, NOW_MS);
    let yesterday = charges("rpd = 1000", 0, NOW_MS - 24 * HOUR_MS);
    ledger.set(&yesterday[0], 900);
    assert!(ledger.reserve(&day));
    let raised = AtomicUsize::new(0);
    in_many_threads(folder.path(), |ledger, _| {
        raised.fetch_add(usize::from(ledger.raise(&day[0], 300)), Ordering::Relaxed);
    });
    assert_eq!((raised.into_inner(), ledger.spent(&day, NOW_MS)[0]), (1, 300), "once, whoever comes first");
    for spent in [0, 1, 299, 300] {
        assert!(!ledger.raise(&day[0], spent), "{spent}");
    }
    assert!(ledger.reserve(&day) && ledger.raise(&day[0], 400));
    assert_eq!(ledger.spent(&day, NOW_MS), [400]);
    assert_eq!(ledger.spent(&yesterday, NOW_MS - 24 * HOUR_MS), [900], "another day is not touched");
}
