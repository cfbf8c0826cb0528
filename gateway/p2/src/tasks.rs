//! Tasks of one request. They are polled in turn until none can go on; then the host is asked which of the things that they
//! wait for has happened.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use wasip2::clocks::monotonic_clock;
use wasip2::io::poll::{Pollable, poll};

/// How long timers are waited for once the answer is out and nothing else is under way. What waits for longer, such as the
/// clock of a call that is over, would keep an instance for nothing, and platforms cut it anyway.
const TIMERS_NS_MAX: u64 = 250_000_000;

/// A task that has not ended.
struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    flag: Arc<Flag>,
}

/// Whether a task was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Something that the host will say of that it has happened.
struct Awaited {
    pollable: Pollable,
    /// When it happens, if it is a timer.
    due_ns: Option<u64>,
}

thread_local! {
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
    static WAITING: RefCell<Vec<(Weak<Awaited>, Waker)>> = const { RefCell::new(Vec::new()) };
    static RESTING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    static IS_ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// Starts a task.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    let task = Task { future: Box::pin(future), flag: Arc::new(Flag(AtomicBool::new(true))) };
    SPAWNED.with_borrow_mut(|spawned| spawned.push(task));
}

/// Notes that the client has all of its answer, or none will come.
pub(crate) fn answered() {
    IS_ANSWERED.set(true);
}

/// Runs the tasks to their ends, those that go on behind the answer too.
pub(crate) fn run() {
    let mut tasks: Vec<Task> = Vec::new();
    loop {
        poll_all(&mut tasks);
        if tasks.is_empty() || !wait() {
            return;
        }
    }
}

/// Waits until no other task can go on without the host. What they store is stored then, since the stores answer at once: a
/// platform may cut whatever runs behind an answer, and the client's next request is to find it.
pub(crate) async fn at_rest() {
    let mut is_waiting = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_waiting, true) {
            return Poll::Ready(());
        }
        RESTING.with_borrow_mut(|resting| resting.push(context.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// Polls whatever was woken, until nothing is.
fn poll_all(tasks: &mut Vec<Task>) {
    loop {
        SPAWNED.with_borrow_mut(|spawned| tasks.append(spawned));
        let mut has_polled = false;
        tasks.retain_mut(|task| {
            if !task.flag.0.swap(false, Ordering::Relaxed) {
                return true;
            }
            has_polled = true;
            let waker = Waker::from(task.flag.clone());
            task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
        if !has_polled {
            let resting = RESTING.take();
            if resting.is_empty() {
                return;
            }
            resting.into_iter().for_each(Waker::wake);
        }
    }
}

/// Waits until something has happened that a task waits for, and wakes it. Returns `false` if nothing more is worth it.
fn wait() -> bool {
    let alive = |(awaited, waker): (Weak<Awaited>, Waker)| Some((awaited.upgrade()?, waker));
    let waiting: Vec<(Rc<Awaited>, Waker)> =
        WAITING.with_borrow_mut(|waiting| std::mem::take(waiting).into_iter().filter_map(alive).collect());
    if waiting.is_empty() || (IS_ANSWERED.get() && are_late_timers(&waiting)) {
        return false;
    }
    let pollables: Vec<&Pollable> = waiting.iter().map(|(awaited, _)| &awaited.pollable).collect();
    let ready = poll(&pollables);
    let is_ready = |index: usize| ready.iter().any(|ready| usize::try_from(*ready) == Ok(index));
    for (index, (awaited, waker)) in waiting.into_iter().enumerate() {
        if is_ready(index) {
            waker.wake();
        } else {
            WAITING.with_borrow_mut(|waiting| waiting.push((Rc::downgrade(&awaited), waker)));
        }
    }
    true
}

fn are_late_timers(waiting: &[(Rc<Awaited>, Waker)]) -> bool {
    let until_ns = monotonic_clock::now().saturating_add(TIMERS_NS_MAX);
    waiting.iter().all(|(awaited, _)| awaited.due_ns.is_some_and(|due_ns| due_ns > until_ns))
}

/// Waits for something that is no timer.
pub(crate) async fn ready(pollable: Pollable) {
    happened(Awaited { pollable, due_ns: None }).await;
}

/// Waits for so many nanoseconds.
pub(crate) async fn wait_for(nanos: u64) {
    let due_ns = Some(monotonic_clock::now().saturating_add(nanos));
    happened(Awaited { pollable: monotonic_clock::subscribe_duration(nanos), due_ns }).await;
}

/// What is awaited goes with the future that awaits it.
async fn happened(awaited: Awaited) {
    let awaited = Rc::new(awaited);
    poll_fn(|context| {
        if awaited.pollable.ready() {
            return Poll::Ready(());
        }
        let known = Rc::downgrade(&awaited);
        WAITING.with_borrow_mut(|waiting| {
            waiting.retain(|(other, _)| !Weak::ptr_eq(other, &known));
            waiting.push((known, context.waker().clone()));
        });
        Poll::Pending
    })
    .await;
}
