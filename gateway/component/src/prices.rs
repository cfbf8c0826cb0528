//! Keeps the operator's prices fresh (`settings.prices`): an address is asked once a day over all instances and processes, and
//! again after an hour if it failed; a file is read when the host says that it has changed.

use std::collections::BTreeMap;
use std::rc::Rc;

use gateway_core::catalog::{PriceAddress, PriceOrigin, Timeouts};
use gateway_core::outcome::SendError;
use gateway_core::price::{FILE_BYTES_MAX, PriceFile, PriceState, Waiting};
use gateway_core::rewrite;

use crate::hold::Holder;
use crate::host;
use crate::instance::Instance;
use crate::send::{self, Terms};
use crate::store::catalog::{self, Snapshot};
use crate::store::{counters, prices};

/// Before the origin: the name of the turn to ask it.
const TURN: &str = "prices";

const EVERY_MS: u64 = 24 * 60 * 60 * 1000;
const AGAIN_MS: u64 = 60 * 60 * 1000;

/// How long an address has to answer. Nobody waits for it but who asked for it.
const ANSWER_MS_MAX: u64 = 30_000;

/// The same after a call, on hosts that do not ask for maintenance.
pub(crate) fn after(instance: &Rc<Instance>, snapshot: &Rc<Snapshot>) {
    let is_kept = snapshot.catalog.settings.prices.is_some() && !instance.host.asks_for_maintenance;
    if is_kept && instance.considered.is_due(TURN) {
        let (instance, snapshot) = (instance.clone(), snapshot.clone());
        host::spawn(async move { renew_if_due(&instance, &snapshot).await });
    }
}

/// Asks the origin of the settings, if it is time to. What goes wrong is in the state that it leaves.
pub(crate) async fn renew_if_due(instance: &Rc<Instance>, snapshot: &Snapshot) {
    let Some(origin) = &snapshot.catalog.settings.prices else { return };
    let is_due = match origin {
        PriceOrigin::Address(_) => counters::claim(instance, &turn_of(origin), EVERY_MS).await,
        PriceOrigin::File(_) => has_changed(instance, origin).await,
    };
    if is_due && let Err(problem) = renew(instance, origin).await {
        host::log(&format!("prices of {origin} were not renewed: {problem}"));
    }
}

/// Asks the origin now and takes what it answers, or notes why that cannot be taken. `Err`: the store does not answer.
pub(crate) async fn renew(instance: &Rc<Instance>, origin: &PriceOrigin) -> Result<(), String> {
    let reading = reading(instance).await;
    let file = read(instance, origin).await.and_then(|text| PriceFile::read(&text));
    let number = prices::turn(instance).await?;
    let former = prices::state(instance, number).await?;
    let now_ms = host::unix_ms();
    let name = origin.to_string();
    let state = former.clone().unwrap_or_default().at(&name);
    let rows = prices::rows(instance, &state, state.lists.keys().map(String::as_str)).await?;
    let renewed = file.and_then(|file| state.clone().renewed(file, &rows, number.saturating_add(1), now_ms));
    let is_failed = renewed.is_err();
    let (state, lists) = renewed.unwrap_or_else(|problem| (state.failed(problem, now_ms), BTreeMap::new()));
    prices::store(instance, (number, former.as_ref()), &(PriceState { reading, ..state }, lists)).await?;
    if let (true, PriceOrigin::Address(_)) = (is_failed, origin) {
        counters::put_off(instance, &turn_of(origin), EVERY_MS, AGAIN_MS).await;
    }
    Ok(())
}

/// Puts waiting prices in force. Returns how many these were.
pub(crate) async fn accept(instance: &Instance, is_accepted: impl Fn(&Waiting) -> bool) -> Result<usize, String> {
    // A turn that nothing follows would keep others waiting.
    let is_known = known(instance).await?.is_some_and(|state| state.waiting.iter().any(&is_accepted));
    if !is_known {
        return Ok(0);
    }
    let number = prices::turn(instance).await?;
    let Some(former) = prices::state(instance, number).await? else { return Ok(0) };
    let rows = prices::rows(instance, &former, former.lists.keys().map(String::as_str)).await?;
    let (changed, count) = former.clone().accepted(is_accepted, &rows, number.saturating_add(1));
    if count > 0 {
        prices::store(instance, (number, Some(&former)), &changed).await?;
    }
    Ok(count)
}

/// The name of the turn to ask, among those of accounts.
fn turn_of(origin: &PriceOrigin) -> String {
    format!("{TURN}/{origin}")
}

/// The state of the host's files now, at this start of it.
async fn reading(instance: &Instance) -> String {
    let files = catalog::state_of_files(instance).await;
    format!("{}/{files}", instance.host.boot.as_deref().unwrap_or_default())
}

async fn has_changed(instance: &Instance, origin: &PriceOrigin) -> bool {
    // A store that does not answer now is asked again in a minute.
    let Ok(known) = known(instance).await else { return false };
    let reading = reading(instance).await;
    known.is_none_or(|state| state.origin != origin.to_string() || state.reading != reading)
}

/// The state in force, if there is one.
pub(crate) async fn known(instance: &Instance) -> Result<Option<PriceState>, String> {
    prices::state(instance, prices::number(instance).await?).await
}

async fn read(instance: &Rc<Instance>, origin: &PriceOrigin) -> Result<Vec<u8>, String> {
    match origin {
        PriceOrigin::File(name) => {
            let text = catalog::file(name).await;
            text.map(String::into_bytes).map_err(|reason| format!("cannot be read: {reason}"))
        }
        PriceOrigin::Address(address) => fetch(instance, address).await,
    }
}

async fn fetch(instance: &Rc<Instance>, address: &PriceAddress) -> Result<Vec<u8>, String> {
    let timeouts = Timeouts { total_ms: ANSWER_MS_MAX, ..Timeouts::default() };
    let holder = Holder::new(instance);
    let terms = Terms::of_nobody(&timeouts, &holder);
    match send::fetch(instance, rewrite::prices(address), &terms, FILE_BYTES_MAX).await {
        Ok((200, body)) => Ok(body),
        Ok((status, _)) => {
            Err(format!("answered {status}, where 200 and a file were expected; redirects are not followed"))
        }
        Err(SendError::Denied) => Err(
            "is at an address that is not allowed; if a private one is meant, set `local = true` beside its `url` in \
                 settings.prices (under Spin: allowed_outbound_hosts)"
                .to_owned(),
        ),
        Err(error) => Err(error.describe()),
    }
}
