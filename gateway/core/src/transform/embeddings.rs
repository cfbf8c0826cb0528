//! Embeddings in the form that the caller asked for: OpenAI's SDKs ask for base64, but many servers answer with
//! numbers. <https://platform.openai.com/docs/api-reference/embeddings/create#embeddings-create-encoding_format>

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The member that holds a vector.
const MEMBER: &[u8] = b"\"embedding\"";

/// The answer with its vectors as little-endian 32-bit floats in base64. What is no list of numbers stays as it is. It
/// is not parsed, since an answer may have millions of numbers, which would not fit into memory as a tree.
pub(super) fn in_base64(body: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest, MEMBER) {
        let (before, after) = rest.split_at(at + MEMBER.len());
        written.extend_from_slice(before);
        rest = after;
        if let Some((list, behind)) = list_of(after)
            && let Some(vector) = vector(list)
        {
            written.extend_from_slice(format!(":\"{}\"", BASE64_STANDARD.encode(vector)).as_bytes());
            rest = behind;
        }
    }
    written.extend_from_slice(rest);
    written
}

/// The contents of the list that is a member's value, and what follows the list.
fn list_of(after: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"[")?;
    let end = memchr::memchr(b']', value)?;
    Some((value.get(..end)?, value.get(end + 1..)?))
}

fn vector(list: &[u8]) -> Option<Vec<u8>> {
    let numbers = std::str::from_utf8(list).ok()?.split(',').map(|number| number.trim().parse::<f32>().ok());
    let bytes = numbers.map(|number| number.filter(|number| number.is_finite()).map(f32::to_le_bytes));
    Some(bytes.collect::<Option<Vec<_>>>()?.concat())
}

/// Whether the request asks for base64.
pub(super) fn are_wanted(request: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct EncodingRequest {
        encoding_format: Option<String>,
    }
    memchr::memmem::find(request, b"encoding_format").is_some()
        && serde_json::from_slice::<EncodingRequest>(request)
            .is_ok_and(|members| members.encoding_format.as_deref() == Some("base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_numbers_become_base64_and_nothing_else_changes() {
        let answer = |first: &str, second: &str| {
            format!(
                r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding"{first}}},{{"embedding"{second},"index":1}}],"usage":{{"prompt_tokens":1}}}}"#
            )
        };
        let numbers = answer(": [ 1.0, -0.5,\n 1e-3 ]", ":[0]");
        let base64 = answer(r#":"AACAPwAAAL9vEoM6""#, r#":"AAAAAA==""#);
        assert_eq!(in_base64(numbers.as_bytes()), base64.as_bytes());
        for same in [
            base64.as_str(),
            r#"{"embedding":[[1,2]]}"#,
            r#"{"embedding":[]}"#,
            r#"{"embedding":[1e40]}"#,
            r#"{"embedding":[1"#,
            "{}",
            "",
        ] {
            assert_eq!(in_base64(same.as_bytes()), same.as_bytes());
        }
    }

    #[test]
    fn they_are_wanted_in_base64_where_the_request_says_so() {
        assert!(are_wanted(br#"{"input":"x","encoding_format":"base64"}"#));
        for other in
            [r#"{"encoding_format":"float"}"#, r#"{"input":"encoding_format base64"}"#, r#"{"encoding_format":1}"#, ""]
        {
            assert!(!are_wanted(other.as_bytes()), "{other}");
        }
    }
}
