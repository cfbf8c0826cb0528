//! The providers known by name: what `preset = "…"` fills in, one row each.
//!
//! A provider that speaks several dialects has an address for each, so that every client's own dialect reaches it
//! untranslated. Addresses change: each row has the page it was taken from. Anything a document says itself wins over
//! its preset.
//!
//! Two that are asked for are not here: Cloudflare, whose address holds the account's id, and Cohere, which refuses the
//! `stream_options` that every stream is asked with
//! (<https://strandsagents.com/docs/user-guide/concepts/model-providers/cohere/>).

mod known;
mod rows;

use crate::dialect::{Auth, Dialect};

pub(super) use known::KnownQuota;
pub(super) use rows::PRESETS;

/// A provider known by name.
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// A base URL for each dialect it speaks. None: it answers inside the gateway.
    pub(super) endpoints: &'static [(Dialect, &'static str)],
    /// How it wants its credential, where that is not as each dialect has it.
    pub(super) auth: Option<Auth>,
    /// It is a server on this machine, and its private address is meant.
    pub(super) local: bool,
    /// What it gives away to everybody; see [`known`].
    pub(super) quotas: &'static [KnownQuota],
    /// The pages that give the addresses.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the reader; a test asserts that each row has them"))]
    pub(super) sources: &'static [&'static str],
}

/// The preset that answers inside the gateway.
pub(super) const ECHO: &str = "echo";

/// The preset of this name.
pub(super) fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::schema::format;

    #[test]
    fn every_preset_has_valid_addresses_with_a_source_and_a_name_of_its_own() {
        for preset in PRESETS {
            assert_eq!(PRESETS.iter().filter(|other| other.name == preset.name).count(), 1, "{}", preset.name);
            assert!(!preset.sources.is_empty(), "{}", preset.name);
            assert_eq!(preset.endpoints.is_empty(), preset.name == ECHO, "{}", preset.name);
            for (dialect, url) in preset.endpoints {
                let scheme = if preset.local { "http" } else { "https" };
                let url = format::http_url(url).unwrap();
                assert_eq!(url.scheme, scheme, "{}", preset.name);
                assert_eq!(url.authority.starts_with("127.0.0.1:"), preset.local, "{}", preset.name);
                assert_eq!(preset.endpoints.iter().filter(|(other, _)| other == dialect).count(), 1, "{}", preset.name);
            }
        }
    }
}
