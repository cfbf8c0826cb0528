//! What a browser sends of a form, and the cookies it keeps.

use crate::query::Query;

/// The largest body of a form. Nothing larger is read from anybody who has not signed in.
pub const BYTES_MAX: usize = 16 << 10;

/// The same of who has: hundreds of keys may be pasted.
pub const BYTES_MAX_SIGNED_IN: usize = 256 << 10;

/// The fields of `application/x-www-form-urlencoded`.
pub fn fields(body: &[u8]) -> Option<Query> {
    Query::parse_form(std::str::from_utf8(body).ok()?)
}

/// A cookie's value, of the `Cookie` headers of a request.
pub fn cookie<'h>(headers: &'h [(String, Vec<u8>)], name: &str) -> Option<&'h str> {
    let lines = headers.iter().filter(|(header, _)| header == "cookie");
    let pairs = lines.filter_map(|(_, value)| std::str::from_utf8(value).ok()).flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Where a form leads back to: a page of the console with its query, relative to it. Anything that could lead elsewhere
/// becomes the first page.
pub fn way_back(text: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/?&=%+*,".contains(&byte);
    let is_page = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(is_plain)
        && !text.contains("..");
    if is_page { text } else { "./" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_by_its_whole_name() {
        let headers =
            [("cookie".to_owned(), b"a=1; session=x=y; b=2".to_vec()), ("cookie".to_owned(), b"c=3".to_vec())];
        for (name, value) in [("a", Some("1")), ("session", Some("x=y")), ("c", Some("3")), ("ession", None)] {
            assert_eq!(cookie(&headers, name), value, "{name}");
        }
    }

    #[test]
    fn a_form_leads_back_into_the_console_and_nowhere_else() {
        for page in ["records", "records?state=ok&model=a%2Fb", "records/019aa3f2", "models/a%3Afree"] {
            assert_eq!(way_back(page), page);
        }
        for other in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "javascript:x",
            "\\evil",
            "../relay/r",
            "a/../../relay",
            "a\nb",
        ] {
            assert_eq!(way_back(other), "./", "{other}");
        }
    }
}
