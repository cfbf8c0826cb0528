//! Where a provider is, from the forms in which other gateways write it.

use std::net::IpAddr;

use gateway_core::uri::{authority_of, host_of};

/// Paths that people write with an address and that llmio adds by itself. A path that ends like another one comes
/// before it.
const ENDINGS: [&str; 7] =
    ["/chat/completions", "/completions", "/embeddings", "/responses", "/messages", "/v1beta/models", "/models"];

/// An address without what llmio adds to it.
pub(super) fn bare(url: &str) -> String {
    let mut url = url.trim().trim_end_matches('/');
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| url.strip_suffix(ending)) {
        url = shorter.trim_end_matches('/');
    }
    url.to_owned()
}

/// An address with this path, where it has none of a version yet.
pub(super) fn with_path(url: &str, path: &str) -> String {
    let url = bare(url);
    if path.is_empty() || has_version(&url) || url.ends_with(path) { url } else { format!("{url}{path}") }
}

/// Whether a segment of the path is a version.
pub(super) fn has_version(url: &str) -> bool {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').skip(1);
    let is_version = |segment: &str| {
        segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    path.into_iter().any(is_version)
}

/// Whether an address is likely in a private network, as far as its text tells: such an address has to be allowed on
/// purpose. A name without a dot belongs to a container or to a machine of the same network.
pub(super) fn is_near(url: &str) -> bool {
    const ZONES: [&str; 6] = [".localhost", ".local", ".lan", ".internal", ".home.arpa", ".svc"];
    let host = host_of(authority_of(url)).trim_end_matches('.').to_ascii_lowercase();
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => !host.is_empty() && (!host.contains('.') || ZONES.iter().any(|zone| host.ends_with(zone))),
    }
}
