//! What the host, and whoever watches it, are told of the gateway.

use serde::Serialize;

use crate::accept::host::{self, ID_PLACE, PathAnswers};
use crate::catalog::Settings;

/// What the host is to know: the answers that it gives where the component cannot, and the peers behind which many clients
/// stand.
#[derive(Debug, Serialize)]
pub struct HostView {
    /// What stands in those answers for a call's id.
    pub id_place: &'static str,
    /// They themselves, by the beginnings of paths.
    pub answers: Vec<PathAnswers>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
}

impl HostView {
    /// What these settings say.
    pub fn of(settings: &Settings) -> Self {
        let trusted_proxies = settings.trusted_proxies.iter().map(ToString::to_string).collect();
        HostView { id_place: ID_PLACE, answers: host::answers(), trusted_proxies }
    }
}

/// The answer of a request that asks whether the gateway is alive.
#[derive(Debug, Serialize)]
pub struct AliveView {
    /// Always `ok`: a gateway that is not alive does not answer.
    pub status: &'static str,
}

impl AliveView {
    /// The only answer there is.
    pub const OK: Self = AliveView { status: "ok" };
}

/// Whether calls can be served, and what is in trouble without stopping them.
#[derive(Debug, Serialize)]
pub struct ReadyView {
    /// `ok` or `degraded`.
    pub status: &'static str,
    /// What does not work as it should.
    pub degraded: Vec<String>,
    /// Whose calls are refused.
    pub refusing: Vec<&'static str>,
    /// The version of the catalog in force.
    pub catalog: String,
}

impl ReadyView {
    /// With the word that says whether anything is wrong.
    pub fn of(degraded: Vec<String>, refusing: Vec<&'static str>, catalog: String) -> Self {
        let status = if degraded.is_empty() { "ok" } else { "degraded" };
        ReadyView { status, degraded, refusing, catalog }
    }
}

/// What was cleaned up.
#[derive(Debug, Serialize)]
pub struct MaintenanceView {
    /// Records past their retention.
    pub records_deleted: usize,
    /// Calls that nobody will tell the end of any more.
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
