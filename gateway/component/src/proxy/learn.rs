//! What an instance learns from an attempt: the health of its subjects, and the limits that providers tell.

use std::rc::Rc;

use gateway_core::candidate::{Attempt, AttemptParts};
use gateway_core::clock::Now;
use gateway_core::health::Subjects;
use gateway_core::outcome::{self, Lesson, Outcome};
use gateway_core::verdict::Verdict;

use crate::host;
use crate::instance::Instance;
use crate::relay::RelayResult;
use crate::store::health::{self, AnswerTime};
use crate::store::{parameters, signals};

/// An attempt that something is learnt from.
pub(super) struct Learner<'i> {
    pub(super) instance: &'i Rc<Instance>,
    pub(super) subjects: &'i Subjects,
    /// When the attempt began.
    pub(super) started_at: Now,
}

impl Learner<'_> {
    /// Learns from an outcome, before anything has reached the client.
    pub(super) fn outcome(&self, outcome: &Outcome, verdict: Verdict, words: Option<&str>, took: AnswerTime) {
        match outcome::lesson(outcome, verdict, words) {
            Lesson::Nothing => {}
            Lesson::Begun => health::begun(self.instance, self.subjects, self.started_at.steady_ms, took),
            Lesson::Noted(verdict, message) => {
                health::note(self.instance, self.subjects, verdict, &message, self.started_at.steady_ms);
            }
        }
    }

    /// Learns the limits that the provider told, given the headers of its answer. The time is `took_ms` after the
    /// start, since few answers tell limits and asking for the time costs a call of the host.
    pub(super) fn limits(&self, outcome: &Outcome, headers: Option<&[(String, Vec<u8>)]>, took_ms: u64) {
        if let Some(news) = outcome::limit_news(outcome, headers, self.started_at.after(took_ms)) {
            health::used_up(self.instance, self.subjects, &news.used_up());
            signals::learn(self.instance, self.subjects, news.signals);
        }
    }

    /// Notes a parameter that the target refused, for an operator.
    pub(super) fn parameter(&self, to: AttemptParts<'_>, parameter: String) {
        let (instance, to) = (self.instance.clone(), parameters::target(to));
        host::spawn(async move { parameters::save(&instance, to, parameter).await });
    }

    /// Learns from the end of an answer. `request` is the request, if it was kept.
    pub(super) fn end(&self, ended: &mut RelayResult, attempt: &Attempt, request: Option<&[u8]>) {
        let (observation, error) = (&mut ended.observation, ended.error.as_ref());
        let (verdict, message) = outcome::lesson_of_end(observation, error, attempt.parts(), request);
        health::note(self.instance, self.subjects, verdict, &message, self.started_at.steady_ms);
    }
}
