//! Health in key-value: `health/<subject>` for each subject in trouble, `cleared` for what operators cleared and when,
//! and `health`, a stamp that changes with any of these. It is written only when a state changes, and never while a
//! call waits. An instance reads the stamp at most every 100 ms; what it learns itself holds at once.
//!
//! Health is only advice: a store that does not answer costs some attempts and no call.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gateway_core::catalog::Catalog;
use gateway_core::failover::RetryBudget;
use gateway_core::health::{
    AttemptTime, Availability, ClearTimes, Health, PROBE_MS_MAX, Standing, Subject, Subjects, TargetLatency,
};
use gateway_core::outcome::limits::LimitSignal;
use gateway_core::route::strategy::Rotation;
use gateway_core::verdict::{Class, Verdict};

use super::database::{self, Trouble, Value};
use super::key_value::{self, Open};
use super::looks::LookTimes;
use super::{failures, quota, signals};
use crate::host;
use crate::instance::Instance;

const STAMP: &str = "health";
const PREFIX: &str = "health/";
const CLEARED: &str = "cleared";

/// How many times one look reads what others published.
const LOOKS_MAX: usize = 2;

/// The time between two writes of an instance. Spin's key-value store is slow, and hosted ones allow few writes.
const PUBLISH_MS: u64 = 250;

/// The time between two samples of a target's latency that instances of one request write.
const SAMPLE_MS: i64 = 5_000;

/// How many models' retry budgets are kept: more than any catalog has, but bounded.
const MODELS_MAX: usize = 4096;

/// How long a call waits for a locked database.
const CLAIM_MS_MAX: u64 = 250;

/// A claimed probe that would last longer than this was claimed by a clock that is ahead, and is ignored.
const CLAIMED_MS_MAX: i64 = 2 * PROBE_MS_MAX;

/// How long until another call's probe is looked at again.
const PROBE_AGAIN_MS: i64 = 1_000;

const CLAIM_PROBE: &str = "INSERT INTO probes (subject, until_ms) VALUES (?1, ?2) \
ON CONFLICT (subject) DO UPDATE SET until_ms = excluded.until_ms \
WHERE probes.until_ms < ?3 OR probes.until_ms > ?4 RETURNING subject";

const END_PROBE: &str = "DELETE FROM probes WHERE subject = ?1";

/// What an instance remembers of health.
#[derive(Default)]
pub(crate) struct HealthStore {
    health: RefCell<Health>,
    rotation: RefCell<Rotation>,
    budgets: RefCell<HashMap<String, RetryBudget>>,
    /// The stamp that the instance has seen.
    seen: RefCell<Vec<u8>>,
    looks: LookTimes,
    /// The time of the last write on the monotonic clock, which may begin with the instance; `None` if there was none.
    published_ms: Cell<Option<u64>>,
    /// The subjects that changed here and are not written yet, and those that are being written; each with the time up
    /// to which it is known, on the steady clock.
    unpublished: RefCell<[BTreeMap<Subject, i64>; 2]>,
    /// How many subjects this instance has published.
    writes: Cell<u64>,
    is_publishing: Cell<bool>,
}

impl HealthStore {
    /// Changes health, and queues the subjects that changed.
    fn change<T>(&self, act: impl FnOnce(&mut Health) -> T) -> T {
        let mut health = self.health.borrow_mut();
        health.set_ahead(host::now().ahead_ms());
        act(&mut health)
    }

    /// Whether anything must be written. What must be is then counted as being written.
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

/// Changes health by what this instance learnt. Where it does not live to count failures in a row, they are stored.
fn learn<T>(instance: &Rc<Instance>, act: impl FnOnce(&mut Health) -> T) -> T {
    let store = &instance.store.health;
    if host::REMEMBERS {
        return store.change(act);
    }
    let failing = || store.health.borrow().failing();
    let before = failing();
    let result = store.change(act);
    failures::changed(instance, &before, &failing());
    result
}

/// Takes over what other instances learned, unless that was done a moment ago.
pub(crate) async fn look(instance: &Rc<Instance>) {
    instance.store.health.change(|_| ());
    if instance.store.health.looks.is_due() {
        look_now(instance).await;
    }
}

/// Takes over what other instances learned, even if that was done a moment ago.
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
    // A limit may have got back what it lacked.
    quota::forget_spent(instance);
    if !host::REMEMBERS {
        failures::recall(instance).await;
    }
    // What this instance wrote meanwhile may be missing in what was read, although it is no longer unpublished. Then
    // what was read is useless, and is read again.
    for _ in 0..LOOKS_MAX {
        let writes = known.writes.get();
        let Some(published) = published(&store).await else { return };
        let cleared = cleared(&store).await;
        if known.writes.get() != writes {
            continue;
        }
        let is_unpublished = |subject: &Subject| known.unpublished.borrow().iter().any(|set| set.contains_key(subject));
        let now_ms = host::steady_ms();
        let changed = known.change(|health| health.merge_but(&cleared, published, is_unpublished, now_ms));
        publish_from(instance, changed);
        known.seen.replace(stamp);
        return;
    }
}

