//! Records that were not counted when they were written: those of a version that did not count, and those of calls whose end
//! only the host reported.

use super::{Counted, Facts};
use crate::record::AttemptRecord;
use crate::state::State;

/// The endpoints that ask no model.
const NO_OPERATIONS: [&str; 3] = ["relay", "files", "batches"];

/// What of such a record decides where it is counted.
#[derive(Debug, Clone, Default)]
pub struct Uncounted {
    /// Its id.
    pub id: String,
    /// The caller's name.
    pub key: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Whether the catalog of its time had that model: targets were looked at.
    pub is_model_known: bool,
    /// The endpoint's name.
    pub endpoint: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// How the call ended.
    pub state: String,
    /// The status the client saw.
    pub status: Option<i64>,
    /// The provider of the attempt that decided.
    pub provider: Option<String>,
    /// That provider's own name for the model.
    pub upstream_model: Option<String>,
    /// Every attempt.
    pub attempts: Vec<AttemptRecord>,
    /// When the first content came.
    pub first_content_ms: Option<i64>,
    /// How long the call took.
    pub duration_ms: Option<i64>,
}

impl Uncounted {
    /// Where it counts.
    pub fn counted(&self) -> Counted<'_> {
        let is_deciding = |attempt: &AttemptRecord| {
            Some(&attempt.provider) == self.provider.as_ref() && Some(&attempt.model) == self.upstream_model.as_ref()
        };
        let model = self.model.as_deref().unwrap_or_default();
        let unsigned = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        Counted::by(&Facts {
            key: self.key.as_deref().unwrap_or_default(),
            requested: model,
            model: self.is_model_known.then_some(model),
            is_relayed: self.endpoint.as_deref().is_some_and(|endpoint| NO_OPERATIONS.contains(&endpoint)),
            attempts: &self.attempts,
            decided_by: self.attempts.iter().rposition(is_deciding),
            user_agent: self.user_agent.as_deref(),
            state: State::named(&self.state).unwrap_or(State::Interrupted),
            status: self.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
            first_content_ms: unsigned(self.first_content_ms),
            duration_ms: unsigned(self.duration_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{FAILED_OVER, NOT_SERVED};

    #[test]
    fn a_record_of_before_counts_with_those_of_its_names() {
        let attempts = r#"[{"provider":"a","model":"x","class":"target","start_ms":1,"end_ms":2},{"provider":"b","model":"up","credential":"main","class":"ok","start_ms":3,"end_ms":4}]"#;
        let text = |text: &str| Some(text.to_owned());
        let record = Uncounted {
            key: text("laptop"),
            model: text("m"),
            is_model_known: true,
            state: "ok".to_owned(),
            provider: text("b"),
            upstream_model: text("up"),
            attempts: serde_json::from_str(attempts).expect("attempts"),
            ..Uncounted::default()
        };
        let counted = record.counted();
        let series = counted.series;
        assert_eq!((series.key, series.model, series.provider), ("laptop", Some("m"), Some("b")));
        assert_eq!((series.upstream_model, series.credential), (Some("up"), Some("main")));
        assert_eq!(counted.marks, FAILED_OVER);
        let by_host = Uncounted { state: "guest_trap".to_owned(), ..Uncounted::default() };
        assert_eq!((by_host.counted().series.model, by_host.counted().marks), (None, NOT_SERVED));
    }
}
