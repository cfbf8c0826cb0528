//! What a connection is doing, and for how long it may. Those who see something note it (the stream, the service, the
//! answer's body); a single timer of the connection looks every few seconds. hyper's own limit of a head's time would
//! be a timer per request, and runs between requests too, so that it cannot tell an idle client from a slow one.

use super::head_refusal::BEGINNING_BYTES_MAX;
use super::upload::Upload;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// What clients are given time for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// From a head's first byte to its last; for the first head of a connection from its accept.
    pub(crate) head: Duration,
    /// Between an answer and the next request.
    pub(crate) idle: Duration,
    /// Taking nothing of what waits to be written.
    pub(crate) stall: Duration,
}

impl ClientLimits {
    /// As promised, but for the stall.
    pub(crate) fn with_stall(stall: Duration) -> ClientLimits {
        ClientLimits { head: Duration::from_secs(10), idle: Duration::from_secs(60), stall }
    }

    /// No limit is shorter, so none that begins between two looks can be over before the second.
    pub(super) fn look_every(&self) -> Duration {
        self.head.min(self.idle).min(self.stall)
    }
}

/// What one connection is doing. The lock is never contended: all who note something run in the connection's task.
pub(super) struct Activity(Mutex<State>);

struct State {
    doing: Doing,
    since: Instant,
    write_waits_since: Option<Instant>,
    /// The body of the request in service.
    upload: Option<Arc<Upload>>,
    /// The call whose answer is being written, if it may have a record.
    call: Option<Uuid>,
    /// How the head that is coming in begins.
    beginning: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Doing {
    /// Nothing was asked yet.
    First,
    Idle,
    Head,
    Serving,
}

/// What a look finds.
#[derive(Debug, PartialEq)]
pub(super) enum Look {
    /// All is well; look again then.
    Again(Instant),
    /// The client took too long to ask for anything.
    Late,
    /// The client does not take its answer, which is that of this call.
    Stalled(Option<Uuid>),
}

impl Activity {
    /// A connection that was accepted now.
    pub(super) fn new(now: Instant) -> Arc<Activity> {
        Arc::new(Activity(Mutex::new(State {
            doing: Doing::First,
            since: now,
            write_waits_since: None,
            upload: None,
            call: None,
            beginning: Vec::new(),
        })))
    }

    /// A request's head is complete; the request is in service until what is returned is dropped.
    pub(super) fn serve(self: &Arc<Activity>, upload: Option<Arc<Upload>>) -> InService {
        let mut state = self.state();
        (state.doing, state.upload) = (Doing::Serving, upload);
        state.beginning.clear();
        InService(self.clone())
    }

    /// Whether a request is in service.
    pub(super) fn is_serving(&self) -> bool {
        self.state().doing == Doing::Serving
    }

