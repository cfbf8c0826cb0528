//! Health in key-value: `health/<subject>` for each subject in trouble, `cleared`, what people cleared of them and when,
//! and `health`, a stamp that changes with any of these. Written on transitions only and never on a call's path; an
//! instance looks at the stamp at most every 100 ms, and applies what it learns itself at once.
//!
//! All of it is advice: a store that does not answer costs a few attempts and no call.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gateway_core::catalog::Catalog;
use gateway_core::failover::RetryBudget;
use gateway_core::health::{
    At, Availability, Cleared, Health, PROBE_MS_MAX, Standing, Subject, Subjects, TargetLatency,
};
use gateway_core::outcome::limits::LimitSignal;
use gateway_core::route::strategy::Rotation;
use gateway_core::verdict::{Class, Verdict};

use super::database::{self, Trouble, Value};
use super::key_value::{self, Open};
use super::looks::Looks;
use super::{quota, signals};
use crate::host;
use crate::instance::Instance;

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

/// What an instance knows of health.
#[derive(Default)]
pub(crate) struct Known {
    health: RefCell<Health>,
    rotation: RefCell<Rotation>,
    budgets: RefCell<HashMap<String, RetryBudget>>,
    /// The stamp it has seen.
    seen: RefCell<Vec<u8>>,
    looks: Looks,
    /// On the monotonic clock, which may begin with the instance: so none is not zero.
    published_ms: Cell<Option<u64>>,
    /// Changed here and not written yet, and being written: up to when each is known, Unix milliseconds.
    unpublished: RefCell<[BTreeMap<Subject, i64>; 2]>,
    /// Subjects that this instance has published so far.
    writes: Cell<u64>,
    is_publishing: Cell<bool>,
}

impl Known {
    /// Takes note of something, and says what changed by it.
    fn change<T>(&self, act: impl FnOnce(&mut Health) -> T) -> T {
        act(&mut self.health.borrow_mut())
    }

    /// Whether anything has to be written; it is then about to be.
    fn begin_writing(&self) -> bool {
        let [waiting, writing] = &mut *self.unpublished.borrow_mut();
        writing.append(waiting);
        !writing.is_empty()
    }

    fn next_to_write(&self) -> Option<(Subject, i64)> {
        let [_, writing] = &*self.unpublished.borrow();
        writing.first_key_value().map(|(key, ms)| (key.clone(), *ms))
    }
}

/// Takes over what other instances learnt, if that was not done a moment ago.
pub(crate) async fn look(instance: &Rc<Instance>) {
    if instance.store.health.looks.is_due() {
        look_now(instance).await;
    }
}

/// The same, however recent the last look is.
pub(crate) async fn look_now(instance: &Rc<Instance>) {
    let looks = &instance.store.health.looks;
    let begun_ms = looks.begin();
    take_over(instance).await;
    looks.end(begun_ms);
}

async fn take_over(instance: &Rc<Instance>) {
    let known = &instance.store.health;
    let Ok(Some(store)) = key_value::open(instance).await else { return };
    let Ok(stamp) = store.get(STAMP).await else { return };
    let stamp = stamp.unwrap_or_default();
    if *known.seen.borrow() == stamp {
        return;
    }
    // Somebody may have given back what a limit lacked.
    quota::forget_spent(instance);
    // What this instance wrote meanwhile may be missing in what was read, and is not unpublished any more either: then what
    // was read is no use. The next look reads again.
    for _ in 0..LOOKS_MAX {
        let writes = known.writes.get();
        let Some(published) = published(&store).await else { return };
        let cleared = cleared(&store).await;
        if known.writes.get() != writes {
            continue;
        }
        let is_unpublished = |subject: &Subject| known.unpublished.borrow().iter().any(|set| set.contains_key(subject));
        let now_ms = host::unix_ms();
        let changed = known.change(|health| health.merge_but(&cleared, published, is_unpublished, now_ms));
        publish_from(instance, changed);
        known.seen.replace(stamp);
        return;
    }
}

