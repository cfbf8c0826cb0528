//! Errors in a form that belongs to no dialect.

/// An error that a client gets: one that a provider reported, or llmio's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiError {
    /// The message.
    pub message: String,
    /// The HTTP status that it stands for, if that is known.
    pub status: Option<u16>,
    /// OpenAI's `code`, a stable word for programs.
    pub code: Option<String>,
    /// OpenAI's `param`: the member or header it is about.
    pub param: Option<String>,
    /// Whether the conversation is too long for the model. Agents look for this error and shorten the conversation.
    pub is_too_long: bool,
    /// What only llmio's own errors have.
    pub own: Option<OwnError>,
}

/// What llmio's own errors have besides their message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnError {
    /// After how many seconds to try again.
    pub retry_after_s: Option<u64>,
    /// Whether the caller's own budget in money is spent.
    pub is_budget: bool,
}

impl ApiError {
    /// The error of an answer that cannot be used, or of a part of it: 502.
    pub(crate) fn bad_gateway(message: impl Into<String>) -> Self {
        ApiError { message: message.into(), status: Some(502), ..ApiError::default() }
    }
}
