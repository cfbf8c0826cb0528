//! What providers known by name give away to everybody, as they have published it. Applied only where a document asks for
//! it with `known_quotas = true`: most accounts that pay have more, and none is to be throttled because llmio does not know
//! that it pays.
//!
//! Gemini has none here: Google shows the limits of a project to its owner and publishes no numbers, and those are learnt
//! from its errors.

use crate::catalog::{Per, Source};

/// A quota that a provider has published.
pub(in crate::catalog) struct KnownQuota {
    pub(in crate::catalog) models: &'static [&'static str],
    pub(in crate::catalog) per: Per,
    pub(in crate::catalog) rpm: Option<u64>,
    pub(in crate::catalog) rpd: Option<u64>,
    /// Where its days begin.
    pub(in crate::catalog) zone: &'static str,
    pub(in crate::catalog) source: Source,
}

/// Of an account that has bought less than ten dollars' worth, all `:free` models together and each UTC day.
pub(super) const OPENROUTER: [KnownQuota; 1] = [KnownQuota {
    models: &["*:free"],
    per: Per::Pool,
    rpm: Some(20),
    rpd: Some(50),
    zone: "UTC",
    source: Source { as_of: "2026-11-24", url: "https://openrouter.ai/docs/api-reference/limits" },
}];

/// Of an account. How much of it one model may take changes, and is learnt from the answers.
pub(super) const MODELSCOPE: [KnownQuota; 1] = [KnownQuota {
    models: &[],
    per: Per::Pool,
    rpm: None,
    rpd: Some(2000),
    zone: "Asia/Shanghai",
    source: Source { as_of: "2026-11-24", url: "https://docs.cherry-ai.com/en-us/pre-basic/providers/modelscope" },
}];

#[cfg(test)]
mod tests {
    use crate::catalog::preset::{PRESETS, Preset};
    use crate::catalog::schema::format;

    #[test]
    fn every_known_quota_is_a_presets_says_when_and_where_it_was_read_and_can_hold() {
        for Preset { name, quotas, .. } in PRESETS {
            for quota in *quotas {
                assert!(quota.source.as_of.parse::<jiff::civil::Date>().is_ok(), "{name}");
                assert_eq!(format::http_url(quota.source.url).unwrap().scheme, "https", "{name}");
                assert!(format::zone(quota.zone).is_ok(), "{name}");
                assert!(quota.models.iter().all(|model| format::model_pattern(model).is_ok()), "{name}");
                assert!(quota.rpm.is_some() || quota.rpd.is_some(), "{name}");
            }
        }
    }
}
