//! Health: who is kept out of use and until when, and how quick targets are.

use serde::Serialize;

use crate::catalog::Catalog;
use crate::health::{Health, Standing, Subject, TargetLatency, Trouble};

/// Everything in trouble. What is not listed can be used.
#[derive(Debug, Serialize)]
pub struct HealthView {
    /// When it was looked at, Unix milliseconds.
    pub now_ms: i64,
    /// Who is in trouble.
    pub subjects: Vec<SubjectView>,
    /// How quick targets have been within the last minute.
    pub latencies: Vec<LatencyView>,
}

/// A subject in trouble.
#[derive(Debug, Serialize)]
pub struct SubjectView {
    /// What it is cleared by.
    pub subject: Subject,
    /// What sort of thing it is.
    pub kind: &'static str,
    /// What people know it by.
    pub name: String,
    /// What keeps it out of use.
    pub trouble: Trouble,
    /// What was said last: a status or an error.
    pub said: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// Until when.
    pub until_ms: i64,
    /// Whether that is over, and the next call finds out whether it works again.
    pub over: bool,
    /// How often in a row it came to this.
    pub in_a_row: u32,
}

/// How long streams of a target take to their first content, or other answers to come, as the strategy `latency` sees it.
#[derive(Debug, Serialize)]
pub struct LatencyView {
    /// What people know the target by.
    pub target: String,
    /// Of streams, and not of answers that come whole.
    pub streamed: bool,
    /// The weighted mean, in whole milliseconds.
    pub first_content_ms: f64,
    /// When the last of them came, Unix milliseconds.
    pub as_of_ms: i64,
}

/// What was taken back.
#[derive(Debug, Serialize)]
pub struct ClearedView {
    /// Who was in trouble.
    pub cleared: Vec<Subject>,
}

impl SubjectView {
    /// Everybody in trouble.
    pub fn all(health: &Health, catalog: &Catalog, now_ms: i64) -> Vec<Self> {
        health.troubled().map(|(subject, standing)| SubjectView::of(subject, standing, catalog, now_ms)).collect()
    }

    fn of(subject: &Subject, standing: &Standing, catalog: &Catalog, now_ms: i64) -> Self {
        SubjectView {
            subject: subject.clone(),
            kind: subject.kind(),
            name: subject.name(catalog),
            trouble: standing.trouble,
            said: standing.said.clone(),
            since_ms: standing.at_ms,
            until_ms: standing.ends_ms(now_ms),
            over: standing.until_ms <= now_ms,
            in_a_row: standing.step.saturating_add(1),
        }
    }
}

impl LatencyView {
    /// What is shown of a target's.
    pub fn of(latency: &TargetLatency, catalog: &Catalog) -> Self {
        LatencyView {
            target: latency.target.name(catalog),
            streamed: latency.is_streamed,
            first_content_ms: latency.first_content_ms.round(),
            as_of_ms: latency.as_of_ms,
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
        let shown = |now_ms| serde_json::to_string(&SubjectView::all(&health, &catalog(), now_ms)).expect("JSON");
        assert_eq!(
            shown(2_000),
            r#"[{"subject":"lane/p/m","kind":"lane","name":"p on m","trouble":"cooling","said":"429: slow down","since_ms":1000,"until_ms":6000,"over":false,"in_a_row":1}]"#
        );
        assert!(shown(6_000).contains(r#""over":true"#));
    }

    #[test]
    fn a_latency_is_shown_in_whole_milliseconds() {
        let target = Subject::target("p".into(), Models::of("m".into()));
        let latency = TargetLatency { target, is_streamed: true, first_content_ms: 12.6, as_of_ms: 7 };
        assert_eq!(
            serde_json::to_string(&LatencyView::of(&latency, &catalog())).expect("JSON"),
            r#"{"target":"p/m","streamed":true,"first_content_ms":13.0,"as_of_ms":7}"#
        );
    }
}
