//! What a relay passes on: everything except what belongs to the connection, to the way to the relay, or to llmio
//! itself.
//!
//! There is no allow-list as for balanced calls: a relay passes on requests that were made for its origin, with the
//! origin's own credential in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::catalog::Relay;
use crate::headers::{HOP_BY_HOP, HOPS, OF_ORIGIN, RELAY_KEY, hops, nominated, text, unbuffered};
use crate::outcome::SendError;
use crate::redact::without_keys;
use crate::refusal::Refusal;
use crate::state::State;
use crate::uri::decode_parameter;
use crate::verdict::Class;

/// Marks a relay's own refusals, so that they are not mistaken for its origin's.
pub const MARK: &str = "x-llmio-relay";

/// The value of the mark.
pub const REFUSED: &str = "refused";

/// Headers that would tell the origin about the client behind the relay, and those that the connection sets itself.
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

/// Prefixes of such headers, and of headers between llmio and its hosts.
const DROPPED_PREFIXES: [&str; 3] = ["x-forwarded-", "x-llmio-", "spin-"];

/// A request on its way to a relay's origin, without its body.
#[derive(Debug, PartialEq, Eq)]
pub struct RelayedRequest {
    /// The path and query.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Splits what follows `/relay/` into the relay's name and the origin's path.
pub fn split(rest: &str) -> (&str, &str) {
    rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash))
}

/// The request for the origin. `own` tells whether a credential is one of llmio's: those are removed wherever a client
/// put them. One in the path cannot be removed, so that the request is refused.
pub fn request(
    path: &str,
    query: Option<&str>,
    client: &[(String, Vec<u8>)],
    own: &dyn Fn(&str) -> bool,
) -> Result<RelayedRequest, Refusal> {
    if path.split('/').any(|segment| holds_own(&decoded(segment), own)) {
        let message = format!(
            "The path holds a key of llmio, which no origin may see. Relays take it in the header `{RELAY_KEY}`."
        );
        return Err(Refusal::bad_request(message));
    }
    let nominated = nominated(client);
    let client: Vec<(String, Vec<u8>)> = client.iter().map(|header| without_keys_in_agent(header, own)).collect();
    let passes = |(name, value): &&(String, Vec<u8>)| {
        !HOP_BY_HOP.contains(&name.as_str())
            && !nominated.contains(name)
            && !DROPPED.contains(&name.as_str())
            && !DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            && !holds_own(&String::from_utf8_lossy(value), own)
    };
    let mut headers: Vec<_> = client.iter().filter(passes).cloned().collect();
    headers.push((HOPS.to_owned(), (hops(&client) + 1).to_string().into_bytes()));
    let passes = |pair: &&str| !holds_own(&decoded(&pair.replace('+', " ")), own);
    let path = match query {
        Some("") => format!("{path}?"),
        Some(query) => match query.split('&').filter(passes).collect::<Vec<_>>().as_slice() {
            [] => path.to_owned(),
            pairs => format!("{path}?{}", pairs.join("&")),
        },
        None => path.to_owned(),
    };
    Ok(RelayedRequest { path, headers })
}

/// Removes keys from the user agent, which tells the origin who asks.
fn without_keys_in_agent((name, value): &(String, Vec<u8>), own: &dyn Fn(&str) -> bool) -> (String, Vec<u8>) {
    let is_own = |word: &str| word.len() >= WORD_BYTES_MIN && own(word);
    match std::str::from_utf8(value) {
        Ok(text) if name == "user-agent" => (name.clone(), without_keys(text, is_own).into_bytes()),
        _ => (name.clone(), value.clone()),
    }
}

fn decoded(text: &str) -> String {
    decode_parameter(text).unwrap_or_else(|| text.to_owned())
}

/// Shorter words are not compared with llmio's credentials, since there may be many of them. Every key that llmio makes
/// is longer, and so is every admin token that is not for a test.
const WORD_BYTES_MIN: usize = 16;

