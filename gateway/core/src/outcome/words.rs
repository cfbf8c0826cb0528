//! A provider's own words about a failure that is llmio's to mend, for records and health: without them nobody can tell
//! a spent account from a mistyped key.

use super::UpstreamError;
use super::error_text::message_of;
use crate::catalog::Credential;
use crate::redact;
use crate::verdict::{Class, ErrorKind, Verdict};

/// The first sentence or two say it.
const CHARACTERS_MAX: usize = 200;

/// What is kept of the words of an error that came with this credential. Nothing of one that is about the request: it may
/// repeat what only its client may know.
pub fn words(error: &UpstreamError, verdict: Verdict, credential: Option<&Credential>) -> Option<String> {
    let is_ours = match verdict.class {
        Class::Credential | Class::Egress | Class::Rate => true,
        Class::Target => verdict.kind != ErrorKind::Request,
        Class::Ok | Class::Client | Class::Gone => false,
    };
    is_ours.then(|| told(&error.body, credential)).flatten()
}

/// What an error's body says, whoever it is about.
pub fn told(body: &[u8], credential: Option<&Credential>) -> Option<String> {
    let said = message_of(body).unwrap_or_else(|| excerpt(body));
    let said = redact::without_slices(said.trim(), credential);
    let said: String =
        said.chars().take(CHARACTERS_MAX).map(|each| if each.is_control() { ' ' } else { each }).collect();
    (!said.is_empty()).then_some(said)
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
    use crate::catalog::{Secret, Value};
    use crate::dialect::Dialect;

    fn error(body: &str) -> UpstreamError {
        let (headers, body) = (Vec::new(), body.as_bytes().to_vec());
        UpstreamError { status: 401, headers, body, hint: None, dialect: Dialect::OpenaiChat }
    }

    fn said(class: Class, body: &str) -> Option<String> {
        let credential = Credential {
            id: "c-1".into(),
            account: "c-1".into(),
            label: "first".into(),
            enabled: true,
            value: Value::Plain(Secret::new("sk-proj-0123456789abcdefXYZ".to_owned())),
            pool: None,
            quota: None,
            egress: None,
        };
        words(&error(body), Verdict::of(class), Some(&credential))
    }

    #[test]
    fn the_message_is_kept_or_the_words_of_a_page() {
        let json = r#"{"error":{"message":" Your credit balance is too low\nto go on. ","code":"x"}}"#;
        assert_eq!(said(Class::Credential, json), Some("Your credit balance is too low to go on.".into()));
        assert_eq!(said(Class::Target, "<h1>502</h1> Bad gateway"), Some("502 Bad gateway".into()));
        assert_eq!(said(Class::Rate, ""), None);
        let long = format!("{{\"message\":\"{}\"}}", "忙".repeat(500));
        assert_eq!(said(Class::Rate, &long).map(|said| said.chars().count()), Some(CHARACTERS_MAX));
    }

    #[test]
    fn no_six_characters_of_the_credential_are_kept() {
        let json = r#"{"error":{"message":"Incorrect API key: sk-proj-0123***********XYZ. Or 89abcdefXYZ?"}}"#;
        assert_eq!(said(Class::Credential, json), Some("Incorrect API key: …***********XYZ. Or …?".into()));
    }

    #[test]
    fn what_is_about_the_request_is_not_kept() {
        let json = r#"{"error":{"message":"Invalid value: 'my secret diary'"}}"#;
        assert_eq!(said(Class::Client, json), None);
        let of_request = Verdict { kind: ErrorKind::Request, ..Verdict::of(Class::Target) };
        assert_eq!(words(&error(json), of_request, None), None);
    }
}
