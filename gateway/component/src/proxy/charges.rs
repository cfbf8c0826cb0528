//! What a call and its attempts are charged to the quota ledger: reserved before anything is sent, settled with what was
//! really used, given back where nothing was.

use gateway_core::accept::Call;
use gateway_core::catalog::{Credential, Provider};
use gateway_core::observe::Usage;
use gateway_core::record::State;
use gateway_core::refusal::Refusal;
use gateway_core::rewrite::Named;
use gateway_core::route::quota::{self, Charge, Moment, Over, Spent};
use gateway_core::route::{Skip, SkipReason};
use spin_sdk::wasip3;

use crate::host;
use crate::store::catalog::Snapshot;
use crate::store::database::Trouble;
use crate::store::quota::{self as ledger, Reservation};

/// What a record says when a provider's quota could not be asked.
pub(crate) const QUOTA_UNKNOWN: &str = "quota_unknown";

/// A slot that a call under way holds may be free at any moment; then it is worth asking again.
const SLOT_MS: i64 = 1_000;

/// Charges that were made, or that are to be made afterwards.
pub(crate) struct Charged {
    charges: Vec<Charge>,
    /// The ledger did not answer, and the attempt was made all the same.
    pub(crate) is_late: bool,
}

impl Charged {
    /// Corrects the ledger by what was used.
    pub(crate) async fn settle(self, usage: &Usage) {
        let tokens = usage.input_tokens.zip(usage.output_tokens).map(|(input, output)| input.saturating_add(output));
        let adjustments = match self.is_late {
            true => quota::charge_late(&self.charges, tokens),
            false => quota::settle(&self.charges, tokens),
        };
        ledger::settle(&adjustments).await;
    }

    /// Gives everything back. Not waited for: it is done on a call's path.
    pub(crate) fn refund(self) {
        if !self.is_late {
            let adjustments = quota::refund(&self.charges);
            wasip3::spawn(async move { ledger::settle(&adjustments).await });
        }
    }
}

/// Reserves what an attempt takes of its provider's quotas. `Ok(None)`: it has none.
pub(crate) async fn reserve(call: &Call, to: Named<'_>, snapshot: &Snapshot) -> Result<Option<Charged>, Skip> {
    if to.provider.quotas.is_empty() && to.credential.is_none_or(|credential| credential.quota.is_none()) {
        return Ok(None);
    }
    let at = ledger::moment(snapshot);
    let charges = quota::windows(to.provider, to.credential, to.upstream_model, tokens(call), at);
    match ledger::reserve(&charges, at.now_ms).await {
        _ if charges.is_empty() => Ok(None),
        Reservation::Reserved => Ok(Some(Charged { charges, is_late: false })),
        Reservation::Unknown(_) => Ok(Some(Charged { charges, is_late: true })),
        Reservation::Refused(over) => Err(spent_skip(&over, at)),
    }
}

/// Reserves what a call takes of its key's limits. These fail closed: they are what keeps a key's holder within bounds.
pub(crate) async fn reserve_key(
    call: &Call,
    key: Option<&str>,
    snapshot: &Snapshot,
) -> Result<Option<Charged>, Refusal> {
    let Some(key) = key.and_then(|name| snapshot.catalog.keys.iter().find(|key| &*key.name == name)) else {
        return Ok(None);
    };
    if key.limits.is_empty() {
        return Ok(None);
    }
    let at = ledger::moment(snapshot);
    let charges = quota::key_windows(key, tokens(call), at);
    match ledger::reserve(&charges, at.now_ms).await {
        Reservation::Reserved => Ok(Some(Charged { charges, is_late: false })),
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
        Reservation::Refused(over) => Err(key_refusal(&key.name, &over, at)),
    }
}

/// Whether a quota is known to be spent for an attempt: what [`reserve`] would find out, without asking the ledger.
pub(crate) fn known_spent(
    spent: &Spent,
    call: &Call,
    provider: &Provider,
    credential: Option<&Credential>,
    upstream_model: &str,
    at: Moment,
) -> Option<Skip> {
    if spent.is_calm(at.now_ms) {
        return None;
    }
    let charges = quota::windows(provider, credential, upstream_model, tokens(call), at);
    let (charge, until_ms) = spent.is_spent(&charges, at.now_ms)?;
    let said = format!("{}: {} {} spent", charge.scope.describe(), charge.limit, charge.limit_name);
    Some(Skip { reason: SkipReason::QuotaSpent, until_ms: Some(until_ms), said: Some(said) })
}

/// Whether a call that ended so used anything.
pub(crate) fn is_used(state: State, first_byte_ms: Option<u64>) -> bool {
    state == State::Ok || (first_byte_ms.is_some() && state != State::ClientError)
}

fn tokens(call: &Call) -> u64 {
    quota::estimate(call.body.len() as u64, call.tokens_max)
}

fn spent_skip(over: &[Over], at: Moment) -> Skip {
    let said = over.iter().map(Over::describe).collect::<Vec<_>>().join(", ");
    Skip {
        reason: SkipReason::QuotaSpent,
        until_ms: Some(back_ms(over, at)),
        said: Some(said).filter(|said| !said.is_empty()),
    }
}

/// When all of these are over.
fn back_ms(over: &[Over], at: Moment) -> i64 {
    over.iter().filter_map(|over| over.until_ms).max().unwrap_or(at.now_ms + SLOT_MS)
}

fn key_refusal(name: &str, over: &[Over], at: Moment) -> Refusal {
    let wait_s = u64::try_from(back_ms(over, at) - host::unix_ms()).unwrap_or(0).div_ceil(1000).max(1);
    let said = over.iter().map(Over::describe).collect::<Vec<_>>().join(", ");
    let message = format!(
        "The limits of key {name:?} are used up ({said}). It can be used again in {wait_s} s; its limits are in the catalog."
    );
    let long = wait_s > 60;
    let refusal = Refusal::rate_limited(message, long).after(wait_s).ended(State::QuotaSpent);
    if long { refusal.without_retry() } else { refusal }
}
