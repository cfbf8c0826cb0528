//! Asks providers that announce in their lists of models what they will shut down: in the background after calls, at most once
//! a day for each host over all instances and processes, and only on hosts that do not limit outgoing requests.

use std::rc::Rc;

use gateway_core::candidate::{Account, Attempt};
use gateway_core::catalog::Timeouts;
use gateway_core::{offer, rewrite};

use crate::hold::Holder;
use crate::host;
use crate::instance::Instance;
use crate::send::{self, LIST_BYTES_MAX, Terms};
use crate::store::{counters, shutdowns};

const ASK_MS: u64 = 24 * 60 * 60 * 1000;

/// How long an answer is waited for. No call waits for it.
const ANSWER_MS_MAX: u64 = 20_000;

/// Asks the provider of an attempt that has ended, if it is time to.
pub(crate) fn after(instance: &Rc<Instance>, attempt: &Attempt) {
    let provider = &attempt.target.provider;
    if !instance.host.asks_freely || !provider.announces || !instance.considered.is_due(&turn(provider.home())) {
        return;
    }
    let (instance, attempt) = (instance.clone(), attempt.clone());
    host::spawn(async move { ask(&instance, &attempt).await });
}

/// The name of the turn to ask, among those of accounts.
fn turn(place: &str) -> String {
    format!("models/{place}")
}

async fn ask(instance: &Rc<Instance>, attempt: &Attempt) {
    let provider = &attempt.target.provider;
    if !counters::claim(instance, &turn(provider.home()), ASK_MS).await {
        return;
    }
    let account = Account { provider, credential: attempt.credential.as_deref() };
    let Some(outgoing) = rewrite::models(account) else { return };
    let timeouts = Timeouts { total_ms: ANSWER_MS_MAX, ..Timeouts::default() };
    let holder = Holder::new(instance);
    let terms = Terms::of_nobody(&timeouts, &holder);
    if let Ok((200, body)) = send::fetch(instance, outgoing, &terms, LIST_BYTES_MAX).await {
        note(instance, provider.home(), &body).await;
    }
}

/// Keeps what a provider's list of models announces. If that fails, the next list says it again.
pub(crate) async fn note(instance: &Instance, place: &str, body: &[u8]) {
    if let Some(announced) = offer::shutdowns(body) {
        let _ = shutdowns::save(instance, place, &announced).await;
    }
}
