//! Step 7 as it fills up: the record of a call that is under way. It is saved exactly once at its end, and once as
//! `running` when the call has been open for a second.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use gateway_core::accept::{client_address, session_in};
use gateway_core::authenticate::{Caller, without_credentials};
use gateway_core::call::Call;
use gateway_core::candidate::{Named, Skipped};
use gateway_core::catalog::{Catalog, Model};
use gateway_core::observation::Observation;
use gateway_core::operation::Operation;
use gateway_core::outcome::Progress;
use gateway_core::price::Priced;
use gateway_core::record::{self, Attempted, DecisionRecord, Draft, HeadDue, Opening, Passed};
use gateway_core::refusal::Reply;
use gateway_core::state::State;

use crate::host::{self, Pulse};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::relay::Ended;
use crate::store::records;

use super::charges::Charged;

/// A call open this long gets a `running` row, so that one sees what is under way and what a crash cut off.
const RUNNING_AFTER_MS: u64 = 1000;

/// What a record says of a call that was charged by what was seen of its answer, since its provider did not say to the end
/// what it used.
pub(super) const USAGE_ESTIMATED: &str = "usage_estimated";

/// The calls under way in an instance.
#[derive(Default)]
pub(crate) struct OpenCalls {
    calls: RefCell<BTreeMap<String, OpenCall>>,
    is_ticking: Cell<bool>,
}

/// A call under way. Clones are the same call.
#[derive(Clone)]
pub(crate) struct OpenCall(Rc<Inner>);

struct Inner {
    instance: Rc<Instance>,
    id: String,
    /// Taken out by whoever ends it.
    draft: RefCell<Option<Draft>>,
    is_running_saved: Cell<bool>,
    retention_days: u32,
    /// What its key's limits are charged.
    charged: RefCell<Option<Charged>>,
    head: RefCell<Head>,
}

