//! Headers that a message's `Connection` names belong to that connection alone (RFC 9110, section 7.6.1) and must not
//! be passed on. The component cannot know them, because wasmtime shows no guest that header.

use http::{HeaderMap, HeaderName, header};

/// Removes the headers that `Connection` names.
pub(crate) fn strip_nominated(headers: &mut HeaderMap) {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    // Nearly all messages have one of these words, which name no header.
    let names = names.filter(|name| !["close", "keep-alive"].iter().any(|usual| name.eq_ignore_ascii_case(usual)));
    let nominated: Vec<_> = names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    for name in nominated {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_connection_names_is_taken_away_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "close, X-Once"), ("connection", "x-twice,"), ("x-once", "1"), ("x-twice", "2"), ("x", "3")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        strip_nominated(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["connection", "x"]);
    }
}