/// What was cleared, and when; nothing if the store has lost it.
async fn cleared(store: &Open) -> ClearTimes {
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

/// Reads health, and takes a turn in the rotation.
pub(crate) fn with<T>(instance: &Instance, act: impl FnOnce(&Health, &mut Rotation) -> T) -> T {
    let HealthStore { health, rotation, .. } = &instance.store.health;
    act(&health.borrow(), &mut rotation.borrow_mut())
}

/// Says how many turns were taken before the next one, as those who take them elsewhere know.
pub(crate) fn turns_taken(instance: &Instance, turns: u64) {
    instance.store.health.rotation.replace(Rotation::after(turns));
}

/// Takes over failures in a row that were counted elsewhere.
pub(super) fn recall_failing(instance: &Instance, subject: Subject, failures: u32, at_ms: i64) {
    instance.store.health.change(|health| health.recall_failing(subject, failures, at_ms, host::steady_ms()));
}

/// Reads health and the rotation without taking a turn.
pub(crate) fn rehearse<T>(instance: &Instance, act: impl FnOnce(&Health, &mut Rotation) -> T) -> T {
    let HealthStore { health, rotation, .. } = &instance.store.health;
    let mut rotation = rotation.borrow().clone();
    act(&health.borrow(), &mut rotation)
}

/// Reads health.
pub(crate) fn peek<T>(instance: &Instance, act: impl FnOnce(&Health) -> T) -> T {
    act(&instance.store.health.health.borrow())
}

/// Reads health and a model's retry budget.
pub(crate) fn with_budget<T>(instance: &Instance, model: &str, act: impl FnOnce(&Health, &mut RetryBudget) -> T) -> T {
    let HealthStore { health, budgets, .. } = &instance.store.health;
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

/// Notes a call of this model, which increases the model's retry budget.
pub(crate) fn count_call(instance: &Instance, model: &str) {
    let now_ms = host::steady_ms();
    with_budget(instance, model, |_, budget| budget.call(now_ms));
}

/// Notes the outcome of an attempt. `message` is what people are shown.
pub(crate) fn note(instance: &Rc<Instance>, of: &Subjects, verdict: Verdict, message: &str, started_ms: i64) {
    let at = at(instance, started_ms);
    let changed = learn(instance, |health| health.note(of, verdict, message, at));
    publish(instance, changed);
    if verdict.class == Class::Target {
        signals::latency_changed(instance);
    }
}

/// The latencies of targets.
pub(crate) fn latencies(instance: &Instance) -> Vec<TargetLatency> {
    peek(instance, |health| health.latencies(host::steady_ms()))
}

/// Takes over the latencies that other instances measured.
pub(crate) fn merge_latencies(instance: &Instance, others: Vec<TargetLatency>) {
    instance.store.health.change(|health| health.merge_latencies(others, host::steady_ms()));
}

/// Notes limits that are used up, as a provider told in a good answer.
pub(crate) fn used_up(instance: &Rc<Instance>, of: &Subjects, signals: &[LimitSignal]) {
    let changed = learn(instance, |health| health.used_up(of, signals, host::steady_ms()));
    publish(instance, changed);
}

/// How long an answer took, where it matters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnswerTime {
    /// The time to the first content of a stream.
    FirstContent(u64),
    /// The time to the end of an answer that came as a whole.
    Whole(u64),
    Unknown,
}

/// Notes an answer that has begun, and how long it took.
pub(crate) fn begun(instance: &Rc<Instance>, of: &Subjects, started_ms: i64, took: AnswerTime) {
    let at = at(instance, started_ms);
    let answered = match took {
        AnswerTime::FirstContent(ms) => Some((true, ms)),
        AnswerTime::Whole(ms) => Some((false, ms)),
        AnswerTime::Unknown => None,
    };
    let measured_ms = answered
        .filter(|_| !host::REMEMBERS)
        .and_then(|(streamed, _)| peek(instance, |health| health.measured_ms(&of.target, streamed)));
    let changed = learn(instance, |health| {
        if let Some((streamed, ms)) = answered {
            health.answered_in(&of.target, streamed, ms, at.now_ms);
        }
        health.begun(of, at)
    });
    publish(instance, changed);
    // An instance of one request would write with each call; a sample now and then says as much.
    if answered.is_some() && measured_ms.is_none_or(|measured_ms| at.now_ms - measured_ms >= SAMPLE_MS) {
        signals::latency_changed(instance);
    }
}

fn at(instance: &Instance, started_ms: i64) -> AttemptTime {
    AttemptTime { started_ms, now_ms: host::steady_ms(), jitter: instance.random.fraction() }
}

/// Clears one subject, or all. Returns those that were in trouble.
pub(crate) async fn reset(instance: &Rc<Instance>, subject: Option<&Subject>) -> Vec<Subject> {
    look_now(instance).await;
    let over = learn(instance, |health| health.reset(subject));
    match subject {
        None => tell_cleared(instance, None).await,
        Some(_) => tell_cleared(instance, Some(&over)).await,
    }
    publish(instance, over.clone());
    over
}

/// Tells other instances that subjects, or all, were cleared, so that what they learned before that no longer holds. It
/// is read and written without a lock: of two operators who clear at the same moment one may be ignored, and has to
/// clear again.
async fn tell_cleared(instance: &Instance, subjects: Option<&[Subject]>) {
    let Ok(Some(store)) = key_value::open(instance).await else { return };
    let (mut cleared, now_ms) = (cleared(&store).await, host::steady_ms());
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

/// The troubles that keep these subjects from being used, and their beginnings.
pub(crate) async fn troubles(instance: &Rc<Instance>, subjects: impl Iterator<Item = &Subject>) -> Vec<(Subject, i64)> {
    look_now(instance).await;
    let trouble = |health: &Health, subject: &Subject| Some((subject.clone(), health.standing(subject)?.at_ms));
    peek(instance, |health| subjects.filter_map(|subject| trouble(health, subject)).collect())
}

/// Clears these troubles, except those that began anew since. Returns the subjects that are no longer in trouble.
pub(crate) async fn clear(instance: &Rc<Instance>, troubles: Vec<(Subject, i64)>) -> Vec<Subject> {
    let subjects = troubles.iter().map(|(subject, _)| subject);
    let renewed: Vec<_> =
        self::troubles(instance, subjects).await.into_iter().filter(|trouble| !troubles.contains(trouble)).collect();
    let is_over = |subject: &Subject| renewed.iter().all(|(other, _)| other != subject);
    let over: Vec<Subject> = troubles.into_iter().map(|(subject, _)| subject).filter(is_over).collect();
    let reset = |health: &mut Health| over.iter().flat_map(|each| health.reset(Some(each))).collect();
    publish(instance, learn(instance, reset));
    tell_cleared(instance, Some(&over)).await;
    over
}

/// Forgets what was learned about providers that a new catalog reaches in another way.
pub(crate) async fn forget_moved(instance: &Rc<Instance>, older: &Catalog, newer: &Catalog) {
    if !host::REMEMBERS {
        // An instance of one request has learnt nothing of its own.
        look_now(instance).await;
    }
    let forget = |health: &mut Health| newer.moved_since(older).flat_map(|each| health.forget_provider(each)).collect();
    publish(instance, learn(instance, forget));
}

/// Forgets what ended long ago.
pub(crate) fn forget(instance: &Rc<Instance>) {
    publish(instance, learn(instance, |health| health.forget(host::steady_ms())));
}

/// Claims the probe of a subject for one call, so that no other call probes it too. `Err` says until when another call
/// does.
pub(crate) async fn claim_probe(instance: &Instance, subject: &Subject) -> Result<(), i64> {
    let now_ms = host::steady_ms();
    let known = &instance.store.health;
    if let Availability::Not(_, until_ms) = peek(instance, |health| health.availability(subject, now_ms)) {
        return Err(until_ms);
    }
    let until_ms = now_ms + PROBE_MS_MAX;
    // This comes before the database is asked, so that other calls of this instance do not ask too.
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
        // Without a database every instance probes for itself. A database in trouble must not stop all probes.
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
    let now_ms = host::steady_ms();
    publish_from(instance, changed.into_iter().map(|subject| (subject, now_ms)).collect());
}

/// Publishes changes that happened at these times.
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
        // If the host ends this task early, the next change starts another one.
        let _stopped = host::OnDrop(|| known.is_publishing.set(false));
        loop {
            // What an instance of one request has to tell, it tells before its answer ends.
            let published_ms = known.published_ms.get().filter(|_| host::REMEMBERS);
            let due_ms = published_ms.map_or(0, |published_ms| published_ms + PUBLISH_MS);
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

/// Whether the published trouble is a new one, which the instance that ended the old one cannot have known.
async fn began_after(store: &Open, name: &str, changed_ms: i64) -> bool {
    let bytes = store.get(name).await.ok().flatten();
    let standing: Option<Standing> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    standing.is_some_and(|standing| standing.at_ms > changed_ms && standing.at_ms <= host::steady_ms())
}

/// Tells other instances that there is something to look at, if there never was.
pub(super) async fn tell_first(instance: &Instance) {
    if instance.store.health.seen.borrow().is_empty()
        && let Ok(Some(store)) = key_value::open(instance).await
    {
        stamp(instance, &store).await;
    }
}

/// Tells other instances that the spent amount of a limit was set.
pub(crate) async fn tell_given_back(instance: &Instance) {
    if let Ok(Some(store)) = key_value::open(instance).await {
        stamp(instance, &store).await;
    }
}

/// Changes the stamp, so that other instances look.
async fn stamp(instance: &Instance, store: &Open) {
    let stamp = format!("{}-{:016x}", host::steady_ms(), instance.random.draw());
    let _ = store.set(STAMP, stamp).await;
}
