//! What is kept of a call's bodies while it is under way. It is held beside the memory of the calls, gives way to them, and is
//! written once the call has ended: nothing here makes a call wait or fail.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gateway_core::authenticate::{Caller, presented};
use gateway_core::bodies::{self, CallBodies, Cleaner, Gone};
use gateway_core::call::Call;
use gateway_core::candidate::AttemptParts;
use gateway_core::catalog::{Catalog, RecordBodies};
use gateway_core::dialect::Dialect;
use gateway_core::memory;
use gateway_core::observe::Tap;
use gateway_core::outcome::UpstreamError;
use gateway_core::pace::Pace;
use gateway_core::redact::Secrets;
use gateway_core::rewrite::Outgoing;
use gateway_core::state::State;

use crate::host::{self, YieldPoint};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::bodies as store;
use crate::store::catalog::{self, Freshness};

/// What cleaning, packing and sealing takes, twice over: more than all bodies of a call.
const PACKING_BYTES: usize = 4 << 20;

/// The bodies of a call. Clones stand for the same call.
#[derive(Clone)]
pub(crate) struct Bodies(Rc<Inner>);

struct Inner {
    instance: Rc<Instance>,
    level: RecordBodies,
    id: String,
    /// What the client was let in with.
    presented: Vec<String>,
    /// `None`: there was no room for them.
    kept: RefCell<Option<CallBodies>>,
    /// How many bytes they hold in memory.
    held: Cell<usize>,
}

/// The memory that they held is given back.
impl Drop for Inner {
    fn drop(&mut self) {
        self.instance.memory.borrow_mut().keep(self.held.get(), 0);
    }
}

impl Bodies {
    /// Begins to keep those of a call, where the settings or its key say so. Files are never kept, and so no forms.
    pub(crate) fn begin(
        instance: &Rc<Instance>,
        incoming: &Incoming,
        dialect: Dialect,
        caller: &Caller,
        catalog: &Catalog,
    ) -> Option<Self> {
        let level = catalog.record_bodies(caller.key());
        let is_form =
            || incoming.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("multipart/"));
        if level == RecordBodies::Off || is_form() {
            return None;
        }
        Some(Bodies(Rc::new(Inner {
            instance: instance.clone(),
            level,
            id: incoming.id.clone(),
            presented: presented(&incoming.headers, incoming.query.as_deref()),
            kept: RefCell::new(Some(CallBodies::new(dialect, &incoming.id, incoming.at.wall_ms))),
            held: Cell::new(0),
        })))
    }

    /// Keeps what the client sent.
    pub(crate) fn set_call(&self, call: &Call) {
        self.change(|kept| kept.set_request(&call.body));
    }

    /// Keeps what is sent to a provider, in place of what the attempt before sent.
    pub(crate) fn sending(&self, to: AttemptParts<'_>, outgoing: &Outgoing, is_chat: bool) {
        self.change(|kept| kept.set_sent(to, outgoing.dialect, &outgoing.body, is_chat));
    }

    /// Keeps what the attempt that is under way is answered.
    pub(crate) fn tap(&self) -> Tap {
        let attempt = self.0.kept.borrow().as_ref().map(CallBodies::attempt).unwrap_or_default();
        let bodies = self.clone();
        Tap::of(move |bytes| bodies.change(|kept| kept.take(attempt, bytes)))
    }

    /// Keeps the error that an attempt was answered with.
    pub(crate) fn failed(&self, error: &UpstreamError) {
        self.change(|kept| kept.set_error(error.dialect, &error.body));
    }

    /// Keeps what llmio itself answers, unless a provider has answered.
    pub(crate) fn answered(&self, body: &[u8]) {
        self.change(|kept| kept.set_own_answer(body));
    }

    /// Drops what is kept: calls need the room.
    pub(crate) fn give_way(&self) {
        // What is being kept at this moment gives way by itself.
        if let Ok(mut kept) = self.0.kept.try_borrow_mut() {
            *kept = None;
            self.0.instance.memory.borrow_mut().keep(self.0.held.replace(0), 0);
        }
    }

    fn change(&self, change: impl FnOnce(&mut CallBodies)) {
        let Inner { kept, held, instance, .. } = &*self.0;
        let mut kept = kept.borrow_mut();
        let Some(some) = &mut *kept else { return };
        change(some);
        let now = some.held();
        if instance.memory.borrow_mut().keep(held.get(), now) {
            held.set(now);
        } else {
            *kept = None;
            instance.memory.borrow_mut().keep(held.replace(0), 0);
        }
    }

    /// Writes them, when the call has ended in this state.
    pub(crate) async fn save(self, state: State) {
        let Inner { instance, level, id, kept, .. } = &*self.0;
        if *level == RecordBodies::Errors && state == State::Ok {
            return;
        }
        let kept = kept.take();
        let sealed = match kept {
            Some(kept) => self.sealed(kept).await,
            None => None,
        };
        match sealed {
            Some(sealed) => store::save(instance, id.clone(), sealed).await,
            None => store::note(instance, id.clone(), Gone::Dropped).await,
        }
    }

    /// Their sealed form; `None` without a master key, or where there is no memory for it.
    async fn sealed(&self, kept: CallBodies) -> Option<Vec<u8>> {
        let Inner { instance, id, presented, .. } = &*self.0;
        let sealer = catalog::sealer().await.ok().flatten()?;
        if !memory::has_room_for([PACKING_BYTES, PACKING_BYTES]) {
            return None;
        }
        let snapshot = catalog::current(instance, Freshness::Recent).await.ok()?;
        let secrets = kept.secrets();
        let yields = YieldPoint::default();
        let step = |bytes| yields.step(bytes);
        let pace = Pace::of(&step);
        let known = snapshot.catalog.known_secrets().flat_map(Secrets::plain);
        let known = known.chain(presented.iter().map(String::as_str));
        let cleaner = Cleaner::new(secrets.as_deref(), known, pace);
        let packed = bodies::packed(kept.cleaned(&cleaner), pace)?;
        Some(sealer.seal_bytes(&seal_id(id), &packed, host::random_bytes()))
    }
}

/// The id under which the bodies of a call are sealed.
pub(crate) fn seal_id(id: &str) -> String {
    format!("bodies/{id}")
}

/// Drops all bodies that are kept of calls under way, if calls need the room that they take.
pub(crate) fn give_way(instance: &Instance) {
    if instance.memory.borrow().is_crowded() {
        instance.open.drop_bodies();
    }
}
