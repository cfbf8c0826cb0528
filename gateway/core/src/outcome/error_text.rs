//! The text of an error, divided by its author: codes are the provider's own, but a message may repeat what the client
//! wrote. So quoted parts of a message are left out, and no other members are read, since some providers answer a bad
//! request with the whole request.

use std::borrow::Cow;

use serde_json::Value;

use crate::redact::closing;
use crate::scan::unescaped;

/// How much of a body is read. An error says what it is in its first kilobytes.
const LOOKED_AT_BYTES: usize = 16 << 10;

/// The words of an error, in lower case, so that rows of the table need not know how each relay capitalises them.
pub(super) struct ErrorText {
    /// Codes, types, statuses, reasons, and the names of quotas, each in quotes.
    pub(super) codes: String,
    /// `message: `, and the message without what it quotes.
    pub(super) message: String,
    /// The whole body without JSON's escapes, for rows that a catalog adds.
    pub(super) whole: String,
    /// Whether it is a web page and not an API's error: from a proxy or firewall on the way, or because the base URL
    /// leads to a web site. It says nothing about the credential or the model.
    pub(super) is_page: bool,
}

impl ErrorText {
    pub(super) fn of(body: &[u8]) -> Self {
        let looked_at = body.get(..body.len().min(LOOKED_AT_BYTES)).unwrap_or_default();
        let mut whole = String::from_utf8_lossy(looked_at).to_lowercase();
        let is_page = whole.trim_start().starts_with('<');
        let (mut codes, mut message) = (String::new(), String::new());
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Array(items)) => items.iter().take(1).for_each(|item| read(item, &mut codes, &mut message)),
            Ok(value) => read(&value, &mut codes, &mut message),
            Err(_) if is_page => {}
            // The author of plain text is unknown, so only what it does not quote counts.
            Err(_) => message.push_str(&whole),
        }
        if let Cow::Owned(plain) = unescaped(looked_at) {
            whole.push('\n');
            whole.push_str(&String::from_utf8_lossy(&plain).to_lowercase());
        }
        let message = format!("message: {}", without_quoted(&message.to_lowercase()));
        ErrorText { codes: codes.to_lowercase(), message, whole, is_page }
    }
}

/// Words, in lower case, that blame the caller's address, place or conduct. From Cloudflare's errors 1015 and 1020,
/// OpenAI's and Anthropic's notices of unusual activity, and relays.
const OF_ASKER: [&str; 26] = [
    "abuse",
    "abusive",
    "suspicious",
    "unusual activity",
    "unusual traffic",
    "unusual behavior",
    "automated queries",
    "automated requests",
    "your ip",
    "this ip",
    "ip address",
    "client ip",
    "from your network",
    "vpn",
    "your location",
    "your region",
    "your country",
    "error 1015",
    "error code: 1015",
    "滥用",
    "异常流量",
    "异常请求",
    "风控",
    "ip地址",
    "ip 地址",
    "所在地区",
];

/// Whether an error blames the caller and not the credential.
pub(super) fn blames_asker(body: &[u8]) -> bool {
    let text = ErrorText::of(body);
    let searched = if text.is_page { &text.whole } else { &text.message };
    // Gemini refuses keys of its free tier in some places; a paid key may be used there.
    !searched.contains("free tier")
        && OF_ASKER.iter().any(|words| searched.contains(words) || text.codes.contains(words))
}

/// Reads the error in `{"error": {…}}`, `{"errors": {…}}`, `{"error": "…"}`, and errors at the top level.
fn read(body: &Value, codes: &mut String, message: &mut String) {
    let error = body.get("error").or_else(|| body.get("errors")).filter(|error| !error.is_null()).unwrap_or(body);
    if let Value::String(text) = error {
        message.push_str(text);
    }
    let outer = (!std::ptr::eq(error, body)).then_some(body);
    for place in [Some(error), outer].into_iter().flatten() {
        for name in ["code", "type", "status", "reason"] {
            push_code(codes, place.get(name));
        }
        for name in ["message", "msg", "detail"] {
            if let Some(text) = place.get(name).and_then(Value::as_str).filter(|_| message.is_empty()) {
                message.push_str(text);
            }
        }
    }
    for detail in error.get("details").and_then(Value::as_array).into_iter().flatten() {
        push_code(codes, detail.get("reason"));
        for violation in detail.get("violations").and_then(Value::as_array).into_iter().flatten() {
            push_code(codes, violation.get("quotaId"));
        }
    }
}

/// The message of an error as it was written; `None` if there is none, or if the body is no JSON.
pub(super) fn message_of(body: &[u8]) -> Option<String> {
    let (mut codes, mut message) = (String::new(), String::new());
    match serde_json::from_slice::<Value>(body).ok()? {
        Value::Array(items) => read(items.first()?, &mut codes, &mut message),
        value => read(&value, &mut codes, &mut message),
    }
    (!message.is_empty()).then_some(message)
}

/// An error's codes, as they were written.
pub(super) fn codes_of(body: &[u8]) -> String {
    let (mut codes, mut message) = (String::new(), String::new());
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(items)) => items.iter().take(1).for_each(|item| read(item, &mut codes, &mut message)),
        Ok(value) => read(&value, &mut codes, &mut message),
        Err(_) => {}
    }
    codes.trim().replace('"', "")
}

fn push_code(codes: &mut String, code: Option<&Value>) {
    match code {
        Some(Value::String(text)) => codes.push_str(&format!("\"{text}\" ")),
        Some(Value::Number(number)) => codes.push_str(&format!("\"{number}\" ")),
        _ => {}
    }
}

/// Leaves out what stands between quotation marks of any kind; an opening mark without its end takes all that follows.
/// An apostrophe within a word is no mark. White space becomes one space, because what is left out had some on both
/// sides.
fn without_quoted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match closing(character, before) {
            Some(closing) => {
                rest.by_ref().find(|each| *each == closing);
            }
            None if !character.is_whitespace() => kept.push(character),
            None if !kept.ends_with(' ') => kept.push(' '),
            None => {}
        }
        before = character;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_quotes_is_not_what_it_says() {
        assert_eq!(without_quoted("invalid value: 'insufficient balance'. see docs"), "invalid value: . see docs");
        assert_eq!(without_quoted("you don't have `a` or \"b\" or “c”"), "you don't have or or ");
        assert_eq!(without_quoted("model \"x\" not found,\n  sorry"), "model not found, sorry");
        assert_eq!(without_quoted("never closed: 'model not found"), "never closed: ");
    }

    #[test]
    fn codes_and_message_are_found_in_every_shape() {
        let error = |body: &str| ErrorText::of(body.as_bytes());
        let openai = error(r#"{"error":{"code":"X_Y","type":"t","message":"No 'way'"}}"#);
        assert_eq!((openai.codes.as_str(), openai.message.as_str()), ("\"x_y\" \"t\" ", "message: no "));
        assert_eq!(error(r#"{"error":"Broke"}"#).message, "message: broke");
        assert_eq!(error(r#"{"errors":{"message":"M"}}"#).message, "message: m");
        assert_eq!(error(r#"{"code":30001,"message":"M"}"#).codes, "\"30001\" ");
        assert_eq!(
            error(r#"[{"error":{"status":"S","details":[{"violations":[{"quotaId":"PerDay"}]}]}}]"#).codes,
            "\"s\" \"perday\" "
        );
        assert_eq!(error(r#"{"detail":[{"input":"insufficient balance"}]}"#).message, "message: ");
        assert_eq!(error("Bad gateway").message, "message: bad gateway");
        assert_eq!(error(" <html>Access denied</html>").message, "message: ");
    }
}
