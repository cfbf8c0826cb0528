//! What instances tell each other now and then, in one key `signals` of key-value: limits that providers have told, and how
//! quick targets are while some model wants to know. Written with news only and at most once in five seconds, so that no
//! call costs a write. Written without a lock after being read: of two instances at the same moment one is not heard, and
//! is heard the next time, since each tells all it knows.

use std::cell::{Cell, RefCell};

use gateway_core::health::{Subjects, TargetLatency};
use gateway_core::outcome::limits::LimitSignal;
use gateway_core::quota::{Learnt, LearntLimits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use spin_sdk::key_value::Store;
use spin_sdk::wasip3;

use super::{catalog, health};
use crate::host;

const KEY: &str = "signals";

/// Between two writes of an instance.
const PUBLISH_MS: u64 = 5_000;

/// Between two looks of an instance at what the others found.
const LOOK_MS: u64 = 5_000;

thread_local! {
    static LEARNT: RefCell<LearntLimits> = RefCell::default();
    /// On the monotonic clock, which may begin with the instance: so none is not zero.
    static PUBLISHED_MS: Cell<Option<u64>> = const { Cell::new(None) };
    static LOOKED_MS: Cell<Option<u64>> = const { Cell::new(None) };
    static IS_NEWS: Cell<bool> = const { Cell::new(false) };
    static PUBLISHING: Cell<bool> = const { Cell::new(false) };
}

/// What is kept under the key. What an older or a newer llmio does not know of it is left out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Signals {
    #[serde(deserialize_with = "known")]
    learnt: Vec<Learnt>,
    #[serde(deserialize_with = "known")]
    latencies: Vec<TargetLatency>,
}

fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let all: Vec<serde_json::Value> = Vec::deserialize(from)?;
    Ok(all.into_iter().filter_map(|each| serde_json::from_value(each).ok()).collect())
}

/// Takes note of what a provider told of its limits.
pub(crate) fn learn(of: &Subjects, signals: Vec<LimitSignal>) {
    if LEARNT.with_borrow_mut(|learnt| learnt.learn(of, signals, host::unix_ms())) {
        publish();
    }
}

/// A call goes by how quick targets are: takes over what other instances found, behind its back and every few seconds.
pub(crate) fn look() {
    let now_ms = host::now_ms();
    if LOOKED_MS.get().is_none_or(|looked_ms| now_ms.saturating_sub(looked_ms) >= LOOK_MS) {
        LOOKED_MS.set(Some(now_ms));
        wasip3::spawn(look_now());
    }
}

/// A target took this long or failed. It is told to others only while calls look at it.
pub(crate) fn latency_changed() {
    if LOOKED_MS.get().is_some_and(|looked_ms| host::now_ms().saturating_sub(looked_ms) < 2 * LOOK_MS) {
        publish();
    }
}

/// Looks at what providers have told.
pub(crate) fn with_learnt<T>(look: impl FnOnce(&LearntLimits) -> T) -> T {
    LEARNT.with_borrow(look)
}

/// Takes over what other instances have told.
pub(crate) async fn look_now() {
    if let Ok(Some(store)) = catalog::store().await {
        take_over(&store).await;
    }
}

async fn take_over(store: &Store) {
    let Ok(Some(bytes)) = store.get(KEY).await else { return };
    let Signals { learnt: others, latencies } = serde_json::from_slice(&bytes).unwrap_or_default();
    LEARNT.with_borrow_mut(|learnt| learnt.merge(others, host::unix_ms()));
    health::merge_latencies(latencies);
}

fn publish() {
    IS_NEWS.set(true);
    if PUBLISHING.replace(true) {
        return;
    }
    wasip3::spawn(async {
        // Should the host end this task early, the next news starts another.
        let _stopped = host::OnDrop(|| PUBLISHING.set(false));
        while IS_NEWS.get() {
            let due_ms = PUBLISHED_MS.get().map_or(0, |published_ms| published_ms + PUBLISH_MS);
            let pause_ms = due_ms.saturating_sub(host::now_ms());
            if pause_ms > 0 {
                host::wait_ms(pause_ms).await;
            }
            IS_NEWS.set(false);
            write().await;
            PUBLISHED_MS.set(Some(host::now_ms()));
        }
    });
}

async fn write() {
    let Ok(Some(store)) = catalog::store().await else { return };
    take_over(&store).await;
    let learnt = LEARNT.with_borrow(|learnt| learnt.all().cloned().collect());
    let Ok(bytes) = serde_json::to_vec(&Signals { learnt, latencies: health::latencies() }) else { return };
    if let Err(error) = store.set(KEY, bytes).await {
        host::log(&format!("what this instance learnt of limits and latencies was not published: {error}"));
    }
}