/// Whether a text contains a credential of llmio: as the whole, after `Bearer` or a name, as a word between the
/// delimiters of cookies and paths, or encoded for `Basic` (RFC 7617).
fn holds_own(text: &str, own: &dyn Fn(&str) -> bool) -> bool {
    let behind = |separator: &str| text.split_once(separator).is_some_and(|(_, rest)| own(rest.trim()));
    let is_long = |word: &&str| word.len() >= WORD_BYTES_MIN;
    let marks = |each: char| each.is_whitespace() || matches!(each, '=' | ':' | ';' | ',' | '"' | '\'' | '@');
    let basic = || {
        let (scheme, code) = text.trim().split_once(char::is_whitespace)?;
        let code = scheme.eq_ignore_ascii_case("basic").then_some(code.trim().trim_end_matches('='))?;
        String::from_utf8(STANDARD_NO_PAD.decode(code).ok()?).ok()
    };
    own(text.trim())
        || behind("=")
        || text.split_whitespace().chain(text.split(marks)).filter(is_long).any(own)
        || basic()
            .is_some_and(|pair| pair.split(':').any(own) || pair.split_once(':').is_some_and(|(_, rest)| own(rest)))
}

/// The headers of the answer: all of them, except those of the connection, those that a browser would apply to the
/// whole origin, the id of the origin's own record, and the mark of a refusal, which only this llmio may set.
pub fn answer(mut upstream: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let is_llmios = |name: &str| name == "x-llmio-record" || name == MARK;
    let nominated = nominated(&upstream);
    let is_dropped = |name: &str| HOP_BY_HOP.contains(&name) || OF_ORIGIN.contains(&name) || is_llmios(name);
    upstream.retain(|(name, _)| !is_dropped(name) && !nominated.contains(name));
    if text(&upstream, "content-type").is_some_and(|media_type| media_type.starts_with("text/event-stream")) {
        unbuffered(&mut upstream);
    }
    upstream
}

/// What an origin's status says about the request. The body is not read, since it is only for the client.
pub fn verdict(status: u16) -> (State, Class) {
    match status {
        101 | 500.. => (State::UpstreamError, Class::Target),
        429 => (State::RateLimitedUpstream, Class::Rate),
        400.. => (State::ClientError, Class::Client),
        _ => (State::Ok, Class::Ok),
    }
}

/// What is to blame if an origin has not answered.
pub fn blame(error: &SendError) -> Class {
    if error.is_llmios_own() { Class::Gone } else { Class::Target }
}

/// Whether an answer is a relay's own refusal and not its origin's answer.
pub fn is_refusal(headers: &[(String, Vec<u8>)]) -> bool {
    text(headers, MARK) == Some(REFUSED)
}

impl Relay {
    /// The relay's name in messages.
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

    fn is_own(credential: &str) -> bool {
        ["llmio-key", "sk-llmio-0123456789", "a:b"].contains(&credential)
    }

    fn passed(path: &str, query: Option<&str>, client: &[(String, Vec<u8>)]) -> RelayedRequest {
        request(path, query, client, &is_own).expect("it passes")
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
        let passed = passed("/v1", Some("a=1&b=%20"), &client);
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
    }

    #[test]
    fn a_key_of_llmio_is_left_out_wherever_a_client_put_it() {
        for (name, value) in [
            ("authorization", "Bearer sk-llmio-0123456789"),
            ("authorization", "bearer\t sk-llmio-0123456789 "),
            ("authorization", "Basic eDpzay1sbG1pby0wMTIzNDU2Nzg5"),
            ("authorization", "basic c2stbGxtaW8tMDEyMzQ1Njc4OTo="),
            ("authorization", "Basic eDphOmI="),
            ("x-goog-api-key", "sk-llmio-0123456789"),
            ("x-goog-api-key", "a:b"),
            ("cookie", "theme=dark; k=sk-llmio-0123456789; a=b"),
            ("x-odd", "key=\"sk-llmio-0123456789\", v=1"),
        ] {
            let passed = passed("/", None, &headers(&[(name, value)]));
            assert_eq!(passed.headers, headers(&[("x-llmio-hops", "1")]), "{name}: {value}");
        }
        for value in ["Basic eDp5", "Basic !", "Bearer of-the-origin", "sk-llmio-0123456789x"] {
            assert_eq!(passed("/", None, &headers(&[("authorization", value)])).headers.len(), 2, "{value}");
        }
    }

