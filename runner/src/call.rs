//! The calls in flight: one `Call` for each client request, with the id that the component repeats in `x-llmio-host`.
//! wasmtime cannot cancel a guest task yet, so when a client leaves, the host ends what the call has open upstream, and
//! the guest sees errors. The registry belongs to one thread; its lock is never contended, and only exists because
//! bodies must be `Send`.

use http::{Method, Uri};
use hyper::body::Incoming;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use uuid::Uuid;
use wasmtime_wasi_http::Error;

/// Why the host ends what a call has open upstream. The component recognises the texts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reason {
    /// The client of the call has left.
    ClientClosed,
    /// The process is ending and the grace period is over. The client is still there and can be told.
    Drained,
}

impl Reason {
    /// The error that the guest gets from every exchange of the call, and from every new one.
    pub(crate) fn error(self) -> Error {
        let text = match self {
            Reason::ClientClosed => "client closed",
            Reason::Drained => "drained",
        };
        Error::InternalError(Some(text.to_owned()))
    }
}

/// The calls of one thread whose answers are not complete.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<HashMap<Uuid, Arc<Call>>>>);

impl Calls {
    /// Registers a call; it stays known until the guard is dropped.
    pub(crate) fn open(&self, request: Request, life: Arc<Life>) -> CallGuard {
        let id = request.id;
        life.calls.fetch_add(1, Ordering::Relaxed);
        life.bytes.fetch_add(request.bytes, Ordering::Relaxed);
        let call = Arc::new(Call { request, received: AtomicU64::new(0), life, state: Mutex::default() });
        lock(&self.0).insert(id, call.clone());
        CallGuard { call, calls: self.clone() }
    }

    /// The live call of this id; `None` if it has ended, and nothing may be sent for it any more.
    pub(crate) fn find(&self, id: Uuid) -> Option<Arc<Call>> {
        lock(&self.0).get(&id).cloned()
    }

    /// All live calls, or those in one instance.
    pub(crate) fn list(&self, of: Option<&Arc<Life>>) -> Vec<Arc<Call>> {
        let here = |call: &&Arc<Call>| of.is_none_or(|life| Arc::ptr_eq(life, &call.life));
        lock(&self.0).values().filter(here).cloned().collect()
    }

    /// The ids of all live calls that may have a record, which the host must report if they end without the guest.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.list(None).iter().filter_map(|call| call.recorded()).collect()
    }

    /// Ends what all live calls have open upstream. Their clients still get the guest's answer to that.
    pub(crate) fn drain(&self) {
        self.list(None).iter().for_each(|call| call.drain());
    }
}

/// The state of an instance that outlives its store.
#[derive(Default)]
pub(crate) struct Life {
    dead: AtomicBool,
    calls: AtomicUsize,
    /// How many bytes the bodies of these calls have or will have.
    bytes: AtomicU64,
    /// The calls that have ended for their clients, and when. The instance may still have to record them.
    ended: Mutex<VecDeque<(Uuid, Instant)>>,
}

/// A call is recorded within this time after its end. Of one that ended longer ago, or before this many others, no
/// record is missing.
const RECORDED_AFTER: Duration = Duration::from_secs(10);
const ENDED_MAX: usize = 4096;

