//! What is kept of a call's bodies while it is under way. It is held beside the memory of the calls, gives way to them, and is
//! written once the call has ended: nothing here makes a call wait or fail.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use gateway_core::authenticate::{Caller, presented};
use gateway_core::bodies::{self, AnswerKeeper, Cleaner, Gone, KeptBody, What};
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
    at_ms: i64,
    dialect: Dialect,
    /// What the client was let in with.
    presented: Vec<String>,
    /// `None`: there was no room for them.
    kept: RefCell<Option<CopiedBodies>>,
    /// How many bytes they hold in memory.
    held: Cell<usize>,
    /// The number of the attempt that is under way.
    attempt: Cell<u32>,
}

/// What there is of a call.
#[derive(Default)]
struct CopiedBodies {
    request: Option<Copied>,
    sent: Option<Copied>,
    answer: Option<Answer>,
    /// Whom the last attempt was made with.
    to: Option<To>,
}

/// A body as far as it is kept.
struct Copied {
    dialect: Dialect,
    bytes: u64,
    body: Vec<u8>,
    is_cut: bool,
}

/// An answer.
enum Answer {
    /// It comes from a provider.
    Coming(Box<AnswerKeeper>, Dialect),
    /// It is known.
    Whole(Copied),
}

/// Whom an attempt was made with.
struct To {
    provider: String,
    model: String,
    secrets: Arc<Secrets>,
}

impl Copied {
    fn of(dialect: Dialect, body: &[u8]) -> Self {
        let (copy, is_cut) = bodies::copied(body);
        Copied { dialect, bytes: body.len() as u64, body: copy, is_cut }
    }
}

impl CopiedBodies {
    fn held(&self) -> usize {
        let copied = |copied: &Option<Copied>| copied.as_ref().map_or(0, |copied| copied.body.capacity());
        let answer = match &self.answer {
            Some(Answer::Coming(keeper, _)) => keeper.kept(),
            Some(Answer::Whole(copied)) => copied.body.capacity(),
            None => 0,
        };
        copied(&self.request) + copied(&self.sent) + answer
    }
}

