//! Parts of paths and queries: percent-encoding, and names that must not change the path.

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

/// Whether a name of a model has segments such as `..`. Some providers take it as a part of the path, where they would
/// lead to another model or out of the API.
pub(crate) fn has_path_steps(model: &str) -> bool {
    model.contains('/') && model.split('/').any(|step| matches!(step, "" | "." | "..")) || matches!(model, "." | "..")
}

/// The base path, if llmio is not served at the root of its address: with a leading and no trailing slash, or empty.
/// `None`: the text is no such path.
pub fn base_path(text: &str) -> Option<String> {
    let bare = text.trim().trim_matches('/');
    if bare.is_empty() {
        return Some(String::new());
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let has_steps = bare.split('/').any(|step| matches!(step, "" | "." | ".."));
    (bare.bytes().all(is_plain) && !has_steps).then(|| format!("/{bare}"))
}

/// The path without the base path. `None` if it does not begin with that.
pub fn without_base<'p>(path: &'p str, base_path: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(base_path).filter(|_| !base_path.is_empty())?;
    match rest {
        "" => Some("/"),
        _ => rest.starts_with('/').then_some(rest),
    }
}

/// `host:port` of a URL; empty where it has none.
pub fn authority_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The host without its port, and an IPv6 address without its brackets.
pub fn host_of(authority: &str) -> &str {
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
    fn a_base_path_is_taken_off_where_it_stands_as_whole_segments() {
        for (text, path) in [("", Some("")), ("/", Some("")), ("llm", Some("/llm")), ("/a/b/", Some("/a/b"))] {
            assert_eq!(base_path(text).as_deref(), path, "{text}");
        }
        for wrong in ["a b", "/../x", "a//b", "a?b", "${X}", "a%2f"] {
            assert_eq!(base_path(wrong), None, "{wrong}");
        }
        assert_eq!(without_base("/llm/v1/models", "/llm"), Some("/v1/models"));
        assert_eq!(without_base("/llm", "/llm"), Some("/"));
        assert_eq!(without_base("/llms/v1", "/llm"), None);
        assert_eq!(without_base("/v1/models", "/llm"), None);
        assert_eq!(without_base("/v1/models", ""), None);
    }

    #[test]
    fn percent_encoding_is_decoded_once_and_control_characters_are_refused() {
        assert_eq!(decode_parameter("qwen%2Fqwen3%252"), Some("qwen/qwen3%2".into()));
        for bad in ["%", "%2", "%zz", "%00", "%ff", "a%0d%0ab"] {
            assert_eq!(decode_parameter(bad), None, "{bad}");
        }
    }
}
