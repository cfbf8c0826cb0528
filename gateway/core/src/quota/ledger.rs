//! What follows from the rows of the ledger: the corrections after an attempt, the limits that refused it and until
//! when, and how long the rest will last. Also the form of charges in the store's statements.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Charge, Ends, HOUR_MS, MINUTE_MS, SPENT_MAX, Scope, Spend, Unit, money};

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The limit that it belongs to.
    pub id: String,
    /// The beginning of its time on the steady clock.
    pub bucket: i64,
    /// What was spent in that time.
    pub spent: u64,
}

/// A correction of a row. No row falls below zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// The limit that it belongs to.
    pub id: String,
    /// The row.
    pub bucket: i64,
    /// The amount to be added.
    pub delta: i64,
}

/// A limit that refused an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceededLimit {
    /// The id of the limit.
    pub id: String,
    /// Whose limit it is.
    pub scope: Scope,
    /// Its name, such as `rpd`.
    pub limit_name: String,
    /// What it counts.
    pub unit: Unit,
    /// The amount that was asked for.
    pub amount: u64,
    /// The amount that was spent.
    pub spent: u64,
    /// The most that may be spent.
    pub limit: u64,
    /// When there will be enough again, on the steady clock; `None` if that depends on calls under way, or if it never
    /// resets.
    pub until_ms: Option<i64>,
    /// Whether it never resets, so that only an operator can give more.
    pub is_for_good: bool,
}

impl ExceededLimit {
    /// A message such as `relay-x (credential first): 100 of 100 rpd spent`.
    pub fn describe(&self) -> String {
        let ExceededLimit { limit_name, spent, limit, .. } = self;
        let scope = self.scope.describe();
        if self.unit != Unit::Money {
            return format!("{scope}: {spent} of {limit} {limit_name} spent");
        }
        let (spent_usd, limit_usd, may_cost) = (money::human(*spent), money::human(*limit), money::human(self.amount));
        // The limit may refuse a call although something is left, if the call may cost more than that.
        let of_call = if spent < limit { format!(", and this call may cost {may_cost}") } else { String::new() };
        format!("{scope}: {spent_usd} of {limit_usd} USD{} spent{of_call}", money::period(limit_name))
    }

    /// Whether it is the limit of the caller's key, which no other target can help with.
    pub fn is_key(&self) -> bool {
        self.scope.is_of_caller()
    }
}

impl Scope {
    /// The name for messages.
    pub fn describe(&self) -> String {
        match self {
            Scope::Credential { provider, credential: Some(label) } => format!("{provider} (credential {label})"),
            Scope::Pool { provider, pool: Some(pool) } => format!("{provider} (pool {pool})"),
            Scope::Credential { provider, credential: None }
            | Scope::Pool { provider, pool: None }
            | Scope::Provider { provider } => provider.to_string(),
            Scope::Key { key } => format!("key {key}"),
            Scope::Team { team } => format!("team {team}"),
        }
    }

    /// Whether it limits who calls and not who is called.
    pub fn is_of_caller(&self) -> bool {
        matches!(self, Scope::Key { .. } | Scope::Team { .. })
    }
}

/// The state of a limit. Times are those of the steady clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What is spent within its window.
    pub spent: u64,
    /// When the first part of what is spent stops counting; the end of a day even if nothing is spent.
    pub resets_at_ms: Option<i64>,
    /// When it will be used up at the present rate; `None` if not before it resets.
    pub runs_dry_at_ms: Option<i64>,
}

/// The corrections when an answer has ended. If the usage is unknown, the estimate stays.
pub fn settle(charges: &[Charge], used: Spend) -> Vec<Adjustment> {
    correct(charges, |charge| match charge.unit {
        Unit::Tokens | Unit::FreshTokens | Unit::Money => {
            signed(used.of(charge).unwrap_or(charge.amount)).saturating_sub(signed(charge.amount))
        }
        Unit::InFlight => -signed(charge.amount),
        Unit::Calls | Unit::Points => 0,
    })
}

/// The corrections if the provider did not count the call, because it was not reached or refused the call at once.
pub fn refund(charges: &[Charge]) -> Vec<Adjustment> {
    correct(charges, |charge| -signed(charge.amount))
}

/// The charges for an attempt that was sent without a reservation, since the ledger did not answer. When it can be
/// written again, it gets to know all that was spent.
pub fn charge_late(charges: &[Charge], used: Spend) -> Vec<Adjustment> {
    correct(charges, |charge| match charge.unit {
        Unit::Calls | Unit::Points => signed(charge.amount),
        Unit::Tokens | Unit::FreshTokens | Unit::Money => signed(used.of(charge).unwrap_or(charge.amount)),
        Unit::InFlight => 0,
    })
}

