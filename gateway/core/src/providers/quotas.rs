//! What providers known by name give away to everybody, as they have published it. Applied only where a document asks for
//! it with `known_quotas = true`: most accounts that pay have more, and none is to be throttled because llmio does not know
//! that it pays.
//!
//! Gemini has none here: Google shows the limits of a project to its owner and publishes no numbers, and those are learnt
//! from its errors.

use crate::profile::Source;

/// A quota that a provider has published, of each account.
#[derive(Debug, Clone, Copy)]
pub struct KnownQuota {
    /// The models it covers, together; all where there are none.
    pub models: &'static [&'static str],
    /// Requests a minute.
    pub rpm: Option<u64>,
    /// Requests a day.
    pub rpd: Option<u64>,
    /// Where its days begin.
    pub zone: &'static str,
    /// Where it was published.
    pub source: Source,
}

/// Of an account that has bought less than ten dollars' worth, all `:free` models together and each UTC day.
pub(super) const OPENROUTER: [KnownQuota; 1] = [KnownQuota {
    models: &["*:free"],
    rpm: Some(20),
    rpd: Some(50),
    zone: "UTC",
    source: Source { as_of: "2026-11-24", url: "https://openrouter.ai/docs/api-reference/limits" },
}];

/// How much of it one model may take changes, and is learnt from the answers.
pub(super) const MODELSCOPE: [KnownQuota; 1] = [KnownQuota {
    models: &[],
    rpm: None,
    rpd: Some(2000),
    zone: "Asia/Shanghai",
    source: Source { as_of: "2026-11-24", url: "https://docs.cherry-ai.com/en-us/pre-basic/providers/modelscope" },
}];
