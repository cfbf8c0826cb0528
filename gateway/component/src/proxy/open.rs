//! Step 7 as it fills up: the record of a call that is under way. It is saved exactly once at its end, and once as
//! `running` when the call has been open for a second.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use gateway_core::accept::{client_address, session_in};
use gateway_core::authenticate::Caller;
use gateway_core::call::Call;
use gateway_core::candidate::{Named, Skipped};
use gateway_core::catalog::{Catalog, Egress, Model, Relay};
use gateway_core::dialect::Dialect;
use gateway_core::observation::Observation;
use gateway_core::operation::Operation;
use gateway_core::outcome::{Outcome, Progress};
use gateway_core::quota::Seen;
use gateway_core::record::{AttemptRecord, DecisionRecord, Record, kept_error, kept_text};
use gateway_core::refusal::Reply;
use gateway_core::relays;
use gateway_core::state::State;
use gateway_core::usage::Usage;
use gateway_core::verdict::Class;
use spin_sdk::wasip3;

use crate::host::{self, Pulse};
use crate::incoming::Incoming;
use crate::relay::Ended;
use crate::store::records;

use super::charges::{Charged, USAGE_ESTIMATED};

/// A call open this long gets a `running` row, so that one sees what is under way and what a crash cut off.
const RUNNING_AFTER_MS: u64 = 1000;

/// What many servers log for a client that left before it was answered.
const CLIENT_CLOSED_STATUS: u16 = 499;

/// Until its model is known a call has the default total time, and then this long to say that it is over.
const TOTAL_MS_DEFAULT: i64 = 60 * 60 * 1000;
const GRACE_MS: i64 = 60_000;

thread_local! {
    /// The calls under way in this instance.
    static OPEN: RefCell<BTreeMap<String, OpenCall>> = const { RefCell::new(BTreeMap::new()) };
    static TICKING: RefCell<bool> = const { RefCell::new(false) };
}

/// A call under way. Clones are the same call.
#[derive(Clone)]
pub(crate) struct OpenCall(Rc<RefCell<Inner>>);

struct Inner {
    id: String,
    record: Option<Record>,
    start_ms: u64,
    running_saved: bool,
    retention_days: u32,
    charged: Option<Charged>,
    /// What was seen of its answer.
    seen: Seen,
    /// How far its attempts came, the farthest of them.
    progress: Progress,
    /// An attempt is under way.
    is_sent: bool,
    /// A stream is wanted in a form that has no signs of life.
    as_array: bool,
    head_due: HeadDue,
}

/// When a stream should have its head at the latest.
enum HeadDue {
    /// Its model is not known yet; who waits for it.
    Unknown(Option<Waker>),
    /// From then on, and the silence after which a sign of life is due.
    Known(u64, u64),
    /// It is no stream.
    Never,
}

impl OpenCall {
    /// Opens the record of a call whose caller is known.
    pub(crate) fn begin(incoming: &Incoming, operation: Operation, caller: &Caller, catalog: &Catalog) -> Self {
        Self::begin_as((operation.dialect().name(), operation.name()), incoming, caller, catalog)
    }

    /// Opens the record of a request that is passed through. It has no dialect: nobody looks into it.
    pub(crate) fn begin_relay(incoming: &Incoming, caller: &Caller, catalog: &Catalog) -> Self {
        Self::begin_as(("", "relay"), incoming, caller, catalog)
    }

