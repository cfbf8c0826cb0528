//! The instances of one thread: the first takes calls until it has its fill, then another starts; extras go when they
//! have been idle for a while. No queue between calls and instances, so a call never waits for one.

use super::{EndOfLife, GuestError, Instance, Job};
use crate::admin;
use crate::call::{Call, CallGuard, Calls, Life};
use crate::engine::Engine;
use crate::gateway::Stores;
use crate::host::outbound_http::OutboundHttp;
use crate::inbound::RequestBody;
use crate::log;
use http::request::Parts;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;
use wasmtime_wasi_http::WasiBody;

/// Before an instance is tried again after one could not be started; doubled each time. What is missing (memory) does
/// not come back by asking in a loop.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How instances are shared and when they go.
#[derive(Clone, Copy)]
pub(crate) struct Sharing {
    /// Calls in flight an instance takes at most.
    pub(crate) calls_max: usize,
    /// Calls an instance serves in its life.
    pub(crate) uses_max: usize,
    /// How long an instance may be without a call.
    pub(crate) idle_max: Duration,
    /// Whether the last one goes too.
    pub(crate) keeps_one: bool,
}

impl Sharing {
    /// As the runner does it.
    pub(crate) const RUNNER: Sharing =
        Sharing { calls_max: 256, uses_max: usize::MAX, idle_max: Duration::from_secs(60), keeps_one: true };
    /// As Spin 4.1 does it.
    pub(crate) const SPIN: Sharing =
        Sharing { calls_max: 16, uses_max: 128, idle_max: Duration::from_secs(1), keeps_one: false };
}

/// What became of a request.
pub(crate) enum Answer {
    /// The component's response, with the guard of its call.
    Response(http::Response<WasiBody>, CallGuard),
    /// The component returned an error code.
    Failed(GuestError),
    /// The instance trapped before it answered.
    Trapped,
}

/// The instances of one thread.
#[derive(Clone)]
pub(crate) struct Instances {
    engine: Engine,
    stores: Arc<Stores>,
    outbound: OutboundHttp,
    calls: Calls,
    sharing: Sharing,
    slots: Arc<Mutex<Vec<Slot>>>,
    failures: Arc<Failures>,
}

/// Starts that failed since the last that did not.
#[derive(Default)]
struct Failures(AtomicU32);

impl Failures {
    fn pause(&self) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            count => PAUSE_FIRST.saturating_mul(1 << (count - 1).min(10)).min(PAUSE_MAX),
        }
    }

    fn count(&self, failed: bool) {
        let count = if failed { self.0.load(Ordering::Relaxed).saturating_add(1) } else { 0 };
        self.0.store(count, Ordering::Relaxed);
    }
}

struct Slot {
    jobs: mpsc::UnboundedSender<Job>,
    life: Arc<Life>,
    task: JoinHandle<()>,
    uses: usize,
    idle_since: Instant,
}

impl Instances {
    /// None started yet.
    pub(crate) fn new(engine: Engine, stores: Arc<Stores>, outbound: OutboundHttp, calls: Calls) -> Instances {
        let sharing = if stores.quirks { Sharing::SPIN } else { Sharing::RUNNER };
        Instances { engine, stores, outbound, calls, sharing, slots: Arc::default(), failures: Arc::default() }
    }

    /// Sends a request through an instance and waits for its response head. `recorded`: the call may have a record, which
    /// the host has to complete should the instance not come to it.
    pub(crate) async fn send(&self, id: Uuid, head: Parts, body: RequestBody, recorded: bool) -> Answer {
        let (answer, answered) = oneshot::channel();
        let guard = self.start(id, recorded, |call| Job { head, body, call, answer });
        match answered.await {
            Ok(Ok(response)) => Answer::Response(response, guard),
            Ok(Err(error)) => {
                guard.sent();
                Answer::Failed(error)
            }
            Err(_) => {
                guard.sent();
                Answer::Trapped
            }
        }
    }

    /// Starts the first instance, so that the first call does not wait for it, and tells why it cannot be started.
    pub(crate) async fn warm(&self) -> Result<(), String> {
        let (started, outcome) = oneshot::channel();
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(self.spawn(Some(started)));
        outcome.await.unwrap_or_else(|_| Err("the host panicked".to_owned()))
    }

    /// Lets idle extras go; called every second.
    pub(crate) fn tidy(&self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut kept = usize::from(!self.sharing.keeps_one);
        slots.retain_mut(|slot| {
            if slot.life.is_dead() {
                return false;
            }
            if slot.life.calls() > 0 {
                slot.idle_since = now;
            }
            // A sender that is dropped ends its instance, once its work after the response is done.
            let stays = kept == 0 || now - slot.idle_since < self.sharing.idle_max;
            kept += 1;
            stays
        });
    }