/// Whether a stream should have its head although it has no content.
enum Head {
    /// Its model is not known yet; who waits for it.
    Unknown(Option<Waker>),
    /// From then on.
    Due(HeadDue),
    /// It is no stream.
    Never,
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
        Self::begin_as(instance, (operation.dialect().name(), operation.name()), incoming, caller, catalog)
    }

    /// Opens the record of a request that is passed through. It has no dialect: nobody looks into it.
    pub(crate) fn begin_relay(
        instance: &Rc<Instance>,
        incoming: &Incoming,
        caller: &Caller,
        catalog: &Catalog,
    ) -> Self {
        Self::begin_as(instance, ("", "relay"), incoming, caller, catalog)
    }

    fn begin_as(
        instance: &Rc<Instance>,
        (dialect, endpoint): (&'static str, &'static str),
        incoming: &Incoming,
        caller: &Caller,
        catalog: &Catalog,
    ) -> Self {
        let user_agent = incoming.header("user-agent");
        let user_agent = user_agent.map(|text| without_credentials(text, &incoming.headers, incoming.query.as_deref()));
        let draft = Draft::begin(&Opening {
            id: &incoming.id,
            at_ms: incoming.at_ms,
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
            retention_days: catalog.settings.retention_days,
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

    /// Fills the record in, unless the call has ended.
    fn with<T>(&self, fill: impl FnOnce(&mut Draft) -> T) -> Option<T> {
        self.0.draft.borrow_mut().as_mut().map(fill)
    }

    /// What the body asked for.
    pub(crate) fn asked(&self, call: &Call) {
        self.with(|draft| draft.asked(call));
    }

    /// Where it may go, and why not elsewhere.
    pub(crate) fn decided(&self, model: &Model, decision: DecisionRecord) {
        let Some(due) = self.with(|draft| draft.decided(model, decision)) else { return };
        let before = self.0.head.replace(due.map_or(Head::Never, Head::Due));
        if let (Head::Unknown(Some(waker)), Some(_)) = (before, due) {
            waker.wake();
        }
    }

    /// What its key's limits are charged, to be settled when it ends.
    pub(crate) fn charged(&self, charged: Option<Charged>) {
        self.0.charged.replace(charged);
    }

    /// An attempt is being sent. Should nothing be heard of it any more, it may have been worked on.
    pub(crate) fn sent(&self) {
        self.with(Draft::sent);
    }

    /// How far that attempt came, which decides what its key's limits are charged.
    pub(crate) fn reached(&self, progress: Progress) {
        self.with(|draft| draft.reached(progress));
    }

    /// A candidate that could not be asked after all, and why.
    pub(crate) fn skipped(&self, skipped: Skipped) {
        self.with(|draft| draft.skipped(skipped));
    }

    /// What the reader of the record should know.
    pub(crate) fn warn(&self, warning: &str) {
        self.with(|draft| draft.warn(warning));
    }

    /// What came of an attempt.
    pub(crate) fn attempted(&self, to: Named<'_>, attempted: &Attempted<'_>) {
        self.with(|draft| draft.attempted(to, attempted, host::now_ms()));
    }

    /// What the origin of a relay answered to `asked`, a method and a path, or who kept it from that and how.
    pub(crate) fn passed_by(&self, relay: &str, asked: &str, answered: Passed, started_ms: u64) {
        self.with(|draft| draft.passed_by(relay, asked, answered, started_ms, host::now_ms()));
    }

    /// So many bytes of the client's body were passed on.
    pub(crate) fn received(&self, bytes: u64) {
        self.with(|draft| draft.received(bytes));
    }

    /// It ends with the end of an answer that was passed through, of so many bytes.
    pub(crate) async fn passed(self, bytes: u64, state: State, error: Option<String>) {
        self.with(|draft| draft.handed_over(bytes));
        self.end(state, error.as_deref()).await;
    }

    /// The head goes to the client, unless it has one.
    pub(crate) fn head(&self, status: u16) {
        self.with(|draft| draft.head(status, host::now_ms()));
    }

    /// Ready when a stream should have its head although it has no content, with the silence after which its client gets
    /// a sign of life. Until the model is known, nobody knows when that is.
    pub(crate) async fn head_due(&self, pulse: &mut Pulse) -> u64 {
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
                left_ms => pulse.beat(left_ms.min(keep_alive_ms)).await,
            }
        }
    }

    /// The client left while it had nothing but a head.
    pub(crate) fn left(&self) {
        self.end_soon(State::ClientClosed, None);
    }

    /// What was seen of the answer.
    pub(crate) fn observed(&self, observation: &Observation) {
        let Some(seen) = self.with(|draft| draft.observed(observation)) else { return };
        if self.0.charged.borrow().as_ref().is_some_and(|charged| charged.is_estimated(&seen)) {
            self.warn(USAGE_ESTIMATED);
        }
    }

    /// It ends with an answer that is known as a whole.
    pub(crate) fn answered(&self, state: State, reply: &Reply, error: Option<&str>) {
        self.with(|draft| draft.answered(state, reply));
        self.end_soon(state, error);
    }

    /// It ends with the end of a relayed answer.
    pub(crate) async fn relayed(self, Ended { observation, error, losses }: Ended) {
        losses.warnings().for_each(|warning| self.warn(warning));
        let (state, said) = record::end_of_answer(&observation, error.as_ref());
        self.observed(&observation);
        self.end(state, said.as_deref()).await;
    }

    /// Ends it behind the answer's back.
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

    /// The answer is of another model.
    pub(crate) fn served_other(&self, model: &str, priced: Option<Priced>) {
        self.with(|draft| draft.served_other(model, priced));
    }

    /// Takes the record out: whoever comes second finds nothing, so there is exactly one.
    fn close(&self, state: State, error: Option<&str>) -> Option<record::Ended> {
        let draft = self.0.draft.take()?;
        self.0.instance.open.calls.borrow_mut().remove(&self.0.id);
        Some(draft.end(state, error, host::now_ms()))
    }

    async fn save(self, ended: record::Ended) {
        let record::Ended { record, seen, progress } = ended;
        let Inner { instance, charged, is_running_saved, retention_days, .. } = &*self.0;
        let price = record.priced.map(|priced| priced.price);
        records::save(instance, record, is_running_saved.get()).await;
        let charged = charged.take();
        match (charged, progress) {
            (Some(charged), Progress::WorkedOn) => charged.settle_at(&seen, price).await,
            (Some(charged), progress) => charged.end(progress),
            (None, _) => {}
        }
        records::maintain_lazily(instance, *retention_days).await;
    }

    /// The `running` row, when it is due.
    fn running_row(&self, now_ms: u64) -> Option<records::Row> {
        let Inner { instance, draft, is_running_saved, .. } = &*self.0;
        let draft = draft.borrow();
        let draft = draft.as_ref().filter(|draft| draft.open_ms(now_ms) >= RUNNING_AFTER_MS)?;
        (!is_running_saved.replace(true)).then(|| records::row(instance, draft.record()))
    }
}

/// One timer for all calls of the instance, while there are any: a timer for each would cost every short call what
/// only long ones need.
fn start_ticking(instance: &Rc<Instance>) {
    if instance.open.is_ticking.replace(true) {
        return;
    }
    let instance = instance.clone();
    host::spawn(async move {
        let open = &instance.open;
        // Should the host end this task early, the next call starts another.
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