impl Life {
    /// Notes that the instance trapped, so that the rest of its bodies will never come.
    pub(crate) fn end(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Whether the instance trapped.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// How many calls it has in flight.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// How many bytes their bodies have or will have.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The calls that ended lately, each returned once. If the instance has trapped, their records may be missing.
    pub(crate) fn take_ended(&self) -> Vec<Uuid> {
        let ended = std::mem::take(&mut *lock(&self.ended));
        ended.into_iter().filter(|(_, at)| at.elapsed() < RECORDED_AFTER).map(|(id, _)| id).collect()
    }

    fn ended(&self, id: Uuid) {
        let mut ended = lock(&self.ended);
        while ended.len() >= ENDED_MAX || ended.front().is_some_and(|(_, at)| at.elapsed() >= RECORDED_AFTER) {
            ended.pop_front();
        }
        ended.push_back((id, Instant::now()));
    }
}

/// What identifies a call.
#[derive(Clone)]
pub(crate) struct Request {
    /// The record's id.
    pub(crate) id: Uuid,
    /// Whether it may have a record, which the host must complete if the instance cannot.
    pub(crate) recorded: bool,
    /// Its method.
    pub(crate) method: Method,
    /// Its URI.
    pub(crate) uri: Uri,
    /// How many bytes its body has or will have. An instance holds all of them.
    pub(crate) bytes: u64,
}

/// One client request, from its head to the last byte of its answer.
pub(crate) struct Call {
    request: Request,
    /// Bytes of its body that have come.
    received: AtomicU64,
    life: Arc<Life>,
    state: Mutex<CallState>,
}

/// The call in log lines: what it was doing. The query is left out, since it may hold a key, and so is the origin's
/// path behind a relay's name.
impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { id, method, uri, .. } = &self.request;
        let bytes = self.received.load(Ordering::Relaxed);
        write!(formatter, "{id} {method} {} ({bytes} bytes)", shown(uri.path()))
    }
}

/// How much of a path is logged.
const PATH_CHARACTERS_MAX: usize = 80;

fn shown(path: &str) -> String {
    let is_relayed = ["/relay/", "/proxy/"].iter().any(|prefix| path.starts_with(prefix));
    let shown = if is_relayed { path.splitn(4, '/').take(3).collect::<Vec<_>>().join("/") } else { path.to_owned() };
    shown.chars().take(PATH_CHARACTERS_MAX).collect()
}

#[derive(Default)]
struct CallState {
    stage: Stage,
    /// Whether the answer says that there is no record of it.
    is_unrecorded: bool,
    upstreams: Vec<Arc<Upstream>>,
    waker: Option<Waker>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Stage {
    #[default]
    Open,
    Drained,
    Sent,
    Left,
}

impl Stage {
    fn is_over(self) -> bool {
        matches!(self, Stage::Sent | Stage::Left)
    }
}

impl Call {
    /// Its id, if it may have a record.
    pub(crate) fn recorded(&self) -> Option<Uuid> {
        self.request.recorded.then_some(self.request.id)
    }

    /// Notes that the answer has come, and whether there will be a record.
    pub(crate) fn answered(&self, is_recorded: bool) {
        lock(&self.state).is_unrecorded = !is_recorded;
    }

    /// Notes that this many bytes of the body have come.
    pub(crate) fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A new exchange with an upstream for this call, or why there may be none.
    pub(crate) fn upstream(&self) -> Result<Arc<Upstream>, Reason> {
        let mut state = lock(&self.state);
        match state.stage {
            Stage::Open => {
                let upstream = Arc::new(Upstream::default());
                state.upstreams.push(upstream.clone());
                Ok(upstream)
            }
            Stage::Drained => Err(Reason::Drained),
            Stage::Sent | Stage::Left => Err(Reason::ClientClosed),
        }
    }

