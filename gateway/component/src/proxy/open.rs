//! Step 7 while a call is under way: its record, which is saved exactly once at the end, and once as `running` when the
//! call has been open for a second.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use gateway_core::accept::{client_address, session_in};
use gateway_core::authenticate::{Caller, without_credentials};
use gateway_core::call::Call;
use gateway_core::candidate::{AttemptParts, Skipped};
use gateway_core::catalog::{BodiesRetention, Catalog, Model, Retention};
use gateway_core::observation::Observation;
use gateway_core::operation::Operation;
use gateway_core::outcome::{Outcome, Progress};
use gateway_core::price::{Pieces, Priced};
use gateway_core::record::{self, AttemptEnd, DecisionRecord, Draft, HeadDue, Opening, OriginResult};
use gateway_core::refusal::Reply;
use gateway_core::rewrite::Outgoing;
use gateway_core::state::State;

use crate::bodies::Bodies;
use crate::host::{self, StreamTimer};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::relay::RelayResult;
use crate::store::records;

use super::charges::LedgerCharges;

/// A call that is open for this long gets a `running` row, which shows what is under way and what a crash cut off.
const RUNNING_AFTER_MS: u64 = 1000;

/// The warning in a record of a call that was charged by what was seen of its answer, since the provider did not report
/// its usage.
pub(super) const USAGE_ESTIMATED: &str = "usage_estimated";

/// The calls under way in an instance.
#[derive(Default)]
pub(crate) struct OpenCalls {
    calls: RefCell<BTreeMap<String, OpenCall>>,
    is_ticking: Cell<bool>,
}

/// A call under way. Clones stand for the same call.
#[derive(Clone)]
pub(crate) struct OpenCall(Rc<Inner>);

struct Inner {
    instance: Rc<Instance>,
    id: String,
    /// The record's draft, which is taken out when the call ends.
    draft: RefCell<Option<Draft>>,
    is_running_saved: Cell<bool>,
    retention: (Retention, BodiesRetention),
    /// What is kept of what is said in it, if anything is.
    bodies: Option<Bodies>,
    /// The charges against its key's limits.
    charged: RefCell<Option<LedgerCharges>>,
    head: RefCell<Head>,
}

/// Whether a stream should get its head before it has any content.
enum Head {
    /// The model is not known yet; the waker belongs to the task that waits for it.
    Unknown(Option<Waker>),
    /// The head is due at this time.
    Due(HeadDue),
    /// The call is no stream.
    Never,
}

impl OpenCalls {
    /// Drops what is kept of what is said in them, since calls need the room.
    pub(crate) fn drop_bodies(&self) {
        self.calls.borrow().values().filter_map(|call| call.0.bodies.as_ref()).for_each(Bodies::give_way);
    }
}

impl OpenCall {
    /// Opens the record of a call whose caller is known.
    pub(crate) fn begin(
        instance: &Rc<Instance>,
        incoming: &Incoming,
        operation: Operation,
        caller: &Caller,
        catalog: &Catalog,
    ) -> Self {
        let bodies = Bodies::begin(instance, incoming, operation.dialect(), caller, catalog);
        Self::begin_as(instance, (operation.dialect().name(), operation.name()), incoming, caller, (catalog, bodies))
    }

    /// Opens the record of a request that asks no model: to a relay, or about files or batches. It has no dialect, since
    /// nothing of it is translated.
    pub(crate) fn begin_other(
        instance: &Rc<Instance>,
        endpoint: &'static str,
        incoming: &Incoming,
        caller: &Caller,
        catalog: &Catalog,
    ) -> Self {
        Self::begin_as(instance, ("", endpoint), incoming, caller, (catalog, None))
    }

    fn begin_as(
        instance: &Rc<Instance>,
        (dialect, endpoint): (&'static str, &'static str),
        incoming: &Incoming,
        caller: &Caller,
        (catalog, bodies): (&Catalog, Option<Bodies>),
    ) -> Self {
        let user_agent = incoming.header("user-agent");
        let user_agent = user_agent.map(|text| without_credentials(text, &incoming.headers, incoming.query.as_deref()));
        let draft = Draft::begin(&Opening {
            id: &incoming.id,
            at: incoming.at,
            start_ms: incoming.start_ms,
            key: caller.name(),
            dialect,
            endpoint,
            session: session_in(&incoming.headers),
            client: client_address(incoming.peer, &incoming.headers, &catalog.settings.trusted_proxies),
            user_agent: user_agent.as_deref(),
        });
        let open = OpenCall(Rc::new(Inner {
            instance: instance.clone(),
            id: incoming.id.clone(),
            draft: RefCell::new(Some(draft)),
            is_running_saved: Cell::new(false),
            retention: (catalog.settings.retention, catalog.settings.bodies),
            bodies,
            charged: RefCell::new(None),
            head: RefCell::new(Head::Unknown(None)),
        }));
        instance.open.calls.borrow_mut().insert(incoming.id.clone(), open.clone());
        start_ticking(instance);
        open
    }