/// What was cleared and when; a store that does not say so has lost it.
async fn cleared(store: &Open) -> Cleared {
    let bytes = store.get(CLEARED).await.ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

async fn published(store: &Open) -> Option<BTreeMap<Subject, Standing>> {
    let keys = store.keys().await.ok()?;
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
pub(crate) fn with<T>(instance: &Instance, act: impl FnOnce(&Health, &mut Rotation) -> T) -> T {
    let Known { health, rotation, .. } = &instance.store.health;
    act(&health.borrow(), &mut rotation.borrow_mut())
}

/// Looks at health and at whose turn it would be, without anybody's turn being taken.
pub(crate) fn rehearse<T>(instance: &Instance, act: impl FnOnce(&Health, &mut Rotation) -> T) -> T {
    let Known { health, rotation, .. } = &instance.store.health;
    let mut rotation = rotation.borrow().clone();
    act(&health.borrow(), &mut rotation)
}

/// Looks at health.
pub(crate) fn peek<T>(instance: &Instance, act: impl FnOnce(&Health) -> T) -> T {
    act(&instance.store.health.health.borrow())
}

/// Looks at health and at a model's retry budget.
pub(crate) fn with_budget<T>(instance: &Instance, model: &str, act: impl FnOnce(&Health, &mut RetryBudget) -> T) -> T {
    let Known { health, budgets, .. } = &instance.store.health;
    let mut budgets = budgets.borrow_mut();
    if budgets.len() >= MODELS_MAX && !budgets.contains_key(model) {
        budgets.clear();
    }
    if !budgets.contains_key(model) {
        budgets.insert(model.to_owned(), RetryBudget::default());
    }
    let mut none_left = RetryBudget::default();
    let budget = budgets.get_mut(model).unwrap_or(&mut none_left);
    act(&health.borrow(), budget)
}

/// Takes note of a call of this model, which its retry budget grows by.
pub(crate) fn count_call(instance: &Instance, model: &str) {
    let now_ms = host::unix_ms();
    with_budget(instance, model, |_, budget| budget.call(now_ms));
}

/// Takes note of an attempt's outcome; `said` is what people are shown of it.
pub(crate) fn note(instance: &Rc<Instance>, of: &Subjects, verdict: Verdict, said: &str, started_ms: i64) {
    let at = at(instance, started_ms);
    let changed = instance.store.health.change(|health| health.note(of, verdict, said, at));
    publish(instance, changed);
    if verdict.class == Class::Target {
        signals::latency_changed(instance);
    }
}

/// How quick targets are.
pub(crate) fn latencies(instance: &Instance) -> Vec<TargetLatency> {
    peek(instance, |health| health.latencies(host::unix_ms()))
}

/// Takes over how quick other instances found them.
pub(crate) fn merge_latencies(instance: &Instance, others: Vec<TargetLatency>) {
    instance.store.health.change(|health| health.merge_latencies(others, host::unix_ms()));
}

/// Takes note of what a provider said of its limits with a good answer.
pub(crate) fn used_up(instance: &Rc<Instance>, of: &Subjects, signals: &[LimitSignal]) {
    let changed = instance.store.health.change(|health| health.used_up(of, signals, host::unix_ms()));
    publish(instance, changed);
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
pub(crate) fn begun(instance: &Rc<Instance>, of: &Subjects, started_ms: i64, took: Took) {
    let at = at(instance, started_ms);
    let changed = instance.store.health.change(|health| {
        match took {
            Took::FirstContent(ms) => health.answered_in(&of.target, true, ms, at.now_ms),
            Took::Whole(ms) => health.answered_in(&of.target, false, ms, at.now_ms),
            Took::Unknown => {}
        }
        health.begun(of, at)
    });
    publish(instance, changed);
    if !matches!(took, Took::Unknown) {
        signals::latency_changed(instance);
    }
}

fn at(instance: &Instance, started_ms: i64) -> At {
    At { started_ms, now_ms: host::unix_ms(), jitter: instance.chance.fraction() }
}

/// Clears one subject, or all; returns what was in trouble.
pub(crate) async fn reset(instance: &Rc<Instance>, subject: Option<&Subject>) -> Vec<Subject> {
    look_now(instance).await;
    let over = instance.store.health.change(|health| health.reset(subject));
    match subject {
        None => tell_cleared(instance, None).await,
        Some(_) => tell_cleared(instance, Some(&over)).await,
    }
    publish(instance, over.clone());
    over
}

/// Tells the others that subjects, or all, are cleared: what they have learnt of it before, and not told yet, is over too.
/// Written without a lock after being read: of two at the same moment one may not be heard, and is for who clears again.
async fn tell_cleared(instance: &Instance, subjects: Option<&[Subject]>) {
    let Ok(Some(store)) = key_value::open(instance).await else { return };
    let (mut cleared, now_ms) = (cleared(&store).await, host::unix_ms());
    match subjects {
        None => cleared.add(None, now_ms),
        Some([]) => return,
        Some(subjects) => subjects.iter().for_each(|subject| cleared.add(Some(subject), now_ms)),
    }
    let Ok(bytes) = serde_json::to_vec(&cleared) else { return };
    match store.set(CLEARED, bytes).await {
        Ok(()) => stamp(instance, &store).await,
        Err(error) => host::log(&format!("other instances were not told that health was cleared: {error}")),
    }
}

/// What keeps any of these out of use, and since when.
pub(crate) async fn troubles(instance: &Rc<Instance>, subjects: impl Iterator<Item = &Subject>) -> Vec<(Subject, i64)> {
    look_now(instance).await;
    let trouble = |health: &Health, subject: &Subject| Some((subject.clone(), health.standing(subject)?.at_ms));
    peek(instance, |health| subjects.filter_map(|subject| trouble(health, subject)).collect())
}

/// Clears these troubles, but for those that began anew since; answers with what is in trouble no more.
pub(crate) async fn clear(instance: &Rc<Instance>, troubles: Vec<(Subject, i64)>) -> Vec<Subject> {
    let subjects = troubles.iter().map(|(subject, _)| subject);
    let renewed: Vec<_> =
        self::troubles(instance, subjects).await.into_iter().filter(|trouble| !troubles.contains(trouble)).collect();
    let is_over = |subject: &Subject| renewed.iter().all(|(other, _)| other != subject);
    let over: Vec<Subject> = troubles.into_iter().map(|(subject, _)| subject).filter(is_over).collect();
    let reset = |health: &mut Health| over.iter().flat_map(|each| health.reset(Some(each))).collect();
    publish(instance, instance.store.health.change(reset));
    tell_cleared(instance, Some(&over)).await;
    over
}

/// Forgets what was learnt of providers that a new catalog reaches elsewhere or otherwise.
pub(crate) fn forget_moved(instance: &Rc<Instance>, older: &Catalog, newer: &Catalog) {
    let forget = |health: &mut Health| newer.moved_since(older).flat_map(|each| health.forget_provider(each)).collect();
    publish(instance, instance.store.health.change(forget));
}

/// Forgets what was over long ago.
pub(crate) fn forget(instance: &Rc<Instance>) {
    publish(instance, instance.store.health.change(|health| health.forget(host::unix_ms())));
}

/// Takes the probe of a subject for one call, so that no other call probes it too: `Err` says until when another does.
pub(crate) async fn claim_probe(instance: &Instance, subject: &Subject) -> Result<(), i64> {
    let now_ms = host::unix_ms();
    let known = &instance.store.health;
    if let Availability::Not(_, until_ms) = peek(instance, |health| health.availability(subject, now_ms)) {
        return Err(until_ms);
    }
    let until_ms = now_ms + PROBE_MS_MAX;
    // Before the database is asked: other calls of this instance must not ask it too.
    known.change(|health| health.claim_probe(subject, until_ms));
    let last_ms = now_ms.saturating_add(CLAIMED_MS_MAX);
    let claim =
        vec![Value::Text(subject.key()), Value::Integer(until_ms), Value::Integer(now_ms), Value::Integer(last_ms)];
    match database::rows_within(instance, CLAIM_PROBE, claim, CLAIM_MS_MAX).await {
        Ok(rows) if rows.is_empty() => {
            let again_ms = now_ms + PROBE_AGAIN_MS;
            known.change(|health| health.claim_probe(subject, again_ms));
            Err(again_ms)
        }
        // Without a database every instance has its own probe, and one that is in trouble must not stop them all.
        Ok(_) | Err(Trouble::Absent | Trouble::Busy | Trouble::Failed(_)) => Ok(()),
    }
}

/// Gives a probe back.
pub(crate) fn give_up_probe(instance: &Rc<Instance>, subject: &Subject) {
    instance.store.health.change(|health| health.claim_probe(subject, 0));
    let (instance, subject) = (instance.clone(), Value::Text(subject.key()));
    host::spawn(async move { drop(database::write(&instance, END_PROBE, vec![subject]).await) });
}

fn publish(instance: &Rc<Instance>, changed: Vec<Subject>) {
    if changed.is_empty() {
        return;
    }
    let now_ms = host::unix_ms();
    publish_from(instance, changed.into_iter().map(|subject| (subject, now_ms)).collect());
}

/// The same, where what changed is as old as this.
fn publish_from(instance: &Rc<Instance>, changed: Vec<(Subject, i64)>) {
    if changed.is_empty() {
        return;
    }
    let known = &instance.store.health;
    known.unpublished.borrow_mut()[0].extend(changed);
    if known.is_publishing.replace(true) {
        return;
    }
    let instance = instance.clone();
    host::spawn(async move {
        let known = &instance.store.health;
        // Should the host end this task early, the next change starts another.
        let _stopped = host::OnDrop(|| known.is_publishing.set(false));
        loop {
            let due_ms = known.published_ms.get().map_or(0, |published_ms| published_ms + PUBLISH_MS);
            let pause_ms = due_ms.saturating_sub(host::now_ms());
            if pause_ms > 0 {
                host::wait_ms(pause_ms).await;
            }
            if !known.begin_writing() {
                return;
            }
            write_changes(&instance).await;
            known.published_ms.set(Some(host::now_ms()));
        }
    });
}

async fn write_changes(instance: &Instance) {
    let known = &instance.store.health;
    let Ok(Some(store)) = key_value::open(instance).await else {
        known.unpublished.borrow_mut()[1].clear();
        return;
    };
    while let Some((subject, changed_ms)) = known.next_to_write() {
        let standing =
            peek(instance, |health| health.standing(&subject).and_then(|each| serde_json::to_vec(each).ok()));
        let name = format!("{PREFIX}{}", subject.key());
        let written = match standing {
            Some(bytes) => store.set(&name, bytes).await,
            None if began_after(&store, &name, changed_ms).await => Ok(()),
            None => store.delete(&name).await,
        };
        if let Err(error) = written {
            host::log(&format!("other instances were not told of the health of {subject}: {error}"));
        }
        known.unpublished.borrow_mut()[1].remove(&subject);
        known.writes.set(known.writes.get().wrapping_add(1));
    }
    stamp(instance, &store).await;
}

/// Whether the trouble that another instance has published meanwhile is a new one, not known to who ended the one before.
async fn began_after(store: &Open, name: &str, changed_ms: i64) -> bool {
    let bytes = store.get(name).await.ok().flatten();
    let standing: Option<Standing> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    standing.is_some_and(|standing| standing.at_ms > changed_ms && standing.at_ms <= host::unix_ms())
}

/// Tells the others that what is spent of a limit was set.
pub(crate) async fn tell_given_back(instance: &Instance) {
    if let Ok(Some(store)) = key_value::open(instance).await {
        stamp(instance, &store).await;
    }
}

/// Tells the others that something has changed.
async fn stamp(instance: &Instance, store: &Open) {
    let stamp = format!("{}-{:016x}", host::unix_ms(), instance.chance.draw());
    let _ = store.set(STAMP, stamp).await;
}