    fn begin_as(
        (dialect, endpoint): (&'static str, &'static str),
        incoming: &Incoming,
        caller: &Caller,
        catalog: &Catalog,
    ) -> Self {
        let session = session_in(&incoming.headers).map(kept_text);
        let client = client_address(incoming.peer, &incoming.headers, &catalog.settings.trusted_proxies);
        let record = Record {
            id: incoming.id.clone(),
            at_ms: incoming.at_ms,
            key: caller.name().to_owned(),
            model: String::new(),
            dialect,
            endpoint,
            streamed: false,
            session,
            client: client.map(|address| address.to_string()),
            user_agent: incoming.header("user-agent").map(kept_text),
            state: State::Running,
            status: 0,
            error: None,
            decision: DecisionRecord::default(),
            attempts: Vec::new(),
            first_byte_ms: None,
            first_content_ms: None,
            duration_ms: None,
            bytes_in: 0,
            bytes_out: 0,
            usage: Usage::default(),
            priced: None,
            warnings: Vec::new(),
            until_ms: incoming.at_ms.saturating_add(TOTAL_MS_DEFAULT),
        };
        let inner = Inner {
            id: incoming.id.clone(),
            record: Some(record),
            start_ms: incoming.start_ms,
            running_saved: false,
            retention_days: catalog.settings.retention_days,
            charged: None,
            seen: Seen::default(),
            progress: Progress::Unsent,
            is_sent: false,
            as_array: false,
            head_due: HeadDue::Unknown(None),
        };
        let open = OpenCall(Rc::new(RefCell::new(inner)));
        OPEN.with_borrow_mut(|calls| calls.insert(incoming.id.clone(), open.clone()));
        start_ticking();
        open
    }

    /// The record's id.
    pub(crate) fn id(&self) -> String {
        self.0.borrow().id.clone()
    }

    /// What the body asked for.
    pub(crate) fn asked(&self, call: &Call) {
        self.0.borrow_mut().as_array = call.as_array;
        self.with(|record, _| {
            record.model = kept_text(&call.model);
            record.streamed = call.streamed;
            record.bytes_in = call.body.len() as u64;
            if record.session.is_none() {
                record.session = call.session.as_deref().map(kept_text);
            }
        });
    }

    /// Where it may go, and why not elsewhere.
    pub(crate) fn decided(&self, model: &Model, decision: DecisionRecord) {
        self.plan_head(model);
        self.with(|record, _| {
            record.until_ms = record.at_ms.saturating_add_unsigned(model.timeouts.total_ms).saturating_add(GRACE_MS);
            record.decision = decision;
        });
    }

    fn plan_head(&self, model: &Model) {
        let mut inner = self.0.borrow_mut();
        let Some(wants_events) = inner.record.as_ref().map(|record| record.streamed && !inner.as_array) else { return };
        let at_ms = inner.start_ms.saturating_add(model.head_after_ms);
        let due = if wants_events { HeadDue::Known(at_ms, model.timeouts.keep_alive_ms) } else { HeadDue::Never };
        if let HeadDue::Unknown(Some(waker)) = std::mem::replace(&mut inner.head_due, due)
            && wants_events
        {
            waker.wake();
        }
    }

    /// What its key's limits are charged, to be settled when it ends.
    pub(crate) fn charged(&self, charged: Option<Charged>) {
        self.0.borrow_mut().charged = charged;
    }

    /// An attempt is being sent. Should nothing be heard of it any more, it may have been worked on.
    pub(crate) fn sent(&self) {
        self.0.borrow_mut().is_sent = true;
    }

    /// How far that attempt came, which decides what its key's limits are charged.
    pub(crate) fn reached(&self, progress: Progress) {
        let mut inner = self.0.borrow_mut();
        inner.is_sent = false;
        inner.progress = inner.progress.max(progress);
    }

    /// A candidate that could not be asked after all, and why.
    pub(crate) fn skipped(&self, skipped: Skipped) {
        self.with(|record, _| {
            if !record.decision.skipped.contains(&skipped) {
                record.decision.skipped.push(skipped);
            }
        });
    }

    /// What the reader of the record should know.
    pub(crate) fn warn(&self, warning: String) {
        self.with(|record, _| {
            if !record.warnings.contains(&warning) {
                record.warnings.push(warning);
            }
        });
    }

