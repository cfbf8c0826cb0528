//! Subjects in trouble: how they get into it, and what of it is published.

use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use super::{Health, Subject};
use crate::clock::Now;
use crate::verdict::Hint;

/// The longest wait that is believed, unless it is the reset of a quota.
const HINT_MS_MAX: u64 = 86_400_000;

/// How often a long pause is interrupted by one call that tries the subject.
pub(super) const LOOK_MS: i64 = 3_600_000;

/// How far the clocks of hosts that share a store may differ.
const AHEAD_MS: i64 = 1_000;

/// How many subjects can be in trouble at once, since each is a key of the store. Those whose trouble ends first are
/// forgotten first.
pub(super) const TROUBLED_MAX: usize = 1024;

/// Why a subject cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// A target's breaker is open.
    Open,
    /// A target's provider does not know the model.
    UnknownModel,
    /// A credential is paused.
    Resting,
    /// A lane is paused after a rate limit.
    Cooling,
    /// A lane, or a credential, has nothing left, as its provider said in a good answer.
    Spent,
}

/// A subject's trouble, in the published form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Why it cannot be used.
    pub trouble: Trouble,
    /// When the trouble ends, on the steady clock.
    pub until_ms: i64,
    /// When the trouble began.
    pub at_ms: i64,
    /// When a call last tried it before that time and failed in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_ms: Option<i64>,
    /// How far the wall clock was ahead of the steady one when an attempt last told something about it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ahead_ms: i64,
    /// How many times in a row it came to this, from 0. It doubles the wait.
    pub step: u32,
    /// The last status or error, never a body.
    #[serde(rename = "said")]
    pub message: String,
}

impl Standing {
    /// When it may be used again. A trouble of one minute ends after one minute, even if the clock was set back.
    pub fn ends_ms(&self, now_ms: i64) -> i64 {
        self.until_ms.min(now_ms.saturating_add(self.until_ms.saturating_sub(self.at_ms)))
    }

    /// When an attempt last told something about it.
    pub(super) fn last_failed_ms(&self) -> i64 {
        self.looked_ms.unwrap_or(self.at_ms).max(self.at_ms)
    }

    /// Whether the trouble began at a time that is still to come, because the clock was set back. Without a steady clock
    /// it is unknown how much of it is over; with one, it may have come of the wrong time, as with certificates.
    pub(super) fn is_ahead(&self, now: Now) -> bool {
        self.last_failed_ms().saturating_add(self.ahead_ms) > now.wall_ms.saturating_add(AHEAD_MS)
    }

    /// Notes that a call tried it again and failed in the same way, if that was due.
    fn look(&mut self, now: Now) -> bool {
        let is_due = self.is_due(now);
        if is_due {
            (self.looked_ms, self.ahead_ms) = (Some(now.steady_ms), now.ahead_ms());
        }
        is_due
    }

    /// Whether a call should try it before its time, since providers may recover early and clocks may be corrected.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.is_ahead(now) || now.steady_ms >= self.last_failed_ms().saturating_add(LOOK_MS)
    }
}

fn is_zero(ms: &i64) -> bool {
    *ms == 0
}

/// What a failure means for the subject that it speaks about.
#[derive(Clone, Copy)]
pub(super) struct Blame<'a> {
    pub(super) trouble: Trouble,
    /// The wait that was told, as far as it is believed.
    pub(super) hint_ms: Option<u64>,
    /// The wait if none was told.
    pub(super) backoff: &'a Backoff,
    pub(super) message: &'a str,
    pub(super) now_ms: i64,
}

impl Blame<'_> {
    /// Whether the known trouble is the worse one. A limit that is used up until tomorrow is not back in five seconds
    /// because a call under way is refused.
    fn says_less_than(&self, known: &Standing) -> bool {
        let wait_ms = self.hint_ms.unwrap_or_else(|| self.backoff.wait_ms(0));
        self.trouble == Trouble::Cooling
            && known.trouble == Trouble::Spent
            && known.ends_ms(self.now_ms) > self.now_ms.saturating_add_unsigned(wait_ms)
    }

    fn standing(&self, step: u32, ahead_ms: i64) -> Standing {
        let Blame { trouble, hint_ms, backoff, message, now_ms } = *self;
        let wait_ms = match hint_ms {
            // A breaker is never probed before its own wait is over, however short the wait that was told.
            Some(hint_ms) if trouble == Trouble::Open => hint_ms.max(backoff.wait_ms(step)),
            Some(hint_ms) => hint_ms,
            None => backoff.wait_ms(step),
        };
        let until_ms = now_ms.saturating_add_unsigned(wait_ms);
        Standing { trouble, until_ms, at_ms: now_ms, looked_ms: None, ahead_ms, step, message: message.to_owned() }
    }
}

impl Health {
    /// Puts a subject in trouble, or extends its trouble. Calls that were under way when it began say the same once
    /// more: that is no further step, and only a wait that was told can extend the trouble.
    pub(super) fn trouble(&mut self, subject: &Subject, blame: Blame<'_>) -> Vec<Subject> {
        let (now_ms, now) = (blame.now_ms, self.moment(blame.now_ms));
        let step = match self.troubled.get_mut(subject) {
            Some(known) if blame.says_less_than(known) && !known.is_ahead(now) => {
                return if known.look(now) { vec![subject.clone()] } else { Vec::new() };
            }
            Some(known) if known.trouble != blame.trouble => 0,
            // The clock does not tell how much of it was over, so it begins again.
            Some(known) if known.is_ahead(now) => known.step,
            Some(known) if known.until_ms > now_ms => {
                let is_look = known.look(now);
                let until_ms = blame.hint_ms.map_or(i64::MIN, |hint_ms| now_ms.saturating_add_unsigned(hint_ms));
                let is_longer = until_ms > known.until_ms;
                known.until_ms = known.until_ms.max(until_ms);
                return if is_look || is_longer { vec![subject.clone()] } else { Vec::new() };
            }
            Some(known) => known.step.saturating_add(1),
            None => 0,
        };
        self.troubled.insert(subject.clone(), blame.standing(step, now.ahead_ms()));
        let mut changed = vec![subject.clone()];
        if self.troubled.len() > TROUBLED_MAX {
            let first_over =
                self.troubled.iter().min_by_key(|(_, each)| each.ends_ms(now_ms)).map(|(subject, _)| subject.clone());
            changed.extend(first_over.filter(|key| self.troubled.remove(key).is_some()));
        }
        changed
    }
}

/// The wait that was told, as far as it is believed.
pub(super) fn hint_ms(hint: Hint) -> u64 {
    if hint.is_reset { hint.wait_ms } else { hint.wait_ms.min(HINT_MS_MAX) }
}
