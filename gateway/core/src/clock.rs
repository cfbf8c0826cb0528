//! The time, told by two clocks. The wall clock may be set while llmio runs; what was meant to take a minute must take a
//! minute all the same. So durations are kept beside instants of a clock that nobody sets, and only calendars, dates that
//! somebody told and what people read go by the wall clock.

/// A moment on both clocks. They differ by whole seconds, and by none before the wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, in Unix milliseconds: for days and months, dates, prices by the hour and records.
    pub wall_ms: i64,
    /// The steady clock: for rests, rate windows, and whatever else lasts for some time. It began as the wall clock did,
    /// goes on while the machine sleeps, and is never set. On a host without one it is the wall clock.
    pub steady_ms: i64,
}

impl Now {
    /// The moment where the wall clock is all there is.
    pub fn of_wall(wall_ms: i64) -> Self {
        Now { wall_ms, steady_ms: wall_ms }
    }

    /// How far the wall clock is ahead of the steady one.
    pub fn ahead_ms(self) -> i64 {
        self.wall_ms.saturating_sub(self.steady_ms)
    }

    /// An instant of the steady clock as the wall clock tells it now, which is what people are shown.
    pub fn shown_ms(self, steady_ms: i64) -> i64 {
        steady_ms.saturating_add(self.ahead_ms())
    }

    /// An instant of the wall clock as the steady one will tell it.
    pub fn kept_ms(self, wall_ms: i64) -> i64 {
        wall_ms.saturating_sub(self.ahead_ms())
    }

    /// The moment this much later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Now { wall_ms: self.wall_ms.saturating_add_unsigned(ms), steady_ms: self.steady_ms.saturating_add_unsigned(ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_by_the_wall_clock_of_the_moment() {
        let until_ms = Now::of_wall(1_000).after(60_000).steady_ms;
        let set_forward = Now { wall_ms: 28_802_000, steady_ms: 2_000 };
        assert_eq!(set_forward.shown_ms(until_ms) - set_forward.wall_ms, 59_000);
        assert_eq!(set_forward.kept_ms(set_forward.shown_ms(until_ms)), until_ms);
    }
}