    /// The client sent this.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.doing == Doing::Serving {
            return;
        }
        let room = BEGINNING_BYTES_MAX.saturating_sub(state.beginning.len()).min(bytes.len());
        state.beginning.extend_from_slice(&bytes[..room]);
        // Blank lines in front of a head are skipped (RFC 9112, section 2.2); old clients send one after a body.
        if state.doing == Doing::Idle && bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            (state.doing, state.since) = (Doing::Head, Instant::now());
        }
    }

    /// How the head that came last begins, unless it is in service.
    pub(super) fn beginning(&self) -> Option<Vec<u8>> {
        let state = self.state();
        (state.doing != Doing::Serving).then(|| state.beginning.clone())
    }

    /// A write cannot go on; `None`: it went on.
    pub(super) fn write_waits(&self, since: Option<Instant>) {
        self.state().write_waits_since = since;
    }

    /// Whether a limit has passed by now.
    pub(super) fn look(&self, limits: &ClientLimits, now: Instant) -> Look {
        let mut state = self.state();
        let stalled = state.write_waits_since.map(|since| since + limits.stall);
        if stalled.is_some_and(|due| due <= now) {
            return Look::Stalled(state.call.take());
        }
        // Not an end of the connection: the component answers a body that failed.
        let slow = state.upload.as_ref().and_then(|upload| upload.look(now));
        let late = match state.doing {
            Doing::First | Doing::Head => Some(state.since + limits.head),
            // The last of an answer may still wait to be written; then it is the write's time that counts.
            Doing::Idle if state.write_waits_since.is_some() => None,
            Doing::Idle => Some(state.since + limits.idle),
            Doing::Serving => None,
        };
        if late.is_some_and(|due| due <= now) {
            return Look::Late;
        }
        let next = now + limits.look_every();
        Look::Again([stalled, slow, late].into_iter().flatten().fold(next, Instant::min))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request is in service as long as this is kept.
pub(crate) struct InService(Arc<Activity>);

impl InService {
    /// Its answer is now written.
    pub(super) fn answers(&self, call: Option<Uuid>) {
        self.0.state().call = call;
    }
}

impl Drop for InService {
    fn drop(&mut self) {
        let mut state = self.0.state();
        (state.doing, state.since) = (Doing::Idle, Instant::now());
        (state.upload, state.call) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn connection() -> (Arc<Activity>, ClientLimits, Instant) {
        let now = Instant::now();
        (Activity::new(now), ClientLimits::with_stall(60 * SECOND), now)
    }

    #[test]
    fn the_first_head_has_ten_seconds_from_the_accept_whatever_comes() {
        let (activity, limits, start) = connection();
        activity.received(b"GET / HT");
        assert_eq!(activity.look(&limits, start + 9 * SECOND), Look::Again(start + 10 * SECOND));
        assert_eq!(activity.look(&limits, start + 10 * SECOND), Look::Late);
    }

    #[test]
    fn an_idle_client_has_a_minute_and_one_that_began_a_head_ten_seconds() {
        let (activity, limits, _) = connection();
        drop(activity.serve(None));
        let idle = Instant::now();
        activity.received(b"\r\n");
        assert!(matches!(activity.look(&limits, idle + 59 * SECOND), Look::Again(_)));
        assert_eq!(activity.look(&limits, idle + 61 * SECOND), Look::Late);
        activity.received(b"\r\nP");
        assert!(matches!(activity.look(&limits, Instant::now() + 9 * SECOND), Look::Again(_)));
        activity.received(b"OST");
        assert_eq!(activity.look(&limits, Instant::now() + 10 * SECOND), Look::Late);
    }

    #[test]
    fn a_request_in_service_has_no_limit_here() {
        let (activity, limits, start) = connection();
        let _service = activity.serve(None);
        assert!(activity.is_serving());
        assert_eq!(activity.look(&limits, start + 3600 * SECOND), Look::Again(start + 3610 * SECOND));
    }

    #[test]
    fn a_client_has_stalled_once_it_takes_nothing_for_a_minute() {
        let (activity, limits, start) = connection();
        let service = activity.serve(None);
        service.answers(Some(Uuid::from_u128(5)));
        activity.write_waits(Some(start));
        assert!(matches!(activity.look(&limits, start + 59 * SECOND), Look::Again(_)));
        activity.write_waits(None);
        assert!(matches!(activity.look(&limits, start + 61 * SECOND), Look::Again(_)));
        activity.write_waits(Some(start + 61 * SECOND));
        assert_eq!(activity.look(&limits, start + 121 * SECOND), Look::Stalled(Some(Uuid::from_u128(5))));
    }

    #[test]
    fn an_answer_that_was_handed_over_whole_is_not_called_stalled_afterwards() {
        let (activity, limits, start) = connection();
        let service = activity.serve(None);
        service.answers(Some(Uuid::from_u128(5)));
        drop(service);
        activity.write_waits(Some(start));
        assert_eq!(activity.look(&limits, start + 60 * SECOND), Look::Stalled(None));
    }
}
