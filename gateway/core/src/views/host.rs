//! What the gateway tells its host and its monitors.

use serde::Serialize;

use crate::accept::host::{self, ID_PLACE, PathAnswers};
use crate::catalog::Settings;

/// What the host needs to know: the answers that it gives if the component cannot, and the proxies behind which many
/// clients share one address.
#[derive(Debug, Serialize)]
pub struct HostView {
    /// The placeholder for a call's id in these answers.
    pub id_place: &'static str,
    /// The answers, by path prefix.
    pub answers: Vec<PathAnswers>,
    /// The networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
}

impl HostView {
    /// The view for these settings.
    pub fn of(settings: &Settings) -> Self {
        let trusted_proxies = settings.trusted_proxies.iter().map(ToString::to_string).collect();
        HostView { id_place: ID_PLACE, answers: host::answers(), trusted_proxies }
    }
}

/// The answer to a request that asks whether the gateway is alive.
#[derive(Debug, Serialize)]
pub struct AliveView {
    /// Always `ok`: a gateway that is not alive does not answer.
    pub status: &'static str,
}

impl AliveView {
    /// The only answer there is.
    pub const OK: Self = AliveView { status: "ok" };
}

/// Whether calls can be served, and what is in trouble although they can.
#[derive(Debug, Serialize)]
pub struct ReadyView {
    /// `ok` or `degraded`.
    pub status: &'static str,
    /// What does not work as it should.
    pub degraded: Vec<String>,
    /// Which calls are refused.
    pub refusing: Vec<&'static str>,
    /// The version of the catalog in force.
    pub catalog: String,
}

impl ReadyView {
    /// A view with the right status.
    pub fn of(degraded: Vec<String>, refusing: Vec<&'static str>, catalog: String) -> Self {
        let status = if degraded.is_empty() { "ok" } else { "degraded" };
        ReadyView { status, degraded, refusing, catalog }
    }
}

/// The answer of `POST /api/maintain`.
#[derive(Debug, Serialize)]
pub struct MaintenanceView {
    /// How many records were deleted because their retention was over.
    pub records_deleted: usize,
    /// How many calls were marked as interrupted, because nobody will report their end.
    pub records_interrupted: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_ready_and_has_no_trouble_is_ok() {
        let shown = |degraded: &[&str]| {
            let degraded = degraded.iter().map(|each| (*each).to_owned()).collect();
            serde_json::to_string(&ReadyView::of(degraded, Vec::new(), "\"1\"".into())).expect("JSON")
        };
        assert_eq!(serde_json::to_string(&AliveView::OK).expect("JSON"), r#"{"status":"ok"}"#);
        assert_eq!(shown(&[]), r#"{"status":"ok","degraded":[],"refusing":[],"catalog":"\"1\""}"#);
        assert!(shown(&["records: off"]).starts_with(r#"{"status":"degraded","degraded":["records: off"]"#));
    }
}