    /// Ready when the whole answer was handed to the network, or with an error when the client left before that.
    pub(crate) fn poll_delivered(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = lock(&self.state);
        match state.stage {
            Stage::Sent => Poll::Ready(Ok(())),
            Stage::Left => Poll::Ready(Err(Reason::ClientClosed.error())),
            Stage::Open | Stage::Drained => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn drain(&self) {
        let mut state = lock(&self.state);
        if state.stage != Stage::Open {
            return;
        }
        state.stage = Stage::Drained;
        let upstreams = std::mem::take(&mut state.upstreams);
        drop(state);
        upstreams.iter().for_each(|upstream| upstream.abort(Reason::Drained));
    }

    fn end(&self, stage: Stage) {
        let mut state = lock(&self.state);
        if state.stage.is_over() {
            return;
        }
        state.stage = stage;
        let (upstreams, waker) = (std::mem::take(&mut state.upstreams), state.waker.take());
        drop(state);
        if stage == Stage::Left {
            upstreams.iter().for_each(|upstream| upstream.abort(Reason::ClientClosed));
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Keeps a call registered. If it is dropped before `sent`, the client has left.
pub(crate) struct CallGuard {
    call: Arc<Call>,
    calls: Calls,
}

impl CallGuard {
    /// The call itself.
    pub(crate) fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// The instance that serves it.
    pub(crate) fn life(&self) -> &Life {
        &self.call.life
    }

    /// Notes that the answer is complete, so that dropping the guard ends nothing.
    pub(crate) fn sent(&self) {
        self.call.end(Stage::Sent);
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let Call { request, life, state, .. } = &*self.call;
        lock(&self.calls.0).remove(&request.id);
        life.calls.fetch_sub(1, Ordering::Relaxed);
        life.bytes.fetch_sub(request.bytes, Ordering::Relaxed);
        if request.recorded && !lock(state).is_unrecorded {
            life.ended(request.id);
        }
        self.call.end(Stage::Left);
    }
}

/// One exchange with an upstream. It owns the body of the response, so that ending it closes the connection at once
/// even if the guest is not reading.
#[derive(Default)]
pub(crate) struct Upstream(Mutex<UpstreamState>);

#[derive(Default)]
struct UpstreamState {
    aborted: Option<Reason>,
    body: Option<Incoming>,
    waker: Option<Waker>,
}

impl Upstream {
    /// Hands over the body once the head is there.
    pub(crate) fn set_body(&self, body: Incoming) {
        let mut state = lock(&self.0);
        if state.aborted.is_none() {
            state.body = Some(body);
        }
    }

    /// Ready with an error when the host ends the exchange.
    pub(crate) fn poll_aborted(&self, context: &mut Context<'_>) -> Poll<Reason> {
        let mut state = lock(&self.0);
        if let Some(reason) = state.aborted {
            return Poll::Ready(reason);
        }
        state.wake_later(context);
        Poll::Pending
    }

    /// Polls the body; an error when it was aborted.
    pub(crate) fn poll_body<T>(
        &self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Incoming, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Result<T, Error>> {
        let mut state = lock(&self.0);
        let reason = state.aborted.unwrap_or(Reason::ClientClosed);
        let Some(body) = state.body.as_mut() else { return Poll::Ready(Err(reason.error())) };
        let polled = poll(body, context);
        if polled.is_pending() {
            state.wake_later(context);
        }
        polled.map(Ok)
    }

    /// Reads something of the body without polling it.
    pub(crate) fn with_body<T>(&self, read: impl FnOnce(&Incoming) -> T) -> Option<T> {
        lock(&self.0).body.as_ref().map(read)
    }

    /// Drops the body. If it was not read to its end, its connection closes.
    pub(crate) fn close(&self) {
        let body = lock(&self.0).body.take();
        drop(body);
    }

    fn abort(&self, reason: Reason) {
        let mut state = lock(&self.0);
        state.aborted = Some(reason);
        let (body, waker) = (state.body.take(), state.waker.take());
        drop(state);
        drop(body);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl UpstreamState {
    fn wake_later(&mut self, context: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }
}

/// Locks the mutex even if it is poisoned, which only means that a panic happened elsewhere. The state is a few flags
/// and stays usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(Waker::noop()))
    }

    fn request(id: u128, recorded: bool) -> Request {
        let uri = Uri::from_static("http://localhost/v1/messages?key=sk-secret");
        Request { id: Uuid::from_u128(id), recorded, method: Method::POST, uri, bytes: 100 }
    }

    #[test]
    fn a_client_that_leaves_aborts_every_exchange_of_its_call() {
        let (calls, id) = (Calls::default(), Uuid::from_u128(1));
        let guard = calls.open(request(1, true), Arc::default());
        let upstream = calls.find(id).and_then(|call| call.upstream().ok()).expect("the call is live");
        assert!(poll(|context| upstream.poll_aborted(context)).is_pending());
        let call = guard.call().clone();
        drop(guard);
        assert_eq!(poll(|context| upstream.poll_aborted(context)), Poll::Ready(Reason::ClientClosed));
        assert!(matches!(poll(|context| call.poll_delivered(context)), Poll::Ready(Err(_))));
        assert!(call.upstream().is_err(), "a send after the client left must be refused");
        assert!(calls.find(id).is_none());
    }

    #[test]
    fn an_answer_that_was_sent_aborts_nothing() {
        let calls = Calls::default();
        let guard = calls.open(request(1, true), Arc::default());
        let upstream = guard.call().upstream().expect("the call is live");
        let call = guard.call().clone();
        guard.sent();
        drop(guard);
        assert!(poll(|context| upstream.poll_aborted(context)).is_pending());
        assert!(matches!(poll(|context| call.poll_delivered(context)), Poll::Ready(Ok(()))));
    }

    #[test]
    fn a_drained_call_gets_no_new_exchange_but_goes_on_towards_its_client() {
        let calls = Calls::default();
        let guard = calls.open(request(1, true), Arc::default());
        let upstream = guard.call().upstream().expect("the call is live");
        calls.drain();
        assert_eq!(poll(|context| upstream.poll_aborted(context)), Poll::Ready(Reason::Drained));
        assert!(matches!(guard.call().upstream(), Err(Reason::Drained)));
        assert!(poll(|context| guard.call().poll_delivered(context)).is_pending());
        let polled = poll(|context| upstream.poll_body(context, |_, _| Poll::Ready(())));
        assert!(matches!(polled, Poll::Ready(Err(Error::InternalError(Some(text)))) if text == "drained"));
        guard.sent();
        assert!(matches!(poll(|context| guard.call().poll_delivered(context)), Poll::Ready(Ok(()))));
    }

    #[test]
    fn the_calls_of_one_instance_are_told_from_those_of_another() {
        let (calls, one, other) = (Calls::default(), Arc::new(Life::default()), Arc::new(Life::default()));
        let _first = calls.open(request(1, true), one.clone());
        let _second = calls.open(request(2, true), other);
        let here: Vec<_> = calls.list(Some(&one)).iter().filter_map(|call| call.recorded()).collect();
        assert_eq!(here, [Uuid::from_u128(1)]);
        assert_eq!(one.calls(), 1);
        assert_eq!(calls.ids().len(), 2);
    }

    #[test]
    fn an_ended_call_is_told_of_once_unless_its_answer_has_no_record() {
        let (calls, life) = (Calls::default(), Arc::new(Life::default()));
        let delivered = calls.open(request(1, true), life.clone());
        let left = calls.open(request(2, true), life.clone());
        let refused = calls.open(request(3, true), life.clone());
        let administered = calls.open(request(4, false), life.clone());
        assert_eq!(life.bytes(), 400);
        delivered.call().answered(true);
        refused.call().answered(false);
        delivered.sent();
        [delivered, left, refused, administered].into_iter().for_each(drop);
        assert_eq!(life.take_ended(), [1, 2].map(Uuid::from_u128));
        assert!(life.take_ended().is_empty());
        assert_eq!(life.bytes(), 0);
        (0..2 * ENDED_MAX as u128).for_each(|id| drop(calls.open(request(id, true), life.clone())));
        assert_eq!(life.take_ended().len(), ENDED_MAX);
    }

    #[test]
    fn a_call_without_a_record_is_never_reported_but_counts_as_in_flight() {
        let (calls, life) = (Calls::default(), Arc::new(Life::default()));
        let _call = calls.open(request(1, false), life.clone());
        assert!(calls.ids().is_empty());
        assert_eq!((life.calls(), calls.list(Some(&life)).len()), (1, 1));
    }

    #[test]
    fn what_a_call_was_doing_is_told_without_its_query() {
        let calls = Calls::default();
        let guard = calls.open(request(1, true), Arc::default());
        guard.call().received(512);
        let expected = "00000000-0000-0000-0000-000000000001 POST /v1/messages (512 bytes)";
        assert_eq!(guard.call().to_string(), expected);
        assert_eq!(shown("/relay/telegram/bot123:sk-secret/send"), "/relay/telegram");
        assert_eq!(shown(&format!("/{}", "x".repeat(500))).len(), PATH_CHARACTERS_MAX);
    }
}
