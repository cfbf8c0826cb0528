//! What instances tell each other now and then, in the one key `signals` of key-value: limits that providers told, what
//! they count themselves, and latencies of targets while a model needs them. It is written only when there is news, and at most once in five
//! seconds, so that no call costs a write. It is read and written without a lock: if two instances write at the same
//! moment, the news of one is lost until its next write, which holds all that it knows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gateway_core::health::{Subjects, TargetLatency};
use gateway_core::outcome::limits::LimitSignal;
use gateway_core::quota::{Learnt, LearntLimits, ReportedLimit, ReportedLimits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::health;
use super::key_value::{self, Open};
use crate::host;
use crate::instance::Instance;

const KEY: &str = "signals";

/// The time between two writes of an instance.
const PUBLISH_MS: u64 = 5_000;

/// The time between two reads of what other instances wrote.
const LOOK_MS: u64 = 5_000;

/// What an instance remembers of the signals.
#[derive(Default)]
pub(crate) struct SignalStore {
    learnt: RefCell<LearntLimits>,
    reported: RefCell<ReportedLimits>,
    /// The time on the monotonic clock, which may begin with the instance; `None` if there was none.
    published_ms: Cell<Option<u64>>,
    looked_ms: Cell<Option<u64>>,
    is_news: Cell<bool>,
    is_publishing: Cell<bool>,
}

/// What is stored under the key. Members that are unknown to this version are ignored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Signals {
    #[serde(deserialize_with = "known")]
    learnt: Vec<Learnt>,
    #[serde(deserialize_with = "known")]
    latencies: Vec<TargetLatency>,
    #[serde(rename = "told", deserialize_with = "known")]
    reported: Vec<ReportedLimit>,
}

fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let all: Vec<serde_json::Value> = Vec::deserialize(from)?;
    Ok(all.into_iter().filter_map(|each| serde_json::from_value(each).ok()).collect())
}

/// Notes what a provider told about its limits.
pub(crate) fn learn(instance: &Rc<Instance>, of: &Subjects, signals: Vec<LimitSignal>) {
    let is_news = instance.store.signals.learnt.borrow_mut().learn(of, signals, host::steady_ms());
    if is_news {
        publish(instance);
    }
}

/// Takes over numbers that a provider counts itself.
pub(crate) fn reported(instance: &Rc<Instance>, reported: Vec<ReportedLimit>) {
    if !reported.is_empty() {
        instance.store.signals.reported.borrow_mut().merge(reported, host::steady_ms());
        publish(instance);
    }
}

/// Reads the numbers that providers count themselves.
pub(crate) fn with_reported<T>(instance: &Instance, look: impl FnOnce(&ReportedLimits) -> T) -> T {
    look(&instance.store.signals.reported.borrow())
}

/// Called when a call depends on latencies: takes over what other instances measured, in the background and every few
/// seconds.
pub(crate) fn look(instance: &Rc<Instance>) {
    if is_due(instance) {
        let instance = instance.clone();
        host::spawn(async move { look_now(&instance).await });
    }
}

/// The same for a call that is the only one of its instance, and waits.
pub(crate) async fn look_at_once(instance: &Instance) {
    if is_due(instance) {
        look_now(instance).await;
    }
}

fn is_due(instance: &Instance) -> bool {
    let looked_ms = &instance.store.signals.looked_ms;
    let now_ms = host::now_ms();
    let is_due = looked_ms.get().is_none_or(|looked_ms| now_ms.saturating_sub(looked_ms) >= LOOK_MS);
    if is_due {
        looked_ms.set(Some(now_ms));
    }
    is_due
}

/// Notes that a latency changed. It is published only while calls depend on latencies.
pub(crate) fn latency_changed(instance: &Rc<Instance>) {
    let looked_ms = instance.store.signals.looked_ms.get();
    if looked_ms.is_some_and(|looked_ms| host::now_ms().saturating_sub(looked_ms) < 2 * LOOK_MS) {
        publish(instance);
    }
}

/// Reads what providers told.
pub(crate) fn with_learnt<T>(instance: &Instance, look: impl FnOnce(&LearntLimits) -> T) -> T {
    look(&instance.store.signals.learnt.borrow())
}

/// Takes over what other instances were told.
pub(crate) async fn look_now(instance: &Instance) {
    if let Ok(Some(store)) = key_value::open(instance).await {
        take_over(instance, &store).await;
    }
}

async fn take_over(instance: &Instance, store: &Open) {
    let Ok(Some(bytes)) = store.get(KEY).await else { return };
    let Signals { learnt: others, latencies, reported } = serde_json::from_slice(&bytes).unwrap_or_default();
    instance.store.signals.learnt.borrow_mut().merge(others, host::steady_ms());
    instance.store.signals.reported.borrow_mut().merge(reported, host::steady_ms());
    health::merge_latencies(instance, latencies);
}

fn publish(instance: &Rc<Instance>) {
    let known = &instance.store.signals;
    known.is_news.set(true);
    if known.is_publishing.replace(true) {
        return;
    }
    let instance = instance.clone();
    host::spawn(async move {
        let known = &instance.store.signals;
        // If the host ends this task early, the next news starts another one.
        let _stopped = host::OnDrop(|| known.is_publishing.set(false));
        while known.is_news.get() {
            // An instance of one request has little news, and no time.
            let published_ms = known.published_ms.get().filter(|_| host::REMEMBERS);
            let due_ms = published_ms.map_or(0, |published_ms| published_ms + PUBLISH_MS);
            let pause_ms = due_ms.saturating_sub(host::now_ms());
            if pause_ms > 0 {
                host::wait_ms(pause_ms).await;
            }
            known.is_news.set(false);
            write(&instance).await;
            known.published_ms.set(Some(host::now_ms()));
        }
    });
}

async fn write(instance: &Instance) {
    let Ok(Some(store)) = key_value::open(instance).await else { return };
    take_over(instance, &store).await;
    let learnt = with_learnt(instance, |learnt| learnt.all().cloned().collect());
    let reported = with_reported(instance, |reported| reported.all().cloned().collect());
    let signals = Signals { learnt, latencies: health::latencies(instance), reported };
    let Ok(bytes) = serde_json::to_vec(&signals) else { return };
    if let Err(error) = store.set(KEY, bytes).await {
        host::log(&format!("other instances were not told of limits and latencies: {error}"));
    }
}
