//! The result of testing one target with one credential, as the admin API answers it.

use serde::Serialize;

use crate::candidate::AttemptParts;
use crate::health::Subject;
use crate::observation::Observation;
use crate::operation::Operation;
use crate::outcome::{Outcome, SendError};
use crate::record::kept_text;
use crate::refusal::Reply;
use crate::usage::Usage;
use crate::verdict::Class;

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialReport {
    /// Whether the target answered to the end.
    pub passed: bool,
    /// `provider/upstream-model`
    pub target: String,
    /// The credential's label.
    pub credential: Option<String>,
    /// The endpoint's name.
    pub endpoint: &'static str,
    /// The status that the provider answered.
    pub status: Option<u16>,
    /// The class of the outcome, if the request was sent.
    pub class: Option<&'static str>,
    /// Why it did not pass, if the answer does not say it.
    pub error: Option<String>,
    /// When the first content came, in milliseconds after the test began.
    pub first_content_ms: Option<u64>,
    /// How long the test took.
    pub duration_ms: u64,
    /// The usage that the provider reported.
    pub usage: Usage,
    /// The beginning of the answer as a client would have got it.
    pub answer: String,
    /// The subjects that are no longer paused.
    pub cleared: Vec<Subject>,
    /// The record's id.
    pub record: String,
}

impl TrialReport {
    /// A test that has not been sent.
    pub fn begin(to: AttemptParts<'_>, operation: Operation, record: &str) -> Self {
        TrialReport {
            passed: false,
            target: String::new(),
            credential: to.credential.map(|credential| credential.label.clone()),
            endpoint: operation.name(),
            status: None,
            class: None,
            error: None,
            first_content_ms: None,
            duration_ms: 0,
            usage: Usage::default(),
            answer: String::new(),
            cleared: Vec::new(),
            record: record.to_owned(),
        }
    }

    /// Notes the outcome of the attempt.
    pub fn attempted(&mut self, outcome: &Outcome, class: Class) {
        self.class = Some(class.name());
        match outcome {
            Outcome::Head(status) | Outcome::Contentless(status) => self.status = Some(*status),
            Outcome::Answered(error) => {
                self.status = Some(error.status);
                self.answer = String::from_utf8_lossy(&error.body).into_owned();
            }
            Outcome::Failed(error) => self.error = Some(message_of(error)),
            Outcome::NotSent(_) => self.class = None,
        }
    }

    /// Notes what was seen of an answer by its end, and its beginning.
    pub fn ended(&mut self, observation: &Observation, error: Option<&SendError>, beginning: &[u8]) {
        let observed = observation.error.as_ref().map(|error| kept_text(&error.message));
        let error = error.map(message_of);
        self.passed = error.is_none() && observed.is_none();
        self.error = error.or(observed);
        self.first_content_ms = observation.first_content_ms;
        self.usage = observation.usage;
        self.answer = String::from_utf8_lossy(beginning).into_owned();
    }

    /// Notes an answer whose body is known.
    pub fn replied(&mut self, reply: &Reply) {
        self.passed = reply.status < 300;
        self.answer = String::from_utf8_lossy(&reply.body).into_owned();
    }

    /// Ends the test.
    pub fn finish(&mut self, to: AttemptParts<'_>, duration_ms: u64) {
        self.answer = to.secrets().hidden(&self.answer);
        self.error = self.error.take().map(|observed| to.secrets().hidden(&observed));
        self.duration_ms = duration_ms;
    }
}

fn message_of(error: &SendError) -> String {
    format!("The provider {}.", error.describe())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::{Skip, SkipReason};
    use crate::catalog::{Catalog, Document};
    use crate::dialect::Dialect;
    use crate::observation::StreamError;
    use crate::outcome::UpstreamError;

    fn catalog() -> Catalog {
        let text = "models = [{ name = \"m\", targets = [\"p/upstream\"] }]\n[[providers]]\nname = \"p\"\n\
                    base_url = \"https://p.example/v1\"\ncredentials = [\"sk-secret-of-p\"]";
        let mut catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
        catalog.resolve(None, &|_| None);
        catalog
    }

    fn report(fill: impl FnOnce(&mut TrialReport)) -> TrialReport {
        let catalog = catalog();
        let target = &catalog.models[0].targets[0];
        let credential = target.provider.credentials.first().map(|credential| &**credential);
        let to = AttemptParts { target, provider: &target.provider, upstream_model: "upstream", credential };
        let mut report = TrialReport::begin(to, Operation::Chat, "id");
        fill(&mut report);
        report.finish(to, 5);
        report
    }

    #[test]
    fn it_passes_only_with_an_answer_that_came_to_its_end() {
        let seen = Observation { first_content_ms: Some(3), ..Observation::default() };
        let good = report(|report| report.ended(&seen, None, b"hi"));
        assert_eq!((good.passed, good.error, good.first_content_ms, good.answer.as_str()), (true, None, Some(3), "hi"));
        let cut = report(|report| report.ended(&seen, Some(&SendError::Truncated), b"h"));
        assert_eq!((cut.passed, cut.error), (false, Some(message_of(&SendError::Truncated))));
        let error = StreamError { message: "broken".into(), status: None, data: Vec::new() };
        let seen = Observation { error: Some(error), ..Observation::default() };
        let broken = report(|report| report.ended(&seen, None, b""));
        assert_eq!((broken.passed, broken.error.as_deref()), (false, Some("broken")));
    }

    #[test]
    fn what_was_not_sent_has_no_class() {
        let skip = Outcome::NotSent(Skip::new(SkipReason::QuotaSpent, None));
        assert_eq!(report(|report| report.attempted(&skip, Class::Gone)).class, None);
        let failed = report(|report| report.attempted(&Outcome::Failed(SendError::ConnectTimeout), Class::Target));
        assert_eq!((failed.class, failed.status), (Some("target"), None));
        assert_eq!(failed.error, Some(message_of(&SendError::ConnectTimeout)));
    }

    #[test]
    fn an_answer_that_repeats_the_credential_is_shown_without_it() {
        let body = b"bad key sk-secret-of-p".to_vec();
        let dialect = Dialect::OpenaiChat;
        let refused = UpstreamError { status: 401, headers: Vec::new(), body, hint: None, dialect };
        let shown = report(|report| report.attempted(&Outcome::Answered(refused), Class::Credential));
        assert_eq!(shown.status, Some(401));
        assert!(!shown.answer.contains("sk-secret-of-p"), "{}", shown.answer);
    }
}
