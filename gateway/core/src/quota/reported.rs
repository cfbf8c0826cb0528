//! The numbers that providers count themselves and tell when they are asked ([`Counter`]), and what follows from them
//! for the ledger. If a credential is used elsewhere too, more is spent than llmio knows. A told number only ever
//! raises what is spent, and only in the window that it names: it is late and does not include calls under way, so a
//! smaller number does not show that the ledger is wrong.

use std::collections::BTreeMap;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Charge, Ends, Moment, SPENT_MAX, Scope, Spend, Unit, frame};
use crate::catalog::{Credential, Day, Per, Provider, Window};
use crate::providers::{Counter, CounterPer, CounterReading, CounterUnit};

/// How many numbers are remembered. The oldest one makes room for a new one.
const KNOWN_MAX: usize = 1024;

/// How long a number is remembered that is not told again.
const KNOWN_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How far the clock of another host may be ahead. A number from later than that is ignored.
const AHEAD_MS: i64 = 60 * 60 * 1000;

const NANO: f64 = 1e9;

/// A number that a provider told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedLimit {
    /// The credential's id.
    pub credential: String,
    /// Its name for people.
    pub what: String,
    /// The currency, if money is counted; amounts are billionths of it. `None`: calls are counted.
    pub currency: Option<String>,
    /// The window in which it is counted.
    pub per: Option<CounterPer>,
    /// The models whose use is counted; all where there are none.
    pub models: Vec<String>,
    /// What is spent of it.
    pub spent: Option<u64>,
    /// The most of it.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// When it was told, on the steady clock.
    pub as_of_ms: i64,
}

/// Reads the numbers of a credential's account from an answer. What is missing or not a number is left out.
pub fn read(counter: &Counter, credential: &Credential, body: &[u8], now_ms: i64) -> Vec<ReportedLimit> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let read = |reading: &CounterReading| {
        let currency = match reading.unit {
            CounterUnit::Calls => None,
            CounterUnit::Money(currency) => Some(currency.to_owned()),
            CounterUnit::MoneyOf(place) => Some(currency(answer.pointer(place)?.as_str()?)?),
        };
        let number = |place: Option<&str>| number(answer.pointer(place?)?, currency.is_some());
        let (spent, limit, remaining) = (number(reading.spent), number(reading.limit), number(reading.remaining));
        let is_reported = [spent, limit, remaining].iter().any(Option::is_some);
        is_reported.then(|| ReportedLimit {
            credential: credential.id.to_string(),
            what: reading.what.to_owned(),
            currency,
            per: reading.per,
            models: reading.models.iter().map(|model| (*model).to_owned()).collect(),
            spent,
            limit,
            remaining,
            as_of_ms: now_ms,
        })
    };
    counter.readings.iter().filter_map(read).collect()
}

/// A currency code of ISO 4217. Any other text of an answer is refused, so that it is never stored.
fn currency(text: &str) -> Option<String> {
    (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())).then(|| text.to_owned())
}

/// A whole number of calls, or an amount in billionths. Some providers write amounts as text. A debt counts as 0.
fn number(value: &Value, is_money: bool) -> Option<u64> {
    let number: f64 = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let number = if is_money { number * NANO } else { number };
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let most = SPENT_MAX as f64;
    if !number.is_finite() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^50")]
    Some(number.round().clamp(0.0, most) as u64)
}

/// The limits of which more is spent than the ledger may know, each with the amount, according to what was told of this
/// credential's account.
pub fn raises(
    provider: &Provider,
    credential: &Credential,
    reported: &[ReportedLimit],
    rates: &BTreeMap<String, f64>,
    at: Moment,
) -> Vec<(Charge, u64)> {
    let charges = of_account(provider, credential, at);
    let raise = |reported: &ReportedLimit| {
        let raised = charges.iter().filter_map(|charge| {
            let names = reported.names(charge, at).then(|| reported.spent_of(charge, provider, rates)).flatten();
            names.filter(|spent| *spent > 0).map(|spent| (charge.clone(), spent.min(SPENT_MAX)))
        });
        raised.collect::<Vec<_>>()
    };
    reported.iter().flat_map(raise).collect()
}

