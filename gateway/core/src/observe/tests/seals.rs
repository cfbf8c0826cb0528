//! The seals on reasoning in an answer.

use super::*;
use crate::reasoning_seals::in_request;

/// An event with a seal in each dialect, and a whole answer with one.
fn sealed(dialect: Dialect) -> [&'static str; 2] {
    match dialect {
        Dialect::OpenaiChat => [
            r#"{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"c2VhbA"}]}}]}"#,
            r#"{"choices":[{"message":{"content":"Hi","reasoning_details":[{"type":"reasoning.text","signature":"c2VhbA"}]}}]}"#,
        ],
        Dialect::OpenaiResponses => [
            r#"{"type":"response.output_item.done","item":{"type":"reasoning","encrypted_content":"c2VhbA"}}"#,
            r#"{"output":[{"type":"reasoning","encrypted_content":"c2VhbA"}]}"#,
        ],
        Dialect::Anthropic => [
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2VhbA=="}}"#,
            r#"{"content":[{"type":"redacted_thinking","data":"c2VhbA=="}]}"#,
        ],
        Dialect::Gemini => [
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"c2VhbA=="}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{},"thoughtSignature":"c2VhbA=="}]}}]}"#,
        ],
    }
}

#[test]
fn the_seals_of_an_answer_are_found_however_it_is_split() {
    let expected = in_request(br#"{"signature":"c2VhbA"}"#);
    for dialect in Dialect::ALL {
        let [event, whole] = sealed(dialect);
        let text = texts(dialect, &[3]).concat();
        for (media_type, body) in
            [("text/event-stream", format!("{text}data: {event}\n\n{text}")), ("application/json", whole.to_owned())]
        {
            for size in [1, 7, 4096] {
                let mut observer = Observer::new(dialect, false, &headers(media_type)).of_chat(true).of_sealed(true);
                body.as_bytes().chunks(size).for_each(|piece| observer.see(piece, 1));
                assert_eq!(observer.finish().seals, expected, "{} {media_type} {size}", dialect.name());
            }
        }
    }
}

#[test]
fn the_seal_of_a_conversation_made_shorter_is_found() {
    let body = br#"{"object":"response.compaction","output":[{"type":"compaction","encrypted_content":"c2VhbA"}]}"#;
    let mut observer = Observer::new(Dialect::OpenaiResponses, false, &headers("application/json")).of_sealed(true);
    observer.see(body, 1);
    assert_eq!(observer.finish().seals, in_request(body));
}
