//! What joining the models of providers would do.

use serde::Serialize;

use crate::join::JoinPlan;

/// The answer of `POST /api/models/join/preview`.
#[derive(Debug, Serialize)]
pub struct JoinPreviewView {
    /// What would be joined and switched off.
    #[serde(flatten)]
    pub plan: JoinPlan,
    /// Providers that did not tell what they offer.
    pub failed: Vec<FailedProviderView>,
}

/// A provider that did not tell what it offers.
#[derive(Debug, Serialize)]
pub struct FailedProviderView {
    /// Its name.
    pub provider: String,
    /// Why.
    #[serde(rename = "said")]
    pub message: String,
}
