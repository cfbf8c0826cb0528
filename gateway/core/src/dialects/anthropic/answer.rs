//! Whole answers: <https://platform.claude.com/docs/en/api/messages/create#returns>.

use serde_json::{Value, json};

use super::read::tool_use;
use super::{finish, seals, usage};
use crate::dialect::Dialect;
use crate::neutral::AnswerContext;
use crate::neutral::json::{arguments, from_members, object, take_list, take_text, text};
use crate::neutral::{Answer, Choice, Finish, Object, Part, ReasoningPart, Seal, UNSIGNED};

/// Reads a whole answer; `None` if the body contains none.
pub(super) fn read_answer(body: Value) -> Option<Answer> {
    let mut body = object(body, "").ok()?;
    let blocks = take_list(&mut body, "content")?;
    let parts = blocks.into_iter().filter_map(|block| read_block(object(block, "").ok()?)).collect();
    let sequence = take_text(&mut body, "stop_sequence");
    let finish = take_text(&mut body, "stop_reason").map(|reason| finish::read(&reason, sequence.as_deref()));
    Some(Answer {
        id: take_text(&mut body, "id").filter(|id| !id.is_empty()),
        model: take_text(&mut body, "model"),
        choices: vec![Choice { parts, finish }],
        usage: body.get("usage").map(|usage| Dialect::Anthropic.usage(usage)).unwrap_or_default(),
    })
}

/// A block; `None` for what Anthropic's own tools did, which was not asked for and cannot be translated.
fn read_block(mut block: Object) -> Option<Part> {
    let mut text = |name: &str| take_text(&mut block, name).unwrap_or_default();
    Some(match text("type").as_str() {
        "text" => Part::Text(text("text")),
        "thinking" => {
            let (reasoning, signature) = (text("thinking"), text("signature"));
            Part::Reasoning(ReasoningPart {
                text: reasoning,
                signature: Seal::read(Dialect::Anthropic, signature),
                sealed: None,
            })
        }
        "redacted_thinking" => Part::Reasoning(ReasoningPart {
            sealed: Seal::read(Dialect::Anthropic, text("data")),
            ..ReasoningPart::default()
        }),
        "tool_use" => Part::ToolCall(tool_use(block)),
        _ => return None,
    })
}

/// A whole answer in this dialect. There is one choice: a request for more is refused.
pub(super) fn write_answer(answer: Answer, context: &AnswerContext) -> Value {
    let choice = answer.choices.into_iter().next().unwrap_or_default();
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let content: Vec<Value> = choice.parts.into_iter().flat_map(write_blocks).collect();
    let (reason, sequence) = finish::write(choice.finish.unwrap_or(Finish::Stop), refused);
    from_members([
        ("id", answer.id.unwrap_or_else(|| context.id.clone()).into()),
        ("type", "message".into()),
        ("role", "assistant".into()),
        ("model", context.model.as_str().into()),
        ("content", content.into()),
        ("stop_reason", reason.into()),
        ("stop_sequence", sequence.into()),
        ("usage", usage::write(&answer.usage)),
    ])
}

fn write_blocks(part: Part) -> Vec<Value> {
    let block = match part {
        Part::Text(text) | Part::Refusal(text) => json!({ "type": "text", "text": text }),
        Part::Reasoning(ReasoningPart { sealed: Some(sealed), .. }) => {
            json!({ "type": "redacted_thinking", "data": sealed.for_client(Dialect::Anthropic) })
        }
        Part::Reasoning(ReasoningPart { text, signature, .. }) => {
            let signature = signature.map(|seal| seal.for_client(Dialect::Anthropic));
            let signature = signature.unwrap_or_else(|| UNSIGNED.to_owned());
            json!({ "type": "thinking", "thinking": text, "signature": signature })
        }
        Part::ToolCall(call) => {
            let input = arguments(&call.arguments);
            let block = json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input });
            return call.signature.map(seals::write).into_iter().chain([block]).collect();
        }
        Part::Image { media, .. } => json!({ "type": "text", "text": media.in_words() }),
        // An answer of this dialect has no place for them.
        Part::File { .. } | Part::Audio(_) | Part::ToolResult(_) | Part::CacheMark(_) => {
            return Vec::new();
        }
    };
    vec![block]
}

/// The text of a member of a delta or block.
pub(super) fn words(value: &Value, name: &str) -> Option<String> {
    text(value, name).filter(|text| !text.is_empty()).map(str::to_owned)
}
