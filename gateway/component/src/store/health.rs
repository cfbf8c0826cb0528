//! Health in key-value: `health/<subject>` for each subject in trouble, `cleared`, what people cleared of them and when,
//! and `health`, a stamp that changes with any of these. Written on transitions only and never on a call's path; an
//! instance looks at the stamp at most every 100 ms, and applies what it learns itself at once.
//!
//! All of it is advice: a store that does not answer costs a few attempts and no call.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

use gateway_core::catalog::Catalog;
use gateway_core::failover::RetryBudget;
use gateway_core::health::{
    At, Availability, Cleared, Health, PROBE_MS_MAX, Standing, Subject, Subjects, TargetLatency,
};
use gateway_core::outcome::limits::LimitSignal;
use gateway_core::route::strategy::Rotation;
use gateway_core::verdict::{Class, Verdict};
use spin_sdk::key_value::Store;
use spin_sdk::sqlite::Value;
use spin_sdk::wasip3;

use super::database::{self, Trouble};
use super::looks::Looks;
use super::quota;
use super::{catalog, signals};
use crate::host;

const STAMP: &str = "health";
const PREFIX: &str = "health/";
const CLEARED: &str = "cleared";

/// So often is what others published read for one look.
const LOOKS_MAX: usize = 2;

/// Between two writes of an instance: Spin's key-value is slow, and a hosted one allows few.
const PUBLISH_MS: u64 = 250;

/// Models whose retry budgets are kept; more than any catalog has, and a bound all the same.
const MODELS_MAX: usize = 4096;

/// A call waits no longer than this for a locked database.
const CLAIM_MS_MAX: u64 = 250;

/// No probe that somebody claimed lasts longer than this from now, on hosts whose clocks differ: then one was set back.
const CLAIMED_MS_MAX: i64 = 2 * PROBE_MS_MAX;

/// Another call's probe is looked for again after this long.
const PROBE_AGAIN_MS: i64 = 1_000;

const CLAIM_PROBE: &str = "INSERT INTO probes (subject, until_ms) VALUES (?1, ?2) \
ON CONFLICT (subject) DO UPDATE SET until_ms = excluded.until_ms \
WHERE probes.until_ms < ?3 OR probes.until_ms > ?4 RETURNING subject";

const END_PROBE: &str = "DELETE FROM probes WHERE subject = ?1";

thread_local! {
    static HEALTH: RefCell<Health> = RefCell::default();
    static ROTATION: RefCell<Rotation> = RefCell::default();
    static BUDGETS: RefCell<HashMap<String, RetryBudget>> = RefCell::default();
    static SEEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static LOOKS: Looks = const { Looks::none() };
    /// On the monotonic clock, which may begin with the instance: so none is not zero.
    static PUBLISHED_MS: Cell<Option<u64>> = const { Cell::new(None) };
    /// Changed here and not written yet, and being written: up to when each is known, Unix milliseconds.
    static UNPUBLISHED: RefCell<[BTreeMap<Subject, i64>; 2]> = const { RefCell::new([BTreeMap::new(), BTreeMap::new()]) };
    /// Subjects that this instance has published so far.
    static WRITES: Cell<u64> = const { Cell::new(0) };
    static PUBLISHING: Cell<bool> = const { Cell::new(false) };
}

/// Takes over what other instances learnt, if that was not done a moment ago.
pub(crate) async fn look() {
    if LOOKS.with(Looks::is_due) {
        look_now().await;
    }
}

/// The same, however recent the last look is.
pub(crate) async fn look_now() {
    let begun_ms = LOOKS.with(Looks::begin);
    take_over().await;
    LOOKS.with(|looks| looks.end(begun_ms));
}

