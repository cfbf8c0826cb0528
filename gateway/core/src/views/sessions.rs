//! Sessions of the console, for whoever lists and ends them.

use serde::Serialize;

/// The answer of `GET /api/sessions`.
#[derive(Debug, Serialize)]
pub struct SessionsView {
    /// Those that have not ended, newest first.
    pub sessions: Vec<SessionView>,
}

/// A session.
#[derive(Debug, Serialize)]
pub struct SessionView {
    /// What it is ended by: the beginning of what is kept of its secret.
    pub id: String,
    /// The key that it was opened with; absent where that was the admin token.
    pub key: Option<String>,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Until when it may last.
    pub until_ms: i64,
    /// The address that opened it.
    pub client: Option<String>,
    /// What the browser said of itself.
    pub user_agent: Option<String>,
}

/// The answer of `POST /api/sessions`: a link that signs one browser in as admin, once.
#[derive(Debug, Serialize)]
pub struct LinkView {
    /// The address, relative to llmio's own.
    pub path: String,
    /// Until when it can be used, Unix milliseconds.
    pub until_ms: i64,
}
