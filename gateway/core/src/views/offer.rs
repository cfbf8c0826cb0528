//! The models that a provider offers.

use serde::Serialize;

/// The answer of `GET /api/providers/{name}/models`.
#[derive(Debug, Serialize)]
pub struct OfferView {
    /// The provider's name.
    pub provider: String,
    /// The label of the credential that was used.
    pub credential: Option<String>,
    /// The provider's own names for its models, in its order.
    pub models: Vec<String>,
    /// The model to try first.
    pub suggested: Option<String>,
    /// How long the provider took to answer.
    pub latency_ms: u64,
}
