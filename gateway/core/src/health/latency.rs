//! The latencies of targets: what a client waits for is the first content of a stream, or a whole answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::standing::TROUBLED_MAX;
use super::{Health, Subject};

/// The longest latency that is believed: a day.
const LATENCY_MS_MAX: f64 = 86_400_000.0;

/// How far the clock of another instance may be ahead.
const AHEAD_MS: i64 = 1_000;

/// The prefix of the published name of a target's whole answers, in place of `target`.
const WHOLE: &str = "whole/";
const TARGET: &str = "target/";

/// The latency of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "PublishedLatency", try_from = "PublishedLatency")]
pub struct TargetLatency {
    /// The target.
    pub target: Subject,
    /// Whether it is the time to the first content of a stream, and not to a whole answer.
    pub is_streamed: bool,
    /// The weighted mean, in milliseconds.
    pub first_content_ms: f64,
    /// When the last sample came, on the steady clock.
    pub as_of_ms: i64,
}

/// The latency of a target in its published form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PublishedLatency {
    /// The target's key, or the name of its whole answers.
    target: String,
    first_content_ms: f64,
    as_of_ms: i64,
}

impl From<TargetLatency> for PublishedLatency {
    fn from(latency: TargetLatency) -> Self {
        let TargetLatency { target, is_streamed, first_content_ms, as_of_ms } = latency;
        let key = target.key();
        let target = match key.strip_prefix(TARGET) {
            Some(rest) if !is_streamed => format!("{WHOLE}{rest}"),
            _ => key,
        };
        PublishedLatency { target, first_content_ms, as_of_ms }
    }
}

impl TryFrom<PublishedLatency> for TargetLatency {
    type Error = String;

    fn try_from(published: PublishedLatency) -> Result<Self, String> {
        let PublishedLatency { target, first_content_ms, as_of_ms } = published;
        let whole = target.strip_prefix(WHOLE);
        let target = Subject::try_from(whole.map_or(target.clone(), |rest| format!("{TARGET}{rest}")))?;
        Ok(TargetLatency { target, is_streamed: whole.is_none(), first_content_ms, as_of_ms })
    }
}

/// The latencies of all targets.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    streams: BTreeMap<Subject, Latency>,
    wholes: BTreeMap<Subject, Latency>,
}

impl Latencies {
    fn of(&mut self, is_streamed: bool) -> &mut BTreeMap<Subject, Latency> {
        if is_streamed { &mut self.streams } else { &mut self.wholes }
    }

    /// Notes a failure, which clients wait for as well. It only affects the latency of whole answers if there is one.
    pub(super) fn failed(&mut self, target: &Subject, now_ms: i64) {
        self.streams.entry(target.clone()).or_default().push_failure(now_ms);
        if let Some(latency) = self.wholes.get_mut(target) {
            latency.push_failure(now_ms);
        }
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&Subject, &Latency) -> bool) {
        self.streams.retain(|target, latency| is_kept(target, latency));
        self.wholes.retain(|target, latency| is_kept(target, latency));
    }
}

impl Health {
    /// How long a client waits for this target. If the latency of streams is unknown, that of whole answers is used,
    /// and the other way round.
    pub fn wait_ms(&self, target: &Subject, streamed: bool, now_ms: i64) -> Option<f64> {
        let Latencies { streams, wholes } = &self.latencies;
        let value_ms = |of: &BTreeMap<Subject, Latency>| of.get(target)?.value_ms(now_ms);
        let (first, second) = if streamed { (streams, wholes) } else { (wholes, streams) };
        value_ms(first).or_else(|| value_ms(second))
    }

    /// The recent time to the first content of a target, in milliseconds; `None` if it is unknown.
    pub fn latency_ms(&self, target: &Subject, now_ms: i64) -> Option<f64> {
        self.latencies.streams.get(target)?.value_ms(now_ms)
    }

    /// When a latency of a target was last measured, on the steady clock.
    pub fn measured_ms(&self, target: &Subject, streamed: bool) -> Option<i64> {
        let Latencies { streams, wholes } = &self.latencies;
        (if streamed { streams } else { wholes }).get(target)?.at_ms
    }

    /// Notes how long a target took to the first content of a stream, or to a whole answer.
    pub fn answered_in(&mut self, target: &Subject, streamed: bool, ms: u64, now_ms: i64) {
        self.latencies.of(streamed).entry(target.clone()).or_default().push(ms, now_ms);
    }

    /// The recent latencies, for other instances and for people.
    pub fn latencies(&self, now_ms: i64) -> Vec<TargetLatency> {
        let recent = |(of, is_streamed): (&'_ BTreeMap<Subject, Latency>, bool)| {
            let recent = of.iter().filter_map(move |(target, latency)| {
                latency.value_ms(now_ms)?;
                let (first_content_ms, as_of_ms) = latency.known()?;
                Some(TargetLatency { target: target.clone(), is_streamed, first_content_ms, as_of_ms })
            });
            recent.collect::<Vec<_>>()
        };
        [(&self.latencies.streams, true), (&self.latencies.wholes, false)].into_iter().flat_map(recent).collect()
    }

    /// Takes over the latencies of other instances that are newer.
    pub fn merge_latencies(&mut self, others: Vec<TargetLatency>, now_ms: i64) {
        for TargetLatency { target, is_streamed, first_content_ms, as_of_ms } in others {
            // A latency beyond a day, or from the future, is a mistake.
            let is_sound =
                (0.0..=LATENCY_MS_MAX).contains(&first_content_ms) && as_of_ms <= now_ms.saturating_add(AHEAD_MS);
            let known = self.latencies.of(is_streamed);
            if is_sound && (known.len() < TROUBLED_MAX || known.contains_key(&target)) {
                known.entry(target).or_default().take_over(first_content_ms, as_of_ms, now_ms);
            }
        }
    }
}

/// An exponentially weighted mean of latencies. A sample that is ten seconds old counts about a third.
#[derive(Debug, Default)]
pub(super) struct Latency {
    value_ms: f64,
    at_ms: Option<i64>,
}

impl Latency {
    /// The latency that a failure counts as, unless answers are slower still.
    const FAILURE_MS: f64 = 5_000.0;
    /// Older samples are forgotten, since a target that was slow once must be tried again.
    const KNOWN_MS: i64 = 60_000;
    const DECAY_MS: f64 = 10_000.0;
    /// Even among calls at the same moment, each moves the mean by a tenth.
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

    /// The mean, and when its last sample came.
    pub(super) fn known(&self) -> Option<(f64, i64)> {
        self.at_ms.map(|at_ms| (self.value_ms, at_ms))
    }

    /// Replaces an older mean by that of another instance, which has mixed in what it knew of the others.
    pub(super) fn take_over(&mut self, value_ms: f64, at_ms: i64, now_ms: i64) {
        // A sample from the future is from before the clock was set back.
        if self.at_ms.is_none_or(|known_ms| known_ms < at_ms || known_ms > now_ms.saturating_add(AHEAD_MS)) {
            (self.value_ms, self.at_ms) = (value_ms, Some(at_ms));
        }
    }

    pub(super) fn value_ms(&self, now_ms: i64) -> Option<f64> {
        self.at_ms.filter(|at_ms| (-AHEAD_MS..Self::KNOWN_MS).contains(&(now_ms - at_ms))).map(|_| self.value_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_new_samples_and_more_so_after_a_pause() {
        let mut latency = Latency::default();
        let is = |latency: &Latency, now_ms, expected: f64| {
            latency.value_ms(now_ms).is_some_and(|value_ms| (value_ms - expected).abs() < 10.0)
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