    /// Databases and variables, shared by all instances of the process.
    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    /// The ids of the calls in flight that may have a record.
    pub(crate) fn live_calls(&self) -> Vec<Uuid> {
        self.calls.ids(None)
    }

    /// Ends what the calls in flight have open upstream, as drained.
    pub(crate) fn drain_calls(&self) {
        self.calls.drain();
    }

    /// Ends all instances: none takes calls any more, and each goes when its work is done. Resolves when all are gone.
    pub(crate) async fn close(&self) {
        loop {
            let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
            if slots.is_empty() {
                return;
            }
            // All at once; and the report of one that traps meanwhile may have started another.
            let tasks: Vec<_> = slots.into_iter().map(|Slot { task, .. }| task).collect();
            for task in tasks {
                let _ = task.await;
            }
        }
    }

    fn start(&self, id: Uuid, recorded: bool, job: impl FnOnce(Option<Arc<Call>>) -> Job) -> CallGuard {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |slot: &Slot| !slot.life.is_dead() && slot.life.calls() < self.sharing.calls_max;
        let index = slots.iter().position(fits).unwrap_or_else(|| {
            slots.push(self.spawn(None));
            slots.len() - 1
        });
        let slot = &mut slots[index];
        slot.uses += 1;
        let guard = self.calls.open(id, slot.life.clone(), recorded);
        let call = (!self.stores.quirks).then(|| guard.call().clone());
        // Fails only when the instance died this instant; the job's reply is then dropped and the call sees it.
        let _ = slot.jobs.send(job(call));
        if slot.uses >= self.sharing.uses_max {
            slots.remove(index);
        }
        guard
    }

    fn spawn(&self, started: Option<oneshot::Sender<Result<(), String>>>) -> Slot {
        let (jobs, receiver) = mpsc::unbounded_channel();
        let life = Arc::new(Life::default());
        let (pool, end) = (self.clone(), EndOfLife::of(life.clone()));
        let task = tokio::spawn(async move {
            let instance = pool.start_instance().await;
            if let Some(started) = started {
                let outcome = instance.as_ref().map(|_| ()).map_err(|error| format!("{error:#}"));
                // Nobody listens when the process is ending already.
                let _ = started.send(outcome);
            }
            match instance {
                Err(error) => {
                    // Its jobs' clients get their answer now, and not when all is reported.
                    drop(receiver);
                    pool.not_started(end, &error).await;
                }
                Ok(instance) => match super::run(instance, receiver).await {
                    Ok(()) => end.clean(),
                    Err(trap) => pool.trapped(end, &trap).await,
                },
            }
        });
        Slot { jobs, life, task, uses: 0, idle_since: Instant::now() }
    }

    async fn start_instance(&self) -> wasmtime::Result<Instance> {
        let pause = self.failures.pause();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let started = Instance::start(&self.engine, self.stores.clone(), self.outbound.clone()).await;
        self.failures.count(started.is_err());
        started
    }

    async fn not_started(&self, end: EndOfLife, error: &wasmtime::Error) {
        let (calls, pause) = (end.life().calls(), self.failures.pause());
        log::warn(format_args!("no instance can be started: {error:#}; {calls} calls fail; trying again in {pause:?}"));
        self.report_cut(end).await;
    }

    async fn trapped(&self, end: EndOfLife, trap: &wasmtime::Error) {
        log::warn(format_args!("an instance trapped with {} calls in flight: {trap:#}", end.life().calls()));
        self.stores.counters.trapped();
        self.report_cut(end).await;
    }

    /// The guest can no longer record its calls, so the host reports them to a fresh instance.
    async fn report_cut(&self, end: EndOfLife) {
        let cut = self.calls.ids(Some(end.life()));
        // Before anything is awaited: bodies are polled by other tasks of this thread and must see it.
        drop(end);
        admin::report_ended(self, &cut, "guest_trap").await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_start_doubles_the_pause_up_to_a_limit_and_a_success_ends_it() {
        let failures = Failures::default();
        let next = || {
            failures.count(true);
            failures.pause().as_millis()
        };
        assert_eq!([next(), next(), next()], [100, 200, 400]);
        assert_eq!((0..100).map(|_| next()).max(), Some(PAUSE_MAX.as_millis()));
        failures.count(false);
        assert!(failures.pause().is_zero());
    }
}