    /// The record's id.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Fills in the record, unless the call has ended.
    fn with<T>(&self, fill: impl FnOnce(&mut Draft) -> T) -> Option<T> {
        self.0.draft.borrow_mut().as_mut().map(fill)
    }

    /// Notes what the body asked for.
    pub(crate) fn set_call(&self, call: &Call) {
        self.with(|draft| draft.set_call(call));
        if let Some(bodies) = &self.0.bodies {
            bodies.set_call(call);
        }
    }

    /// Notes the candidates, and why the others were skipped.
    pub(crate) fn decided(&self, model: &Model, decision: DecisionRecord) {
        let Some(due) = self.with(|draft| draft.decided(model, decision)) else { return };
        let before = self.0.head.replace(due.map_or(Head::Never, Head::Due));
        if let (Head::Unknown(Some(waker)), Some(_)) = (before, due) {
            waker.wake();
        }
    }

    /// Notes the charges against its key's limits, which are settled when the call ends.
    pub(crate) fn charged(&self, charged: Option<LedgerCharges>) {
        self.0.charged.replace(charged);
    }

    /// Notes that an attempt is being sent. If the call is dropped from now on, the provider may have worked on it.
    pub(crate) fn sent(&self) {
        self.with(Draft::sent);
    }

    /// Keeps what is sent, if anything is kept. Returns where its answer is kept.
    pub(crate) fn sending(&self, to: AttemptParts<'_>, outgoing: &Outgoing, is_chat: bool) -> Option<&Bodies> {
        let bodies = self.0.bodies.as_ref()?;
        bodies.sending(to, outgoing, is_chat);
        Some(bodies)
    }

    /// Notes how far that attempt came, which decides what its key's limits are charged.
    pub(crate) fn reached(&self, progress: Progress) {
        self.with(|draft| draft.reached(progress));
    }

    /// Notes a candidate that could not be asked after all, and why.
    pub(crate) fn skipped(&self, skipped: Skipped) {
        self.with(|draft| draft.skipped(skipped.shown(host::now())));
    }

    /// Notes a warning for the reader of the record.
    pub(crate) fn warn(&self, warning: &str) {
        self.with(|draft| draft.warn(warning));
    }

    /// Notes how an attempt ended.
    pub(crate) fn attempted(&self, to: AttemptParts<'_>, attempted: &AttemptEnd<'_>) {
        self.with(|draft| draft.attempted(to, attempted, host::now_ms()));
        if let (Some(bodies), Outcome::Answered(error)) = (&self.0.bodies, attempted.outcome) {
            bodies.failed(error);
        }
    }

    /// Notes that the client gets the answer of this attempt although others were made after it.
    pub(crate) fn served_by(&self, to: AttemptParts<'_>, pieces: Pieces) {
        self.with(|draft| draft.served_by(to, pieces));
    }

    /// Notes what the origin of a relay answered to `request_line`, a method and a path, or what kept the origin from
    /// answering.
    pub(crate) fn passed_by(&self, relay: &str, request_line: &str, answered: OriginResult, started_ms: u64) {
        self.with(|draft| draft.passed_by(relay, request_line, answered, started_ms, host::now_ms()));
    }

    /// Notes that this many bytes of the client's body were passed on.
    pub(crate) fn received(&self, bytes: u64) {
        self.with(|draft| draft.received(bytes));
    }

    /// Ends the call after an answer of this many bytes was passed through.
    pub(crate) async fn passed(self, bytes: u64, state: State, error: Option<String>) {
        self.with(|draft| draft.handed_over(bytes));
        self.end(state, error.as_deref()).await;
    }

    /// Notes the status that the client gets, unless it has one already.
    pub(crate) fn head(&self, status: u16) {
        self.with(|draft| draft.head(status, host::now_ms()));
    }

    /// Waits until a stream should get its head before it has any content. Returns the silence after which the client
    /// gets keep-alive bytes. Until the model is known, nobody knows when that is.
    pub(crate) async fn head_due(&self, timer: &mut StreamTimer) -> u64 {
        let HeadDue { at_ms, keep_alive_ms } = poll_fn(|context| {
            let mut head = self.0.head.borrow_mut();
            match &mut *head {
                Head::Due(due) => return Poll::Ready(*due),
                Head::Never => {}
                Head::Unknown(waker) => *waker = Some(context.waker().clone()),
            }
            Poll::Pending
        })
        .await;
        loop {
            match at_ms.saturating_sub(host::now_ms()) {
                0 => return keep_alive_ms,
                // The first silence may be over before the head is due.
                left_ms => timer.beat(left_ms.min(keep_alive_ms)).await,
            }
        }
    }

