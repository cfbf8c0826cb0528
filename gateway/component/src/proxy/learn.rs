//! What an instance learns of an attempt: health and the limits that providers tell.

use std::rc::Rc;

use gateway_core::candidate::Attempt;
use gateway_core::health::Subjects;
use gateway_core::outcome::{self, Lesson, Outcome};
use gateway_core::verdict::Verdict;

use crate::instance::Instance;
use crate::relay::Ended;
use crate::store::health::{self, Took};
use crate::store::signals;

/// Of whom something is learnt.
pub(super) struct Learner<'i> {
    pub(super) instance: &'i Rc<Instance>,
    pub(super) subjects: &'i Subjects,
    /// When the attempt began, Unix milliseconds.
    pub(super) started_at_ms: i64,
}

impl Learner<'_> {
    /// Before anything reached the client.
    pub(super) fn outcome(&self, outcome: &Outcome, verdict: Verdict, words: Option<&str>, took: Took) {
        match outcome::lesson(outcome, verdict, words) {
            Lesson::Nothing => {}
            Lesson::Begun => health::begun(self.instance, self.subjects, self.started_at_ms, took),
            Lesson::Noted(verdict, said) => {
                health::note(self.instance, self.subjects, verdict, &said, self.started_at_ms);
            }
        }
    }

    /// What the attempt told of its provider's limits after `took_ms`; `headers` are those of an answer. Few tell
    /// anything, so the host's clock is not asked again.
    pub(super) fn limits(&self, outcome: &Outcome, headers: Option<&[(String, Vec<u8>)]>, took_ms: u64) {
        let now_ms = self.started_at_ms.saturating_add_unsigned(took_ms);
        if let Some(news) = outcome::limit_news(outcome, headers, now_ms) {
            health::used_up(self.instance, self.subjects, &news.used_up());
            signals::learn(self.instance, self.subjects, news.told);
        }
    }

    /// At the end of an answer to this request, where that is still at hand.
    pub(super) fn end(&self, ended: &mut Ended, attempt: &Attempt, request: Option<&[u8]>) {
        let (observation, error) = (&mut ended.observation, ended.error.as_ref());
        let (verdict, said) = outcome::lesson_of_end(observation, error, attempt.named(), request);
        health::note(self.instance, self.subjects, verdict, &said, self.started_at_ms);
    }
}
