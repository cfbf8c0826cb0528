//! Probes: one call at a time tries a subject whose pause is over, to find out whether it works again. Once an hour a
//! call also tries a subject with a long pause, or one whose pause became longer because the clock was set back.

use super::{Health, Subject, Subjects, Trouble};

/// A probe whose end is not reported is over after this long.
pub const PROBE_MS_MAX: i64 = 60_000;

/// Whether a subject may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Able,
    /// Yes, but only by one call, to find out whether it works again.
    Probe,
    /// Not before this time.
    Not(Trouble, i64),
}

impl Health {
    /// Whether a subject may be used.
    pub fn availability(&self, subject: &Subject, now_ms: i64) -> Availability {
        let Some(standing) = self.troubled.get(subject) else { return Availability::Able };
        let trouble = standing.trouble;
        if now_ms < standing.until_ms {
            return match standing.is_due(self.moment(now_ms)) {
                true => self.probe_of(subject, trouble, standing.ends_ms(now_ms), now_ms),
                false => Availability::Not(trouble, standing.until_ms),
            };
        }
        match trouble {
            Trouble::Open | Trouble::UnknownModel => self.probe_of(subject, trouble, now_ms, now_ms),
            Trouble::Resting | Trouble::Cooling | Trouble::Spent => Availability::Able,
        }
    }

    /// Whether an attempt may be made that probes nothing.
    pub fn is_able(&self, of: &Subjects, now_ms: i64) -> bool {
        of.all().all(|subject| self.availability(subject, now_ms) == Availability::Able)
    }

    fn probe_of(&self, subject: &Subject, trouble: Trouble, ends_ms: i64, now_ms: i64) -> Availability {
        let claimed = |until_ms: &&i64| (now_ms + 1..=now_ms.saturating_add(PROBE_MS_MAX)).contains(*until_ms);
        match self.probes.get(subject).filter(claimed) {
            Some(until_ms) => Availability::Not(trouble, ends_ms.max(*until_ms)),
            None => Availability::Probe,
        }
    }

    /// The subjects among these that only one call at a time may try now.
    pub fn probes_due<'s>(&self, subjects: impl Iterator<Item = &'s Subject>, now_ms: i64) -> Vec<Subject> {
        let is_due = |subject: &&Subject| self.availability(subject, now_ms) == Availability::Probe;
        subjects.filter(is_due).cloned().collect()
    }

    /// Takes the probe of a subject for one call of this instance, until `until_ms` at most.
    pub fn claim_probe(&mut self, subject: &Subject, until_ms: i64) {
        self.probes.insert(subject.clone(), until_ms);
    }
}