async fn take_over() {
    let Ok(Some(store)) = catalog::store().await else { return };
    let Ok(stamp) = store.get(STAMP).await else { return };
    let stamp = stamp.unwrap_or_default();
    if SEEN.with_borrow(|seen| *seen == stamp) {
        return;
    }
    // Somebody may have given back what a limit lacked.
    quota::forget_spent();
    // What this instance wrote meanwhile may be missing in what was read, and is not unpublished any more either: then what
    // was read is no use. The next look reads again.
    for _ in 0..LOOKS_MAX {
        let writes = WRITES.get();
        let Some(published) = published(&store).await else { return };
        let cleared = cleared(&store).await;
        if WRITES.get() != writes {
            continue;
        }
        let is_unpublished =
            |subject: &Subject| UNPUBLISHED.with_borrow(|sets| sets.iter().any(|set| set.contains_key(subject)));
        let now_ms = host::unix_ms();
        publish_from(HEALTH.with_borrow_mut(|health| health.merge_but(&cleared, published, is_unpublished, now_ms)));
        SEEN.set(stamp);
        return;
    }
}

/// What was cleared and when; a store that does not say so has lost it.
async fn cleared(store: &Store) -> Cleared {
    let bytes = store.get(CLEARED).await.ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

async fn published(store: &Store) -> Option<BTreeMap<Subject, Standing>> {
    let keys = store.get_keys().await.collect().await.ok()?;
    let mut published = BTreeMap::new();
    for key in keys {
        let Some(subject) = key.strip_prefix(PREFIX).and_then(Subject::parse) else { continue };
        let bytes = store.get(&key).await.ok()?;
        let standing = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        published.extend(standing.map(|standing| (subject, standing)));
    }
    Some(published)
}

/// Looks at health and at whose turn it is.
pub(crate) fn with<T>(act: impl FnOnce(&Health, &mut Rotation) -> T) -> T {
    HEALTH.with_borrow(|health| ROTATION.with_borrow_mut(|rotation| act(health, rotation)))
}

/// Looks at health and at whose turn it would be, without anybody's turn being taken.
pub(crate) fn rehearse<T>(act: impl FnOnce(&Health, &mut Rotation) -> T) -> T {
    HEALTH.with_borrow(|health| act(health, &mut ROTATION.with_borrow(Clone::clone)))
}

/// Looks at health.
pub(crate) fn peek<T>(act: impl FnOnce(&Health) -> T) -> T {
    HEALTH.with_borrow(act)
}

/// Looks at health and at a model's retry budget.
pub(crate) fn with_budget<T>(model: &str, act: impl FnOnce(&Health, &mut RetryBudget) -> T) -> T {
    BUDGETS.with_borrow_mut(|budgets| {
        if budgets.len() >= MODELS_MAX && !budgets.contains_key(model) {
            budgets.clear();
        }
        if !budgets.contains_key(model) {
            budgets.insert(model.to_owned(), RetryBudget::default());
        }
        let mut none_left = RetryBudget::default();
        let budget = budgets.get_mut(model).unwrap_or(&mut none_left);
        HEALTH.with_borrow(|health| act(health, budget))
    })
}

/// Takes note of a call of this model, which its retry budget grows by.
pub(crate) fn count_call(model: &str) {
    let now_ms = host::unix_ms();
    with_budget(model, |_, budget| budget.call(now_ms));
}

/// Takes note of an attempt's outcome; `said` is what people are shown of it.
pub(crate) fn note(of: &Subjects, verdict: Verdict, said: &str, started_ms: i64) {
    let at = at(started_ms);
    publish(HEALTH.with_borrow_mut(|health| health.note(of, verdict, said, at)));
    if verdict.class == Class::Target {
        signals::latency_changed();
    }
}

/// How quick targets are.
pub(crate) fn latencies() -> Vec<TargetLatency> {
    HEALTH.with_borrow(|health| health.latencies(host::unix_ms()))
}

/// Takes over how quick other instances found them.
pub(crate) fn merge_latencies(others: Vec<TargetLatency>) {
    HEALTH.with_borrow_mut(|health| health.merge_latencies(others, host::unix_ms()));
}

/// Takes note of what a provider said of its limits with a good answer.
pub(crate) fn used_up(of: &Subjects, signals: &[LimitSignal]) {
    publish(HEALTH.with_borrow_mut(|health| health.used_up(of, signals, host::unix_ms())));
}

/// How long an answer took, where anybody wants to know it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Took {
    /// A stream, to its first content.
    FirstContent(u64),
    /// An answer that came as a whole.
    Whole(u64),
    Unknown,
}