    /// Ends the call because the client left when it had nothing but a head.
    pub(crate) fn left(&self) {
        self.end_soon(State::ClientClosed, None);
    }

    /// Notes what was seen of the answer.
    pub(crate) fn observed(&self, observation: &Observation) {
        let Some(seen) = self.with(|draft| draft.observed(observation)) else { return };
        if self.0.charged.borrow().as_ref().is_some_and(|charged| charged.is_estimated(&seen)) {
            self.warn(USAGE_ESTIMATED);
        }
    }

    /// Ends the call with an answer whose body is known.
    pub(crate) fn answered(&self, state: State, reply: &Reply, error: Option<&str>) {
        self.with(|draft| draft.answered(state, reply));
        if let Some(bodies) = &self.0.bodies {
            bodies.answered(&reply.body);
        }
        self.end_soon(state, error);
    }

    /// Ends the call with the end of a relayed answer.
    pub(crate) async fn relayed(self, RelayResult { observation, error, losses }: RelayResult) {
        losses.warnings().for_each(|warning| self.warn(warning));
        let (state, message) = record::end_of_answer(&observation, error.as_ref());
        self.observed(&observation);
        self.end(state, message.as_deref()).await;
    }

    /// Ends the call and saves its record, without keeping the answer waiting.
    fn end_soon(&self, state: State, error: Option<&str>) {
        if let Some(ended) = self.close(state, error) {
            host::spawn(self.clone().save(ended));
        }
    }

    async fn end(self, state: State, error: Option<&str>) {
        if let Some(ended) = self.close(state, error) {
            self.save(ended).await;
        }
    }

    /// Notes that another model answered than the one that was asked for.
    pub(crate) fn served_other(&self, model: &str, priced: Option<Priced>) {
        self.with(|draft| draft.served_other(model, priced));
    }

    /// Takes the draft out and ends it. Only the first caller gets it, so that there is exactly one record.
    fn close(&self, state: State, error: Option<&str>) -> Option<record::EndedCall> {
        let draft = self.0.draft.take()?;
        self.0.instance.open.calls.borrow_mut().remove(&self.0.id);
        Some(draft.end(state, error, host::now_ms()))
    }

    async fn save(self, ended: record::EndedCall) {
        let record::EndedCall { record, seen, progress } = ended;
        let Inner { instance, charged, is_running_saved, retention, bodies, .. } = &*self.0;
        let state = record.state;
        let price = record.priced.as_ref().map(|priced| priced.price);
        records::save(instance, record, is_running_saved.get()).await;
        if let Some(bodies) = bodies {
            host::spawn(bodies.clone().save(state));
        }
        let charged = charged.take();
        match (charged, progress) {
            (Some(charged), Progress::WorkedOn) => charged.settle_at(&seen, price).await,
            (Some(charged), progress) => charged.end(progress),
            (None, _) => {}
        }
        records::maintain_lazily(instance, *retention).await;
    }

    /// The `running` row, if it is due.
    fn running_row(&self, now_ms: u64) -> Option<records::Row> {
        let Inner { instance, draft, is_running_saved, .. } = &*self.0;
        let draft = draft.borrow();
        let draft = draft.as_ref().filter(|draft| draft.open_ms(now_ms) >= RUNNING_AFTER_MS)?;
        (!is_running_saved.replace(true)).then(|| records::row(instance, draft.record()))
    }
}

/// Starts the one timer of all calls of the instance. A timer for each call would cost every short call what only long
/// ones need.
fn start_ticking(instance: &Rc<Instance>) {
    if instance.open.is_ticking.replace(true) {
        return;
    }
    let instance = instance.clone();
    host::spawn(async move {
        let open = &instance.open;
        // If the host ends this task early, the next call starts another one.
        let _stopped = host::OnDrop(|| open.is_ticking.set(false));
        loop {
            host::wait_ms(RUNNING_AFTER_MS).await;
            let now_ms = host::now_ms();
            let calls: Vec<OpenCall> = open.calls.borrow().values().cloned().collect();
            if calls.is_empty() {
                return;
            }
            for row in calls.iter().filter_map(|call| call.running_row(now_ms)) {
                records::save_running(&instance, row).await;
            }
        }
    });
}
