//! Subjects in trouble: how they get into it, and what is published of them.

use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use super::{Health, Subject};
use crate::verdict::Hint;

/// A wait somebody told is followed this long at most, unless it is the reset of a quota.
const TOLD_MS_MAX: u64 = 86_400_000;

/// Long rests are looked at again this often, by one call each.
pub(super) const LOOK_MS: i64 = 3_600_000;

/// Clocks of hosts that share a store differ by less.
const AHEAD_MS: i64 = 1_000;

/// Subjects in trouble at once; each is a key of the store. Those that are over first are forgotten first.
pub(super) const TROUBLED_MAX: usize = 1024;

/// What keeps a subject from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// A target's breaker is open.
    Open,
    /// A target's provider does not know the model.
    UnknownModel,
    /// A credential rests.
    Resting,
    /// A lane cools down.
    Cooling,
    /// Nothing is left of what a lane, or a credential, may use: its provider said so with a good answer.
    Spent,
}

/// A subject in trouble, as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What keeps it from being used.
    pub trouble: Trouble,
    /// Until when, Unix milliseconds.
    pub until_ms: i64,
    /// Since when.
    pub at_ms: i64,
    /// When it was looked at again before its time, and said the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_ms: Option<i64>,
    /// How often in a row, from 0: what doubles the wait.
    pub step: u32,
    /// What was said last: a status or an error, never a body.
    pub said: String,
}

impl Standing {
    /// When it may be used again. What is meant to last a minute is over in a minute, whatever became of the clock.
    pub fn ends_ms(&self, now_ms: i64) -> i64 {
        self.until_ms.min(now_ms.saturating_add(self.until_ms.saturating_sub(self.at_ms)))
    }

    /// When it last spoke for itself.
    pub(super) fn said_ms(&self) -> i64 {
        self.looked_ms.unwrap_or(self.at_ms).max(self.at_ms)
    }

    /// Whether it began later than now, so that the clock was set back. Nobody knows how much of it is over.
    pub(super) fn is_ahead(&self, now_ms: i64) -> bool {
        self.said_ms() > now_ms.saturating_add(AHEAD_MS)
    }

    /// Takes note that it said the same again, where that was looked for.
    fn look(&mut self, now_ms: i64) -> bool {
        let is_due = self.is_due(now_ms);
        if is_due {
            self.looked_ms = Some(now_ms);
        }
        is_due
    }

    /// Whether it should be looked at before its time: providers give back early, and clocks are set right.
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        self.is_ahead(now_ms) || now_ms >= self.said_ms().saturating_add(LOOK_MS)
    }
}

/// What a failure means for whom it speaks of.
#[derive(Clone, Copy)]
pub(super) struct Blame<'a> {
    pub(super) trouble: Trouble,
    /// The wait that somebody told, as long as it is followed.
    pub(super) told_ms: Option<u64>,
    /// The wait where nobody did.
    pub(super) backoff: &'a Backoff,
    pub(super) said: &'a str,
    pub(super) now_ms: i64,
}

impl Blame<'_> {
    /// What is known to be used up until tomorrow is not back in five seconds because a call under way is refused.
    fn says_less_than(&self, known: &Standing) -> bool {
        let wait_ms = self.told_ms.unwrap_or_else(|| self.backoff.wait_ms(0));
        self.trouble == Trouble::Cooling
            && known.trouble == Trouble::Spent
            && known.ends_ms(self.now_ms) > self.now_ms.saturating_add_unsigned(wait_ms)
    }

    fn standing(&self, step: u32) -> Standing {
        let Blame { trouble, told_ms, backoff, said, now_ms } = *self;
        let wait_ms = match told_ms {
            // A breaker is not probed before its own time either, however soon it is told to come back.
            Some(told_ms) if trouble == Trouble::Open => told_ms.max(backoff.wait_ms(step)),
            Some(told_ms) => told_ms,
            None => backoff.wait_ms(step),
        };
        let until_ms = now_ms.saturating_add_unsigned(wait_ms);
        Standing { trouble, until_ms, at_ms: now_ms, looked_ms: None, step, said: said.to_owned() }
    }
}

impl Health {
    /// Puts a subject in trouble, or makes its trouble longer. Calls that were under way when it began say the same once
    /// more: that is no further step, and only a wait that was told can make it longer.
    pub(super) fn trouble(&mut self, subject: &Subject, blame: Blame<'_>) -> Vec<Subject> {
        let now_ms = blame.now_ms;
        let step = match self.troubled.get_mut(subject) {
            Some(known) if blame.says_less_than(known) && !known.is_ahead(now_ms) => {
                return if known.look(now_ms) { vec![subject.clone()] } else { Vec::new() };
            }
            Some(known) if known.trouble != blame.trouble => 0,
            // How much of it was over the clock does not tell: it begins anew.
            Some(known) if known.is_ahead(now_ms) => known.step,
            Some(known) if known.until_ms > now_ms => {
                let is_look = known.look(now_ms);
                let until_ms = blame.told_ms.map_or(i64::MIN, |told_ms| now_ms.saturating_add_unsigned(told_ms));
                let is_longer = until_ms > known.until_ms;
                known.until_ms = known.until_ms.max(until_ms);
                return if is_look || is_longer { vec![subject.clone()] } else { Vec::new() };
            }
            Some(known) => known.step.saturating_add(1),
            None => 0,
        };
        self.troubled.insert(subject.clone(), blame.standing(step));
        let mut changed = vec![subject.clone()];
        if self.troubled.len() > TROUBLED_MAX {
            let first_over =
                self.troubled.iter().min_by_key(|(_, each)| each.ends_ms(now_ms)).map(|(subject, _)| subject.clone());
            changed.extend(first_over.filter(|key| self.troubled.remove(key).is_some()));
        }
        changed
    }
}

/// A wait somebody told, as long as it is followed.
pub(super) fn told_ms(hint: Hint) -> u64 {
    if hint.is_reset { hint.wait_ms } else { hint.wait_ms.min(TOLD_MS_MAX) }
}
