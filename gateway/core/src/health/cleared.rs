//! What operators have cleared, and when: for instances that learned of a trouble before and had not published it, or
//! did not know that it was cleared. A trouble that began before it was cleared is over, whoever still publishes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Health, Standing, Subject};

/// How many cleared subjects are remembered; the oldest are forgotten. They only matter for some seconds.
const KNOWN_MAX: usize = 256;

/// A time further in the future than this, by clocks that differ a little, means that a clock was set back.
const AHEAD_MS: i64 = 1_000;

/// When subjects were cleared, in the published form. Times are those of the steady clock.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClearTimes {
    /// When all subjects were cleared.
    all_ms: i64,
    /// When single subjects were cleared.
    subjects: BTreeMap<Subject, i64>,
}

impl ClearTimes {
    /// Notes that one subject, or all, is cleared now.
    pub fn add(&mut self, subject: Option<&Subject>, now_ms: i64) {
        let Some(subject) = subject else {
            *self = ClearTimes { all_ms: now_ms, subjects: BTreeMap::new() };
            return;
        };
        self.subjects.insert(subject.clone(), now_ms);
        if self.subjects.len() > KNOWN_MAX {
            let oldest = self.subjects.iter().min_by_key(|(_, at_ms)| **at_ms).map(|(subject, _)| subject.clone());
            oldest.map(|oldest| self.subjects.remove(&oldest));
        }
    }

    /// Whether this trouble of a subject began before the subject was cleared.
    fn ends(&self, subject: &Subject, standing: &Standing, now_ms: i64) -> bool {
        let times_ms = [Some(self.all_ms), self.subjects.get(subject).copied()];
        times_ms.into_iter().flatten().any(|at_ms| standing.at_ms <= at_ms && at_ms <= now_ms.saturating_add(AHEAD_MS))
    }
}

impl Health {
    /// Replaces what is known by what is published ([`Health::merge`]), except for what was cleared. Returns the
    /// cleared subjects that are published, or being published, all the same, with the time when their trouble began:
    /// they must no longer be published.
    pub fn merge_but(
        &mut self,
        cleared: &ClearTimes,
        published: BTreeMap<Subject, Standing>,
        unpublished: impl Fn(&Subject) -> bool,
        now_ms: i64,
    ) -> Vec<(Subject, i64)> {
        let is_over = |subject: &Subject, standing: &mut Standing| cleared.ends(subject, standing, now_ms);
        let mut published = published;
        let since = |(subject, standing): (Subject, Standing)| (subject, standing.at_ms);
        let mut news: Vec<(Subject, i64)> = published.extract_if(.., is_over).map(since).collect();
        let own = self.troubled.extract_if(.., is_over).map(since);
        news.extend(own.filter(|(subject, _)| unpublished(subject)));
        self.merge(published, unpublished);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Trouble;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn standing(at_ms: i64) -> Standing {
        Standing {
            trouble: Trouble::Resting,
            until_ms: at_ms + 300_000,
            at_ms,
            looked_ms: None,
            ahead_ms: 0,
            step: 0,
            message: "401".to_owned(),
        }
    }

    fn subject(name: &str) -> Subject {
        Subject::Credential(name.into())
    }

    fn published(names: &[(&str, i64)]) -> BTreeMap<Subject, Standing> {
        names.iter().map(|(name, at_ms)| (subject(name), standing(*at_ms))).collect()
    }

    fn cleared(name: Option<&str>) -> ClearTimes {
        let mut cleared = ClearTimes::default();
        cleared.add(name.map(subject).as_ref(), NOW_MS);
        let bytes = serde_json::to_vec(&cleared).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Which of `a` and `b` are in trouble, and which must be published again, if `a` was in trouble here and not
    /// published, and `b` is published.
    fn merged(cleared: &ClearTimes, at_ms: i64, now_ms: i64) -> (Vec<Subject>, Vec<Subject>) {
        let mut health = Health::default();
        health.merge(published(&[("a", at_ms)]), |_| false);
        let anew = health.merge_but(cleared, published(&[("b", at_ms)]), |other| *other == subject("a"), now_ms);
        assert!(anew.iter().all(|(_, since_ms)| *since_ms == at_ms));
        (
            health.troubled().map(|(known, _)| known.clone()).collect(),
            anew.into_iter().map(|(known, _)| known).collect(),
        )
    }

    fn subjects(names: &[&str]) -> Vec<Subject> {
        names.iter().copied().map(subject).collect()
    }

    #[test]
    fn what_began_before_it_was_cleared_is_over_whoever_tells_of_it() {
        for at_ms in [NOW_MS - 1, NOW_MS] {
            assert_eq!(merged(&cleared(None), at_ms, NOW_MS + 9), (subjects(&[]), subjects(&["b", "a"])));
        }
        assert_eq!(merged(&cleared(Some("a")), NOW_MS - 1, NOW_MS + 9), (subjects(&["b"]), subjects(&["a"])));
        assert_eq!(merged(&cleared(Some("b")), NOW_MS - 1, NOW_MS + 9), (subjects(&["a"]), subjects(&["b"])));
    }

    #[test]
    fn what_began_later_is_not() {
        assert_eq!(merged(&cleared(None), NOW_MS + 1, NOW_MS + 9), (subjects(&["a", "b"]), subjects(&[])));
        assert_eq!(merged(&ClearTimes::default(), NOW_MS, NOW_MS), (subjects(&["a", "b"]), subjects(&[])));
    }

    #[test]
    fn a_clock_that_was_set_back_ends_nothing() {
        let an_hour_ago_ms = NOW_MS - 3_600_000;
        assert_eq!(merged(&cleared(None), an_hour_ago_ms, an_hour_ago_ms + 9), (subjects(&["a", "b"]), subjects(&[])));
    }

    #[test]
    fn what_is_gone_from_the_store_already_is_not_deleted_again() {
        let mut health = Health::default();
        health.merge(published(&[("a", NOW_MS - 1)]), |_| false);
        assert!(health.merge_but(&cleared(None), BTreeMap::new(), |_| false, NOW_MS + 9).is_empty());
        assert!(health.is_calm());
    }

    #[test]
    fn no_more_subjects_are_remembered_than_a_bound() {
        let mut cleared = ClearTimes::default();
        for index in 0..300 {
            cleared.add(Some(&subject(&format!("c-{index}"))), NOW_MS + index);
        }
        assert_eq!(cleared.subjects.len(), KNOWN_MAX);
        let is_known = |name: &str| cleared.subjects.contains_key(&subject(name));
        assert!(!is_known("c-0") && is_known("c-299"));
        cleared.add(None, NOW_MS + 300);
        assert!(cleared.subjects.is_empty(), "they are among all");
    }
}
