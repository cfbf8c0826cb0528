//! The breaker of a target: it is opened by failures in a row or by a share of failures, and closed by the first
//! answer. Also the window of recent attempts, by which an egress and an address are judged too.

use std::collections::BTreeMap;

use super::backoff::Backoff;
use super::standing::{Blame, hint_ms};
use super::{AttemptTime, Health, Subject, Subjects, Trouble};
use crate::catalog::Patience;
use crate::verdict::{ErrorKind, Verdict};

/// How long a breaker stays open: 1 s, doubling to 60 s, with jitter.
pub(super) const BREAKER_MS: Backoff = Backoff::new(1_000, 60_000);

/// How long a target is paused whose provider does not know the model. Only an edit of the catalog can repair it soon.
const UNKNOWN_MODEL_MS: u64 = 600_000;

/// After so long without an attempt, failures in a row are forgotten.
pub const FAILURES_KEPT_MS: i64 = 60 * 60 * 1000;

/// How many failures in a row open a breaker.
const CONSECUTIVE_MAX: u32 = 5;
/// How many attempts within the window are needed before a share of failures counts.
const ATTEMPTS_MIN: u32 = 20;
const SECONDS: usize = 10;

impl Health {
    pub(super) fn target_failed(
        &mut self,
        of: &Subjects,
        verdict: Verdict,
        message: &str,
        at: AttemptTime,
    ) -> Vec<Subject> {
        let (target, now_ms) = (&of.target, at.now_ms);
        if verdict.kind == ErrorKind::UnknownModel {
            let (trouble, hint_ms, backoff) = (Trouble::UnknownModel, Some(UNKNOWN_MODEL_MS), &BREAKER_MS);
            return self.trouble(target, Blame { trouble, hint_ms, backoff, message, now_ms });
        }
        self.latencies.failed(target, now_ms);
        if let (ErrorKind::Unreachable | ErrorKind::ConnectTimeout, Some(address)) = (verdict.kind, &of.address) {
            return self.connect_failed(address, verdict.kind, message, at);
        }
        let hint_ms = verdict.rest.map(hint_ms);
        self.failed(target, Failure { trouble: Trouble::Open, hint_ms, patience: of.patience, message }, at)
    }

    /// Counts a failure of a subject that has a breaker. The breaker opens if there were enough failures, or if a wait
    /// was told.
    pub(super) fn failed(&mut self, subject: &Subject, failure: Failure<'_>, at: AttemptTime) -> Vec<Subject> {
        let AttemptTime { now_ms, jitter, .. } = at;
        let Failure { trouble, hint_ms, patience, message } = failure;
        let window = self.windows.entry(subject.clone()).or_default();
        window.push(false, now_ms);
        let was_open = self.troubled.get(subject).is_some_and(|standing| standing.trouble == trouble);
        if !was_open && hint_ms.is_none() && !window.is_bad(now_ms, patience.failures) {
            return Vec::new();
        }
        window.clear();
        let backoff = match patience.cooldown_ms {
            Some(cooldown_ms) => Backoff::fixed(cooldown_ms),
            None => BREAKER_MS.jittered(jitter),
        };
        self.trouble(subject, Blame { trouble, hint_ms, backoff: &backoff, message, now_ms })
    }

    /// The subjects whose last attempts failed, and how many did in a row.
    pub fn failing(&self) -> BTreeMap<Subject, u32> {
        let failing = self.windows.iter().filter(|(_, window)| window.is_failing());
        failing.map(|(subject, window)| (subject.clone(), window.consecutive)).collect()
    }

    /// Takes over how many attempts in a row failed at a subject, as others have counted, and when the last one did.
    pub fn recall_failing(&mut self, subject: Subject, failures: u32, at_ms: i64, now_ms: i64) {
        let mut window = Window::default();
        window.push(false, at_ms);
        window.consecutive = failures;
        if window.is_recent(now_ms) {
            self.windows.insert(subject, window);
        }
    }

    /// Whether the last known attempt at a target or an address failed.
    pub fn is_failing(&self, subject: &Subject) -> bool {
        self.troubled.contains_key(subject) || self.windows.get(subject).is_some_and(Window::is_failing)
    }
}

