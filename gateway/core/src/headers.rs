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

/// Tells proxies to pass a stream on as it comes. nginx buffers answers unless they say this:
/// <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering>.
pub fn unbuffered(headers: &mut Vec<(String, Vec<u8>)>) {
    let own: [(&str, &[u8]); 2] = [("cache-control", b"no-cache"), ("x-accel-buffering", b"no")];
    headers.retain(|(name, _)| own.iter().all(|(own, _)| own != name));
    headers.extend(own.map(|(name, value)| (name.to_owned(), value.to_vec())));
}
