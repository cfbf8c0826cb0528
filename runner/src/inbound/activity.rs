//! What a connection is doing, and how long it may. The stream, the service and the answer's body note what they see;
//! one timer of the connection looks every few seconds. hyper's own time limit for heads would be a timer per request,
//! and it also runs between requests, so that it cannot tell an idle client from a slow one.

use super::head_refusal::BEGINNING_BYTES_MAX;
use super::upload::Upload;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The time limits of clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// For a whole head, from its first byte; for the first head of a connection, from the accept.
    pub(crate) head: Duration,
    /// Between an answer and the next request.
    pub(crate) idle: Duration,
    /// For a client that reads nothing of what waits to be written.
    pub(crate) stall: Duration,
}

impl ClientLimits {
    /// The promised limits, with this one for stalls.
    pub(crate) fn with_stall(stall: Duration) -> ClientLimits {
        ClientLimits { head: Duration::from_secs(10), idle: Duration::from_secs(60), stall }
    }

    /// The time between two looks. No limit is shorter, so that none begins and ends between two looks.
    pub(super) fn look_every(&self) -> Duration {
        self.head.min(self.idle).min(self.stall)
    }
}

/// What one connection is doing. The lock is never contended, since everything here runs in the connection's task.
pub(super) struct Activity(Mutex<State>);

struct State {
    doing: ConnectionPhase,
    since: Instant,
    write_waits_since: Option<Instant>,
    /// The body of the request in service.
    upload: Option<Arc<Upload>>,
    /// The call whose answer is being written, if it may have a record.
    call: Option<Uuid>,
    /// The beginning of the head that is coming in.
    beginning: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum ConnectionPhase {
    /// No request has come yet.
    First,
    Idle,
    Head,
    Serving,
}

/// The result of a look.
#[derive(Debug, PartialEq)]
pub(super) enum ActivityCheck {
    /// No limit has passed. Look again at this time.
    Again(Instant),
    /// The client took too long to send a request.
    Late,
    /// The client does not read its answer, which belongs to this call.
    Stalled(Option<Uuid>),
}

impl Activity {
    /// A connection that was just accepted.
    pub(super) fn new(now: Instant) -> Arc<Activity> {
        Arc::new(Activity(Mutex::new(State {
            doing: ConnectionPhase::First,
            since: now,
            write_waits_since: None,
            upload: None,
            call: None,
            beginning: Vec::new(),
        })))
    }

    /// Notes a complete head. The request is in service until the returned value is dropped.
    pub(super) fn serve(self: &Arc<Activity>, upload: Option<Arc<Upload>>) -> InService {
        let mut state = self.state();
        (state.doing, state.upload) = (ConnectionPhase::Serving, upload);
        state.beginning.clear();
        InService(self.clone())
    }

    /// Whether a request is in service.
    pub(super) fn is_serving(&self) -> bool {
        self.state().doing == ConnectionPhase::Serving
    }