/// A failure of who has a breaker.
#[derive(Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) trouble: Trouble,
    /// The wait that somebody told.
    pub(super) hint_ms: Option<u64>,
    pub(super) patience: Patience,
    pub(super) message: &'a str,
}

/// The outcomes of the last ten seconds, second by second, and the number of failures in a row.
#[derive(Debug, Default)]
pub(super) struct Window {
    seconds: [Second; SECONDS],
    consecutive: u32,
}

#[derive(Debug, Default, Clone, Copy)]
struct Second {
    at_s: i64,
    attempts: u32,
    failures: u32,
}

impl Window {
    pub(super) fn push(&mut self, success: bool, now_ms: i64) {
        self.consecutive = if success { 0 } else { self.consecutive.saturating_add(1) };
        let at_s = now_ms.div_euclid(1000);
        let place = usize::try_from(at_s.rem_euclid(SECONDS as i64)).unwrap_or(0);
        let Some(second) = self.seconds.get_mut(place) else { return };
        if second.at_s != at_s {
            *second = Second { at_s, ..Second::default() };
        }
        second.attempts = second.attempts.saturating_add(1);
        second.failures = second.failures.saturating_add(u32::from(!success));
    }

    /// Whether there were so many failures in a row (five unless the catalog says otherwise), or failures in half of at
    /// least twenty attempts in ten seconds.
    pub(super) fn is_bad(&self, now_ms: i64, failures_max: Option<u32>) -> bool {
        let consecutive_max = failures_max.unwrap_or(CONSECUTIVE_MAX);
        // A catalog that tolerates more in a row does not mean to give up for a share of fewer.
        let attempts_min = ATTEMPTS_MIN.max(consecutive_max.saturating_mul(2));
        let now_s = now_ms.div_euclid(1000);
        let recent = || self.seconds.iter().filter(|second| (0..SECONDS as i64).contains(&(now_s - second.at_s)));
        let attempts: u32 = recent().map(|second| second.attempts).sum();
        let failures: u32 = recent().map(|second| second.failures).sum();
        self.consecutive >= consecutive_max || (attempts >= attempts_min && failures * 2 >= attempts)
    }

    /// Whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.consecutive > 0
    }

    /// Starts again: what opened a breaker must not open it again after one more failure.
    pub(super) fn clear(&mut self) {
        *self = Window::default();
    }

    /// Whether there was an attempt within the last ten seconds, or the last one failed and is not forgotten yet.
    pub(super) fn is_recent(&self, now_ms: i64) -> bool {
        let limit_s = if self.consecutive > 0 { FAILURES_KEPT_MS / 1000 } else { SECONDS as i64 };
        let now_s = now_ms.div_euclid(1000);
        self.seconds.iter().any(|second| now_s - second.at_s < limit_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_others_counted_open_a_breaker_with_one_more() {
        let mut health = Health::default();
        let subject = || Subject::Address("http://a:80".into());
        health.recall_failing(subject(), CONSECUTIVE_MAX - 1, 1_000, 2_000);
        assert_eq!(health.failing(), BTreeMap::from([(subject(), CONSECUTIVE_MAX - 1)]));
        let at = AttemptTime { started_ms: 1_500, now_ms: 2_000, jitter: 0.5 };
        let changed = health.connect_failed(&subject(), ErrorKind::Unreachable, "refused", at);
        assert_eq!(
            (changed, health.failing()),
            (vec![subject()], BTreeMap::new()),
            "an open breaker begins to count anew"
        );
        health.recall_failing(subject(), 9, 0, 3_600_000);
        assert!(health.failing().is_empty(), "an hour is long enough to forget");
    }

    #[test]
    fn half_of_twenty_attempts_in_ten_seconds_is_bad_older_ones_not() {
        let mut window = Window::default();
        for index in 0..19 {
            window.push(index % 2 == 1, 1000 * (index / 2));
        }
        assert!(!window.is_bad(9000, None), "nineteen are too few to tell");
        window.push(true, 9000);
        assert!(window.is_bad(9000, None));
        assert!(!window.is_bad(10_000, None), "the first second has gone by");
        assert!(!window.is_bad(9000, Some(11)), "who puts up with eleven in a row");
    }
}
