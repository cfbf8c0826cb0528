//! Waiting for a slot: a call that no target can serve now, of a model with `max_wait`, waits for the first rate limit
//! or quota that resets in time. Calls wait in the order in which they came.

use std::collections::BTreeMap;

use crate::candidate::{SkipReason, Skipped};

/// How many calls may wait for one model. Each of them holds its body.
pub const WAITING_MAX: usize = 64;

/// When the first of these resets for certain: a rate limit or the window of a quota. A target that keeps failing may
/// go on failing, and is not waited for.
pub fn due_ms(skipped: &[Skipped]) -> Option<i64> {
    let slots = skipped.iter().filter(|each| matches!(each.reason, SkipReason::Cooling | SkipReason::QuotaSpent));
    slots.filter_map(|each| each.until_ms).min()
}

/// How soon the first call in line looks again, since a slot may become free at any moment.
pub const LOOK_MS: u64 = 50;

/// The longest time between two looks; it grows while no slot is found.
const LOOK_MS_MAX: u64 = 200;

/// How often a call whose slot is due looks whether it is its turn, for each call before it.
const TURN_MS: u64 = 20;

/// How soon a call looks again whose turn it has been this often without success.
pub fn look_ms(turns: u32) -> u64 {
    (LOOK_MS << turns.min(8)).min(LOOK_MS_MAX)
}

/// The line of calls that wait for one model.
#[derive(Debug, Default)]
pub struct Line {
    /// When each call is due, in Unix milliseconds, by ticket.
    waiting: BTreeMap<u64, i64>,
}

impl Line {
    /// Adds a call at the place of its ticket; lower tickets came earlier. A call that is in line already gets a new
    /// time. Returns `false` if the line is full.
    pub fn join(&mut self, ticket: u64, due_ms: i64) -> bool {
        let is_room = self.waiting.len() < WAITING_MAX || self.waiting.contains_key(&ticket);
        if is_room {
            self.waiting.insert(ticket, due_ms);
        }
        is_room
    }

    /// In how many milliseconds a call should look again whether it is its turn; `None` if it is now. A call before it
    /// has the turn when it is due, or so soon that it is only looking again for a slot that it did not find a moment
    /// ago.
    pub fn turn_in_ms(&self, ticket: u64, now_ms: i64) -> Option<u64> {
        let own_due_ms = self.waiting.get(&ticket).copied().unwrap_or(now_ms);
        let soon_ms = now_ms.saturating_add_unsigned(LOOK_MS);
        let before = self.waiting.range(..ticket).filter(|(_, due_ms)| **due_ms <= soon_ms).count();
        let own_ms = u64::try_from(own_due_ms.saturating_sub(now_ms)).unwrap_or(0);
        let turn_ms = TURN_MS.saturating_mul(before as u64).min(LOOK_MS_MAX);
        Some(own_ms.max(turn_ms)).filter(|wait_ms| *wait_ms > 0)
    }

    /// Removes a call.
    pub fn leave(&mut self, ticket: u64) {
        self.waiting.remove(&ticket);
    }

    /// Whether no call waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(reason: SkipReason, until_ms: Option<i64>) -> Skipped {
        Skipped { target: "a/x".to_owned(), reason, until_ms, message: None }
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
    fn calls_go_in_the_order_they_came_and_none_waits_for_one_not_due() {
        let mut line = Line::default();
        let [late, first, second] = [1, 2, 3];
        assert!(line.join(late, 3_000) && line.join(first, 1_000) && line.join(second, 1_000));
        let whose_turn = |line: &Line, now_ms| -> Vec<u64> {
            line.waiting.keys().copied().filter(|ticket| line.turn_in_ms(*ticket, now_ms).is_none()).collect()
        };
        assert!(whose_turn(&line, 999).is_empty());
        assert_eq!(whose_turn(&line, 1_000), [first]);
        line.leave(first);
        assert_eq!(whose_turn(&line, 1_000), [second]);
        assert_eq!(whose_turn(&line, 3_000), [late]);
    }

    #[test]
    fn one_without_a_slot_keeps_its_turn_unless_it_has_to_wait_for_long() {
        let mut line = Line::default();
        assert!(line.join(1, 1_000) && line.join(2, 1_000));
        assert_eq!(line.turn_in_ms(1, 1_000), None);
        assert!(line.join(1, 1_050));
        assert_eq!(line.turn_in_ms(2, 1_010), Some(TURN_MS), "the first one is about to look again");
        assert_eq!((line.turn_in_ms(1, 1_010), line.turn_in_ms(1, 1_050)), (Some(40), None));
        assert!(line.join(1, 31_000));
        assert_eq!(line.turn_in_ms(2, 1_060), None);
    }

    #[test]
    fn the_farther_behind_the_more_rarely_one_looks() {
        let mut line = Line::default();
        assert!((1..=64).all(|ticket| line.join(ticket, 0)));
        let waits = [1, 2, 3, 64].map(|ticket| line.turn_in_ms(ticket, 1));
        assert_eq!(waits, [None, Some(20), Some(40), Some(200)]);
        assert_eq!([0, 1, 2, 3, u32::MAX].map(look_ms), [50, 100, 200, 200, 200]);
    }

    #[test]
    fn a_full_line_lets_nobody_in_until_one_has_left() {
        let mut line = Line::default();
        assert!((1..=64).all(|ticket| line.join(ticket, 0)));
        assert!(!line.join(65, 0) && line.join(64, 9), "who is in stays in");
        line.leave(1);
        assert!(line.join(65, 0));
    }
}
