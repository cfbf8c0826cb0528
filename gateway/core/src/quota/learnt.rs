//! Limits as providers have told them, for people to see: the last word on each, and when it came. Nothing is counted by
//! them; a lane that is told to be used up is kept back by health.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::health::{Subject, Subjects};
use crate::outcome::limits::{LimitSignal, Span};

/// So many limits are remembered; the one heard of longest ago makes room.
const KNOWN_MAX: usize = 1024;

/// One that has not been told again for this long is forgotten.
const KNOWN_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// A day's reset that moves by this much is that of another day.
const SAME_RESET_MS: i64 = 60 * 60 * 1000;

/// A limit as somebody has told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learnt {
    /// Of which credential or lane, as health calls it.
    pub subject: Subject,
    /// What was told.
    #[serde(flatten)]
    pub signal: LimitSignal,
    /// When, Unix milliseconds.
    pub as_of_ms: i64,
}

/// All of them, each by subject, what it counts, and within which time.
#[derive(Debug, Default)]
pub struct LearntLimits {
    known: BTreeMap<(Subject, String, Option<Span>), Learnt>,
}

impl LearntLimits {
    /// Takes note of what was told with an answer. Whether it is news for others: another limit, or another day, or
    /// something left where nothing was or the other way round. That one less is left is none.
    pub fn learn(&mut self, of: &Subjects, signals: Vec<LimitSignal>, now_ms: i64) -> bool {
        let mut is_news = false;
        for signal in signals {
            let subject = if signal.of_account { of.credential.as_ref().unwrap_or(&of.lane) } else { &of.lane };
            let known = self.known.get(&(subject.clone(), signal.what.clone(), signal.per));
            is_news |= known.is_none_or(|known| is_changed(&known.signal, &signal));
            self.take(Learnt { subject: subject.clone(), signal, as_of_ms: now_ms });
        }
        is_news
    }

    /// Takes over what others have learnt, where it is newer.
    pub fn merge(&mut self, others: Vec<Learnt>, now_ms: i64) {
        for other in others {
            let key = (other.subject.clone(), other.signal.what.clone(), other.signal.per);
            let is_newer = self.known.get(&key).is_none_or(|known| known.as_of_ms < other.as_of_ms);
            // Nobody can have heard it later than now: a clock is wrong.
            if is_newer && other.as_of_ms <= now_ms.saturating_add(SAME_RESET_MS) {
                self.take(other);
            }
        }
        self.known.retain(|_, known| known.as_of_ms.saturating_add(KNOWN_MS) > now_ms);
    }

    /// All that is known.
    pub fn all(&self) -> impl Iterator<Item = &Learnt> {
        self.known.values()
    }

    fn take(&mut self, learnt: Learnt) {
        let key = (learnt.subject.clone(), learnt.signal.what.clone(), learnt.signal.per);
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&key) {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.as_of_ms).map(|(key, _)| key.clone());
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(key, learnt);
    }
}

fn is_changed(known: &LimitSignal, signal: &LimitSignal) -> bool {
    let is_empty = |signal: &LimitSignal| signal.remaining == Some(0);
    let reset_ms = |signal: &LimitSignal| signal.resets_at_ms.filter(|_| signal.per == Some(Span::Day)).unwrap_or(0);
    known.limit != signal.limit
        || is_empty(known) != is_empty(signal)
        || reset_ms(known).abs_diff(reset_ms(signal)) > SAME_RESET_MS.unsigned_abs()
}
