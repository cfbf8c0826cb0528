//! Probes: whoever was out of order is tried by one call at a time, to find out whether it works again.

use super::{Health, Standing, Subject, Trouble};

/// A probe that nobody tells the end of is given up after this long.
pub const PROBE_MS_MAX: i64 = 60_000;

/// Whether a subject may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Able,
    /// By one call, to find out whether it works again.
    Probe,
    /// Not yet.
    Not(Trouble, i64),
}

impl Health {
    /// Whether a subject may be used.
    pub fn availability(&self, subject: &Subject, now_ms: i64) -> Availability {
        let Some(standing) = self.troubled.get(subject) else { return Availability::Able };
        let until_ms = standing.until_ms(now_ms);
        match standing.trouble {
            trouble if now_ms < until_ms => Availability::Not(trouble, until_ms),
            Trouble::Open | Trouble::UnknownModel => self.probe_of(subject, standing, now_ms),
            Trouble::Resting | Trouble::Cooling | Trouble::Spent => Availability::Able,
        }
    }

    fn probe_of(&self, subject: &Subject, standing: &Standing, now_ms: i64) -> Availability {
        match self.probes.get(subject) {
            Some(claimed_until_ms) if now_ms < *claimed_until_ms => {
                Availability::Not(standing.trouble, *claimed_until_ms)
            }
            _ => Availability::Probe,
        }
    }

    /// Takes the probe of a subject for one call of this instance; `until_ms` is when it is given up.
    pub fn claim_probe(&mut self, subject: &Subject, until_ms: i64) {
        self.probes.insert(subject.clone(), until_ms);
    }
}
