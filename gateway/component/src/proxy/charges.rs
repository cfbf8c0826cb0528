//! What a call and its attempts are charged to the quota ledger: reserved before anything is sent, settled with what was
//! really used, given back where nothing was.

use gateway_core::accept;
use gateway_core::call::Call;
use gateway_core::candidate::{Candidates, Named, Skip, SkipReason};
use gateway_core::catalog::Model;
use gateway_core::failover;
use gateway_core::operation::Operation;
use gateway_core::outcome::Progress;
use gateway_core::price::Price;
use gateway_core::quota::{self, Charge, Moment, Over, Prompt, Seen, Spend, Spent, Unit};
use gateway_core::refusal::Refusal;
use gateway_core::route::dearest;
use gateway_core::route::wait::LOOK_MS;
use spin_sdk::wasip3;

use crate::host;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::quota::{self as ledger, Reservation};

/// What a record says when a provider's quota could not be asked.
pub(crate) const QUOTA_UNKNOWN: &str = "quota_unknown";

/// What a record says of an attempt that a credit in money should have paid for, and whose price is not known.
pub(crate) const PRICE_UNKNOWN: &str = "price_unknown";

/// What a record says of a call that was charged by what was seen of its answer, since its provider did not say to the end
/// what it used.
pub(crate) const USAGE_ESTIMATED: &str = "usage_estimated";

/// Charges that were made, or that are to be made afterwards.
pub(crate) struct Charged {
    charges: Vec<Charge>,
    prompt: Prompt,
    /// What the attempt is paid by, where money is counted.
    price: Option<Price>,
    /// The ledger did not answer, and the attempt was made all the same.
    pub(crate) is_late: bool,
}

impl Charged {
    /// Corrects the ledger by what was seen of the answer.
    pub(crate) async fn settle(self, seen: &Seen) {
        let price = self.price;
        self.settle_at(seen, price).await;
    }

    /// The same where only the answer shows what it is paid by.
    pub(crate) async fn settle_at(mut self, seen: &Seen, price: Option<Price>) {
        let charges = std::mem::take(&mut self.charges);
        let used = seen.spend(self.prompt, price.as_ref());
        let adjustments = match self.is_late {
            true => quota::charge_late(&charges, used),
            false => quota::settle(&charges, used),
        };
        ledger::settle(&adjustments).await;
    }

    /// Whether it is charged by more than what the provider said.
    pub(crate) fn is_estimated(&self, seen: &Seen) -> bool {
        let counts_use = |charge: &Charge| matches!(charge.unit, Unit::Tokens | Unit::Money);
        self.charges.iter().any(counts_use) && seen.is_estimated(self.prompt)
    }

    /// Whether it should have been paid from a credit, and nobody knows how much.
    pub(crate) fn lacks_price(&self) -> bool {
        self.price.is_none() && self.charges.iter().any(|charge| charge.unit == Unit::Money)
    }

    /// Corrects the ledger by how far an attempt came that has no answer. Not waited for: it is done on a call's path.
    pub(crate) fn end(mut self, progress: Progress) {
        self.end_at(progress);
    }

    fn end_at(&mut self, progress: Progress) {
        let charges = std::mem::take(&mut self.charges);
        let used = match progress {
            Progress::Unsent | Progress::TurnedAway => None,
            Progress::Failed => Some(Spend::NOTHING),
            Progress::WorkedOn => Some(Spend::default()),
        };
        let adjustments = match (used, self.is_late) {
            (None, true) => Vec::new(),
            (None, false) => quota::refund(&charges),
            (Some(used), true) => quota::charge_late(&charges, used),
            (Some(used), false) => quota::settle(&charges, used),
        };
        if !adjustments.is_empty() {
            wasip3::spawn(async move { ledger::settle(&adjustments).await });
        }
    }
}

/// A call that is dropped while it waits for its answer (its client left) may have been worked on: what was reserved
/// stays charged, and the slot it held is free.
impl Drop for Charged {
    fn drop(&mut self) {
        self.end_at(Progress::WorkedOn);
    }
}

/// Reserves what an attempt of the call `id` takes of its provider's quotas. `Ok(None)`: it has none.
pub(crate) async fn reserve(
    (call, id): (&Call, &str),
    to: Named<'_>,
    snapshot: &Snapshot,
) -> Result<Option<Charged>, Skip> {
    if to.provider.quotas.is_empty() && to.credential.is_none_or(|credential| credential.quota.is_none()) {
        return Ok(None);
    }
    let at = ledger::moment(snapshot).of_call(id);
    let price = price_paid(to);
    let prompt = prompt(call, price.is_some());
    let charges = windows((call, prompt), to, price, at);
    match ledger::reserve(&charges, at.now_ms).await {
        _ if charges.is_empty() => Ok(None),
        Reservation::Reserved => Ok(Some(Charged { charges, prompt, price, is_late: false })),
        Reservation::Unknown(_) => Ok(Some(Charged { charges, prompt, price, is_late: true })),
        Reservation::Refused(over) => Err(spent_skip(&over, at)),
    }
}

