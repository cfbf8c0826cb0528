//! What providers give to everybody for free, as they published it. It only applies if a catalog says `known_quotas =
//! true`, since paying accounts usually have more, and must not be limited because llmio does not know that they pay.
//!
//! Gemini has none here: Google shows a project's limits to its owner and publishes no numbers. They are learned from
//! its errors.

use crate::profile::Source;

/// A published quota of each account.
#[derive(Debug, Clone, Copy)]
pub struct KnownQuota {
    /// The models that share it; all if the list is empty.
    pub models: &'static [&'static str],
    /// Requests a minute.
    pub rpm: Option<u64>,
    /// Requests a day.
    pub rpd: Option<u64>,
    /// The time zone of its days.
    pub zone: &'static str,
    /// Where it was published.
    pub source: Source,
}

/// For an account that has bought less than ten dollars' worth: all `:free` models together, for each UTC day.
pub(super) const OPENROUTER: [KnownQuota; 1] = [KnownQuota {
    models: &["*:free"],
    rpm: Some(20),
    rpd: Some(50),
    zone: "UTC",
    source: Source { as_of: "2026-11-24", url: "https://openrouter.ai/docs/api-reference/limits" },
}];

/// How much of it one model may use changes, and is learned from the answers.
pub(super) const MODELSCOPE: [KnownQuota; 1] = [KnownQuota {
    models: &[],
    rpm: None,
    rpd: Some(2000),
    zone: "Asia/Shanghai",
    source: Source { as_of: "2026-11-24", url: "https://docs.cherry-ai.com/en-us/pre-basic/providers/modelscope" },
}];
