//! What a provider offers.

use serde::Serialize;

/// What `GET /api/providers/{name}/models` answers.
#[derive(Debug, Serialize)]
pub struct OfferView {
    /// The provider's name.
    pub provider: String,
    /// The label of the credential it was asked with.
    pub credential: Option<String>,
    /// The provider's own names, in its order.
    pub models: Vec<String>,
    /// The one to try first.
    pub suggested: Option<String>,
    /// What the answer took.
    pub latency_ms: u64,
}
