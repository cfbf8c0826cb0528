//! Tasks: the futures of a request, and how they take turns.
//!
//! wit-bindgen asks its host for another turn when all futures of a request have been polled and none is ready, which is
//! nearly always so, since most requests have one future at a time. Such a turn finds nothing to do, and costs about as
//! much as one that does. So each request has a companion, a future that is polled at the beginning and at the end alone.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use spin_sdk::wasip3;

use super::clock::Clocks;

thread_local! {
    /// The present turn. Like wit-bindgen's own record of it, it is found and not passed on, since whatever runs runs in it.
    static TURN: Turn = const { Turn { request: RefCell::new(None), clocks: Clocks::unread() } };
}

/// A turn of a future.
struct Turn {
    /// The request it belongs to.
    request: RefCell<Option<Rc<Request>>>,
    clocks: Clocks,
}

impl Turn {
    /// Begins a turn of this request, or goes on with it. Time has passed meanwhile.
    fn begin(&self, request: Option<Rc<Request>>) {
        self.clocks.forget();
        self.request.replace(request);
    }
}

/// Reads the clocks.
pub(super) fn clocks<T>(read: impl FnOnce(&Clocks) -> T) -> T {
    TURN.with(|turn| read(&turn.clocks))
}

/// The futures of one request.
#[derive(Default)]
struct Request {
    /// How many have not ended, apart from the companion.
    futures: Cell<usize>,
    companion: Cell<Option<Waker>>,
    /// Those that were started in this turn. wit-bindgen gives what is spawned to the request whose turn ends next, and
    /// other requests have turns while this one yields.
    started: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>>,
}

impl Request {
    /// Starts a future of this request.
    fn start(&self, future: impl Future<Output = ()> + 'static) {
        self.started.borrow_mut().push(Box::pin(future));
    }

    /// Runs a future of this request. Only one that ends by itself wakes the companion: what drops one drops all of its
    /// request, and at that time nothing can be woken.
    async fn run<T>(self: Rc<Self>, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|context| {
            TURN.with(|turn| turn.begin(Some(self.clone())));
            let polled = future.as_mut().poll(context);
            TURN.with(|turn| turn.request.take());
            self.started.take().into_iter().for_each(wasip3::spawn);
            if polled.is_ready() {
                self.futures.update(|futures| futures.saturating_sub(1));
                if self.futures.get() == 0
                    && let Some(companion) = self.companion.take()
                {
                    companion.wake();
                }
            }
            polled
        })
        .await
    }

    /// Waits until all other futures have ended.
    async fn accompany(self: Rc<Self>) {
        poll_fn(|context| {
            if self.futures.get() == 0 {
                return Poll::Ready(());
            }
            self.companion.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// Runs the first future of a request.
pub(crate) async fn run<T>(future: impl Future<Output = T>) -> T {
    let request = Rc::new(Request { futures: Cell::new(1), ..Request::default() });
    request.start(request.clone().accompany());
    request.run(future).await
}

/// Starts a task that goes on when the request that started it has its answer.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    match TURN.with(|turn| turn.request.borrow().clone()) {
        Some(request) => {
            request.futures.update(|futures| futures + 1);
            request.start(request.clone().run(task));
        }
        // A request is dropped by its host. The next one that has a turn gets the task.
        None => wasip3::spawn(async move {
            let mut task = pin!(task);
            poll_fn(|context| {
                TURN.with(|turn| turn.begin(None));
                task.as_mut().poll(context)
            })
            .await;
        }),
    }
}

/// Lets other requests have their turns, in the way that is given.
pub(super) fn pause(others: impl FnOnce() -> bool) {
    let request = TURN.with(|turn| turn.request.take());
    // A request that is cancelled meanwhile notices it at its next wait.
    let _ = others();
    TURN.with(|turn| turn.begin(request));
}

/// A future that is polled only when it was woken. One that waits beside another would be polled with each turn of the
/// other, and each time tell the host anew what it waits for.
pub(super) struct WhenWoken<F> {
    future: F,
    call: Arc<Call>,
}

/// Whether the future was woken, and who polls it.
struct Call {
    is_woken: AtomicBool,
    parent: Mutex<Waker>,
}

impl Call {
    /// Whether the future must be polled.
    fn answer(&self, parent: &Waker) -> bool {
        self.parent.lock().unwrap_or_else(PoisonError::into_inner).clone_from(parent);
        self.is_woken.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.parent.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl<F> WhenWoken<F> {
    pub(super) fn new(future: F) -> Self {
        let (is_woken, parent) = (AtomicBool::new(true), Mutex::new(Waker::noop().clone()));
        WhenWoken { future, call: Arc::new(Call { is_woken, parent }) }
    }
}

impl<F: Future + Unpin> Future for WhenWoken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if !self.call.answer(context.waker()) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.call.clone());
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }
}
