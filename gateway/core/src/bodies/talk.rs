//! Reads bodies as a conversation, whatever dialect they are written in: with the readers that translate them, into the form that
//! all dialects have in common. What these cannot read is no conversation, and is shown as it stands.

use serde::Serialize;
use serde_json::Value;

use crate::dialect::Dialect;
use crate::neutral::gathered::Gathered;
use crate::neutral::json::is_too_intricate;
use crate::neutral::{Answer, Choice, Finish, Media, Message, Part, Request, Role, Warnings};

use super::KeptBody;

/// A request may have so many members that no other provider could take, and are no part of what is said.
const LEFT_OUT_MAX: usize = 8;

/// What was said, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// The names of the tools that the model could call.
    pub tools: Vec<String>,
    /// Instructions, turns, and the answer.
    pub turns: Vec<Turn>,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// Whose it is.
    pub who: Who,
    /// What it consists of.
    pub pieces: Vec<Piece>,
    /// Why it ended, of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<&'static str>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Instructions.
    System,
    /// The user.
    User,
    /// The model, in the conversation as it was sent.
    Assistant,
    /// A tool.
    Tool,
    /// The model, in the answer to this call.
    Answer,
}

/// A piece of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Piece {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// What the model reasoned.
    Reasoning {
        /// The text, or a summary of it; empty where only the provider can read it.
        text: String,
    },
    /// The model's refusal to answer.
    Refusal {
        /// The text.
        text: String,
    },
    /// A call of a tool.
    Call {
        /// The id that its result refers to.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments as JSON.
        arguments: String,
    },
    /// What a tool returned.
    Result {
        /// The id of the call.
        id: String,
        /// The tool.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Whether it failed.
        failed: bool,
        /// What it returned.
        pieces: Vec<Piece>,
    },
    /// A picture, document or recording, which is not kept.
    File {
        /// Such as `image/png`; empty if it is not known.
        media_type: String,
        /// Its name or address.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

impl Conversation {
    /// What was said; `None`: neither body can be read as a conversation.
    pub fn of(request: Option<&KeptBody>, answer: Option<&KeptBody>) -> Option<Self> {
        let request_read = request.and_then(read_request);
        let answered = answer.and_then(read_answer);
        if request_read.is_none() && answered.is_none() {
            return None;
        }
        let mut conversation = request_read.map(of_request).unwrap_or_default();
        let choices = answered.into_iter().flat_map(|answer| answer.choices);
        conversation
            .turns
            .extend(choices.map(of_choice).filter(|turn| !turn.pieces.is_empty() || turn.finish.is_some()));
        Some(conversation)
    }
}

fn parsed(body: &KeptBody) -> Option<(Dialect, Value)> {
    let dialect = Dialect::named(&body.dialect)?;
    if body.text.is_empty() || is_too_intricate(body.text.as_bytes()) {
        return None;
    }
    Some((dialect, serde_json::from_str(&body.text).ok()?))
}

/// A request. Members that only their own provider could take are passed over.
fn read_request(body: &KeptBody) -> Option<Request> {
    let (dialect, mut value) = parsed(body)?;
    for _ in 0..LEFT_OUT_MAX {
        let refused = match (dialect.room().read_request)(value.clone(), &mut Warnings::default()) {
            Ok(request) => return Some(request),
            Err(refused) => refused,
        };
        let member = refused.param.split(['.', '[']).next().unwrap_or_default();
        value.as_object_mut()?.shift_remove(member)?;
    }
    None
}

/// An answer: a document, or the list of its events.
fn read_answer(body: &KeptBody) -> Option<Answer> {
    let (dialect, value) = parsed(body)?;
    let Value::Array(events) = value else { return (dialect.room().read_answer)(value) };
    let mut reader = (dialect.room().stream_reader)();
    let mut gathered = Gathered::default();
    events.into_iter().flat_map(|event| reader.feed("", event)).for_each(|event| gathered.take(event));
    let answer = gathered.into_answer();
    (!answer.choices.is_empty()).then_some(answer)
}

fn of_request(request: Request) -> Conversation {
    let mut turns = Vec::new();
    let system = pieces(request.system);
    if !system.is_empty() {
        turns.push(Turn { who: Who::System, pieces: system, finish: None });
    }
    turns.extend(request.messages.into_iter().map(of_message).filter(|turn| !turn.pieces.is_empty()));
    Conversation { tools: request.tools.into_iter().map(|tool| tool.name).collect(), turns }
}

fn of_message(message: Message) -> Turn {
    let is_of_tools = message.parts.iter().all(|part| matches!(part, Part::ToolResult(_) | Part::CacheMark(_)));
    let who = match message.role {
        Role::System => Who::System,
        Role::User if is_of_tools => Who::Tool,
        Role::User => Who::User,
        Role::Assistant => Who::Assistant,
    };
    Turn { who, pieces: pieces(message.parts), finish: None }
}

fn of_choice(choice: Choice) -> Turn {
    let finish = choice.finish.map(|finish| match finish {
        Finish::Stop => "stop",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "filtered",
        Finish::Paused => "paused",
    });
    Turn { who: Who::Answer, pieces: pieces(choice.parts), finish }
}

fn pieces(parts: Vec<Part>) -> Vec<Piece> {
    parts.into_iter().filter_map(piece).collect()
}

fn piece(part: Part) -> Option<Piece> {
    Some(match part {
        Part::Text(text) if text.is_empty() => return None,
        Part::Text(text) => Piece::Text { text },
        Part::Refusal(text) => Piece::Refusal { text },
        Part::Reasoning(reasoning) => Piece::Reasoning { text: reasoning.text },
        Part::ToolCall(call) => Piece::Call { id: call.id, name: call.name, arguments: call.arguments },
        Part::ToolResult(result) => {
            Piece::Result { id: result.id, name: result.name, failed: result.is_error, pieces: pieces(result.parts) }
        }
        Part::Image { media, .. } => file(media, None, "image"),
        Part::File { media, name } => file(media, name, ""),
        Part::Audio(media) => file(media, None, "audio"),
        Part::CacheMark(_) => return None,
    })
}

fn file(media: Media, name: Option<String>, kind: &str) -> Piece {
    match media {
        Media::Base64 { media_type, .. } => Piece::File { media_type, name },
        Media::Url { url, media_type } => {
            Piece::File { media_type: media_type.unwrap_or_else(|| kind.to_owned()), name: name.or(Some(url)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bodies::What;

    fn body(what: What, dialect: &str, value: &Value) -> KeptBody {
        KeptBody {
            what,
            dialect: dialect.to_owned(),
            provider: None,
            model: None,
            bytes: 0,
            cut: false,
            merged: false,
            broken: false,
            text: value.to_string(),
        }
    }

    fn turns_of(dialect: &str, request: &Value, answer: &Value) -> Vec<String> {
        let (request, answer) = (body(What::Request, dialect, request), body(What::Answer, dialect, answer));
        let conversation = Conversation::of(Some(&request), Some(&answer)).expect("a conversation");
        let turns = conversation.turns.iter();
        turns
            .map(|turn| format!("{:?}: {}", turn.who, turn.pieces.iter().map(shown).collect::<Vec<_>>().join("+")))
            .collect()
    }

    fn shown(piece: &Piece) -> String {
        match piece {
            Piece::Text { text } | Piece::Refusal { text } => text.clone(),
            Piece::Reasoning { text } => format!("({text})"),
            Piece::Call { name, arguments, .. } => format!("{name}{arguments}"),
            Piece::Result { id, pieces, .. } => {
                format!("{id}={}", pieces.iter().map(shown).collect::<Vec<_>>().join(","))
            }
            Piece::File { media_type, .. } => format!("<{media_type}>"),
        }
    }

    #[test]
    fn every_dialect_is_read_as_the_same_conversation() {
        let picture = "data:image/png;base64,(9 characters left out)";
        let chat = turns_of(
            "openai-chat",
            &json!({ "model": "m", "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": [{ "type": "text", "text": "Hi" }, { "type": "image_url", "image_url": { "url": picture } }] },
                { "role": "assistant", "tool_calls": [{ "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{}" } }] },
                { "role": "tool", "tool_call_id": "c1", "content": "seen" },
            ] }),
            &json!({ "choices": [{ "finish_reason": "stop", "message": { "role": "assistant", "reasoning_content": "hm", "content": "Yes" } }] }),
        );
        let messages = turns_of(
            "anthropic",
            &json!({ "model": "m", "system": "Be brief.", "messages": [
                { "role": "user", "content": [{ "type": "text", "text": "Hi" }, { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "(9 characters left out)" } }] },
                { "role": "assistant", "content": [{ "type": "tool_use", "id": "c1", "name": "look", "input": {} }] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c1", "content": "seen" }] },
            ] }),
            &json!({ "type": "message", "content": [{ "type": "thinking", "thinking": "hm", "signature": "s" }, { "type": "text", "text": "Yes" }], "stop_reason": "end_turn" }),
        );
        let responses = turns_of(
            "openai-responses",
            &json!({ "model": "m", "instructions": "Be brief.", "previous_response_id": "r0", "input": [
                { "role": "user", "content": [{ "type": "input_text", "text": "Hi" }, { "type": "input_image", "image_url": picture }] },
                { "type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}" },
                { "type": "function_call_output", "call_id": "c1", "output": "seen" },
            ] }),
            &json!({ "object": "response", "status": "completed", "output": [
                { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "hm" }] },
                { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Yes" }] },
            ] }),
        );
        let gemini_request = json!({ "systemInstruction": { "parts": [{ "text": "Be brief." }] }, "cachedContent": "c", "contents": [
            { "role": "user", "parts": [{ "text": "Hi" }, { "inlineData": { "mimeType": "image/png", "data": "(9 characters left out)" } }] },
            { "role": "model", "parts": [{ "functionCall": { "id": "c1", "name": "look", "args": {} } }] },
            { "role": "user", "parts": [{ "functionResponse": { "id": "c1", "name": "look", "response": { "output": "seen" } } }] },
        ] });
        let chunk = |part: Value, finish: Option<&str>| json!({ "candidates": [{ "content": { "role": "model", "parts": [part] }, "finishReason": finish }] });
        let whole = json!({ "candidates": [{ "content": { "role": "model", "parts": [{ "text": "hm", "thought": true }, { "text": "Yes" }] }, "finishReason": "STOP" }] });
        let array = json!([
            chunk(json!({ "text": "hm", "thought": true }), None),
            chunk(json!({ "text": "Yes" }), Some("STOP"))
        ]);
        let expected =
            ["System: Be brief.", "User: Hi+<image/png>", "Assistant: look{}", "Tool: c1=seen", "Answer: (hm)+Yes"];
        assert_eq!(chat, expected);
        assert_eq!(messages, expected);
        assert_eq!(responses, expected);
        for answer in [whole, array] {
            let gemini = turns_of("gemini", &gemini_request, &answer);
            assert!(gemini[..3] == expected[..3] && gemini[4] == expected[4], "{gemini:?}");
            assert!(gemini[3].starts_with("Tool: c1=") && gemini[3].contains("seen"), "{gemini:?}");
        }
    }

    #[test]
    fn what_is_no_conversation_is_none() {
        let embeddings = body(What::Request, "openai-chat", &json!({ "model": "m", "input": "words" }));
        let error = body(What::Answer, "openai-chat", &json!({ "error": { "message": "no" } }));
        assert_eq!(Conversation::of(Some(&embeddings), Some(&error)), None);
        let cut = KeptBody { text: "{\"messages\":[{\"role\":\"us".into(), ..embeddings };
        assert_eq!(Conversation::of(Some(&cut), None), None);
        assert_eq!(Conversation::of(None, None), None);
    }

    #[test]
    fn an_answer_is_read_where_the_request_was_cut() {
        let cut = KeptBody { text: "{\"messages\":[".into(), ..body(What::Request, "openai-chat", &json!({})) };
        let answer = json!({ "choices": [{ "finish_reason": "length", "message": { "content": "Yes" } }] });
        let conversation = Conversation::of(Some(&cut), Some(&body(What::Answer, "openai-chat", &answer)));
        let turns = conversation.expect("an answer").turns;
        assert_eq!((turns.len(), turns[0].who, turns[0].finish), (1, Who::Answer, Some("length")));
    }
}
