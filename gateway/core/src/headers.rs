//! Headers in the form in which they come: a list of lower-case names and the bytes of their values.

/// Headers that belong to one connection (RFC 9110, section 7.6.1, and what proxies and HTTP/2 upgrades add). They are
/// not passed on in either direction, and no catalog may set one.
pub(crate) const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The headers that a message's own `connection` adds to those (RFC 9110, section 7.6.1). The runner removes them
/// itself, together with `connection`; other hosts do not.
pub(crate) fn nominated(headers: &[(String, Vec<u8>)]) -> Vec<String> {
    let connection = headers.iter().filter(|(name, _)| name == "connection");
    let values = connection.filter_map(|(_, value)| std::str::from_utf8(value).ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// The first value of a header.
pub fn value<'h>(headers: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_slice())
}

/// The first value of a header, if it is text.
pub fn text<'h>(headers: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h str> {
    value(headers, name).and_then(|value| std::str::from_utf8(value).ok())
}

/// The header that counts how many instances of llmio a request has passed through.
pub const HOPS: &str = "x-llmio-hops";

/// A request that has passed through this many is refused, since some `base_url` must lead back.
pub const HOPS_MAX: u32 = 5;

/// How many instances of llmio a request has passed through already.
pub fn hops(headers: &[(String, Vec<u8>)]) -> u32 {
    text(headers, HOPS).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The header in which a relay's caller presents a key of llmio. All other credentials belong to the origin.
pub const RELAY_KEY: &str = "x-llmio-key";

/// What a browser would keep of an answer for the whole origin, or do to it: not an upstream's to say of llmio's. Neither
/// those of relays nor others travel on.
pub(crate) const OF_ORIGIN: [&str; 9] = [
    "set-cookie",
    "set-login",
    "clear-site-data",
    "service-worker-allowed",
    "alt-svc",
    "strict-transport-security",
    "nel",
    "report-to",
    "reporting-endpoints",
];

/// Keeps an answer apart from llmio's own pages, should a browser show it: it runs no script, loads nothing and belongs to
/// no origin, whatever it holds and whatever it says of itself.
pub const APART: [(&str, &str); 2] =
    [("content-security-policy", "sandbox; default-src 'none'"), ("x-content-type-options", "nosniff")];

/// Adds [`APART`]. A policy that an upstream has set stays beside it: browsers hold to both.
pub fn set_apart(headers: &mut Vec<(String, Vec<u8>)>) {
    headers.retain(|(name, _)| name != "x-content-type-options");
    headers.extend(APART.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
}

/// Tells proxies to pass a stream on as it comes. nginx buffers answers unless they say this:
/// <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering>.
pub fn unbuffered(headers: &mut Vec<(String, Vec<u8>)>) {
    let own: [(&str, &[u8]); 2] = [("cache-control", b"no-cache"), ("x-accel-buffering", b"no")];
    headers.retain(|(name, _)| own.iter().all(|(own, _)| own != name));
    headers.extend(own.map(|(name, value)| (name.to_owned(), value.to_vec())));
}