impl Spend {
    /// The part that counts against this limit; `None` if it is unknown.
    fn of(&self, charge: &Charge) -> Option<u64> {
        let used = match charge.unit {
            Unit::Money => self.cost_nano,
            Unit::FreshTokens => self.tokens.map(|tokens| tokens.saturating_sub(self.cached_tokens)),
            _ => self.tokens,
        };
        used.map(|used| if self.is_estimate { used.max(charge.amount) } else { used })
    }
}

/// Combines the corrections of several attempts, so that each row occurs once.
pub fn merge(adjustments: impl IntoIterator<Item = Adjustment>) -> Vec<Adjustment> {
    let mut deltas: BTreeMap<(String, i64), i64> = BTreeMap::new();
    for Adjustment { id, bucket, delta } in adjustments {
        let sum = deltas.entry((id, bucket)).or_default();
        *sum = sum.saturating_add(delta);
    }
    let merged = deltas.into_iter().map(|((id, bucket), delta)| Adjustment { id, bucket, delta });
    merged.filter(|adjustment| adjustment.delta != 0).collect()
}

fn correct(charges: &[Charge], delta: impl Fn(&Charge) -> i64) -> Vec<Adjustment> {
    let adjust = |charge: &Charge| Adjustment { id: charge.id.clone(), bucket: charge.bucket, delta: delta(charge) };
    charges.iter().map(adjust).filter(|adjustment| adjustment.delta != 0).collect()
}

/// Bounds an amount, since providers may report any usage.
fn signed(amount: u64) -> i64 {
    i64::try_from(amount.min(SPENT_MAX)).unwrap_or(i64::MAX)
}

impl Charge {
    /// A message that it is spent, if the amount is unknown: `relay-x: 100 rpd spent`.
    pub fn describe_spent(&self) -> String {
        let scope = self.scope.describe();
        match self.unit {
            Unit::Money => {
                format!("{scope}: {} USD{} spent", money::human(self.limit), money::period(&self.limit_name))
            }
            _ => format!("{scope}: {} {} spent", self.limit, self.limit_name),
        }
    }

    /// The bucket for what was spent elsewhere within the present window: the beginning of a day, so that it does not
    /// look like the rate of the last hour; and now in any other window, so that it counts as long as it may have to.
    /// What never resets goes to a week ago for the same reason, and not to the beginning of time, because the sweep
    /// forgets old rows of unknown limits.
    pub fn elsewhere_bucket(&self) -> i64 {
        match self.ends {
            Ends::At(_) => self.since,
            Ends::Never => self.bucket.saturating_sub(self.width_ms.saturating_mul(7)),
            Ends::After(_) | Ends::Unknown => self.bucket,
        }
    }
}

/// The limits that refuse these charges, given the rows that still count since [`Charge::since`].
pub fn over(charges: &[Charge], rows: &[Row], now_ms: i64) -> Vec<ExceededLimit> {
    let refused = charges.iter().filter_map(|charge| {
        let counted = counted(charge, rows);
        let spent = sum(&counted);
        let fits = spent.saturating_add(charge.amount) <= charge.limit;
        (!fits).then(|| ExceededLimit {
            id: charge.id.clone(),
            scope: charge.scope.clone(),
            limit_name: charge.limit_name.clone(),
            unit: charge.unit,
            amount: charge.amount,
            spent,
            limit: charge.limit,
            is_for_good: charge.ends == Ends::Never,
            until_ms: free_at(charge, &counted).map(|until_ms| until_ms.max(now_ms.saturating_add(1))),
        })
    });
    refused.collect()
}

/// The state of a limit, given the rows that still count.
pub fn status(charge: &Charge, rows: &[Row], now_ms: i64) -> Status {
    let counted = counted(charge, rows);
    let resets_at_ms = match charge.ends {
        Ends::After(ms) => counted.iter().find(|row| row.spent > 0).map(|row| row.bucket.saturating_add(ms)),
        Ends::At(at_ms) => Some(at_ms),
        Ends::Never | Ends::Unknown => None,
    };
    Status { spent: sum(&counted), resets_at_ms, runs_dry_at_ms: runs_dry_at(charge, &counted, now_ms) }
}

/// The rows of a charge that count, oldest first.
fn counted<'r>(charge: &Charge, rows: &'r [Row]) -> Vec<&'r Row> {
    let counts = |row: &&Row| (charge.since..=charge.last).contains(&row.bucket) && row.id == charge.id;
    let mut counted: Vec<&Row> = rows.iter().filter(counts).collect();
    counted.sort_unstable_by_key(|row| row.bucket);
    counted
}

