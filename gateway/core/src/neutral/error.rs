//! Errors in no dialect's words.

/// An error that a client is told: one that a provider reported, or llmio's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiError {
    /// What it says.
    pub message: String,
    /// The HTTP status it stands for, where that is known.
    pub status: Option<u16>,
    /// OpenAI's `code`, a stable word for programs.
    pub code: Option<String>,
    /// OpenAI's `param`: the member or header it is about.
    pub param: Option<String>,
    /// The conversation is longer than the model takes. Agents look for this one thing and make theirs shorter.
    pub is_too_long: bool,
    /// What only llmio's own errors say.
    pub own: Option<OwnError>,
}

/// What llmio's own errors say beside their message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnError {
    /// In how many seconds to try again.
    pub retry_after_s: Option<u64>,
    /// The caller's own budget in money is spent.
    pub is_budget: bool,
}

impl ApiError {
    /// The provider's answer or a part of it cannot be used: 502.
    pub(crate) fn bad_gateway(message: impl Into<String>) -> Self {
        ApiError { message: message.into(), status: Some(502), ..ApiError::default() }
    }
}
