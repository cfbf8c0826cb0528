//! What is left of allowances that expire, as one instance knows it, for the strategy `quota`, which first spends what
//! would be lost first. It is read from the ledger every few seconds, and corrected by what the instance itself
//! reserves and settles, so that the spending of other instances is seen up to five seconds late. This only orders
//! targets; the ledger alone decides what may be spent.

use std::collections::HashMap;

use super::{Adjustment, Charge, Ends, MINUTE_MS};

/// Sorts after everything that expires.
const NEVER: i64 = i64::MAX - 1;

/// Sorts after everything that may have something left.
const SPENT: i64 = i64::MAX;

/// What is spent within the present windows.
#[derive(Debug, Default)]
pub struct Allowances {
    known: HashMap<String, WindowSpent>,
    /// How many times the ledger was read.
    reads: u64,
}

#[derive(Debug)]
struct WindowSpent {
    since: i64,
    spent: u64,
}

/// Whether a limit grants something that is lost if it is not used in time. A minute's limit is not worth it, and slots
/// and prepaid credit are never lost.
pub fn is_allowance(charge: &Charge) -> bool {
    let is_of_provider = !charge.scope.is_of_caller();
    is_of_provider && expires_ms(charge, 0).is_some()
}

fn expires_ms(charge: &Charge, now_ms: i64) -> Option<i64> {
    match charge.ends {
        Ends::At(at_ms) => Some(at_ms),
        // Of rolling hours, whatever is not used within them is lost.
        Ends::After(ms) if ms > 2 * MINUTE_MS => Some(now_ms.saturating_add(ms)),
        Ends::After(_) | Ends::Never | Ends::Unknown => None,
    }
}

impl Allowances {
    /// Takes over what the ledger says is spent of these limits. A limit that it does not mention is unspent.
    pub fn replace(&mut self, charges: &[Charge], sums: impl IntoIterator<Item = (String, u64)>) {
        let mut sums: HashMap<String, u64> = sums.into_iter().collect();
        let known = charges.iter().filter(|charge| is_allowance(charge)).map(|charge| {
            let spent = sums.remove(&charge.id).unwrap_or(0);
            (charge.id.clone(), WindowSpent { since: charge.since, spent })
        });
        self.known = known.collect();
        self.reads = self.reads.wrapping_add(1);
    }

    /// How many times the ledger was read. Ask before a reservation is sent.
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Notes what this instance has reserved. If the ledger was read in between, it may have counted the reservation
    /// already, so nothing is added: counted twice, it would make the rest look spent until the next read.
    pub fn reserved(&mut self, charges: &[Charge], reads_before: u64) {
        if reads_before != self.reads {
            return;
        }
        for charge in charges {
            if let Some(known) = self.known.get_mut(&charge.id).filter(|known| charge.bucket >= known.since) {
                known.spent = known.spent.saturating_add(charge.amount);
            }
        }
    }

    /// Notes what this instance has corrected.
    pub fn corrected(&mut self, adjustments: &[Adjustment]) {
        for each in adjustments {
            if let Some(known) = self.known.get_mut(&each.id).filter(|known| each.bucket >= known.since) {
                known.spent = known.spent.saturating_add_signed(each.delta);
            }
        }
    }

    /// When the first of the allowances expires that these charges draw on, for sorting: Unix milliseconds, a later
    /// value if none expires, and a still later one if one is spent.
    pub fn expires_ms(&self, charges: &[Charge], now_ms: i64) -> i64 {
        let spent = |charge: &Charge| {
            // What was spent yesterday says nothing about today.
            let known = self.known.get(&charge.id).filter(|known| known.since == charge.since || is_sliding(charge));
            known.map_or(0, |known| known.spent)
        };
        let mut first = NEVER;
        for charge in charges.iter().filter(|charge| is_allowance(charge)) {
            if spent(charge).saturating_add(charge.amount) > charge.limit {
                return SPENT;
            }
            first = first.min(expires_ms(charge, now_ms).unwrap_or(NEVER));
        }
        first
    }
}

fn is_sliding(charge: &Charge) -> bool {
    matches!(charge.ends, Ends::After(_))
}
