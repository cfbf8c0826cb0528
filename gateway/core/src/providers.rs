//! The providers known by name, one row each. `preset = "…"` completes a provider of the catalog from its row, the
//! bundled prices find their list by it, and it names the headers that tell its limits.
//!
//! A provider that speaks several dialects has an address for each, so that every client's dialect reaches it
//! untranslated. Addresses change, so each row has the page it was taken from. What a catalog says itself counts more
//! than the preset.
//!
//! Cloudflare is no preset although people ask for it, since its address contains the account's id:
//! `https://api.cloudflare.com/client/v4/accounts/${CLOUDFLARE_ACCOUNT_ID}/ai/v1`.

mod counters;
mod limits;
mod quotas;
mod rows;

use crate::dialect::{Auth, Dialect};
use crate::uri::host_of;

pub use counters::{Counter, CounterPer, CounterReading, CounterUnit, counter};
pub use limits::{Counted, LimitForm, LimitHeaders, ResetForm, Span, limit_headers, may_tell_limits};
pub use quotas::KnownQuota;
use rows::PROVIDERS;

/// A provider known by name.
#[derive(Debug, Clone, Copy)]
pub struct KnownProvider {
    /// What catalogs call it.
    pub name: &'static str,
    /// A base URL for each dialect it speaks. None: it answers inside the gateway, or its address is one's own.
    pub endpoints: &'static [(Dialect, &'static str)],
    /// How it wants its credential, where that is not as each dialect has it.
    pub auth: Option<Auth>,
    /// It is a server on this machine, and its private address is meant.
    pub local: bool,
    /// What it gives away to everybody.
    pub quotas: &'static [KnownQuota],
    /// What it charges, where that is known.
    pub prices: Option<PriceList>,
    /// The headers in which it tells its limits.
    pub limits: &'static [LimitHeaders],
    /// What it can be asked of an account.
    pub counter: Option<&'static Counter>,
    /// It refuses `stream_options`, by which the usage of a chat stream is asked for.
    pub refuses_stream_options: bool,
    /// Its list of models says which of them it will shut down.
    pub announces: bool,
    /// It reviews tool calls for clients that ask for `safeguards`.
    pub safeguards: bool,
    /// The pages that give the addresses.
    pub sources: &'static [&'static str],
}

/// Where the bundled prices of a provider are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceList {
    /// What the bundled table calls it.
    pub id: &'static str,
    /// Its hosts, at most one `*` for anything in each.
    pub hosts: &'static [&'static str],
}

/// Whether the provider at this address is known to review tool calls for clients that ask for `safeguards`.
pub fn gives_safeguards(authority: &str) -> bool {
    at(authority).any(|known| known.safeguards)
}

/// Whether the provider at this address is known to refuse `stream_options`.
pub fn refuses_stream_options(authority: &str) -> bool {
    at(authority).any(|known| known.refuses_stream_options)
}

/// Whether the list of models of the provider at this address is known to say which of them it will shut down.
pub fn announces(authority: &str) -> bool {
    at(authority).any(|known| known.announces)
}

/// The presets with this address.
fn at(authority: &str) -> impl Iterator<Item = &'static KnownProvider> {
    let host = host_of(authority).trim_end_matches('.').to_ascii_lowercase();
    PROVIDERS.iter().filter(move |known| {
        let mut hosts = known.endpoints.iter().filter_map(|(_, url)| url.split("://").nth(1)?.split('/').next());
        hosts.any(|known| known == host)
    })
}

/// The preset that answers inside the gateway.
pub const ECHO: &str = "echo";

/// Those whose address everybody shares, in the order a list for choosing shows them.
pub fn presets() -> impl Iterator<Item = &'static KnownProvider> + Clone {
    PROVIDERS.iter().filter(|known| !known.endpoints.is_empty() || known.name == ECHO)
}

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static KnownProvider> {
    presets().find(|preset| preset.name == name)
}

/// What the bundled prices call the provider at this address, or of this name in the catalog where nobody knows the
/// address.
pub fn price_list<'n>(authority: Option<&str>, name: &'n str) -> &'n str {
    let lists = || PROVIDERS.iter().filter_map(|known| Some((known.name, known.prices?)));
    let host = authority.map(|authority| host_of(authority).trim_end_matches('.'));
    let by_host = host.and_then(|host| lists().find(|(_, list)| list.hosts.iter().any(|known| is_host(host, known))));
    let known = by_host.or_else(|| lists().find(|(known, _)| *known == name));
    known.map_or(name, |(_, list)| list.id)
}

fn is_host(host: &str, pattern: &str) -> bool {
    let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
    let (host, fits) = (host.as_bytes(), host.len() >= start.len() + end.len());
    let starts = host.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start.as_bytes()));
    let ends = || host.get(host.len() - end.len()..).is_some_and(|bytes| bytes.eq_ignore_ascii_case(end.as_bytes()));
    fits && starts && ends() && (pattern.contains('*') || host.len() == start.len())
}

/// The lists that some row names, for tests of the prices.
#[cfg(test)]
pub(crate) fn price_lists() -> impl Iterator<Item = PriceList> {
    PROVIDERS.iter().filter_map(|known| known.prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_its_own_name_sources_and_one_address_a_dialect() {
        for known in PROVIDERS {
            let name = known.name;
            assert_eq!(PROVIDERS.iter().filter(|other| other.name == name).count(), 1, "{name}");
            assert!(!known.sources.is_empty(), "{name}");
            assert!(preset(name).is_some() || known.prices.is_some(), "{name} says nothing");
            for (dialect, url) in known.endpoints {
                let start = if known.local { "http://127.0.0.1:" } else { "https://" };
                assert!(url.starts_with(start), "{name}: {url}");
                assert_eq!(known.endpoints.iter().filter(|(other, _)| other == dialect).count(), 1, "{name}");
            }
        }
    }

    #[test]
    fn no_preset_is_charged_by_the_list_of_somebody_else() {
        for known in presets() {
            for (_, url) in known.endpoints {
                let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
                let list = known.prices.map_or(known.name, |list| list.id);
                let found = price_list(Some(host), known.name);
                // A subscription has the hosts of the provider, and no prices of its own.
                let is_plan = known.prices.is_none();
                assert!(found == list || is_plan, "{} at {host}: {found}", known.name);
            }
        }
    }

    #[test]
    fn a_price_list_is_found_by_host_and_only_for_unknown_hosts_by_name() {
        for (authority, name, list) in [
            (Some("API.OpenAI.com:443"), "a", "openai"),
            (Some("api.groq.com"), "openai", "groq"),
            (Some("my-resource.openai.azure.com"), "a", "azure"),
            (Some("bedrock-runtime.eu-west-1.amazonaws.com"), "a", "aws"),
            (Some("api.openai.com.relay.example"), "relay", "relay"),
            (Some("xapi.openai.com"), "x", "x"),
            (Some("127.0.0.1:8080"), "gemini", "google"),
            (None, "moonshot-intl", "moonshotai"),
            (None, "ovh", "ovhcloud"),
            (None, "nobody", "nobody"),
        ] {
            assert_eq!(price_list(authority, name), list, "{authority:?} {name}");
        }
    }
}