    #[test]
    fn a_user_agent_passes_without_the_keys_in_it() {
        for (value, kept) in [
            ("app/1 (sk-llmio-0123456789)", "app/1 ((key))"),
            ("app/1 sk-proj-0123456789abcdef", "app/1 (key)"),
            ("curl/8.5.0", "curl/8.5.0"),
        ] {
            let passed = passed("/", None, &headers(&[("user-agent", value)]));
            assert_eq!(passed.headers, headers(&[("user-agent", kept), ("x-llmio-hops", "1")]));
        }
    }

    #[test]
    fn a_key_of_llmio_is_left_out_of_the_query_and_the_rest_stays() {
        for (query, path) in [
            ("key=sk-llmio-0123456789", "/v1"),
            ("alt=sse&key=sk%2Dllmio-0123456789&a=%20+", "/v1?alt=sse&a=%20+"),
            ("token=Bearer+sk-llmio-0123456789&key=of-the-origin", "/v1?key=of-the-origin"),
            ("key=a:b&b", "/v1?b"),
            ("key=a%3Ab", "/v1"),
            ("", "/v1?"),
            ("&&a=%zz", "/v1?&&a=%zz"),
        ] {
            assert_eq!(passed("/v1", Some(query), &[]).path, path, "{query}");
        }
    }

    #[test]
    fn a_path_that_holds_a_key_of_llmio_goes_nowhere() {
        for path in ["/sk-llmio-0123456789", "/v1/sk%2Dllmio-0123456789/x", "/v1;k=sk-llmio-0123456789"] {
            let refused = request(path, None, &[], &is_own).expect_err("a refusal");
            assert_eq!(refused.status, 400);
            assert!(refused.message.contains(RELAY_KEY) && !refused.message.contains("0123"), "{}", refused.message);
        }
    }

    #[test]
    fn an_answer_keeps_all_but_what_belongs_to_its_connection() {
        let upstream = headers(&[("etag", "a"), ("location", "/x"), ("keep-alive", "9"), ("x-llmio-record", "r")]);
        assert_eq!(answer(upstream), headers(&[("etag", "a"), ("location", "/x")]));
    }

    #[test]
    fn an_origin_leaves_nothing_behind_in_a_browser() {
        for name in OF_ORIGIN {
            assert_eq!(answer(headers(&[(name, "1"), ("x-odd", "1")])), headers(&[("x-odd", "1")]), "{name}");
        }
    }

    #[test]
    fn a_stream_is_not_to_be_held_back_by_proxies_in_between() {
        let upstream = headers(&[("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "public")]);
        let answered = answer(upstream);
        assert_eq!(text(&answered, "cache-control"), Some("no-cache"));
        assert_eq!(text(&answered, "x-accel-buffering"), Some("no"));
        let other = headers(&[("content-type", "application/json"), ("cache-control", "public")]);
        assert_eq!(answer(other.clone()), other);
    }

    #[test]
    fn what_the_connection_header_names_stays_on_its_connection() {
        let sent =
            headers(&[("connection", "close, X-Once"), ("connection", "x-twice"), ("x-once", "1"), ("x-twice", "2")]);
        assert_eq!(answer(sent.clone()), headers(&[]));
        assert_eq!(passed("/", None, &sent).headers, headers(&[("x-llmio-hops", "1")]));
    }

    #[test]
    fn an_origin_cannot_speak_for_the_relay() {
        let upstream = headers(&[("x-llmio-relay", "refused"), ("x-odd", "1")]);
        assert!(is_refusal(&upstream));
        assert_eq!(answer(upstream), headers(&[("x-odd", "1")]));
    }

    #[test]
    fn a_status_tells_who_is_to_blame() {
        for (status, state, class) in [
            (204, State::Ok, Class::Ok),
            (302, State::Ok, Class::Ok),
            (418, State::ClientError, Class::Client),
            (429, State::RateLimitedUpstream, Class::Rate),
            (503, State::UpstreamError, Class::Target),
            (101, State::UpstreamError, Class::Target),
        ] {
            assert_eq!(verdict(status), (state, class), "{status}");
        }
        assert_eq!(blame(&SendError::ClientClosed), Class::Gone);
        assert_eq!(blame(&SendError::FirstByteTimeout), Class::Target);
    }
}
