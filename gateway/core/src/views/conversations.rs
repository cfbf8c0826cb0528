//! Calls that belong together, as their clients say by the session that they name.

use serde::Serialize;

use super::LookedView;

/// The answer of `GET /api/records/sessions`.
#[derive(Debug, Default, Serialize)]
pub struct ConversationsView {
    /// The sessions of the calls that were looked at, the one with the latest call first.
    pub sessions: Vec<ConversationView>,
    /// How far the look went, if there are older calls.
    pub looked: Option<LookedView>,
}

/// A session. Unknown numbers are not in the sums.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConversationView {
    /// What clients call it.
    pub session: String,
    /// The caller's name.
    pub key: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// When its first call of those was accepted, Unix milliseconds.
    pub since_ms: i64,
    /// When its last one was.
    pub last_ms: i64,
    /// How many there are.
    pub calls: u64,
    /// Those that were served, but not by the first attempt.
    pub failed_over: u64,
    /// Those that no provider served.
    pub not_served: u64,
    /// The models that were asked for.
    pub models: Vec<String>,
    /// Who answered, or was asked last.
    pub providers: Vec<String>,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Of these, read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// What they cost, in nano-dollars.
    pub cost_nano: u64,
}
