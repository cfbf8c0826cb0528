//! The instances of one thread: the first takes calls until it is full, then another starts; extra ones end when they
//! have been idle for a while. There is no queue between calls and instances, so no call waits for one.
//!
//! Calls with large bodies go to separate instances, few to each: what traps an instance or fills its memory is usually
//! large, and cuts off all calls of its instance.

use super::{EndOfLife, Fault, GuestError, Instance, Job};
use crate::admin;
use crate::call::{Call, CallGuard, Calls, Life, Request};
use crate::engine::Engine;
use crate::gateway::Stores;
use crate::host::outbound_http::OutboundHttp;
use crate::inbound::RequestBody;
use crate::log;
use crate::memory::LARGE_INSTANCES_MAX;
use http::HeaderName;
use http::request::Parts;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wasmtime_wasi_http::WasiBody;

/// The pause before another instance is tried after one could not be started; it doubles each time. What is missing
/// (memory) does not come back by asking in a loop.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The header in which an answer names its record, if it has one.
const RECORD_HEADER: HeaderName = HeaderName::from_static("x-llmio-record");

/// How many calls the log line of a trap lists.
const LOGGED_CALLS_MAX: usize = 16;

/// What a call may share an instance with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Isolation {
    /// Many calls, or few with large bodies.
    Shared,
    /// Nothing: every call has an instance of its own.
    Request,
}

/// The size of the bodies of an instance's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    Large,
    /// Reports of the host about calls that were cut, which must not be cut together with other calls.
    Report,
}

impl Size {
    /// Larger bodies are common, but not from most callers.
    const SMALL_BYTES_MAX: u64 = 1 << 20;

    fn of(bytes: u64) -> Size {
        if bytes > Size::SMALL_BYTES_MAX { Size::Large } else { Size::Small }
    }
}

/// The capacity of the instances of one size.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// The most calls in flight of an instance.
    calls: usize,
    /// The most bytes of its calls' bodies together, while there may be more instances. One call is always accepted.
    bytes: u64,
    /// When there are this many instances, the emptiest one takes calls that none has room for. The component lets
    /// large bodies wait for their turn.
    instances: usize,
    /// The most calls in flight of an instance then.
    calls_then: usize,
}

impl Room {
    const fn of_calls(calls: usize) -> Room {
        Room { calls, bytes: u64::MAX, instances: usize::MAX, calls_then: calls }
    }

    /// The instance that takes a body of this size; `None` if another one must be started.
    fn choose(&self, lives: &[(usize, usize, u64)], bytes: u64) -> Option<usize> {
        let fits = |&&(_, calls, held): &&(usize, usize, u64)| {
            calls < self.calls && (calls == 0 || held.saturating_add(bytes) <= self.bytes)
        };
        let emptiest = || {
            let open = lives.iter().filter(|(_, calls, _)| *calls < self.calls_then);
            open.min_by_key(|(_, _, held)| *held)
        };
        let found = lives.iter().find(fits);
        found.or_else(|| if lives.len() < self.instances { None } else { emptiest() }).map(|(index, ..)| *index)
    }
}

/// How instances are shared and when they go.
#[derive(Clone, Copy)]
struct Sharing {
    /// The instances for calls with small bodies.
    small: Room,
    /// The instances for calls with large bodies; `None` if all calls share the same ones.
    large: Option<Room>,
    /// How many calls an instance serves in its life.
    uses_max: usize,
    /// How long an instance may be idle.
    idle_max: Duration,
    /// How long an instance that served large bodies may be idle, since its memory never shrinks.
    large_idle_max: Duration,
    /// Whether the last instance stays.
    keeps_one: bool,
}

