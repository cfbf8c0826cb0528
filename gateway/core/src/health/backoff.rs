//! How long a subject is paused if no wait was told: twice as long each time, up to a bound.

/// A wait and its bound.
pub(super) struct Backoff {
    first_ms: u64,
    max_ms: u64,
    /// The share of the wait in percent.
    percent: u64,
}

impl Backoff {
    pub(super) const fn new(first_ms: u64, max_ms: u64) -> Self {
        Backoff { first_ms, max_ms, percent: 100 }
    }

    /// Always the same wait.
    pub(super) const fn fixed(ms: u64) -> Self {
        Backoff::new(ms, ms)
    }

    /// The wait multiplied by three quarters to five quarters, so that instances do not all try again at the same
    /// moment.
    pub(super) fn jittered(&self, jitter: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 75 to 125")]
        let percent = (75.0 + jitter.clamp(0.0, 1.0) * 50.0) as u64;
        Backoff { percent, ..*self }
    }

    /// The wait after this many others without a success between them.
    pub(super) fn wait_ms(&self, step: u32) -> u64 {
        self.first_ms.saturating_mul(1 << step.min(20)).min(self.max_ms).saturating_mul(self.percent) / 100
    }
}
