//! Which parameter of a request a provider has refused, by the error that it answered with. It is told to an operator, who can have
//! it left out for that target; nothing follows from it by itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::UpstreamError;

/// Words, in lower case, by which providers refuse a parameter or its value.
/// - OpenAI's codes and messages: <https://platform.openai.com/docs/guides/error-codes>, and what its models for
///   reasoning say of `temperature` and `max_tokens`: <https://platform.openai.com/docs/guides/reasoning>
/// - Pydantic, and so Anthropic, Mistral and vLLM: <https://docs.pydantic.dev/latest/errors/validation_errors/#extra_forbidden>
/// - Google: <https://ai.google.dev/gemini-api/docs/troubleshooting>
/// - Groq: <https://console.groq.com/docs/openai>
const PHRASES: [&str; 14] = [
    "unsupported_parameter",
    "unsupported parameter",
    "unsupported_value",
    "unsupported value",
    "unknown_parameter",
    "unknown parameter",
    "unrecognized request argument",
    "not supported with this model",
    "not supported by this model",
    "deprecated for this model",
    "extra_forbidden",
    "extra inputs are not permitted",
    "cannot find field",
    "is unsupported",
];

/// Without these a request is another one.
const NEEDED: [&str; 9] =
    ["model", "stream", "messages", "input", "contents", "system", "instructions", "prompt", "tools"];

/// How much of an error is looked at.
const LOOKED_AT_BYTES: usize = 8 << 10;

/// A longer name is no parameter's.
const NAME_BYTES_MAX: usize = 64;

/// The parameter of `request` that an error refuses; `None`: it is about something else. The name is one that stands in the
/// request itself, so that no text of an error is taken for one.
pub fn refused_parameter(error: &UpstreamError, request: &[u8]) -> Option<String> {
    if !matches!(error.status, 400 | 422) {
        return None;
    }
    let text = String::from_utf8_lossy(error.body.get(..LOOKED_AT_BYTES).unwrap_or(&error.body));
    let lower = text.to_lowercase();
    if !PHRASES.iter().any(|phrase| lower.contains(phrase)) {
        return None;
    }
    let members: BTreeMap<Cow<'_, str>, IgnoredAny> = serde_json::from_slice(request).ok()?;
    let is_parameter = |name: &&str| members.contains_key(*name) && is_name(name) && !NEEDED.contains(name);
    let named = serde_json::from_slice::<Value>(&error.body).ok();
    let param = named.as_ref().and_then(|body| body.pointer("/error/param").or_else(|| body.get("param"))?.as_str());
    let param = param.and_then(|param| param.split(['.', '[']).next()).filter(is_parameter);
    let mut words = text.split(|each: char| !each.is_ascii_alphanumeric() && each != '_');
    param.or_else(|| words.find(is_parameter)).map(str::to_owned)
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    const REQUEST: &str = r#"{"model":"m","messages":[{"role":"user","content":"Is temperature an unsupported parameter?"}],
        "temperature":0.2,"max_tokens":9,"top_k":4,"generationConfig":{"topK":3},"logit_bias":{},"a b":1}"#;

    fn refused(status: u16, body: &str) -> Option<String> {
        let body = body.as_bytes().to_vec();
        let error = UpstreamError { status, headers: Vec::new(), body, hint: None, dialect: Dialect::OpenaiChat };
        refused_parameter(&error, REQUEST.as_bytes())
    }

    #[test]
    fn a_parameter_is_found_in_the_words_of_every_provider() {
        for (body, parameter) in [
            (
                r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}"#,
                "max_tokens",
            ),
            (
                r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","code":"unsupported_value"}}"#,
                "temperature",
            ),
            (r#"{"error":{"message":"Unrecognized request argument supplied: top_k"}}"#, "top_k"),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"top_k: Extra inputs are not permitted"}}"#,
                "top_k",
            ),
            (r#"{"detail":[{"type":"extra_forbidden","loc":["body","top_k"],"msg":"no"}]}"#, "top_k"),
            (
                r#"{"error":{"message":"Invalid JSON payload received. Unknown name \"logit_bias\": Cannot find field."}}"#,
                "logit_bias",
            ),
            (r#"{"error":{"message":"property 'logit_bias' is unsupported"}}"#, "logit_bias"),
            (r#"{"error":{"message":"`temperature` is deprecated for this model."}}"#, "temperature"),
            (r#"{"error":{"message":"unsupported parameter","param":"generationConfig.topK"}}"#, "generationConfig"),
        ] {
            assert_eq!(refused(400, body).as_deref(), Some(parameter), "{body}");
            assert_eq!(refused(422, body).as_deref(), Some(parameter), "{body}");
            assert_eq!(refused(500, body), None, "{body}");
        }
    }

    #[test]
    fn an_error_about_anything_else_refuses_none() {
        for body in [
            r#"{"error":{"message":"temperature: Input should be less than or equal to 1"}}"#,
            r#"{"error":{"message":"Unsupported parameter: 'presence_penalty'","param":"presence_penalty"}}"#,
            r#"{"error":{"message":"Unsupported value: 'messages[0].role'","param":"messages[0].role"}}"#,
            r#"{"error":{"message":"unknown parameter 'a b'"}}"#,
            "",
        ] {
            assert_eq!(refused(400, body), None, "{body}");
        }
        let error = UpstreamError {
            status: 400,
            headers: Vec::new(),
            body: b"unsupported parameter top_k".to_vec(),
            hint: None,
            dialect: Dialect::OpenaiChat,
        };
        assert_eq!(refused_parameter(&error, b"no JSON"), None);
    }
}