    /// What came of an attempt that began at `started_ms`; `words` are what its provider said of a failure.
    pub(crate) fn attempted(
        &self,
        to: Named<'_>,
        operation: Operation,
        outcome: &Outcome,
        class: Class,
        words: Option<&str>,
        started_ms: u64,
    ) {
        let (status, error) = match outcome {
            Outcome::Head(status) => (Some(*status), None),
            Outcome::Answered(error) => (Some(error.status), words.map(str::to_owned)),
            Outcome::Failed(error) => (None, Some(error.describe())),
            Outcome::NotSent(..) => return,
        };
        let now_ms = host::now_ms();
        self.with(|record, start_ms| {
            record.priced = to.target.priced(to.upstream_model);
            record.attempts.push(AttemptRecord {
                provider: to.provider.name.to_string(),
                model: to.upstream_model.to_owned(),
                credential: to.credential.map(|credential| credential.label.clone()),
                translated_to: to.translated_to(operation).map(Dialect::name),
                egress: to.provider.egress_of(to.credential).and_then(Egress::name),
                status,
                class: class.name(),
                error,
                start_ms: started_ms.saturating_sub(start_ms),
                end_ms: now_ms.saturating_sub(start_ms),
            });
        });
    }

    /// What the origin of a relay answered to `asked`, a method and a path, or who kept it from that and how.
    pub(crate) fn passed_by(
        &self,
        relay: &Relay,
        asked: &str,
        answered: Result<u16, (Class, String)>,
        started_ms: u64,
    ) {
        let now_ms = host::now_ms();
        let (status, class, error) = match answered {
            Ok(status) => (Some(status), relays::verdict(status).1, None),
            Err((class, error)) => (None, class, Some(error)),
        };
        self.with(|record, start_ms| {
            record.attempts.push(AttemptRecord {
                provider: relay.name.to_string(),
                model: kept_text(asked),
                credential: None,
                translated_to: None,
                egress: None,
                status,
                class: class.name(),
                error,
                start_ms: started_ms.saturating_sub(start_ms),
                end_ms: now_ms.saturating_sub(start_ms),
            });
        });
    }

    /// So many bytes of the client's body were passed on.
    pub(crate) fn received(&self, bytes: u64) {
        self.with(|record, _| record.bytes_in = record.bytes_in.saturating_add(bytes));
    }

    /// It ends with the end of an answer that was passed through, of so many bytes.
    pub(crate) async fn passed(self, bytes: u64, state: State, error: Option<String>) {
        self.with(|record, _| record.bytes_out = bytes);
        if let Some(record) = self.close(state, error) {
            self.save(record).await;
        }
    }

    /// The head goes to the client, unless it has one.
    pub(crate) fn head(&self, status: u16) {
        let now_ms = host::now_ms();
        self.with(|record, start_ms| {
            record.status = status;
            record.first_byte_ms.get_or_insert(now_ms.saturating_sub(start_ms));
        });
    }

