//! The retry budget of a model, which keeps a total outage from multiplying the load. It allows retries for a fifth of
//! the calls of the last ten seconds, and ten retries a second besides, so that a model with few calls may retry too.
//!
//! It is not a count for each call, since with a count every call of an outage would triple the load on what is already
//! down.

const SECONDS: usize = 10;
const FREE_PER_SECOND: u32 = 10;
const CALLS_PER_RETRY: u32 = 5;

/// The calls and retries of the last ten seconds, second by second.
#[derive(Debug, Default)]
pub struct RetryBudget {
    seconds: [Second; SECONDS],
}

#[derive(Debug, Default, Clone, Copy)]
struct Second {
    at_s: i64,
    calls: u32,
    retries: u32,
}

impl RetryBudget {
    /// Notes a call.
    pub fn call(&mut self, now_ms: i64) {
        if let Some(second) = self.second(now_ms) {
            second.calls = second.calls.saturating_add(1);
        }
    }

    /// Takes one retry out of the budget, if there is one.
    pub fn spend(&mut self, now_ms: i64) -> bool {
        let now_s = now_ms.div_euclid(1000);
        let recent = || self.seconds.iter().filter(|second| (0..SECONDS as i64).contains(&(now_s - second.at_s)));
        let calls: u32 = recent().map(|second| second.calls).sum();
        let retries: u32 = recent().map(|second| second.retries).sum();
        if retries >= calls / CALLS_PER_RETRY + FREE_PER_SECOND * SECONDS as u32 {
            return false;
        }
        if let Some(second) = self.second(now_ms) {
            second.retries = second.retries.saturating_add(1);
        }
        true
    }

    fn second(&mut self, now_ms: i64) -> Option<&mut Second> {
        let at_s = now_ms.div_euclid(1000);
        let place = usize::try_from(at_s.rem_euclid(SECONDS as i64)).ok()?;
        let second = self.seconds.get_mut(place)?;
        if second.at_s != at_s {
            *second = Second { at_s, ..Second::default() };
        }
        Some(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_calls_and_ten_a_second_may_be_tried_again() {
        let mut budget = RetryBudget::default();
        (0..2000).for_each(|index| budget.call(index * 5));
        let granted = (0..2000).filter(|index| budget.spend(index * 5)).count();
        assert_eq!(granted, 400 + 100);
    }

    #[test]
    fn a_budget_comes_back_as_its_seconds_go_by() {
        let mut budget = RetryBudget::default();
        assert_eq!((0..200).filter(|_| budget.spend(0)).count(), 100);
        assert!(!budget.spend(9999));
        assert!(budget.spend(10_000));
    }
}
