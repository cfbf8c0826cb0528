//! The instances of one thread: the first takes calls until it has its fill, then another starts; extras go when they
//! have been idle for a while. No queue between calls and instances, so a call never waits for one.
//!
//! Calls with large bodies go to instances of their own, few to each: what traps an instance or fills its memory is most
//! often large, and takes all calls of its instance with it.

use super::{EndOfLife, Fault, GuestError, Instance, Job};
use crate::admin;
use crate::call::{Call, CallGuard, Calls, Life, Request};
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
use wasmtime_wasi_http::WasiBody;

/// Before an instance is tried again after one could not be started; doubled each time. What is missing (memory) does
/// not come back by asking in a loop.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A trap's log line tells of so many calls.
const TOLD_MAX: usize = 16;

/// What a call may share an instance with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Isolation {
    /// Many calls, or few with large bodies.
    Shared,
    /// Nothing: every call has an instance of its own.
    Request,
}

/// How large the bodies of an instance's calls are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    Large,
    /// The host's reports of calls that were cut, which must not be cut with the next ones.
    Report,
}

impl Size {
    /// Larger bodies are seen often enough, but not from most callers.
    const SMALL_BYTES_MAX: u64 = 1 << 20;

    fn of(bytes: u64) -> Size {
        if bytes > Size::SMALL_BYTES_MAX { Size::Large } else { Size::Small }
    }
}

/// How instances are shared and when they go.
#[derive(Clone, Copy)]
struct Sharing {
    /// Calls in flight an instance takes at most.
    calls_max: usize,
    /// The same for calls with large bodies; none: they go where all go.
    large_calls_max: Option<usize>,
    /// Calls an instance serves in its life.
    uses_max: usize,
    /// How long an instance may be without a call.
    idle_max: Duration,
    /// The same for one that served large bodies, whose memory never shrinks.
    large_idle_max: Duration,
    /// Whether the last one goes too.
    keeps_one: bool,
}

impl Sharing {
    /// As the runner does it. Four bodies of 32 MiB, and what is made of them, fit into one instance.
    const RUNNER: Sharing = Sharing {
        calls_max: 256,
        large_calls_max: Some(4),
        uses_max: usize::MAX,
        idle_max: Duration::from_secs(60),
        large_idle_max: Duration::from_secs(10),
        keeps_one: true,
    };
    /// The same, with an instance for every call; one waits for the next.
    const PER_REQUEST: Sharing = Sharing { calls_max: 1, large_calls_max: None, uses_max: 1, ..Sharing::RUNNER };
    /// As Spin 4.1 does it.
    const SPIN: Sharing = Sharing {
        calls_max: 16,
        large_calls_max: None,
        uses_max: 128,
        idle_max: Duration::from_secs(1),
        large_idle_max: Duration::from_secs(1),
        keeps_one: false,
    };

    fn of(stores: &Stores) -> Sharing {
        match stores.isolation {
            _ if stores.quirks => Sharing::SPIN,
            Isolation::Shared => Sharing::RUNNER,
            Isolation::Request => Sharing::PER_REQUEST,
        }
    }

    /// Which instances take a body of so many bytes, and how many of such calls each takes.
    fn place(&self, bytes: u64, is_report: bool) -> (Size, usize) {
        match (Size::of(bytes), self.large_calls_max) {
            (_, Some(_)) if is_report => (Size::Report, self.calls_max),
            (Size::Large, Some(calls_max)) => (Size::Large, calls_max),
            _ => (Size::Small, self.calls_max),
        }
    }

    fn idle_max(&self, size: Size) -> Duration {
        match size {
            Size::Small => self.idle_max,
            Size::Large | Size::Report => self.large_idle_max,
        }
    }
}

/// A request on its way to an instance.
pub(crate) struct Dispatch {
    /// What its call is known by.
    pub(crate) request: Request,
    /// Its head, shaped by `inbound`.
    pub(crate) head: Parts,
    /// Its body.
    pub(crate) body: RequestBody,
    /// How many bytes that has or will have, of which an instance holds all.
    pub(crate) bytes: u64,
    /// It is the host's report of a call that was cut.
    pub(crate) is_report: bool,
    /// What a test wants.
    pub(crate) fault: Option<Fault>,
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

type Answered = Result<http::Response<WasiBody>, GuestError>;

/// The instances of one thread.
#[derive(Clone)]
pub(crate) struct Instances {
    engine: Engine,
    stores: Arc<Stores>,
    outbound: OutboundHttp,
    calls: Calls,
    sharing: Sharing,
    slots: Arc<Mutex<Vec<Slot>>>,
    /// Instances that take no more calls and have not ended.
    ending: Arc<Mutex<Vec<JoinHandle<()>>>>,
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
    size: Size,
    jobs: mpsc::UnboundedSender<Job>,
    life: Arc<Life>,
    task: JoinHandle<()>,
    uses: usize,
    idle_since: Instant,
}

impl Instances {
    /// None started yet.
    pub(crate) fn new(engine: Engine, stores: Arc<Stores>, outbound: OutboundHttp, calls: Calls) -> Instances {
        let sharing = Sharing::of(&stores);
        Instances {
            engine,
            stores,
            outbound,
            calls,
            sharing,
            slots: Arc::default(),
            ending: Arc::default(),
            failures: Arc::default(),
        }
    }