/// What they held is given back.
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
            at_ms: incoming.at_ms,
            dialect,
            presented: presented(&incoming.headers, incoming.query.as_deref()),
            kept: RefCell::new(Some(CopiedBodies::default())),
            held: Cell::new(0),
            attempt: Cell::new(0),
        })))
    }

    /// Keeps what the client sent.
    pub(crate) fn set_call(&self, call: &Call) {
        self.change(|kept| kept.request = Some(Copied::of(self.0.dialect, &call.body)));
    }

    /// What keeps an answer in this dialect.
    fn keeper(&self, dialect: Dialect, is_chat: bool) -> Answer {
        let keeper = AnswerKeeper::new(dialect, is_chat, &self.0.id, self.0.at_ms / 1000);
        Answer::Coming(Box::new(keeper), dialect)
    }

    /// Keeps what is sent to a provider, in place of what the attempt before sent.
    pub(crate) fn sending(&self, to: AttemptParts<'_>, outgoing: &Outgoing, is_chat: bool) {
        self.0.attempt.set(self.0.attempt.get().saturating_add(1));
        let dialect = outgoing.dialect;
        self.change(|kept| {
            kept.sent = Some(Copied::of(dialect, &outgoing.body));
            kept.answer = Some(self.keeper(dialect, is_chat));
            kept.to = Some(To {
                provider: to.provider.name.to_string(),
                model: to.upstream_model.to_owned(),
                secrets: to.secrets().clone(),
            });
        });
    }

    /// Keeps what the attempt that is under way is answered.
    pub(crate) fn tap(&self) -> Tap {
        let (bodies, attempt) = (self.clone(), self.0.attempt.get());
        Tap::of(move |bytes| {
            if bodies.0.attempt.get() != attempt {
                return;
            }
            bodies.change(|kept| {
                if let Some(Answer::Coming(keeper, _)) = &mut kept.answer {
                    keeper.take(bytes);
                }
            });
        })
    }

    /// Keeps the error that an attempt was answered with.
    pub(crate) fn failed(&self, error: &UpstreamError) {
        self.change(|kept| kept.answer = Some(Answer::Whole(Copied::of(error.dialect, &error.body))));
    }

    /// Keeps what llmio itself answers, unless a provider has answered.
    pub(crate) fn answered(&self, body: &[u8]) {
        self.change(|kept| {
            let has_come = match &kept.answer {
                Some(Answer::Coming(keeper, _)) => keeper.kept() > 0,
                Some(Answer::Whole(_)) => true,
                None => false,
            };
            if !has_come {
                let mut answer = self.keeper(self.0.dialect, true);
                if let Answer::Coming(keeper, _) = &mut answer {
                    keeper.take(body);
                }
                (kept.answer, kept.to) = (Some(answer), None);
            }
        });
    }

    /// Drops what is kept: calls need the room.
    pub(crate) fn give_way(&self) {
        // What is being kept at this moment gives way by itself.
        if let Ok(mut kept) = self.0.kept.try_borrow_mut() {
            *kept = None;
            self.0.instance.memory.borrow_mut().keep(self.0.held.replace(0), 0);
        }
    }

    fn change(&self, change: impl FnOnce(&mut CopiedBodies)) {
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
    async fn sealed(&self, kept: CopiedBodies) -> Option<Vec<u8>> {
        let Inner { instance, id, presented, .. } = &*self.0;
        let CopiedBodies { request, sent, answer, to } = kept;
        let sealer = catalog::sealer().await.ok().flatten()?;
        if !memory::has_room_for([PACKING_BYTES, PACKING_BYTES]) {
            return None;
        }
        let snapshot = catalog::current(instance, Freshness::Recent).await.ok()?;
        let yields = YieldPoint::default();
        let step = |bytes| yields.step(bytes);
        let pace = Pace::of(&step);
        let known = snapshot.catalog.known_secrets().flat_map(Secrets::plain);
        let known = known.chain(presented.iter().map(String::as_str));
        let cleaner = Cleaner::new(to.as_ref().map(|to| &*to.secrets), known, pace);
        let texts = [
            request.and_then(|body| cleaned_body(&cleaner, What::Request, body)),
            sent.and_then(|body| cleaned_body(&cleaner, What::Sent, body)).map(|body| of(body, to.as_ref())),
        ];
        let answers = answer.into_iter().flat_map(|answer| answered(&cleaner, answer));
        let answers = answers.map(|body| of(body, to.as_ref()));
        let packed = bodies::packed(texts.into_iter().flatten().chain(answers).collect(), pace)?;
        Some(sealer.seal_bytes(&seal_id(id), &packed, host::random_bytes()))
    }
}

/// The id under which the bodies of a call are sealed.
pub(crate) fn seal_id(id: &str) -> String {
    format!("bodies/{id}")
}

fn of(body: KeptBody, to: Option<&To>) -> KeptBody {
    let (provider, model) = (to.map(|to| to.provider.clone()), to.map(|to| to.model.clone()));
    KeptBody { provider, model, ..body }
}

/// A body without its secrets; `None`: it is no text.
fn cleaned_body(cleaner: &Cleaner<'_>, what: What, copied: Copied) -> Option<KeptBody> {
    let Copied { dialect, bytes, body, is_cut } = copied;
    let (text, cut) = cleaner.text(body, is_cut)?;
    let dialect = dialect.name().to_owned();
    Some(KeptBody { what, dialect, provider: None, model: None, bytes, cut, merged: false, broken: false, text })
}

/// An answer, and its events where it was a short stream.
fn answered(cleaner: &Cleaner<'_>, answer: Answer) -> Vec<KeptBody> {
    let (keeper, dialect) = match answer {
        Answer::Whole(copied) => return cleaned_body(cleaner, What::Answer, copied).into_iter().collect(),
        Answer::Coming(keeper, dialect) => (keeper, dialect),
    };
    let kept = keeper.finish();
    if kept.bytes == 0 {
        return Vec::new();
    }
    let copied = |body: Vec<u8>, is_cut| Copied { dialect, bytes: kept.bytes, body, is_cut };
    let whole = cleaned_body(cleaner, What::Answer, copied(kept.whole, kept.is_cut));
    let whole = whole.map(|body| KeptBody { merged: kept.is_merged, broken: kept.is_broken, ..body });
    let events = kept.events.and_then(|events| cleaned_body(cleaner, What::Events, copied(events, false)));
    whole.into_iter().chain(events).collect()
}

/// Drops all bodies that are kept of calls under way, if calls need the room that they take.
pub(crate) fn give_way(instance: &Instance) {
    if instance.memory.borrow().is_crowded() {
        instance.open.drop_bodies();
    }
}
