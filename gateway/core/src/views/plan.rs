//! Which way a request would go now, and why not another.

use serde::Serialize;

use crate::record::DecisionRecord;
use crate::refusal::Refusal;

/// What `POST /api/route` answers.
#[derive(Debug, Serialize)]
pub struct PlanView {
    /// The model's own name.
    pub model: String,
    /// The decision in the same form as a record's.
    pub decision: DecisionRecord,
    /// What the client would be told where there is no way.
    pub refusal: Option<RefusalView>,
}

/// What a client would be told.
#[derive(Debug, Serialize)]
pub struct RefusalView {
    /// The HTTP status.
    pub status: u16,
    /// For people.
    pub message: String,
    /// When it is worth to come back.
    pub retry_after_s: Option<u64>,
}

impl From<Refusal> for RefusalView {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, message, retry_after_s, .. } = refusal;
        RefusalView { status, message, retry_after_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_as_its_client_would_get_it() {
        let refusal = Refusal::unavailable("no_target", "None can.").after(3);
        let view = PlanView { model: "m".into(), decision: DecisionRecord::default(), refusal: Some(refusal.into()) };
        assert_eq!(
            serde_json::to_string(&view).expect("JSON"),
            r#"{"model":"m","decision":{"candidates":[],"draw":""},"refusal":{"status":503,"message":"None can.","retry_after_s":3}}"#
        );
    }
}
