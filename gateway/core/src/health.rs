//! Health: what recent attempts say about targets, credentials, egresses and addresses. It is a machine: an outcome
//! goes in, and the subjects that changed come out. Its owner publishes those, and merges what other instances
//! published.
//!
//! There are several kinds of subjects, because several things fail independently. A *target* has a breaker: it may be
//! down. A *credential* may be dead or out of money, on every model. A *lane* is a credential on one upstream model,
//! which may have used up its minute, or on all free ones. An *egress* is a proxy, which may be down for everybody, or
//! a way out as one provider sees it, which may be refused there. An *address* is a host, which may be switched off for
//! every model, provider and credential there. One failure counts against exactly one of them, so that a dead key or a
//! dead proxy does not pause its provider, nor a dead provider the proxy.
//!
//! Only subjects in trouble are stored. Times are those of the steady clock ([`crate::clock`]). Where a host has none
//! and its wall clock is set back, no pause becomes longer than it was meant to be. Losing all of it costs a few attempts.

use std::collections::BTreeMap;

use crate::clock::Now;
use crate::verdict::{Class, ErrorKind, Verdict};

mod address;
mod backoff;
mod breaker;
mod cleared;
mod egress;
mod lanes;
mod latency;
mod probe;
mod shown;
mod standing;
mod subject;
mod subjects;

pub use cleared::ClearTimes;
pub use latency::TargetLatency;
pub use probe::{Availability, PROBE_MS_MAX};
pub use standing::{Standing, Trouble};
pub use subject::{DIRECT, Models, Subject};
pub use subjects::Subjects;

pub use breaker::FAILURES_KEPT_MS;
use breaker::Window;
use latency::Latencies;

/// How long after its end a trouble is forgotten, and with it how many times it came.
const FORGOTTEN_MS: i64 = 2 * 3_600_000;

/// When an attempt began, when its outcome is noted, and a random number for its pause.
#[derive(Debug, Clone, Copy)]
pub struct AttemptTime {
    /// When the attempt began, on the steady clock.
    pub started_ms: i64,
    /// When its outcome is noted, on the steady clock.
    pub now_ms: i64,
    /// A random number from 0 to 1, so that instances do not all try again at the same moment.
    pub jitter: f64,
}

/// All that is known about all subjects.
#[derive(Debug, Default)]
pub struct Health {
    troubled: BTreeMap<Subject, Standing>,
    windows: BTreeMap<Subject, Window>,
    latencies: Latencies,
    probes: BTreeMap<Subject, i64>,
    /// How far the wall clock is ahead of the steady one.
    ahead_ms: i64,
}

impl Health {
    /// Notes how far the wall clock is ahead of the steady one. It matters once it was set back.
    pub fn set_ahead(&mut self, ahead_ms: i64) {
        self.ahead_ms = ahead_ms;
    }

    /// This time of the steady clock on both clocks.
    fn moment(&self, steady_ms: i64) -> Now {
        Now { wall_ms: steady_ms.saturating_add(self.ahead_ms), steady_ms }
    }

    /// Whether no subject is in trouble, so that nothing need be looked up.
    pub fn is_calm(&self) -> bool {
        self.troubled.is_empty()
    }

    /// Notes the outcome of an attempt that began at `at.started_ms`; `message` is a status or an error. Returns the
    /// subjects whose trouble changed.
    pub fn note(&mut self, of: &Subjects, verdict: Verdict, message: &str, at: AttemptTime) -> Vec<Subject> {
        for subject in of.all() {
            self.probes.remove(subject);
        }
        let mut changed = match verdict.class {
            // That the host was reached was noted when the answer began.
            Class::Ok => return self.succeeded(of, at),
            // The target answered, so it is up, and nothing is in trouble.
            Class::Client => self.end_probe(&of.target, at).into_iter().collect(),
            Class::Target if verdict.kind == ErrorKind::Request => self.end_probe(&of.target, at).into_iter().collect(),
            Class::Gone => Vec::new(),
            Class::Target => self.target_failed(of, verdict, message, at),
            Class::Credential => self.credential_failed(of, verdict, message, at.now_ms),
            Class::Egress => self.egress_failed(of, verdict, message, at),
            Class::Rate => self.cool(of, verdict, message, at.now_ms),
        };
        if verdict.is_answer() {
            changed.extend(self.reached(of, at));
        }
        changed
    }

