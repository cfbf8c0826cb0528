//! What this instance knows to be spent, so that a target is skipped without asking the ledger again before anything
//! can have changed. It only repeats a refusal of the ledger for a moment, and never allows anything.

use std::collections::HashMap;

use super::{Charge, ExceededLimit};

/// How many refusals are remembered. The one that ends first is forgotten first.
const KNOWN_MAX: usize = 1024;

/// How long until the ledger is asked again, whatever it said: refunds, a changed catalog and `PUT /api/quota` give
/// something back before a window ends.
const RECENT_MS: i64 = 10_000;

/// Limits that refused lately.
#[derive(Debug, Default)]
pub struct Spent {
    known: HashMap<String, LimitRefusal>,
}

#[derive(Debug)]
struct LimitRefusal {
    /// When it resets; `None` if it never does.
    until_ms: Option<i64>,
    ask_again_ms: i64,
    amount: u64,
    limit: u64,
}

impl LimitRefusal {
    /// Whether the ledger need not be asked yet. A refusal that seems to hold for longer than any is remembered is from
    /// before the clock was set back.
    fn holds(&self, now_ms: i64) -> bool {
        (now_ms.saturating_add(1)..=now_ms.saturating_add(RECENT_MS)).contains(&self.ask_again_ms)
    }
}

impl Spent {
    /// Remembers what the ledger refused, except for limits on calls under way, which may change at any moment.
    pub fn learn(&mut self, over: &[ExceededLimit], now_ms: i64) {
        for each in over {
            if each.until_ms.is_none() && !each.is_for_good {
                continue;
            }
            let recent_ms = now_ms.saturating_add(RECENT_MS);
            let ask_again_ms = each.until_ms.map_or(recent_ms, |until_ms| until_ms.min(recent_ms));
            let refused =
                LimitRefusal { until_ms: each.until_ms, ask_again_ms, amount: each.amount, limit: each.limit };
            let less = |known: &LimitRefusal| known.holds(now_ms) && known.amount < each.amount;
            // If a smaller amount was refused already, that says more than this refusal.
            if !self.known.get(&each.id).is_some_and(less) {
                self.make_room(now_ms);
                self.known.insert(each.id.clone(), refused);
            }
        }
    }

    /// The charge that would be refused, and until when, as far as that is known without the ledger. Of several, the
    /// one that lasts longest. The time is `None` if it never resets.
    pub fn is_spent<'c>(&self, charges: &'c [Charge], now_ms: i64) -> Option<(&'c Charge, Option<i64>)> {
        let refused = charges.iter().filter_map(|charge| {
            let known = self.known.get(&charge.id)?;
            let holds = known.holds(now_ms) && charge.amount >= known.amount && charge.limit == known.limit;
            holds.then_some((charge, known.until_ms))
        });
        refused.max_by_key(|(_, until_ms)| until_ms.unwrap_or(i64::MAX))
    }

    /// Whether nothing is known to be spent now, so that charges need not be worked out.
    pub fn is_calm(&self, now_ms: i64) -> bool {
        !self.known.values().any(|known| known.holds(now_ms))
    }

    /// Forgets what is known about a limit.
    pub fn forget(&mut self, id: &str) {
        self.known.remove(id);
    }

    fn make_room(&mut self, now_ms: i64) {
        if self.known.len() < KNOWN_MAX {
            return;
        }
        self.known.retain(|_, refused| refused.holds(now_ms));
        while self.known.len() >= KNOWN_MAX {
            let first = self.known.iter().min_by_key(|(_, refused)| refused.ask_again_ms).map(|(id, _)| id.clone());
            let Some(first) = first else { return };
            self.known.remove(&first);
        }
    }
}
