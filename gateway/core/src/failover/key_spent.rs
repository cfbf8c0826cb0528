//! What a caller is told whose own key has nothing left. No other provider could help.

use crate::clock::Now;
use crate::quota::{ExceededLimit, Unit};
use crate::refusal::{RETRY_AFTER_MAX_S, Refusal};
use crate::state::State;

use super::exhausted::{moment, wait_s};

/// A slot may become free at any moment, so asking again soon is worthwhile.
const SLOT_MS: i64 = 1_000;

/// The refusal of a call whose key `name` is over these limits. A spent budget is reported by the code that agents know
/// for it, and machines are told never to retry, however soon it resets: it is there to stop somebody.
pub fn key_spent(name: &str, over: &[ExceededLimit], now: Now) -> Refusal {
    let used_up = over.iter().map(ExceededLimit::describe).collect::<Vec<_>>().join(", ");
    let is_budget = over.iter().any(|over| over.unit == Unit::Money);
    let what = if is_budget { "budget" } else { "limits" };
    let are = if is_budget { "is" } else { "are" };
    let where_from = "its limits are in the catalog";
    if over.iter().any(|over| over.is_for_good) {
        let message =
            format!("The {what} of key {name:?} {are} used up ({used_up}). It never resets by itself; {where_from}.");
        return Refusal::rate_limited(message, true).of_budget().without_retry().ended(State::QuotaSpent);
    }
    let back_ms = over.iter().filter_map(|over| over.until_ms).max().unwrap_or(now.steady_ms.saturating_add(SLOT_MS));
    let wait_s = wait_s(back_ms, now);
    let at = moment(back_ms, now).map(|at| format!(" at {at}")).unwrap_or_default();
    let message = if is_budget {
        format!("The budget of key {name:?} is used up ({used_up}). It resets{at}; {where_from}.")
    } else {
        format!("The limits of key {name:?} are used up ({used_up}). It can be used again in {wait_s} s; {where_from}.")
    };
    let is_long = is_budget || wait_s > RETRY_AFTER_MAX_S;
    let refusal = Refusal::rate_limited(message, is_long).back_at(back_ms, wait_s).ended(State::QuotaSpent);
    let refusal = if is_budget { refusal.of_budget() } else { refusal };
    if is_long { refusal.without_retry() } else { refusal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::quota::Scope;

    const NOW_MS: i64 = 1_795_521_600_000;

    fn over(limit_name: &str, unit: Unit, spent: u64, limit: u64, in_s: Option<i64>) -> ExceededLimit {
        ExceededLimit {
            id: format!("key/k/{limit_name}"),
            scope: Scope::Key { key: "k".into() },
            limit_name: limit_name.to_owned(),
            unit,
            amount: 20_000_000,
            spent,
            limit,
            until_ms: in_s.map(|in_s| NOW_MS + in_s * 1000),
            is_for_good: limit_name == "credit",
        }
    }

    #[test]
    fn a_spent_budget_says_what_is_spent_when_it_resets_and_stops_machines() {
        let day = over("budget-day", Unit::Money, 5_000_000_000, 5_000_000_000, Some(7200));
        let refusal = key_spent("k", &[day], Now::of_wall(NOW_MS));
        assert_eq!((refusal.status, refusal.code), (429, Some("insufficient_quota")));
        assert_eq!(Dialect::OpenaiChat.error(&refusal.error(), "r-1")["error"]["type"], "insufficient_quota");
        assert_eq!((refusal.retry_after_s, refusal.should_retry), (Some(7200), Some(false)));
        assert_eq!(Dialect::Anthropic.error(&refusal.error(), "r-1")["error"]["type"], "billing_error");
        assert_eq!(
            refusal.message,
            "The budget of key \"k\" is used up (key k: 5 of 5 USD/day spent). It resets at 2026-11-24 14:00:00 UTC \
             (in 2 h); its limits are in the catalog."
        );
    }

    #[test]
    fn a_budget_is_not_to_be_tried_again_by_machines_however_soon_it_resets() {
        let refusal = key_spent(
            "k",
            &[over("budget-hour", Unit::Money, 9_990_000_000, 10_000_000_000, Some(3))],
            Now::of_wall(NOW_MS),
        );
        assert_eq!((refusal.code, refusal.should_retry), (Some("insufficient_quota"), Some(false)));
        let message = "key k: 9.99 of 10 USD/hour spent, and this call may cost 0.02";
        assert!(refusal.message.contains(message), "{}", refusal.message);
    }

    #[test]
    fn a_budget_that_never_resets_names_no_time() {
        let refusal =
            key_spent("k", &[over("credit", Unit::Money, 1_000_000_000, 1_000_000_000, None)], Now::of_wall(NOW_MS));
        assert_eq!((refusal.retry_after_s, refusal.should_retry), (None, Some(false)));
        let message = "(key k: 1 of 1 USD spent). It never resets by itself; its limits are in the catalog.";
        assert!(refusal.message.ends_with(message), "{}", refusal.message);
    }

    #[test]
    fn a_rate_limit_that_is_soon_over_may_be_tried_again() {
        let refusal = key_spent("k", &[over("rpm", Unit::Calls, 3, 3, Some(30))], Now::of_wall(NOW_MS));
        assert_eq!((refusal.code, refusal.should_retry), (Some("rate_limit_exceeded"), None));
        assert_eq!(refusal.retry_after_s, Some(30));
        assert_eq!(Dialect::Anthropic.error(&refusal.error(), "r-1")["error"]["type"], "rate_limit_error");
        let slot = key_spent("k", &[over("concurrent", Unit::InFlight, 2, 2, None)], Now::of_wall(NOW_MS));
        assert_eq!(slot.retry_after_s, Some(1));
    }
}