impl Sharing {
    /// The sharing of the runner. What is made of a body of 32 MiB fits into one instance beside some smaller ones.
    const RUNNER: Sharing = Sharing {
        small: Room { calls: 256, bytes: 48 << 20, instances: 16, calls_then: 256 },
        large: Some(Room { calls: 4, bytes: 24 << 20, instances: LARGE_INSTANCES_MAX, calls_then: 256 }),
        uses_max: usize::MAX,
        idle_max: Duration::from_secs(60),
        large_idle_max: Duration::from_secs(10),
        keeps_one: true,
    };
    /// The same with an instance for every call, and one that waits for the next call.
    const PER_REQUEST: Sharing = Sharing { small: Room::of_calls(1), large: None, uses_max: 1, ..Sharing::RUNNER };
    /// The sharing of Spin 4.1.
    const SPIN: Sharing = Sharing {
        small: Room::of_calls(16),
        large: None,
        uses_max: 128,
        idle_max: Duration::from_secs(1),
        large_idle_max: Duration::from_secs(1),
        keeps_one: false,
    };

    fn of(stores: &Stores) -> Sharing {
        match stores.isolation {
            #[cfg(feature = "wasi-0-2")]
            _ if stores.is_wasi_0_2 => Sharing { keeps_one: false, ..Sharing::PER_REQUEST },
            _ if stores.quirks => Sharing::SPIN,
            Isolation::Shared => {
                let instances = stores.memory.large_instances(stores.threads);
                Sharing { large: Sharing::RUNNER.large.map(|room| Room { instances, ..room }), ..Sharing::RUNNER }
            }
            Isolation::Request => Sharing::PER_REQUEST,
        }
    }

    /// The instances that take a body of this size, and their capacity.
    fn place(&self, bytes: u64, is_report: bool) -> (Size, Room) {
        match (Size::of(bytes), self.large) {
            (_, Some(_)) if is_report => (Size::Report, self.small),
            (Size::Large, Some(large)) => (Size::Large, large),
            _ => (Size::Small, self.small),
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
    /// The identity of its call.
    pub(crate) request: Request,
    /// Its head, shaped by `inbound`.
    pub(crate) head: Parts,
    /// The body.
    pub(crate) body: RequestBody,
    /// Whether it is the host's report of a call that was cut.
    pub(crate) is_report: bool,
    /// The fault that a test asks for.
    pub(crate) fault: Option<Fault>,
}

/// The result of a request.
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
    /// Instances that take no more calls and have not ended yet.
    ending: Arc<Mutex<Vec<JoinHandle<()>>>>,
    failures: Arc<Failures>,
}

/// How many starts have failed in a row.
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
    /// A pool that has started no instance.
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
            Ok(Ok(response)) => {
                guard.call().answered(response.headers().contains_key(RECORD_HEADER));
                Answer::Response(response, guard)
            }
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

    /// Starts the first instance, so that the first call does not wait for it. Returns why it cannot be started, if it
    /// cannot.
    pub(crate) async fn warm(&self) -> Result<(), String> {
        let (started, outcome) = oneshot::channel();
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(self.spawn(Size::Small, Some(started)));
        outcome.await.unwrap_or_else(|_| Err("the host panicked".to_owned()))
    }

    /// Ends idle extra instances; called every second.
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
            // An instance whose sender is dropped ends when its work after the response is done.
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

    /// Ends what the calls in flight have open upstream, because the process is ending.
    pub(crate) fn drain_calls(&self) {
        self.calls.drain();
    }

