//! What a relay passes on: everything but what belongs to the connection, to the way here, or to llmio itself.
//!
//! No allow-list as for balanced calls: a relay is a way out for requests that were made for its origin, with the
//! origin's own credential in them.

use crate::catalog::Relay;
use crate::headers::{HOP_BY_HOP, text};
use crate::rewrite::{HOPS, hops};

/// Where a relay's caller presents a key of llmio. Every other place belongs to the origin.
pub const KEY: &str = "x-llmio-key";

/// Marks a relay's own refusals, so that they are not taken for its origin's.
pub const MARK: &str = "x-llmio-relay";

/// What the mark says.
pub const REFUSED: &str = "refused";

/// What tells an origin who is behind the relay, and what the connection to it sets itself.
const DROPPED: [&str; 14] = [
    "host",
    "expect",
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "x-original-host",
    "cdn-loop",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
];

/// Families of the same, and the words of llmio and its hosts among themselves.
const DROPPED_PREFIXES: [&str; 3] = ["x-forwarded-", "x-llmio-", "spin-"];

/// A request on its way to a relay's origin, without its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    /// Path and query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// The relay's name and the origin's path, of what stands behind `/relay/`.
pub fn split(rest: &str) -> (&str, &str) {
    rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash))
}

/// What goes to the origin. `own` says of a credential whether it is one of llmio's: those are nobody else's business,
/// wherever a client put them.
pub fn request(path: &str, query: Option<&str>, client: &[(String, Vec<u8>)], own: &dyn Fn(&str) -> bool) -> Passed {
    let is_own = |value: &[u8]| {
        let value = std::str::from_utf8(value).unwrap_or_default();
        own(value) || value.split_once(' ').is_some_and(|(_, credential)| own(credential.trim()))
    };
    let passes = |(name, value): &&(String, Vec<u8>)| {
        !HOP_BY_HOP.contains(&name.as_str())
            && !DROPPED.contains(&name.as_str())
            && !DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            && !is_own(value)
    };
    let mut headers: Vec<_> = client.iter().filter(passes).cloned().collect();
    headers.push((HOPS.to_owned(), (hops(client) + 1).to_string().into_bytes()));
    let path = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Passed { path, headers }
}

/// What comes back: all of it, but for what belongs to the connection and the name of the origin's own record.
pub fn answer(mut upstream: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    upstream.retain(|(name, _)| !HOP_BY_HOP.contains(&name.as_str()) && name != "x-llmio-record");
    upstream
}

/// Whether an answer is a relay's own refusal and not from its origin.
pub fn is_refusal(headers: &[(String, Vec<u8>)]) -> bool {
    text(headers, MARK) == Some(REFUSED)
}

impl Relay {
    /// What messages call it.
    pub fn describe(&self) -> String {
        format!("the origin of relay {:?}", &*self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_path_is_split_into_the_relay_and_what_the_origin_sees() {
        assert_eq!(split("gemini/v1beta/models/a%2Fb:x"), ("gemini", "/v1beta/models/a%2Fb:x"));
        assert_eq!(split("gemini/"), ("gemini", "/"));
        assert_eq!(split("gemini"), ("gemini", "/"));
    }

    #[test]
    fn an_origin_sees_the_request_and_nothing_of_the_way_it_came() {
        let client = headers(&[
            ("authorization", "Bearer of-the-origin"),
            ("x-goog-api-key", "llmio-key"),
            ("x-api-key", "origins-key"),
            ("cookie", "a=b"),
            ("content-type", "application/json"),
            ("content-length", "2"),
            ("host", "edge.example"),
            ("x-forwarded-for", "203.0.113.7"),
            ("forwarded", "for=203.0.113.7"),
            ("via", "1.1 proxy"),
            ("cf-connecting-ip", "203.0.113.7"),
            ("te", "trailers"),
            ("x-llmio-key", "llmio-key"),
            ("x-llmio-call", "an-id"),
            ("x-llmio-hops", "2"),
            ("spin-client-addr", "203.0.113.7"),
        ]);
        let passed = request("/v1", Some("a=1&b=%20"), &client, &|credential| credential == "llmio-key");
        assert_eq!(passed.path, "/v1?a=1&b=%20");
        let expected = headers(&[
            ("authorization", "Bearer of-the-origin"),
            ("x-api-key", "origins-key"),
            ("cookie", "a=b"),
            ("content-type", "application/json"),
            ("content-length", "2"),
            ("x-llmio-hops", "3"),
        ]);
        assert_eq!(passed.headers, expected);
        let bearer = headers(&[("authorization", "Bearer llmio-key")]);
        assert_eq!(request("/", None, &bearer, &|each| each == "llmio-key").headers, headers(&[("x-llmio-hops", "1")]));
    }

    #[test]
    fn an_answer_keeps_all_but_what_belongs_to_its_connection() {
        let upstream =
            headers(&[("set-cookie", "a=b"), ("location", "/x"), ("keep-alive", "9"), ("x-llmio-record", "r")]);
        assert_eq!(answer(upstream), headers(&[("set-cookie", "a=b"), ("location", "/x")]));
    }
}