impl ReportedLimit {
    /// Whether a limit counts the same unit in the same window, for at least the same models.
    fn names(&self, charge: &Charge, at: Moment) -> bool {
        let covers = charge.models.is_empty() || (!self.models.is_empty() && charge.models[..] == self.models[..]);
        let unit = if self.currency.is_some() { Unit::Money } else { Unit::Calls };
        let day = || Day { zone: TimeZone::UTC, reset: Time::midnight() };
        let is_same = |window: &Window| {
            let frame = frame(window, at);
            (charge.since, charge.ends) == (frame.since, frame.ends)
        };
        let is_window = match self.per {
            None => false,
            Some(CounterPer::Ever) => charge.ends == Ends::Never,
            Some(CounterPer::Day) => is_same(&Window::Day(day())),
            Some(CounterPer::Week) => is_same(&Window::Week(day())),
            Some(CounterPer::Month) => is_same(&Window::Month(day())),
        };
        covers && is_window && charge.unit == unit
    }

    /// What is spent of the limit according to this number. A remaining balance only says it of a limit on that balance
    /// alone.
    fn spent_of(&self, charge: &Charge, provider: &Provider, rates: &BTreeMap<String, f64>) -> Option<u64> {
        let in_unit = |amount: u64| match &self.currency {
            None => Some(amount),
            Some(currency) => converted(amount, *rates.get(currency)?),
        };
        let is_alone = !matches!(charge.scope, Scope::Provider { .. }) || provider.credentials.len() == 1;
        match (self.spent, self.remaining) {
            (Some(spent), _) => in_unit(spent),
            (None, Some(remaining)) if is_alone => Some(charge.limit.saturating_sub(in_unit(remaining)?)),
            (None, _) => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^53")]
fn converted(amount: u64, rate: f64) -> Option<u64> {
    let worth = amount as f64 * rate;
    (worth.is_finite() && worth >= 0.0).then(|| worth.round().min(SPENT_MAX as f64) as u64)
}

/// All limits that count what this credential spends, on any model.
fn of_account(provider: &Provider, credential: &Credential, at: Moment) -> Vec<Charge> {
    let none = Spend::default();
    let mut charges = super::own_and_per_credential(provider, Some(credential), |_| true, none, at);
    for quota in &provider.quotas {
        match quota.per {
            Per::Credential => {}
            Per::Pool => {
                let scope = super::pool_scope(provider, credential.pool.clone());
                charges.extend(super::charges_of(&scope, quota, none, at));
            }
            Per::Provider => charges.extend(super::charges_of(&super::provider_scope(provider), quota, none, at)),
        }
    }
    charges
}

/// The newest value of each number, by credential, name, window and currency.
#[derive(Debug, Default)]
pub struct ReportedLimits {
    known: BTreeMap<(String, String, Option<CounterPer>, Option<String>), ReportedLimit>,
}

impl ReportedLimits {
    /// Takes over newer values, told to this instance or to another one.
    pub fn merge(&mut self, reported: Vec<ReportedLimit>, now_ms: i64) {
        for each in reported {
            let key = (each.credential.clone(), each.what.clone(), each.per, each.currency.clone());
            let is_newer = self.known.get(&key).is_none_or(|known| known.as_of_ms < each.as_of_ms);
            if !is_newer || each.as_of_ms > now_ms.saturating_add(AHEAD_MS) {
                continue;
            }
            if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&key) {
                let oldest = self.known.iter().min_by_key(|(_, known)| known.as_of_ms).map(|(key, _)| key.clone());
                oldest.map(|oldest| self.known.remove(&oldest));
            }
            self.known.insert(key, each);
        }
        self.known.retain(|_, known| known.as_of_ms.saturating_add(KNOWN_MS) > now_ms);
    }

    /// All remembered numbers.
    pub fn all(&self) -> impl Iterator<Item = &ReportedLimit> {
        self.known.values()
    }
}

#[cfg(test)]
mod tests;
