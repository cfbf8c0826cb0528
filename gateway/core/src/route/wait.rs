//! Waiting for a slot: a call that nobody can serve now, of a model with `max_wait`, waits for the first rate limit or
//! quota that is over in time. Calls wait in the order in which they came.

use std::collections::BTreeMap;

use super::{SkipReason, Skipped};

/// Calls that wait for one model at most; each holds its body.
pub const WAITING_MAX: usize = 64;

/// When the first of these is back that comes back by itself and for certain: an end of a rate limit or of a quota's
/// window. A target that keeps failing may go on failing, and is not waited for.
pub fn due_ms(skipped: &[Skipped]) -> Option<i64> {
    let slots = skipped.iter().filter(|each| matches!(each.reason, SkipReason::Cooling | SkipReason::QuotaSpent));
    slots.filter_map(|each| each.until_ms).min()
}

/// Those that wait for one model.
#[derive(Debug, Default)]
pub struct Line {
    /// When each is due, Unix milliseconds, by ticket.
    waiting: BTreeMap<u64, i64>,
}

impl Line {
    /// Lets a call in, at the place of its ticket: lower ones came earlier. `false`: the line is full.
    pub fn join(&mut self, ticket: u64, due_ms: i64) -> bool {
        let is_room = self.waiting.len() < WAITING_MAX;
        if is_room {
            self.waiting.insert(ticket, due_ms);
        }
        is_room
    }

    /// Whether it is this one's turn: it is due, and nobody before it is.
    pub fn is_next(&self, ticket: u64, now_ms: i64) -> bool {
        let next = self.waiting.iter().find(|(_, due_ms)| **due_ms <= now_ms);
        next.is_some_and(|(next, _)| *next == ticket)
    }

    /// Takes a call out.
    pub fn leave(&mut self, ticket: u64) {
        self.waiting.remove(&ticket);
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(reason: SkipReason, until_ms: Option<i64>) -> Skipped {
        Skipped { target: "a/x".to_owned(), reason, until_ms, said: None }
    }

    #[test]
    fn only_the_end_of_a_rate_limit_or_of_a_quota_is_waited_for() {
        let failing = [skipped(SkipReason::Open, Some(1)), skipped(SkipReason::CredentialsResting, Some(2))];
        assert_eq!(due_ms(&failing), None);
        let mut all = failing.to_vec();
        all.extend([skipped(SkipReason::Cooling, Some(9)), skipped(SkipReason::QuotaSpent, Some(7))]);
        all.push(skipped(SkipReason::TargetDisabled, None));
        assert_eq!(due_ms(&all), Some(7));
    }

    #[test]
    fn calls_go_in_the_order_in_which_they_came_and_nobody_waits_for_one_that_is_not_due() {
        let mut line = Line::default();
        let [late, first, second] = [1, 2, 3];
        assert!(line.join(late, 30) && line.join(first, 10) && line.join(second, 10));
        let next = |line: &Line, now_ms| [late, first, second].map(|ticket| line.is_next(ticket, now_ms));
        assert_eq!(next(&line, 9), [false, false, false]);
        assert_eq!(next(&line, 10), [false, true, false]);
        line.leave(first);
        assert_eq!(next(&line, 10), [false, false, true]);
        assert_eq!(next(&line, 30), [true, false, false]);
    }

    #[test]
    fn one_that_was_not_served_keeps_its_place() {
        let mut line = Line::default();
        assert!(line.join(1, 1) && line.join(2, 1));
        line.leave(1);
        assert!(line.join(1, 5));
        assert!(line.is_next(2, 4) && line.is_next(1, 5));
    }

    #[test]
    fn a_full_line_lets_nobody_in_until_one_has_left() {
        let mut line = Line::default();
        assert!((1..=64).all(|ticket| line.join(ticket, 0)));
        assert!(!line.join(65, 0));
        line.leave(1);
        assert!(line.join(65, 0));
    }
}
