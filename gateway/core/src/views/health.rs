//! Health: which subjects are paused and until when, and the latencies of targets.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::clock::Now;
use crate::health::{Health, Standing, Subject, TargetLatency, Trouble};

/// Every subject in trouble. Subjects that are not listed can be used.
#[derive(Debug, Serialize)]
pub struct HealthView {
    /// The time of the answer, in Unix milliseconds.
    pub now_ms: i64,
    /// The subjects in trouble.
    pub subjects: Vec<SubjectView>,
    /// The latencies of targets within the last minute.
    pub latencies: Vec<LatencyView>,
    /// Parameters of requests that targets have refused, and that are still sent to them.
    pub refused_parameters: Vec<RefusedParameterView>,
    /// What will keep targets from serving although nothing does now: models that their providers will shut down.
    pub warnings: Vec<String>,
}

/// A subject in trouble.
#[derive(Debug, Serialize)]
pub struct SubjectView {
    /// The subject, as `POST /api/health/reset` takes it.
    pub subject: Subject,
    /// The kind of subject.
    pub kind: &'static str,
    /// The subject's name for people.
    pub name: String,
    /// The trouble that keeps it from being used.
    pub trouble: Trouble,
    /// The last status or error.
    #[serde(rename = "said")]
    pub message: String,
    /// When the trouble began, in Unix milliseconds.
    pub since_ms: i64,
    /// When the subject may be used again.
    pub until_ms: i64,
    /// Whether that time is over, so that the next call tries the subject.
    pub over: bool,
    /// How many times in a row it came to this.
    pub in_a_row: u32,
}

/// How long streams of a target take to their first content, or whole answers to come, as the strategy `latency` sees
/// it.
#[derive(Debug, Serialize)]
pub struct LatencyView {
    /// The target's name for people.
    pub target: String,
    /// Whether this is the latency of streams, and not of whole answers.
    pub streamed: bool,
    /// The weighted mean, in whole milliseconds.
    pub first_content_ms: f64,
    /// When the last of these answers came, in Unix milliseconds.
    pub as_of_ms: i64,
}

/// A parameter that a target refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedParameterView {
    /// The provider.
    pub provider: String,
    /// That provider's own name for the model.
    pub model: String,
    /// The parameter, as the client sent it.
    pub parameter: String,
    /// How often it was refused.
    pub calls: u64,
    /// When the last time was, in Unix milliseconds.
    pub last_ms: i64,
}

impl RefusedParameterView {
    /// Whether any target of the catalog is still sent it.
    pub fn is_sent(&self, catalog: &Catalog) -> bool {
        let targets = catalog.models.iter().flat_map(|model| model.targets.iter().map(move |target| (model, target)));
        let mut own = targets.filter(|(model, target)| {
            *target.provider.name == *self.provider && **target.model.as_ref().unwrap_or(&model.name) == *self.model
        });
        own.any(|(_, target)| {
            let adjustments = target.adjustments.as_ref();
            adjustments.is_none_or(|adjustments| adjustments.remove.iter().all(|name| *name != self.parameter))
        })
    }
}

/// The answer of `POST /api/targets/leave-out`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LeftOutView {
    /// For how many targets the parameter is left out.
    pub targets: usize,
}

/// The answer of `POST /api/health/reset`.
#[derive(Debug, Serialize)]
pub struct ClearedView {
    /// The subjects that were in trouble and no longer are.
    pub cleared: Vec<Subject>,
}

impl SubjectView {
    /// Views of all subjects in trouble.
    pub fn all(health: &Health, catalog: &Catalog, now: Now) -> Vec<Self> {
        health.troubled().map(|(subject, standing)| SubjectView::of(subject, standing, catalog, now)).collect()
    }

    fn of(subject: &Subject, standing: &Standing, catalog: &Catalog, now: Now) -> Self {
        SubjectView {
            subject: subject.clone(),
            kind: subject.kind(),
            name: subject.name(catalog),
            trouble: standing.trouble,
            message: standing.message.clone(),
            since_ms: now.shown_ms(standing.at_ms),
            until_ms: now.shown_ms(standing.ends_ms(now.steady_ms)),
            over: standing.until_ms <= now.steady_ms,
            in_a_row: standing.step.saturating_add(1),
        }
    }
}

impl LatencyView {
    /// The view of a target's latency.
    pub fn of(latency: &TargetLatency, catalog: &Catalog, now: Now) -> Self {
        LatencyView {
            target: latency.target.name(catalog),
            streamed: latency.is_streamed,
            first_content_ms: latency.first_content_ms.round(),
            as_of_ms: now.shown_ms(latency.as_of_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;
    use crate::health::{AttemptTime, Models, Subjects};
    use crate::verdict::{Class, Verdict};

    fn catalog() -> Catalog {
        let text = "providers = [{ name = \"p\", base_url = \"https://p.example/v1\" }]";
        Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog")
    }

    #[test]
    fn a_subject_is_shown_with_its_key_its_name_and_its_wait() {
        let mut health = Health::default();
        let at = AttemptTime { started_ms: 1_000, now_ms: 1_000, jitter: 0.5 };
        health.note(&Subjects::of("p", "m", None, None), Verdict::of(Class::Rate), "429: slow down", at);
        let shown =
            |now_ms| serde_json::to_string(&SubjectView::all(&health, &catalog(), Now::of_wall(now_ms))).expect("JSON");
        assert_eq!(
            shown(2_000),
            r#"[{"subject":"lane/p/m","kind":"lane","name":"p on m","trouble":"cooling","said":"429: slow down","since_ms":1000,"until_ms":6000,"over":false,"in_a_row":1}]"#
        );
        assert!(shown(6_000).contains(r#""over":true"#));
        let set = Now { wall_ms: 28_802_000, steady_ms: 2_000 };
        let shown = SubjectView::all(&health, &catalog(), set);
        let times = shown.iter().map(|shown| (shown.since_ms, shown.until_ms, shown.over)).collect::<Vec<_>>();
        assert_eq!(times, [(28_801_000, 28_806_000, false)], "by the wall clock as it is now");
    }

    #[test]
    fn a_latency_is_shown_in_whole_milliseconds() {
        let target = Subject::target("p".into(), Models::of("m".into()));
        let latency = TargetLatency { target, is_streamed: true, first_content_ms: 12.6, as_of_ms: 7 };
        assert_eq!(
            serde_json::to_string(&LatencyView::of(&latency, &catalog(), Now::of_wall(9))).expect("JSON"),
            r#"{"target":"p/m","streamed":true,"first_content_ms":13.0,"as_of_ms":7}"#
        );
    }
}
