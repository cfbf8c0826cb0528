//! An estimate of a conversation's tokens, marked as one, for calls that no provider can answer. Clients use it to see
//! how full a context window is, for which an error of a tenth is better than no answer.

use serde_json::json;

use crate::accept::demand;
use crate::call::Call;
use crate::dialect::Dialect;
use crate::pace::Pace;
use crate::refusal::Reply;

/// The header that marks an estimated answer.
pub const ESTIMATED: &str = "x-llmio-estimated";

/// The answer to a call that counts tokens: four bytes to a token (without the escapes of JSON), and images by the piece.
pub fn estimate(call: &Call) -> Reply {
    let tokens = demand(call, Pace::default()).tokens;
    let body = match call.operation.dialect() {
        Dialect::Gemini => json!({ "totalTokens": tokens }),
        Dialect::OpenaiResponses => json!({ "object": "response.input_tokens", "input_tokens": tokens }),
        Dialect::Anthropic | Dialect::OpenaiChat => json!({ "input_tokens": tokens }),
    };
    Reply::json(200, &body).with(ESTIMATED, "true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{Head, call};
    use crate::operation::Operation;

    fn counted(operation: Operation, body: &str) -> serde_json::Value {
        let head = Head { model: Some("m".into()), ..Head::default() };
        let reply = estimate(&call(operation, head, body.as_bytes().to_vec()).expect("a valid call"));
        serde_json::from_slice(&reply.body).expect("JSON")
    }

    #[test]
    fn a_character_counts_the_same_however_it_is_escaped() {
        let sentence = "你好，世界。\n\"😀\"".repeat(200);
        let plain = serde_json::to_string(&sentence).expect("text");
        let escape = |unit: u16| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        };
        let escaped: String = plain.encode_utf16().map(escape).collect();
        let count = |text: &str| {
            counted(Operation::Generate, &format!("{{\"contents\":[{{\"parts\":[{{\"text\":{text}}}]}}]}}"))
        };
        assert_eq!(count(&escaped), count(&plain));
        assert!(escaped.len() > plain.len() * 3 / 2);
    }

    #[test]
    fn an_image_counts_as_little_as_it_is_worth_and_not_as_its_bytes() {
        let image = "A".repeat(1 << 20);
        let with_image = format!(
            "{{\"messages\":[{{\"role\":\"user\",\"content\":[{{\"type\":\"image\",\"source\":{{\"data\":\"{image}\"}}}}]}}]}}"
        );
        let count = counted(Operation::CountTokens, &with_image)["input_tokens"].as_u64().expect("a number");
        assert!(count < 2000, "{count}");
        let text = format!("{{\"contents\":[{{\"parts\":[{{\"text\":\"{}\"}}]}}]}}", "word ".repeat(800));
        let count = counted(Operation::GeminiCountTokens, &text)["totalTokens"].as_u64().expect("a number");
        assert!((900..1100).contains(&count), "{count}");
    }
}
