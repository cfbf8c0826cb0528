//! The limits that providers told in their answers, for people to see: the last state of each, and when it came. Calls
//! are not counted against them; if a lane is used up by them, health pauses it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::health::{Subject, Subjects};
use crate::outcome::limits::{LimitSignal, Span};

/// How many limits are remembered. The one that was told longest ago is forgotten first.
const KNOWN_MAX: usize = 1024;

/// How long a limit is remembered that is not told again.
const KNOWN_MS: i64 = 2 * 24 * 60 * 60 * 1000;

/// A daily reset that moves by more than this is the reset of another day.
const SAME_RESET_MS: i64 = 60 * 60 * 1000;

/// A limit that a provider told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learnt {
    /// The credential or lane, as a subject of health.
    pub subject: Subject,
    /// The limit.
    #[serde(flatten)]
    pub signal: LimitSignal,
    /// When it was told, on the steady clock.
    pub as_of_ms: i64,
}

/// All such limits, by subject, by what they count, and by span of time.
#[derive(Debug, Default)]
pub struct LearntLimits {
    known: BTreeMap<(Subject, String, Option<Span>), Learnt>,
}

impl LearntLimits {
    /// Notes the limits that an answer told. Returns whether that is news for other instances: another limit, another
    /// day, or something left where nothing was, or the reverse. One less left is no news.
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

    /// Takes over newer limits of other instances.
    pub fn merge(&mut self, others: Vec<Learnt>, now_ms: i64) {
        for other in others {
            let key = (other.subject.clone(), other.signal.what.clone(), other.signal.per);
            let is_newer = self.known.get(&key).is_none_or(|known| known.as_of_ms < other.as_of_ms);
            // A time in the future means that a clock is wrong.
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
