//! Health: what recent attempts say of a target or a credential. A machine: an outcome in, the subjects that changed
//! out; whoever holds it publishes those, and merges what others published.
//!
//! Several subjects, because several things fail apart: a *target* (a breaker: it may be down), a *credential* (it may
//! be dead or out of money, on every model), a *lane*, a credential on one upstream model (it may have used up its
//! minute) or on all those it has for free, an *egress*: a proxy, which may be down for everybody, or a way out as
//! one provider sees it, which may be refused where it comes out, and an *address*: a host, which may be switched off for
//! every model, provider and credential there. One failure counts against exactly one of them, so that a dead key or a
//! dead proxy does not take its provider down, nor a dead provider the proxy.
//!
//! Only subjects in trouble are kept, times are those of the wall clock since instances and restarts share them, and a
//! clock that jumps back does not make anyone wait longer than was meant. Losing all of it costs a few attempts.

use std::collections::BTreeMap;

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

use breaker::Window;
use latency::Latencies;

/// Subjects whose rest was over this long ago are forgotten, and with them how often they have failed.
const FORGOTTEN_MS: i64 = 2 * 3_600_000;

/// When an attempt began and when its outcome is noted, Unix milliseconds, and a draw from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct AttemptTime {
    /// When it began.
    pub started_ms: i64,
    /// When its outcome is noted.
    pub now_ms: i64,
    /// So that instances do not all come back at the same moment.
    pub jitter: f64,
}

/// Everything known of every subject.
#[derive(Debug, Default)]
pub struct Health {
    troubled: BTreeMap<Subject, Standing>,
    windows: BTreeMap<Subject, Window>,
    latencies: Latencies,
    probes: BTreeMap<Subject, i64>,
}

impl Health {
    /// Whether nobody is in trouble: then nothing need be looked up.
    pub fn is_calm(&self) -> bool {
        self.troubled.is_empty()
    }

    /// Takes note of the outcome of an attempt that began at `at.started_ms`; `said` is a status or an error. Returns the
    /// subjects whose standing changed.
    pub fn note(&mut self, of: &Subjects, verdict: Verdict, said: &str, at: AttemptTime) -> Vec<Subject> {
        for subject in of.all() {
            self.probes.remove(subject);
        }
        let mut changed = match verdict.class {
            // That its host was reached was noted at the beginning of its answer.
            Class::Ok => return self.succeeded(of, at),
            // The target answered, so it is up; nobody is to blame.
            Class::Client => self.end_probe(&of.target, at).into_iter().collect(),
            Class::Target if verdict.kind == ErrorKind::Request => self.end_probe(&of.target, at).into_iter().collect(),
            Class::Gone => Vec::new(),
            Class::Target => self.target_failed(of, verdict, said, at),
            Class::Credential => self.credential_failed(of, verdict, said, at.now_ms),
            Class::Egress => self.egress_failed(of, verdict, said, at),
            Class::Rate => self.cool(of, verdict, said, at.now_ms),
        };
        if verdict.is_answer() {
            changed.extend(self.reached(of, at));
        }
        changed
    }

    /// An answer has begun: enough to close a breaker, not yet to call the attempt a success.
    pub fn begun(&mut self, of: &Subjects, at: AttemptTime) -> Vec<Subject> {
        self.end_probe(&of.target, at).into_iter().chain(self.reached(of, at)).collect()
    }

    /// What is published of a subject; `None` when it is in no trouble.
    pub fn standing(&self, subject: &Subject) -> Option<&Standing> {
        self.troubled.get(subject)
    }

    /// Every subject in trouble.
    pub fn troubled(&self) -> impl Iterator<Item = (&Subject, &Standing)> {
        self.troubled.iter()
    }

    /// Replaces what is known by what is published, but for the subjects whose own change is still on its way there.
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

    /// Clears one subject, or all; those that were in trouble.
    pub fn reset(&mut self, subject: Option<&Subject>) -> Vec<Subject> {
        self.forget_where(|other| subject.is_none_or(|subject| subject == other))
    }

    fn forget_where(&mut self, is_meant: impl Fn(&Subject) -> bool) -> Vec<Subject> {
        let over = self.troubled.extract_if(.., |subject, _| is_meant(subject)).map(|(subject, _)| subject).collect();
        self.windows.retain(|subject, _| !is_meant(subject));
        self.probes.retain(|subject, _| !is_meant(subject));
        over
    }

    /// Forgets what was over long ago.
    pub fn forget(&mut self, now_ms: i64) -> Vec<Subject> {
        let latest_ms = now_ms.saturating_add(FORGOTTEN_MS);
        // What began hours from now is of a clock that was set back since.
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

    /// An attempt that began before the trouble did says nothing of it: a stream that ends well does not refill a quota
    /// that was spent meanwhile.
    fn clear(&mut self, subject: &Subject, at: AttemptTime) -> Option<Subject> {
        let standing = self.troubled.get(subject)?;
        let is_newer = standing.said_ms() > at.started_ms && standing.said_ms() <= at.now_ms;
        // Only a call that looked again says that there is something left after all.
        let is_spent = standing.trouble == Trouble::Spent && standing.until_ms > at.now_ms;
        if is_newer || (is_spent && !standing.is_due(at.started_ms)) {
            return None;
        }
        self.troubled.remove(subject).map(|_| subject.clone())
    }
}

#[cfg(test)]
mod tests;
