//! What an error says, taken apart by who chose the words: codes are the provider's own, a message may repeat what the
//! client wrote. So quoted parts of a message are left out, and no other member is looked at: some providers answer a
//! bad request with the whole of it.

use std::borrow::Cow;

use serde_json::Value;

use crate::redact::closing;
use crate::scan::unescaped;

/// The part of a body that is looked at: an error says what it is in its first kilobytes.
const LOOKED_AT_BYTES: usize = 16 << 10;

/// An error's words, in lower case, so that a row need not know how each relay capitalises what it passes on.
pub(super) struct ErrorText {
    /// Each in quotes: codes, types, statuses, reasons, and the names of quotas.
    pub(super) codes: String,
    /// `message: ` and the message without what it quotes.
    pub(super) message: String,
    /// All of it, as it came and without the escapes of JSON, for rows a catalog adds.
    pub(super) whole: String,
    /// A page and no API's error: a proxy or firewall on the way, or a base URL that leads to a web site. Whatever it
    /// speaks of, it is not the credential or the model.
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
            // Nobody knows whose words plain text has, and so it may only speak of what is not quoted.
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

/// Words that name the address, the place or the abuse of whoever asks, in lower case. From Cloudflare's error 1015 and
/// 1020, OpenAI's and Anthropic's notices of unusual activity, and those of relays.
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

/// Whether an error speaks of whoever asks and not of the credential.
pub(super) fn blames_asker(body: &[u8]) -> bool {
    let text = ErrorText::of(body);
    let said = if text.is_page { &text.whole } else { &text.message };
    // Gemini refuses keys of its free tier by place; one that is paid for may be used there.
    !said.contains("free tier") && OF_ASKER.iter().any(|words| said.contains(words) || text.codes.contains(words))
}

/// Reads the error of `{"error": {…}}`, `{"errors": {…}}`, `{"error": "…"}` and of errors that stand at the top.
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

/// An error's message as it was written; `None`: there is none, or it is no JSON.
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

/// Leaves out what stands between quotation marks of any kind; an opening one without its end takes all that follows.
/// An apostrophe within a word is none. White space is made one space, since a name that was left out stood in two.
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
        let said = |body: &str| ErrorText::of(body.as_bytes());
        let openai = said(r#"{"error":{"code":"X_Y","type":"t","message":"No 'way'"}}"#);
        assert_eq!((openai.codes.as_str(), openai.message.as_str()), ("\"x_y\" \"t\" ", "message: no "));
        assert_eq!(said(r#"{"error":"Broke"}"#).message, "message: broke");
        assert_eq!(said(r#"{"errors":{"message":"M"}}"#).message, "message: m");
        assert_eq!(said(r#"{"code":30001,"message":"M"}"#).codes, "\"30001\" ");
        assert_eq!(
            said(r#"[{"error":{"status":"S","details":[{"violations":[{"quotaId":"PerDay"}]}]}}]"#).codes,
            "\"s\" \"perday\" "
        );
        assert_eq!(said(r#"{"detail":[{"input":"insufficient balance"}]}"#).message, "message: ");
        assert_eq!(said("Bad gateway").message, "message: bad gateway");
        assert_eq!(said(" <html>Access denied</html>").message, "message: ");
    }
}