    /// Notes that an answer has begun. This closes a breaker, but does not yet make the attempt a success.
    pub fn begun(&mut self, of: &Subjects, at: AttemptTime) -> Vec<Subject> {
        self.end_probe(&of.target, at).into_iter().chain(self.reached(of, at)).collect()
    }

    /// The trouble of a subject; `None` if it has none.
    pub fn standing(&self, subject: &Subject) -> Option<&Standing> {
        self.troubled.get(subject)
    }

    /// Every subject in trouble.
    pub fn troubled(&self) -> impl Iterator<Item = (&Subject, &Standing)> {
        self.troubled.iter()
    }

    /// Replaces what is known by what is published, except for subjects whose own change is not published yet.
    pub fn merge(&mut self, published: BTreeMap<Subject, Standing>, unpublished: impl Fn(&Subject) -> bool) {
        self.troubled.retain(|subject, _| unpublished(subject) || published.contains_key(subject));
        for (subject, standing) in published {
            if !unpublished(&subject) {
                self.troubled.insert(subject, standing);
            }
        }
        let troubled = &self.troubled;
        self.probes.retain(|subject, _| troubled.contains_key(subject));
    }

    /// Clears one subject, or all. Returns those that were in trouble.
    pub fn reset(&mut self, subject: Option<&Subject>) -> Vec<Subject> {
        self.forget_where(|other| subject.is_none_or(|subject| subject == other))
    }

    fn forget_where(&mut self, is_meant: impl Fn(&Subject) -> bool) -> Vec<Subject> {
        let over = self.troubled.extract_if(.., |subject, _| is_meant(subject)).map(|(subject, _)| subject).collect();
        self.windows.retain(|subject, _| !is_meant(subject));
        self.probes.retain(|subject, _| !is_meant(subject));
        over
    }

    /// Forgets what ended long ago. Returns those subjects.
    pub fn forget(&mut self, now_ms: i64) -> Vec<Subject> {
        let latest_ms = now_ms.saturating_add(FORGOTTEN_MS);
        // What began hours from now was noted before the clock was set back.
        let is_over =
            |standing: &Standing| standing.until_ms.saturating_add(FORGOTTEN_MS) < now_ms || standing.at_ms > latest_ms;
        let over = self.troubled.extract_if(.., |_, standing| is_over(standing)).map(|(subject, _)| subject).collect();
        self.windows.retain(|_, window| window.is_recent(now_ms));
        self.latencies.retain(|_, latency| latency.value_ms(now_ms).is_some());
        over
    }

    fn succeeded(&mut self, of: &Subjects, at: AttemptTime) -> Vec<Subject> {
        self.windows.entry(of.target.clone()).or_default().push(true, at.now_ms);
        let mut changed: Vec<Subject> = self.end_probe(&of.target, at).into_iter().collect();
        for subject in of.beside_target() {
            changed.extend(self.clear(subject, at));
        }
        for way in of.egresses() {
            if let Some(window) = self.windows.get_mut(way) {
                window.push(true, at.now_ms);
            }
        }
        changed
    }

    fn end_probe(&mut self, subject: &Subject, at: AttemptTime) -> Option<Subject> {
        self.probes.remove(subject);
        self.clear(subject, at)
    }

    /// Ends the trouble of a subject after a success, unless the attempt began before the trouble did: a stream that
    /// ends well does not refill a quota that was spent meanwhile.
    fn clear(&mut self, subject: &Subject, at: AttemptTime) -> Option<Subject> {
        let standing = self.troubled.get(subject)?;
        let is_newer = standing.last_failed_ms() > at.started_ms && standing.last_failed_ms() <= at.now_ms;
        // Only a call that tried it again can say that something is left after all.
        let is_spent = standing.trouble == Trouble::Spent && standing.until_ms > at.now_ms;
        if is_newer || (is_spent && !standing.is_due(self.moment(at.started_ms))) {
            return None;
        }
        self.troubled.remove(subject).map(|_| subject.clone())
    }
}

#[cfg(test)]
mod tests;
