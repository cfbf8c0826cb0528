//! Where a request would be sent now, and why not elsewhere.

use serde::Serialize;

use crate::record::DecisionRecord;
use crate::refusal::Refusal;

/// The answer of `POST /api/route`.
#[derive(Debug, Serialize)]
pub struct PlanView {
    /// The model's name in the catalog.
    pub model: String,
    /// The decision, in the form that records have.
    pub decision: DecisionRecord,
    /// What the client would be told if no target can serve the request.
    pub refusal: Option<RefusalView>,
}

/// A refusal as a client would get it.
#[derive(Debug, Serialize)]
pub struct RefusalView {
    /// The HTTP status.
    pub status: u16,
    /// The message for people.
    pub message: String,
    /// After how many seconds it is worth trying again.
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