    /// Notes bytes from the client.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.doing == ConnectionPhase::Serving {
            return;
        }
        let room = BEGINNING_BYTES_MAX.saturating_sub(state.beginning.len()).min(bytes.len());
        state.beginning.extend_from_slice(&bytes[..room]);
        // Blank lines before a head are skipped (RFC 9112, section 2.2); old clients send one after a body.
        if state.doing == ConnectionPhase::Idle && bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            (state.doing, state.since) = (ConnectionPhase::Head, Instant::now());
        }
    }

    /// The beginning of the last head, unless its request is in service.
    pub(super) fn beginning(&self) -> Option<Vec<u8>> {
        let state = self.state();
        (state.doing != ConnectionPhase::Serving).then(|| state.beginning.clone())
    }

    /// Notes since when a write cannot go on, or with `None` that it can.
    pub(super) fn write_waits(&self, since: Option<Instant>) {
        self.state().write_waits_since = since;
    }

    /// Whether a limit has passed by now.
    pub(super) fn look(&self, limits: &ClientLimits, now: Instant) -> ActivityCheck {
        let mut state = self.state();
        let stalled = state.write_waits_since.map(|since| since + limits.stall);
        if stalled.is_some_and(|due| due <= now) {
            return ActivityCheck::Stalled(state.call.take());
        }
        // This does not end the connection: the component answers a body that failed.
        let slow = state.upload.as_ref().and_then(|upload| upload.look(now));
        let late = match state.doing {
            ConnectionPhase::First | ConnectionPhase::Head => Some(state.since + limits.head),
            // The last of an answer may still wait to be written; then the time of the write counts.
            ConnectionPhase::Idle if state.write_waits_since.is_some() => None,
            ConnectionPhase::Idle => Some(state.since + limits.idle),
            ConnectionPhase::Serving => None,
        };
        if late.is_some_and(|due| due <= now) {
            return ActivityCheck::Late;
        }
        let next = now + limits.look_every();
        ActivityCheck::Again([stalled, slow, late].into_iter().flatten().fold(next, Instant::min))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a request in service as long as it lives.
pub(crate) struct InService(Arc<Activity>);

impl InService {
    /// Notes that the answer is being written.
    pub(super) fn answers(&self, call: Option<Uuid>) {
        self.0.state().call = call;
    }
}

impl Drop for InService {
    fn drop(&mut self) {
        let mut state = self.0.state();
        (state.doing, state.since) = (ConnectionPhase::Idle, Instant::now());
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
        assert_eq!(activity.look(&limits, start + 9 * SECOND), ActivityCheck::Again(start + 10 * SECOND));
        assert_eq!(activity.look(&limits, start + 10 * SECOND), ActivityCheck::Late);
    }

    #[test]
    fn an_idle_client_has_a_minute_and_one_that_began_a_head_ten_seconds() {
        let (activity, limits, _) = connection();
        drop(activity.serve(None));
        let idle = Instant::now();
        activity.received(b"\r\n");
        assert!(matches!(activity.look(&limits, idle + 59 * SECOND), ActivityCheck::Again(_)));
        assert_eq!(activity.look(&limits, idle + 61 * SECOND), ActivityCheck::Late);
        activity.received(b"\r\nP");
        assert!(matches!(activity.look(&limits, Instant::now() + 9 * SECOND), ActivityCheck::Again(_)));
        activity.received(b"OST");
        assert_eq!(activity.look(&limits, Instant::now() + 10 * SECOND), ActivityCheck::Late);
    }

    #[test]
    fn a_request_in_service_has_no_limit_here() {
        let (activity, limits, start) = connection();
        let _service = activity.serve(None);
        assert!(activity.is_serving());
        assert_eq!(activity.look(&limits, start + 3600 * SECOND), ActivityCheck::Again(start + 3610 * SECOND));
    }

    #[test]
    fn a_client_has_stalled_once_it_takes_nothing_for_a_minute() {
        let (activity, limits, start) = connection();
        let service = activity.serve(None);
        service.answers(Some(Uuid::from_u128(5)));
        activity.write_waits(Some(start));
        assert!(matches!(activity.look(&limits, start + 59 * SECOND), ActivityCheck::Again(_)));
        activity.write_waits(None);
        assert!(matches!(activity.look(&limits, start + 61 * SECOND), ActivityCheck::Again(_)));
        activity.write_waits(Some(start + 61 * SECOND));
        assert_eq!(activity.look(&limits, start + 121 * SECOND), ActivityCheck::Stalled(Some(Uuid::from_u128(5))));
    }

    #[test]
    fn an_answer_that_was_handed_over_whole_is_not_called_stalled_afterwards() {
        let (activity, limits, start) = connection();
        let service = activity.serve(None);
        service.answers(Some(Uuid::from_u128(5)));
        drop(service);
        activity.write_waits(Some(start));
        assert_eq!(activity.look(&limits, start + 60 * SECOND), ActivityCheck::Stalled(None));
    }
}