    /// Ready when a stream should have its head although it has no content, with the silence after which its client gets
    /// a sign of life. Until the model is known, nobody knows when that is.
    pub(crate) async fn head_due(&self, pulse: &mut Pulse) -> u64 {
        let (at_ms, keep_alive_ms) = poll_fn(|context| {
            let mut inner = self.0.borrow_mut();
            match inner.head_due {
                HeadDue::Known(at_ms, keep_alive_ms) => Poll::Ready((at_ms, keep_alive_ms)),
                HeadDue::Never => Poll::Pending,
                HeadDue::Unknown(_) => {
                    inner.head_due = HeadDue::Unknown(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await;
        loop {
            match at_ms.saturating_sub(host::now_ms()) {
                0 => return keep_alive_ms,
                // The first silence may be over before the head is due.
                left_ms => pulse.beat(left_ms.min(keep_alive_ms)).await,
            }
        }
    }

    /// The client left while it had nothing but a head.
    pub(crate) fn left(&self) {
        if let Some(record) = self.close(State::ClientClosed, None) {
            wasip3::spawn(self.clone().save(record));
        }
    }

    /// What was seen of the answer.
    pub(crate) fn observed(&self, observation: Observation) {
        let seen = Seen::from(&observation);
        let is_estimated = {
            let mut inner = self.0.borrow_mut();
            inner.seen = seen;
            inner.charged.as_ref().is_some_and(|charged| charged.is_estimated(&seen))
        };
        if is_estimated {
            self.warn(USAGE_ESTIMATED.to_owned());
        }
        self.with(|record, _| {
            // Content is found before its head is given away, but reaches nobody before.
            let head_ms = record.first_byte_ms.unwrap_or(0);
            record.first_content_ms = observation.first_content_ms.map(|ms| ms.max(head_ms));
            record.bytes_out = observation.bytes;
            record.usage = observation.usage;
            if observation.unfinished {
                record.warnings.push("stream_ended_without_finish".to_owned());
            }
        });
    }

    /// It ends with an answer that is known as a whole.
    pub(crate) fn answered(&self, state: State, reply: &Reply, error: Option<String>) {
        self.with(|record, _| {
            (record.status, record.bytes_out) = match state {
                // Nobody was there to get it.
                State::ClientClosed => (CLIENT_CLOSED_STATUS, 0),
                // The client has a head already, which nothing can change.
                _ if record.first_byte_ms.is_some() => (record.status, reply.body.len() as u64),
                _ => (reply.status, reply.body.len() as u64),
            };
        });
        if let Some(record) = self.close(state, error) {
            wasip3::spawn(self.clone().save(record));
        }
    }

    /// It ends with the end of a relayed answer.
    pub(crate) async fn relayed(self, ended: Ended) {
        let Ended { observation, error } = ended;
        let (state, said) = match (&error, &observation.error) {
            (Some(error), _) => (error.state(), Some(error.describe())),
            (None, Some(error)) => (State::UpstreamError, Some(error.message.clone())),
            (None, None) => (State::Ok, None),
        };
        self.observed(observation);
        if let Some(record) = self.close(state, said) {
            self.save(record).await;
        }
    }

    async fn save(self, record: Record) {
        let (running_saved, retention_days, charged, progress, seen) = {
            let mut inner = self.0.borrow_mut();
            let progress = if inner.is_sent { Progress::WorkedOn } else { inner.progress };
            (inner.running_saved, inner.retention_days, inner.charged.take(), progress, inner.seen)
        };
        let price = record.priced.map(|priced| priced.price);
        records::save(record, running_saved).await;
        match (charged, progress) {
            (Some(charged), Progress::WorkedOn) => charged.settle_at(&seen, price).await,
            // Whatever a provider makes of it: its holder caused a call.
            (Some(charged), Progress::TurnedAway) => charged.end(Progress::Failed),
            (Some(charged), progress) => charged.end(progress),
            (None, _) => {}
        }
        records::maintain_lazily(retention_days).await;
    }

    /// Takes the record out: whoever comes second finds nothing, so there is exactly one.
    fn close(&self, state: State, error: Option<String>) -> Option<Record> {
        let mut inner = self.0.borrow_mut();
        let mut record = inner.record.take()?;
        record.state = state;
        record.error = error.as_deref().map(kept_error);
        record.duration_ms = Some(host::now_ms().saturating_sub(inner.start_ms));
        OPEN.with_borrow_mut(|calls| calls.remove(&record.id));
        Some(record)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Record, u64) -> T) -> Option<T> {
        let mut inner = self.0.borrow_mut();
        let start_ms = inner.start_ms;
        inner.record.as_mut().map(|record| act(record, start_ms))
    }

    /// The `running` row, when it is due.
    fn running_row(&self, now_ms: u64) -> Option<records::Row> {
        let mut inner = self.0.borrow_mut();
        let due = !inner.running_saved && now_ms.saturating_sub(inner.start_ms) >= RUNNING_AFTER_MS;
        let row = inner.record.as_ref().filter(|_| due).map(records::row)?;
        inner.running_saved = true;
        Some(row)
    }
}

/// One timer for all calls of the instance, while there are any: a timer for each would cost every short call what
/// only long ones need.
fn start_ticking() {
    if TICKING.replace(true) {
        return;
    }
    wasip3::spawn(async {
        // Should the host end this task early, the next call starts another.
        let _stopped = host::OnDrop(|| TICKING.set(false));
        loop {
            host::wait_ms(RUNNING_AFTER_MS).await;
            let now_ms = host::now_ms();
            let open: Vec<OpenCall> = OPEN.with_borrow(|calls| calls.values().cloned().collect());
            if open.is_empty() {
                return;
            }
            for row in open.iter().filter_map(|call| call.running_row(now_ms)) {
                records::save_running(row).await;
            }
        }
    });
}
