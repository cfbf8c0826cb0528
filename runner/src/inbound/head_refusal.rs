//! hyper itself answers a head that it cannot read, without a body. On its way to the client this answer is replaced by
//! one that a client of this path understands. There is no better place: hyper only reports such a head after it has
//! answered, and parsing every head twice would cost every call.

use super::refusal::{Refusal, Refusals};
use http::{HeaderName, StatusCode, header};
use std::fmt::Write as _;

/// How much of a head is kept to know the beginning of its path.
pub(super) const BEGINNING_BYTES_MAX: usize = 64;

/// The answer that replaces `written`, if those bytes are hyper's answer to a head that it could not read. No request
/// may be in service, since the component's answers are never changed.
pub(super) fn in_place_of(written: &[u8], beginning: &[u8], refusals: &Refusals) -> Option<Vec<u8>> {
    let refusal = match status_of_bare_refusal(written)? {
        b"400" => Refusal::HeadUnreadable,
        b"431" | b"414" => Refusal::HeadTooLarge,
        _ => return None,
    };
    let response = refusals.answer(refusal, &path(beginning), super::new_id());
    let (head, body) = response.into_parts();
    let body = body.into_text()?;
    Some(whole(head.status, &head.headers, &body))
}

/// The status of hyper's own refusal, which has these headers and no others. The component's answers have more.
fn status_of_bare_refusal(written: &[u8]) -> Option<&[u8]> {
    let text = written.strip_prefix(b"HTTP/1.1 ")?;
    let head = text.strip_suffix(b"\r\n\r\n")?;
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next()?.get(..3)?;
    let is_bare = |line: &[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let known: [HeaderName; 3] = [header::CONNECTION, header::CONTENT_LENGTH, header::DATE];
        known.iter().any(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()))
    };
    let has_no_body = lines.clone().any(|line| line.trim_ascii().eq_ignore_ascii_case(b"content-length: 0"));
    (lines.all(is_bare) && has_no_body).then_some(status)
}

/// The path at the beginning of a head, as far as there is one.
fn path(beginning: &[u8]) -> String {
    let line = beginning.trim_ascii_start().split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    match String::from_utf8_lossy(path) {
        path if path.starts_with('/') => path.into_owned(),
        _ => "/".to_owned(),
    }
}

fn whole(status: StatusCode, headers: &http::HeaderMap, body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        let _ = write!(text, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";

    #[test]
    fn hypers_own_refusal_gets_a_body_and_closes() {
        let answer = in_place_of(BARE, b"POST /v1/x", &Refusals::default()).expect("another answer");
        let answer = String::from_utf8(answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        assert!(body.contains("not valid HTTP/1.1"), "{body}");
    }

    #[test]
    fn what_the_component_answers_is_not_touched() {
        let others: [&[u8]; 4] = [
            b"HTTP/1.1 400 Bad Request\r\nx-llmio-record: 1\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 12\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            b"data: HTTP/1.1 400\r\n\r\n",
        ];
        for written in others {
            assert_eq!(in_place_of(written, b"GET / HTTP/1.1", &Refusals::default()), None);
        }
    }

    #[test]
    fn the_path_is_what_stands_between_method_and_version_or_query() {
        assert_eq!(path(b"\r\nPOST /v1/messages?x=1 HTTP/1.1\r\nhost: a"), "/v1/messages");
        assert_eq!(path(b"POST /v1/messages/and/further/than/was"), "/v1/messages/and/further/than/was");
        for odd in [b"".as_slice(), b"\xff\xfe", b"GET", b"CONNECT a:1 HTTP/1.1", b"GET http://a/x HTTP/1.1"] {
            assert_eq!(path(odd), "/");
        }
    }
}
