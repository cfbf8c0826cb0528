//! Failures of writes that nobody waits for, logged together: one line each would be a line per call for as long as the
//! trouble lasts.

use super::statement::Failure;
use crate::log;
use std::time::{Duration, Instant};

const TELL_EVERY: Duration = Duration::from_secs(10);

/// The failures that are not logged yet.
#[derive(Default)]
pub(super) struct UnreportedFailures {
    count: u64,
    last: Option<Failure>,
    told_at: Option<Instant>,
}

impl UnreportedFailures {
    /// Counts a failed write that nobody waits for.
    pub(super) fn add(&mut self, failure: Failure) {
        self.count += 1;
        self.last = Some(failure);
    }

    /// Logs the failures, unless some were logged a moment ago.
    pub(super) fn tell(&mut self, now: Instant) {
        if self.told_at.is_some_and(|told_at| now.saturating_duration_since(told_at) < TELL_EVERY) {
            return;
        }
        if let Some(line) = self.line() {
            log::warn(line);
            self.told_at = Some(now);
        }
    }

    fn line(&mut self) -> Option<String> {
        let failure = self.last.take()?;
        let count = std::mem::take(&mut self.count);
        Some(match count {
            1 => format!("a write nobody waited for failed: {failure:?}"),
            _ => format!("{count} writes nobody waited for failed, the last one so: {failure:?}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_at_once_and_then_together() {
        let mut unheard = UnreportedFailures::default();
        let start = Instant::now();
        let failed = |unheard: &mut UnreportedFailures| unheard.add(Failure::Sql("no such table: records".to_owned()));
        failed(&mut unheard);
        unheard.tell(start);
        assert_eq!(unheard.count, 0, "the first one is told at once");
        for _ in 0..3 {
            failed(&mut unheard);
            unheard.tell(start + Duration::from_secs(9));
        }
        assert_eq!(unheard.count, 3, "those that follow wait");
        unheard.tell(start + TELL_EVERY);
        assert_eq!((unheard.count, unheard.told_at), (0, Some(start + TELL_EVERY)));
        failed(&mut unheard);
        failed(&mut unheard);
        let line = unheard.line().expect("a line");
        assert!(line.starts_with("2 writes") && line.contains("no such table"), "{line}");
        assert_eq!(unheard.line(), None);
    }
}