    /// Sends a request through an instance and waits for its response head.
    pub(crate) async fn send(&self, dispatch: Dispatch) -> Answer {
        let (answer, answered) = oneshot::channel();
        let guard = self.start(dispatch, answer);
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
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(self.spawn(Size::Small, Some(started)));
        outcome.await.unwrap_or_else(|_| Err("the host panicked".to_owned()))
    }

    /// Lets idle extras go; called every second.
    pub(crate) fn tidy(&self) {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).retain(|task| !task.is_finished());
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut keeps_one = self.sharing.keeps_one;
        slots.retain_mut(|slot| {
            if slot.life.is_dead() {
                return false;
            }
            if slot.life.calls() > 0 {
                slot.idle_since = now;
            }
            // A sender that is dropped ends its instance, once its work after the response is done.
            let is_kept = slot.size == Size::Small && std::mem::take(&mut keeps_one);
            is_kept || now - slot.idle_since < self.sharing.idle_max(slot.size)
        });
    }

    /// Databases and variables, shared by all instances of the process.
    pub(crate) fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// The ids of the calls in flight that may have a record.
    pub(crate) fn live_calls(&self) -> Vec<uuid::Uuid> {
        self.calls.ids()
    }

    /// Ends what the calls in flight have open upstream, as drained.
    pub(crate) fn drain_calls(&self) {
        self.calls.drain();
    }

    /// Ends all instances: none takes calls any more, and each goes when its work is done. Resolves when all are gone.
    pub(crate) async fn close(&self) {
        loop {
            let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
            // All at once; and the report of one that traps meanwhile may have started another.
            let mut tasks = std::mem::take(&mut *self.ending.lock().unwrap_or_else(PoisonError::into_inner));
            tasks.extend(slots.into_iter().map(|Slot { task, .. }| task));
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                let _ = task.await;
            }
        }
    }

    fn start(&self, dispatch: Dispatch, answer: oneshot::Sender<Answered>) -> CallGuard {
        let Dispatch { request, head, mut body, bytes, is_report, fault } = dispatch;
        let (size, calls_max) = self.sharing.place(bytes, is_report);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |slot: &Slot| slot.size == size && !slot.life.is_dead() && slot.life.calls() < calls_max;
        let index = slots.iter().position(fits).unwrap_or_else(|| {
            slots.push(self.spawn(size, None));
            slots.len() - 1
        });
        let slot = &mut slots[index];
        slot.uses += 1;
        let guard = self.calls.open(request, slot.life.clone());
        body.count_for(guard.call().clone());
        let call = (!self.stores.quirks).then(|| guard.call().clone());
        // Fails only when the instance died this instant; the job's reply is then dropped and the call sees it.
        let _ = slot.jobs.send(Job { head, body, call, fault, answer });
        if slot.uses >= self.sharing.uses_max {
            let Slot { task, .. } = slots.remove(index);
            self.ending.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        }
        guard
    }

    fn spawn(&self, size: Size, started: Option<oneshot::Sender<Result<(), String>>>) -> Slot {
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
        Slot { size, jobs, life, task, uses: 0, idle_since: Instant::now() }
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
        log::warn(told(&self.calls.list(Some(end.life())), trap));
        self.stores.counters.trapped();
        self.report_cut(end).await;
    }

    /// The guest can no longer record its calls, so the host reports them to a fresh instance.
    async fn report_cut(&self, end: EndOfLife) {
        let cut: Vec<_> = self.calls.list(Some(end.life())).iter().filter_map(|call| call.recorded()).collect();
        // Before anything is awaited: bodies are polled by other tasks of this thread and must see it.
        drop(end);
        admin::report_ended(self, &cut, "guest_trap").await;
    }
}

/// What happened, and what the instance was doing.
fn told(calls: &[Arc<Call>], trap: &wasmtime::Error) -> String {
    let mut line = format!("an instance trapped with {} calls in flight: {trap:#}", calls.len());
    for (index, call) in calls.iter().take(TOLD_MAX).enumerate() {
        line.push_str(if index == 0 { "; it served " } else { ", " });
        line.push_str(&call.to_string());
    }
    match calls.len().saturating_sub(TOLD_MAX) {
        0 => line,
        more => format!("{line} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_start_doubles_the_pause_and_a_success_ends_it() {
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

    #[test]
    fn large_bodies_go_to_instances_of_their_own_and_only_in_the_runner() {
        let place = |sharing: Sharing, bytes| sharing.place(bytes, false);
        assert_eq!(Sharing::RUNNER.place(0, true).0, Size::Report);
        assert_eq!(place(Sharing::RUNNER, 0), (Size::Small, 256));
        assert_eq!(place(Sharing::RUNNER, 1 << 20), (Size::Small, 256));
        assert_eq!(place(Sharing::RUNNER, (1 << 20) + 1), (Size::Large, 4));
        assert_eq!(place(Sharing::RUNNER, u64::MAX), (Size::Large, 4));
        assert_eq!(place(Sharing::SPIN, u64::MAX), (Size::Small, 16));
        assert_eq!(place(Sharing::PER_REQUEST, u64::MAX), (Size::Small, 1));
    }
}