/// Reserves what the call `id` takes of its key's limits. These fail closed: they are what keeps a key's holder within
/// bounds. A budget is charged what the dearest of the candidates may take.
pub(crate) async fn reserve_key(
    (call, id): (&Call, &str),
    key: Option<&str>,
    snapshot: &Snapshot,
    (model, candidates): (&Model, &Candidates),
) -> Result<Option<Charged>, Refusal> {
    let Some(key) = key.and_then(|name| snapshot.catalog.keys.iter().find(|key| &*key.name == name)) else {
        return Ok(None);
    };
    if key.limits.is_empty() {
        return Ok(None);
    }
    let at = ledger::moment(snapshot).of_call(id);
    let prompt = prompt(call, key.has_budget());
    let most = || dearest(&snapshot.catalog, model, &call.model, candidates, |price| cost(call, prompt, price));
    let charges = quota::key_windows(key, guess(call, key.has_budget().then(most)), at);
    match ledger::reserve(&charges, at.now_ms).await {
        Reservation::Reserved => Ok(Some(Charged { charges, prompt, price: None, is_late: false })),
        Reservation::Unknown(Trouble::Absent) => {
            let said = format!(
                "Key {:?} has limits, and this host has no database to count them in. Take them out of the catalog.",
                &*key.name
            );
            Err(Refusal::unavailable("limits_unknown", said).without_retry())
        }
        Reservation::Unknown(trouble) => {
            let said = format!("The limits of key {:?} cannot be checked now: {trouble}. Try again.", &*key.name);
            Err(Refusal::unavailable("limits_unknown", said).after(1))
        }
        Reservation::Refused(over) => Err(failover::key_spent(&key.name, &over, host::unix_ms())),
    }
}

/// Whether a quota is known to be spent for an attempt: what [`reserve`] would find out, without asking the ledger.
pub(crate) fn known_spent(spent: &Spent, call: &Call, to: Named<'_>, at: Moment) -> Option<Skip> {
    if spent.is_calm(at.now_ms) {
        return None;
    }
    let price = price_paid(to);
    let charges = windows((call, prompt(call, price.is_some())), to, price, at);
    let (charge, until_ms) = spent.is_spent(&charges, at.now_ms)?;
    Some(Skip { reason: SkipReason::QuotaSpent, until_ms, message: Some(charge.describe_spent()) })
}

/// When the first allowance that an attempt draws on expires.
pub(crate) fn expires_ms(call: &Call, to: Named<'_>, at: Moment) -> i64 {
    let charges = windows((call, prompt(call, false)), to, None, at);
    ledger::allowances::with(|allowances| allowances.expires_ms(&charges, at.now_ms))
}

/// What an attempt is charged to.
fn windows((call, prompt): (&Call, Prompt), to: Named<'_>, price: Option<Price>, at: Moment) -> Vec<Charge> {
    let guess = guess(call, price.map(|price| cost(call, prompt, &price)));
    quota::windows(to.provider, to.credential, to.upstream_model, guess, at)
}

/// What a call is guessed to take.
fn guess(call: &Call, cost_nano: Option<u64>) -> Spend {
    let tokens = quota::estimate(call.body.len() as u64, call.tokens_max);
    Spend { cost_nano, ..Spend::tokens(tokens) }
}

/// Images in the body are not paid for by their bytes, so it is looked at once more; only where money is counted. Only who
/// writes is paid for writing.
fn prompt(call: &Call, counts_money: bool) -> Prompt {
    let tokens =
        if counts_money { accept::demand(call).tokens } else { quota::estimate(call.body.len() as u64, Some(0)) };
    Prompt { tokens, in_words: call.operation.is_chat() || call.operation == Operation::Completions }
}

/// Counting tokens is free everywhere.
fn cost(call: &Call, prompt: Prompt, price: &Price) -> u64 {
    if call.operation.counts_tokens() {
        return 0;
    }
    quota::estimate_cost(price, prompt.tokens, if prompt.in_words { call.tokens_max } else { Some(0) })
}

/// The price of an attempt, looked up only where some quota counts money.
fn price_paid(to: Named<'_>) -> Option<Price> {
    let own = to.credential.and_then(|credential| credential.quota.as_ref());
    let counts_money = to.provider.quotas.iter().chain(own).any(|quota| quota.counts_money());
    counts_money.then(|| to.target.priced(to.upstream_model)).flatten().map(|priced| priced.price)
}

fn spent_skip(over: &[Over], at: Moment) -> Skip {
    let said = over.iter().map(Over::describe).collect::<Vec<_>>().join(", ");
    // When all of these are over.
    let back_ms =
        over.iter().filter_map(|over| over.until_ms).max().unwrap_or(at.now_ms.saturating_add_unsigned(LOOK_MS));
    Skip {
        reason: SkipReason::QuotaSpent,
        until_ms: (!over.iter().any(|over| over.is_for_good)).then_some(back_ms),
        message: Some(said).filter(|said| !said.is_empty()),
    }
}
