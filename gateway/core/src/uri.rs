//! Parts of paths and queries: percent-encoding, and names that may not lead elsewhere.

/// Decodes the percent-encoding of one path parameter; `None` when it is not UTF-8 or holds a control character.
pub fn decode_parameter(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { hex(rest.next()?)? << 4 | hex(rest.next()?)? } else { byte });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// One path parameter or one value of a query, percent-encoded.
pub fn encode_parameter(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    push_encoded(&mut encoded, text, &[]);
    encoded
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 and those of `kept`.
pub(crate) fn push_encoded(path: &mut String, text: &str, kept: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Host and port of an authority in small letters, with this port where it names none.
pub(crate) fn host_and_port(authority: &str, port: u16) -> String {
    let authority = authority.to_ascii_lowercase();
    // A colon inside brackets belongs to an IPv6 address.
    let has_port = authority.rsplit(']').next().is_some_and(|after| after.contains(':'));
    if has_port { authority } else { format!("{authority}:{port}") }
}

/// Some providers have the name in a path, where such steps would lead to another model, or out of the API.
pub(crate) fn has_path_steps(model: &str) -> bool {
    model.contains('/') && model.split('/').any(|step| matches!(step, "" | "." | "..")) || matches!(model, "." | "..")
}

/// `host:port` of a URL; empty where it has none.
pub(crate) fn authority_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The host without its port, and an IPv6 address without its brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_added_where_an_authority_names_none() {
        for (authority, whole) in [
            ("API.example", "api.example:443"),
            ("api.example:8443", "api.example:8443"),
            ("[2001:DB8::1]", "[2001:db8::1]:443"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(host_and_port(authority, 443), whole);
        }
    }

    #[test]
    fn percent_encoding_is_decoded_once_and_control_characters_are_refused() {
        assert_eq!(decode_parameter("qwen%2Fqwen3%252"), Some("qwen/qwen3%2".into()));
        for bad in ["%", "%2", "%zz", "%00", "%ff", "a%0d%0ab"] {
            assert_eq!(decode_parameter(bad), None, "{bad}");
        }
    }
}