/// Takes note of an answer that has begun, and of how long that took.
pub(crate) fn begun(of: &Subjects, started_ms: i64, took: Took) {
    let at = at(started_ms);
    publish(HEALTH.with_borrow_mut(|health| {
        match took {
            Took::FirstContent(ms) => health.answered_in(&of.target, true, ms, at.now_ms),
            Took::Whole(ms) => health.answered_in(&of.target, false, ms, at.now_ms),
            Took::Unknown => {}
        }
        health.begun(of, at)
    }));
    if !matches!(took, Took::Unknown) {
        signals::latency_changed();
    }
}

fn at(started_ms: i64) -> At {
    At { started_ms, now_ms: host::unix_ms(), jitter: host::fraction() }
}

/// Clears one subject, or all; returns what was in trouble.
pub(crate) async fn reset(subject: Option<&Subject>) -> Vec<Subject> {
    look_now().await;
    let over = HEALTH.with_borrow_mut(|health| health.reset(subject));
    match subject {
        None => tell_cleared(None).await,
        Some(_) => tell_cleared(Some(&over)).await,
    }
    publish(over.clone());
    over
}

/// Tells the others that subjects, or all, are cleared: what they have learnt of it before, and not told yet, is over too.
/// Written without a lock after being read: of two at the same moment one may not be heard, and is for who clears again.
async fn tell_cleared(subjects: Option<&[Subject]>) {
    let Ok(Some(store)) = catalog::store().await else { return };
    let (mut cleared, now_ms) = (cleared(&store).await, host::unix_ms());
    match subjects {
        None => cleared.add(None, now_ms),
        Some([]) => return,
        Some(subjects) => subjects.iter().for_each(|subject| cleared.add(Some(subject), now_ms)),
    }
    let Ok(bytes) = serde_json::to_vec(&cleared) else { return };
    match store.set(CLEARED, bytes).await {
        Ok(()) => stamp(&store).await,
        Err(error) => host::log(&format!("what was cleared was not published: {error}")),
    }
}

/// What keeps any of these out of use, and since when.
pub(crate) async fn troubles(subjects: impl Iterator<Item = &Subject>) -> Vec<(Subject, i64)> {
    look_now().await;
    let trouble = |health: &Health, subject: &Subject| Some((subject.clone(), health.standing(subject)?.at_ms));
    HEALTH.with_borrow(|health| subjects.filter_map(|subject| trouble(health, subject)).collect())
}

/// Clears these troubles, but for those that began anew since; answers with what is in trouble no more.
pub(crate) async fn clear(troubles: Vec<(Subject, i64)>) -> Vec<Subject> {
    let subjects = troubles.iter().map(|(subject, _)| subject);
    let renewed: Vec<_> =
        self::troubles(subjects).await.into_iter().filter(|trouble| !troubles.contains(trouble)).collect();
    let is_over = |subject: &Subject| renewed.iter().all(|(other, _)| other != subject);
    let over: Vec<Subject> = troubles.into_iter().map(|(subject, _)| subject).filter(is_over).collect();
    publish(HEALTH.with_borrow_mut(|health| over.iter().flat_map(|each| health.reset(Some(each))).collect()));
    tell_cleared(Some(&over)).await;
    over
}

/// Forgets what was learnt of providers that a new catalog reaches elsewhere or otherwise.
pub(crate) fn forget_moved(older: &Catalog, newer: &Catalog) {
    let forget = |health: &mut Health| newer.moved_since(older).flat_map(|each| health.forget_provider(each)).collect();
    publish(HEALTH.with_borrow_mut(forget));
}

/// Forgets what was over long ago.
pub(crate) fn forget() {
    publish(HEALTH.with_borrow_mut(|health| health.forget(host::unix_ms())));
}

