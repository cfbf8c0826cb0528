//! Asks providers for the numbers that they count themselves: in the background after calls, at most every five minutes for
//! each account over all instances and processes, and only on hosts that do not limit outgoing requests. A request that
//! fails or hangs never affects a call.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use gateway_core::candidate::{Account, Attempt};
use gateway_core::catalog::Timeouts;
use gateway_core::quota::{raises, read_reported};
use gateway_core::rewrite;

use crate::hold::Holder;
use crate::host;
use crate::instance::Instance;
use crate::send::{self, Terms};
use crate::store::catalog::Snapshot;
use crate::store::{counters, quota as ledger, signals};

/// The time between two requests for an account.
const ASK_MS: u64 = 5 * 60 * 1000;

/// How long an answer is waited for. No call waits for it.
const ANSWER_MS_MAX: u64 = 10_000;

/// How much of an answer is read. Answers have a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How many accounts an instance remembers. They are all forgotten at once, which does no harm: the database decides.
const KNOWN_MAX: usize = 1024;

/// When this instance last considered each account, on the monotonic clock, so that not every call asks the database.
#[derive(Default)]
pub(crate) struct LastConsidered(RefCell<HashMap<Rc<str>, u64>>);

impl LastConsidered {
    pub(crate) fn is_due(&self, account: &str) -> bool {
        let now_ms = host::now_ms();
        let mut considered_at = self.0.borrow_mut();
        if considered_at.get(account).is_some_and(|at_ms| now_ms.saturating_sub(*at_ms) < ASK_MS) {
            return false;
        }
        if considered_at.len() >= KNOWN_MAX {
            considered_at.clear();
        }
        considered_at.insert(account.into(), now_ms);
        true
    }
}

/// Asks for the numbers of the account of an attempt that has ended, if it is time to.
pub(crate) fn after(instance: &Rc<Instance>, snapshot: &Rc<Snapshot>, attempt: &Attempt) {
    let provider = &attempt.target.provider;
    let (true, Some(_), Some(credential)) = (instance.host.asks_freely, provider.counter, &attempt.credential) else {
        return;
    };
    if !instance.considered.is_due(&credential.account) {
        return;
    }
    let (instance, snapshot, attempt) = (instance.clone(), snapshot.clone(), attempt.clone());
    host::spawn(async move { ask(&instance, &snapshot, &attempt).await });
}

async fn ask(instance: &Rc<Instance>, snapshot: &Snapshot, attempt: &Attempt) {
    let provider = &attempt.target.provider;
    let (Some(counter), Some(credential)) = (provider.counter, attempt.credential.as_deref()) else { return };
    if !counters::claim(instance, &credential.account, ASK_MS).await {
        return;
    }
    let account = Account { provider, credential: Some(credential) };
    let Some(outgoing) = rewrite::counter(account) else { return };
    let timeouts = Timeouts { total_ms: ANSWER_MS_MAX, ..Timeouts::default() };
    let holder = Holder::new(instance);
    let terms = Terms::of_nobody(&timeouts, &holder);
    let Ok((status, body)) = send::fetch(instance, outgoing, &terms, ANSWER_BYTES_MAX).await else { return };
    match status {
        200 => {}
        404 | 405 | 410 => return counters::not_there(instance, &credential.account).await,
        _ => return,
    }
    let reported = read_reported(counter, credential, &body, host::steady_ms());
    let at = ledger::moment(instance, snapshot);
    for (limit, spent) in raises(provider, credential, &reported, &snapshot.catalog.settings.rates, at) {
        // If the ledger does not answer now, the next answer of the provider raises it.
        let _ = ledger::raise(instance, &limit, spent).await;
    }
    signals::reported(instance, reported);
}
