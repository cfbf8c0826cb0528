//! What is remembered of a target's recent attempts: enough to open its breaker and to tell how fast it answers.

/// Failures in a row that open a breaker.
const CONSECUTIVE_MAX: u32 = 5;
/// Attempts within the window that make a share of failures mean something.
const ATTEMPTS_MIN: u32 = 20;
const SECONDS: usize = 10;

/// Outcomes of the last ten seconds, by the second, and how many failures came in a row.
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

    /// Five failures in a row, or half of at least twenty attempts in ten seconds.
    pub(super) fn is_bad(&self, now_ms: i64) -> bool {
        let now_s = now_ms.div_euclid(1000);
        let recent = || self.seconds.iter().filter(|second| (0..SECONDS as i64).contains(&(now_s - second.at_s)));
        let attempts: u32 = recent().map(|second| second.attempts).sum();
        let failures: u32 = recent().map(|second| second.failures).sum();
        self.consecutive >= CONSECUTIVE_MAX || (attempts >= ATTEMPTS_MIN && failures * 2 >= attempts)
    }

    /// Whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.consecutive > 0
    }

    /// Starts anew: what opened a breaker must not open it again after one more failure.
    pub(super) fn clear(&mut self) {
        *self = Window::default();
    }

    /// Whether anything happened within the last ten seconds, or the last thing was a failure within the last hour.
    pub(super) fn is_recent(&self, now_ms: i64) -> bool {
        let limit_s = if self.consecutive > 0 { 3600 } else { SECONDS as i64 };
        let now_s = now_ms.div_euclid(1000);
        self.seconds.iter().any(|second| now_s - second.at_s < limit_s)
    }
}

/// An exponentially weighted mean of the time to the first content: what is ten seconds old counts about a third.
#[derive(Debug, Default)]
pub(super) struct Latency {
    value_ms: f64,
    at_ms: Option<i64>,
}

impl Latency {
    /// What a failure counts as, unless answers are slower still.
    const FAILURE_MS: f64 = 5_000.0;
    /// What is older than this is not known any more: a target that was slow once must be tried again.
    const KNOWN_MS: i64 = 60_000;
    const DECAY_MS: f64 = 10_000.0;
    /// Of calls at the same moment each still moves the mean by a tenth.
    const KEPT_MAX: f64 = 0.9;

    pub(super) fn push(&mut self, sample_ms: u64, now_ms: i64) {
        #[expect(clippy::cast_precision_loss, reason = "an hour in milliseconds is far below 2^53")]
        self.mix(sample_ms as f64, now_ms);
    }

    pub(super) fn push_failure(&mut self, now_ms: i64) {
        self.mix(self.value_ms.max(Self::FAILURE_MS), now_ms);
    }

    fn mix(&mut self, sample_ms: f64, now_ms: i64) {
        #[expect(clippy::cast_precision_loss, reason = "ages that matter are far below 2^53")]
        let age_ms = self.at_ms.map(|at_ms| (now_ms - at_ms).max(0) as f64);
        let kept = age_ms.map_or(0.0, |age_ms| (-age_ms / Self::DECAY_MS).exp().min(Self::KEPT_MAX));
        self.value_ms = self.value_ms * kept + sample_ms * (1.0 - kept);
        self.at_ms = Some(now_ms);
    }

    /// The mean and when its last sample came.
    pub(super) fn known(&self) -> Option<(f64, i64)> {
        self.at_ms.map(|at_ms| (self.value_ms, at_ms))
    }

    /// Takes another instance's mean in the place of an older one: each has mixed in what it heard of the others.
    pub(super) fn take_over(&mut self, value_ms: f64, at_ms: i64) {
        if self.at_ms.is_none_or(|known_ms| known_ms < at_ms) {
            (self.value_ms, self.at_ms) = (value_ms, Some(at_ms));
        }
    }

    pub(super) fn value_ms(&self, now_ms: i64) -> Option<f64> {
        self.at_ms.filter(|at_ms| now_ms - at_ms < Self::KNOWN_MS).map(|_| self.value_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_twenty_attempts_within_ten_seconds_is_bad_and_older_ones_do_not_count() {
        let mut window = Window::default();
        for index in 0..19 {
            window.push(index % 2 == 1, 1000 * (index / 2));
        }
        assert!(!window.is_bad(9000), "nineteen are too few to tell");
        window.push(true, 9000);
        assert!(window.is_bad(9000));
        assert!(!window.is_bad(10_000), "the first second has gone by");
    }

    #[test]
    fn the_mean_follows_new_samples_and_more_so_after_a_pause() {
        let mut latency = Latency::default();
        let is = |latency: &Latency, now_ms, wanted: f64| {
            latency.value_ms(now_ms).is_some_and(|value_ms| (value_ms - wanted).abs() < 10.0)
        };
        latency.push(100, 0);
        assert!(is(&latency, 0, 100.0));
        latency.push(1100, 0);
        assert!(is(&latency, 0, 200.0));
        latency.push(1200, 50_000);
        assert!(is(&latency, 50_000, 1195.0));
        latency.push_failure(100_000);
        assert!(is(&latency, 100_000, 4975.0));
        assert_eq!(latency.value_ms(160_000), None, "that was a minute ago");
    }

    #[test]
    fn a_failure_is_never_quicker_than_an_answer() {
        let mut latency = Latency::default();
        latency.push(20_000, 0);
        latency.push_failure(20_000);
        assert_eq!(latency.value_ms(20_000), Some(20_000.0));
    }
}