/// Takes the probe of a subject for one call, so that no other call probes it too: `Err` says until when another does.
pub(crate) async fn claim_probe(subject: &Subject) -> Result<(), i64> {
    let now_ms = host::unix_ms();
    if let Availability::Not(_, until_ms) = HEALTH.with_borrow(|health| health.availability(subject, now_ms)) {
        return Err(until_ms);
    }
    let until_ms = now_ms + PROBE_MS_MAX;
    // Before the database is asked: other calls of this instance must not ask it too.
    HEALTH.with_borrow_mut(|health| health.claim_probe(subject, until_ms));
    let last_ms = now_ms.saturating_add(CLAIMED_MS_MAX);
    let claim =
        vec![Value::Text(subject.key()), Value::Integer(until_ms), Value::Integer(now_ms), Value::Integer(last_ms)];
    match database::rows_within(CLAIM_PROBE, claim, CLAIM_MS_MAX).await {
        Ok(rows) if rows.is_empty() => {
            let again_ms = now_ms + PROBE_AGAIN_MS;
            HEALTH.with_borrow_mut(|health| health.claim_probe(subject, again_ms));
            Err(again_ms)
        }
        // Without a database every instance has its own probe, and one that is in trouble must not stop them all.
        Ok(_) | Err(Trouble::Absent | Trouble::Busy | Trouble::Failed(_)) => Ok(()),
    }
}

/// Gives a probe back.
pub(crate) fn give_up_probe(subject: &Subject) {
    HEALTH.with_borrow_mut(|health| health.claim_probe(subject, 0));
    let subject = Value::Text(subject.key());
    wasip3::spawn(async move { drop(database::write(END_PROBE, vec![subject]).await) });
}

fn publish(changed: Vec<Subject>) {
    let now_ms = host::unix_ms();
    publish_from(changed.into_iter().map(|subject| (subject, now_ms)).collect());
}

/// The same, where what changed is as old as this.
fn publish_from(changed: Vec<(Subject, i64)>) {
    if changed.is_empty() {
        return;
    }
    UNPUBLISHED.with_borrow_mut(|[waiting, _]| waiting.extend(changed));
    if PUBLISHING.replace(true) {
        return;
    }
    wasip3::spawn(async {
        // Should the host end this task early, the next change starts another.
        let _stopped = host::OnDrop(|| PUBLISHING.set(false));
        loop {
            let due_ms = PUBLISHED_MS.get().map_or(0, |published_ms| published_ms + PUBLISH_MS);
            let pause_ms = due_ms.saturating_sub(host::now_ms());
            if pause_ms > 0 {
                host::wait_ms(pause_ms).await;
            }
            let is_more = UNPUBLISHED.with_borrow_mut(|[waiting, writing]| {
                writing.append(waiting);
                !writing.is_empty()
            });
            if !is_more {
                return;
            }
            write_changes().await;
            PUBLISHED_MS.set(Some(host::now_ms()));
        }
    });
}

async fn write_changes() {
    let Ok(Some(store)) = catalog::store().await else {
        UNPUBLISHED.with_borrow_mut(|[_, writing]| writing.clear());
        return;
    };
    let next =
        || UNPUBLISHED.with_borrow(|[_, writing]| writing.first_key_value().map(|(next, ms)| (next.clone(), *ms)));
    while let Some((subject, changed_ms)) = next() {
        let standing =
            HEALTH.with_borrow(|health| health.standing(&subject).and_then(|each| serde_json::to_vec(each).ok()));
        let name = format!("{PREFIX}{}", subject.key());
        let written = match standing {
            Some(bytes) => store.set(&name, bytes).await,
            None if began_after(&store, &name, changed_ms).await => Ok(()),
            None => store.delete(&name).await,
        };
        if let Err(error) = written {
            host::log(&format!("health of {subject} was not published: {error}"));
        }
        UNPUBLISHED.with_borrow_mut(|[_, writing]| writing.remove(&subject));
        WRITES.set(WRITES.get().wrapping_add(1));
    }
    stamp(&store).await;
}

/// Whether the trouble that another instance has published meanwhile is a new one, not known to who ended the one before.
async fn began_after(store: &Store, name: &str, changed_ms: i64) -> bool {
    let bytes = store.get(name).await.ok().flatten();
    let standing: Option<Standing> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    standing.is_some_and(|standing| standing.at_ms > changed_ms && standing.at_ms <= host::unix_ms())
}

/// Tells the others that what is spent of a limit was set.
pub(crate) async fn tell_given_back() {
    if let Ok(Some(store)) = catalog::store().await {
        stamp(&store).await;
    }
}

/// Tells the others that something has changed.
async fn stamp(store: &Store) {
    let stamp = format!("{}-{:016x}", host::unix_ms(), host::draw());
    let _ = store.set(STAMP, stamp).await;
}