    /// Ends all instances: none accepts calls any more, and each ends when its work is done. Resolves when all have
    /// ended.
    pub(crate) async fn close(&self) {
        loop {
            let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
            // All at once, because the report of an instance that traps meanwhile may have started another one.
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
        let Dispatch { request, head, mut body, is_report, fault } = dispatch;
        let (size, room) = self.sharing.place(request.bytes, is_report);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let live = slots.iter().enumerate().filter(|(_, slot)| slot.size == size && !slot.life.is_dead());
        let lives: Vec<_> = live.map(|(index, slot)| (index, slot.life.calls(), slot.life.bytes())).collect();
        let index = room.choose(&lives, request.bytes).unwrap_or_else(|| {
            slots.push(self.spawn(size, None));
            slots.len() - 1
        });
        let slot = &mut slots[index];
        slot.uses += 1;
        let guard = self.calls.open(request, slot.life.clone());
        body.count_for(guard.call().clone());
        let call = (!self.stores.quirks).then(|| guard.call().clone());
        // This fails only if the instance just died; the job's reply is then dropped and the call sees it.
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
            #[cfg(feature = "wasi-0-2")]
            if pool.stores.is_wasi_0_2 {
                let _ = started.map(|started| started.send(Ok(())));
                return match super::p2::run(&pool.engine, pool.stores.clone(), pool.outbound.clone(), receiver).await {
                    Ok(()) => end.clean(),
                    Err(trap) => pool.trapped(end, &trap).await,
                };
            }
            let instance = pool.start_instance().await;
            if let Some(started) = started {
                let outcome = instance.as_ref().map(|_| ()).map_err(|error| format!("{error:#}"));
                // Nobody listens if the process is ending already.
                let _ = started.send(outcome);
            }
            match instance {
                Err(error) => {
                    // The clients of its jobs get their answers now, and not when everything is reported.
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
        log::warn(trapped_calls(&self.calls.list(Some(end.life())), trap));
        self.stores.counters.trapped();
        self.report_cut(end).await;
    }

    /// Reports the calls of an instance that trapped to a new instance, since the guest can no longer record them.
    async fn report_cut(&self, end: EndOfLife) {
        let cut: Vec<_> = self.calls.list(Some(end.life())).iter().filter_map(|call| call.recorded()).collect();
        let delivered = end.life().take_ended();
        // This comes before anything is awaited: other tasks of this thread poll the bodies, and must see it.
        drop(end);
        // Spin reports nothing.
        if self.stores.quirks {
            return;
        }
        admin::report_ended(self, &cut, "guest_trap").await;
        admin::report_delivered(self, &delivered, "guest_trap").await;
    }
}

/// The log line about a trap: what happened, and what the instance was doing.
fn trapped_calls(calls: &[Arc<Call>], trap: &wasmtime::Error) -> String {
    let mut line = format!("an instance trapped with {} calls in flight: {trap:#}", calls.len());
    for (index, call) in calls.iter().take(LOGGED_CALLS_MAX).enumerate() {
        line.push_str(if index == 0 { "; it served " } else { ", " });
        line.push_str(&call.to_string());
    }
    match calls.len().saturating_sub(LOGGED_CALLS_MAX) {
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
        let place = |sharing: Sharing, bytes| {
            let (size, room) = sharing.place(bytes, false);
            (size, room.calls)
        };
        assert_eq!(Sharing::RUNNER.place(0, true).0, Size::Report);
        assert_eq!(place(Sharing::RUNNER, 0), (Size::Small, 256));
        assert_eq!(place(Sharing::RUNNER, 1 << 20), (Size::Small, 256));
        assert_eq!(place(Sharing::RUNNER, (1 << 20) + 1), (Size::Large, 4));
        assert_eq!(place(Sharing::RUNNER, 33 << 20), (Size::Large, 4));
        assert_eq!(place(Sharing::SPIN, 33 << 20), (Size::Small, 16));
        assert_eq!(place(Sharing::PER_REQUEST, 33 << 20), (Size::Small, 1));
    }

    #[test]
    fn an_instance_takes_calls_until_their_number_or_their_bytes_are_too_many() {
        let room = Room { calls: 4, bytes: 40, instances: 3, calls_then: 6 };
        assert_eq!(room.choose(&[], 33), None);
        assert_eq!(room.choose(&[(7, 0, 0)], 50), Some(7), "one is always taken");
        assert_eq!(room.choose(&[(0, 1, 33)], 33), None);
        assert_eq!(room.choose(&[(0, 1, 33), (1, 3, 7)], 33), Some(1));
        assert_eq!(room.choose(&[(0, 4, 8), (1, 1, 33)], 33), None);
        let full = [(0, 1, 33), (4, 4, 8), (5, 6, 1)];
        assert_eq!(room.choose(&full, 33), Some(4), "the emptiest that takes any");
        assert_eq!(room.choose(&[(0, 6, 9); 3], 33), None);
    }
}
