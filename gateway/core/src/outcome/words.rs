//! A provider's own words about a failure that an operator must repair, for records and health: without them a spent
//! account looks like a mistyped key. They must contain nothing of the client's: what they quote, and what also stands
//! in the request, is left out; if that cannot be told apart, only the provider's codes are kept.

use super::UpstreamError;
use super::error_text::{codes_of, message_of};
use crate::observation::StreamError;
use crate::redact::{Secrets, hide_accounts, without_request_text};
use crate::verdict::{Class, ErrorKind, Verdict};

/// The first sentence or two are enough.
const CHARACTERS_MAX: usize = 200;

/// The words that are kept of an error, given the secrets of its request. An error about the request itself is dropped,
/// since it may repeat what only its client may know.
pub fn words(error: &UpstreamError, verdict: Verdict, secrets: &Secrets, request: &[u8]) -> Option<String> {
    let is_ours = match verdict.class {
        Class::Credential | Class::Egress | Class::Rate => true,
        Class::Target => verdict.kind != ErrorKind::Request,
        Class::Ok | Class::Client | Class::Gone => false,
    };
    let codes = || codes_of(&error.body);
    let text = match message_of(&error.body) {
        _ if !is_ours => return None,
        Some(message) => without_request_text(&message, request).unwrap_or_else(codes),
        // JSON without a message may be anything, and often is the request.
        None if is_json(&error.body) => codes(),
        None => without_request_text(&excerpt(&error.body), request).unwrap_or_default(),
    };
    kept(&text, secrets)
}

/// The message of an error to a request that has no prompt.
pub fn error_message(body: &[u8], secrets: &Secrets) -> Option<String> {
    kept(&message_of(body).unwrap_or_else(|| excerpt(body)), secrets)
}

/// The words that are kept of an error within an answer: its message if the request was kept, or else its codes.
pub(super) fn words_within(error: &StreamError, secrets: &Secrets, request: Option<&[u8]>) -> String {
    let codes = codes_of(&error.data);
    let message = request.and_then(|request| without_request_text(&error.message, request)).unwrap_or_default();
    let text = if message.is_empty() { codes } else { message };
    kept(&text, secrets).unwrap_or_else(|| "an error within the answer".to_owned())
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

fn kept(text: &str, secrets: &Secrets) -> Option<String> {
    let mut text = secrets.without_slices(text.trim()).into_bytes();
    hide_accounts(&mut text);
    let text = String::from_utf8_lossy(&text);
    let text: String =
        text.chars().take(CHARACTERS_MAX).map(|each| if each.is_control() { ' ' } else { each }).collect();
    (!text.is_empty()).then_some(text)
}

/// The first words of a text or HTML page, without its tags.
pub(crate) fn excerpt(body: &[u8]) -> String {
    const CHARACTERS_MAX: usize = 300;
    let text = String::from_utf8_lossy(body.get(..body.len().min(8192)).unwrap_or_default()).into_owned();
    let mut words = String::new();
    let mut in_tag = false;
    for character in text.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                words.push(' ');
            }
            _ if !in_tag && !character.is_control() => words.push(character),
            _ => words.push(' '),
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    const REQUEST: &[u8] = br#"{"messages":[{"role":"user","content":"what I wrote in my diary today"}]}"#;

    fn error(body: &str) -> UpstreamError {
        let (headers, body) = (Vec::new(), body.as_bytes().to_vec());
        UpstreamError { status: 401, headers, body, hint: None, dialect: Dialect::OpenaiChat }
    }

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add("sk-proj-0123456789abcdefXYZ");
        secrets
    }

    fn words_of(class: Class, body: &str) -> Option<String> {
        words(&error(body), Verdict::of(class), &secrets(), REQUEST)
    }

    #[test]
    fn the_message_is_kept_or_the_words_of_a_page() {
        let json = r#"{"error":{"message":" Your credit balance is too low\nto go on. ","code":"x"}}"#;
        assert_eq!(words_of(Class::Credential, json), Some("Your credit balance is too low to go on.".into()));
        assert_eq!(words_of(Class::Target, "<h1>502</h1> Bad gateway"), Some("502 Bad gateway".into()));
        assert_eq!(words_of(Class::Rate, ""), None);
        let long = format!("{{\"message\":\"{}\"}}", "忙".repeat(500));
        assert_eq!(words_of(Class::Rate, &long).map(|words_of| words_of.chars().count()), Some(CHARACTERS_MAX));
    }

    #[test]
    fn no_six_characters_of_the_credential_are_kept() {
        let json = r#"{"error":{"message":"Incorrect API key: sk-proj-0123***********XYZ. Or 89abcdefXYZ?"}}"#;
        assert_eq!(words_of(Class::Credential, json), Some("Incorrect API key: …***********XYZ. Or …?".into()));
    }

    #[test]
    fn what_is_about_the_request_is_not_kept() {
        let json = r#"{"error":{"message":"Invalid value: 'my secret diary'"}}"#;
        assert_eq!(words_of(Class::Client, json), None);
        let of_request = Verdict { kind: ErrorKind::Request, ..Verdict::of(Class::Target) };
        assert_eq!(words(&error(json), of_request, &secrets(), REQUEST), None);
    }

    #[test]
    fn what_the_client_wrote_is_in_no_words_whoever_is_to_blame() {
        for class in [Class::Credential, Class::Egress, Class::Rate, Class::Target] {
            for (body, kept) in [
                (r#"{"error":{"message":"blocked: what I wrote in my diary today","code":"x"}}"#, Some("blocked: …")),
                (r#"{"error":{"message":"failed on 'what I wrote'"}}"#, Some("failed on '…'")),
                (r#"{"detail":[{"input":"what I wrote in my diary today"}],"code":"bad_input"}"#, Some("bad_input")),
                (r#"{"input":"what I wrote in my diary today"}"#, None),
                ("<p>what I wrote in my diary today</p>", Some("…")),
                ("Blocked what I wrote in my diary today", Some("Blocked …")),
            ] {
                assert_eq!(words_of(class, body).as_deref(), kept, "{class:?} {body}");
            }
        }
    }

    #[test]
    fn an_error_within_an_answer_keeps_its_message_only_where_comparable() {
        let data = r#"{"error":{"type":"server_error","message":"x"}}"#.as_bytes().to_vec();
        let error = |message: &str| StreamError { message: message.into(), status: None, data: data.clone() };
        let kept = |message: &str, request| words_within(&error(message), &secrets(), request);
        assert_eq!(kept("Overloaded", Some(REQUEST)), "Overloaded");
        assert_eq!(kept("bad: what I wrote in my diary today", Some(REQUEST)), "bad: …");
        assert_eq!(kept("bad: what I wrote in my diary today", None), "server_error");
        let bare = StreamError { message: "what I wrote".into(), status: None, data: Vec::new() };
        assert_eq!(words_within(&bare, &secrets(), None), "an error within the answer");
    }
}