fn sum(rows: &[&Row]) -> u64 {
    rows.iter().fold(0, |sum, row| sum.saturating_add(row.spent))
}

/// When enough of what is spent will have stopped counting.
fn free_at(charge: &Charge, counted: &[&Row]) -> Option<i64> {
    let after_ms = match charge.ends {
        Ends::After(ms) => ms,
        Ends::At(at_ms) => return Some(at_ms),
        Ends::Never | Ends::Unknown => return None,
    };
    let mut left = sum(counted);
    for row in counted {
        left = left.saturating_sub(row.spent);
        if left.saturating_add(charge.amount) <= charge.limit {
            return Some(row.bucket.saturating_add(after_ms));
        }
    }
    None
}

/// Continues the present rate into the future, while what is spent now stops counting bucket by bucket.
fn runs_dry_at(charge: &Charge, counted: &[&Row], now_ms: i64) -> Option<i64> {
    let mut spent = sum(counted);
    if charge.ends == Ends::Unknown || spent == 0 {
        return None;
    }
    if spent >= charge.limit {
        return Some(now_ms);
    }
    let rate = rate(charge, counted, now_ms);
    for (end_ms, leaves) in ends(charge, counted, now_ms) {
        let span_ms = end_ms.saturating_sub(now_ms);
        let at_ms = now_ms.saturating_add(rate.span_for(charge.limit.saturating_sub(spent)).unwrap_or(i64::MAX));
        if at_ms.saturating_sub(now_ms) < span_ms {
            return Some(at_ms);
        }
        spent = spent.saturating_sub(leaves);
    }
    None
}

/// When rows stop counting, and their amounts. After the last of them only the rate matters, which by then has shown
/// that it does not fill the window.
fn ends(charge: &Charge, counted: &[&Row], now_ms: i64) -> Vec<(i64, u64)> {
    match charge.ends {
        Ends::After(ms) => {
            let mut ends: Vec<(i64, u64)> =
                counted.iter().map(|row| (row.bucket.saturating_add(ms), row.spent)).collect();
            ends.push((now_ms.saturating_add(ms), 0));
            ends
        }
        Ends::At(at_ms) => vec![(at_ms, 0)],
        Ends::Never => vec![(i64::MAX, 0)],
        Ends::Unknown => Vec::new(),
    }
}

/// An amount in a number of milliseconds.
struct Rate {
    spent: u64,
    span_ms: i64,
}

impl Rate {
    /// How long it takes to spend this much more.
    fn span_for(&self, amount: u64) -> Option<i64> {
        let span_ms = u128::from(amount) * u128::try_from(self.span_ms).ok()? / u128::from(self.spent.max(1));
        i64::try_from(span_ms).ok().filter(|_| self.spent > 0)
    }
}

/// The present rate: of the last hour or so of a day, of the last days of longer windows, of a tenth of rolling hours,
/// of a quarter of a minute. Shorter spans vary too much, and longer ones notice a change too late.
fn rate(charge: &Charge, counted: &[&Row], now_ms: i64) -> Rate {
    let buckets = match charge.width_ms {
        HOUR_MS if matches!(charge.ends, Ends::At(_)) => 1,
        width_ms if width_ms < MINUTE_MS => 3,
        _ => 6,
    };
    let from = charge.bucket.saturating_sub(charge.width_ms.saturating_mul(buckets)).max(charge.since);
    let recent = counted.iter().filter(|row| row.bucket >= from);
    let spent = recent.fold(0, |sum: u64, row| sum.saturating_add(row.spent));
    Rate { spent, span_ms: now_ms.saturating_sub(from).max(1) }
}

/// The charges in the form that the store's statements read: `[[id, bucket, since, amount, limit, last, ahead], …]`.
/// Rows beyond `ahead` never count again: in a window that slides, those are all rows from the future.
pub fn charges_json(charges: &[Charge]) -> String {
    let ahead = |charge: &Charge| match charge.ends {
        Ends::After(_) => charge.last,
        Ends::At(_) | Ends::Never | Ends::Unknown => i64::MAX,
    };
    let row = |charge: &Charge| {
        let (amount, limit) = (signed(charge.amount), signed(charge.limit));
        json!([charge.id, charge.bucket, charge.since, amount, limit, charge.last, ahead(charge)])
    };
    serde_json::Value::Array(charges.iter().map(row).collect()).to_string()
}

/// The corrections in the form that the store's statements read: `[[id, bucket, delta], …]`.
pub fn adjustments_json(adjustments: &[Adjustment]) -> String {
    let row = |adjustment: &Adjustment| json!([adjustment.id, adjustment.bucket, adjustment.delta]);
    serde_json::Value::Array(adjustments.iter().map(row).collect()).to_string()
}
